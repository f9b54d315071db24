"""Encoding frames or a whole video, atomically and with the same bytes on every machine."""

from __future__ import annotations

import io
import itertools
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
from av.bitstream import BitStreamFilterContext
from av.container import OutputContainer
from numpy.typing import NDArray

from mic.codec import timing
from mic.codec.filtering import prepared
from mic.codec.options import MAX_SIDE, EncodeOptions, checked_rate, coded_rate
from mic.codec.picture import Picture
from mic.codec.scheduling import open_as_before
from mic.codec.video import Video
from mic.errors import CodecError, ConfigError
from mic.storage import atomic

# By suffix, because libavformat writes MP4 into .m4v, which here means a raw elementary stream.
_CONTAINERS = {
    ".mp4": "mp4",
    ".avi": "avi",
    ".mkv": "matroska",
    ".m4v": "m4v",
    ".h264": "h264",
    ".hevc": "hevc",
}
CONTAINER_SUFFIXES = {name: suffix for suffix, name in _CONTAINERS.items()}
# Encoders of colours at half the size only.
_EVEN = frozenset({"h264", "hevc"})
# Containers that keep a time for each picture; the others know one rate.
_TIMED = frozenset({"mp4", "matroska"})


@dataclass(frozen=True, slots=True)
class EncodeReport:
    """What an encoding wrote.

    Attributes:
        target: The file written.
        width: Coded width in samples.
        height: Coded height in samples.
        frame_rate: Frames a second.
        frames: Frames written.
        keyframes: I-frames among them.
        bits: Size of the coded pictures and headers; the container's overhead excluded.
        file_bytes: Size of the file.
        damaged_frames: Source frames that the decoder marked as corrupt.
    """

    target: Path
    width: int
    height: int
    frame_rate: Fraction
    frames: int
    keyframes: int
    bits: int
    file_bytes: int
    damaged_frames: int

    @property
    def bit_rate(self) -> float:
        """Bits a second of the video stream."""
        return float(self.bits * self.frame_rate / self.frames)

    @property
    def bits_per_pixel(self) -> float:
        """Coded bits divided by luma samples."""
        return self.bits / (self.frames * self.width * self.height)


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
            breaks off.
        ConfigError: An option is unknown or out of range, the crop leaves the picture, or pictures
            would be repeated without end.
        StorageError: The target cannot be written.
    """
    video, target = Video(source, survey=True), Path(target)
    atomic.check_writable(target, sources=[source])
    chosen = EncodeOptions.of(options)
    counter = _DamageCounter()
    pictures = counter.watch(video.pictures())
    timed = _container_of(target, chosen) in _TIMED
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
            bounded=_container_of(target, chosen) == "mp4",
        )
    elif kept:
        frames = (picture.frame for picture in pictures)
    else:
        frames = timing.resampled(pictures, video.duration, rate)
    ready = prepared(frames, chosen, video.path, sample_aspect=video.sample_aspect)
    squared = chosen.crop is not None or chosen.size is not None
    raw = not timed and _container_of(target, chosen) != "avi"
    aspect = Fraction(1) if squared or raw else video.display.shown_aspect
    report = _write(ready, target, rate, chosen, tick=tick, aspect=aspect)
    return replace(report, damaged_frames=counter.damaged)


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
        CodecError: No frame, or frames of unequal shapes.
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
            bounded=_container_of(path, chosen) == "mp4",
        )
    tick = None if times is None else timing.TICK
    return _write(prepared(pictures, chosen, path), path, Fraction(rate), chosen, tick=tick)


class _DamageCounter:
    """Counts the frames that the decoder concealed, while they pass."""

    def __init__(self) -> None:
        self.damaged = 0

    def watch(self, pictures: Iterable[Picture]) -> Iterator[Picture]:
        for picture in pictures:
            self.damaged += picture.concealed
            yield picture


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


def _container_of(target: Path, options: EncodeOptions) -> str:
    name = options.container or _CONTAINERS.get(target.suffix.lower())
    if name is None:
        raise ConfigError(
            f"no container known for the suffix {target.suffix!r}",
            file=target,
            remedy=f"end the name in {', '.join(_CONTAINERS)} or give container=",
        )
    if name not in CONTAINER_SUFFIXES:
        known = ", ".join(CONTAINER_SUFFIXES)
        raise ConfigError(f"unknown container {name!r}; known: {known}", file=target)
    return name


def _check_timed(path: Path, options: EncodeOptions) -> None:
    if _container_of(path, options) not in _TIMED:
        raise ConfigError(
            "its container keeps no times of frames",
            file=path,
            remedy="end the name in .mp4 or .mkv",
        )


def check_target(path: str | Path, *, timed: bool = False, **options: Any) -> None:
    """Refuses a file to write whose container does not hold the codec, before there is any work.

    Args:
        path: The file; see `reencode`.
        timed: Whether frames will bear times of their own.
        **options: Fields of `EncodeOptions`.

    Raises:
        ConfigError: The suffix is of no known container, or of one that holds other codecs, or
            no times.
    """
    chosen = EncodeOptions.of(options)
    if timed:
        _check_timed(Path(path), chosen)
    name = _container_of(Path(path), chosen)
    with av.open(io.BytesIO(), "w", format=name) as output:
        _stream(output, chosen, Fraction(25), Path(path))


def _stream(
    output: OutputContainer, options: EncodeOptions, rate: Fraction, target: Path
) -> av.VideoStream:
    try:
        return cast("av.VideoStream", output.add_stream(options.encoder, rate=rate))
    except ValueError as error:
        raise ConfigError(
            f"its container, {output.format.name}, holds no {options.codec}",
            file=target,
            remedy="end the name in .mp4 or .mkv",
        ) from error


def _write(
    frames: Iterator[av.VideoFrame],
    target: Path,
    rate: Fraction,
    options: EncodeOptions,
    *,
    tick: Fraction | None = None,
    aspect: Fraction = Fraction(1),
) -> EncodeReport:
    """Writes frames at a constant rate, or, with `tick`, at the times they bear."""
    rate, name = coded_rate(rate), _container_of(target, options)
    # The first frame decides the size, and a source without one must not create the target.
    frames = itertools.islice(frames, options.max_frames)
    first = next(frames, None)
    if first is None:
        raise CodecError("has no frame to encode", file=target)
    _check_size(first, options, target)
    bits = keyframes = 0
    counter = itertools.count()
    with atomic.replacing(target) as temporary:
        try:
            # A relative name with a colon would be taken for an address.
            whole = str(temporary.absolute())
            with av.open(whole, "w", format=name, options={"fflags": "+bitexact"}) as output:
                stream = _stream(output, options, rate, target)
                _configure(stream, first, options)
                if tick is not None:
                    stream.codec_context.time_base = tick
                stream.codec_context.sample_aspect_ratio = aspect
                if options.codec == "av1":
                    open_as_before(stream.codec_context)
                lengths: dict[int, int] = {}
                timed = _timed(itertools.chain([first], frames), rate, tick, counter, lengths)
                packets = _encoded(stream, timed, options)
                for packet in packets if tick is None else timing.with_lengths(packets, lengths):
                    bits, keyframes = bits + 8 * packet.size, keyframes + packet.is_keyframe
                    output.mux(packet)
                bits += 8 * len(stream.codec_context.extradata or b"")
        except av.FFmpegError as error:
            if isinstance(error, OSError):
                raise  # a full or read-only disk: `replacing` says what to do
            raise CodecError(f"cannot be encoded: {error}", file=target) from error
        file_bytes = temporary.stat().st_size
    return EncodeReport(
        target=target,
        width=first.width,
        height=first.height,
        frame_rate=rate,
        frames=next(counter),
        keyframes=keyframes,
        bits=bits,
        file_bytes=file_bytes,
        damaged_frames=0,
    )


def _check_size(first: av.VideoFrame, options: EncodeOptions, target: Path) -> None:
    """Raises CodecError where the encoder takes no pictures of this size."""
    width, height = first.width, first.height
    if options.codec in _EVEN and (width % 2 or height % 2):
        needed = f"{options.codec} codes even sides only"
        smaller = f"give size=({max(2, width & ~1)}, {max(2, height & ~1)})"
    elif options.codec == "mpeg4" and max(width, height) > MAX_SIDE:
        needed = f"MPEG-4 Part 2 codes sides up to {MAX_SIDE}"
        smaller = "give size= with smaller sides, or another codec"
    else:
        return
    raise CodecError(f"pictures are {width} x {height}, and {needed}", file=target, remedy=smaller)


def _timed(
    frames: Iterable[av.VideoFrame],
    rate: Fraction,
    tick: Fraction | None,
    counter: Iterator[int],
    lengths: dict[int, int],
) -> Iterator[av.VideoFrame]:
    for frame in frames:
        number, frame.pict_type = next(counter), 0
        if tick is None:
            frame.pts, frame.time_base = number, 1 / rate
        else:
            lengths[frame.pts or 0] = frame.duration
        yield frame


def _encoded(
    stream: av.VideoStream, frames: Iterable[av.VideoFrame], options: EncodeOptions
) -> Iterator[av.Packet[av.VideoStream]]:
    packets = itertools.chain.from_iterable(
        stream.encode(frame) for frame in itertools.chain(frames, [None])
    )
    if options.codec != "h264":
        yield from packets
        return
    # x264 writes 700 bytes about itself into the first picture, which at 6 x 6 samples would be
    # most of the stream; it has no switch for that, so NAL units of type 6 are taken out.
    cleaner = BitStreamFilterContext("filter_units=remove_types=6", stream)
    for packet in packets:
        yield from cleaner.filter(packet)
    yield from cleaner.filter(None)


def _configure(stream: av.VideoStream, first: av.VideoFrame, options: EncodeOptions) -> None:
    stream.width, stream.height, stream.pix_fmt = first.width, first.height, "yuv420p"
    context = stream.codec_context
    context.thread_count = 1
    if options.codec == "av1":
        # libsvtav1 describes itself on stderr unless told to report errors only.
        os.environ.setdefault("SVT_LOG", "1")
    context.options = options.encoder_options(first.width, first.height)
    if options.bit_rate is not None:
        context.bit_rate = options.bit_rate
