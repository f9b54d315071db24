"""Dependence without a critic: normalised HSIC and distance correlation."""

from __future__ import annotations

import abc

import torch
from torch import Tensor

from mic.errors import ConfigError
from mic.mi.base import Estimator

_HALVES = (torch.float16, torch.bfloat16)


def squared_distances(x: Tensor) -> Tensor:
    """(N, d) -> (N, N) squared Euclidean distances; gradients are finite everywhere."""
    # Centred first: far from the origin the differences would cancel in float32.
    x = x - x.mean(0)
    norms = (x**2).sum(1)
    return (norms[:, None] + norms[None] - 2 * x @ x.T).clamp_min(0)


def double_centre(matrix: Tensor) -> Tensor:
    """Subtracts row and column means and adds the grand mean; (N, N) -> (N, N)."""
    return matrix - matrix.mean(0, keepdim=True) - matrix.mean(1, keepdim=True) + matrix.mean()


def u_centre(matrix: Tensor) -> Tensor:
    """Unbiased centring of Székely and Rizzo (2014); zero diagonal; (N, N), N >= 4."""
    count = len(matrix)
    off = matrix - torch.diag(matrix.diagonal())
    rows = off.sum(1, keepdim=True) / (count - 2)
    total = off.sum() / ((count - 1) * (count - 2))
    centred = off - rows - rows.T + total
    return centred - torch.diag(centred.diagonal())


class _MatrixCorrelation(Estimator):
    """Correlation of two centred similarity matrices.

    Args:
        unbiased: U-centring (zero mean at independence, may be slightly negative) or the classic
            double centring (never negative, but clearly positive at independence for small N).
    """

    def __init__(self, *, unbiased: bool = True) -> None:
        super().__init__()
        self.unbiased = unbiased

    @abc.abstractmethod
    def similarity(self, x: Tensor) -> Tensor:
        """(N, d) -> (N, N)."""

    def penalty(self, x: Tensor, y: Tensor) -> Tensor:
        """<A, B> / (|A| |B|) of the centred matrices; see `Estimator.penalty`."""
        if len(x) < 4:
            raise ConfigError(
                f"a batch of {len(x)} is too small to measure dependence",
                remedy="use batches of at least 4",
            )
        centre = u_centre if self.unbiased else double_centre
        if x.dtype in _HALVES or y.dtype in _HALVES:  # too few digits to tell what varies
            x, y = x.float(), y.float()
        similar = self.similarity(x), self.similarity(y)
        a, b = map(centre, similar)
        # Of constant features centring leaves what rounding does, which is alike in both, and 0.
        rounding = 16 * torch.finfo(a.dtype).eps
        scale = torch.stack(
            [
                one.square().sum().clamp_min(rounding**2 * whole.detach().square().sum())
                for one, whole in zip((a, b), similar, strict=True)
            ]
        ).prod()
        return (a * b).sum() / scale.clamp_min(1e-20).sqrt()


class Hsic(_MatrixCorrelation):
    """Normalised HSIC (Gretton et al. 2005) with Gaussian kernels of median bandwidth."""

    def similarity(self, x: Tensor) -> Tensor:
        """Gaussian kernel matrix; the bandwidth is the median squared distance, as a constant."""
        distances = squared_distances(x)
        off = ~torch.eye(len(x), dtype=torch.bool, device=x.device)
        bandwidth = distances.detach()[off].median().clamp_min(1e-12)
        return torch.exp(-distances / bandwidth)


class DistanceCorrelation(_MatrixCorrelation):
    """Squared distance correlation (Székely, Rizzo and Bakirov 2007; unbiased: 2014)."""

    def similarity(self, x: Tensor) -> Tensor:
        """Euclidean distances, with a floor under the root whose gradient is infinite at zero."""
        return (squared_distances(x) + 1e-12).sqrt()
