"""The paper's "-MI+Adv" rows: adversarial disentanglement in place of mutual information.

The papers leave open which adversary; both usual ones are here, behind the interface of `mic.mi`.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mic.mi.base import Estimator, Standardiser
from mic.mi.bounds import Smile


class _Reverse(torch.autograd.Function):
    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, features: Tensor) -> Tensor:
        return features.view_as(features)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, gradient: Tensor) -> Tensor:
        return -gradient


class GradientReversal(Estimator):
    """A network predicts z_I from z_E; its gradient reaches the encoder with the sign reversed.

    Its weights belong to the main optimiser, as one backward pass trains both players.

    Args:
        x_size: Width of z_E.
        y_size: Width of z_I.
        hidden: Width of the predictor's hidden layer.
        seed: Of the weights.
    """

    def __init__(self, x_size: int, y_size: int, *, hidden: int = 256, seed: int = 0) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.network = nn.Sequential(
                nn.Linear(x_size, hidden), nn.ReLU(), nn.Linear(hidden, y_size)
            )
        self.x_norm, self.y_norm = Standardiser(x_size), Standardiser(y_size)

    def penalty(self, x: Tensor, y: Tensor) -> Tensor:
        """Mean squared error of the prediction: least at 0, about 1 where nothing is known."""
        return F.mse_loss(self.network(self.x_norm(_Reverse.apply(x))), self.y_norm(y))

    def _dependence(self, x: Tensor, y: Tensor) -> float:
        """Share of the variance of z_I that is predicted, so that 0 means independent."""
        return 1 - super()._dependence(x, y)


class Discriminator(Smile):
    """A discriminator of true pairs (z_E, z_I) from shuffled ones, which the encoder fools.

    Its critic is SMILE's, trained by the same logistic loss; the game differs: the encoder does
    not descend an estimate, it makes true pairs score as shuffled ones (the non-saturating loss).
    """

    def penalty(self, x: Tensor, y: Tensor) -> Tensor:
        """-log of the probability given to "shuffled", over true pairs."""
        joint, _ = self.scores(x, y)
        return F.softplus(joint).mean()

    def _dependence(self, x: Tensor, y: Tensor) -> float:
        """How far pairs are told apart, as 2 * accuracy - 1, so that 0 means independent."""
        joint, product = self.scores(x, y)
        return float((joint > 0).float().mean() + (product <= 0).float().mean() - 1)
