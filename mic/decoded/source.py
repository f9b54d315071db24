"""Decoded pictures with the vectors of their blocks, from the key frame before those wanted."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
from collections.abc import Iterator
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import PictureType
from av.video.stream import VideoStream

from mic.codec.missing import lost_reference
from mic.codec.reading import opened
from mic.codec.video import Video
from mic.errors import CodecError, UnsupportedSyntaxError
from mic_bitstream.decoding import decoded_frames, field_structures, packets
from mic_bitstream.files import reason
from mic_bitstream.side_data import motion_vectors

REMEDY = "re-encode it with `mic.codec.reencode` and use method='bitstream'"
# H.264 and relatives of MPEG-1: the decoders of libavcodec that export vectors.
_EXPORTING = frozenset(
    {"flv", "h263", "h264", "mpeg1video", "mpeg2video", "mpeg4"}
    | {"msmpeg4", "msmpeg4v1", "msmpeg4v2", "wmv1", "wmv2"}
)
_FLUSHING = 1 << 60  # time stamp of the packet that only makes a decoder give its last picture
_NO_VECTORS = np.zeros(
    0,
    [
        (name, np.int32)
        for name in ("source", "w", "h", "dst_x", "dst_y", "motion_x", "motion_y", "motion_scale")
    ],
)

Planes = tuple[np.ndarray, np.ndarray, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Picture:
    """A decoded picture.

    Attributes:
        number: From 0, as shown; None for one that an edit list cuts away.
        kind: "I", "P" or "B".
        frame: What libavcodec decoded; its samples lie there until they are asked for.
    """

    number: int | None
    kind: str
    frame: av.VideoFrame

    @property
    def planes(self) -> Planes:
        """Y, Cb, Cr, uint8 (H, W), (ceil(H / 2), ceil(W / 2)) twice: views of the frame."""
        found = []
        for plane in self.frame.planes:
            rows = np.frombuffer(memoryview(plane), np.uint8).reshape(
                plane.height, plane.line_size
            )
            found.append(rows[:, : plane.width])
        return found[0], found[1], found[2]

    @property
    def vectors(self) -> np.ndarray:
        """The motion vectors that libavcodec attached: a structured array, empty if none."""
        return vectors_of(self.frame)


def vectors_of(frame: av.VideoFrame) -> np.ndarray:
    """The motion vectors that libavcodec attached: a structured array, empty if none."""
    data = motion_vectors(frame)
    return _NO_VECTORS if data is None else data.to_ndarray()


def check_codec(video: Video) -> None:
    """Refuses a codec whose decoder tells nothing of its vectors.

    Raises:
        UnsupportedSyntaxError: It is such a codec.
    """
    if video.codec not in _EXPORTING:
        raise UnsupportedSyntaxError(
            f"the decoder of {video.codec} exports no motion vectors",
            file=video.path,
            remedy=REMEDY,
        )


def check_cropping(video: Video) -> None:
    """Refuses what is cut at its left or upper edge: vectors count from the whole picture's.

    H.264 codes whole macroblocks and says what is to be cut away; encoders cut at the right and
    below, and libavcodec does not tell when it is elsewhere. So the first picture, cut by
    libavcodec, is looked for where it should lie.

    Raises:
        UnsupportedSyntaxError: It is not there.
        CodecError: The first picture cannot be decoded.
    """
    if video.codec != "h264":
        return
    found = []
    for cropping in ("1", "0"):
        with opened(video.path, number=video.stream) as (container, stream):
            stream.codec_context.options |= {"apply_cropping": cropping}
            first = next(decoded_frames(container, stream, video.path))
            found.append(Picture(0, "I", first).planes[0].copy())
    shown, whole = found
    size = video.height, video.width
    # libavcodec leaves columns in that do not fit its alignment; then the size is another.
    if shown.shape != size or not np.array_equal(shown, whole[: size[0], : size[1]]):
        raise UnsupportedSyntaxError(
            "the pictures are cropped at their left or upper edge", file=video.path, remedy=REMEDY
        )


def pictures(video: Video, first: int = 0, *, samples: bool = True) -> Iterator[Picture]:
    """Decodes a video from a picture on; memory is flat in its length.

    Args:
        video: The video.
        first: Number of the picture to begin with: 0, or one of a key frame on which everything
            from it on depends alone, as `Video.ways` gives it.
        samples: Whether samples are looked at. Without them the loop filter and the inverse
            transform are skipped; vectors do not depend on either.

    Yields:
        Pictures as they are shown.

    Raises:
        CodecError: It is damaged; all whole pictures before have been yielded.
        UnsupportedSyntaxError: It is interlaced, not 8-bit 4:2:0, or its size changes.
    """
    if video.codec == "mpeg2video" and set(field_structures(bytes(next(video.packets())))) - {3}:
        raise UnsupportedSyntaxError("the video is interlaced", file=video.path, remedy=REMEDY)
    with opened(video.path, number=video.stream) as (container, stream):
        # apply_cropping=0 keeps the rows and columns that vectors may read outside the picture;
        # explode turns damage that the decoder sees into an error instead of a concealed frame,
        # and so it does with commands to forget pictures from before a stream's beginning.
        midway = first == 0 and video.index.midway
        stream.codec_context.options |= {
            "flags2": "+export_mvs",
            "apply_cropping": "0",
            "err_detect": "bitstream+buffer" if midway else "bitstream+buffer+explode",
            **({} if samples else {"skip_loop_filter": "all", "skip_idct": "all"}),
        }
        number = first - 1
        size: tuple[int, int] | None = None
        try:
            for frame in _frames(video, container, stream, first):
                if midway and frame.is_corrupt:
                    raise CodecError(
                        "cannot be decoded: samples are missing",
                        file=video.path,
                        place=f"after frame {number}",
                        remedy="the file is damaged; get another copy",
                    )
                if frame.interlaced_frame:
                    raise UnsupportedSyntaxError(
                        "the video is interlaced", file=video.path, remedy=REMEDY
                    )
                if frame.format.name not in ("yuv420p", "yuvj420p"):
                    raise UnsupportedSyntaxError(
                        f"the samples are {frame.format.name}, not 8-bit 4:2:0",
                        file=video.path,
                        remedy=REMEDY,
                    )
                size = size or (frame.width, frame.height)
                if (frame.width, frame.height) != size:
                    raise UnsupportedSyntaxError(
                        f"the size changes from {size[0]}x{size[1]} to "
                        f"{frame.width}x{frame.height}",
                        file=video.path,
                        place=f"after frame {number}",
                        remedy=REMEDY,
                    )
                letter = PictureType(frame.pict_type).name
                kind = letter if letter in "IB" else "P"
                shown = video.index.number(frame.pts)
                if video.index.by_stamp and (shown is None or shown <= number):
                    yield Picture(None, kind, frame)
                    continue
                number = number + 1 if shown is None else shown
                if number < len(video) and video.index.unsound[number]:
                    raise lost_reference(number, number, video.index, video.path)
                yield Picture(number, kind, frame)
        except av.FFmpegError as error:
            raise CodecError(
                f"cannot be decoded: {reason(error)}",
                file=video.path,
                place=f"after frame {number}" if number >= first else f"at frame {first}",
                remedy="the file is damaged; get another copy",
            ) from error


def _frames(
    video: Video, container: InputContainer, stream: VideoStream, first: int
) -> Iterator[av.VideoFrame]:
    context = stream.codec_context
    key: av.Packet[av.VideoStream] | None = None
    sent = shown = 0
    for packet in _packets_from(video, container, stream, first):
        if packet.is_discard:  # cut away by an edit list, and yet a reference
            packet = _kept(packet)
        key = key or packet
        sent += 1
        for frame in context.decode(packet):
            shown += 1
            yield frame
    if context.name != "h264" and shown < sent and key is not None:
        # libavcodec's MPEG family drains its last frame without vectors; one more key frame
        # behind it makes it come out in the normal way.
        key.pts = _FLUSHING
        yield from (frame for frame in context.decode(key) if frame.pts != _FLUSHING)
        return
    yield from context.decode(None)


def _packets_from(
    video: Video, container: InputContainer, stream: VideoStream, first: int
) -> Iterator[av.Packet[av.VideoStream]]:
    """Packets from that of picture `first` on, without those that are shown before it."""
    if first == 0:
        found = packets(container, stream, video.path)
        begin, leading = video.index.begin, video.index.leading
        for number, packet in enumerate(found):
            if number >= begin and number not in leading:
                yield packet
        return
    number = int(video.index.packet_of[first])
    stamp = int(video.index.stamps[number])
    rest: Iterator[av.Packet[av.VideoStream]]
    if video.is_seekable:
        with contextlib.suppress(av.FFmpegError, OSError):
            container.seek(stamp, stream=stream)
        rest = itertools.dropwhile(
            lambda packet: packet.pts != stamp, packets(container, stream, video.path)
        )
    else:
        rest = itertools.islice(packets(container, stream, video.path), number, None)
    for packet in rest:
        # Pictures shown before a key frame and coded behind it may refer to others before it.
        if packet.pts is not None and packet.pts >= stamp:
            yield packet


def _kept(packet: av.Packet[av.VideoStream]) -> av.Packet[av.VideoStream]:
    """The packet without its mark, by which the decoder would drop the picture."""
    copy: av.Packet[Any] = av.Packet(packet.size)
    copy.update(bytes(packet))
    copy.pts, copy.dts, copy.time_base = packet.pts, packet.dts, packet.time_base
    return copy
