"""Encoding frames or a whole video, atomically and with the same bytes on every machine."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from mic.codec import timing
from mic.codec.filtering import prepared
from mic.codec.options import EncodeOptions, checked_rate
from mic.codec.video import Video
from mic.codec.writing import TIMED, EncodeReport, container_of, stream_of, write
from mic.errors import CodecError, ConfigError
from mic.storage import atomic


def reencode(source: str | Path, target: str | Path, **options: Any) -> EncodeReport:
    """Re-encodes one video; by default to MPEG-4 as `reencode.sh` does, in one group of pictures.

    The target appears whole or not at all. Its bytes depend on source, options and the version
    of libavcodec alone, not on the machine's cores.

    Pictures become upright, BT.601 and limited in range, whatever the source's are; samples that
    are not square stay so and the target says it (a raw stream does not), unless `crop` or `size`
    is given. Times are the source's, from its first picture on. Where those are uneven and the
    container has one rate for all (.avi, raw streams), pictures are repeated at the rate of the
    closest ones.

    Args:
        source: A file of any container that libavformat reads.
        target: The file to write; its suffix (.mp4, .avi, .mkv, .m4v, .h264, .hevc) chooses the
            container unless `container` does.
        **options: Fields of `EncodeOptions`.

    Raises:
        CodecError: The source has no video stream, no frame, gigantic dimensions or damage, or
            breaks off; the encoder or the container refuses its pictures or their times.
        ConfigError: An option is unknown or out of range, the crop leaves the picture, or pictures
            would be repeated without end.
        StorageError: The target cannot be written.
    """
    video, target = Video(source, survey=True), Path(target)
    atomic.check_writable(target, sources=[source])
    chosen = EncodeOptions.of(options)
    pictures = video.pictures()
    timed = container_of(target, chosen) in TIMED
    if chosen.frame_rate is not None:
        rate, kept = Fraction(chosen.frame_rate), False
    elif video.steady or timed:
        rate, kept = video.frame_rate, True
    else:
        rate, kept = timing.closest(video), False
    tick = timing.TICK if kept and timed and not timing.is_even(video) else None
    if tick is not None:
        frames = timing.stamped(
            ((picture.time, picture.frame) for picture in pictures),
            video.index.interval,
            target,
            container=container_of(target, chosen),
            codec=chosen.codec,
        )
    elif kept:
        frames = (picture.frame for picture in pictures)
    else:
        frames = timing.resampled(pictures, video.duration, rate)
    ready = prepared(frames, chosen, video.path, sample_aspect=video.sample_aspect)
    squared = chosen.crop is not None or chosen.size is not None
    raw = not timed and container_of(target, chosen) != "avi"
    aspect = Fraction(1) if squared or raw else video.display.shown_aspect
    return write(ready, target, rate, chosen, tick=tick, aspect=aspect)


def encode_frames(
    frames: Iterable[NDArray[np.uint8]],
    path: str | Path,
    *,
    frame_rate: Fraction | float,
    times: Iterable[float] | None = None,
    **options: Any,
) -> EncodeReport:
    """Encodes generated frames, one in memory at a time.

    Args:
        frames: uint8, (H, W, 3) RGB or (H, W) luma samples as they are to be coded, all alike.
        path: The file to write; see `reencode`.
        frame_rate: Frames a second.
        times: Seconds of each frame from 0 on, where they are uneven: increasing (of equal ones
            the second comes 1/60000 s later), as many at least as frames. Containers with one
            rate for all (.avi, raw streams) refuse them.
        **options: Fields of `EncodeOptions` but `frame_rate`.

    Raises:
        CodecError: No frame, frames of unequal shapes, or times that the encoder or the container
            refuses. What `frames` raise themselves is handed on.
        ConfigError: An option is unknown or out of range, the container keeps no times, or they
            do not increase.
        StorageError: The file cannot be written.
    """
    rate = checked_rate(frame_rate)
    chosen = EncodeOptions.of(options)
    path = Path(path)
    pictures = _pictures(frames, path)
    if times is not None:
        _check_timed(path, chosen)
        pictures = timing.stamped(
            timing.checked(times, pictures, path),
            float(1 / rate),
            path,
            container=container_of(path, chosen),
            codec=chosen.codec,
        )
    tick = None if times is None else timing.TICK
    return write(prepared(pictures, chosen, path), path, Fraction(rate), chosen, tick=tick)


def _pictures(frames: Iterable[NDArray[np.uint8]], path: Path) -> Iterator[av.VideoFrame]:
    shape = None
    for index, frame in enumerate(frames):
        if (
            frame.dtype != np.uint8
            or frame.ndim not in (2, 3)
            or frame.shape[2:] not in ((), (3,))
        ):
            raise CodecError(
                f"frame is {frame.dtype} {frame.shape}, must be uint8 (H, W, 3) or (H, W)",
                file=path,
                place=f"frame {index}",
            )
        shape = shape or frame.shape
        if frame.shape != shape:
            raise CodecError(
                f"frame is {frame.shape} after frames of {shape}",
                file=path,
                place=f"frame {index}",
                remedy="bring all frames to one size",
            )
        yield (
            _from_luma(frame)
            if frame.ndim == 2
            else av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), "rgb24")
        )


def _from_luma(samples: NDArray[np.uint8]) -> av.VideoFrame:
    height, width = samples.shape
    frame = av.VideoFrame(width, height, "yuv420p")
    for plane, value in zip(frame.planes, (None, 128, 128), strict=True):
        rows = np.full((plane.height, plane.line_size), 0 if value is None else value, np.uint8)
        if value is None:
            rows[:, :width] = samples
        plane.update(rows.tobytes())
    return frame


def _check_timed(path: Path, options: EncodeOptions) -> None:
    if container_of(path, options) not in TIMED:
        raise ConfigError(
            "its container keeps no times of frames",
            file=path,
            remedy="end the name in .mp4 or .mkv",
        )


def check_target(
    path: str | Path, *, times: Iterable[float] | None = None, **options: Any
) -> None:
    """Refuses a file to write whose container does not hold the codec, before there is any work.

    Args:
        path: The file; see `reencode`.
        times: Seconds of each frame, where frames will bear times of their own.
        **options: Fields of `EncodeOptions`.

    Raises:
        CodecError: A pause is longer than the container keeps, or the encoder codes.
        ConfigError: The suffix is of no known container, or of one that holds other codecs, or
            no times.
    """
    chosen = EncodeOptions.of(options)
    name = container_of(Path(path), chosen)
    if times is not None:
        _check_timed(Path(path), chosen)
        timing.check_pauses(times, Path(path), container=name, codec=chosen.codec)
    with av.open(io.BytesIO(), "w", format=name) as output:
        stream_of(output, chosen, Fraction(25), Path(path))
