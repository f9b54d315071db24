"""Pose and projection: from the head's frame to the screen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

DISTANCE = np.float32(9.0)  # decimetres from the camera to the eyes
FIELD = 2.65  # decimetres that the picture spans at that distance, at zoom 1
_NECK = np.array([0, -1.0, -0.9], np.float32)  # the head turns about this point
_EYE_LINE, _CENTRE = 0.485, np.float32(0.17)  # where the eyes' origin lands on the screen


@dataclass(frozen=True)
class View:
    """How a head is turned and where it is seen.

    Attributes:
        turn: Yaw, pitch and roll in radians; positive yaw shows the subject's right cheek.
        shift: Displacement on screen, as a share of its width.
        zoom: Magnification.
    """

    turn: tuple[float, float, float] = (0.0, 0.0, 0.0)
    shift: tuple[float, float] = (0.0, 0.0)
    zoom: float = 1.0

    def rotation(self) -> np.ndarray:
        """(3, 3) float32 matrix that turns the head."""
        (sy, sp, sr), (cy, cp, cr) = np.sin(self.turn), np.cos(self.turn)
        roll = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
        pitch = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
        yaw = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
        product = np.zeros((3, 3))
        for a in range(3):  # in a fixed order, unlike a library's matrix product
            for b in range(3):
                product += np.outer(roll[:, a] * pitch[a, b], yaw[b])
        return product.astype(np.float32)


def rotate(vectors: np.ndarray, rotation: np.ndarray) -> np.ndarray:
    """(n, 3) vectors turned by a (3, 3) matrix, summed in a fixed order."""
    turned = vectors[:, 0:1] * rotation[:, 0]
    turned += vectors[:, 1:2] * rotation[:, 1]
    turned += vectors[:, 2:3] * rotation[:, 2]
    return turned


def turn(points: np.ndarray, rotation: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Turns points about the neck.

    Args:
        points: (n, 3) float32.
        rotation: (3, 3).
        share: (n, 1) float32, how far each point follows the head; shoulders stay.
    """
    turned = rotate(points - _NECK, rotation) + _NECK
    return points + share * (turned - points)


def project(points: np.ndarray, view: View, size: int) -> np.ndarray:
    """(n, 3) float32 screen positions in samples, and depths, on a `size` x `size` screen."""
    depth = DISTANCE - points[:, 2]
    focal = np.float32(size / FIELD * view.zoom) * DISTANCE
    x = np.float32(size * (0.5 + view.shift[0])) + focal * points[:, 0] / depth
    y = np.float32(size * (_EYE_LINE + view.shift[1])) - focal * (points[:, 1] + _CENTRE) / depth
    return np.stack([x, y, depth], 1)
