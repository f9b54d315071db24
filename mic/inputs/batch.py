"""What one step of a training reads."""

from __future__ import annotations

import dataclasses

from torch import Tensor


@dataclasses.dataclass(frozen=True, kw_only=True)
class Batch:
    """One mini-batch on the device it is trained on.

    Attributes:
        residual: (B, T, 3, H, W) float.
        lengths: (B,) int64, on the CPU.
        labels: (B,) int64.
        identity: (B, d) raw z_I.
        apex: (B, C, h, w) float in [0, 1], or None where no apex is annotated.
        motion: (B, T, 2, h, w) float, or None.
        vectors: Whether the planes of `residual` are motion (x, y and length) and no light.
    """

    residual: Tensor
    lengths: Tensor
    labels: Tensor
    identity: Tensor
    apex: Tensor | None = None
    motion: Tensor | None = None
    vectors: bool = False
