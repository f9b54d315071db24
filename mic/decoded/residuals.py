"""Residuals for any codec whose decoder exports motion vectors: frame minus its prediction.

`mic.bitstream` parses MPEG-4 Part 2 and never reconstructs a pixel; that is the fast, exact way.
This module is the slow way for the others (H.264, H.263, MPEG-1, MPEG-2 and relatives): libavcodec
decodes, we motion-compensate the reference frame ourselves and subtract.

    for frame in mic.decoded.residuals.frames(path):
        frame.number, frame.kind, frame.y, frame.cb, frame.cr, frame.motion, frame.intra

What differs from the coded residual, because a decoder does not tell it:

- the loop filter of H.264 works after the residual was added: its change counts as residual;
- sums that the decoder clipped to [0, 255] are seen clipped;
- `rounding_control` of MPEG-4 Part 2 and H.263 is not exported and taken as 0: samples at
  half positions may be off by one;
- which reference frame a block used is not exported. The I- or P-frame before is taken for the
  past (after, for the future of B-frames): exact with one reference frame and B-frames that
  nothing refers to;
- H.264 partitions smaller than 8x8 come with one vector, weighted prediction without weights;
- MPEG-4 Part 2 and its relatives of a size that is not whole macroblocks: vectors that point
  beyond the right or lower border read the picture's last sample, not the macroblock's.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
from av.video.frame import PictureType

from mic.decoded.interpolation import (
    chroma_half_sample,
    dense,
    eighth_sample,
    half_sample,
    quarter_sample,
    six_tap,
)
from mic.errors import CodecError, UnsupportedSyntaxError
from mic_bitstream.containers import open_container, packets_of, video_stream
from mic_bitstream.files import MAX_PIXELS, check_size

_REMEDY = "re-encode it with `mic.codec.reencode` and use method='bitstream'"
_EXPORTING = frozenset(
    {"flv", "h263", "h264", "mpeg1video", "mpeg2video", "mpeg4"}
    | {"msmpeg4", "msmpeg4v1", "msmpeg4v2", "wmv1", "wmv2"}
)

_EXTRA = 1 << 60  # time stamp of the packet that only flushes the decoder

Planes = tuple[np.ndarray, np.ndarray, np.ndarray]


@dataclasses.dataclass(frozen=True)
class DecodedFrame:
    """One frame in display order.

    Attributes:
        number: Index from 0.
        kind: "I", "P" or "B".
        y: Residual, int16 (H, W); zero in intra blocks and in I-frames.
        cb: Residual, int16 (ceil(H / 2), ceil(W / 2)).
        cr: As `cb`.
        motion: Vectors to the past reference per 8x8 block, int16 (ceil(H / 8), ceil(W / 8), 2)
            as (x, y) in quarter samples; zero where there is none.
        intra: bool (ceil(H / 8), ceil(W / 8)): blocks without any vector.
    """

    number: int
    kind: str
    y: np.ndarray
    cb: np.ndarray
    cr: np.ndarray
    motion: np.ndarray
    intra: np.ndarray


@dataclasses.dataclass(frozen=True)
class _Picture:
    kind: str
    planes: Planes
    vectors: np.ndarray


@dataclasses.dataclass(frozen=True)
class _Field:
    """Vectors of one direction on whole macroblocks: (2 h, 2 w, 2) and masks of 8x8 blocks."""

    motion: np.ndarray
    present: np.ndarray
    four: np.ndarray
    scale: int


def frames(path: str | Path) -> Iterator[DecodedFrame]:
    """Decodes a video and yields the residual of each frame; memory is flat in its length.

    Args:
        path: A video of a codec whose libavcodec decoder exports motion vectors, 8 bits, 4:2:0,
            progressive.

    Raises:
        CodecError: The file cannot be opened or decoded.
        UnsupportedSyntaxError: The codec exports no vectors, or the video is interlaced, not
            8-bit 4:2:0.
    """
    path = Path(path)
    try:
        with open_container(path) as container:
            yield from _frames(container, path)
    except av.FFmpegError as error:
        raise CodecError(f"cannot decode: {error}", file=path, remedy=_REMEDY) from error


def _frames(container: av.container.InputContainer, path: Path) -> Iterator[DecodedFrame]:
    stream = video_stream(container, path)
    context = stream.codec_context
    codec = context.name
    if codec not in _EXPORTING:
        raise UnsupportedSyntaxError(
            f"the decoder of {codec} exports no motion vectors", file=path, remedy=_REMEDY
        )
    # apply_cropping=0 keeps the rows and columns that vectors may read outside the picture;
    # explode turns damage that the decoder sees into an error instead of a concealed frame.
    check_size(context.width, context.height, path)
    context.options = {
        "max_pixels": str(MAX_PIXELS),
        "flags2": "+export_mvs",
        "apply_cropping": "0",
        "err_detect": "bitstream+buffer+explode",
    }
    size = (context.height, context.width)
    past: _Picture | None = None
    waiting: list[_Picture] = []
    number = 0
    for picture in _pictures(container, stream, path):
        if picture.kind == "B" and past is not None:
            if codec == "mpeg4":
                raise UnsupportedSyntaxError(
                    "libavcodec exports no vectors for B-VOPs", file=path, remedy=_REMEDY
                )
            waiting.append(picture)
            continue
        for bidirectional in waiting:
            yield _residual(number, bidirectional, past, picture, codec, size)
            number += 1
        waiting.clear()
        yield _residual(number, picture, past, None, codec, size)
        number += 1
        past = picture
    for bidirectional in waiting:
        yield _residual(number, bidirectional, past, None, codec, size)
        number += 1
    if number == 0:
        raise CodecError("holds no video frame", file=path, remedy="check that it is complete")


def _pictures(
    container: av.container.InputContainer, stream: av.VideoStream, path: Path
) -> Iterator[_Picture]:
    first: av.Packet | None = None
    sent = shown = 0
    for packet in packets_of(container, stream, path):
        if packet.size:
            first = first or packet
            sent += 1
        elif stream.codec_context.name != "h264" and shown < sent and first is not None:
            # libavcodec's MPEG family drains its last frame without vectors; one more key frame
            # behind it makes it come out in the normal way.
            first.pts = _EXTRA
            for frame in first.decode():
                if frame.pts != _EXTRA:
                    yield _picture(frame, path)
            break
        for frame in packet.decode():
            shown += 1
            yield _picture(frame, path)


def planes_of(frame: av.VideoFrame) -> Planes:
    """Y, Cb, Cr of a 4:2:0 frame as int32 copies (H, W), (ceil(H / 2), ceil(W / 2)) twice."""
    found = []
    for plane in frame.planes:
        rows = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)
        found.append(rows[:, : plane.width].astype(np.int32))
    return found[0], found[1], found[2]


def vectors_of(frame: av.VideoFrame) -> np.ndarray:
    """The motion vectors that libavcodec attached: a structured array, empty if none."""
    data = frame.side_data.get("MOTION_VECTORS")
    names = ("source", "w", "h", "dst_x", "dst_y", "motion_x", "motion_y", "motion_scale")
    if data is None:
        return np.zeros(0, [(name, np.int32) for name in names])
    return data.to_ndarray()


def _picture(frame: av.VideoFrame, path: Path) -> _Picture:
    if frame.interlaced_frame:
        raise UnsupportedSyntaxError("the video is interlaced", file=path, remedy=_REMEDY)
    if frame.format.name not in ("yuv420p", "yuvj420p"):
        raise UnsupportedSyntaxError(
            f"the samples are {frame.format.name}, not 8-bit 4:2:0", file=path, remedy=_REMEDY
        )
    kind = PictureType(frame.pict_type).name
    return _Picture(kind if kind in "IB" else "P", planes_of(frame), vectors_of(frame))


def _residual(
    number: int,
    picture: _Picture,
    past: _Picture | None,
    future: _Picture | None,
    codec: str,
    size: tuple[int, int],
) -> DecodedFrame:
    height, width = picture.planes[0].shape
    rows, columns = -(-height // 16), -(-width // 16)
    total = [np.zeros(plane.shape, np.int32) for plane in picture.planes]
    counts = np.zeros((2 * rows, 2 * columns), np.int32)
    motion = np.zeros((2 * rows, 2 * columns, 2), np.int16)
    for reference, before in ((past, True), (future, False)):
        field = _field(picture.vectors, rows, columns, before=before)
        if reference is None or not field.present.any():
            continue
        prediction = _predict(reference.planes, field, codec)
        for component, (sums, part) in enumerate(zip(total, prediction, strict=True)):
            sums += part * _mask(field.present, component, part.shape)
        counts += field.present
        if before:
            motion = (field.motion * 4 // field.scale).astype(np.int16)
    residual = []
    for component, (now, sums) in enumerate(zip(picture.planes, total, strict=True)):
        count = _mask(counts, component, now.shape)
        # (a + b + 1) >> 1 for two references, a for one (H.264 8.4.2.3, MPEG-4 Part 2 7.6.9).
        mean = np.where(count == 2, (sums + 1) >> 1, sums)
        part = np.where(count > 0, now - mean, 0).astype(np.int16)
        shown = tuple(-(-side // (2 if component else 1)) for side in size)
        residual.append(part[: shown[0], : shown[1]])
    blocks = slice(-(-size[0] // 8)), slice(-(-size[1] // 8))
    y, cb, cr = residual
    return DecodedFrame(number, picture.kind, y, cb, cr, motion[blocks], (counts == 0)[blocks])


def _mask(blocks: np.ndarray, component: int, shape: tuple[int, ...]) -> np.ndarray:
    return dense(blocks, 4 if component else 8, shape)


def _field(vectors: np.ndarray, rows: int, columns: int, *, before: bool) -> _Field:
    """Paints the exported blocks (16x16, 16x8, 8x16 or 8x8) on a grid of 8x8 blocks."""
    motion = np.zeros((2 * rows, 2 * columns, 2), np.int32)
    present = np.zeros((2 * rows, 2 * columns), bool)
    four = np.zeros((rows, columns), bool)
    chosen = vectors[(vectors["source"] < 0) == before]
    scale = int(chosen["motion_scale"][0]) if len(chosen) else 2
    # dst_x, dst_y are the block's centre.
    top = (chosen["dst_y"] - chosen["h"] // 2) // 8
    left = (chosen["dst_x"] - chosen["w"] // 2) // 8
    value = np.stack([chosen["motion_x"], chosen["motion_y"]], 1)
    inside = (top >= 0) & (top < 2 * rows) & (left >= 0) & (left < 2 * columns)
    for down in (0, 1):
        for right in (0, 1):
            covers = inside & (chosen["h"] > 8 * down) & (chosen["w"] > 8 * right)
            place = (top[covers] + down).clip(max=2 * rows - 1), left[covers] + right
            place = place[0], place[1].clip(max=2 * columns - 1)
            motion[place], present[place] = value[covers], True
    small = inside & (chosen["w"] == 8) & (chosen["h"] == 8)
    four[top[small] // 2, left[small] // 2] = True
    return _Field(motion, present, four, scale)


def _predict(reference: Planes, field: _Field, codec: str) -> Planes:
    y, cb, cr = reference
    if codec == "h264":
        chroma = dense(field.motion, 4, cb.shape)
        luma = six_tap(y, dense(field.motion, 8, y.shape))
        return luma, eighth_sample(cb, chroma), eighth_sample(cr, chroma)
    quarter = field.scale == 4
    if quarter:
        luma = quarter_sample(y, field.motion, field.four)
    else:
        luma = half_sample(y, dense(field.motion, 8, y.shape))
    if codec in ("mpeg1video", "mpeg2video"):
        # Chroma vectors are the luma's halved towards zero (ISO/IEC 13818-2, 7.6.3.7).
        halved = np.trunc(field.motion[::2, ::2] / 2).astype(np.int32)
    else:
        halved = chroma_half_sample(field.motion, field.four, quarter=quarter)
    chroma = dense(halved, 8, cb.shape)
    return luma, half_sample(cb, chroma), half_sample(cr, chroma)
