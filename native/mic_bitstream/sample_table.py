"""Where the samples of an MP4 file lie: ISO/IEC 14496-12 and 14496-14, read without a demuxer.

Opening a file through a demuxer costs more than parsing ten frames of it. This module reads the
one layout that encoders write: `moov` with one MPEG-4 Part 2 track, whole sample tables, no
fragments, no cuts. Everything else is left to the demuxer.
"""

from __future__ import annotations

import dataclasses
import os
import struct
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import numpy as np

_MPEG4_VISUAL = 0x20  # objectTypeIndication, ISO/IEC 14496-1 Table 5
_LARGEST_MOOV = 1 << 26
_CONTAINERS = frozenset({b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts"})


@dataclasses.dataclass(frozen=True)
class SampleTable:
    """The samples of the video track, in coding order.

    Attributes:
        offsets: uint64 (T,), into the file.
        sizes: uint32 (T,), bytes.
        stamps: float64 (T,), presentation times in seconds.
        extradata: The decoder-specific information: MPEG-4 headers.
        frame_rate: Frames a second.
    """

    offsets: np.ndarray
    sizes: np.ndarray
    stamps: np.ndarray
    extradata: bytes
    frame_rate: Fraction


class _OtherLayoutError(Exception):
    """The file is laid out in a way that is the demuxer's business."""


def read_sample_table(file: BinaryIO) -> SampleTable | None:
    """The sample table of an MP4 file, or None if a demuxer has to look at it."""
    try:
        moov = _find_moov(file)
        tracks = [boxes for boxes in _tracks(moov) if _one(boxes, b"hdlr")[8:12] == b"vide"]
        if len(tracks) != 1:
            return None
        mvhd = _one(_boxes(moov), b"mvhd")
        return _table(tracks[0], file.seek(0, os.SEEK_END), movie_scale=_timescale(mvhd))
    except (_OtherLayoutError, struct.error, IndexError, ValueError):
        return None


def is_edited(path: Path) -> bool:
    """Whether an MP4 file has an edit list that leaves samples out, or is too odd to tell."""
    try:
        with path.open("rb") as file:
            moov = _find_moov(file)
        scale = _timescale(_one(_boxes(moov), b"mvhd"))
        lists = [payload for track in _tracks(moov) for kind, payload in track if kind == b"elst"]
        return any(_is_cut(elst, scale, Fraction(0)) for elst in lists)
    except (_OtherLayoutError, struct.error, IndexError, ValueError, ZeroDivisionError):
        return True


def _find_moov(file: BinaryIO) -> bytes:
    position, end = 0, file.seek(0, os.SEEK_END)
    while position + 8 <= end:
        file.seek(position)
        head = file.read(16)
        size, kind = struct.unpack_from(">I4s", head)
        start = 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", head, 8)
            start = 16
        if kind == b"moov" and size <= _LARGEST_MOOV:
            file.seek(position + start)
            return file.read(size - start)
        if size < start:
            break
        position += size
    raise _OtherLayoutError


def _boxes(data: bytes, depth: int = 0) -> list[tuple[bytes, bytes]]:
    """All boxes in `data`, containers opened, as (type, payload)."""
    if depth > len(_CONTAINERS):  # the standard nests each in another
        raise _OtherLayoutError
    found, position = [], 0
    while position + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, position)
        if size < 8 or position + size > len(data):
            raise _OtherLayoutError
        payload = data[position + 8 : position + size]
        if kind in _CONTAINERS and kind != b"trak":
            found += _boxes(payload, depth + 1)
        else:
            found.append((kind, payload))
        position += size
    return found


def _tracks(moov: bytes) -> list[list[tuple[bytes, bytes]]]:
    boxes = _boxes(moov)
    if any(kind == b"mvex" for kind, _ in boxes):
        raise _OtherLayoutError  # fragments follow
    return [_boxes(payload) for kind, payload in boxes if kind == b"trak"]


def _one(boxes: list[tuple[bytes, bytes]], kind: bytes) -> bytes:
    found = [payload for name, payload in boxes if name == kind]
    if len(found) != 1:
        raise _OtherLayoutError
    return found[0]


def _numbers(payload: bytes, columns: int, *, skip: int = 4, dtype: str = ">u4") -> np.ndarray:
    """The table after version, flags and an entry count at `skip`: int64 (n, columns)."""
    (count,) = struct.unpack_from(">I", payload, skip)
    table = np.frombuffer(payload, dtype, count * columns, skip + 4)
    return table.reshape(count, columns).astype(np.int64)


def _table(track: list[tuple[bytes, bytes]], file_size: int, *, movie_scale: int) -> SampleTable:
    extradata = _decoder_specific_info(_one(track, b"stsd"))
    stsz = _one(track, b"stsz")
    (uniform,) = struct.unpack_from(">I", stsz, 4)
    if uniform:
        raise _OtherLayoutError
    sizes = _numbers(stsz, 1, skip=8)[:, 0]
    if any(kind == b"co64" for kind, _ in track):
        chunks = _numbers(_one(track, b"co64"), 1, dtype=">u8")[:, 0]
    else:
        chunks = _numbers(_one(track, b"stco"), 1)[:, 0]
    runs = _numbers(_one(track, b"stsc"), 3)
    if len(runs) == 0 or runs[0, 0] != 1 or (runs[:, 2] != 1).any():
        raise _OtherLayoutError
    lengths = np.diff(np.append(runs[:, 0], len(chunks) + 1))
    if (lengths < 1).any():
        raise _OtherLayoutError
    per_chunk = runs[:, 1].repeat(lengths)
    if per_chunk.sum() != len(sizes) or (per_chunk < 1).any() or (sizes < 1).any():
        raise _OtherLayoutError
    # Within a chunk samples follow one another.
    ends = np.cumsum(sizes)
    first = np.cumsum(per_chunk) - per_chunk
    before = (ends - sizes)[first]
    offsets = (chunks - before).repeat(per_chunk) + ends - sizes
    # A file that broke off lacks its last samples, and is read without them. Samples that overlap
    # are the demuxer's business.
    held = offsets + sizes <= file_size
    if not held.any() or sizes[held].sum() > file_size:
        raise _OtherLayoutError
    durations = _numbers(_one(track, b"stts"), 2)
    timescale = _timescale(_one(track, b"mdhd"))
    stamps = _stamps(durations, len(sizes)) + _later(track, len(sizes))
    total = int((durations[:, 0] * durations[:, 1]).sum())
    if total < 1 or timescale < 1 or movie_scale < 1:
        raise _OtherLayoutError
    last = Fraction(int(durations[-1, 1]), timescale)
    for kind, payload in track:
        if kind == b"elst" and _is_cut(payload, movie_scale, Fraction(total, timescale) - last):
            raise _OtherLayoutError
    return SampleTable(
        offsets=offsets.astype(np.uint64),
        sizes=sizes.astype(np.uint32),
        stamps=stamps / timescale,
        extradata=extradata,
        frame_rate=Fraction(len(sizes) * timescale, total),
    )


def _stamps(durations: np.ndarray, count: int) -> np.ndarray:
    """Decoding times of `count` samples from runs of (how many, how long each)."""
    if durations[:, 0].sum() != count:
        raise _OtherLayoutError
    lengths = durations[:, 1].repeat(durations[:, 0])
    return np.cumsum(lengths) - lengths


def _later(track: list[tuple[bytes, bytes]], count: int) -> np.ndarray:
    """How much later than it is decoded each of `count` samples is shown, in units of time."""
    if not any(kind == b"ctts" for kind, _ in track):
        return np.zeros(count, np.int64)
    runs = _numbers(_one(track, b"ctts"), 2)
    if runs[:, 0].sum() != count:
        raise _OtherLayoutError
    # Signed by version 1 of the box only, but writers put negative numbers into version 0 too.
    return runs[:, 1].astype(np.uint32).view(np.int32).astype(np.int64).repeat(runs[:, 0])


def _timescale(header: bytes) -> int:
    """Units a second, of a `mvhd` or `mdhd`, which agree in that."""
    return int(struct.unpack_from(">I", header, 20 if header[0] == 1 else 12)[0])


def _is_cut(elst: bytes, movie_scale: int, last: Fraction) -> bool:
    """Whether the edit list shows anything but the whole track from its start.

    Args:
        elst: The box.
        movie_scale: Units a second of the edit's length.
        last: Seconds at which the track's last sample begins.
    """
    (count,) = struct.unpack_from(">I", elst, 4)
    if count != 1:
        return True
    length, media_time = struct.unpack_from(">Qq" if elst[0] == 1 else ">Ii", elst, 8)
    return media_time != 0 or Fraction(length, movie_scale) <= last


def _decoder_specific_info(stsd: bytes) -> bytes:
    """The MPEG-4 headers in the one sample entry (14496-14, 5.6; 14496-1, 7.2.6)."""
    count, _, kind = struct.unpack_from(">II4s", stsd, 4)
    if count != 1 or kind != b"mp4v":
        raise _OtherLayoutError
    entry = 8 + 8 + 78  # version and count, box head, VisualSampleEntry
    esds = _one(_boxes(stsd[entry:]), b"esds")
    tag, at = _descriptor(esds, 4)
    if tag != 3:
        raise _OtherLayoutError
    flags = esds[at + 2]
    at += 3 + (2 if flags & 0x80 else 0)
    at += 1 + esds[at] if flags & 0x40 else 0
    at += 2 if flags & 0x20 else 0
    tag, at = _descriptor(esds, at)
    if tag != 4 or esds[at] != _MPEG4_VISUAL:
        raise _OtherLayoutError
    at += 13
    if at >= len(esds) or esds[at] != 5:
        return b""
    size = 0
    at += 1
    while esds[at] & 0x80:
        size = size << 7 | esds[at] & 0x7F
        at += 1
    size = size << 7 | esds[at]
    return esds[at + 1 : at + 1 + size]


def _descriptor(data: bytes, at: int) -> tuple[int, int]:
    """Tag of the descriptor at `at`, and where its content starts."""
    tag = data[at]
    at += 1
    while data[at] & 0x80:
        at += 1
    return tag, at + 1
