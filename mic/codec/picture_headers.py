"""What the first bytes of a coded picture tell, of codecs whose pictures are not all shown.

Clauses are of ISO/IEC 14496-2 for VOPs, of ITU-T H.264 and H.265 for AVC and HEVC, and of the VP9
bitstream specification for VP9.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

LAYERS = range(0x20, 0x30)


# Bytes of a unit that are looked at: recovery points come among the first messages of theirs.
_LOOKED_AT = 1024
_SLICES = "PBIPIPBIPI"  # slice_type (H.264, Table 7-6): SP and SI as P and I


@dataclasses.dataclass(frozen=True)
class AvcPicture:
    """What an H.264 access unit says of itself.

    Attributes:
        idr: Whether it is an IDR picture.
        type: "I", "P" or "B", of its first slice; "?" without a slice.
        reference: Whether others may refer to it.
        recovery: recovery_frame_cnt of its recovery point (D.1.8); None if it is none.
    """

    idr: bool
    type: str
    reference: bool
    recovery: int | None


def avc_picture(data: bytes, headers: bytes) -> AvcPicture:
    """Reads an H.264 access unit up to its first slice's header (7.3.1, 7.3.3).

    Args:
        data: The packet.
        headers: What the container keeps apart; begins with 1 where units have their lengths
            before them (ISO/IEC 14496-15).
    """
    recovery = None
    for unit in units(data, headers, length_at=4):
        kind = unit[0] & 31
        if kind == 6:
            found = _recovery(unit[1:].replace(b"\0\0\3", b"\0\0"))
            recovery = found if recovery is None else recovery
        elif kind in (1, 2, 5):
            bits = Bits(unit[1:9])
            bits.golomb()  # first_mb_in_slice
            letter = (_SLICES + "?")[min(bits.golomb(), len(_SLICES))]
            return AvcPicture(kind == 5, letter, unit[0] >> 5 & 3 > 0, recovery)
    return AvcPicture(False, "?", False, recovery)


def hevc_type(data: bytes, headers: bytes) -> int:
    """nal_unit_type of the first slice of an HEVC picture (7.3.1.2); -1 if there is none."""
    kinds = (unit[0] >> 1 & 0x3F for unit in units(data, headers, length_at=21))
    return next((kind for kind in kinds if kind < 32), -1)


def mpeg_type(data: bytes) -> str:
    """picture_coding_type (13818-2, 6.3.9) of a packet's first picture; empty: it has none."""
    at = data.find(b"\0\0\1\0")
    return "?IPBD???"[data[at + 5] >> 3 & 7] if 0 <= at < len(data) - 5 else ""


def temporal_reference(data: bytes) -> int:
    """temporal_reference (13818-2, 6.3.9) of a packet's first picture; -1: it has none."""
    at = data.find(b"\0\0\1\0")
    return int.from_bytes(data[at + 4 : at + 6]) >> 6 if 0 <= at < len(data) - 5 else -1


def vp9_shows(packet: bytes) -> bool:
    """Whether a VP9 packet brings a picture that is shown.

    A packet may hold several frames (VP9 bitstream, Annex B), of which one is shown at most: of
    spatial layers the last. A frame is either hidden, or shown by itself or by a later one that
    says only that (6.2).
    """
    frames, mark = [packet], packet[-1]
    if mark & 0xE0 == 0xC0:  # an index of sizes stands at the end, between two such marks
        count, width = (mark & 7) + 1, (mark >> 3 & 3) + 1
        table = packet[-2 - count * width :]
        if table[0] == mark and len(table) == 2 + count * width:
            frames, at = [], 0
            for place in range(1, 1 + count * width, width):
                size = int.from_bytes(table[place : place + width], "little")
                frames.append(packet[at : at + size])
                at += size
    return any(_vp9_frame_shows(frame) for frame in frames if frame)


def _vp9_frame_shows(frame: bytes) -> bool:
    bits = Bits(frame[:2])
    bits.take(2)  # frame_marker
    if bits.take(1) + 2 * bits.take(1) == 3:  # profile
        bits.take(1)
    if bits.take(1):  # show_existing_frame
        return True
    bits.take(1)  # frame_type
    return bool(bits.take(1))


