"""From a file to its index of VOPs.

The parser indexes elementary streams, `mic_bitstream.sample_table` plain MP4 files, with nothing
but NumPy; PyAV, which is loaded only then, demuxes everything else and hands out packets.
"""

from __future__ import annotations

import errno
import os
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

from mic_bitstream.clock import usual_step
from mic_bitstream.errors import CodecError
from mic_bitstream.extras import needed
from mic_bitstream.files import check_regular, check_size
from mic_bitstream.sample_table import SampleTable, read_sample_table
from mic_bitstream.vop_index import DEFAULT_RATE, Index, absence, indexing

_START_CODES = frozenset({0xB0, 0xB2, 0xB3, 0xB5, 0xB6, *range(0x30)})
_FIRST_CODES = (b"\xb0", b"\xb5", b"\xb6", b"\0", b"\x20")
_HEAD = 1 << 12  # bytes looked at to tell what a file is


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
        ExtraError: It has to be demuxed, and PyAV is not installed.
    """
    check_regular(path)
    masked = on_error == "mask"
    try:
        with path.open("rb") as file:
            head = _head(file, path)
            table = read_sample_table(file) if head[4:8] == b"ftyp" else None
    except OSError as error:
        raise CodecError(f"cannot open: {error.strerror}", file=path) from error
    if _is_elementary(head):
        index = _open_elementary(path, masked=masked)
    elif table is not None:
        index = _open_table(path, table, masked=masked)
    else:
        try:
            index = _demuxed(path, masked=masked)
        except CodecError:
            # An elementary stream whose first bytes are hurt is no format that anybody knows.
            if not masked or not any(b"\0\0\1" + code in head for code in _FIRST_CODES):
                raise
            index = _open_elementary(path, masked=True)
    check_size(*index.native.size, path)
    return index


def _head(file: BinaryIO, path: Path) -> bytes:
    """The first bytes, behind all zeros but a few where it begins with thousands of them.

    Downloads that failed are nothing but zeros: no demuxer shall look through all of them.
    """
    head = file.read(_HEAD)
    while len(head) == _HEAD and not head.strip(b"\0"):
        try:
            file.seek(file.tell(), getattr(os, "SEEK_DATA", os.SEEK_SET))
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            break  # a hole up to the end
        more = file.read(1 << 20)
        if not more:
            break
        head = bytes(3) + more.lstrip(b"\0")[:_HEAD] if more.strip(b"\0") else bytes(_HEAD)
    if head and not head.strip(b"\0"):
        raise CodecError(
            "holds nothing but zeros", file=path, remedy="the file is damaged; get another copy"
        )
    return head


def _is_elementary(head: bytes) -> bool:
    """Whether a file starts with a start code of clause 6.2.1, zeros before it or not."""
    if head[:3] == b"\0\0\1":
        # MPEG-1 begins with the number of a group of VOPs, and has no VOP behind it.
        other = head[3:4] == b"\xb3" and b"\0\0\1\xb6" not in head
        return head[3:4] != b"" and head[3] in _START_CODES and not other
    stuffed = head.lstrip(b"\0")
    # Behind further zeros H.264 has some of these numbers as well.
    return head[:3] == bytes(3) and stuffed[:1] == b"\1" and stuffed[1:2] in _FIRST_CODES


def _demuxed(path: Path, *, masked: bool) -> Index:
    purpose = (
        "is neither an elementary stream of MPEG-4 Part 2 nor a plain MP4 file, and to be demuxed "
        "it needs"
    )
    with needed(purpose, file=path):
        from mic_bitstream.demuxed import open_demuxed
    return open_demuxed(path, masked=masked)


def _open_elementary(path: Path, *, masked: bool) -> Index:
    with indexing(path, masked=masked) as index:
        index.scan()
    resolution, increment = index.ticks
    step = increment or usual_step(index)
    return Index(index, Fraction(resolution, step) if step else DEFAULT_RATE)


def _open_table(path: Path, table: SampleTable, *, masked: bool) -> Index:
    with indexing(path, masked=masked, extradata=table.extradata) as index:
        index.append_table(table.offsets, table.sizes)
    absent = int((table.offsets + table.sizes > path.stat().st_size).sum())
    # Where a sample holds no VOP, or several, stamps and VOPs are not one to one.
    stamps = table.stamps if len(index) == len(table.stamps) else None
    return Index(index, table.frame_rate, stamps, absence(path, absent, len(index)))
