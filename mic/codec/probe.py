"""Opening a video of any container: what it is, its packets, its frames; memory stays flat."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
import numpy as np
from av.format import Flags
from numpy.typing import NDArray

from mic.codec.containers import MAX_PIXELS, Volume, check_size, open_container, reason
from mic.errors import CodecError

PixelFormat = Literal["rgb24", "luma"]


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """What a video file holds.

    Attributes:
        path: The file.
        container: libavformat's name of the container, e.g. `mov,mp4,m4a,3gp,3g2,mj2`.
        codec: libavcodec's name of the codec, e.g. `mpeg4`, `h264`.
        pixel_format: Sample format, e.g. `yuv420p`.
        width: Coded width in samples.
        height: Coded height in samples.
        frame_rate: Frames a second.
        frames: Coded pictures, counted by demuxing the whole file.
        bits: Their size: container overhead and audio excluded.
        file_bytes: Size of the file.
    """

    path: Path
    container: str
    codec: str
    pixel_format: str
    width: int
    height: int
    frame_rate: Fraction
    frames: int
    bits: int
    file_bytes: int

    @property
    def duration(self) -> float:
        """Length in seconds at the constant frame rate."""
        return float(self.frames / self.frame_rate)

    @property
    def bit_rate(self) -> float:
        """Bits a second of the video stream."""
        return float(self.bits * self.frame_rate / self.frames)

    @property
    def bits_per_pixel(self) -> float:
        """Coded bits divided by luma samples."""
        return self.bits / (self.frames * self.width * self.height)


@dataclass(frozen=True, slots=True)
class EncodedPacket:
    """One coded picture as the container holds it.

    Attributes:
        data: The coded bytes.
        pts: Presentation time in units of `time_base`, or None (raw streams have none).
        time_base: Seconds a unit of `pts`.
        is_keyframe: Whether the container marks it as a point where decoding can start.
    """

    data: bytes
    pts: int | None
    time_base: Fraction
    is_keyframe: bool


@dataclass(frozen=True, slots=True)
class Demuxed:
    """A video stream's headers and an iterator over its packets, which is read once.

    Attributes:
        codec: libavcodec's name of the codec.
        extradata: Headers that the container keeps apart from the packets; may be empty.
        width: Coded width in samples.
        height: Coded height in samples.
        frame_rate: Frames a second.
        packets: The packets in coding order, read lazily from the file.
    """

    codec: str
    extradata: bytes
    width: int
    height: int
    frame_rate: Fraction
    packets: Iterator[EncodedPacket]


def probe(path: str | Path) -> VideoInfo:
    """Reads what a video file holds, without decoding it.

    Args:
        path: A file of any container that libavformat reads.

    Raises:
        CodecError: Not a readable video, no video stream, no frame, or gigantic dimensions.
    """
    path = Path(path)
    with opened(path) as (container, stream):
        frames = bits = 0
        for packet in _packets(container, stream, path):
            if frames == 0:
                # Headers count once, whether apart (MP4) or before the first picture (AVI, raw).
                headers = bytes(stream.codec_context.extradata or b"")
                bits += 0 if headers in bytes(packet) else 8 * len(headers)
            frames += 1
            bits += 8 * packet.size
        if frames == 0:
            raise no_frames(path)
        return VideoInfo(
            path=path,
            container=container.format.name,
            codec=stream.codec_context.name,
            pixel_format=stream.codec_context.pix_fmt or "unknown",
            width=stream.codec_context.width,
            height=stream.codec_context.height,
            frame_rate=frame_rate_of(container, stream),
            frames=frames,
            bits=bits,
            file_bytes=path.stat().st_size,
        )


@contextlib.contextmanager
def demux(path: str | Path) -> Iterator[Demuxed]:
    """Opens a video for reading its coded packets.

    Use as `with demux(path) as video: for packet in video.packets: ...`.

    Args:
        path: A file of any container that libavformat reads, raw elementary streams included,
            also ones misnamed .mp4.

    Raises:
        CodecError: As `probe`.
    """
    path = Path(path)
    with opened(path) as (container, stream):
        context = stream.codec_context
        yield Demuxed(
            codec=context.name,
            extradata=bytes(context.extradata or b""),
            width=context.width,
            height=context.height,
            frame_rate=frame_rate_of(container, stream),
            packets=(
                EncodedPacket(bytes(packet), packet.pts, packet.time_base, packet.is_keyframe)
                for packet in _packets(container, stream, path)
            ),
        )


def decode(
    path: str | Path, *, pixel_format: PixelFormat = "rgb24", threads: int = 1
) -> Iterator[NDArray[np.uint8]]:
    """Decodes a video, one frame in memory at a time.

    Args:
        path: A file of any container that libavformat reads.
        pixel_format: `rgb24`: (H, W, 3) full-range RGB; `luma`: (H, W), the Y samples as coded.
        threads: Decoding threads.

    Yields:
        Frames in display order, uint8.

    Raises:
        CodecError: As `probe`, or a packet cannot be decoded.
    """
    path = Path(path)
    with opened(path, threads=threads) as (container, stream):
        for frame in decoded_frames(container, stream, path):
            yield luma(frame) if pixel_format == "luma" else frame.to_ndarray(format="rgb24")


@contextlib.contextmanager
def opened(
    path: Path, *, threads: int = 1
) -> Iterator[tuple[av.container.InputContainer, av.video.stream.VideoStream]]:
    """Opens the first video stream of a file; every refusal is a `CodecError`."""
    with open_container(path) as container:
        if not container.streams.video:
            raise CodecError("holds no video stream", file=path, remedy="choose a video file")
        stream = container.streams.video[0]
        context = stream.codec_context
        if context is None:
            raise CodecError("is of a codec that PyAV cannot decode", file=path)
        check_size(context.width, context.height, path)
        context.options = {"max_pixels": str(MAX_PIXELS)}
        context.thread_count = threads
        yield container, stream


def decoded_frames(
    container: av.container.InputContainer, stream: av.video.stream.VideoStream, path: Path
) -> Iterator[av.VideoFrame]:
    """The stream's frames in display order; libavcodec's complaints become `CodecError`s."""
    frames, volume = 0, Volume(path)
    try:
        for packet in container.demux(stream):
            volume.take(packet)
            for frame in packet.decode():
                frames += 1
                yield frame
    except (av.FFmpegError, OSError, ValueError) as error:
        raise CodecError(
            f"cannot be decoded: {reason(error)}",
            file=path,
            place=f"after frame {frames - 1}" if frames else "at the first frame",
            remedy="the file is damaged; get another copy",
        ) from error
    if frames == 0:
        raise no_frames(path)


def frame_rate_of(
    container: av.container.InputContainer, stream: av.video.stream.VideoStream
) -> Fraction:
    """Average frame rate; the stream headers' own where the container keeps no times."""
    # For raw streams libavformat calls 25 the average, whatever the stream says.
    rate = stream.average_rate if has_times(container) else stream.base_rate
    rate = rate or stream.guessed_rate
    return Fraction(rate) if rate and rate > 0 else Fraction(25)


