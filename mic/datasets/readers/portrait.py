"""Where the face is, so that clips of a published dataset show it as generated clips do.

One box a clip, found at its beginning and kept: the head's own movement stays in the residuals,
and the crop adds none.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

import numpy as np

from mic import faces
from mic.errors import FaceError
from mic.faces import CROP_SIZE, DROP, MARGIN, Status

# AFEW's shots may open on a turned head: the first of five looks that finds a face counts.
LOOKS = 5
STEP = 5


def box(frames: Iterable[np.ndarray]) -> tuple[tuple[int, int, int, int], bool]:
    """The square to cut a clip to.

    Args:
        frames: uint8 (H, W, 3) RGB from the clip's first frame on; some of the first are read.

    Returns:
        x, y, width, height in samples, even and inside the picture, and whether a face was found;
        if not, the square is the largest one in the middle. Of several faces `mic.faces` chooses.

    Raises:
        FaceError: There is no frame.
    """
    shape: tuple[int, ...] | None = None
    for frame in islice(frames, 0, LOOKS * STEP, STEP):
        shape = shape or frame.shape
        (found,) = faces.detector().detect([frame])
        if found.status is not Status.NO_FACE and frame.shape == shape:
            return _around(found.points, shape), True
    if shape is None:
        raise FaceError("there is no frame to look at", remedy="check the clip")
    height, width = shape[:2]
    return _square(width / 2, height / 2, min(height, width), shape), False


def _around(points: np.ndarray, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    matrix = faces.similarity(points)
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    edge = CROP_SIZE / scale * (1 + 2 * MARGIN)
    middle = np.linalg.solve(matrix[:, :2], np.full(2, CROP_SIZE / 2) - matrix[:, 2])
    return _square(middle[0], middle[1] + DROP * edge, edge, shape)


def _square(x: float, y: float, edge: float, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """The even square nearest to the wanted one that lies inside the picture."""
    height, width = shape[:2]
    # Chroma has half the resolution: odd corners would shift it against luma.
    side = max(2, int(min(edge, height, width)) // 2 * 2)
    left = min(max(0, round(x - side / 2)), width - side) // 2 * 2
    top = min(max(0, round(y - side / 2)), height - side) // 2 * 2
    return left, top, side, side