def units(data: bytes, headers: bytes, *, length_at: int) -> Iterator[bytes]:
    """The first bytes of each NAL unit of a packet, of which the first is the unit's header.

    Args:
        data: The packet.
        headers: What the container keeps apart.
        length_at: The byte of `headers` whose last two bits tell how long lengths are.
    """
    at, step = 0, 0
    if headers[:1] == b"\1" and len(headers) > length_at:  # units have their lengths before them
        step = (headers[length_at] & 3) + 1
    while True:
        if step:
            start = at + step
            at = end = start + int.from_bytes(data[at:start])
        else:
            found = data.find(b"\0\0\1", at)
            if found < 0:
                return
            start = at = found + 3
            end = start + _LOOKED_AT
        if start >= len(data):
            return
        if unit := data[start : min(end, start + _LOOKED_AT)]:
            yield unit


def _recovery(messages: bytes) -> int | None:
    """recovery_frame_cnt among the messages of a unit of enhancement information (7.3.2.3.1)."""
    at = 0
    while at + 2 < len(messages):
        told = []
        for _ in range(2):  # payloadType, payloadSize
            number = 0
            while at < len(messages) and messages[at] == 255:
                number, at = number + 255, at + 1
            if at >= len(messages):
                return None
            told.append(number + messages[at])
            at += 1
        if told[0] == 6:
            return Bits(messages[at : at + 8]).golomb()
        at += told[1]
    return None


def resolution(headers: bytes) -> int:
    """vop_time_increment_resolution of a video object layer (6.2.3), 0 if there is none."""
    at = headers.find(b"\0\0\1")
    while 0 <= at < len(headers) - 4 and headers[at + 3] not in LAYERS:
        at = headers.find(b"\0\0\1", at + 3)
    if not 0 <= at < len(headers) - 4:
        return 0
    bits = Bits(headers[at + 4 : at + 44])
    bits.take(9)  # random_accessible_vol, video_object_type_indication
    version = 1
    if bits.take(1):  # is_object_layer_identifier
        version = bits.take(4)
        bits.take(3)
    if bits.take(4) == 15:  # aspect_ratio_info: extended_PAR
        bits.take(16)
    if bits.take(1):  # vol_control_parameters
        bits.take(3)
        if bits.take(1):  # vbv_parameters
            bits.take(79)
    if bits.take(2) == 3 and version != 1:  # video_object_layer_shape: grayscale
        bits.take(4)
    bits.take(1)
    return bits.take(16)


def group_seconds(header: bytes) -> int:
    """The time_code of a group of VOPs (6.2.4), from which its first VOP counts."""
    bits = Bits(header)
    hours, minutes = bits.take(5), bits.take(6)
    bits.take(1)
    return 3600 * hours + 60 * minutes + bits.take(6)


def vop_header(vop: bytes, resolution: int) -> tuple[bool, int, int]:
    """vop_coded, modulo_time_base's seconds, and vop_time_increment (6.2.5).

    True and zeros where the layer's header is unknown.
    """
    if resolution == 0:
        return True, 0, 0
    bits, seconds = Bits(vop), 0
    bits.take(2)  # vop_coding_type
    while bits.take(1):
        seconds += 1
    bits.take(1)
    increment = bits.take(max(1, (resolution - 1).bit_length()))
    bits.take(1)
    return bool(bits.take(1)), seconds, increment


class Bits:
    """Bits of a header, most significant first; zeros behind its end."""

    def __init__(self, data: bytes) -> None:
        self._value, self._left = int.from_bytes(data, "big"), 8 * len(data)

    @property
    def ended(self) -> bool:
        """Whether more was taken than there is."""
        return self._left < 0

    def golomb(self) -> int:
        """A number in Exp-Golomb code (H.264, 9.1)."""
        zeros = 0
        while zeros < 32 and self._left > 0 and not self.take(1):
            zeros += 1
        return (1 << zeros) - 1 + self.take(zeros)

    def take(self, count: int) -> int:
        """The next bits as a number."""
        self._left -= count
        shifted = self._value >> self._left if self._left >= 0 else self._value << -self._left
        return shifted & ((1 << count) - 1)
