"""One pass over a video stream: which stream it is, its packets, its decoded pictures.

Every complaint of libavformat and libavcodec comes out as a `CodecError` that names the file.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from mic.errors import CodecError
from mic_bitstream.containers import has_times, open_container, packets_of, video_stream
from mic_bitstream.files import MAX_PIXELS, check_size, reason


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
        stream = video_stream(container, path) if number is None else container.streams[number]
        context = stream.codec_context
        check_size(context.width, context.height, path)
        context.options = {"max_pixels": str(MAX_PIXELS)}
        context.thread_count = threads
        yield container, stream


def packets(container: InputContainer, stream: VideoStream, path: Path) -> Iterator[av.Packet]:
    """The stream's packets in coding order.

    Empty ones, by which AVI repeats a picture, are left out.

    Raises:
        CodecError: The file is damaged, or breaks off in the middle of a packet.
    """
    for packet in packets_of(container, stream, path):
        if packet.is_corrupt:
            raise CodecError(
                "breaks off in the middle of a picture",
                file=path,
                remedy="the file is damaged; get another copy",
            )
        if packet.size:
            yield packet


def decoded_frames(
    container: InputContainer,
    stream: VideoStream,
    path: Path,
    *,
    before: Callable[[av.Packet], None] | None = None,
) -> Iterator[av.VideoFrame]:
    """The stream's pictures in the order in which they are shown, as coded; see `Video`.

    What cannot be decoded before the first key frame is passed over: recordings of broadcasts
    begin anywhere.

    Args:
        container: Just opened.
        stream: Of it.
        path: Named in errors.
        before: Called with each packet before it is decoded, for instance to tell the decoder
            whether its picture may be passed over.

    Raises:
        CodecError: It is damaged; all whole pictures before have been yielded. Or it has none.
    """
    context, frames, begun = stream.codec_context, 0, False
    try:
        for packet in packets(container, stream, path):
            begun = begun or packet.is_keyframe
            if before is not None:
                before(packet)
            try:
                found = packet.decode()
            except av.InvalidDataError:
                if begun:
                    raise
                continue
            for frame in found:
                frames += 1
                yield frame
        for frame in context.decode(None):
            frames += 1
            yield frame
    except (av.FFmpegError, OSError, ValueError, CodecError) as error:
        with contextlib.suppress(av.FFmpegError, OSError, ValueError):
            for frame in context.decode(None):  # what waits for its turn is whole
                frames += 1
                yield frame
        what = error.message if isinstance(error, CodecError) else reason(error)
        remedy = getattr(error, "remedy", None)
        raise CodecError(
            what if remedy else f"cannot be decoded: {what}",
            file=path,
            place=f"after frame {frames - 1}" if frames else "at the first frame",
            remedy=remedy or "the file is damaged; get another copy",
        ) from error
    if frames == 0:
        raise no_frames(path)


def frame_rate_of(container: InputContainer, stream: VideoStream) -> Fraction:
    """The rate that the headers state; the stream's own where the container keeps no times."""
    # For raw streams libavformat says 25, whatever the stream does, or counts fields.
    rate = stream.average_rate if has_times(container) else stream.codec_context.framerate
    rate = rate or stream.guessed_rate
    return Fraction(rate) if rate and rate > 0 else Fraction(25)


def no_frames(path: Path) -> CodecError:
    """The error for a video stream without a single picture."""
    return CodecError("holds no video frame", file=path, remedy="check that it is complete")
