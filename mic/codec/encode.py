"""Encoding frames or a whole video, atomically and with the same bytes on every machine."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.bitstream import BitStreamFilterContext
from numpy.typing import NDArray

from mic.codec.options import EncodeOptions, coded_rate
from mic.codec.reading import decoded_frames, frame_rate_of, has_times, opened
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

    Args:
        source: A file of any container that libavformat reads.
        target: The file to write; its suffix (.mp4, .avi, .mkv, .m4v, .h264, .hevc) chooses the
            container unless `container` does.
        **options: Fields of `EncodeOptions`.

    Raises:
        CodecError: The source has no video stream, no frame, gigantic dimensions or damage.
        ConfigError: An option is unknown or out of range, or the crop leaves the picture.
        StorageError: The target cannot be written.
    """
    source = Path(source)
    chosen = EncodeOptions.of(options)
    with opened(source) as (container, stream):
        counter = _DamageCounter()
        frames = prepared(counter.watch(decoded_frames(container, stream, source)), chosen, source)
        rate = frame_rate_of(container, stream)
        if chosen.frame_rate is not None:
            own = None if has_times(container) else rate
            frames = _resampled(frames, own, Fraction(chosen.frame_rate))
            rate = Fraction(chosen.frame_rate)
        report = _write(frames, Path(target), rate, chosen)
    return replace(report, damaged_frames=counter.damaged)


def encode_frames(
    frames: Iterable[NDArray[np.uint8]],
    path: str | Path,
    *,
    frame_rate: Fraction | float,
    **options: Any,
) -> EncodeReport:
    """Encodes generated frames, one in memory at a time.

    Args:
        frames: uint8, (H, W, 3) RGB or (H, W) luma samples as they are to be coded, all alike.
        path: The file to write; see `reencode`.
        frame_rate: Frames a second.
        **options: Fields of `EncodeOptions` but `frame_rate`.

    Raises:
        CodecError: No frame, or frames of unequal shapes.
        ConfigError: An option is unknown or out of range.
        StorageError: The file cannot be written.
    """
    chosen = EncodeOptions.of(options)
    path = Path(path)
    pictures = prepared(_pictures(frames, path), chosen, path)
    return _write(pictures, path, Fraction(frame_rate), chosen)


def prepared(
    frames: Iterable[av.VideoFrame], options: EncodeOptions, source: Path
) -> Iterator[av.VideoFrame]:
    """Frames upright, cropped, scaled (bicubic) and in limited-range yuv420p.

    Args:
        frames: Decoded frames; size and format may change in mid-stream.
        options: Their `crop` and `size` are used.
        source: Named in errors.

    Raises:
        ConfigError: The crop box leaves the picture.
    """
    key, graph, size = None, None, options.size
    for frame in frames:
        current = (frame.width, frame.height, frame.format.name, frame.color_range, frame.rotation)
        if current != key:
            key = current
            graph = _graph(frame, options.crop, size, source)
        if graph is None:
            ready = frame
        else:
            graph.push(frame)
            ready = graph.pull()
        # A stream that changes its size goes on at the size it began with.
        size = size or (ready.width, ready.height)
        yield ready


