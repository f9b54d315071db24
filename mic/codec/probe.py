"""Short forms of `mic.codec.Video`: what a file is, and its frames; memory stays flat."""

from __future__ import annotations

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


def decode(
    path: str | Path, *, pixel_format: PixelFormat = "rgb24"
) -> Iterator[NDArray[np.uint8]]:
    """Decodes a video, one frame in memory at a time; `Video.pictures` also tells their times.

    Args:
        path: A file of any container that libavformat reads.
        pixel_format: `rgb24`: (H, W, 3) full-range RGB, upright, samples square; `luma`: (H, W),
            the Y samples as coded, neither turned nor stretched.

    Yields:
        Frames in display order, uint8.

    Raises:
        CodecError: As `probe`, or a packet cannot be decoded.
    """
    for picture in Video(path, survey=True).pictures():
        yield luma(picture.frame) if pixel_format == "luma" else picture.rgb


def luma(frame: av.VideoFrame) -> NDArray[np.uint8]:
    """The Y plane of a planar YUV frame, (H, W) uint8, a copy; other formats are converted."""
    if not frame.format.name.startswith(("yuv4", "yuvj4")) or frame.format.components[0].bits != 8:
        frame = frame.reformat(format="yuv420p")
    plane = frame.planes[0]
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    return rows[: frame.height, : frame.width].copy()
