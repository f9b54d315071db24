"""Writing coded pictures into a container: the one place that hands frames to an encoder."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
from av.bitstream import BitStreamFilterContext
from av.container import OutputContainer

from mic.codec import timing
from mic.codec.options import MAX_SIDE, EncodeOptions, coded_rate
from mic.codec.scheduling import open_as_before
from mic.errors import CodecError, ConfigError, MicError
from mic.storage import atomic
from mic_bitstream.files import reason

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
TIMED = frozenset({"mp4", "matroska"})


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
    """

    target: Path
    width: int
    height: int
    frame_rate: Fraction
    frames: int
    keyframes: int
    bits: int
    file_bytes: int

    @property
    def bit_rate(self) -> float:
        """Bits a second of the video stream."""
        return float(self.bits * self.frame_rate / self.frames)

    @property
    def bits_per_pixel(self) -> float:
        """Coded bits divided by luma samples."""
        return self.bits / (self.frames * self.width * self.height)


def container_of(target: Path, options: EncodeOptions) -> str:
    """The container of a file to write, by libavformat's name.

    Raises:
        ConfigError: None is known that is called so, or has this suffix.
    """
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


def stream_of(
    output: OutputContainer, options: EncodeOptions, rate: Fraction, target: Path
) -> av.VideoStream:
    """A new stream of a container, coded as the options say.

    Raises:
        ConfigError: The container does not hold the codec.
    """
    try:
        return cast("av.VideoStream", output.add_stream(options.encoder, rate=rate))
    except ValueError as error:
        raise ConfigError(
            f"its container, {output.format.name}, holds no {options.codec}",
            file=target,
            remedy="end the name in .mp4 or .mkv",
        ) from error


def write(
    frames: Iterator[av.VideoFrame],
    target: Path,
    rate: Fraction,
    options: EncodeOptions,
    *,
    tick: Fraction | None = None,
    aspect: Fraction = Fraction(1),
) -> EncodeReport:
    """Writes frames at a constant rate, or, with `tick`, at the times they bear.

    Raises:
        CodecError: There is no frame, or the encoder or the container refuses one.
        StorageError: The file system refuses. What `frames` raise is handed on as it is.
    """
    rate, name = coded_rate(rate), container_of(target, options)
    # The first frame decides the size, and a source without one must not create the target.
    frames = itertools.islice(frames, options.max_frames)
    broken: list[OSError] = []
    first = next(frames, None)
    if first is None:
        raise CodecError("has no frame to encode", file=target)
    _check_size(first, options, target)
    bits = keyframes = 0
    counter = itertools.count()
    with _handed_on(broken), atomic.replacing(target) as temporary:
        try:
            # A relative name with a colon would be taken for an address.
            whole = str(temporary.absolute())
            with av.open(whole, "w", format=name, options={"fflags": "+bitexact"}) as output:
                stream = stream_of(output, options, rate, target)
                _configure(stream, first, options)
                if tick is not None:
                    stream.codec_context.time_base = tick
                stream.codec_context.sample_aspect_ratio = aspect
                if options.codec == "av1":
                    open_as_before(stream.codec_context)
                lengths: dict[int, int] = {}
                given = itertools.chain([first], _watched(frames, broken, target))
                timed = _timed(given, rate, tick, counter, lengths)
                packets = _encoded(stream, timed, options, target)
                for packet in packets if tick is None else timing.with_lengths(packets, lengths):
                    bits, keyframes = bits + 8 * packet.size, keyframes + packet.is_keyframe
                    output.mux(packet)
                bits += 8 * len(stream.codec_context.extradata or b"")
        except av.FFmpegError as error:
            # Old code of libavformat returns -1 where it refuses something, which is a system's
            # "not permitted"; of a file that was made just now no system says that.
            if isinstance(error, OSError) and error.errno != errno.EPERM:
                raise  # a full or read-only disk: `replacing` says what to do
            raise CodecError(
                f"the container, {name}, does not take what was coded: {reason(error)}",
                file=target,
                place=f"at frame {next(counter) - 1}",
                remedy="choose another container or codec, or, where times are uneven, cut the "
                "video at its longest pause",
            ) from error
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
    stream: av.VideoStream,
    frames: Iterable[av.VideoFrame],
    options: EncodeOptions,
    target: Path,
) -> Iterator[av.Packet[av.VideoStream]]:
    # x264 writes 700 bytes about itself into the first picture, which at 6 x 6 samples would be
    # most of the stream; it has no switch for that, so NAL units of type 6 are taken out.
    cleaner = None
    if options.codec == "h264":
        cleaner = BitStreamFilterContext("filter_units=remove_types=6", stream)
    for number, frame in enumerate(itertools.chain(frames, [None])):
        try:
            packets = stream.encode(frame)
            if cleaner is not None:
                packets = [one for packet in packets for one in cleaner.filter(packet)]
                packets += cleaner.filter(None) if frame is None else []
        except (av.FFmpegError, OSError) as error:
            raise CodecError(
                f"the encoder, {options.codec}, refuses it: {reason(error)}",
                file=target,
                place="at the end" if frame is None else f"at frame {number}",
                remedy="choose another codec or size",
            ) from error
        yield from packets


def _watched(
    frames: Iterator[av.VideoFrame], broken: list[OSError], target: Path
) -> Iterator[av.VideoFrame]:
    """Frames; notes what the system refuses to their source, which is not the target's."""
    try:
        yield from frames
    except av.FFmpegError as error:
        raise CodecError(f"a picture cannot be prepared: {reason(error)}", file=target) from error
    except OSError as error:
        broken.append(error)
        raise


@contextlib.contextmanager
def _handed_on(broken: list[OSError]) -> Iterator[None]:
    """Raises what the frames' source raised in place of what was made of it."""
    try:
        yield
    except MicError:
        if broken:
            raise broken[0] from None
        raise


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