def _graph(
    frame: av.VideoFrame,
    crop: tuple[int, int, int, int] | None,
    size: tuple[int, int] | None,
    source: Path,
) -> av.filter.Graph | None:
    # Filters in the order of the command line's: turn, crop, scale.
    steps: list[tuple[str, str]] = []
    turns = {90: ["cclock"], -270: ["cclock"], -90: ["clock"], 270: ["clock"]}
    turns |= {180: ["clock", "clock"], -180: ["clock", "clock"]}
    steps += [("transpose", direction) for direction in turns.get(frame.rotation, [])]
    width, height = frame.width, frame.height
    if len(steps) == 1:
        width, height = height, width
    if crop is not None:
        x, y, crop_width, crop_height = crop
        if x + crop_width > width or y + crop_height > height:
            raise ConfigError(
                f"crop {crop} leaves the picture of {width} x {height}",
                file=source,
                remedy="give x, y, width, height inside the picture",
            )
        steps.append(("crop", f"{crop_width}:{crop_height}:{x}:{y}:exact=1"))
        width, height = crop_width, crop_height
    full_range = frame.color_range == av.video.reformatter.ColorRange.JPEG
    resize = size is not None and size != (width, height)
    if resize or full_range or frame.format.name != "yuv420p":
        width, height = size or (width, height)
        steps.append(("scale", f"{width}:{height}:flags=bicubic:out_range=tv"))
    if not steps:
        return None
    graph = av.filter.Graph()
    nodes = [
        graph.add_buffer(
            width=frame.width,
            height=frame.height,
            format=frame.format,
            time_base=frame.time_base or Fraction(1, 25),
        ),
        *(graph.add(name, arguments) for name, arguments in steps),
        graph.add("format", "yuv420p"),
        graph.add("buffersink"),
    ]
    for first, second in itertools.pairwise(nodes):
        first.link_to(second)
    graph.configure()
    return graph


class _DamageCounter:
    """Counts the frames that the decoder concealed, while they pass."""

    def __init__(self) -> None:
        self.damaged = 0

    def watch(self, frames: Iterable[av.VideoFrame]) -> Iterator[av.VideoFrame]:
        for frame in frames:
            self.damaged += frame.is_corrupt
            yield frame


def _resampled(
    frames: Iterable[av.VideoFrame], own_rate: Fraction | None, rate: Fraction
) -> Iterator[av.VideoFrame]:
    # Output n shows the source frame nearest in time; the last one lasts as long as the one
    # before it.
    written, held, start, seconds, step = 0, None, None, 0.0, 0.0
    for index, frame in enumerate(frames):
        # Raw streams have no times: their frames are spaced by their own rate.
        now = frame.time if own_rate is None else float(index / own_rate)
        start = now if start is None else start
        step, seconds = now - start - seconds, now - start
        while held is not None and written < (seconds - step / 2) * float(rate):
            yield held
            written += 1
        held = frame
    while held is not None and written < max(1, round((seconds + step) * float(rate))):
        yield held
        written += 1


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
        plane.update(rows)
    return frame


def _write(
    frames: Iterator[av.VideoFrame], target: Path, rate: Fraction, options: EncodeOptions
) -> EncodeReport:
    rate = coded_rate(rate)
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
    # The first frame decides the size, and a source without one must not create the target.
    frames = itertools.islice(frames, options.max_frames)
    first = next(frames, None)
    if first is None:
        raise CodecError("has no frame to encode", file=target)
    bits = keyframes = 0
    counter = itertools.count()
    with atomic.replacing(target) as temporary:
        try:
            with av.open(temporary, "w", format=name, options={"fflags": "+bitexact"}) as output:
                stream = output.add_stream(options.encoder, rate=rate)
                _configure(stream, first, options)
                timed = _timed(itertools.chain([first], frames), rate, counter)
                for packet in _encoded(stream, timed, options):
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


def _timed(
    frames: Iterable[av.VideoFrame], rate: Fraction, counter: Iterator[int]
) -> Iterator[av.VideoFrame]:
    for frame in frames:
        frame.pts, frame.time_base, frame.pict_type = next(counter), 1 / rate, 0
        yield frame


def _encoded(
    stream: av.video.stream.VideoStream, frames: Iterable[av.VideoFrame], options: EncodeOptions
) -> Iterator[av.Packet]:
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


def _configure(
    stream: av.video.stream.VideoStream, first: av.VideoFrame, options: EncodeOptions
) -> None:
    stream.width, stream.height, stream.pix_fmt = first.width, first.height, "yuv420p"
    context = stream.codec_context
    context.thread_count = 1
    context.options = options.encoder_options(first.width, first.height)
    context.sample_aspect_ratio = Fraction(1)
    if options.bit_rate is not None:
        context.bit_rate = options.bit_rate
