"""Residuals, motion vectors and modes of MPEG-4 Part 2 video, straight from the bitstream.

The parser reads ISO/IEC 14496-2 (Simple Profile and the progressive part of Advanced Simple
without global motion) and hands out what is coded, without reconstructing a pixel. Only
`Stream.pictures` does that, for the region that is asked for.

    import mic_bitstream

    clip = mic_bitstream.read("clip.mp4")
    clip.residual.y                              # int16 (T, H, W)

    with mic_bitstream.open("clip.mp4") as stream:
        ten = stream.residual(range(0, 300, 30), scale=8, space="rgb")
        stream.motion([7]).blocks                # int16 (1, 2 h, 2 w, 2), quarter samples
        stream.pictures([7], region=(64, 32, 96, 96))[0].rgb()  # uint8 (96, 96, 3), exact

It needs NumPy and nothing else for elementary streams and plain MP4 files; PyAV (the extra
`containers`) for all other containers.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from mic_bitstream.arrays import Frames
from mic_bitstream.batch import residual_batch
from mic_bitstream.packets import PacketStream
from mic_bitstream.pictures import Picture, Pictures, Region
from mic_bitstream.records import (
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
from mic_bitstream.stream import Stream

__version__ = "0.1.0"
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
    "PacketStream",
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


def open(path: str | os.PathLike[str], *, on_error: str = "raise") -> Stream:
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
        ExtraError: It has to be demuxed, and PyAV is not installed.
    """
    return Stream(path, on_error=on_error)


def read(
    path: str | os.PathLike[str],
    *,
    what: Iterable[str] = ("residual",),
    frames: Frames = None,
    scale: int = 1,
    space: str = "planes",
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
        on_error: "raise" or "mask", see `Stream.residual`.
        threads: Frames are parsed in parallel.

    Raises:
        CodecError: The file cannot be opened or demuxed.
        UnsupportedSyntaxError: It is not MPEG-4 Part 2, or outside the supported profile.
        BitstreamError: It is damaged (with on_error="raise").
        ConfigError: An argument is out of its range.
        ExtraError: Its container has to be demuxed, and PyAV is not installed.
    """
    with open(path, on_error=on_error) as stream:
        return stream.read(
            what=what,
            frames=frames,
            scale=scale,
            space=space,
            on_error=on_error,
            threads=threads,
        )
