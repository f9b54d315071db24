"""How well changes are predicted: R² against what costs nothing, correlation, F1, with intervals.

All are ratios of sums over frames, so a bootstrap over people or clips (whole ones are drawn)
needs each one's sums only.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from mic.errors import ConfigError
from mic.evaluation.metrics import Interval

RESAMPLES = 2000
_CONSTANT = 1e-9  # sums of squares about the mean below this are rounding


@dataclasses.dataclass(frozen=True)
class Sums:
    """Sums over the frames of each group (a person, or a clip).

    Attributes:
        values: float64 (groups, ...).
        n: Frames in all.
    """

    values: np.ndarray
    n: int

    @classmethod
    def of(cls, rows: np.ndarray, groups: np.ndarray) -> Sums:
        """Adds up rows (n, ...) of the same group.

        Raises:
            ConfigError: No rows, or not as many names.
        """
        if not len(rows) or len(rows) != len(groups):
            raise ConfigError(f"{len(rows)} rows of {len(groups)} names cannot be scored")
        names, place = np.unique(groups, return_inverse=True)
        values = np.zeros((len(names), *rows.shape[1:]))
        np.add.at(values, place, rows.astype(np.float64))
        return cls(values, len(rows))

    def interval(
        self,
        statistic: Callable[[np.ndarray], np.ndarray],
        *,
        resamples: int = RESAMPLES,
        seed: int = 0,
    ) -> Interval:
        """A statistic of the sums with its 95 % percentile bootstrap interval over groups.

        Args:
            statistic: Maps sums (m, ...) of m resamples to (m,) values.
            resamples: Bootstrap samples.
            seed: Of the draws.
        """
        count = len(self.values)
        chosen = np.random.default_rng(seed).multinomial(
            count, np.full(count, 1 / count), size=resamples
        )
        drawn = statistic(np.tensordot(chosen.astype(float), self.values, 1))
        low = high = np.nan
        if np.isfinite(drawn).any():  # a statistic that is undefined for all has no interval
            low, high = np.nanquantile(drawn, [0.025, 0.975])
        value = statistic(self.values.sum(0)[None])[0]
        return Interval(float(value), float(low), float(high), self.n)


def explained(
    truth: np.ndarray,
    predicted: np.ndarray,
    groups: np.ndarray,
    *,
    reference: np.ndarray | float = 0.0,
    resamples: int = RESAMPLES,
) -> Interval:
    """R² pooled over targets: 1 - squared error / squared error of a reference.

    Args:
        truth: (n, k) changes.
        predicted: The same.
        groups: (n,) whom whole ones are drawn of.
        reference: What costs nothing: 0 for "no change", or (n, k).
        resamples: Bootstrap samples.
    """
    mine = np.square(truth - predicted, dtype=np.float64).sum(1)
    theirs = np.square(truth - reference, dtype=np.float64).sum(1)

    def ratio(sums: np.ndarray) -> np.ndarray:
        values: np.ndarray = 1 - sums[:, 0] / np.maximum(sums[:, 1], 1e-12)
        return values

    return Sums.of(np.stack([mine, theirs], 1), groups).interval(ratio, resamples=resamples)


def gained(
    truth: np.ndarray,
    before: np.ndarray,
    after: np.ndarray,
    groups: np.ndarray,
    *,
    reference: np.ndarray | float = 0.0,
    resamples: int = RESAMPLES,
) -> Interval:
    """R² of `after` less that of `before`, on the same draws.

    Args:
        truth: (n, k) changes.
        before: One answer.
        after: Another.
        groups: (n,) whom whole ones are drawn of.
        reference: As in `explained`, of both.
        resamples: Bootstrap samples.
    """
    errors = [np.square(truth - one, dtype=np.float64).sum(1) for one in (before, after)]
    whole = np.square(truth - reference, dtype=np.float64).sum(1)

    def difference(sums: np.ndarray) -> np.ndarray:
        values: np.ndarray = (sums[:, 0] - sums[:, 1]) / np.maximum(sums[:, 2], 1e-12)
        return values

    sums = Sums.of(np.stack([*errors, whole], 1), groups)
    return sums.interval(difference, resamples=resamples)


def correlation(
    truth: np.ndarray, predicted: np.ndarray, groups: np.ndarray, *, resamples: int = RESAMPLES
) -> Interval:
    """Pearson's correlation over frames, the mean over the targets that vary.

    A constant prediction of a target that varies counts as 0.

    Args:
        truth: (n, k).
        predicted: The same.
        groups: (n,).
        resamples: Bootstrap samples.
    """
    truth, predicted = truth.astype(np.float64), predicted.astype(np.float64)
    ones = np.ones_like(truth)
    rows = np.stack(
        [ones, truth, predicted, truth**2, predicted**2, truth * predicted], 1
    )  # (n, 6, k)

    def mean(sums: np.ndarray) -> np.ndarray:
        count, t, p, tt, pp, tp = np.moveaxis(sums, 1, 0)
        with np.errstate(invalid="ignore", divide="ignore"):
            varies = tt - t**2 / count > _CONSTANT
            spread = np.sqrt(np.maximum((tt - t**2 / count) * (pp - p**2 / count), 0))
            found = np.where(varies & (spread > _CONSTANT), (tp - t * p / count) / spread, 0)
            values: np.ndarray = found.sum(1) / varies.sum(1)
        return values

    return Sums.of(rows, groups).interval(mean, resamples=resamples)


def f1(
    truth: np.ndarray, predicted: np.ndarray, groups: np.ndarray, *, resamples: int = RESAMPLES
) -> Interval:
    """F1, the mean over targets; 0 for one where nothing is true and nothing is said.

    Args:
        truth: (n, k) bool.
        predicted: The same.
        groups: (n,) whom whole ones are drawn of.
        resamples: Bootstrap samples.
    """
    truth, predicted = np.asarray(truth, bool), np.asarray(predicted, bool)
    rows = np.stack([truth & predicted, truth ^ predicted], 1)

    def ratio(sums: np.ndarray) -> np.ndarray:
        twice = 2 * sums[:, 0]
        values: np.ndarray = (twice / np.maximum(twice + sums[:, 1], 1e-12)).mean(1)
        return values

    return Sums.of(rows, groups).interval(ratio, resamples=resamples)


def columns(name: str, found: Interval) -> dict[str, float]:
    """An interval as the columns of a table."""
    return {name: found.value, f"{name}_low": found.low, f"{name}_high": found.high}


def described(name: str, text: str, *, over: str) -> dict[str, str]:
    """What these columns mean; `over` says whom whole ones are drawn of."""
    ends = dict.fromkeys((f"{name}_low", f"{name}_high"), f"95 % bootstrap interval over {over}")
    return {name: text, **ends}
