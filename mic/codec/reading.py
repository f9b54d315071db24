"""One pass over a video stream: which stream it is, its packets, its decoded pictures.

Every complaint of libavformat and libavcodec comes out as a `CodecError` that names the file.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import cast

from av.container import InputContainer
from av.video.stream import VideoStream

from mic.errors import CodecError
from mic_bitstream.containers import has_times, open_container, video_stream
from mic_bitstream.files import MAX_PIXELS, check_size

# The end of a GIF: the terminator of its last block, the trailer, what some programs pad with.
_TRAILER, _PADDING = b"\x3b", b"\x00\r\n"
# ISO/IEC 13818-1; with a time stamp of four bytes (M2TS); with parity (DVB).
_TRANSPORT_PACKETS = (188, 192, 204)


@contextlib.contextmanager
def opened(
    path: Path, *, number: int | None = None, threads: int = 1
) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Opens the video stream of a file.

    Args:
        path: Any video file.
        number: Of the stream in the file, as an earlier call chose it; None: `video_stream`.
        threads: To decode with.

    Raises:
        CodecError: It cannot be opened, or holds no video.
    """
    with open_container(path) as container:
        stream = video_stream(container, path)
        if number is not None:
            stream = cast(VideoStream, container.streams[number])
        context = stream.codec_context
        check_size(context.width, context.height, path)
        context.options = {"max_pixels": str(MAX_PIXELS)}
        context.thread_count = threads
        yield container, stream


def frame_rate_of(container: InputContainer, stream: VideoStream) -> Fraction:
    """The rate that the headers state; the stream's own where the container keeps no times."""
    # For raw streams libavformat says 25, whatever the stream does, or counts fields.
    rate = stream.average_rate if has_times(container) else stream.codec_context.framerate
    rate = rate or stream.guessed_rate
    return Fraction(rate) if rate and rate > 0 else Fraction(25)


def breaks_off(path: Path, container: str) -> str:
    """How the bytes of a file show that its end is missing, where its header promises nothing.

    Args:
        path: Of a GIF or an MPEG transport stream; of others nothing is said.
        container: libavformat's name.

    Returns:
        In words; empty if nothing shows it.

    Raises:
        CodecError: The file cannot be read any more.
    """
    if container not in ("gif", "mpegts"):
        return ""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - 1024))
            end = file.read().rstrip(_PADDING)
    except OSError as error:
        raise CodecError(f"cannot be read: {error.strerror}", file=path) from error
    if container == "gif":
        return "" if end.endswith(_TRAILER) else "a GIF's trailer is missing"
    if any(size % length == 0 for length in _TRANSPORT_PACKETS):
        return ""
    return "its last transport packet is not whole"
