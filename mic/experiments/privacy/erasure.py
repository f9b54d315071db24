"""Closed-form linear erasure: what no linear map can predict z_I from any more.

Every critic method makes the features of one training run independent in the eyes of one critic.
A closed form needs no game: among all affine maps r of z_E for which the cross-covariance of
r(z_E) and z_I vanishes, take the one that moves z_E least (least-squares concept erasure, Belrose
et al. 2023). In whitened coordinates it is the orthogonal projection off the directions that
covary with z_I; a shrunk covariance keeps it well posed with fewer clips than features.
"""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from mic.errors import ConfigError


@dataclasses.dataclass(frozen=True)
class LinearErasure:
    """r(z) = z - (z - mean) @ direction @ dual.T, a projection of rank at most the width of z_I.

    Attributes:
        mean: (d,) of z_E in the training set.
        remove: (d, d), the oblique projection that is subtracted; float64.
    """

    mean: Tensor
    remove: Tensor

    @property
    def rank(self) -> int:
        """Directions that are erased: the trace of a projection."""
        return round(float(self.remove.trace()))

    def __call__(self, z: Tensor) -> Tensor:
        """(N, d) -> (N, d), of the same type."""
        z64 = z.double()
        return (z64 - (z64 - self.mean) @ self.remove.T).to(z)


def fit_erasure(
    z_e: Tensor, z_i: Tensor, *, shrinkage: float = 1e-3, within: Tensor | None = None
) -> LinearErasure:
    """Fits the erasure of z_I from z_E on training clips.

    Args:
        z_e: (N, d).
        z_i: (N, q), q small against N: every further direction of z_I erases one of z_E, also
            where the covariance is chance.
        shrinkage: Weight of the mean variance that is added to the covariance of z_E.
        within: (N,) class labels. If given, covariance with z_I is measured within classes, so
            that what distinguishes the classes is not erased because subjects happen to show
            different ones.

    Raises:
        ConfigError: More directions of z_I than half of the clips.
    """
    count, size = z_e.shape
    if z_i.shape[1] > count // 2:
        raise ConfigError(
            f"{z_i.shape[1]} directions cannot be erased on the strength of {count} clips",
            remedy="reduce z_I to its leading principal components",
        )
    e, i = z_e.double(), z_i.double()
    mean = e.mean(0)
    e, i = _centred(e, within), _centred(i, within)
    covariance = e.T @ e / count
    covariance += shrinkage * covariance.trace() / size * torch.eye(size, dtype=e.dtype)
    values, vectors = torch.linalg.eigh(covariance)
    root = vectors * values.clamp_min(1e-12).sqrt() @ vectors.T
    inverse_root = vectors / values.clamp_min(1e-12).sqrt() @ vectors.T
    left, singular, _ = torch.linalg.svd(inverse_root @ (e.T @ i / count), full_matrices=False)
    left = left[:, singular > 1e-9 * singular.max().clamp_min(1e-300)]
    return LinearErasure(mean=mean, remove=root @ left @ left.T @ inverse_root)


def _centred(features: Tensor, groups: Tensor | None) -> Tensor:
    if groups is None:
        return features - features.mean(0)
    centred = features.clone()
    for group in groups.unique():
        rows = groups == group
        centred[rows] -= features[rows].mean(0)
    return centred
