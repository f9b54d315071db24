"""Residuals and vectors of other codecs, from pictures that libavcodec decodes.

with mic.decoded.open("talk.mp4") as clip:           # H.264, MPEG-2, ...
clip.motion([1200]).blocks                       # decoded from the key frame before
for frame in clip.frames(): frame.y              # memory does not grow
"""

from __future__ import annotations

from pathlib import Path

from mic.decoded.stream import Decoded

__all__ = ["Decoded", "open"]


def open(path: str | Path) -> Decoded:
    """Opens a clip whose codec is not MPEG-4 Part 2, for random access; see `Decoded`."""
    return Decoded(path)
