"""Tests that respect who was seen: people are the units, seeds are no clips.

Clips of one person fail together, and a second seed of the same training is no second person, so
tests that count predictions find differences in noise. Here everything a person contributes is
averaged first. "No loss" is a claim of its own: a difference that is not significant shows none.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

from mic.errors import ConfigError

# Difference of two accuracies that counts as none: a point.
MARGIN = 0.01
# Columns of `PersonTest.record`.
RECORD = ("difference", "difference_low", "difference_high", "p", "p_equivalent")


@dataclasses.dataclass(frozen=True, kw_only=True)
class PersonTest:
    """A paired comparison of two methods over people.

    Attributes:
        difference: Mean over people of the second's accuracy less the first's.
        low: Lower end of its 90 % interval over new people, by a bootstrap of those who were seen:
            where hardly anybody differs it is too narrow, and `p_equivalent` decides.
        high: Upper end.
        p: Two-sided, of the sign-flip permutation test over people.
        p_equivalent: Of the two one-sided tests: small where the difference is within the margin.
        people: Number of people.
    """

    difference: float
    low: float
    high: float
    p: float
    p_equivalent: float
    people: int

    def record(self) -> dict[str, float]:
        """What a table says of the comparison, by the names of `RECORD`."""
        values = (self.difference, self.low, self.high, self.p, self.p_equivalent)
        # A mean of thirds that cancel is nothing, and shall not be printed as 1e-18.
        return {name: round(value, 12) for name, value in zip(RECORD, values, strict=True)}


def compare(
    first: np.ndarray,
    second: np.ndarray,
    people: Sequence[object] | np.ndarray,
    *,
    margin: float = MARGIN,
    resamples: int = 10_000,
    seed: int = 0,
) -> PersonTest:
    """Compares two methods on the same predictions, a person counting once.

    The test of a difference flips the sign of whole people at random (exact for exchangeable
    people). Equivalence is two one-sided t-tests at 5 % each (Schuirmann 1987). Where hardly
    anybody differs, neither the spread of those seen nor a bootstrap of them knows how many more
    may; a mean difference of the margin has at least the spread that it has when made of single
    predictions that changed, and no smaller one is believed.

    Args:
        first: (N,) right or not, or any score; several seeds of a clip are several rows.
        second: (N,) the same rows by the other method.
        people: (N,) who is seen.
        margin: Largest difference that counts as none.
        resamples: Permutations, and bootstrap samples behind the interval.
        seed: Of both.

    Raises:
        ConfigError: The rows are not paired, a score is no number, or fewer than two people are
            seen.
    """
    first, second = np.asarray(first, float), np.asarray(second, float)
    names, numbers = np.unique(np.asarray(people), return_inverse=True)
    if not len(first) == len(second) == len(numbers):
        raise ConfigError(f"{len(first)}, {len(second)} and {len(numbers)} rows are not paired")
    if not np.isfinite(first).all() or not np.isfinite(second).all():
        raise ConfigError("a score is no finite number", remedy="leave its rows out of both")
    if len(names) < 2:
        raise ConfigError("one person is no sample of people", remedy="test more people")
    each = np.bincount(numbers, weights=second - first) / np.bincount(numbers)
    draw = np.random.default_rng(seed)
    signs = draw.choice([-1.0, 1.0], size=(resamples, len(each)))
    value = each.mean()
    extreme = np.abs(signs @ each / len(each)) >= abs(value) - 1e-12
    drawn = each[draw.integers(len(each), size=(resamples, len(each)))].mean(1)
    low, high = np.quantile(drawn, [0.05, 0.95])
    changed = np.abs(second - first)
    step = (changed.max() or 1.0) / (len(first) / len(each))  # of a person, by one prediction
    error = np.sqrt(max(each.var(ddof=1), margin * step) / len(each))
    beyond = stats.t.sf((margin - abs(value)) / error, len(each) - 1)
    return PersonTest(
        difference=float(value),
        low=float(low),
        high=float(high),
        p=float((extreme.sum() + 1) / (resamples + 1)),
        p_equivalent=float(beyond),
        people=len(each),
    )


def holm(p: Sequence[float] | np.ndarray) -> np.ndarray:
    """Holm's step-down adjustment (1979) of a table's p values; NaN stays NaN and is not counted.

    Args:
        p: (m,) unadjusted.

    Returns:
        (m,): below 0.05 keeps the chance of any false finding in the table below 5 %.
    """
    p = np.asarray(p, float)
    adjusted = np.full_like(p, np.nan)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    steps = p[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(steps)) if len(order) else steps
    return adjusted


def with_holm(table: pd.DataFrame) -> pd.DataFrame:
    """A table of comparisons with `p_holm` behind its column `p`, adjusted over all its lines.

    Tables that are joined are adjusted anew: their own adjustment knew of fewer questions.
    """
    found = table.drop(columns="p_holm", errors="ignore")
    found.insert(list(found.columns).index("p") + 1, "p_holm", holm(found["p"].to_numpy()))
    return found
