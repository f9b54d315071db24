"""The one way a video is opened with libavformat: a local file, of bounded size, a known format.

libavformat reads more than videos: playlists that name other files and addresses, or never end;
descriptions of network streams; pipes. And a header of a few bytes may claim any size. So what is
opened is a regular file, its demuxer is on a list of such that read one file from its beginning
to its end, and the picture is at most 8K.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import av
from av.container import InputContainer
from av.format import Flags
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from mic_bitstream.errors import CodecError
from mic_bitstream.files import check_regular, reason

# libavformat's names. Left out are playlists (hls, dash, concat, imf), descriptions of streams
# (sdp, rtsp), devices, and numbered pictures.
FORMATS = (
    *("3g2", "3gp", "amv", "apng", "asf", "av1", "avi", "avs2", "avs3", "cavsvideo", "dirac"),
    *("dnxhd", "dv", "evc", "film_cpk", "flic", "flv", "gif", "gxf", "h261", "h263", "h264"),
    *("hevc", "ipu", "ivf", "live_flv", "lxf", "m4a", "m4v", "matroska", "mj2", "mjpeg"),
    *("mjpeg_2000", "mov", "mp4", "mpeg", "mpegts", "mpegvideo", "mxf", "nsv", "nut", "obu"),
    *("ogg", "pva", "rm", "roq", "smjpeg", "swf", "vc1", "vc1test", "vivo", "vvc", "webm"),
    *("wtv", "yuv4mpegpipe"),
)
# Pictures beside the video: covers of music and films, thumbnails of chapters.
_BESIDE = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
_MOTION_JPEG = frozenset({".mjpeg", ".mjpg"})
# So many packets tell a still picture from a video, where a file holds several streams.
_LOOKED_AT = 400
# Of so many pictures of another stream one or fewer is next to none.
_NEXT_TO_NONE = 20
# What files of pictures begin with, of which libavformat makes a video or none.
_PICTURES = (b"\xff\xd8\xff", b"\x89PNG", b"BM", b"II*\0", b"MM\0*")


def open_container(path: Path, *, options: dict[str, str] | None = None) -> InputContainer:
    """Opens a video file.

    Args:
        path: A regular file, or a link to one.
        options: Further options of libavformat.

    Raises:
        CodecError: There is no such file, it is none (a pipe, a device, a folder), or it is of no
            format that is known to be a video's.
    """
    check_regular(path)
    limits = {"protocol_whitelist": "file", "format_whitelist": ",".join(FORMATS)}
    try:
        # A relative name with a colon (12:30.avi, file:x.mp4) would be taken for an address.
        # Titles and the like are nobody's business here, in whatever encoding they are.
        whole = str(path.absolute())  # ".." stays: behind a link it is another folder
        # libavformat takes JPEGs in a row for one still picture, unless it is told.
        named = "mjpeg" if path.suffix.lower() in _MOTION_JPEG else None
        if named and not _begins(path, b"\xff\xd8"):
            named = None
        chosen = limits | (options or {})
        return av.open(whole, format=named, options=chosen, metadata_errors="replace")
    except (av.FFmpegError, OSError, LookupError, ValueError) as error:
        foreign = isinstance(error, av.ArgumentError)  # so libavformat says "not on the list"
        what = "it is sound, a playlist or of another format" if foreign else reason(error)
        remedy = "check that the file is complete and is a video"
        if _is_picture(path):
            what = "it is a picture, or animated in a format that libavformat does not read"
            remedy = "choose a video; of animations GIF and APNG are read"
        raise CodecError(
            f"cannot be opened as a video: {what}", file=path, remedy=remedy
        ) from error


def _begins(path: Path, head: bytes) -> bool:
    with path.open("rb") as file:
        return file.read(len(head)) == head


def _is_picture(path: Path) -> bool:
    with contextlib.suppress(OSError), path.open("rb") as file:
        head = file.read(12)
        return head.startswith(_PICTURES) or (head[:4], head[8:]) == (b"RIFF", b"WEBP")
    return False


def packets_of(
    container: InputContainer, streams: Stream | Sequence[Stream], path: Path
) -> Iterator[av.Packet[Any]]:
    """Packets as `container.demux` gives them, the empty last one included.

    Raises:
        CodecError: libavformat cannot go on, or PyAV fails over what it found (a stream that
            appears in the middle of a damaged file is an IndexError of its own), or there are
            more packets than the file can hold.
    """
    volume = Volume(path)
    found = iter(container.demux(streams))
    while True:
        try:
            packet = next(found, None)
        except (av.FFmpegError, OSError, LookupError, ValueError, RuntimeError) as error:
            raise CodecError(
                f"cannot be read to its end: {reason(error)}",
                file=path,
                remedy="the file is damaged; get another copy",
            ) from error
        if packet is None:
            return
        volume.take(packet)
        yield packet


def video_stream(container: InputContainer, path: Path) -> VideoStream:
    """The stream that players show.

    Attached pictures are none, nor is a stream of a single picture beside one of several. Of
    what is left, the one marked as default, and of several the first.

    Args:
        container: Just opened; nothing of it is read.
        path: Named in errors, and opened once more where there are several video streams.

    Raises:
        CodecError: There is no video stream, or none of a codec that is known.
    """
    streams = [one for one in container.streams.video if not one.disposition & _BESIDE]
    if not streams:
        cover = "only a still picture" if container.streams.video else "no video stream"
        raise CodecError(f"holds {cover}", file=path, remedy="choose a video file")
    known = [one for one in streams if one.codec_context is not None]
    if not known:
        raise CodecError(
            "is of a codec that PyAV cannot decode",
            file=path,
            remedy="convert it, for instance to H.264 in MP4",
        )
    if len(known) > 1:
        known = _moving(known, path)
    default = [one for one in known if one.disposition & Disposition.default]
    return (default or known)[0]


def _moving(streams: list[VideoStream], path: Path) -> list[VideoStream]:
    """Those of several pictures, all if there is no such.

    A stream with next to none beside one of many is no film either. They are counted in a
    container of their own: after `seek(0)` the first key picture may be gone, or all of a still.
    """
    counts: Counter[int] = Counter()
    with open_container(path) as container:
        asked = [container.streams[one.index] for one in streams]
        for packet in packets_of(container, asked, path):
            counts[packet.stream.index] += packet.size > 0
            if counts.total() > _LOOKED_AT:
                break
    fewest = max(2, -(-max(counts.values(), default=0) // _NEXT_TO_NONE))
    several = [one for one in streams if counts[one.index] >= fewest]
    return several or streams


def has_times(container: InputContainer) -> bool:
    """Whether the container keeps the pictures' times; raw elementary streams do not."""
    return not container.format.flags & cast(int, Flags.no_timestamps.value)


class Volume:
    """Counts what a demuxer hands out of a file, and ends what has no end.

    A table of a few bytes may name one piece of a file a million times, and a file may grow as
    fast as it is read.

    Args:
        path: The file.
    """

    # Coded pictures are nearly all of a file; sixteen times is beyond any honest container.
    _TIMES, _SLACK = 16, 1 << 20

    def __init__(self, path: Path) -> None:
        self._path = path
        self._left = self._SLACK + self._TIMES * path.stat().st_size

    def take(self, packet: av.Packet[Any]) -> None:
        """Counts a packet.

        Raises:
            CodecError: There are more than the file can hold.
        """
        self._left -= max(packet.size, 1)
        if self._left < 0:
            raise CodecError(
                "holds more pictures than its size allows: it names the same bytes again and "
                "again, or grows while it is read",
                file=self._path,
                remedy="wait until the file is complete; otherwise do not trust it",
            )
