"""The claims of Cheng et al. 2017, each tested on the same draws of people.

The copy of the paper that this repository was made from has its numbers stripped, so claims are
held against the direction that its text states, not against its values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mic.evaluation import inference
from mic.lowrate import methods
from mic.lowrate.scores import METRICS
from mic.lowrate.study import METHODS, ONE_FOR_ALL, Study
from mic.lowrate.transmission import Channel

_CCC = METRICS.index("ccc")


@dataclass(frozen=True)
class Claim:
    """One claim as a difference in CCC that the paper says is positive.

    Attributes:
        number: Of the claim in the paper's order; one may have several parts, all needed.
        text: What is said.
        gain: (resamples + 1,) the difference, the sample as it is first.
    """

    number: int
    text: str
    gain: NDArray[np.float64]


def claim_table(
    study: Study, coded: Sequence[Channel] = (), *, separate: bool = True
) -> pd.DataFrame:
    """Every claim with its difference in CCC, interval, adjusted p and verdict.

    Args:
        study: Whose predictions are in the cache, or will be made.
        coded: Channels of the rate-distortion claims; none leaves those out.
        separate: Whether joint-S is also held against restoring first, the dearest to predict.

    Returns:
        `number`, `claim`, `gain` with interval, `p` (two-sided, from the draws of people),
        `p_holm` (adjusted over the table), `verdict`, `n`, `subjects`. A claim is "reproduced"
        where p_holm is below 0.05 in its direction, "not reproduced" where it is in the other,
        else "undecided".
    """
    claims = [*_uncoded(study, separate), *_coded(study, coded)]
    p = np.array([_two_sided(one.gain[1:]) for one in claims])
    adjusted = inference.holm(p)
    rows = []
    for one, raw, holm in zip(claims, p, adjusted, strict=True):
        low, high = np.quantile(one.gain[1:], [0.025, 0.975])
        rows.append(
            {
                "number": one.number,
                "claim": one.text,
                "gain": one.gain[0],
                "gain_low": low,
                "gain_high": high,
                "p": raw,
                "p_holm": holm,
                "verdict": verdict(one.gain[0], holm),
            }
        )
    return pd.DataFrame(rows).assign(**study.sizes())


def verdict(gain: float, holm: float) -> str:
    """What a difference that the paper says is positive, and its adjusted p, say of it."""
    if holm >= 0.05:
        return "undecided"
    return "reproduced" if gain > 0 else "not reproduced"


def _uncoded(study: Study, separate: bool) -> list[Claim]:
    def mean(name: str, factors: Sequence[int]) -> NDArray[np.float64]:
        scores = [
            study.drawn(study.methods(factor)[name], Channel(factor=factor))[:, _CCC]
            for factor in factors
        ]
        return np.mean(scores, axis=0)

    every = study.factors
    small = tuple(factor for factor in every if factor <= max(study.mix))
    sharp = study.drawn(methods.high_resolution(study.recipe), Channel())[:, _CCC]
    alone = mean("LR-S", every)
    joint, ours = mean("joint-S", every), mean(ONE_FOR_ALL, every)
    found = [
        Claim(1, "small faces cost recognition: HR on sharp ones above LR-S", sharp - alone),
        Claim(2, "joint training helps: joint-S above LR-S", joint - alone),
        Claim(3, "one model for all: joint-OA above joint-S", ours - joint),
        Claim(
            4,
            f"joint-OA, to factor {max(small)}, above HR on sharp faces",
            mean(ONE_FOR_ALL, small) - sharp,
        ),
    ]
    if separate:
        restored = mean("non-joint-S", every)
        text = "joint training helps: joint-S above non-joint-S"
        found.insert(2, Claim(2, text, joint - restored))
    return found


def _coded(study: Study, channels: Sequence[Channel]) -> list[Claim]:
    if not channels:
        return []

    def mean(name: str) -> NDArray[np.float64]:
        scores = [study.drawn(study.methods(c.factor)[name], c)[:, _CCC] for c in channels]
        return np.mean(scores, axis=0)

    ours = mean(ONE_FOR_ALL)
    return [
        Claim(5, f"coded faces: joint-OA above {name}, mean over rates", ours - mean(name))
        for name in METHODS
        if name != ONE_FOR_ALL
    ]


def _two_sided(drawn: NDArray[np.float64]) -> float:
    count = len(drawn)
    tail = min((drawn <= 0).sum(), (drawn >= 0).sum())
    return float(min(1.0, 2 * (tail + 1) / (count + 1)))
