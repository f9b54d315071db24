"""From a file to its index of VOPs.

The parser indexes elementary streams, `mic.bitstream.sample_table` plain MP4 files; PyAV demuxes
everything else and hands out packets.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from mic import _native
from mic.bitstream.promises import MAX_ABSENT, absent_packets
from mic.bitstream.sample_table import SampleTable, read_sample_table
from mic.codec.containers import check_regular, check_size, open_container, packets_of
from mic.codec.reading import has_times, video_stream
from mic.errors import BitstreamError, CodecError, UnsupportedSyntaxError

REMEDY = "re-encode it with `mic.codec.reencode`"
_START_CODES = frozenset({0xB0, 0xB2, 0xB3, 0xB5, 0xB6, *range(0x30)})
MASK = 'repair it, or read it with on_error="mask"'
MASK_OPEN = 'repair it, or open it with on_error="mask"'
LOST = "get another copy; what is damaged is lost"
_FIRST_CODES = (b"\xb0", b"\xb5", b"\xb6", b"\0", b"\x20")
_HEAD = 1 << 12  # bytes looked at to tell what a file is
_DEFAULT_RATE = Fraction(25)


@dataclasses.dataclass(frozen=True)
class Index:
    """A file's VOPs, and what was wrong with the file beside what the parser's index says.

    Attributes:
        native: The parser's index.
        frame_rate: Frames a second.
        stamps: float64 (T,), the container's time of each VOP in seconds; None if it has none.
        errors: Of the container.
    """

    native: _native.Stream
    frame_rate: Fraction
    stamps: np.ndarray | None = None
    errors: tuple[BitstreamError, ...] = ()


def syntax_error(
    unsupported: bool,
    clause: str,
    bit_offset: int,
    message: str,
    *,
    path: Path,
    packet: int,
    remedy: str = MASK,
) -> BitstreamError:
    """The typed error for what the parser reported about one packet; `remedy` is for damage."""
    place = f"packet {packet}, bit {bit_offset}, clause {clause}"
    if unsupported:
        return UnsupportedSyntaxError(
            f"{message} is not supported", file=path, place=place, remedy=REMEDY
        )
    return BitstreamError(message, file=path, place=place, remedy=remedy)


def open_index(path: Path, *, on_error: str = "raise") -> Index:
    """Indexes a file.

    Elementary streams are recognised by their first bytes, whatever the file is called.

    Args:
        path: MPEG-4 Part 2 video in any container that PyAV demuxes, or an elementary stream.
        on_error: "raise", or "mask" to enter VOPs whose headers cannot be read as damaged, also
            where the syntax is unsupported or the first headers are hurt.

    Raises:
        CodecError: The file cannot be opened, has no video, or claims a gigantic picture.
        UnsupportedSyntaxError: It is not MPEG-4 Part 2, or uses a feature outside our profile.
        BitstreamError: Its headers are damaged; with on_error="mask", all of them.
    """
    check_regular(path)
    masked = on_error == "mask"
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
            table = read_sample_table(file) if head[4:8] == b"ftyp" else None
    except OSError as error:
        raise CodecError(f"cannot open: {error.strerror}", file=path) from error
    if _is_elementary(head):
        index = _open_elementary(path, masked=masked)
    elif table is not None:
        index = _open_table(path, table, masked=masked)
    else:
        try:
            with _demuxer(path) as box:
                index = _open_container(path, box, masked=masked)
        except av.FFmpegError as error:
            raise CodecError(f"cannot demux: {error}", file=path) from error
        except CodecError:
            # An elementary stream whose first bytes are hurt is no format that anybody knows.
            if not masked or not any(b"\0\0\1" + code in head for code in _FIRST_CODES):
                raise
            index = _open_elementary(path, masked=True)
    check_size(*index.native.size, path)
    return index


def _is_elementary(head: bytes) -> bool:
    """Whether a file starts with a start code of clause 6.2.1, zeros before it or not."""
    if head[:3] == b"\0\0\1":
        return head[3:4] != b"" and head[3] in _START_CODES
    stuffed = head.lstrip(b"\0")
    # Behind further zeros H.264 has some of these numbers as well.
    return head[:3] == bytes(3) and stuffed[:1] == b"\1" and stuffed[1:2] in _FIRST_CODES


@contextlib.contextmanager
def _demuxer(path: Path) -> Iterator[av.container.InputContainer]:
    # Looking into the packets for what headers tell costs more than parsing ten frames. FLV has
    # no such headers: its streams are known once a packet of each has come.
    with open_container(path, options={"analyzeduration": "0", "probesize": "32"}) as box:
        if box.streams.video:
            yield box
            return
    with open_container(path) as box:
        yield box


@contextlib.contextmanager
def _indexing(path: Path, *, masked: bool, extradata: bytes = b"") -> Iterator[_native.Stream]:
    """An index to be filled, and to hold a VOP and a layer after that."""
    index = None
    try:
        index = _native.Stream(os.fsencode(path), extradata, masked)
        yield index
    except _native.SyntaxError as error:
        number = 0 if index is None else len(index)
        raise syntax_error(
            *error.args, path=path, packet=number, remedy=LOST if masked else MASK_OPEN
        ) from None
    if index.size == (0, 0):
        for _, packet, _, *details in index.faults:
            raise syntax_error(*details, path=path, packet=packet, remedy=LOST)
    if len(index) == 0 or index.size == (0, 0):
        raise BitstreamError("there is no VOP in the stream", file=path, remedy=LOST)


def _open_elementary(path: Path, *, masked: bool) -> Index:
    with _indexing(path, masked=masked) as index:
        index.scan()
    resolution, increment = index.ticks
    return Index(index, Fraction(resolution, increment) if increment else _DEFAULT_RATE)


def _open_table(path: Path, table: SampleTable, *, masked: bool) -> Index:
    with _indexing(path, masked=masked, extradata=table.extradata) as index:
        index.append_table(table.offsets, table.sizes)
    absent = int((table.offsets + table.sizes > path.stat().st_size).sum())
    # Where a sample holds no VOP, or several, stamps and VOPs are not one to one.
    stamps = table.stamps if len(index) == len(table.stamps) else None
    return Index(index, table.frame_rate, stamps, _absence(path, absent, len(index)))


def _open_container(path: Path, box: av.container.InputContainer, *, masked: bool) -> Index:
    video = video_stream(box, path)
    codec = video.codec_context.name
    if codec != "mpeg4":
        raise UnsupportedSyntaxError(
            f"the video is {codec}, not MPEG-4 Part 2",
            file=path,
            remedy=f'{REMEDY}, or read it with method="decoded"',
        )
    stamps: list[float] = []
    held = absent = 0
    end = 0.0
    extradata = video.codec_context.extradata or b""
    with _indexing(path, masked=masked, extradata=extradata) as index:
        for packet in packets_of(box, video, path):
            held += packet.size > 0 or packet.dts is not None  # AVI repeats by empty packets
            if not packet.size:
                continue
            index.append(-1 if packet.pos is None else packet.pos, packet)
            stamp = packet.dts if packet.pts is None else packet.pts
            time = math.nan if stamp is None else float(stamp * packet.time_base)
            if not math.isnan(time):
                coded = stamp if packet.dts is None else packet.dts
                end = max(end, float((coded + (packet.duration or 0)) * packet.time_base))
            stamps += [time] * (len(index) - len(stamps))
        absent = min(absent_packets(path, box, video, held, end), MAX_ABSENT)
        if absent:
            index.append_absent(absent)
            stamps += [math.nan] * absent
    rate = video.average_rate or video.base_rate or _DEFAULT_RATE
    timed = np.array(stamps) if has_times(box) and "avi" not in box.format.name else None
    return Index(index, rate, timed, _absence(path, absent, len(index)))


def _absence(path: Path, absent: int, count: int) -> tuple[BitstreamError, ...]:
    if not absent:
        return ()
    error = BitstreamError(
        f"the container promises {count} pictures and the file ends without {absent} of them",
        file=path,
        place=f"packets {count - absent} to {count - 1}",
        remedy="get a whole copy; what is there can be read",
    )
    return (error,)
