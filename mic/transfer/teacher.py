"""What MediaPipe's landmarker says of decoded pictures: the targets, and where the face is."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from mic.faces.blazeface import BlazeFace
from mic.faces.landmarks import BLENDSHAPES, Landmarker, Mesh, Roi, roi_of_box
from mic.recognition.follower import PRESENT

# All blendshapes but the first, "neutral", which is always next to zero.
SHAPES = BLENDSHAPES[1:]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Taught:
    """The teacher's answers for some pictures.

    Attributes:
        shapes: float32 (n, 51) in the order of `SHAPES`; NaN where no face is.
        rois: float64 (n, 4), squares around the face (x, y, side, angle); NaN the same.
    """

    shapes: np.ndarray
    rois: np.ndarray


class Teacher:
    """Follows the largest face of a film.

    Raises:
        AssetError: The networks cannot be fetched.
    """

    def __init__(self) -> None:
        self._landmarker, self._finder = Landmarker(), BlazeFace()

    def watch(self, pictures: Sequence[np.ndarray]) -> Taught:
        """Looks at every picture, uint8 (H, W, 3) RGB each, in their order."""
        shapes = np.full((len(pictures), len(SHAPES)), np.nan, np.float32)
        rois = np.full((len(pictures), 4), np.nan)
        mesh: Mesh | None = None
        for row, picture in enumerate(pictures):
            mesh = self._look(picture, mesh.roi) if mesh is not None else None
            mesh = mesh or self._find(picture)
            if mesh is not None:
                shapes[row], rois[row] = self._landmarker.blendshapes(mesh)[1:], mesh.roi
        return Taught(shapes=shapes, rois=rois)

    def _look(self, picture: np.ndarray, roi: Roi) -> Mesh | None:
        mesh = self._landmarker.look(picture, roi)
        return mesh if mesh.presence >= PRESENT else None

    def _find(self, picture: np.ndarray) -> Mesh | None:
        found = self._finder.detect(picture)
        if not found:
            return None
        largest = max(found, key=lambda one: one.box[2] - one.box[0])
        mesh = self._look(picture, roi_of_box(largest.box, largest.eyes))
        # A detector's box is a rough one: look again where the points are.
        return None if mesh is None else self._look(picture, mesh.roi)
