"""One pass over a video stream: which stream it is, its packets, its decoded pictures.

Every complaint of libavformat and libavcodec comes out as a `CodecError` that names the file.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.format import Flags
from av.stream import Disposition
from av.video.stream import VideoStream

from mic.codec.containers import MAX_PIXELS, check_size, open_container, packets_of, reason
from mic.errors import CodecError

# Pictures beside the video: covers of music and films, thumbnails of chapters.
_BESIDE = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
# So many packets tell a still picture from a video, where a file holds several streams.
_LOOKED_AT = 400


def video_stream(container: InputContainer, path: Path) -> VideoStream:
    """The stream that players show.

    Attached pictures are none, nor is a stream of a single picture beside one of several. Of
    what is left, the one marked as default, and of several the first.

    Args:
        container: Just opened; where it holds several video streams, some of it is read and it
            is back at its start.
        path: Named in errors.

    Raises:
        CodecError: There is no video stream, or none of a codec that is known.
    """
    streams = [one for one in container.streams.video if not one.disposition & _BESIDE]
    if not streams:
        cover = "only a still picture" if container.streams.video else "no video stream"
        raise CodecError(f"holds {cover}", file=path, remedy="choose a video file")
    known = [one for one in streams if one.codec_context is not None]
    if not known:
        raise CodecError("is of a codec that PyAV cannot decode", file=path)
    if len(known) > 1:
        known = _moving(container, known, path)
    default = [one for one in known if one.disposition & Disposition.default]
    return (default or known)[0]


def _moving(
    container: InputContainer, streams: list[VideoStream], path: Path
) -> list[VideoStream]:
    """Those of several pictures, all if there is no such; the container is rewound."""
    counts: Counter[int] = Counter()
    several: list[VideoStream] = []
    for packet in packets_of(container, streams, path):
        counts[packet.stream.index] += packet.size > 0
        several = [one for one in streams if counts[one.index] > 1]
        if len(several) == len(streams) or counts.total() > _LOOKED_AT:
            break
    try:
        container.seek(0)
    except (av.FFmpegError, OSError) as error:
        raise CodecError(f"cannot be read: {reason(error)}", file=path) from error
    return several or streams


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


def has_times(container: InputContainer) -> bool:
    """Whether the container keeps the pictures' times; raw elementary streams do not."""
    return not container.format.flags & Flags.no_timestamps.value


def no_frames(path: Path) -> CodecError:
    """The error for a video stream without a single picture."""
    return CodecError("holds no video frame", file=path, remedy="check that it is complete")
