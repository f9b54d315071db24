"""One pass over a video stream: which stream it is, its packets, its decoded pictures.

Every complaint of libavformat and libavcodec comes out as a `CodecError` that names the file.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import cast

from av.container import InputContainer
from av.video.stream import VideoStream

from mic_bitstream.containers import has_times, open_container, video_stream
from mic_bitstream.files import MAX_PIXELS, check_size


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
        if number is None:
            stream = video_stream(container, path)
        else:
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
