"""Residuals, motion vectors and modes of MPEG-4 Part 2 video, straight from the bitstream.

No pixel is reconstructed: the parser in `native/` reads ISO/IEC 14496-2 (Simple Profile and the
progressive, B-free part of Advanced Simple) and hands out what is coded.

    clip = mic.bitstream.read("face.mp4")
    clip.residual.y                              # int16 (T, H, W)

    with mic.bitstream.open("face.mp4") as stream:
        ten = stream.residual(range(0, 300, 30), scale=8, space="rgb")
        stream.motion([7]).blocks                # int16 (1, 2 h, 2 w, 2), quarter samples
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mic.bitstream.arrays import Frames
from mic.bitstream.records import (
    INTER,
    INTER4V,
    INTER_Q,
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
from mic.bitstream.stream import Stream

__all__ = [
    "INTER",
    "INTER4V",
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
    "Residuals",
    "SegmentSums",
    "Stream",
    "open",
    "read",
]


def open(path: str | Path) -> Stream:
    """Opens a clip for random access.

    Args:
        path: MPEG-4 Part 2 video in a container (mp4, avi, ...) or as an elementary stream, by
            whatever name.

    Raises:
        CodecError: The file cannot be opened or demuxed.
        UnsupportedSyntaxError: It is not MPEG-4 Part 2, or outside the supported profile.
        BitstreamError: Its headers are damaged.
    """
    return Stream(path)


def read(
    path: str | Path,
    *,
    what: Sequence[str] = ("residual",),
    frames: Frames = None,
    scale: int = 1,
    space: str = "planes",
    on_error: str = "raise",
    threads: int = 1,
) -> Clip:
    """Opens a clip, parses it and closes it; arguments and errors as `open` and `Stream.read`."""
    with open(path) as stream:
        return stream.read(
            what=what,
            frames=frames,
            scale=scale,
            space=space,
            on_error=on_error,
            threads=threads,
        )
