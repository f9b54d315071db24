"""Mutual information from distances to nearest neighbours (Kraskov, Stögbauer, Grassberger 2004).

Nothing is trained and no form is assumed, so that dependence without any correlation is seen. The
price is dimension: neighbours of a few hundred rows are far away in more than a handful of
dimensions, and strong dependence is then read too low.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mic.errors import ConfigError
from mic.mi.copula import rank_gaussian

_ROWS = 512  # whose distances to all others are held at once


def neighbour_information(x: Tensor, y: Tensor, *, neighbours: int = 3, seed: int = 0) -> float:
    """The first estimator of Kraskov et al., on coordinates made normal by their ranks.

    Args:
        x: (N, p).
        y: (N, q).
        neighbours: k; fewer are less biased and vary more.
        seed: Of the draws that break ties.

    Returns:
        Nats; about zero, and so below it half of the time, at independence.

    Raises:
        ConfigError: Not more rows than neighbours.
    """
    count = len(x)
    if count <= neighbours:
        raise ConfigError(
            f"{count} samples have no {neighbours} neighbours each",
            remedy="take more samples or fewer neighbours",
        )
    # Ranks change no mutual information, and heavy tails would put all rows into one heap.
    x, y = rank_gaussian(x, seed=2 * seed), rank_gaussian(y, seed=2 * seed + 1)
    total = torch.zeros((), dtype=torch.float64)
    for start in range(0, count, _ROWS):
        some = slice(start, start + _ROWS)
        far_x = torch.cdist(x[some], x, p=float("inf"))
        far_y = torch.cdist(y[some], y, p=float("inf"))
        # A row is its own nearest neighbour, hence one more, and one less in the counts.
        radius = torch.maximum(far_x, far_y).kthvalue(neighbours + 1, dim=1).values[:, None]
        for far in (far_x, far_y):
            within = (far < radius).sum(1) - 1
            total += torch.digamma((within + 1).double()).sum()
    known = torch.digamma(torch.tensor([neighbours, count], dtype=torch.float64)).sum()
    return float(known - total / count)
