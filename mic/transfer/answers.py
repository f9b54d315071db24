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
    "always_f1": "F1 of whoever always says that the unit acts",
    "acting": "share of frames in which the unit has risen so far",
    "n": "frames",
    "people": "unseen generated people",
}


def thresholds(changes: Changes, learned: Examples) -> np.ndarray:
    """(12,) the student's change from which on a unit is said to act.

    A student's changes are smaller than true ones, the less it knows the more, so `ACTING` itself
    would seldom be reached. Chosen to give the best F1 on the people it learned from.
    """
    truth, said = disfa(learned.units) >= ACTING, disfa(changes.units)
    found = []
    for place in range(len(DISFA)):
        tried = np.quantile(said[:, place], np.linspace(0, 0.995, 200))
        hits = said[:, place, None] >= tried
        both = (hits & truth[:, place, None]).sum(0)
        wrong = (hits ^ truth[:, place, None]).sum(0)
        found.append(tried[int(np.argmax(2 * both / np.maximum(2 * both + wrong, 1)))])
    return np.array(found)


def unit_table(
    changes: Changes, made: Examples, limits: np.ndarray, *, resamples: int
) -> pd.DataFrame:
    """Twelve action units of unseen generated people.

    Args:
        changes: What a student says of them.
        made: Who is asked.
        limits: (12,) of `thresholds`.
        resamples: Bootstrap samples.

    Returns:
        A row a unit and one for their mean; columns `UNIT_COLUMNS`.
    """
    truth, said = disfa(made.units), disfa(changes.units)
    taught = _taught(made.shapes)
    groups, of = made.subjects, {"resamples": resamples}
    rows = []
    for name in (*DISFA, "mean"):
        one = [*range(len(DISFA))] if name == "mean" else [DISFA.index(name)]
        t, s = truth[:, one], said[:, one]
        acts = t >= ACTING
        rows.append(
            {
                "unit": name,
                **columns("f1", scores.f1(acts, s >= limits[one], groups, **of)),
                **columns("pcc", scores.correlation(t, s, groups, **of)),
                "teacher_pcc": scores.correlation(t, taught[:, one], groups, resamples=1).value,
                "always_f1": float((2 * acts.mean(0) / (1 + acts.mean(0))).mean()),
                "acting": float(acts.mean()),
                "n": len(t),
                "people": len(np.unique(groups)),
            }
        )
    return pd.DataFrame(rows)[list(UNIT_COLUMNS)]


_DRAWN = "groups of pictures, of the row all over clips"
CLIP_COLUMNS: Mapping[str, str] = {
    "clip": "pinned clip, or all",
    "person": "who is seen",
    **described("r2", "R² of the change of 51 blendshapes against no change", over=_DRAWN),
    **described("pcc", "mean correlation over the blendshapes", over=_DRAWN),
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


CODING_COLUMNS: Mapping[str, str] = {
    "coding": "how the real clips were coded",
    **described("r2", "R² of the change since the I-frame against no change", over="clips"),
    **described(
        "difference",
        "what the student adds to interpolation between looks 0.8 s apart, of gain over holding",
        over="clips",
    ),
    "frames": "with a face",
    "groups": "groups of pictures",
    "clips": "of real people",
}


def coding_table(said: Mapping[str, tuple[Changes, Examples]], *, resamples: int) -> pd.DataFrame:
    """The same real clips coded in several ways; columns `CODING_COLUMNS`.

    Args:
        said: By coding, what a student says of the clips, and the clips.
        resamples: Bootstrap samples.
    """
    rows = []
    for coding, (changes, real) in said.items():
        held = hold_table(changes, real, [0.8], resamples=resamples).set_index("method")
        both = held.loc["interpolation and student"]
        r2 = scores.explained(real.shapes, changes.shapes, real.files, resamples=resamples)
        rows.append(
            {
                "coding": coding,
                **columns("r2", r2),
                **both[["difference", "difference_low", "difference_high"]].to_dict(),
                "frames": len(real),
                "groups": len(real.clips),
                "clips": len(set(real.clips)),
            }
        )
    return pd.DataFrame(rows)[list(CODING_COLUMNS)]


HOLD_COLUMNS: Mapping[str, str] = {
    "interval": "seconds from one look to the next",
    "method": "how pictures between two looks get their values",
    **described("gain", "1 - squared error / that of holding the last look", over="clips"),
    **described("difference", "gain less that of interpolation", over="clips"),
    "n": "frames between two looks",
    "clips": "of real people",
}


def hold_table(
    changes: Changes, real: Examples, intervals: Sequence[float], *, resamples: int
) -> pd.DataFrame:
    """Whether the student knows more than looks do; columns `HOLD_COLUMNS`.

    The first look of a group is its I-frame's; frames after its last look are left out. From a
    look on the student adds the change that it has seen since. Interpolation knows the look that
    follows; "interpolation and student" adds to it how far the change that the student sees
    departs from a straight line between both looks.

    Args:
        changes: What a student says.
        real: Of real people.
        intervals: Seconds between looks.
        resamples: Bootstrap samples.

    Raises:
        ConfigError: An interval is not positive, or no group of pictures is as long.
    """
    rows: list[dict[str, object]] = []
    for interval in intervals:
        held, after, share = _looks(real, interval)
        between = after >= 0
        if not between.any():
            raise ConfigError(f"no frame lies between two looks that are {interval} s apart")
        files, part = real.files[between], share[between][:, None]
        truth = real.shapes[between]
        start, end = (_at(real.shapes, looks[between]) for looks in (held, after))
        began, ended = (_at(changes.shapes, looks[between]) for looks in (held, after))
        seen = changes.shapes[between] - began
        line = start + part * (end - start)
        methods = {
            "student from the last look": start + seen,
            "half of the student's change": start + seen / 2,
            "interpolation": line,
            "interpolation and student": line + seen - part * (ended - began),
        }
        for method, answer in methods.items():
            gain = scores.explained(truth, answer, files, reference=start, resamples=resamples)
            apart = scores.gained(truth, line, answer, files, reference=start, resamples=resamples)
            rows.append(
                {
                    "interval": interval,
                    "method": method,
                    **columns("gain", gain),
                    **columns("difference", apart),
                    "n": int(between.sum()),
                    "clips": len(np.unique(files)),
                }
            )
    return pd.DataFrame(rows)[list(HOLD_COLUMNS)]


def _looks(real: Examples, interval: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """When one looks.

    Returns:
        Of each row: the row of the last look before it (-1: the I-frame), that of the next one
        (-1: there is none, or the row is a look itself), and where it is between them in time, 0
        to 1.
    """
    if interval <= 0:
        raise ConfigError(f"looks every {interval} s")
    count = len(real)
    held, after, share = np.full(count, -1), np.full(count, -1), np.zeros(count)
    for group in np.unique(real.group):
        rows = np.flatnonzero(real.group == group)
        seconds = real.seconds[rows]
        due = np.floor(seconds / interval + 1e-6)
        first = np.diff(due, prepend=0.0) > 0  # the first picture at or after each due time
        looks, place = rows[first], np.cumsum(first)
        held[rows] = np.concatenate([[-1], looks])[place]
        after[rows] = np.where(first, -1, np.concatenate([looks, [-1]])[place])
        begun = np.concatenate([[0.0], real.seconds[looks]])[place]
        ends = np.concatenate([real.seconds[looks], [np.inf]])[place]
        share[rows] = (seconds - begun) / np.maximum(ends - begun, 1e-9)
    return held, after, share


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
