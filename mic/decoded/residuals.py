"""Frame minus its prediction: the residual of any codec whose decoder exports motion vectors.

`mic.bitstream` parses MPEG-4 Part 2 and never reconstructs a pixel; that is the fast, exact way.
This module is the way for the others (H.264, H.263, MPEG-1, MPEG-2 and relatives): libavcodec
decodes, the reference frame is motion-compensated and subtracted. See `mic.decoded.Decoded`.

What differs from the coded residual, because a decoder does not tell it:

- the loop filter of H.264 works after the residual was added: its change counts as residual;
- sums that the decoder clipped to [0, 255] are seen clipped;
- `rounding_control` of MPEG-4 Part 2 and H.263 is not exported and taken as 0: samples at
  half positions may be off by one;
- which reference frame a block used is not exported. The I- or P-frame before is taken for the
  past (after, for the future of B-frames): exact with one reference frame and B-frames that
  nothing refers to;
- H.264 partitions smaller than 8x8 come with one vector, weighted prediction without weights;
- the global motion of MPEG-4 Part 2 (sprites) and the overlapped blocks and loop filter of H.263
  (annexes F and J) are not applied: what they predict counts as residual;
- MPEG-4 Part 2 and its relatives of a size that is not whole macroblocks: vectors that point
  beyond the right or lower border read the picture's last sample, not the macroblock's.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from mic.codec.video import Video
from mic.decoded.interpolation import (
    chroma_half_sample,
    dense,
    eighth_sample,
    half_sample,
    quarter_sample,
    six_tap,
)
from mic.decoded.source import Picture, Planes
from mic.errors import CodecError


@dataclasses.dataclass(frozen=True)
class FrameVectors:
    """Vectors of one frame, per 8x8 block of whole macroblocks.

    Attributes:
        number: From 0, as shown.
        kind: "I", "P" or "B".
        motion: Vectors to the past reference, int16 (2 h, 2 w, 2) for h x w macroblocks, as (x, y)
            in quarter samples; zero where there is none.
        backward: As `motion`, to the future reference of a B-frame.
        intra: bool (2 h, 2 w): blocks without any vector.
    """

    number: int
    kind: str
    motion: np.ndarray
    backward: np.ndarray
    intra: np.ndarray


@dataclasses.dataclass(frozen=True)
class DecodedFrame(FrameVectors):
    """Vectors and residual of one frame.

    Attributes:
        y: Residual, int16 (H, W); zero in intra blocks and in I-frames.
        cb: Residual, int16 (ceil(H / 2), ceil(W / 2)).
        cr: As `cb`.
    """

    y: np.ndarray
    cb: np.ndarray
    cr: np.ndarray


@dataclasses.dataclass(frozen=True)
class _Field:
    """Vectors of one direction on whole macroblocks: (2 h, 2 w, 2) and masks of 8x8 blocks."""

    motion: np.ndarray
    present: np.ndarray
    four: np.ndarray
    scale: int

    @property
    def quarters(self) -> np.ndarray:
        """The vectors in quarter samples, int16."""
        return (self.motion * 4 // self.scale).astype(np.int16)


def vectors(picture: Picture, size: tuple[int, int]) -> FrameVectors:
    """The vectors of a picture that has a number.

    Args:
        picture: As decoded; of its samples nothing is read.
        size: (width, height).
    """
    past, future = _fields(picture)
    return _frame_vectors(picture, past, future, past.present | future.present, size)


def residual(
    picture: Picture,
    past: Picture | None,
    future: Picture | None,
    *,
    video: Video,
) -> DecodedFrame:
    """Subtracts the prediction of a picture that has a number.

    Args:
        picture: As decoded.
        past: The I- or P-picture shown before it; None where there is none.
        future: The I- or P-picture shown after it, of a B-picture.
        video: What they are of.

    Raises:
        CodecError: It is predicted from a picture that is not there.
    """
    width, height = video.width, video.height
    fields = _fields(picture)
    given = []
    for reference, field in zip((past, future), fields, strict=True):
        if not field.present.any():
            continue
        if reference is None:
            raise CodecError(
                "is predicted from a picture that is not in the file",
                file=video.path,
                place=f"frame {picture.number}",
                remedy="get a whole copy of the file, or begin at a later frame",
            )
        given.append((reference, field))
    counts = sum((field.present.astype(np.int16) for _, field in given), np.int16(0))
    counts = np.broadcast_to(counts, fields[0].present.shape)
    found = []
    predictions = [_predict(reference.planes, field, video.codec) for reference, field in given]
    for component, now in enumerate(picture.planes):
        total = np.zeros(now.shape, np.int16)
        for (_, field), prediction in zip(given, predictions, strict=True):
            total += prediction[component] * _mask(field.present, component, now.shape)
        count = _mask(counts, component, now.shape)
        # (a + b + 1) >> 1 for two references, a for one (H.264 8.4.2.3, MPEG-4 Part 2 7.6.9).
        mean = np.where(count == 2, (total + 1) >> 1, total)
        part = np.where(count > 0, now - mean, np.int16(0))
        rows, columns = (-(-side // (2 if component else 1)) for side in (height, width))
        found.append(np.ascontiguousarray(part[:rows, :columns]))
    coded = _frame_vectors(picture, *fields, counts > 0, (width, height))
    return DecodedFrame(**vars(coded), y=found[0], cb=found[1], cr=found[2])


def _frame_vectors(
    picture: Picture,
    past: _Field,
    future: _Field,
    predicted: np.ndarray,
    size: tuple[int, int],
) -> FrameVectors:
    assert picture.number is not None
    columns, rows = (2 * -(-edge // 16) for edge in size)
    fields = (past.quarters, future.quarters, ~predicted)
    cut = (np.ascontiguousarray(field[:rows, :columns]) for field in fields)
    return FrameVectors(picture.number, picture.kind, *cut)


def _mask(blocks: np.ndarray, component: int, shape: tuple[int, ...]) -> np.ndarray:
    return dense(blocks, 4 if component else 8, shape)


def _fields(picture: Picture) -> tuple[_Field, _Field]:
    """Vectors into the past and into the future, on all coded macroblocks.

    H.264 that could be interlaced codes pairs of rows of them, the last of which may lie outside.
    """
    rows, columns = -(-picture.frame.height // 16), -(-picture.frame.width // 16)
    exported = picture.vectors
    past = exported["source"] < 0
    return _field(exported[past], rows, columns), _field(exported[~past], rows, columns)


def _field(chosen: np.ndarray, rows: int, columns: int) -> _Field:
    """Paints the exported blocks (16x16, 16x8, 8x16 or 8x8) on a grid of 8x8 blocks."""
    motion = np.zeros((2 * rows, 2 * columns, 2), np.int32)
    present = np.zeros((2 * rows, 2 * columns), bool)
    four = np.zeros((rows, columns), bool)
    scale = int(chosen["motion_scale"][0]) if len(chosen) else 2
    # dst_x, dst_y are the block's centre.
    top = (chosen["dst_y"] - chosen["h"] // 2) // 8
    left = (chosen["dst_x"] - chosen["w"] // 2) // 8
    value = np.stack([chosen["motion_x"], chosen["motion_y"]], 1)
    inside = (top >= 0) & (top < 2 * rows) & (left >= 0) & (left < 2 * columns)
    for down in (0, 1):
        for right in (0, 1):
            covers = inside & (chosen["h"] > 8 * down) & (chosen["w"] > 8 * right)
            place = (
                (top[covers] + down).clip(max=2 * rows - 1),
                (left[covers] + right).clip(max=2 * columns - 1),
            )
            motion[place], present[place] = value[covers], True
    small = inside & (chosen["w"] == 8) & (chosen["h"] == 8)
    four[top[small] // 2, left[small] // 2] = True
    return _Field(motion, present, four, scale)


def _predict(reference: Planes, field: _Field, codec: str) -> Planes:
    y, cb, cr = reference
    if codec == "h264":
        luma = six_tap(y, field.motion, 8)
        return luma, eighth_sample(cb, field.motion, 4), eighth_sample(cr, field.motion, 4)
    quarter = field.scale == 4
    if quarter:
        luma = quarter_sample(y, field.motion, field.four)
    else:
        luma = half_sample(y, field.motion, 8)
    if codec in ("mpeg1video", "mpeg2video"):
        # Chroma vectors are the luma's halved towards zero (ISO/IEC 13818-2, 7.6.3.7).
        halved = np.trunc(field.motion[::2, ::2] / 2).astype(np.int32)
    else:
        halved = chroma_half_sample(field.motion, field.four, quarter=quarter)
    return luma, half_sample(cb, halved, 8), half_sample(cr, halved, 8)
