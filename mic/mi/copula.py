"""Mutual information by a Gaussian copula plus neural negentropies: for what is nearly Gaussian.

Every lower bound trained on a batch of B pairs stops near log B nats, because its partition term
must be seen in samples. Here the large part is closed-form and only what is left is learnt:

    I(x; y) = I_G(Sigma) + J(x, y) - J(x) - J(y),

where each coordinate is first made a standard normal by its ranks (mutual information does not
change under monotone maps of coordinates), I_G is the mutual information of a Gaussian with the
sample's covariance (Ince et al. 2017, bias-corrected) and J is the negentropy, the divergence from
the Gaussian of equal covariance. J is measured by a Donsker-Varadhan critic whose reference
samples can be drawn without end, and is zero for Gaussian copulas. Elsewhere J has to be learnt
from the sample, and a few hundred or thousand rows do not teach it: see
`mic.experiments.known_pairs`.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mic.errors import ConfigError
from mic.mi.base import Estimator
from mic.mi.bounds import donsker_varadhan

# Of a negentropy's critic: the width of its two layers; rows, and Gaussian draws, a step.
_HIDDEN, _BATCH = 64, 512


def rank_gaussian(x: Tensor, *, seed: int) -> Tensor:
    """Maps each column to standard normal quantiles of its ranks; (N, d) -> (N, d) float64.

    Args:
        x: (N, d) finite numbers.
        seed: Of the draws that break ties: another one for each variable whose dependence is
            asked for. Broken by position, or by the same draws, tied values of both would stand
            in one order, which looks like dependence. A constant column becomes noise.
    """
    count = len(x)
    draw = torch.Generator().manual_seed(seed)
    chance = torch.rand(x.shape, generator=draw, dtype=torch.float64).argsort(dim=0)
    order = chance.gather(0, x.gather(0, chance).argsort(dim=0, stable=True))
    ranks = order.argsort(dim=0).double()
    uniform = (ranks + 0.5) / count
    normal = math.sqrt(2) * torch.erfinv(2 * uniform - 1)
    return normal / normal.std(0, correction=0)


def gaussian_information(x: Tensor, y: Tensor, *, correct_bias: bool = True) -> Tensor:
    """Mutual information in nats of a Gaussian with the covariance of the sample.

    Args:
        x: (N, p).
        y: (N, q), with N > p + q + 1.
        correct_bias: Subtracts the exact finite-sample bias of the three log-determinants under
            normality (a sum of digamma terms, about p q / 2N).

    Raises:
        ConfigError: Too few rows for the dimensions.
    """
    count, p, q = len(x), x.shape[1], y.shape[1]
    if count <= p + q + 1:
        raise ConfigError(
            f"{count} samples cannot determine a covariance of {p + q} dimensions",
            remedy="reduce the dimensions (principal components) or take more samples",
        )

    def log_volume(sample: Tensor) -> Tensor:
        covariance = torch.cov(sample.double().T).reshape(sample.shape[1], sample.shape[1])
        value = torch.linalg.slogdet(covariance)[1]
        if correct_bias:
            freedom = torch.arange(sample.shape[1], dtype=torch.float64) + 1
            terms = torch.digamma((count - freedom) / 2) - math.log((count - 1) / 2)
            value = value - terms.sum().to(value)
        return value

    joint = log_volume(torch.cat([x, y], 1))
    return 0.5 * (log_volume(x) + log_volume(y) - joint)


def negentropy(x: Tensor, *, steps: int = 400, seed: int = 0) -> float:
    """Lower bound in nats on the divergence of a sample from the Gaussian of its covariance.

    A classifier of rows against fresh Gaussian draws is trained on 60 % of the rows: its logit is
    the log density ratio. Its best state is selected on 20 % and read, as the Donsker-Varadhan
    bound, on the last 20 %; never below zero, the value of a constant critic.

    Args:
        x: (N, d).
        steps: Gradient steps.
        seed: Of the split, the weights and the draws.
    """
    draw = torch.Generator().manual_seed(seed)
    x = x.double() - x.double().mean(0)
    # Whitened: the reference is then the standard normal, and the critic well conditioned.
    factor = torch.linalg.cholesky(torch.cov(x.T).reshape(x.shape[1], x.shape[1]))
    white = torch.linalg.solve_triangular(factor, x.T, upper=False).T.float()
    white = white[torch.randperm(len(white), generator=draw)]
    train, select, test = white.tensor_split([int(0.6 * len(white)), int(0.8 * len(white))])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = nn.Sequential(
            nn.Linear(2 * x.shape[1], _HIDDEN),
            nn.SiLU(),
            nn.Linear(_HIDDEN, _HIDDEN),
            nn.SiLU(),
            nn.Linear(_HIDDEN, 1),
        )

    def critic(rows: Tensor) -> Tensor:
        # Squares spare the network most of the work: heavy tails and common scales are in them.
        return network(torch.cat([rows, rows**2], 1)).squeeze(1)

    optimizer = torch.optim.AdamW(network.parameters(), lr=5e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    references = [torch.randn(8000, x.shape[1], generator=draw) for _ in range(2)]
    best, answer = 0.0, 0.0
    for step in range(1, steps + 1):
        rows = torch.randint(len(train), (_BATCH,), generator=draw)
        noise = torch.randn(_BATCH, x.shape[1], generator=draw)
        loss = F.softplus(-critic(train[rows])).mean() + F.softplus(critic(noise)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 35 == 0:
            with torch.no_grad():
                selected = float(donsker_varadhan(critic(select), critic(references[0])))
                if selected > best:
                    best = selected
                    answer = float(donsker_varadhan(critic(test), critic(references[1])))
    return max(0.0, answer)


class GaussianCopula(Estimator):
    """Gaussian copula information plus learnt negentropies; see the module's text.

    Args:
        corrections: Whether the negentropies are learnt; without them the estimate is a fast
            lower bound that sees linear dependence between rank-transformed coordinates only.
        ridge: Added to the covariance in `penalty`, relative to unit variances, because a batch
            is usually smaller than the dimension.
        steps: Training steps of each critic.
        seed: Of the critics.
    """

    def __init__(
        self, *, corrections: bool = True, ridge: float = 0.1, steps: int = 400, seed: int = 0
    ) -> None:
        super().__init__()
        self.steps = steps
        self.corrections = corrections
        self.ridge = ridge
        self.seed = seed

    def penalty(self, x: Tensor, y: Tensor) -> Tensor:
        """Gaussian information of the standardised batch, with a ridge; see `Estimator`."""
        count = len(x)
        a, b = (((v - v.mean(0)) / v.std(0, correction=0).clamp_min(1e-6)) for v in (x, y))
        scale = (count * (1 + self.ridge)) ** -0.5
        # I = -1/2 log det(I - C C'), C = whitened cross-covariance: work with N x N Gram matrices
        # (dual form), as the features are wider than the batch.
        eye = torch.eye(count, dtype=a.dtype, device=a.device)
        gram_a, gram_b = (a * scale) @ (a * scale).T, (b * scale) @ (b * scale).T
        project_a = torch.linalg.solve(gram_a + self.ridge * eye, gram_a)
        project_b = torch.linalg.solve(gram_b + self.ridge * eye, gram_b)
        product = project_a @ project_b
        return -0.5 * torch.linalg.slogdet(eye - 0.999 * product)[1]

    def _dependence(self, x: Tensor, y: Tensor) -> float:
        """Gaussian information of ranks, and negentropies; needs more rows than dimensions."""
        x, y = rank_gaussian(x, seed=2 * self.seed), rank_gaussian(y, seed=2 * self.seed + 1)
        value = float(gaussian_information(x, y))
        if self.corrections:
            with torch.enable_grad():
                value += negentropy(torch.cat([x, y], 1), steps=self.steps, seed=self.seed)
                for part in (x, y):
                    if part.shape[1] > 1:
                        value -= negentropy(part, steps=self.steps, seed=self.seed)
        return value
