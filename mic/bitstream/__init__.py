"""Residuals, motion vectors and modes of MPEG-4 Part 2 video, straight from the bitstream.

The parser in `native/` reads ISO/IEC 14496-2 (Simple Profile and the progressive part of Advanced
Simple without global motion) and hands out what is coded, without reconstructing a pixel. Only
`Stream.pictures` does that, for the region that is asked for.

    clip = mic.bitstream.read("face.mp4")
    clip.residual.y                              # int16 (T, H, W)

    with mic.bitstream.open("face.mp4") as stream:
        ten = stream.residual(range(0, 300, 30), scale=8, space="rgb")
        stream.motion([7]).blocks                # int16 (1, 2 h, 2 w, 2), quarter samples
        stream.pictures([7], region=(64, 32, 96, 96))[0].rgb()  # uint8 (96, 96, 3), exact
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mic.bitstream.arrays import SPACES, Frames, check_choice
from mic.bitstream.batch import residual_batch
from mic.bitstream.other_codecs import read_decoded
from mic.bitstream.pictures import Picture, Pictures, Region
from mic.bitstream.records import (
    BACKWARD,
    DIRECT,
    FORWARD,
    INTER,
    INTER4V,
    INTER_Q,
    INTERPOLATED,
    INTRA,
    INTRA_Q,
    MISSING,
    NOT_CODED,
    Accumulated,
    Clip,
    IFrame,
    Macroblocks,
    Motion,
    Residuals,
    SegmentSums,
)
from mic.bitstream.stream import PARTS, Stream
from mic.errors import ConfigError

__all__ = [
    "BACKWARD",
    "DIRECT",
    "FORWARD",
    "INTER",
    "INTER4V",
    "INTERPOLATED",
    "INTER_Q",
    "INTRA",
    "INTRA_Q",
    "MISSING",
    "NOT_CODED",
    "Accumulated",
    "Clip",
    "IFrame",
    "Macroblocks",
    "Motion",
    "Picture",
    "Pictures",
    "Region",
    "Residuals",
    "SegmentSums",
    "Stream",
    "open",
    "read",
    "residual_batch",
]


def open(path: str | Path, *, on_error: str = "raise") -> Stream:
    """Opens a clip for random access.

    Args:
        path: MPEG-4 Part 2 video in a container (mp4, avi, ...) or as an elementary stream, by
            whatever name.
        on_error: "raise", or "mask" to open a clip whose headers are hurt, as far as any of its
            layers can be read: what cannot be is in `Stream.errors`, its frames are "?" among
            `Stream.vop_types`. Frames are read as their own call's `on_error` says.

    Raises:
        CodecError: The file cannot be opened or demuxed.
        UnsupportedSyntaxError: It is not MPEG-4 Part 2, or outside the supported profile.
        BitstreamError: Its headers are damaged.
    """
    return Stream(path, on_error=on_error)


def read(
    path: str | Path,
    *,
    what: Sequence[str] = ("residual",),
    frames: Frames = None,
    scale: int = 1,
    space: str = "planes",
    method: str = "bitstream",
    on_error: str = "raise",
    threads: int = 1,
) -> Clip:
    """Reads a clip in one call.

    Args:
        path: The video.
        what: Any of "residual", "motion", "macroblocks".
        frames: Frame numbers, a slice, or None for all.
        scale: 1, 2, 4 or 8: residual planes of 1/scale size.
        space: "planes", "ycbcr" or "rgb".
        method: "bitstream" parses MPEG-4 Part 2, exact and fast. "decoded" is the slow way for
            other codecs: libavcodec decodes, the motion-compensated reference is subtracted; what
            that changes is listed in `mic.decoded.residuals`. It knows no scale, no mask and no
            threads.
        on_error: "raise" or "mask", see `Stream.residual`.
        threads: Frames are parsed in parallel.

    Raises:
        CodecError: The file cannot be opened, demuxed or (method="decoded") decoded.
        UnsupportedSyntaxError: Its codec or a feature it uses is not supported by the method.
        BitstreamError: It is damaged (with on_error="raise").
        ConfigError: An argument is out of its range.
    """
    check_choice("method", (method,), ("bitstream", "decoded"))
    if method == "decoded":
        check_choice("what", what, PARTS)
        check_choice("space", (space,), SPACES)
        if (scale, on_error, threads) != (1, "raise", 1):
            raise ConfigError(
                'method="decoded" knows no scale, on_error or threads',
                remedy='leave them out, or use method="bitstream"',
            )
        return read_decoded(Path(path), what=what, frames=frames, space=space)
    with open(path, on_error=on_error) as stream:
        return stream.read(
            what=what,
            frames=frames,
            scale=scale,
            space=space,
            on_error=on_error,
            threads=threads,
        )
