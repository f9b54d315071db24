"""Short forms of `mic.codec.Video`: what a file is, its packets, its frames; memory stays flat."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
import numpy as np
from numpy.typing import NDArray

from mic.codec.video import Video

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
        frame_rate: Frames a second, on average where their times are uneven.
        frames: Pictures that are shown, counted by demuxing the whole file.
        duration: Seconds from the first one's beginning to the last one's end.
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
    duration: float
    bits: int
    file_bytes: int

    @property
    def bit_rate(self) -> float:
        """Bits a second of the video stream."""
        return self.bits / self.duration

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
        frame_rate: Frames a second, as the headers say.
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
        CodecError: Not a readable video, no video stream, no frame, damage or gigantic
            dimensions.
    """
    video = Video(path)
    if video.damage is not None:
        raise video.damage
    index = video.index
    return VideoInfo(
        path=video.path,
        container=video.container,
        codec=video.codec,
        pixel_format=video.pixel_format,
        width=video.width,
        height=video.height,
        frame_rate=video.frame_rate,
        frames=len(video),
        duration=video.duration,
        bits=8 * (index.headers + int(index.sizes[~index.discarded].sum())),
        file_bytes=video.path.stat().st_size,
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
    video = Video(path)
    with contextlib.closing(video.packets()) as packets:
        yield Demuxed(
            codec=video.codec,
            extradata=video.extradata,
            width=video.width,
            height=video.height,
            frame_rate=video.header_rate,
            packets=(
                EncodedPacket(bytes(packet), packet.pts, packet.time_base, packet.is_keyframe)
                for packet in packets
            ),
        )


def decode(
    path: str | Path, *, pixel_format: PixelFormat = "rgb24", threads: int = 1
) -> Iterator[NDArray[np.uint8]]:
    """Decodes a video, one frame in memory at a time; `Video.pictures` also tells their times.

    Args:
        path: A file of any container that libavformat reads.
        pixel_format: `rgb24`: (H, W, 3) full-range RGB, upright, samples square; `luma`: (H, W),
            the Y samples as coded, neither turned nor stretched.
        threads: Decoding threads.

    Yields:
        Frames in display order, uint8.

    Raises:
        CodecError: As `probe`, or a packet cannot be decoded.
    """
    for picture in Video(path, survey=True).pictures(threads=threads):
        yield luma(picture.frame) if pixel_format == "luma" else picture.rgb


def luma(frame: av.VideoFrame) -> NDArray[np.uint8]:
    """The Y plane of a planar YUV frame, (H, W) uint8, a copy; other formats are converted."""
    if not frame.format.name.startswith(("yuv4", "yuvj4")) or frame.format.components[0].bits != 8:
        frame = frame.reformat(format="yuv420p")
    plane = frame.planes[0]
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    return rows[: frame.height, : frame.width].copy()