def has_times(container: av.container.InputContainer) -> bool:
    """Whether the container keeps the frames' times; raw elementary streams do not."""
    return not container.format.flags & Flags.no_timestamps.value


def luma(frame: av.VideoFrame) -> NDArray[np.uint8]:
    """The Y plane of a planar YUV frame, (H, W) uint8, a copy; other formats are converted."""
    if not frame.format.name.startswith(("yuv4", "yuvj4")) or frame.format.components[0].bits != 8:
        frame = frame.reformat(format="yuv420p")
    plane = frame.planes[0]
    rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
    return rows[: frame.height, : frame.width].copy()


def no_frames(path: Path) -> CodecError:
    """The error for a video stream without a single picture."""
    return CodecError("holds no video frame", file=path, remedy="check that it is complete")


def _packets(
    container: av.container.InputContainer, stream: av.video.stream.VideoStream, path: Path
) -> Iterator[av.Packet]:
    volume = Volume(path)
    try:
        for packet in container.demux(stream):
            volume.take(packet)
            if packet.size:  # the last, empty packet only flushes a decoder
                yield packet
    except (av.FFmpegError, OSError) as error:
        raise CodecError(
            f"cannot be read to its end: {reason(error)}",
            file=path,
            remedy="the file is damaged; get another copy",
        ) from error
