"""How unlike its training a clip is to a network: the distance of its feature from what it knows.

A network trained on some kind of clips is sure of itself on any other too. Its features are not:
those of another kind lie far from all classes. The distance is Mahalanobis', to the nearest class
of the training clips, with the covariance that all classes share (K. Lee et al., "A simple unified
framework for detecting out-of-distribution samples and adversarial attacks", NeurIPS 2018),
shrunken as there are few clips (O. Ledoit and M. Wolf, 2004).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

# Clips of people not trained on that set the limit; of fewer a twentieth is no clip.
_FEWEST = 20
_SHARE = 0.95


class Novelty(nn.Module):
    """The distance of z_E from the nearest class, in parts of a limit.

    Args:
        classes: Number of classes.
        size: Of z_E.
    """

    means: Tensor
    whitening: Tensor
    limit: Tensor

    def __init__(self, classes: int, size: int) -> None:
        super().__init__()
        self.register_buffer("means", torch.zeros(classes, size))
        self.register_buffer("whitening", torch.eye(size))
        self.register_buffer("limit", torch.ones(()))

    def forward(self, z: Tensor) -> Tensor:
        """(B, size) -> (B,); above 1: farther than 95 % of clips of other people were."""
        away = (z[:, None] - self.means) @ self.whitening
        return away.square().sum(-1).amin(1).sqrt() / self.limit


def fitted(z: np.ndarray, labels: np.ndarray, others: np.ndarray) -> Novelty | None:
    """Learns it from a trained network's features.

    Args:
        z: float (N, size), of the training clips.
        labels: int (N,), their classes, each of which is there.
        others: float (M, size), of clips of people not trained on; they set the limit.

    Returns:
        None if those are too few to tell what is usual.
    """
    from sklearn.covariance import LedoitWolf  # slow, see `mic.evaluation.leakage`

    if len(others) < _FEWEST:
        return None
    means = np.stack([z[labels == label].mean(0) for label in range(labels.max() + 1)])
    found = LedoitWolf(assume_centered=True).fit(z - means[labels])
    made = Novelty(*means.shape)
    made.means.copy_(torch.from_numpy(means))
    made.whitening.copy_(torch.from_numpy(np.linalg.cholesky(found.precision_)))
    with torch.no_grad():
        made.limit.copy_(torch.quantile(made(torch.from_numpy(others).float()), _SHARE))
    return made
