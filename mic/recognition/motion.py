"""How the blocks of a picture moved since the picture before."""

from __future__ import annotations

import dataclasses
from typing import Protocol

import numpy as np

Region = tuple[int, int, int, int]
"""left, top, right, bottom in samples of the shown picture."""


class Motion(Protocol):
    """How a picture moved since the one before."""

    def of(self, box: np.ndarray) -> np.ndarray:
        """The median step in a box (left, top, right, bottom), float (2,), in samples."""
        ...


@dataclasses.dataclass(frozen=True)
class Vectors(Motion):
    """Blocks of any size and where each came from.

    Attributes:
        places: float (N, 2), middles of the blocks in this picture, (x, y) in samples.
        steps: float (N, 2), how far each moved since the picture before.
    """

    places: np.ndarray
    steps: np.ndarray

    def of(self, box: np.ndarray) -> np.ndarray:
        """The median step of the blocks whose middle is in a box; zero if there is none."""
        (x, y), (left, top, right, bottom) = self.places.T, box
        return median(self.steps[(x >= left) & (x <= right) & (y >= top) & (y <= bottom)])


def median(steps: np.ndarray) -> np.ndarray:
    """The median of (N, 2) steps each way, float64 (2,); zero if there is none."""
    if not len(steps):
        return np.zeros(2)
    # `np.median` spends most of its time on what it asks about axes and NaN.
    low, high = (len(steps) - 1) // 2, len(steps) // 2
    ordered = np.partition(steps, (low, high), axis=0)
    return (ordered[low] + ordered[high]) / 2
