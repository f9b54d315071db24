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
        inside = np.flatnonzero((x >= left) & (x <= right) & (y >= top) & (y <= bottom))
        return np.median(self.steps[inside], axis=0) if len(inside) else np.zeros(2)
