"""BlazeFace: finds faces in a picture of 128 by 128 samples in a millisecond.

Source: V. Bazarevsky et al., "BlazeFace: sub-millisecond neural face detection on mobile GPUs",
2019; the short-range network of MediaPipe's face landmarker (Google, Apache-2.0), which lies in
the same pinned bundle as the landmarks.

It was made for faces near a phone, so that a face must be about an eighth of the picture's longer
side. Smaller ones are looked for in overlapping squares of 0.6 of that side, and in large pictures
of 0.36: down to a twenty-fifth of it, or about 48 samples.

    BlazeFace().detect(picture)          # [Found(box, eyes, score), ...], the surest first
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from mic.faces import light
from mic.faces.alignment import checked
from mic.faces.landmarks import Roi, bundled, roi_of_box
from mic.faces.tflite import Network
from mic_bitstream.pictures import resampled

EDGE = 128
# Cells of the network's two grids, and boxes that each cell may give.
_GRIDS = ((16, 2), (8, 6))
# Two boxes of the same face: intersection over the smaller one.
_SAME = 0.3
# The smaller squares: their side in parts of the next larger ones', by how much they overlap in
# parts of their own, and the largest face that is taken from one, since a larger one may be cut by
# the square's border and has been seen in a larger square.
_SMALLER, _OVERLAP, _LARGEST = 0.6, 1 / 3, 0.4
# Least score of a face in the whole picture, and in one of the smaller squares: many squares have
# many chances to see one where none is.
_LIKELY, _SURE = 0.7, 0.85
# The squares in which the landmark network ends are so much larger and higher than those that fit
# MTCNN's boxes (medians of 174 faces of 18 films). From there its points are nearer to where
# they stay, and fewer faces have to be looked at again to tell whether something covers them.
_LARGER, _HIGHER = 1.16, 0.026
# No smaller squares than these, in samples and in number of sizes: fewer samples of a face than
# such a square needs, no network here can read.
_ENOUGH, _SIZES = 430, 3


class Found(NamedTuple):
    """A face.

    Attributes:
        box: float64 (4,): left, top, right, bottom in samples, from brow to chin.
        eyes: float64 (2, 2): the picture's left and right eye, as (x, y).
        score: 0 to 1.
    """

    box: np.ndarray
    eyes: np.ndarray
    score: float

    @property
    def roi(self) -> Roi:
        """Where to look for its points."""
        x, y, side, angle = roi_of_box(self.box, self.eyes)
        up = _HIGHER * side
        return Roi(x + up * np.sin(angle), y - up * np.cos(angle), _LARGER * side, angle)


class BlazeFace:
    """The network and the way through a picture.

    Raises:
        AssetError: The network cannot be fetched.
    """

    def __init__(self) -> None:
        self._network = Network(bundled("face_detector.tflite"))
        self._middles = _middles()

    def detect(self, picture: np.ndarray) -> list[Found]:
        """Every face of a picture, uint8 (H, W, 3) RGB, the surest first.

        Raises:
            FaceError: It is no such array.
        """
        picture = light.lit(checked(picture))
        height, width = picture.shape[:2]
        found: list[Found] = []
        for side in _sides(width, height):
            whole = side == max(width, height)
            most, least = (np.inf, 0.0) if whole else (_LARGEST * side, _SURE)
            for x, y in _squares(width, height, side):
                for one in self._in(picture, x, y, side):
                    if max(one.box[2:] - one.box[:2]) < most and one.score >= least:
                        found.append(one)
        found.sort(key=lambda one: -one.score)
        kept: list[Found] = []
        for one in found:
            if all(_overlap(one.box, other.box) < _SAME for other in kept):
                kept.append(one)
        return kept

    def _in(self, picture: np.ndarray, x: int, y: int, side: int) -> Iterator[Found]:
        """The faces of one square; what of it lies outside the picture is grey."""
        scale = EDGE / side
        matrix = np.array([[scale, 0, -x * scale], [0, scale, -y * scale]])
        values = resampled(picture, matrix, EDGE)[None] * 2 - 1
        inside = (picture.shape[0] - y, picture.shape[1] - x)
        high, wide = (max(1, round(min(edge, side) * scale)) for edge in inside)
        values[0, high:], values[0, :, wide:] = 0, 0
        regressors, logits = self._network(values)
        scores = 1 / (1 + np.exp(-logits[0, :, 0].astype(np.float64).clip(-80, 80)))
        for k in np.flatnonzero(scores >= _LIKELY):
            # Middle, size and six points, from the middle of the cell.
            numbers = regressors[0, k].astype(np.float64).reshape(8, 2) / EDGE
            middle, extent = numbers[0] + self._middles[k], numbers[1]
            box = np.concatenate([middle - extent / 2, middle + extent / 2]) * side
            eyes = (numbers[2:4] + self._middles[k]) * side
            corner = np.array([x, y])
            yield Found(box + np.tile(corner, 2), eyes + corner, float(scores[k]))


def _sides(width: int, height: int) -> list[int]:
    """Sides of the squares, from the whole picture downwards."""
    sides = [max(width, height)]
    while sides[-1] > _ENOUGH and len(sides) < _SIZES:
        side, short = round(_SMALLER * sides[-1]), min(width, height)
        # A little smaller, and one row of squares is enough.
        sides.append(short if 0.83 * side < short < side else side)
    return sides


def _squares(width: int, height: int, side: int) -> Iterator[tuple[int, int]]:
    """Left and top of the squares that cover a picture."""
    for top in _starts(height, side):
        for left in _starts(width, side):
            yield left, top


def _starts(length: int, side: int) -> list[int]:
    if length <= side:
        return [0]
    count = int(np.ceil((length - side) / (side * (1 - _OVERLAP)) - 1e-2)) + 1
    return [round(k * (length - side) / (count - 1)) for k in range(count)]


def _middles() -> np.ndarray:
    """Middles of the cells from which boxes are measured, float64 (896, 2), in parts of a side."""
    found = []
    for cells, boxes in _GRIDS:
        y, x = np.meshgrid(*[(np.arange(cells) + 0.5) / cells] * 2, indexing="ij")
        found.append(np.stack([x, y], -1).reshape(-1, 2).repeat(boxes, axis=0))
    return np.concatenate(found)


def _overlap(one: np.ndarray, other: np.ndarray) -> float:
    """Intersection over the smaller of two boxes."""
    low, high = np.maximum(one[:2], other[:2]), np.minimum(one[2:], other[2:])
    shared = float(np.prod(np.maximum(high - low, 0)))
    return shared / max(min(np.prod(box[2:] - box[:2]) for box in (one, other)), 1e-6)
