"""Encoding as frames come: a picture in, one coded MPEG-4 packet out, no file between.

For cameras, and for windows of videos whose own codec `mic.bitstream` does not read.

    encoder = mic.codec.LiveEncoder(width=112, height=112, frame_rate=25, gop=50, vop_quant=2)
    packet = encoder.encode(frame)             # frame: uint8 (112, 112, 3)
    packet = encoder.encode(frame, intra=True) # an I-VOP here, whatever the group says
"""

from __future__ import annotations

from fractions import Fraction
from types import TracebackType
from typing import Any

import av
import numpy as np
from av.video.frame import PictureType
from numpy.typing import NDArray

from mic.codec.options import EncodeOptions, checked_rate, coded_rate
from mic.errors import CodecError, ConfigError

# Options that say nothing here.
_OF_FILES = frozenset(
    {"codec", "container", "crop", "size", "frame_rate", "bit_rate", "max_frames"}
)


class LiveEncoder:
    """An MPEG-4 encoder without delay: the packet of a frame is there when `encode` returns.

    Every I-VOP carries the stream's headers, so a reader can start at any of them.

    Args:
        width: Of the frames, in samples.
        height: Of the frames, in samples.
        frame_rate: Frames a second, as the headers say; rate control by quantiser ignores it.
        **options: Fields of `EncodeOptions` but `codec`, `container`, `crop`, `size`,
            `frame_rate`, `bit_rate` and `max_frames`.

    Raises:
        ConfigError: An option is unknown, one of these, or out of range.
        CodecError: The encoder refuses the size.
    """

    def __init__(
        self, *, width: int, height: int, frame_rate: Fraction | float = 25, **options: Any
    ) -> None:
        if refused := sorted(_OF_FILES & options.keys()):
            raise ConfigError(
                f"{', '.join(refused)}: no option of what is encoded as it comes",
                remedy="leave it out, or write a file with `mic.codec.encode_frames`",
            )
        chosen = EncodeOptions.of({"size": (width, height), **options})
        self.width, self.height = width, height
        self._count, self._closed = 0, False
        self._context = av.CodecContext.create("mpeg4", "w")
        self._context.width, self._context.height = width, height
        self._context.pix_fmt = "yuv420p"
        self._context.framerate = coded_rate(checked_rate(frame_rate))
        self._context.time_base = 1 / self._context.framerate
        self._context.thread_count = 1
        self._context.options = chosen.encoder_options(width, height)
        self._context.sample_aspect_ratio = Fraction(1)
        try:
            self._context.open()
        except (av.FFmpegError, OSError) as error:
            raise CodecError(
                f"cannot encode {width} x {height}: {error}", remedy="choose another size"
            ) from error

    def encode(self, frame: NDArray[np.uint8], *, intra: bool = False) -> bytes:
        """The coded picture of one frame.

        Args:
            frame: uint8 (height, width, 3) RGB.
            intra: Code it as an I-VOP and begin a group of pictures.

        Raises:
            CodecError: The frame has another shape or type, or the encoder fails.
        """
        if frame.dtype != np.uint8 or frame.shape != (self.height, self.width, 3):
            raise CodecError(
                f"frame is {frame.dtype} {frame.shape}, "
                f"must be uint8 ({self.height}, {self.width}, 3)",
                place=f"frame {self._count}",
            )
        picture = av.VideoFrame.from_ndarray(frame, "rgb24").reformat(format="yuv420p")
        picture.pts, picture.time_base = self._count, self._context.time_base
        picture.pict_type = PictureType.I if intra else PictureType.NONE
        self._count += 1
        try:
            packets = self._context.encode(picture)
        except (av.FFmpegError, OSError) as error:
            raise CodecError(
                f"cannot be encoded: {error}", place=f"frame {self._count - 1}"
            ) from error
        return b"".join(bytes(packet) for packet in packets)

    def close(self) -> None:
        """Drops what the encoder may still hold; it cannot be used afterwards."""
        if self._context.is_open and not self._closed:
            self._closed = True
            self._context.encode(None)

    def __enter__(self) -> LiveEncoder:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
