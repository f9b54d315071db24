"""The parser (`mic_bitstream`, a distribution of its own), and a slow way for other codecs.

A whole clip, and parts of one:

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

import mic.decoded
from mic.errors import ConfigError
from mic_bitstream import (
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
    Picture,
    Pictures,
    Region,
    Residuals,
    SegmentSums,
    Stream,
    open,
    residual_batch,
)
from mic_bitstream.arrays import SPACES, Frames, check_choice, parts_of
from mic_bitstream.stream import PARTS

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
        method: "bitstream" parses MPEG-4 Part 2, exact and fast. "decoded" is the way for other
            codecs: libavcodec decodes from the key frame before, the motion-compensated
            reference is subtracted; see `mic.decoded.Decoded`, which reads frame by frame, and
            `mic.decoded.residuals` for what that changes. It knows no scale, no mask and no
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
        what = parts_of(what, PARTS)
        check_choice("space", (space,), SPACES)
        if (scale, on_error, threads) != (1, "raise", 1):
            raise ConfigError(
                'method="decoded" knows no scale, on_error or threads',
                remedy='leave them out, or use method="bitstream"',
            )
        with mic.decoded.open(path) as decoded:
            return decoded.read(what=what, frames=frames, space=space)
    with open(path, on_error=on_error) as stream:
        return stream.read(
            what=what,
            frames=frames,
            scale=scale,
            space=space,
            on_error=on_error,
            threads=threads,
        )
