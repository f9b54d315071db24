"""What an accuracy costs: residuals against decoded pictures, over one ladder of rates.

Two ladders send the same bits. One receiver decodes every picture and looks at what changed since
the first, the other accumulates residuals and decodes nothing, so that it needs no I-VOP: the same
network, grid and training on both. The reference is the receiver with one network of the finest
pictures, whatever arrives ("decode, then HR").
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mic.errors import ConfigError
from mic.evaluation.metrics import drawn
from mic.lowrate.bjontegaard import Drawn, difference_table
from mic.lowrate.residuals import Ladder, dedicated, judged

DEDICATED, FINEST = "dedicated", "finest"
REFERENCE = "pictures, finest"

COLUMNS: Mapping[str, str] = {
    "sender": "what is read of which VOPs, and the model: finest (trained on the finest rung), "
    "dedicated (a model a rung) or max-mix (one trained on all, in as many steps)",
    "factor": "edge lengths are divided by it",
    "quantiser": "vop_quant of MPEG-4",
    "bit_rate": "bits/s, of all VOPs or without the I-VOP",
    "accuracy": "unseen people",
    "accuracy_low": "95 % interval over people",
    "accuracy_high": "95 % interval over people",
    "points": "all of a sender's rungs, or those that no cheaper one equals",
    "difference": "BD-rate: -0.2 is a fifth fewer bits than decoding for the finest network, at "
    "the same accuracy",
    "difference_low": "95 % interval over people; empty where over a twentieth of the draws have "
    "no value",
    "difference_high": "95 % interval over people",
    "defined": "share of the draws of people in which it has a value",
    "reason": "why there is none",
    "n": "clips",
    "subjects": "test people",
}


def tables(
    residuals: Ladder, pictures: Ladder, *, resamples: int, seed: int = 0
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Accuracy of every sender at every rung, and BD-rates on accuracy.

    Args:
        residuals: A ladder of residuals, whose answers are stored or will be made.
        pictures: The same ladder of decoded pictures less the first.
        resamples: Draws of the people.
        seed: Of the draws.

    Returns:
        `sender`, `factor`, `quantiser`, `bit_rate`, `accuracy` with its interval over people, `n`,
        `subjects`; and `mic.lowrate.bjontegaard.difference_table` against `REFERENCE`, with `n`
        and `subjects`.

    Raises:
        ConfigError: Ladders of different clips, rungs or parts.
    """
    if (residuals.manifest.digest(), residuals.rungs, residuals.folds) != (
        pictures.manifest.digest(),
        pictures.rungs,
        pictures.folds,
    ):
        raise ConfigError(
            "two ladders of different clips, rungs or parts have no BD-rate",
            remedy="make both of one manifest",
        )
    people = len(set(residuals.manifest.column("subject")))
    draws = drawn(people, resamples=resamples, seed=seed)
    sizes = {"n": len(residuals.manifest), "subjects": people}
    curves = dict(_curves(residuals, pictures, draws))
    rows = []
    for name, curve in curves.items():
        for place, rung in enumerate(residuals.rungs):
            rates, scores = (np.array([one[k][place] for one in curve]) for k in (0, 1))
            low, high = np.quantile(scores[1:], [0.025, 0.975])
            rows.append(
                {
                    "sender": name,
                    "factor": rung.factor,
                    "quantiser": rung.quantiser,
                    "bit_rate": rates[0],
                    "accuracy": scores[0],
                    "accuracy_low": low,
                    "accuracy_high": high,
                }
            )
    reference = curves.pop(REFERENCE)
    table = difference_table(curves, reference)
    return pd.DataFrame(rows).assign(**sizes), table.assign(**sizes)


def _curves(
    residuals: Ladder, pictures: Ladder, draws: NDArray[np.int64]
) -> Iterator[tuple[str, Drawn]]:
    """Rates and accuracies of every sender, of everybody and of every draw of the people."""
    for ladder, kinds in (
        (pictures, {"pictures": True}),
        (residuals, {"residuals": True, "residuals of P-VOPs": False}),
    ):
        names = [FINEST, DEDICATED, *ladder.mixes]
        accuracies = {name: _accuracies(ladder, name, draws) for name in names}
        for kind, whole in kinds.items():
            rates = _rates(ladder, draws, whole=whole)
            for name in names:
                yield f"{kind}, {name}", list(zip(rates, accuracies[name], strict=True))


def _accuracies(ladder: Ladder, name: str, draws: NDArray[np.int64]) -> NDArray[np.float64]:
    """(1 + R, rungs) of a model."""
    subjects = np.array(ladder.manifest.column("subject"))
    found = []
    for place, rung in enumerate(ladder.rungs):
        model = {DEDICATED: dedicated(rung), FINEST: dedicated(ladder.rungs[0])}.get(name, name)
        rows, right = judged(ladder, model, place)
        found.append(_per_person(right, subjects[rows]))
    clips = _per_person(np.ones(len(subjects)), subjects)
    accuracies: NDArray[np.float64] = (draws @ np.stack(found, 1)) / (draws @ clips)[:, None]
    return accuracies


def _rates(ladder: Ladder, draws: NDArray[np.int64], *, whole: bool) -> NDArray[np.float64]:
    """(1 + R, rungs) bits a second, of all VOPs or without each clip's first."""
    subjects = np.array(ladder.manifest.column("subject"))
    found = []
    for rung in ladder.rungs:
        clips = ladder.delivered(rung)
        left_out = 0.0 if whole else 1.0
        bits = [float(clip["bits"] - left_out * clip["intra_bits"]) for clip in clips]
        seconds = [float(clip["seconds"]) for clip in clips]
        spent, lasted = (draws @ _per_person(values, subjects) for values in (bits, seconds))
        found.append(spent / lasted)
    return np.stack(found, 1)


def _per_person(
    values: Sequence[float] | NDArray[np.float64], subjects: NDArray[np.str_]
) -> NDArray[np.float64]:
    """Sums over the clips of each person, in the order of their names."""
    people = np.unique(subjects, return_inverse=True)[1]
    return np.bincount(people, weights=values).astype(np.float64)
