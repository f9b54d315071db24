"""How a face sits in the square clip that a network expects, in pixels and in residuals.

The crop is fixed for a window or group of pictures: then the head's own movement stays in the
residuals, as in the clips of training, and the crop adds none.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import torch

from mic import faces


@dataclasses.dataclass(frozen=True)
class Framing:
    """A crop.

    Attributes:
        matrix: float64 (2, 3), from the picture's coordinates to the crop's.
        points: float32 (5, 2), the face's points in the picture when the crop was made.
        edge: Side of the crop in samples.
    """

    matrix: np.ndarray
    points: np.ndarray
    edge: int

    @classmethod
    def of(cls, points: np.ndarray, *, edge: int, margin: float, drop: float) -> Framing:
        """The crop in which a face sits as in a network's training clips.

        Args:
            points: (5, 2) points of the face.
            edge: Side of the crop in samples.
            margin: Part of the aligned crop's edge added on each side; see `mic.faces`.
            drop: How much lower than the aligned crop's middle the middle lies, in parts of the
                edge.

        Raises:
            FaceError: The points are not finite, or all equal.
        """
        matrix = faces.similarity(points, size=edge, margin=margin)
        matrix[1, 2] -= drop * edge
        return cls(matrix, np.asarray(points, np.float32), edge)

    def crop(self, picture: np.ndarray) -> np.ndarray:
        """The crop of a picture, uint8 (edge, edge, 3); black outside the picture."""
        return faces.warp(picture, self.matrix, self.edge)

    @property
    def side(self) -> float:
        """Side of the crop in samples of the picture."""
        return self.edge / float(np.hypot(self.matrix[0, 0], self.matrix[1, 0]))

    def residuals(self, planes: np.ndarray, *, scale: int, size: int) -> np.ndarray:
        """The same crop of residual planes, which are signed and of another scale.

        Args:
            planes: int16 (T, C, ceil(H / scale), ceil(W / scale)) of the whole picture.
            scale: The planes' sides are 1/scale of the picture's.
            size: Side of the result.

        Returns:
            int16 (T, C, size, size); zero outside the picture, bilinear inside.
        """
        height, width = planes.shape[2:]
        # From centres of the result's samples to the picture's coordinates, then to grid_sample's
        # own, in which the planes reach from -1 to 1.
        centres = (np.arange(size) + 0.5) * self.edge / size
        x, y = np.meshgrid(centres, centres)
        inverse = np.linalg.inv(self.matrix[:, :2])
        place = (np.stack([x, y], -1) - self.matrix[:, 2]) @ inverse.T
        place = place / (scale * np.array([width, height])) * 2 - 1
        grid = torch.from_numpy(place).float()[None].expand(len(planes), -1, -1, -1)
        source = torch.from_numpy(np.ascontiguousarray(planes)).float()
        cropped = torch.nn.functional.grid_sample(
            source, grid, mode="bilinear", padding_mode="zeros", align_corners=False
        )
        return cropped.round().to(torch.int16).numpy()

    def outline(self) -> np.ndarray:
        """Corners of the crop in the picture, float64 (4, 2) as (x, y)."""
        square = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * self.edge
        turn = np.linalg.inv(self.matrix[:, :2])
        return (square - self.matrix[:, 2]) @ turn.T

    def drift(self, points: np.ndarray) -> float:
        """How far a face has moved or grown since, in parts of the crop's edge."""
        change = (points - self.points) @ self.matrix[:, :2].T
        return float(np.abs(change).max()) / self.edge
