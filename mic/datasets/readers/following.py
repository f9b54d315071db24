"""The face followed through a clip, for films: the cut goes where the head goes.

The cut has one size for the whole clip, so that coming nearer stays visible, and moves smoothly,
as a camera operator would move it: what it moves by is not mistaken for a change of the face.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy.ndimage import uniform_filter1d

from mic import faces
from mic.faces import CROP_SIZE, DROP, MARGIN, SEEN

EVERY = 5  # frames between two looks
_SMOOTH = 13  # frames of the moving average over the cut's place: half a second of film


@dataclass(frozen=True, kw_only=True)
class Path:
    """Where the cut lies in each of T frames.

    Attributes:
        centres: (T, 2) x, y in samples.
        edge: Of the square in samples.
        coverage: Share of the frames in which a face was found; 0: the picture's middle is shown.
    """

    centres: np.ndarray
    edge: float
    coverage: float


def path(frames: Iterable[np.ndarray], *, every: int = EVERY) -> Path:
    """Follows the face of a clip; where it is lost for a while the cut moves on steadily.

    Args:
        frames: uint8 (H, W, 3) RGB.
        every: See `mic.faces.track`.

    Raises:
        FaceError: There is no frame.
    """
    shape: list[tuple[int, ...]] = []

    def noted() -> Iterator[np.ndarray]:
        for frame in frames:
            shape[:] = [frame.shape]
            yield frame

    # Clips have some forty frames: a face that one look misses is looked for at the next.
    found = faces.track(noted(), every=every, retry=1)
    count = len(found.statuses)
    height, width = shape[0][:2]
    known = np.flatnonzero(np.isin(found.statuses, SEEN) & np.isfinite(found.points).all((1, 2)))
    if not len(known):
        middle = np.array([width / 2, height / 2])
        return Path(centres=np.tile(middle, (count, 1)), edge=min(height, width), coverage=0.0)
    cuts = np.array([_cut(found.points[number]) for number in known])
    edge = min(float(np.median(cuts[:, 2])), height, width)
    when = np.arange(count)
    centres = np.stack([np.interp(when, known, column) for column in cuts[:, :2].T], 1)
    centres = uniform_filter1d(centres, _SMOOTH, axis=0, mode="nearest")
    centres = np.clip(centres, edge / 2, [width - edge / 2, height - edge / 2])
    return Path(centres=centres, edge=edge, coverage=len(known) / count)


def cut(frames: Iterable[np.ndarray], along: Path, size: int) -> Iterator[np.ndarray]:
    """The followed square of each frame, uint8 (size, size, 3).

    Frames beyond the path's end, which a second decoding may bring, are not shown.
    """
    half = along.edge / 2
    for frame, (x, y) in zip(frames, along.centres, strict=False):
        picture = Image.fromarray(frame).resize(
            (size, size), Image.Resampling.BICUBIC, box=(x - half, y - half, x + half, y + half)
        )
        yield np.asarray(picture)


def _cut(points: np.ndarray) -> tuple[float, float, float]:
    """x, y of the middle and edge of the square around a face, as `portrait` places it."""
    matrix = faces.similarity(points)
    edge = CROP_SIZE / float(np.hypot(matrix[0, 0], matrix[1, 0])) * (1 + 2 * MARGIN)
    x, y = np.linalg.solve(matrix[:, :2], np.full(2, CROP_SIZE / 2) - matrix[:, 2])
    return float(x), float(y + DROP * edge), edge
