"""Which transport streams nobody can read without a key (ISO/IEC 13818-1, 2.4.3.3).

Each packet says whether its content is scrambled. Some say so whose content is not, and are read.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mic.errors import CodecError

_LENGTHS = (188, 192, 204)  # of packets: plain, with a time stamp of four bytes, with parity
_SYNC = 0x47
_BLOCK = 1 << 24  # bytes looked at at once
_START = b"\0\0\1"  # what the content of a packet that begins a unit begins with


def scrambled(path: Path, pid: int) -> int:
    """Counts the units of one stream that begin with scrambled content.

    Args:
        path: A transport stream.
        pid: Number of the stream's packets.

    Raises:
        CodecError: The file cannot be read.
    """
    found = 0
    try:
        with path.open("rb") as file:
            length, begin = _grid(file.read(_LENGTHS[-1] * 8))
            if not length:
                return 0
            file.seek(begin)
            while len(data := file.read(_BLOCK // length * length)) >= length:
                found += _in(data[: len(data) // length * length], length, pid)
    except OSError as error:
        raise CodecError(f"cannot be read: {error.strerror}", file=path) from error
    return found


def _grid(data: bytes) -> tuple[int, int]:
    """How long packets are and where the first begins; 0 where no packets do."""
    for length in _LENGTHS:
        for begin in range(length):
            marks = data[begin::length]
            if len(marks) > 2 and set(marks) == {_SYNC}:
                return length, begin
    return 0, 0


def _in(data: bytes, length: int, pid: int) -> int:
    rows = np.frombuffer(data, np.uint8).reshape(-1, length)
    number = (rows[:, 1].astype(int) & 0x1F) << 8 | rows[:, 2]
    marked = (number == pid) & (rows[:, 1] & 0x40 > 0) & (rows[:, 3] & 0xC0 > 0)
    count = 0
    for row in rows[marked & (rows[:, 0] == _SYNC)]:
        field = 1 + int(row[4]) if row[3] & 0x20 else 0  # an adaptation field is never scrambled
        content = row[4 + field : 7 + field].tobytes()
        count += bool(row[3] & 0x10) and content != _START
    return count
