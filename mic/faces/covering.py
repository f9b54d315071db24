"""Occlusion: whether the eyes and the mouth of a face are seen, or only guessed at.

The landmark network puts points on a mouth behind a mask as surely as on a bare one, and says that
a face is there. But where it puts them then depends on the square that it was given: looked at
again from other squares, points that are seen stay, and those that are guessed at wander. Those
behind dark glasses stay too, but it is dark there. And of a blurred face nothing is seen.

    hidden(landmarker, picture, mesh) > 0.5
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from mic.faces.landmarks import Landmarker, Mesh, Roi
from mic.faces.sharpness import BLURRED, detail

# Points around the eyes, and around the mouth, in the numbers of the mesh.
_EYES = (33, 133, 159, 145, 263, 362, 386, 374)
_MOUTH = (61, 291, 13, 14, 0, 17, 78, 308)
# The other squares: shift of the middle in parts of the side, factor of the side, turn in radians.
_TURNED = (-0.04, -0.04, 1.1, 0.1)
_LOWER = (0.0, 0.06, 1.0, 0.0)
# How far eyes or mouth may wander in the turned square, and eyes, and a mouth, in the mean of both
# of these weights; in parts of the square's side. With these, of 244 pictures of 13 films whose
# faces were bare (as they are, small, and after JPEG of quality 12) 5 are called covered, of those
# with a mask, a hand, a box or a half painted over eyes or mouth 0.85.
_LIMIT = 0.0075
_LIMITS = (0.0036, 0.0046)
_WEIGHTS = (0.2, 0.8)
# In parts of the limit, up to where and from where on the turned square alone is enough: three of
# four bare faces need no second look.
_STILL, _LOST = 0.4, 1.5
COVERED = 1.0
# The network's own presence is 1 for bare faces; so little means that next to nothing is seen.
SURE = 0.9
# Points wander too when the square in which they were found was not the face's own: so whoever
# wanders as much as this is looked at again from that one first.
_AGAIN = 0.7
_PATCH = 16
# Skin above and below each eye, and of the cheeks. Behind dark glasses the first is darker than
# this part of the second; of 223 bare faces of 16 films and 243 drawn ones none is below 0.42.
_LIDS = (
    (27, 29, 30, 28, 56, 23, 22, 24, 26, 110),
    (257, 259, 260, 258, 286, 253, 252, 254, 256, 339),
)
_CHEEKS = (50, 280, 205, 425, 101, 330)
_DARK = 0.33


def doubt(
    landmarker: Landmarker, picture: np.ndarray, mesh: Mesh, *, enough: float = _LOST
) -> float:
    """Occlusion score: how far eyes or mouth wander when the face is looked at from other squares.

    Args:
        landmarker: What found the mesh.
        picture: uint8 (H, W, 3) RGB.
        mesh: The face in it, in samples of that picture.
        enough: From where on nobody needs to know more than that the doubt is as large.

    Returns:
        The larger of both means over points, in parts of what bare faces keep: above `COVERED`
        something hides them.
    """
    turned = _wandered(landmarker, picture, mesh, _TURNED)
    found = float(turned.max()) / _LIMIT
    if not _STILL < found < enough:
        return found
    lower = _wandered(landmarker, picture, mesh, _LOWER)
    both = np.average([turned, lower], axis=0, weights=_WEIGHTS)
    return max(found, float((both / _LIMITS).max()))


def hidden(landmarker: Landmarker, picture: np.ndarray, mesh: Mesh) -> float:
    """Occlusion: how surely eyes or mouth are covered, 0 to 1; above 0.5 a face is called covered.

    Args:
        landmarker: What found the mesh.
        picture: uint8 (H, W, 3) RGB.
        mesh: The face in it, in samples of that picture.
    """
    if detail(picture, mesh) < BLURRED:
        return 1.0
    lids = max(_brightness(picture, mesh, around) for around in _LIDS)
    if lids < _DARK * _brightness(picture, mesh, _CHEEKS):
        return 1.0
    found = doubt(landmarker, picture, mesh, enough=_AGAIN)
    if found > _AGAIN or mesh.presence < SURE:
        mesh = landmarker.look(picture, mesh.roi)
        found = doubt(landmarker, picture, mesh)
    return 1.0 if mesh.presence < SURE else min(max(found / COVERED - 0.5, 0.0), 1.0)


def _brightness(picture: np.ndarray, mesh: Mesh, points: tuple[int, ...]) -> float:
    """The mean over samples at some points, of all three colours."""
    most = np.array(picture.shape[1::-1]) - 1
    x, y = mesh.points[list(points), :2].astype(int).clip(0, most).T
    return float(picture[y, x].mean())


def _wandered(
    landmarker: Landmarker,
    picture: np.ndarray,
    mesh: Mesh,
    step: tuple[float, float, float, float],
) -> np.ndarray:
    """How far eyes and mouth are from where they were, seen from another square: float64 (2,)."""
    x, y, side, angle = mesh.roi
    right, down, grown, turned = step
    square = Roi(x + right * side, y + down * side, grown * side, angle + turned)
    moved = np.abs(landmarker.look(picture, square).points - mesh.points)[:, :2] / side
    return np.array([moved[list(part)].mean() for part in (_EYES, _MOUTH)], np.float64)


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
    part = picture[int(top) : int(bottom) + 1, int(left) : int(right) + 1]
    small = Image.fromarray(part).convert("L").resize((_PATCH, _PATCH), Image.Resampling.BOX)
    values = np.asarray(small, np.float64).reshape(-1)
    values = values - values.mean()
    return values / max(float(np.linalg.norm(values)), 1e-9)
