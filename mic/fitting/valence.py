"""Valence read from z_E: a linear layer on top of a network that was trained for expressions.

The features are left as they are, so that ratings, of which there are often few, cannot spoil
what was learned from labels. How well that works is measured on people not trained on.
"""

from __future__ import annotations

import math

import numpy as np
import torch

from mic.evaluation import metrics

# Fewer ratings say nothing about a hundred features; fewer test clips nothing about the result.
_FEWEST, _FEWEST_TESTED = 8, 3
_RIDGES = 10.0 ** np.arange(-3, 6)


def fitted(z: np.ndarray, ratings: np.ndarray) -> torch.nn.Linear | None:
    """The layer, by ridge regression whose strength is chosen by leaving one clip out.

    Args:
        z: float (N, d), z_E of training clips.
        ratings: float (N,) in -1..1; NaN where a clip is not rated.

    Returns:
        d -> 1; None if there are too few ratings, or all are alike.
    """
    from sklearn.linear_model import RidgeCV  # slow, see `mic.evaluation.leakage`

    rated = np.isfinite(ratings)
    if rated.sum() < _FEWEST or np.ptp(ratings[rated]) == 0:
        return None
    ridge = RidgeCV(alphas=_RIDGES).fit(z[rated], ratings[rated])
    layer = torch.nn.Linear(z.shape[1], 1)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(ridge.coef_[None]))
        layer.bias.fill_(float(ridge.intercept_))
    return layer


@torch.no_grad()
def concordance(layer: torch.nn.Linear | None, z: np.ndarray, ratings: np.ndarray) -> float:
    """Lin's concordance of given and predicted valence of other clips; NaN if not measurable."""
    rated = np.isfinite(ratings)
    if layer is None or rated.sum() < _FEWEST_TESTED:
        return math.nan
    predicted = layer(torch.from_numpy(z[rated]).float())[:, 0].clamp(-1, 1).numpy()
    return metrics.concordance(ratings[rated], predicted)
