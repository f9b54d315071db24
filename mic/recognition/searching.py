"""Where in a whole picture faces may be, from quick and likely to slow and rare.

BlazeFace sees upright faces and, often, tilted ones. Where nobody is found in what it saw, MTCNN
is asked, which sees smaller faces; and then BlazeFace again, with the picture turned by quarters
of a circle: who lies down, and who was filmed with a telephone on its side whose file does not
say so.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from PIL import Image

from mic import faces
from mic.faces import covering
from mic.faces.blazeface import BlazeFace
from mic.faces.landmarks import Landmarker, Mesh, Roi, roi_of_box

# Longest side of the pictures that MTCNN searches: first quickly, then for small faces.
_SOUGHT = (320, 640)
# Of pictures longer than this so many times as much, twice at most.
_LARGE = 1280
# One search in so many asks three more times, for what is rare.
_RARELY = 4
# The network's presence of whole faces: of 80 of ten people, also at a quarter of their size, all
# have more, of 32 of them that stand on their heads all have less.
CERTAIN = 0.99995


class Place(NamedTuple):
    """Where a face may be.

    Attributes:
        box: float64 (4,): left, top, right, bottom in samples.
        roi: The square to look at.
        doubtful: Whether only a face that is surely seen is to be believed there.
    """

    box: np.ndarray
    roi: Roi
    doubtful: bool = False


class Searcher:
    """Searches whole pictures.

    Args:
        finder: BlazeFace.
    """

    def __init__(self, finder: BlazeFace) -> None:
        self._finder = finder

    def stages(
        self, picture: np.ndarray, *, alone: bool, misses: int, thorough: bool
    ) -> Iterator[list[Place]]:
        """Places where a face may be, from the cheapest way of searching to the dearest.

        Each way is tried only when the caller asks for it: whoever has found a face stops asking.

        Args:
            picture: uint8 (H, W, 3) RGB.
            alone: Whether nobody is known to be there.
            misses: How many searches before this one have found nobody.
            thorough: Whether to look for small faces though others are there.

        Yields:
            The places of one way of searching, the surest or largest first.
        """
        yield [Place(one.box, one.roi) for one in self._finder.detect(picture)]
        if not alone and not thorough:
            return
        # Small faces take longer to look for: every other time when there is nobody.
        yield _small(picture, _SOUGHT[-1 if thorough else misses % 2])
        if alone and misses % _RARELY == 0:
            for quarters in (1, 3, 2):
                yield self.turned(picture, quarters)

    def turned(self, picture: np.ndarray, quarters: int) -> list[Place]:
        """What is seen when the picture is turned counter-clockwise by quarters of a circle."""
        places = []
        for one in self._finder.detect(np.ascontiguousarray(np.rot90(picture, quarters))):
            roi = one.roi
            points = np.array([one.box[:2], one.box[2:], (roi.x, roi.y)])
            for number in reversed(range(quarters)):  # as wide as before that quarter
                width = picture.shape[1 - number % 2]
                points = np.stack([width - points[:, 1], points[:, 0]], 1)
            box = np.concatenate([points[:2].min(0), points[:2].max(0)])
            x, y = points[2].tolist()
            square = Roi(x, y, roi.side, roi.angle + quarters * np.pi / 2)
            places.append(Place(box, square, doubtful=True))
        return places


def upright(landmarker: Landmarker, picture: np.ndarray, mesh: Mesh) -> bool:
    """Whether a face is surely seen the right way up and whole.

    A face that stands on its head is taken for one that does not, and its points for a guess.

    Args:
        landmarker: What found the mesh.
        picture: uint8 (H, W, 3) RGB.
        mesh: The face in it.
    """
    sure = mesh.presence >= CERTAIN
    return sure and covering.doubt(landmarker, picture, mesh) < covering.COVERED


def _small(picture: np.ndarray, sought: int) -> list[Place]:
    """What MTCNN sees, the largest first."""
    height, width = picture.shape[:2]
    longest = max(height, width)
    scale = min(1.0, sought * min(max(longest / _LARGE, 1), 2) / longest)
    if scale < 1:
        small = (max(1, round(width * scale)), max(1, round(height * scale)))
        picture = np.asarray(Image.fromarray(picture).resize(small, Image.Resampling.BOX))
    others = faces.detector().detect_all(picture)
    order = np.argsort(-(others.boxes[:, 2] - others.boxes[:, 0]), kind="stable")
    boxes, points = others.boxes / scale, others.points / scale
    return [Place(boxes[k], roi_of_box(boxes[k], points[k])) for k in order]
