"""How the bytes of a file show that its end is missing.

MP4, AVI and most of Matroska say how long they are. Of others the last bytes tell: a tag, pack,
packet or element that the file ends in the middle of, or the size that the header states.
"""

from __future__ import annotations

import contextlib
import math
import os
import struct
from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

from av.container import InputContainer
from av.video.stream import VideoStream

from mic.errors import CodecError

# The end of a GIF: the terminator of its last block, the trailer, what some programs pad with.
_TRAILER, _PADDING = b"\x3b", b"\x00\r\n"
# ISO/IEC 13818-1; with a time stamp of four bytes (M2TS); with parity (DVB).
_TRANSPORT_PACKETS = (188, 192, 204)
_TRANSPORT_LOOKS = 8  # packets that must begin where they should
# Sound, picture, script: the tags of an FLV.
_FLV_TAGS = frozenset({8, 9, 18})
# By how many seconds the length that its script states may be too large, and how many tags are too
# few to say so: writers round, and count how long they mean the last picture to be shown.
_FLV_SPARE, _FLV_FEW = 1.0, 10
_ASF_HEADER = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_ASF_FILE_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_MXF_HEADER_PARTITION = bytes.fromhex("060e2b34020501010d01020101")
# Start codes of a program stream from here on are packets, packs and its end; pictures have none.
_PROGRAM_END, _PROGRAM_PACK = 0xB9, 0xBA
# Of Matroska (RFC 9559): header, segment, cluster, and what a live film's hold at the first level.
_MATROSKA = frozenset(
    bytes.fromhex(name)
    for name in (
        *("1a45dfa3", "18538067", "1f43b675", "114d9b74", "1549a966", "1654ae6b", "1c53bb6b"),
        *("1254c367", "1043a770", "1941a469", "a3", "a0", "e7", "a7", "ab", "5854", "ec", "bf"),
    )
)
_TAIL = 1 << 17  # bytes looked at of a program stream; a packet has at most half as many


def stated_end(container: InputContainer, stream: VideoStream) -> float:
    """Where the container says that the video stream ends, in seconds; 0 if it does not."""
    name, base = container.format.name, stream.time_base or Fraction(0)
    if name.startswith("mov") and stream.duration:
        return float(stream.duration * base)
    if name == "avi" and stream.frames:
        return float(stream.frames * base)
    if name == "matroska,webm" and (text := stream.metadata.get("DURATION")):
        with contextlib.suppress(ValueError):
            hours, minutes, seconds = text.split(":")
            return 3600 * int(hours) + 60 * int(minutes) + float(seconds)
    return 0.0


def breaks_off(path: Path, container: str) -> str:
    """Why a file cannot be whole, where its header does not say how long the video is.

    Args:
        path: A GIF, FLV, ASF/WMV, MXF, Matroska, MPEG program or transport stream; of others
            nothing is said.
        container: libavformat's name.

    Returns:
        In words; empty if nothing shows it.

    Raises:
        CodecError: The file cannot be read any more.
    """
    if container not in _CHECKS:
        return ""
    try:
        with path.open("rb") as file:
            return _CHECKS[container](file, file.seek(0, os.SEEK_END))
    except OSError as error:
        raise CodecError(f"cannot be read: {error.strerror}", file=path) from error


def _at(file: BinaryIO, place: int, count: int) -> bytes:
    file.seek(place)
    return file.read(count)


def _gif(file: BinaryIO, size: int) -> str:
    end = _at(file, max(0, size - 1024), 1024).rstrip(_PADDING)
    return "" if end.endswith(_TRAILER) else "a GIF's trailer is missing"


