"""The one way `mic` opens a video with libavformat: a local file, of bounded size, a known format.

libavformat reads more than videos: playlists that name other files and addresses, or never end;
descriptions of network streams; pipes. And a header of a few bytes may claim any size. So what is
opened is a regular file, its demuxer is on a list of such that read one file from its beginning
to its end, and the picture is at most 8K.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

import av
from av.container import InputContainer
from av.stream import Stream

from mic.errors import CodecError

# 8K is 7680 x 4320 and beyond all datasets of the field; 50 MB a decoded frame.
MAX_PIXELS = 1 << 25
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
        # Titles and the like are nobody's business here, in whatever encoding they are.
        return av.open(str(path), options=limits | (options or {}), metadata_errors="replace")
    except (av.FFmpegError, OSError, LookupError, ValueError) as error:
        foreign = isinstance(error, av.ArgumentError)  # so libavformat says "not on the list"
        what = "it is sound, a playlist or of another format" if foreign else reason(error)
        raise CodecError(
            f"cannot be opened as a video: {what}",
            file=path,
            remedy="check that the file is complete and is a video",
        ) from error


def packets_of(
    container: InputContainer, streams: Stream | Sequence[Stream], path: Path
) -> Iterator[av.Packet]:
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


def check_regular(path: Path) -> None:
    """Refuses what may never end, before anything is read from it.

    Raises:
        CodecError: There is no such file, or it is a pipe, a device, a socket or a folder.
    """
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:
        raise CodecError(
            f"cannot be opened as a video: {reason(error)}", file=path, remedy="check the path"
        ) from error
    if not stat.S_ISREG(mode):
        kind = "a folder" if stat.S_ISDIR(mode) else "a pipe or a device, which may never end"
        raise CodecError(
            f"cannot be opened as a video: it is {kind}",
            file=path,
            remedy="save the video to a file first",
        )


def check_size(width: int, height: int, path: Path) -> None:
    """Refuses gigantic pictures.

    Raises:
        CodecError: More than `MAX_PIXELS` samples.
    """
    if width * height > MAX_PIXELS:
        raise CodecError(
            f"claims {width} x {height} samples; at most {MAX_PIXELS} in all",
            file=path,
            remedy="the header is damaged, or the video must be made smaller first",
        )


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

    def take(self, packet: av.Packet) -> None:
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


def reason(error: Exception) -> str:
    """What libavformat or the system say, without their numbers."""
    return str(getattr(error, "strerror", None) or error)
