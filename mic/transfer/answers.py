"""What a student's answers are worth, unit by unit, clip by clip and between looks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from mic.errors import ConfigError
from mic.faces.landmarks import ACTION_UNITS
from mic.synthface.action_units import CODES
from mic.transfer import scores
from mic.transfer.examples import Examples
from mic.transfer.scores import columns, described
from mic.transfer.student import Changes
from mic.transfer.teacher import SHAPES

# DISFA's twelve (Mavadati et al., IEEE Trans. Affective Computing 4(2), 2013).
DISFA = ("1", "2", "4", "5", "6", "9", "12", "15", "17", "20", "25", "26")
# A unit acts where it has risen by this since the I-frame; 1 is about FACS level D, and DISFA's
# F1 counts from level B.
ACTING = 0.4

UNIT_COLUMNS: Mapping[str, str] = {
    "unit": "FACS action unit of DISFA's twelve; mean: over them",
    **described("f1", f"F1 of having risen by {ACTING} since the I-frame", over="people"),
    **described("pcc", "correlation of the student's change with the true one", over="people"),
    "teacher_pcc": "the same of the teacher on decoded pictures, by blendshapes of that name",
    "acting": "share of frames in which the unit has risen so far",
    "n": "frames",
    "people": "unseen generated people",
}


def unit_table(changes: Changes, made: Examples, *, resamples: int) -> pd.DataFrame:
    """Twelve action units of unseen generated people; columns `UNIT_COLUMNS`."""
    truth, said = disfa(made.units), disfa(changes.units)
    taught = _taught(made.shapes)
    groups, of = made.subjects, {"resamples": resamples}
    rows = []
    for name in (*DISFA, "mean"):
        one = [*range(len(DISFA))] if name == "mean" else [DISFA.index(name)]
        t, s = truth[:, one], said[:, one]
        rows.append(
            {
                "unit": name,
                **columns("f1", scores.f1(t >= ACTING, s >= ACTING, groups, **of)),
                **columns("pcc", scores.correlation(t, s, groups, **of)),
                "teacher_pcc": scores.correlation(t, taught[:, one], groups, resamples=1).value,
                "acting": float((t >= ACTING).mean()),
                "n": len(t),
                "people": len(np.unique(groups)),
            }
        )
    return pd.DataFrame(rows)[list(UNIT_COLUMNS)]


CLIP_COLUMNS: Mapping[str, str] = {
    "clip": "pinned clip, or all",
    "person": "who is seen",
    **described(
        "r2", "R² of the change of 51 blendshapes against no change", over="groups of pictures"
    ),
    **described("pcc", "mean correlation over the blendshapes", over="groups of pictures"),
    "change": "mean squared change since the I-frame, summed over blendshapes",
    "frames": "with a face",
    "groups": "groups of pictures",
}


def clip_table(changes: Changes, real: Examples, *, resamples: int) -> pd.DataFrame:
    """Real people, a row a clip and one for all, whose intervals are over clips."""
    rows = []
    for clip in [*dict.fromkeys(real.clips), "all"]:
        own = np.ones(len(real), bool) if clip == "all" else real.files == clip
        groups = real.files[own] if clip == "all" else real.group[own]
        t, s, of = real.shapes[own], changes.shapes[own], {"resamples": resamples}
        rows.append(
            {
                "clip": clip,
                "person": "" if clip == "all" else real.subjects[own][0],
                **columns("r2", scores.explained(t, s, groups, **of)),
                **columns("pcc", scores.correlation(t, s, groups, **of)),
                "change": float(np.square(t).sum(1).mean()),
                "frames": len(t),
                "groups": len(np.unique(real.group[own])),
            }
        )
    return pd.DataFrame(rows)[list(CLIP_COLUMNS)]


HOLD_COLUMNS: Mapping[str, str] = {
    "interval": "seconds from one look to the next",
    "method": "how pictures between looks get their values",
    **described("gain", "1 - squared error / that of holding the last look", over="clips"),
    "n": "frames between looks",
    "clips": "of real people",
}


def hold_table(
    changes: Changes, real: Examples, intervals: Sequence[float], *, resamples: int
) -> pd.DataFrame:
    """Whether the student knows more than the last look; columns `HOLD_COLUMNS`.

    The first look of a group is its I-frame's. From there the student adds the change that it
    sees since the last look; `interpolation` needs the look after, so it comes late by as much.
    """
    rows: list[dict[str, object]] = []
    for interval in intervals:
        held, after, share, between = _looks(real, interval)
        truth = real.shapes[between]
        start = _at(real.shapes, held)[between]
        seen = changes.shapes[between] - _at(changes.shapes, held)[between]
        until = after[between] >= 0
        end = np.where(until[:, None], real.shapes[np.maximum(after[between], 0)], start)
        part = share[between][:, None]
        answers = {
            "student from the last look": start + seen,
            "half of the student's change": start + seen / 2,
            "interpolation": start + np.where(until[:, None], part, 0) * (end - start),
        }
        for method, answer in answers.items():
            gain = scores.explained(
                truth, answer, real.files[between], reference=start, resamples=resamples
            )
            rows.append(
                {
                    "interval": interval,
                    "method": method,
                    **columns("gain", gain),
                    "n": int(between.sum()),
                    "clips": len(np.unique(real.files[between])),
                }
            )
    return pd.DataFrame(rows)[list(HOLD_COLUMNS)]


def _looks(
    real: Examples, interval: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """When one looks.

    Returns:
        Of each row: the last look's row (-1: the I-frame), the next one's (-1: none), where it is
        between them in time (0 to 1), and whether it is between looks at all.
    """
    if interval <= 0:
        raise ConfigError(f"looks every {interval} s")
    count = len(real)
    held, after = np.full(count, -1), np.full(count, -1)
    share, between = np.zeros(count), np.ones(count, bool)
    for group in np.unique(real.group):
        rows = np.flatnonzero(real.group == group)
        seconds = real.seconds[rows]
        due = np.floor(seconds / interval + 1e-6)
        first = np.diff(due, prepend=0.0) > 0  # the first picture at or after each due time
        looks = rows[first]
        between[looks] = False
        place = np.cumsum(first)
        held[rows] = np.concatenate([[-1], looks])[place]
        after[rows] = np.concatenate([looks, [-1]])[place]
        begun = np.concatenate([[0.0], real.seconds[looks]])[place]
        ends = np.concatenate([real.seconds[looks], [np.inf]])[place]
        share[rows] = (seconds - begun) / np.maximum(ends - begun, 1e-9)
    return held, after, share, between


def _at(values: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Rows of changes; -1 is the I-frame, where nothing has changed."""
    found: np.ndarray = np.where((rows >= 0)[:, None], values[np.maximum(rows, 0)], 0)
    return found


def _taught(shapes: np.ndarray) -> np.ndarray:
    """(n, 12) changes of DISFA's units by the blendshapes that name the same movement.

    No blendshape is AU25: lips part as the lower one is drawn down (AU16) or the jaw opens (AU26).
    """
    named = {
        int(unit.removeprefix("AU")): shapes[:, [SHAPES.index(one) for one in names]].mean(1)
        for unit, names in ACTION_UNITS.items()
    }
    named[25] = named[16] + named[26]
    return np.stack([named[int(code)] for code in DISFA], 1)


def disfa(units: np.ndarray) -> np.ndarray:
    """(n, 12) of DISFA's units of the generator's 24."""
    found: np.ndarray = units[:, [CODES.index(code) for code in DISFA]]
    return found
