"""What an exported network says, whatever runs it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mic.errors import ConfigError


@dataclass(frozen=True)
class Answer:
    """What an exported network says about a batch.

    Attributes:
        logits: (B, classes) float32.
        z: (B, z_size) float32.
        valence: (B,) float32; None where the network was not trained with ratings.
        novelty: (B,) float32; None where the weights do not tell. See `mic.models.novelty`.
    """

    logits: np.ndarray
    z: np.ndarray
    valence: np.ndarray | None = None
    novelty: np.ndarray | None = None


def checked(name: str, planes: np.ndarray, shape: Sequence[int | str | None]) -> np.ndarray:
    """An input as runtimes want it: contiguous, in this machine's byte order.

    Args:
        name: Of the input.
        planes: (B, T, C, H, W) int16.
        shape: What its dimensions must be; no number where they may be any.

    Raises:
        ConfigError: It is no such array, or an empty one.
    """
    planes = np.asarray(planes)
    fits = planes.ndim == len(shape) and all(
        there == wanted if isinstance(wanted, int) else there > 0
        for there, wanted in zip(planes.shape, shape, strict=True)
    )
    if not fits or planes.dtype.kind != "i" or planes.dtype.itemsize != 2:
        wanted = ", ".join(str(one) if isinstance(one, int) else "any" for one in shape)
        raise ConfigError(
            f"{name} is {planes.dtype} of shape {planes.shape}",
            remedy=f"give int16 of shape ({wanted}), none of them empty",
        )
    return np.ascontiguousarray(planes, dtype=np.int16)
