"""What a container promises and a file that broke off, or was cut, does not hold."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
from av.container import InputContainer

from mic_bitstream.sample_table import is_edited

# A cut file lost some of its pictures, not millions: more is a table that lies.
MAX_ABSENT = 1 << 20
_EBML = b"\x1aE\xdf\xa3"
_SEGMENT = b"\x18S\x80g"


def absent_packets(
    path: Path,
    box: InputContainer,
    video: av.VideoStream,
    held: int,
    starts: list[float],
    end: float,
) -> int:
    """How many packets of a video stream a container promises beyond those it holds.

    MP4 and AVI keep tables or counts. Matroska keeps its size and duration, so that what a cut
    one lost is known to about a picture. Streams that are written live promise nothing.

    Args:
        path: The file.
        box: The opened container, read to its end.
        video: The stream.
        held: Packets it gave.
        starts: Seconds at which each of them is decoded, as far as they say.
        end: Seconds where the last of them ends.
    """
    name = box.format.name
    if "matroska" in name:
        if not _is_cut_matroska(path):
            return 0
        rate = video.average_rate or 25
        left = (box.duration or 0) / av.time_base - end
        return max(1, round(left * rate))
    if "mov" in name and is_edited(path):
        return 0  # libavformat leaves out what is not shown
    if "avi" in name and starts:
        # Its length counts ticks of the header's rate, of which a picture may last several. Empty
        # chunks, which repeat a picture, are counted there; the demuxer may pass them over.
        ticks = np.rint(np.array(starts) * float(video.average_rate or 25)).astype(np.int64)
        lasting = _lasting(np.diff(ticks))
        held = max(held, int(ticks[-1]) + lasting)
        return max(0, video.frames - held) // lasting
    return max(0, video.frames - held)


def _lasting(steps: np.ndarray) -> int:
    """Ticks that the last picture may last: as the others, or as the longest where they differ."""
    steps = steps[steps > 0]
    return int(steps.max()) if len(steps) else 1


def _is_cut_matroska(path: Path) -> bool:
    """Whether the Segment says that it is longer than the file (RFC 8794 and 9559)."""
    with path.open("rb") as file:
        head = file.read(4096)
    try:
        if not head.startswith(_EBML):
            return False
        size, at = _element_size(head, 4)
        if size is None or head[at + size : at + size + 4] != _SEGMENT:
            return False
        length, start = _element_size(head, at + size + 4)
    except IndexError:
        return False
    return length is not None and start + length > path.stat().st_size


def _element_size(data: bytes, at: int) -> tuple[int | None, int]:
    """A size of variable length, None for "unknown", and where it ends."""
    width = 9 - data[at].bit_length()
    value = int.from_bytes(data[at : at + width], "big") & ((1 << 7 * width) - 1)
    return (None if value == (1 << 7 * width) - 1 else value), at + width
