"""Verification: how well a score of two pictures or clips tells whether they show one person.

AUC is the chance that a pair of one person scores above a pair of two, a tie counting half; EER is
the error rate at the threshold where both kinds of error are equally frequent. A pair depends on
two people, and one person's pairs on each other: intervals draw people. A person who is drawn
twice counts twice in each of its pairs; pictures of one person are one draw, not two.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np

from mic.errors import ConfigError

_AT_ONCE = 1 << 23  # draws times pairs; bounds the memory


@dataclasses.dataclass(frozen=True, kw_only=True)
class RocCurve:
    """Error rates over all thresholds, from strict to lenient, of one or of many draws of people.

    Attributes:
        false_accepts: (..., K) share of the pairs of two people accepted, rising from 0 to 1.
        true_accepts: (..., K) share of the pairs of one person accepted. Both are NaN where a draw
            has no pair of one of the two kinds.
    """

    false_accepts: np.ndarray
    true_accepts: np.ndarray

    @property
    def auc(self) -> np.ndarray:
        """(...) area under the curve; 0.5: no idea."""
        area = np.trapezoid(self.true_accepts, self.false_accepts, axis=-1)
        return np.where(np.isnan(self.false_accepts[..., -1]), np.nan, area)

    @property
    def eer(self) -> np.ndarray:
        """(...) equal error rate, interpolated between thresholds."""
        # The difference rises from -1 to 1; np.interp finds where it crosses zero.
        difference = self.false_accepts + self.true_accepts - 1
        steps = difference.shape[-1]
        pairs = zip(
            difference.reshape(-1, steps), self.false_accepts.reshape(-1, steps), strict=True
        )
        found = np.array([np.interp(0.0, rise, rates) for rise, rates in pairs])
        return found.reshape(difference.shape[:-1])

    def match_at(self, rate: float) -> np.ndarray:
        """(...) largest share of pairs of one person accepted at this rate of false matches.

        A threshold accepts all pairs of one score or none: a score that says nothing matches
        nobody.
        """
        known = ~np.isnan(self.false_accepts[..., -1])
        best = np.where(self.false_accepts <= rate, self.true_accepts, 0).max(-1)
        return np.where(known, best, np.nan)


def curve(scores: np.ndarray, same: np.ndarray) -> RocCurve:
    """The exact curve of pairs, (K,).

    Args:
        scores: (N,) the higher, the more alike.
        same: (N,) bool, whether the pair is of one person.

    Returns:
        NaN unless there are pairs of both kinds.
    """
    same = np.asarray(same, bool)
    first, second = np.zeros(len(same), int), np.where(same, 0, 1)
    (whole,) = over_draws(scores, first, second, np.ones((1, 2), int))
    return RocCurve(false_accepts=whole.false_accepts[0], true_accepts=whole.true_accepts[0])


def over_draws(
    scores: np.ndarray, first: np.ndarray, second: np.ndarray, counts: np.ndarray
) -> Iterator[RocCurve]:
    """The curves of many draws of the people, a block of draws at a time.

    Args:
        scores: (N,) of pairs.
        first: (N,) number of the person in a pair's first sample.
        second: (N,) of that in its second.
        counts: (R, people) of `mic.evaluation.metrics.drawn`.

    Yields:
        Curves of shape (rows, K); together they have R rows, in the order of the draws.

    Raises:
        ConfigError: A score is not a number, or scores and people are not as many.
    """
    # Negated below, which unsigned numbers cannot be.
    scores, first, second = np.asarray(scores, float), np.asarray(first), np.asarray(second)
    if not (scores.ndim == 1 and scores.shape == first.shape == second.shape):
        raise ConfigError(
            f"scores of shape {scores.shape} and people of {first.shape} and {second.shape}",
            remedy="give a score and two people a pair",
        )
    people, numbers = counts.shape[-1], np.concatenate([first, second])
    if ((numbers < 0) | (numbers >= people)).any():
        raise ConfigError(f"people are not numbered from 0 to {people - 1}")
    if np.isnan(scores).any():
        raise ConfigError(
            f"{int(np.isnan(scores).sum())} of {len(scores)} scores are not numbers",
            remedy="leave out what has no features",
        )
    order = np.argsort(-scores, kind="stable")
    one, other = first[order], second[order]
    same = np.flatnonzero(one == other)
    ends = _corners(scores[order], same)
    starts = np.concatenate([[0], ends[:-1] + 1])
    # Corners at which pairs of one person come in, and the first such pair of each.
    places, begins = np.unique(np.searchsorted(ends, same), return_index=True)
    step = max(1, _AT_ONCE // max(1, len(scores)))
    for start in range(0, len(counts), step):
        some = counts[start : start + step].astype(np.int32)
        true, false = np.zeros((2, len(some), len(ends)), np.int64)
        if len(ends):
            weights = some[:, one] * some[:, other]
            weights[:, same] = 0
            false = np.add.reduceat(weights, starts, axis=1)
        if len(places):
            true[:, places] = np.add.reduceat(some[:, one[same]], begins, axis=1)
        yield RocCurve(false_accepts=_shares(false, true), true_accepts=_shares(true, false))


def _corners(ordered: np.ndarray, same: np.ndarray) -> np.ndarray:
    """(K,) places in descending scores at which the curve may bend, and the last.

    Equal scores fall on the same side of every threshold. Between two pairs of one person it is
    straight, whoever is drawn, so that one corner before each of those is enough.
    """
    if not len(ordered):
        return np.zeros(0, int)
    last: np.ndarray = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))
    runs = np.unique(np.searchsorted(last, same))
    kept = np.unique(np.concatenate([runs, runs - 1, [len(last) - 1]]))
    corners: np.ndarray = last[kept[kept >= 0]]
    return corners


def _shares(weights: np.ndarray, others: np.ndarray) -> np.ndarray:
    """(R, K + 1) share accepted at each corner, from none to all; NaN where a kind is missing."""
    none = np.zeros((len(weights), 1))
    accepted = np.concatenate([none, np.cumsum(weights, 1)], 1)
    whole = np.where(others.sum(1) == 0, 0, accepted[:, -1])[:, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        shares: np.ndarray = np.where(whole == 0, np.nan, accepted / whole)
    return shares
