"""Critic-based estimators: MINE, SMILE, NWJ, InfoNCE and vCLUB."""

from __future__ import annotations

import abc
import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mic.mi.base import Estimator, Standardiser
from mic.mi.critics import Form, Marginal, StatisticsNetwork, marginal_scores

# Rows whose pairs are scored together when an estimate is read: memory is quadratic in it.
BLOCK = 256


def log_mean_exp(scores: Tensor) -> Tensor:
    """Log of the mean of exp(scores), without overflow; a scalar."""
    return torch.logsumexp(scores.flatten(), 0) - math.log(scores.numel())


def donsker_varadhan(joint: Tensor, product: Tensor) -> Tensor:
    """E_P[T] - log E_Q[e^T], the lower bound of Donsker and Varadhan (MINE, equation 10)."""
    return joint.mean() - log_mean_exp(product)


class CriticEstimator(Estimator):
    """A lower bound on mutual information, maximised over a statistics network T.

    Args:
        x_size: Width of the first argument.
        y_size: Width of the second argument.
        hidden: Width of the statistics network.
        form: See `StatisticsNetwork`.
        marginal: See `marginal_scores`.
        standardise: Whether both arguments pass a parameter-free batch normalisation first.
        learning_rate: Of the critic's Adam.
        weight_decay: Of the critic's AdamW.
        ascend: True trains the critic to maximise the bound, as the bound requires. False is the
            paper's words taken literally (the "min-min game": T descends as well); it diverges.
        seed: Of the weights and of the random pairs.
    """

    generator: torch.Generator
    optimizer: torch.optim.Optimizer

    def __init__(
        self,
        x_size: int,
        y_size: int,
        *,
        hidden: int = 256,
        form: Form = "concatenated",
        marginal: Marginal = "all",
        standardise: bool = True,
        learning_rate: float = 1e-3,
        weight_decay: float = 0.0,
        ascend: bool = True,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.marginal: Marginal = marginal
        self.ascend = ascend
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.network = StatisticsNetwork(x_size, y_size, hidden=hidden, form=form)
        self.x_norm = Standardiser(x_size) if standardise else nn.Identity()
        self.y_norm = Standardiser(y_size) if standardise else nn.Identity()
        self.generator = torch.Generator().manual_seed(seed)
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(), lr=learning_rate, weight_decay=weight_decay
        )

    @abc.abstractmethod
    def bound(self, joint: Tensor, product: Tensor) -> Tensor:
        """The bound in nats, from scores under the joint (B,) and the product (M,)."""

    def objective(self, joint: Tensor, product: Tensor) -> Tensor:
        """What the critic maximises; the bound itself unless its gradient is too noisy or biased.

        Args:
            joint: (B,) scores of true pairs.
            product: (M,) scores of pairs from the product of the marginals.
        """
        return self.bound(joint, product)

    def scores(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Scores under the joint, (B,), and under the product of the marginals, (M,)."""
        x, y = self.x_norm(x), self.y_norm(y)
        return self.network(x, y), marginal_scores(
            self.network, x, y, self.marginal, self.generator
        )

    def update(self, x: Tensor, y: Tensor) -> float:
        """One ascent step of the critic; see `Estimator.update`."""
        joint, product = self.scores(x.detach(), y.detach())
        objective = self.objective(joint, product)
        self.optimizer.zero_grad()
        (-objective if self.ascend else objective).backward()
        self.optimizer.step()
        return float(self.bound(joint.detach(), product.detach()))

    def penalty(self, x: Tensor, y: Tensor) -> Tensor:
        """The bound at the present critic; see `Estimator.penalty`."""
        return self.bound(*self.scores(x, y))

    def _dependence(self, x: Tensor, y: Tensor) -> float:
        """The bound on new samples; pairs are made within blocks of `BLOCK` rows."""
        blocks = [self.scores(*part) for part in zip(x.split(BLOCK), y.split(BLOCK), strict=True)]
        joint, product = (torch.cat(scores) for scores in zip(*blocks, strict=True))
        return float(self.bound(joint, product))


class Mine(CriticEstimator):
    """MINE (Belghazi et al. 2018) with the moving-average gradient of its section 3.2.

    The plain stochastic gradient of log E_Q[e^T] is biased, because the batch mean stands in a
    denominator; an exponential moving average there removes most of the bias.

    Args:
        x_size: Width of the first argument.
        y_size: Width of the second argument.
        decay: Of the moving average; None takes the plain, biased gradient.
        **options: See `CriticEstimator`.
    """

    log_average: Tensor

    def __init__(
        self, x_size: int, y_size: int, *, decay: float | None = 0.99, **options: Any
    ) -> None:
        super().__init__(x_size, y_size, **options)
        self.decay = decay
        # In the log domain: e^T of an unbounded critic overflows a float32 average.
        self.register_buffer("log_average", torch.tensor(float("nan")))

    def bound(self, joint: Tensor, product: Tensor) -> Tensor:
        """Donsker-Varadhan."""
        return donsker_varadhan(joint, product)

    def objective(self, joint: Tensor, product: Tensor) -> Tensor:
        """E_P[T] - E_Q[e^T] / average, whose gradient is the bias-corrected one."""
        if self.decay is None:
            return self.bound(joint, product)
        current = log_mean_exp(product).detach()
        if torch.isnan(self.log_average):
            self.log_average.copy_(current)
        else:
            keep, add = math.log(self.decay), math.log1p(-self.decay)
            self.log_average.copy_(torch.logaddexp(self.log_average + keep, current + add))
        return joint.mean() - torch.exp(log_mean_exp(product) - self.log_average)


class Nwj(CriticEstimator):
    """The f-divergence bound of Nguyen, Wainwright and Jordan (2010): unbiased, high variance."""

    def bound(self, joint: Tensor, product: Tensor) -> Tensor:
        """E_P[T] - E_Q[e^(T - 1)]."""
        return joint.mean() - torch.exp(log_mean_exp(product) - 1)


class Smile(CriticEstimator):
    """SMILE (Song and Ermon 2020): a Jensen-Shannon critic, read with a clipped partition term.

    Args:
        x_size: Width of the first argument.
        y_size: Width of the second argument.
        clip: Bound on |T| in the partition term; smaller is steadier and more biased.
        **options: See `CriticEstimator`.
    """

    def __init__(self, x_size: int, y_size: int, *, clip: float = 5.0, **options: Any) -> None:
        super().__init__(x_size, y_size, **options)
        self.clip = clip

    def bound(self, joint: Tensor, product: Tensor) -> Tensor:
        """E_P[T] - log E_Q[e^clip(T)]."""
        return donsker_varadhan(joint, product.clamp(-self.clip, self.clip))

    def objective(self, joint: Tensor, product: Tensor) -> Tensor:
        """The Jensen-Shannon bound, whose optimal critic is the same log density ratio."""
        return -F.softplus(-joint).mean() - F.softplus(product).mean()


class InfoNce(CriticEstimator):
    """InfoNCE (van den Oord et al. 2018): low variance, but never above log B for batches of B."""

    def scores(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Scores under the joint, (B,), and of all pairs, (B, B)."""
        matrix = self.network.matrix(self.x_norm(x), self.y_norm(y))
        return matrix.diagonal(), matrix

    def bound(self, joint: Tensor, product: Tensor) -> Tensor:
        """Mean of log(e^T_ii / mean_j e^T_ij)."""
        rows = torch.logsumexp(product, 1) - math.log(product.shape[1])
        return (joint - rows).mean()

    def _dependence(self, x: Tensor, y: Tensor) -> float:
        """The mean over blocks of `BLOCK` rows, so never above the logarithm of that."""
        pairs = zip(x.split(BLOCK), y.split(BLOCK), strict=True)
        # A shorter last block would have a lower ceiling than the others.
        values = [self.bound(*self.scores(*p)) for p in pairs if len(p[0]) == min(BLOCK, len(x))]
        return float(torch.stack(values).mean())


class VClub(Estimator):
    """vCLUB (Cheng et al. 2020): an upper bound through a variational q(y | x), a Gaussian.

    It bounds the mutual information from above only as far as q is close to p(y | x).

    Args:
        x_size: Width of the first argument.
        y_size: Width of the second argument.
        hidden: Width of the two-layer networks for mean and log-variance.
        standardise: See `CriticEstimator`.
        learning_rate: Of the variational network's Adam.
        seed: Of the weights.
    """

    optimizer: torch.optim.Optimizer

    def __init__(
        self,
        x_size: int,
        y_size: int,
        *,
        hidden: int = 256,
        standardise: bool = True,
        learning_rate: float = 1e-3,
        seed: int = 0,
    ) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.network = nn.Sequential(
                nn.Linear(x_size, hidden), nn.ReLU(), nn.Linear(hidden, 2 * y_size)
            )
        self.x_norm = Standardiser(x_size) if standardise else nn.Identity()
        self.y_norm = Standardiser(y_size) if standardise else nn.Identity()
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=learning_rate)

    def _moments(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_variance = self.network(x).chunk(2, 1)
        # Bounded, so that a batch of equal rows cannot drive the variance to zero.
        return mean, 8 * torch.tanh(log_variance / 8)

    def update(self, x: Tensor, y: Tensor) -> float:
        """One maximum-likelihood step of q(y | x); returns the mean log-likelihood."""
        x, y = self.x_norm(x.detach()), self.y_norm(y.detach())
        mean, log_variance = self._moments(x)
        likelihood = -0.5 * ((y - mean) ** 2 * torch.exp(-log_variance) + log_variance).sum(1)
        self.optimizer.zero_grad()
        (-likelihood.mean()).backward()
        self.optimizer.step()
        return float(likelihood.mean().detach())

    def penalty(self, x: Tensor, y: Tensor) -> Tensor:
        """E_P[log q(y | x)] - E_Q[log q(y | x)], the second mean over all pairs."""
        x, y = self.x_norm(x), self.y_norm(y)
        mean, log_variance = self._moments(x)
        precision = torch.exp(-log_variance)
        joint = ((y - mean) ** 2 * precision).sum(1)
        # Mean over j of (y_j - m_i)^2 needs only the first two moments of y.
        first, second = y.mean(0), (y**2).mean(0)
        product = ((second - 2 * mean * first + mean**2) * precision).sum(1)
        return 0.5 * (product - joint).mean()
