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
        order_type: pic_order_cnt_type.
        order_bits: Bits of pic_order_cnt_lsb.
        order_told: Whether slices tell by how much their order differs from what is expected.
        colour: Whether there are chroma planes beside luma in a slice.
    """

    fields: bool
    number_bits: int
    planes: bool
    gaps: bool
    order_type: int
    order_bits: int
    order_told: bool
    colour: bool


@dataclasses.dataclass(frozen=True)
class PictureSet:
    """What a picture parameter set tells of slices' headers (7.3.2.2).

    Attributes:
        sequence: The sequence parameter set that it names.
        order_told: Whether frames tell the order of their bottom field.
        references: How many pictures P- and B-slices may name, of each of their two lists.
        weighted: Whether P-, and whether B-slices hold weights.
        redundant: Whether slices say that they are redundant.
    """

    sequence: int
    order_told: bool
    references: tuple[int, int]
    weighted: tuple[bool, bool]
    redundant: bool


class ParameterSets:
    """Those that have come, the later in place of the earlier.

    Args:
        headers: What the container keeps apart.
    """

    def __init__(self, headers: bytes) -> None:
        self._sequences: dict[int, Sequence] = {}
        self._pictures: dict[int, PictureSet] = {}
        for unit in _apart(headers):
            self.keep(unit)

    @property
    def fields(self) -> bool:
        """Whether they allow for fields."""
        return any(one.fields for one in self._sequences.values())

    def of(self, picture: int) -> Sequence | None:
        """The sequence parameter set that a picture parameter set names; None: it never came."""
        told = self._pictures.get(picture)
        return None if told is None else self._sequences.get(told.sequence)

    def picture(self, number: int) -> PictureSet | None:
        """A picture parameter set; None: it never came."""
        return self._pictures.get(number)

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
            number, named = _picture(bits)
            if number < 256 and not bits.ended:
                self._pictures[number] = named


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
    number, planes, chroma = bits.golomb(), False, 1
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
    order, order_bits, order_told = bits.golomb(), 0, False  # pic_order_cnt_type
    if order == 0:
        order_bits = bits.golomb() + 4
    elif order == 1:
        order_told = not bits.take(1)  # delta_pic_order_always_zero_flag
        bits.golomb()  # offset_for_non_ref_pic
        bits.golomb()  # offset_for_top_to_bottom_field
        for _ in range(min(bits.golomb(), 255)):
            bits.golomb()
    bits.golomb()  # max_num_ref_frames
    gaps = bool(bits.take(1))
    bits.golomb()  # pic_width_in_mbs_minus1
    bits.golomb()  # pic_height_in_map_units_minus1
    fields, colour = not bits.take(1), chroma > 0 and not planes
    return number, Sequence(
        fields, number_bits, planes, gaps, order, order_bits, order_told, colour
    )


def _picture(bits: Bits) -> tuple[int, PictureSet]:
    """pic_parameter_set_id, and what its set tells."""
    number, sequence = bits.golomb(), bits.golomb()
    bits.take(1)  # entropy_coding_mode_flag
    order_told = bool(bits.take(1))
    if groups := bits.golomb():  # of slices
        _pass_groups(bits, groups + 1)
    references = bits.golomb() + 1, bits.golomb() + 1
    weighted = bool(bits.take(1)), bits.take(2) == 1
    for _ in range(3):  # quantisers
        bits.golomb()
    bits.take(2)  # deblocking_filter_control_present_flag, constrained_intra_pred_flag
    redundant = bool(bits.take(1))
    return number, PictureSet(sequence, order_told, references, weighted, redundant)


def _pass_groups(bits: Bits, groups: int) -> None:
    """Passes over how macroblocks are grouped to slices."""
    kind = bits.golomb()  # slice_group_map_type
    if kind == 0:
        for _ in range(min(groups, 8)):
            bits.golomb()
    elif kind == 2:
        for _ in range(min(groups, 8) - 1):
            bits.golomb()
            bits.golomb()
    elif kind in (3, 4, 5):
        bits.take(1)
        bits.golomb()
    elif kind == 6:
        count = bits.golomb() + 1
        bits.take(min(count, 1 << 16) * (groups - 1).bit_length())


def _pass_list(bits: Bits, size: int) -> None:
    """Passes over a scaling list (7.3.2.1.1.1)."""
    last = following = 8
    for _ in range(size):
        if following:
            code = bits.golomb()
            following = (last + (-(code >> 1) if code % 2 == 0 else (code + 1) >> 1)) % 256
        last = following or last