def _transport(file: BinaryIO, size: int) -> str:
    if any(size % length == 0 for length in _TRANSPORT_PACKETS):
        return ""
    for length in _TRANSPORT_PACKETS:  # a recording may begin in the middle of a packet
        last = size - length + (4 if length == 192 else 0)
        places = [last - length * turn for turn in range(min(_TRANSPORT_LOOKS, size // length))]
        if places and all(_at(file, place, 1) == b"G" for place in places):
            return ""
    return "its last transport packet is not whole"


def _flv(file: BinaryIO, size: int) -> str:
    """Adobe's specification, annex E: each tag is followed by its size."""
    length = int.from_bytes(_at(file, max(0, size - 4), 4), "big")
    tag = _at(file, max(0, size - 4 - length), 8)
    stated = _flv_duration(_at(file, 0, 4096))
    is_tag = tag[:1] and tag[0] in _FLV_TAGS and int.from_bytes(tag[1:4], "big") == length - 11
    if is_tag and stated - _flv_time(tag) <= max(_FLV_SPARE, 0.1 * stated):
        return ""
    # Something else may follow the last tag, or a picture may be held for long: only a walk from
    # the first tag on tells.
    place, last, gap, count = int.from_bytes(_at(file, 5, 4), "big") + 4, 0.0, 0.0, 0
    while place + 11 <= size and (tag := _at(file, place, 8))[0] in _FLV_TAGS:
        gap, last, count = max(gap, _flv_time(tag) - last), _flv_time(tag), count + 1
        place += 11 + int.from_bytes(tag[1:4], "big") + 4
    begun = size > place and _at(file, place, 1)[0] in _FLV_TAGS
    # Some writers leave out the size of the last tag.
    if begun or (size < place and size != place - 4):
        return "its last tag is not whole"
    is_short = stated - last > max(_FLV_SPARE, 5 * gap, 0.1 * stated)
    return f"its header promises {stated:.2f} s" if is_short and count > _FLV_FEW else ""


def _flv_time(tag: bytes) -> float:
    return int.from_bytes(bytes([tag[7], *tag[4:7]]), "big") / 1000


def _flv_duration(start: bytes) -> float:
    """What `onMetaData` says, in seconds; 0 if it does not."""
    place = start.find(b"\0\x08duration\0")
    if place < 0 or len(start) < place + 19:
        return 0.0
    (seconds,) = struct.unpack(">d", start[place + 11 : place + 19])
    return float(seconds) if math.isfinite(seconds) else 0.0


def _asf(file: BinaryIO, size: int) -> str:
    """ASF specification, 3.1 and 3.2: the header states the size, but for what is sent live."""
    start = _at(file, 0, 1 << 16)
    place = start.find(_ASF_FILE_PROPERTIES)
    if not start.startswith(_ASF_HEADER) or place < 0 or len(start) < place + 92:
        return ""
    stated = int.from_bytes(start[place + 40 : place + 48], "little")
    live = start[place + 88] & 1
    return f"its header states {stated} bytes" if not live and stated > size else ""


def _mxf(file: BinaryIO, size: int) -> str:
    """SMPTE ST 377-1, 7.1: the header partition says where the footer is, once it is written."""
    start = _at(file, 0, 1 << 16)
    place = start.find(_MXF_HEADER_PARTITION)
    if place < 0 or len(start) < place + 64:
        return ""
    first = start[place + 16]
    value = place + 17 + (first & 0x7F if first & 0x80 else 0)
    footer = int.from_bytes(start[value + 24 : value + 32], "big")
    return "its footer is missing" if footer >= size else ""


def _program(file: BinaryIO, size: int) -> str:
    """ISO/IEC 13818-1, 2.5.3, and 11172-1, 2.4.3: packets tell their length."""
    tail = _at(file, max(0, size - _TAIL), _TAIL)
    place = _next_packet(tail, 0)
    while place >= 0:
        code, head = tail[place + 3], tail[place : place + 14]
        if code == _PROGRAM_END:
            return ""
        if code == _PROGRAM_PACK:  # of MPEG-2 with stuffing, of MPEG-1 without
            if len(head) < 12 or (head[4] & 0xC0 == 0x40 and len(head) < 14):
                return "its last pack is not whole"
            end = place + (14 + (head[13] & 7) if head[4] & 0xC0 == 0x40 else 12)
        else:
            if len(head) < 6:
                return "its last packet is not whole"
            end = place + 6 + int.from_bytes(head[4:6], "big")
        if end > len(tail):
            return "its last packet is not whole"
        place = _next_packet(tail, end)
    return ""


def _next_packet(data: bytes, place: int) -> int:
    """Where the next packet, pack or end of a program stream begins; -1 where none does."""
    while 0 <= (place := data.find(b"\0\0\1", place)) <= len(data) - 4:
        if data[place + 3] >= _PROGRAM_END:
            return place
        place += 3
    return -1


def _matroska(file: BinaryIO, size: int) -> str:
    """RFC 8794, 4 to 6: elements state their sizes, those that are sent live excepted."""
    place = 0
    while place < size:
        head = _at(file, place, 12)
        name = _ebml_length(head)
        width = _ebml_length(head[name:])
        if head[:name] not in _MATROSKA:  # something else may follow the film
            return ""
        if not width or len(head) < name + width:
            return "its last element is not whole"
        stated = int.from_bytes(head[name : name + width], "big") & ((1 << 7 * width) - 1)
        place += name + width
        if stated == (1 << 7 * width) - 1:  # unknown: what it holds comes next
            continue
        if place + stated > size:
            return "its last element is not whole"
        place += stated
    return ""


def _ebml_length(data: bytes) -> int:
    """Bytes of the number that begins here: leading zeros of its first byte and one; 0 if none."""
    return 9 - data[0].bit_length() if data and data[0] else 0


_CHECKS: Mapping[str, Callable[[BinaryIO, int], str]] = {
    "gif": _gif,
    "mpegts": _transport,
    "flv": _flv,
    "asf": _asf,
    "mxf": _mxf,
    "mxf_opatom": _mxf,
    "mpeg": _program,
    "matroska,webm": _matroska,
}
