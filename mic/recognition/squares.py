"""Boxes and squares around faces: what a look needs of a picture, and which of them meet."""

from __future__ import annotations

import numpy as np

from mic.faces.landmarks import Mesh, Roi
from mic.recognition.motion import Region

# How much of its square a look is given, to both sides, above and below, in parts of the side: all
# of it; or what holds every framing of the expression network, with which the points of 84 faces
# moved by 0.0005 of the side in the mean.
_SQUARE, _FACE = (0.52, 0.52, 0.52), (0.4, 0.46, 0.42)
# Two people whose middles come nearer than this part of the larger one's side are mixed up easily.
MEETING = 0.5


def around(roi: Roi, size: tuple[int, int]) -> Region | None:
    """The part of a picture that a look needs, even edges; None if next to nothing is inside.

    Where its square would be all of the picture, only what the networks' answers depend on.
    """
    region = _inside(roi, size, _SQUARE)
    return _inside(roi, size, _FACE) if region == (0, 0, *size) else region


def _inside(roi: Roi, size: tuple[int, int], reach: tuple[float, float, float]) -> Region | None:
    """The upright box, even and within the picture, around a part of a turned square.

    Args:
        roi: The square.
        size: Width and height of the picture.
        reach: How far the part extends from the square's middle: to either side, up and down, in
            parts of the square's side.
    """
    across, *heights = reach
    cosine, sine = abs(np.cos(roi.angle)), abs(np.sin(roi.angle))
    wide = roi.side * (across * cosine + sum(heights) / 2 * sine)
    up, down = (roi.side * (height * cosine + across * sine) for height in heights)
    left, top = max(0, int(roi.x - wide)) & ~1, max(0, int(roi.y - up)) & ~1
    right = min(size[0], int(roi.x + wide + 2) & ~1)
    bottom = min(size[1], int(roi.y + down + 2) & ~1)
    if right - left < 16 or bottom - top < 16:
        return None
    return left, top, right, bottom


def part_of(picture: np.ndarray, region: Region | None) -> np.ndarray:
    """A region of a picture, uint8 (h, w, 3) RGB; all of it for None."""
    if region is None:
        return picture
    left, top, right, bottom = region
    return np.ascontiguousarray(picture[top:bottom, left:right])


def moved(mesh: Mesh, origin: tuple[int, int]) -> Mesh:
    """A mesh in the coordinates of a region whose top left corner is `origin`."""
    corner = np.array((*origin, 0), np.float32)
    return Mesh(points=mesh.points - corner, presence=mesh.presence)


def meet(one: np.ndarray, other: np.ndarray, *, within: float = MEETING) -> bool:
    """Whether the middles of two boxes are nearer than that part of the larger one's side."""
    apart = float(np.hypot(*((one[:2] + one[2:] - other[:2] - other[2:]) / 2)))
    return apart < within * max(float((box[2:] - box[:2]).max()) for box in (one, other))


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    """Intersection over union of two boxes."""
    low, high = np.maximum(one[:2], other[:2]), np.minimum(one[2:], other[2:])
    shared = float(np.prod(np.maximum(high - low, 0)))
    areas = float(np.prod(one[2:] - one[:2]) + np.prod(other[2:] - other[:2]))
    return shared / max(areas - shared, 1e-6)
