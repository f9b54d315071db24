"""Statistics networks T(x, y): what a variational bound on mutual information is trained with."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from mic.errors import ConfigError

Form = Literal["concatenated", "separable"]
Marginal = Literal["shift", "permutation", "all"]


class StatisticsNetwork(nn.Module):
    """T_theta: R^x_size x R^y_size -> R.

    `concatenated` projects each argument, concatenates, and maps to a scalar through one hidden
    layer; with `x_size=32768, y_size=1024, hidden=1024` it is the replication's network (LSTM
    outputs of 16 steps, flattened, against a FaceNet feature). `separable` is an inner product
    of two embeddings plus a bias; it scores all pairs of a batch in one matrix product.

    Args:
        x_size: Width of the first argument, z_E in the paper.
        y_size: Width of the second argument, z_I in the paper.
        hidden: Width of every hidden layer.
        form: `concatenated` or `separable`.
    """

    def __init__(
        self, x_size: int, y_size: int, *, hidden: int = 256, form: Form = "concatenated"
    ) -> None:
        super().__init__()
        self.form = form
        if form == "concatenated":
            self.x_branch = nn.Sequential(nn.Linear(x_size, hidden), nn.ReLU())
            self.y_branch = nn.Sequential(nn.Linear(y_size, hidden), nn.ReLU())
            self.joint = nn.Linear(2 * hidden, hidden)
            self.score = nn.Linear(hidden, 1)
        elif form == "separable":
            self.x_branch = _perceptron(x_size, hidden)
            self.y_branch = _perceptron(y_size, hidden)
            self.x_score = _perceptron(x_size, hidden, 1)
            self.y_score = _perceptron(y_size, hidden, 1)
        else:
            raise ConfigError(
                f"unknown form of a statistics network: {form!r}",
                remedy="choose 'concatenated' or 'separable'",
            )

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Scores of aligned rows.

        Args:
            x: (B, x_size).
            y: (B, y_size).

        Returns:
            (B,) values T(x_i, y_i).
        """
        left, right = self.x_branch(x), self.y_branch(y)
        if self.form == "separable":
            bias = self.x_score(x).squeeze(1) + self.y_score(y).squeeze(1)
            return (left * right).sum(1) / left.shape[1] ** 0.5 + bias
        return self.score(torch.relu(self.joint(torch.cat([left, right], 1)))).squeeze(1)

    def matrix(self, x: Tensor, y: Tensor) -> Tensor:
        """Scores of every pair.

        Args:
            x: (B, x_size).
            y: (C, y_size).

        Returns:
            (B, C) values T(x_i, y_j).
        """
        left, right = self.x_branch(x), self.y_branch(y)
        if self.form == "separable":
            bias = self.x_score(x) + self.y_score(y).T
            return left @ right.T / left.shape[1] ** 0.5 + bias
        # The layer after the concatenation is linear, so each half is multiplied only once.
        width = left.shape[1]
        left = left @ self.joint.weight[:, :width].T + self.joint.bias
        right = right @ self.joint.weight[:, width:].T
        return self.score(torch.relu(left[:, None] + right[None])).squeeze(2)


def marginal_scores(
    network: StatisticsNetwork,
    x: Tensor,
    y: Tensor,
    marginal: Marginal,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Scores of pairs drawn from the product of the marginals, made out of one batch.

    Args:
        network: T.
        x: (B, x_size), B >= 2.
        y: (B, y_size).
        marginal: `shift` pairs row i with row i+1 (the replication), `permutation` pairs it with
            a random other row, `all` takes every pair i != j.
        generator: Source of the random permutation, on the CPU.

    Returns:
        (B,) or, for `all`, (B * (B - 1),) scores.
    """
    count = len(x)
    if marginal == "shift":
        return network(x, y.roll(-1, 0))
    if marginal == "permutation":
        # A random order closed to one cycle: uniform enough, and no row meets its own partner.
        order = torch.randperm(count, generator=generator)
        partner = torch.empty_like(order)
        partner[order] = order.roll(-1)
        return network(x, y[partner.to(y.device)])
    if marginal == "all":
        keep = ~torch.eye(count, dtype=torch.bool, device=x.device)
        return network.matrix(x, y)[keep]
    raise ConfigError(
        f"unknown marginal sampling: {marginal!r}",
        remedy="choose 'shift', 'permutation' or 'all'",
    )


def _perceptron(inputs: int, hidden: int, outputs: int | None = None) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, hidden if outputs is None else 1)
    )
