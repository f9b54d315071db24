"""The interface that all dependence estimators share."""

from __future__ import annotations

import abc

import torch
from torch import Tensor, nn


class Estimator(nn.Module, abc.ABC):
    """Measures, and lets an encoder minimise, the dependence between two feature vectors.

    A game calls `update` k times on detached features, then adds `penalty` to the encoder's loss.
    Estimators without a critic do nothing in `update`.

    Attributes:
        optimizer: The critic's own optimiser, None where there is no critic.
        generator: Of the critic's random pairs, None where it draws none.
    """

    optimizer: torch.optim.Optimizer | None = None
    generator: torch.Generator | None = None

    def update(self, x: Tensor, y: Tensor) -> float:
        """Trains the critic one step on detached features and returns its objective.

        Args:
            x: (B, x_size), used without gradient.
            y: (B, y_size), used without gradient.

        Returns:
            The value of the bound before the step, NaN where there is no critic.
        """
        del x, y
        return float("nan")

    @abc.abstractmethod
    def penalty(self, x: Tensor, y: Tensor) -> Tensor:
        """The quantity the encoder descends: a scalar, differentiable in x and y.

        Args:
            x: (B, x_size).
            y: (B, y_size).
        """

    @torch.no_grad()
    def estimate(self, x: Tensor, y: Tensor) -> float:
        """The dependence of a sample.

        Args:
            x: (N, x_size), samples the critic has not been trained on.
            y: (N, y_size).

        Returns:
            Of critics and the copula the mutual information in nats. Of kernels and adversaries an
            index from about 0 to 1, which is unbiased and so slightly negative where there is no
            dependence.

        Raises:
            ConfigError: There are too few samples for this estimator.
        """
        training = self.training
        self.eval()
        try:
            return self._dependence(x, y)
        finally:
            self.train(training)

    def _dependence(self, x: Tensor, y: Tensor) -> float:
        """What `estimate` returns; called in evaluation mode and without gradient."""
        return float(self.penalty(x, y))


class Standardiser(nn.Module):
    """Zero mean and unit variance per feature, from the batch in training, tracked for evaluation.

    Without it an encoder lowers a critic's bound by shrinking its features, which removes no
    information; mutual information itself does not change under this map.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(size, affine=False)

    def forward(self, features: Tensor) -> Tensor:
        """(B, size) -> (B, size)."""
        return self.norm(features)
