"""Residuals of many clips in one array."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, overload

import numpy as np

from mic_bitstream import _native
from mic_bitstream.arrays import (
    SPACES,
    Frames,
    Out,
    arrays_of,
    check_common,
    enough_memory,
    frame_numbers,
    sample_arrays,
)
from mic_bitstream.errors import ConfigError
from mic_bitstream.stream import Stream


@overload
def residual_batch(
    streams: Sequence[Stream],
    frames: Sequence[Frames],
    *,
    scale: int = 1,
    space: Literal["rgb", "ycbcr"] = "rgb",
    out: Out | None = None,
    threads: int = 1,
) -> np.ndarray: ...
@overload
def residual_batch(
    streams: Sequence[Stream],
    frames: Sequence[Frames],
    *,
    scale: int = 1,
    space: str,
    out: Out | None = None,
    threads: int = 1,
) -> Out: ...
@enough_memory()
def residual_batch(
    streams: Sequence[Stream],
    frames: Sequence[Frames],
    *,
    scale: int = 1,
    space: str = "rgb",
    out: Out | None = None,
    threads: int = 1,
) -> Out:
    """Parses the same number of frames from each of several clips of one size.

    Args:
        streams: N opened clips of equal width and height.
        frames: For each clip its T frames, as in `Stream.residual`.
        scale: 1, 2, 4 or 8.
        space: "planes", "ycbcr" or "rgb".
        out: C-contiguous int16 arrays to fill instead of new ones, shaped as the result.
        threads: Frames of all clips are shared out among them; the GIL is released.

    Returns:
        int16 (N, T, ceil(H / scale), ceil(W / scale), 3), or with space="planes" the three
        arrays (N, T, rows, columns) of Y, Cb and Cr.

    Raises:
        BitstreamError: A frame is damaged.
        UnsupportedSyntaxError: A frame uses a feature outside the supported profile.
        ConfigError: Sizes or numbers of frames differ, or an argument is out of its range.
    """
    check_common(scale, space, threads, "raise")
    streams, frames = tuple(streams), tuple(frames)
    if len(streams) != len(frames):
        raise ConfigError(
            f"{len(streams)} clips and the frames of {len(frames)}", remedy="give some of each"
        )
    numbers = [
        frame_numbers(chosen, stream.frame_count)
        for stream, chosen in zip(streams, frames, strict=True)
    ]
    sizes = {(stream.width, stream.height) for stream in streams}
    counts = {len(rows) for rows in numbers}
    if len(sizes) != 1 or len(counts) != 1:
        raise ConfigError(
            f"clips of sizes {sorted(sizes)} with {sorted(counts)} frames do not fit one array",
            remedy="batch clips of one size and choose equally many frames of each",
        )
    size, count, clips = sizes.pop(), counts.pop(), len(streams)
    flat = None
    if out is not None:
        given = arrays_of(out)
        for array in given:
            if array.shape[:2] != (clips, count) or not array.flags.c_contiguous:
                raise ConfigError(
                    f"out is {array.shape}", remedy=f"begin its shape with {(clips, count)}"
                )
        # Views, so what is written into them stands in the caller's arrays.
        flat = tuple(array.reshape(clips * count, *array.shape[2:]) for array in given)
    samples: dict[str, Any] = sample_arrays(size, clips * count, scale, space, out=flat)
    records = _native.decode(
        [(stream.native, rows.tolist()) for stream, rows in zip(streams, numbers, strict=True)],
        scale=scale,
        space=SPACES.index(space),
        threads=threads,
        **samples,
    )
    for source, (stream, rows) in enumerate(zip(streams, numbers, strict=True)):
        own = [record for record in records if record[0] == source]
        list(stream.errors_of(own, "raise", frames=rows))
    arrays = [array.reshape(clips, count, *array.shape[1:]) for array in samples.values()]
    return arrays[0] if len(arrays) == 1 else (arrays[0], arrays[1], arrays[2])
