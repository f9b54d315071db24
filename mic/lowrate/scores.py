"""RMSE, CC and CCC over all frames, with intervals over subjects; the hull of operating points.

As in AVEC, a score is computed on all test frames joined together. Frames of one subject are not
independent, so intervals draw whole subjects. Sums of each subject are enough for all three
scores, which makes thousands of draws cheap and differences between methods paired.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

METRICS = ("rmse", "cc", "ccc")


def drawn_scores(
    truth: NDArray[np.float32],
    predicted: NDArray[np.float32],
    subjects: NDArray[np.int64],
    draws: NDArray[np.int64],
) -> NDArray[np.float64]:
    """RMSE, CC and CCC of every draw.

    Args:
        truth: (N,) labels.
        predicted: (N,).
        subjects: (N,) numbers from 0.
        draws: (resamples + 1, subjects) how often each is drawn, the sample as it is first; see
            `mic.evaluation.metrics.drawn`.

    Returns:
        (resamples + 1, 3) in the order of `METRICS`; constant predictions have CC and CCC 0.
    """
    t, p = np.asarray(truth, float), np.asarray(predicted, float)
    rows = np.stack([np.ones_like(t), t, p, t * t, p * p, t * p])
    sums = np.stack([np.bincount(subjects, weights=row) for row in rows], 1)
    n, st, sp, stt, spp, stp = (draws @ sums).T
    mean_t, mean_p = st / n, sp / n
    var_t, var_p = stt / n - mean_t**2, spp / n - mean_p**2
    covariance = stp / n - mean_t * mean_p
    # Rounding may leave a tiny negative variance of a constant.
    var_t, var_p = var_t.clip(0), var_p.clip(0)
    spread = np.sqrt(var_t * var_p)
    cc = np.divide(covariance, spread, out=np.zeros_like(n), where=spread > 1e-12)
    ccc = 2 * covariance / (var_t + var_p + (mean_t - mean_p) ** 2).clip(1e-12)
    ccc = np.where(spread > 1e-12, ccc, 0.0)
    rmse = np.sqrt(((stt - 2 * stp + spp) / n).clip(0))
    return np.stack([rmse, cc, ccc], 1)


def summary(drawn: NDArray[np.float64]) -> dict[str, float]:
    """Each metric with the 2.5 and 97.5 percentiles of its draws: `ccc`, `ccc_low`, `ccc_high`."""
    low, high = np.quantile(drawn[1:], [0.025, 0.975], axis=0)
    found: dict[str, float] = {}
    for k, name in enumerate(METRICS):
        found |= {name: drawn[0, k], f"{name}_low": low[k], f"{name}_high": high[k]}
    return found


def difference(first: NDArray[np.float64], second: NDArray[np.float64]) -> dict[str, float]:
    """Gain in CCC of the second method over the first, on the same draws."""
    gain = second[:, METRICS.index("ccc")] - first[:, METRICS.index("ccc")]
    low, high = np.quantile(gain[1:], [0.025, 0.975])
    return {"gain": gain[0], "gain_low": low, "gain_high": high}


def hull(table: pd.DataFrame, *, rate: str, score: str) -> pd.DataFrame:
    """Operating points on the upper convex hull: what to send at each rate.

    Between two neighbours any mean rate can be had by switching; a point below the line between
    them, or one that costs more and scores less than another, is never worth sending.

    Args:
        table: One operating point a row.
        rate: Column of the rate.
        score: Column of the score.

    Returns:
        The rows on the hull, by rising rate.
    """
    kept: list[int] = []
    ordered = table.sort_values([rate, score], ascending=[True, False])
    for index, x, y in zip(ordered.index, ordered[rate], ordered[score], strict=True):
        if kept and y <= table.loc[kept[-1], score]:
            continue
        while len(kept) >= 2 and _above(table, kept[-2:], (x, y), rate, score):
            kept.pop()
        kept.append(index)
    return table.loc[kept]


def _above(
    table: pd.DataFrame, last: Sequence[int], point: tuple[float, float], rate: str, score: str
) -> bool:
    # Whether the new point lifts the line from the first of the two to itself over the second.
    (x0, y0), (x1, y1) = ((table.loc[k, rate], table.loc[k, score]) for k in last)
    x2, y2 = point
    return (y1 - y0) * (x2 - x0) <= (y2 - y0) * (x1 - x0)
