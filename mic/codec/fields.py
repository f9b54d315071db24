"""Which packets of a stream hold the second field of a picture whose first came before.

Broadcasts code interlaced pictures as two fields, in H.264 each an access unit of its own (ITU-T
H.264, 3.30, 7.4.1.2.4): a decoder shows both as one picture.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from mic.codec.picture_headers import Bits, units
from mic_bitstream.decoding import field_structures

_SLICES, _SEQUENCE, _PICTURE = (1, 2, 5), 7, 8  # nal_unit_type
# profile_idc whose parameter sets tell of chroma, depth and scaling (7.3.2.1.1).
_HIGH = (100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135)


@dataclasses.dataclass(frozen=True)
class _Sequence:
    """What a sequence parameter set tells of slices' headers (7.3.2.1.1).

    Attributes:
        fields: Whether pictures may be coded as fields.
        number_bits: Bits of frame_num.
        planes: Whether each slice names its colour plane.
    """

    fields: bool
    number_bits: int
    planes: bool


@dataclasses.dataclass(frozen=True)
class _Field:
    """A field by its slices' headers.

    Attributes:
        number: frame_num, which both fields of a picture share.
        parity: bottom_field_flag, which they do not.
        reference: Whether others may refer to it; of a picture both fields or none (3.30).
    """

    number: int
    parity: int
    reference: bool


class FieldPairs:
    """Pairs fields of H.264, a packet at a time in coding order.

    Args:
        headers: What the container keeps apart.
    """

    def __init__(self, headers: bytes) -> None:
        self._headers = headers
        self._sequences: dict[int, _Sequence] = {}
        self._sequence_of: dict[int, int] = {}  # by picture parameter set
        self._open: _Field | None = None  # a first field
        for unit in _apart(headers):
            self._keep(unit)

    @property
    def expected(self) -> bool:
        """Whether the parameter sets that have come allow for fields."""
        return any(one.fields for one in self._sequences.values())

    def second(self, data: bytes) -> bool:
        """Whether the next packet is the second field of a picture, and holds nothing else.

        Where none is `expected`, packets that can bring no other parameter sets, since they are
        no key pictures, may be left out.
        """
        found: set[_Field | None] = set()
        for unit in units(data, self._headers, length_at=4):
            if unit[0] & 31 in _SLICES:
                found.add(self._field(unit))
            else:
                self._keep(unit)
        if not found:
            return False
        before, self._open = self._open, None
        if len(found) > 1:  # both fields of a picture
            return False
        one = found.pop()
        if one is None:
            return False
        if before == dataclasses.replace(one, parity=1 - one.parity):
            return True
        self._open = one
        return False

    def _keep(self, unit: bytes) -> None:
        bits = Bits(unit[1:].replace(b"\0\0\3", b"\0\0"))
        if unit[0] & 31 == _SEQUENCE:
            number, told = _sequence(bits)
            if number < 32 and told.number_bits <= 16 and not bits.ended:  # else it is damaged
                self._sequences[number] = told
        elif unit[0] & 31 == _PICTURE:
            number, sequence = bits.golomb(), bits.golomb()
            if number < 256 and not bits.ended:
                self._sequence_of[number] = sequence

    def _field(self, unit: bytes) -> _Field | None:
        """What a slice of a field tells of it (7.3.3); None of a whole picture's."""
        bits = Bits(unit[1:24].replace(b"\0\0\3", b"\0\0"))
        bits.golomb()  # first_mb_in_slice
        bits.golomb()  # slice_type
        told = self._sequences.get(self._sequence_of.get(bits.golomb(), -1))
        if told is None or not told.fields:
            return None
        if told.planes:
            bits.take(2)
        number = bits.take(told.number_bits)
        if not bits.take(1):  # field_pic_flag
            return None
        return _Field(number, bits.take(1), unit[0] >> 5 & 3 > 0)


class Mpeg2FieldPairs:
    """Pairs fields of MPEG-2 that containers keep in packets of their own (13818-2, 6.1.1.4)."""

    expected = True

    def __init__(self) -> None:
        self._open: tuple[int, int] | None = None  # temporal_reference and the field that lacks

    def second(self, data: bytes) -> bool:
        """As `FieldPairs.second`."""
        at, structures = data.find(b"\0\0\1\0"), field_structures(data)
        before, self._open = self._open, None
        if len(structures) != 1 or structures[0] not in (1, 2) or not 0 <= at < len(data) - 5:
            return False
        reference = int.from_bytes(data[at + 4 : at + 6]) >> 6
        if before == (reference, structures[0]):
            return True
        self._open = reference, 3 - structures[0]
        return False


def _apart(headers: bytes) -> Iterator[bytes]:
    """The units that a container keeps apart (ISO/IEC 14496-15, 5.3.3.1, or a byte stream)."""
    if headers[:1] != b"\1":
        yield from units(headers, b"", length_at=4)
        return
    at = 5
    for mask in (31, 255):  # of sequence, then of picture parameter sets
        if at >= len(headers):
            return
        count, at = headers[at] & mask, at + 1
        for _ in range(count):
            length = int.from_bytes(headers[at : at + 2])
            if unit := headers[at + 2 : at + 2 + length]:
                yield unit
            at += 2 + length


def _sequence(bits: Bits) -> tuple[int, _Sequence]:
    """seq_parameter_set_id, and what its set tells."""
    profile = bits.take(8)
    bits.take(16)  # constraints, level
    number, planes = bits.golomb(), False
    if profile in _HIGH:
        chroma = bits.golomb()
        planes = chroma == 3 and bool(bits.take(1))
        bits.golomb()  # bit_depth_luma_minus8
        bits.golomb()  # bit_depth_chroma_minus8
        bits.take(1)
        if bits.take(1):  # seq_scaling_matrix_present_flag
            for place in range(12 if chroma == 3 else 8):
                if bits.take(1):
                    _pass_list(bits, 16 if place < 6 else 64)
    number_bits = bits.golomb() + 4
    order = bits.golomb()  # pic_order_cnt_type
    if order == 0:
        bits.golomb()
    elif order == 1:
        bits.take(1)
        bits.golomb()  # offset_for_non_ref_pic
        bits.golomb()  # offset_for_top_to_bottom_field
        for _ in range(min(bits.golomb(), 255)):
            bits.golomb()
    bits.golomb()  # max_num_ref_frames
    bits.take(1)
    bits.golomb()  # pic_width_in_mbs_minus1
    bits.golomb()  # pic_height_in_map_units_minus1
    return number, _Sequence(not bits.take(1), number_bits, planes)


def _pass_list(bits: Bits, size: int) -> None:
    """Passes over a scaling list (7.3.2.1.1.1)."""
    last = following = 8
    for _ in range(size):
        if following:
            code = bits.golomb()
            following = (last + (-(code >> 1) if code % 2 == 0 else (code + 1) >> 1)) % 256
        last = following or last
