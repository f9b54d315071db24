"""Which packets of a stream hold the second field of a picture whose first came before.

Broadcasts code interlaced pictures as two fields, in H.264 each an access unit of its own (ITU-T
H.264, 3.30, 7.4.1.2.4): a decoder shows both as one picture.
"""

from __future__ import annotations

import dataclasses

from mic.codec.avc_parameters import ParameterSets
from mic.codec.picture_headers import Bits, temporal_reference, units
from mic_bitstream.decoding import field_structures

_SLICES = (1, 2, 5)  # nal_unit_type


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
        self._parameters = ParameterSets(headers)
        self._open: _Field | None = None  # a first field

    @property
    def expected(self) -> bool:
        """Whether the parameter sets that have come allow for fields."""
        return self._parameters.fields

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
                self._parameters.keep(unit)
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

    def _field(self, unit: bytes) -> _Field | None:
        """What a slice of a field tells of it (7.3.3); None of a whole picture's."""
        bits = Bits(unit[1:24].replace(b"\0\0\3", b"\0\0"))
        bits.golomb()  # first_mb_in_slice
        bits.golomb()  # slice_type
        told = self._parameters.of(bits.golomb())
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
        reference, structures = temporal_reference(data), field_structures(data)
        before, self._open = self._open, None
        if len(structures) != 1 or structures[0] not in (1, 2) or reference < 0:
            return False
        if before == (reference, structures[0]):
            return True
        self._open = reference, 3 - structures[0]
        return False
