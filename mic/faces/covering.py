"""Whether the eyes and the mouth of a face are seen, or only guessed at.

The landmark network puts points on a mouth behind a mask as surely as on a bare one, and says that
a face is there. But where it puts them then depends on the square that it was given: looked at
again from other squares, points that are seen stay, and those that are guessed at wander.

    doubt(landmarker, picture, mesh) > COVERED
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from mic.faces.landmarks import Landmarker, Mesh, Roi

# Points around the eyes, and around the mouth, in the numbers of the mesh.
_EYES = (33, 133, 159, 145, 263, 362, 386, 374)
_MOUTH = (61, 291, 13, 14, 0, 17, 78, 308)
# The other squares: shift of the middle in parts of the side, factor of the side, turn in radians.
_SQUARES = ((0.0, 0.06, 1.0, 0.0), (-0.04, -0.04, 1.1, 0.1))
# In parts of the square's side. Of pictures of 13 films whose faces were bare it calls 1 of 103
# covered, of 38 after JPEG of quality 12 2; of those with a mask, a hand, a box or a half painted
# over eyes or mouth four in five. Dark glasses it seldom finds.
COVERED = 0.005
# The network's own presence is 1 for bare faces; so little means that next to nothing is seen.
SURE = 0.9
_PATCH = 16


def doubt(landmarker: Landmarker, picture: np.ndarray, mesh: Mesh) -> float:
    """How far the eyes or the mouth wander when the face is looked at from other squares.

    Args:
        landmarker: What found the mesh.
        picture: uint8 (H, W, 3) RGB.
        mesh: The face in it, in samples of that picture.

    Returns:
        The larger of both means over points and squares, in parts of the square's side.
    """
    x, y, side, angle = mesh.roi
    steps: list[tuple[float, float]] = []
    for right, down, grown, turned in _SQUARES:
        square = Roi(x + right * side, y + down * side, grown * side, angle + turned)
        moved = np.abs(landmarker.look(picture, square).points - mesh.points)[:, :2] / side
        steps.append((float(moved[list(_EYES)].mean()), float(moved[list(_MOUTH)].mean())))
    return max(float(np.mean(one)) for one in zip(*steps, strict=True))


def appearance(picture: np.ndarray, mesh: Mesh) -> np.ndarray:
    """A coarse picture of a face, float64 (256,) of mean 0 and norm 1: equal ones look alike.

    Args:
        picture: uint8 (H, W, 3) RGB.
        mesh: The face in it, in samples of that picture.
    """
    x, y, side = mesh.square
    height, width = picture.shape[:2]
    left, top = min(max(0.0, x - side / 3), width - 1.0), min(max(0.0, y - side / 3), height - 1.0)
    right = max(left + 1, min(float(width), x + side / 3))
    bottom = max(top + 1, min(float(height), y + side / 3))
    part = Image.fromarray(picture).crop((int(left), int(top), int(right) + 1, int(bottom) + 1))
    small = part.convert("L").resize((_PATCH, _PATCH), Image.Resampling.BOX)
    values = np.asarray(small, np.float64).reshape(-1)
    values = values - values.mean()
    return values / max(float(np.linalg.norm(values)), 1e-9)
