"""The coded residual of H.264's P-pictures, out of unmodified libavcodec.

A decoder with one thread predicts from the very memory of the picture that it has handed out. That
memory is overwritten with one value before the next packet: motion compensation of a flat picture
is flat, so that a P-picture comes out as clip(value + residual), without loop filter. From the
values 0 and 255 the residual is out_0 + out_255 - 255. Not for B-pictures, whose future reference
is handed out behind them, nor for intra blocks, which are predicted from their neighbours.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np

Planes = tuple[np.ndarray, np.ndarray, np.ndarray]


def residuals(path: Path) -> Iterator[Planes]:
    """Y, Cb, Cr of every picture, int16, of whole macroblocks; those of I-pictures mean nothing.

    Args:
        path: H.264 without B-pictures and without weighted prediction, in a container.
    """
    for low, high in zip(_decoded(path, 0), _decoded(path, 255), strict=True):
        y, cb, cr = (a + b - 255 for a, b in zip(low, high, strict=True))
        yield y, cb, cr


def _decoded(path: Path, value: int) -> Iterator[Planes]:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        stream.codec_context.options = {
            "flags": "+low_delay",
            "apply_cropping": "0",
            "skip_loop_filter": "all",
        }
        for packet in container.demux(stream):
            for frame in packet.decode():
                found = []
                for plane in frame.planes:
                    rows = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)
                    found.append(rows[:, : plane.width].astype(np.int16))
                    ctypes.memset(plane.buffer_ptr, value, plane.buffer_size)
                yield found[0], found[1], found[2]
