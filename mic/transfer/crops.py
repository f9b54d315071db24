"""The region of a face in what a bitstream says of a group of pictures.

The square of the one look at the I-frame is carried along the motion, as
`mic.recognition.follower` carries boxes; no P-frame is decoded. Everything is brought to `EDGE`
samples across that square, whatever the size of the face in the video.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from mic.bitstream import Stream
from mic.errors import ConfigError
from mic.faces.landmarks import EDGE as LOOKED
from mic.faces.landmarks import Roi
from mic.recognition.framing import Framing

EDGE = 64
# Part of the landmarker's square that is kept: a face fills two thirds of the whole.
KEPT = 0.8
STEPS = 16  # of motion, in a sample of the crop
# From the centre to beyond a turned corner, and what is averaged there, in sides of the square.
_REACH = 0.8
_INNER = 0.25  # half of the side of the middle part, which is face and no background


@dataclasses.dataclass(frozen=True, kw_only=True)
class Crops:
    """A face in some P-frames of one group of pictures.

    Attributes:
        residual: int16 (n, EDGE, EDGE), luma residual accumulated along the motion.
        motion: int16 (n, 2, EDGE, EDGE), x and y from each sample to where its chain starts in
            the I-frame, less the whole face's, in 1 / `STEPS` of a sample of the crop.
        iframe: uint8 (EDGE, EDGE), luma of the same square in the I-frame; 0 outside of it.
        shift: float32 (n, 2), how far the face was carried, in sides of the square.
    """

    residual: np.ndarray
    motion: np.ndarray
    iframe: np.ndarray
    shift: np.ndarray


def scale_of(side: float) -> int:
    """At which scale (1, 2, 4, 8) a square of so many samples is read: at least `EDGE` remain."""
    return next((scale for scale in (8, 4, 2) if side / scale >= EDGE), 1)


def cut(stream: Stream, iframe: int, frames: Sequence[int], roi: Roi) -> Crops:
    """Cuts a face out of P-frames.

    Args:
        stream: The video.
        iframe: Number of the I-frame that was looked at.
        frames: Numbers of P-frames that follow it, ascending, without an I-frame between.
        roi: The landmarker's square in the I-frame, in samples of the picture.

    Raises:
        ConfigError: No frames, not ascending, or beyond the group of pictures.
        BitstreamError: A frame on the way is damaged.
    """
    rows = list(frames)
    types = stream.vop_types
    fits = rows and rows == sorted(set(rows)) and rows[0] > iframe
    if not fits or types[iframe] != "I" or "I" in types[iframe + 1 : rows[-1] + 1]:
        raise ConfigError(
            "the frames are not ascending P-frames of one group of pictures",
            file=stream.path,
            place=f"I-frame {iframe}",
        )
    side = KEPT * roi.side
    scale = scale_of(side)
    found = stream.accumulated(rows, scale=scale, displacement=True)
    assert found.displacement is not None
    linear = Roi(roi.x, roi.y, side, roi.angle).matrix[:, :2] * (EDGE / LOOKED)
    start = np.array([roi.x, roi.y])
    residual, motion, carried = [], [], []
    centre = start
    for planes, field in zip(found.y, found.displacement, strict=True):
        moved = _median(field, centre / scale, _INNER * side / scale)
        centre = start - scale * moved
        framing = _framing(linear, centre)
        # The rest of the picture is not looked at.
        seen = _around(centre / scale, _REACH * side / scale, planes.shape)
        vectors = STEPS * scale * (field[seen] - moved) @ linear.T
        stack = np.stack([planes[seen], vectors[..., 0], vectors[..., 1]])
        limits = np.iinfo(np.int16)
        whole = np.zeros((3, *planes.shape), np.int16)
        whole[:, *seen] = np.clip(np.rint(stack), limits.min, limits.max)
        cropped = framing.residuals(whole[None], scale=scale, size=EDGE)[0]
        residual.append(cropped[0])
        motion.append(cropped[1:])
        carried.append((centre - start) / side)
    return Crops(
        residual=np.stack(residual),
        motion=np.stack(motion),
        iframe=_picture(stream.iframe(iframe).y, _framing(linear, start), scale),
        shift=np.array(carried, np.float32),
    )


def _framing(linear: np.ndarray, centre: np.ndarray) -> Framing:
    matrix = np.column_stack([linear, EDGE / 2 - linear @ centre])
    return Framing(matrix, np.zeros((5, 2), np.float32), EDGE)


def _median(field: np.ndarray, centre: np.ndarray, half: float) -> np.ndarray:
    """(2,) median displacement around a centre; zero where that lies outside the picture."""
    part = field[_around(centre, half, field.shape[:2])]
    if not part.size:
        return np.zeros(2)
    moved: np.ndarray = np.median(part.reshape(-1, 2), axis=0).astype(float)
    return moved


def _around(centre: np.ndarray, half: float, shape: Sequence[int]) -> tuple[slice, slice]:
    """Rows and columns of a square, as far as they lie in a picture of (height, width)."""
    left, top = np.maximum(np.rint(centre - half), 0).astype(int)
    right, bottom = np.maximum(np.rint(centre + half).astype(int) + 1, 0)
    return slice(top, min(bottom, shape[0])), slice(left, min(right, shape[1]))


def _picture(luma: np.ndarray, framing: Framing, scale: int) -> np.ndarray:
    height, width = (length // scale * scale for length in luma.shape)
    blocks = luma[:height, :width].reshape(height // scale, scale, width // scale, scale)
    small = np.rint(blocks.mean((1, 3))).astype(np.int16)
    cropped = framing.residuals(small[None, None], scale=scale, size=EDGE)[0, 0]
    found: np.ndarray = np.clip(cropped, 0, 255).astype(np.uint8)
    return found
