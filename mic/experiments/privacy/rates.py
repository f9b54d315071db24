"""Verification and naming rates of pair scores, for the people who were seen and for other draws.

A pair depends on two people, and one person's pairs on each other: intervals draw people. A person
who is drawn twice counts twice in each of its pairs; clips of one person are one draw, not two.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from mic.experiments.privacy.attackers import PairScores

# False-match rates that verification is read at. A test part has some 5,000 pairs of two people.
FALSE_MATCHES = (0.01, 0.1)
_AT_ONCE = 200  # draws; bounds the memory


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rates:
    """What an attacker reaches, one value a draw of the people.

    Attributes:
        auc: (R,) chance that a pair of one person scores above a pair of two; 0.5: no idea.
        match_at_1: (R,) share of pairs of one person accepted where 1 % of the others are.
        match_at_10: (R,) the same at 10 %.
        naming: (R,) share of clips whose best-scored other clip is of the same person.
    """

    auc: np.ndarray
    match_at_1: np.ndarray
    match_at_10: np.ndarray
    naming: np.ndarray


def drawn(people: int, *, resamples: int, seed: int) -> np.ndarray:
    """How often each person is drawn.

    Args:
        people: How many there are, and are drawn each time.
        resamples: Draws R.
        seed: Methods that are compared draw by draw share it.

    Returns:
        (1 + R, people) counts; the first row is everybody once.
    """
    draw = np.random.default_rng(seed)
    counts = [np.ones(people, int)]
    counts += [
        np.bincount(draw.integers(people, size=people), minlength=people) for _ in range(resamples)
    ]
    return np.stack(counts)


def rates(found: PairScores, counts: np.ndarray) -> Rates:
    """The rates of one attacker.

    Args:
        found: Its scores.
        counts: (R, people) of `drawn`.

    Returns:
        NaN where a draw has no pair of one of the two kinds.
    """
    # Of equal scores those of two people go first: a score that says nothing matches nobody.
    order = np.lexsort((found.same, -found.scores))
    one, other = found.people[found.first[order]], found.people[found.second[order]]
    same = one == other
    parts = []
    for start in range(0, len(counts), _AT_ONCE):
        some = counts[start : start + _AT_ONCE]
        true = np.where(same, some[:, one], 0)
        false = np.where(same, 0, some[:, one] * some[:, other])
        parts.append(_curve(true, false, found.scores[order]))
    auc, *matches = (np.concatenate(column) for column in zip(*parts, strict=True))
    named = found.named()
    known = ~np.isnan(named)
    weights = counts[:, found.people[known]]
    with np.errstate(invalid="ignore"):
        naming = weights @ named[known] / weights.sum(1)
    return Rates(auc=auc, match_at_1=matches[0], match_at_10=matches[1], naming=naming)


def _curve(true: np.ndarray, false: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, ...]:
    """AUC, and the match rate at each of `FALSE_MATCHES`, of weights in descending order."""
    accepted, mistaken = np.cumsum(true, 1), np.cumsum(false, 1)
    most, others = accepted[:, -1:], mistaken[:, -1:]
    # Equal scores fall on the same side of every threshold: half of such pairs count.
    last = np.searchsorted(-scores, -scores, side="right") - 1
    first = np.searchsorted(-scores, -scores, side="left")
    above = mistaken[:, last] + mistaken[:, first] - false[:, first]
    with np.errstate(invalid="ignore", divide="ignore"):
        auc = 1 - (true * above).sum(1) / 2 / (most * others)[:, 0]
        matches = [
            np.where(mistaken <= rate * others, accepted, 0).max(1) / most[:, 0]
            for rate in FALSE_MATCHES
        ]
        nothing = (most * others)[:, 0] == 0
    return tuple(np.where(nothing, np.nan, column) for column in (auc, *matches))
