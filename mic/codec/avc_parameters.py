"""Parameter sets of H.264, without which slices' headers cannot be read (ITU-T H.264, 7.3.2)."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from mic.codec.picture_headers import Bits, units

_SEQUENCE, _PICTURE = 7, 8  # nal_unit_type
# profile_idc whose parameter sets tell of chroma, depth and scaling (7.3.2.1.1).
_HIGH = (100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135)


@dataclasses.dataclass(frozen=True)
class Sequence:
    """What a sequence parameter set tells of slices' headers (7.3.2.1.1).

    Attributes:
        fields: Whether pictures may be coded as fields.
        number_bits: Bits of frame_num.
        planes: Whether each slice names its colour plane.
        gaps: Whether reference pictures may be missing on purpose, as where layers of time were
            taken away (gaps_in_frame_num_value_allowed_flag).
    """

    fields: bool
    number_bits: int
    planes: bool
    gaps: bool


class ParameterSets:
    """Those that have come, the later in place of the earlier.

    Args:
        headers: What the container keeps apart.
    """

    def __init__(self, headers: bytes) -> None:
        self._sequences: dict[int, Sequence] = {}
        self._sequence_of: dict[int, int] = {}  # by picture parameter set
        for unit in _apart(headers):
            self.keep(unit)

    @property
    def fields(self) -> bool:
        """Whether they allow for fields."""
        return any(one.fields for one in self._sequences.values())

    def of(self, picture: int) -> Sequence | None:
        """The sequence parameter set that a picture parameter set names; None: it never came."""
        return self._sequences.get(self._sequence_of.get(picture, -1))

    def keep(self, unit: bytes) -> None:
        """Takes a unit, which may be of another kind."""
        if unit[0] & 31 not in (_SEQUENCE, _PICTURE):
            return
        bits = Bits(unit[1:].replace(b"\0\0\3", b"\0\0"))
        if unit[0] & 31 == _SEQUENCE:
            number, told = _sequence(bits)
            if number < 32 and told.number_bits <= 16 and not bits.ended:  # else it is damaged
                self._sequences[number] = told
        else:
            number, sequence = bits.golomb(), bits.golomb()
            if number < 256 and not bits.ended:
                self._sequence_of[number] = sequence


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


def _sequence(bits: Bits) -> tuple[int, Sequence]:
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
    gaps = bool(bits.take(1))
    bits.golomb()  # pic_width_in_mbs_minus1
    bits.golomb()  # pic_height_in_map_units_minus1
    return number, Sequence(not bits.take(1), number_bits, planes, gaps)


def _pass_list(bits: Bits, size: int) -> None:
    """Passes over a scaling list (7.3.2.1.1.1)."""
    last = following = 8
    for _ in range(size):
        if following:
            code = bits.golomb()
            following = (last + (-(code >> 1) if code % 2 == 0 else (code + 1) >> 1)) % 256
        last = following or last
