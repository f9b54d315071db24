"""Verification and naming rates of an attacker's pair scores, over draws of the people."""

from __future__ import annotations

import dataclasses

import numpy as np

from mic.evaluation.verification import over_draws
from mic.experiments.privacy.attackers import PairScores

# False-match rates that verification is read at. A test part has some 5,000 pairs of two people.
FALSE_MATCHES = (0.01, 0.1)


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


def rates(found: PairScores, counts: np.ndarray) -> Rates:
    """The rates of one attacker.

    Args:
        found: Its scores.
        counts: (R, people) of `mic.evaluation.metrics.drawn`.

    Returns:
        NaN where a draw has no pair of one of the two kinds.
    """
    people = found.people
    parts = [
        (curves.auc, *(curves.match_at(rate) for rate in FALSE_MATCHES))
        for curves in over_draws(found.scores, people[found.first], people[found.second], counts)
    ]
    auc, *matches = (np.concatenate(column) for column in zip(*parts, strict=True))
    named = found.named()
    known = ~np.isnan(named)
    weights = counts[:, found.people[known]]
    with np.errstate(invalid="ignore"):
        naming = weights @ named[known] / weights.sum(1)
    return Rates(auc=auc, match_at_1=matches[0], match_at_10=matches[1], naming=naming)
