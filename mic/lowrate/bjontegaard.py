"""Bjøntegaard's rate difference, on recognition scores in place of PSNR, by draws of people.

How many bits one sender needs for the score that another reaches: the mean difference of the two
logarithmic rates over the scores that both reach (G. Bjøntegaard, VCEG-M33, 2001), between
monotone piecewise cubics (PCHIP), as ITU-T's HSTP-VID-WPOM recommends, because a polynomial
through four points may swing. Where it has no meaning, it is not defined, and the reason is said:
a curve whose score falls while its rate rises, and curves that have no score in common.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import PchipInterpolator

from mic.errors import ConfigError
from mic.lowrate.methods import Cell
from mic.lowrate.scores import METRICS
from mic.lowrate.study import Study
from mic.lowrate.transmission import Channel

# Rates and scores, (K,) each, of everybody and of every sample of people.
Drawn = Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]]
_ENOUGH = 0.95  # share of the samples of people in which a difference must be defined


@dataclass(frozen=True)
class Curve:
    """Operating points of one sender.

    Attributes:
        rate: (K,) bits, in any unit, positive.
        score: (K,) the higher the better.
    """

    rate: NDArray[np.float64]
    score: NDArray[np.float64]

    @classmethod
    def of(cls, rate: ArrayLike, score: ArrayLike, *, worthwhile: bool = False) -> Curve:
        """Sorts points by rate.

        Args:
            rate: (K,).
            score: (K,).
            worthwhile: Drop points that cost more than another and score no higher: those are
                never sent, and what is left always rises.

        Raises:
            ConfigError: A rate that is not positive, or shapes that differ.
        """
        x, y = np.asarray(rate, float), np.asarray(score, float)
        if x.shape != y.shape or x.ndim != 1 or not (x > 0).all():
            raise ConfigError(f"rates {x.shape} and scores {y.shape} are no curve of points")
        order = np.lexsort((-y, x))
        x, y = x[order], y[order]
        if worthwhile:
            before = np.concatenate([[-np.inf], np.maximum.accumulate(y)[:-1]])
            x, y = x[y > before], y[y > before]
        return cls(x, y)


def rate_difference(curve: Curve, reference: Curve) -> tuple[float, str]:
    """Relative difference in rate at equal score.

    Args:
        curve: The sender that is judged.
        reference: What it is compared with.

    Returns:
        -0.2 for a fifth fewer bits than the reference, and an empty text; or NaN and why.
    """
    for name, one in (("", curve), ("reference: ", reference)):
        if len(one.score) < 2:
            return float("nan"), f"{name}one point only"
        if not (np.diff(one.score) > 0).all() or not (np.diff(one.rate) > 0).all():
            return float("nan"), f"{name}not monotone"
    low = max(curve.score[0], reference.score[0])
    high = min(curve.score[-1], reference.score[-1])
    if high <= low:
        return float("nan"), "no score in common"
    first, second = (
        float(PchipInterpolator(one.score, np.log(one.rate)).integrate(low, high))
        for one in (curve, reference)
    )
    return float(np.expm1((first - second) / (high - low))), ""


def rate_table(
    study: Study,
    curves: Mapping[str, Sequence[tuple[Cell, Channel]]],
    reference: Sequence[tuple[Cell, Channel]],
) -> pd.DataFrame:
    """BD-rate on CCC of several senders against one, with intervals over test subjects.

    Args:
        study: Whose predictions are in the cache.
        curves: For each name, cells with the coded channels they are tested on.
        reference: The sender compared with.

    Returns:
        Of `difference_table`, with `n` and `subjects`.
    """
    measured = {name: _drawn_points(study, points) for name, points in curves.items()}
    table = difference_table(measured, _drawn_points(study, reference))
    return table.assign(**study.sizes())


def difference_table(curves: Mapping[str, Drawn], reference: Drawn) -> pd.DataFrame:
    """BD-rate of several senders against one, with intervals over samples of people.

    Rates and scores of each sample are those of the drawn people. Each sender is judged twice: by
    all its points, and by those worth sending in that sample.

    Args:
        curves: For each name, rates and scores of everybody, then of every sample.
        reference: The same of the sender compared with, over the same samples.

    Returns:
        `sender`, `points` (all or worthwhile), `difference` with interval (NaN where undefined;
        no interval where more than a twentieth of the samples leave it undefined), `defined`
        (share of samples), `reason`.
    """
    rows = []
    for name, measured in curves.items():
        for worthwhile in (False, True):
            found = [
                rate_difference(
                    Curve.of(*one, worthwhile=worthwhile), Curve.of(*other, worthwhile=worthwhile)
                )
                for one, other in zip(measured, reference, strict=True)
            ]
            drawn = np.array([value for value, _ in found[1:]])
            defined = float(np.isfinite(drawn).mean())
            low = high = np.nan
            if np.isfinite(found[0][0]) and defined >= _ENOUGH:
                low, high = np.nanquantile(drawn, [0.025, 0.975])
            rows.append(
                {
                    "sender": name,
                    "points": "worthwhile" if worthwhile else "all",
                    "difference": found[0][0],
                    "difference_low": low,
                    "difference_high": high,
                    "defined": defined,
                    "reason": found[0][1],
                }
            )
    return pd.DataFrame(rows)


def _drawn_points(study: Study, points: Sequence[tuple[Cell, Channel]]) -> Drawn:
    """Rates and CCCs, (K,) each, of every sample of subjects."""
    rates, scores = [], []
    for cell, channel in points:
        view = study.test.received(channel)
        per_subject = study.test.sequence_subjects
        bits, pixels = (
            np.bincount(per_subject, weights=values) for values in (view.bits, view.pixels)
        )
        rates.append((study.draws @ bits) / (study.draws @ pixels))
        scores.append(study.drawn(cell, channel)[:, METRICS.index("ccc")])
    return list(zip(np.stack(rates, 1), np.stack(scores, 1), strict=True))
