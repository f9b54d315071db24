"""Reference pictures of H.264 that never came, and which pictures may refer to them.

A decoder makes up what is missing and says nothing (ITU-T H.264, 8.2.5.2), but reference pictures
are numbered.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mic.codec.avc_parameters import ParameterSets
from mic.codec.picture_headers import Bits, units

_SLICES, _IDR = (1, 2, 5), 5  # nal_unit_type
# frame_num behind a picture that empties the decoder's memory (memory_management_control_operation
# 5): whether one did is not looked at.
_AFTER_EMPTYING = 1


class ReferenceNumbers:
    """Follows frame_num (7.4.3), a packet at a time in coding order.

    Args:
        headers: What the container keeps apart.
    """

    def __init__(self, headers: bytes) -> None:
        self._headers = headers
        self._parameters = ParameterSets(headers)
        self._before: int | None = None  # PrevRefFrameNum

    def lost(self, data: bytes) -> bool:
        """Whether a reference picture is missing between the packet before and this one."""
        for unit in units(data, self._headers, length_at=4):
            if unit[0] & 31 in _SLICES:
                return self._lost(unit)
            self._parameters.keep(unit)
        return False

    def _lost(self, unit: bytes) -> bool:
        bits = Bits(unit[1:24].replace(b"\0\0\3", b"\0\0"))
        bits.golomb()  # first_mb_in_slice
        bits.golomb()  # slice_type
        told = self._parameters.of(bits.golomb())
        if told is None:
            self._before = None
            return False
        if told.planes:
            bits.take(2)
        number, before = bits.take(told.number_bits), self._before
        if unit[0] >> 5 & 3:  # others may refer to it
            self._before = number
        if before is None or told.gaps or unit[0] & 31 == _IDR:
            return False
        following = (before + 1) % (1 << told.number_bits)
        return number not in (before, following, _AFTER_EMPTYING)


def unsound(
    lost: NDArray[np.bool_], keyframes: NDArray[np.bool_], stamps: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Packets whose pictures may refer to one that is missing.

    Those are all up to the next key picture, and behind it what is shown before it.

    Args:
        lost: (P,), before which packets a reference picture is missing.
        keyframes: (P,), where decoding can start.
        stamps: (P,), presentation time stamps.

    Returns:
        (P,).
    """
    found = np.zeros(len(lost), bool)
    keys = np.flatnonzero(keyframes)
    for first in np.flatnonzero(lost & ~keyframes):
        at = int(np.searchsorted(keys, first))
        key, end = (*keys[at : at + 2].tolist(), len(lost), len(lost))[:2]
        found[first:key] = True
        if key < len(lost):
            found[key:end] |= stamps[key:end] < stamps[key]
    return found
