"""`read(method="decoded")`: what decoded pictures tell, in the records of `mic.bitstream`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

import mic.decoded.residuals
from mic.codec.video import Video
from mic.errors import ConfigError
from mic_bitstream.arrays import Frames, frame_numbers
from mic_bitstream.records import INTER, INTRA, Clip, Motion, Residuals

# 13 fractional bits, as native/colour.cpp has it.
_RGB = np.array([[9539, 0, 13075], [9539, -3209, -6660], [9539, 16525, 0]])


def read_decoded(path: Path, *, what: Sequence[str], frames: Frames, space: str) -> Clip:
    """Decodes a clip of any codec whose decoder exports vectors, and subtracts predictions.

    Args:
        path: The video.
        what: "residual", "motion" or both.
        frames: Frames to keep; all are decoded.
        space: "planes", "ycbcr" or "rgb".

    Returns:
        A clip whose macroblock types are only `INTER` and `INTRA` (no vector in it).

    Raises:
        CodecError: The file cannot be decoded.
        UnsupportedSyntaxError: Its codec exports no vectors, or it is not 8-bit 4:2:0.
        ConfigError: A part that this method cannot deliver, or there is no such frame.
    """
    if "macroblocks" in what:
        raise ConfigError(
            "quantisers and bits need the bitstream", remedy='use method="bitstream"'
        )
    found = list(mic.decoded.residuals.frames(path))
    rows = frame_numbers(frames, len(found))
    chosen = [found[row] for row in rows]
    y, cb, cr = (np.stack([getattr(f, name) for f in chosen]) for name in ("y", "cb", "cr"))
    height, width = y.shape[1:]
    lines, columns = -(-height // 16), -(-width // 16)
    # Blocks beyond the picture have no vectors of their own: their macroblock's state counts.
    intra = np.ones((len(rows), 2 * lines, 2 * columns), bool)
    blocks = np.zeros((*intra.shape, 2), np.int16)
    for row, frame in enumerate(chosen):
        inside = frame.intra.shape
        intra[row, : inside[0], : inside[1]] = frame.intra
        blocks[row, : inside[0], : inside[1]] = frame.motion
    whole = intra.reshape(len(rows), lines, 2, columns, 2).all((2, 4))
    common = {
        "frames": rows,
        "shown": rows,
        "types": np.where(whole, INTRA, INTER).astype(np.uint8),
    }
    if space == "planes":
        samples = {"y": y, "cb": cb, "cr": cr}
    else:
        samples = {"pixels": _interleaved(y, cb, cr, space)}
    return Clip(
        path=path,
        width=width,
        height=height,
        frame_rate=Video(path).header_rate,
        frame_count=len(found),
        residual=Residuals(scale=1, space=space, **samples, **common)
        if "residual" in what
        else None,
        motion=Motion(blocks=blocks, width=width, height=height, **common)
        if "motion" in what
        else None,
    )


def _interleaved(y: np.ndarray, cb: np.ndarray, cr: np.ndarray, space: str) -> np.ndarray:
    height, width = y.shape[1:]
    chroma = [c.repeat(2, 1).repeat(2, 2)[:, :height, :width] for c in (cb, cr)]
    pixels = np.stack([y, *chroma], axis=-1)
    if space == "ycbcr":
        return pixels
    fixed = pixels.astype(np.int32) @ _RGB.T.astype(np.int32)
    return np.clip((fixed + (1 << 12)) >> 13, -32768, 32767).astype(np.int16)
