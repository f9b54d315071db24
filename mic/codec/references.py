"""Reference pictures that never came, and which pictures may refer to them.

Decoders of H.264 make up what is missing (ITU-T H.264, 8.2.5.2), those of MPEG-1 and -2 take what
came before, neither with a word. But pictures are numbered.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mic.codec.avc_parameters import ParameterSets
from mic.codec.avc_slices import empties_memory
from mic.codec.picture_headers import Bits, mpeg_type, temporal_reference, units

_SLICES, _IDR = (1, 2, 5), 5  # nal_unit_type
_COUNTED = 1024  # temporal_reference (13818-2, 6.3.9) counts modulo this


def references_of(codec: str, headers: bytes) -> AvcReferences | MpegReferences | None:
    """What watches the packets of a codec; None for those that number nothing.

    Args:
        codec: libavcodec's name.
        headers: What the container keeps apart.
    """
    if codec == "h264":
        return AvcReferences(headers)
    return MpegReferences() if codec in ("mpeg1video", "mpeg2video") else None


class AvcReferences:
    """Follows frame_num of H.264 (7.4.3), a packet at a time in coding order.

    Args:
        headers: What the container keeps apart.

    Attributes:
        lost: For each packet, whether a reference picture is missing before it.
    """

    def __init__(self, headers: bytes) -> None:
        self.lost: list[bool] = []
        self._headers = headers
        self._parameters = ParameterSets(headers)
        self._before: int | None = None  # PrevRefFrameNum
        self._reference = b""  # the first slice of that picture

    def add(self, data: bytes, *, second: bool = False) -> None:
        """Takes the next packet.

        Args:
            data: The packet.
            second: Whether it is the second field of a picture; here that does not matter.
        """
        del second
        self.lost.append(False)
        for unit in units(data, self._headers, length_at=4):
            if unit[0] & 31 in _SLICES:
                self.lost[-1] = self._lost(unit)
                return
            self._parameters.keep(unit)

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
        number, before, reference = bits.take(told.number_bits), self._before, self._reference
        if unit[0] >> 5 & 3:  # others may refer to it
            self._before, self._reference = number, unit
        if before is None or told.gaps or unit[0] & 31 == _IDR:
            return False
        # The same number again: a second field, or another slice in a packet of its own.
        follows = number in (before, (before + 1) % (1 << told.number_bits))
        return not follows and not (number <= 1 and empties_memory(reference, self._parameters))


class MpegReferences:
    """Follows temporal_reference of MPEG-1 and -2, the place in the order of showing.

    Places are counted from an intra picture on. Between a P-picture and the reference before it
    stand the B-pictures that follow it in coding order. Where one follows that stands elsewhere, a
    reference is missing; where a place stays empty, a B-picture is, to which nothing refers, or
    more than that if the two are farther apart than any whose places are taken.
    """

    def __init__(self) -> None:
        self._lost: list[bool] = []
        self._gaps: list[tuple[int, int]] = []  # P-pictures before which a place stayed empty
        self._apart = 1  # how far references are apart whose places are taken
        self._reference: int | None = None  # place of the last reference picture
        self._forward = 0  # the packet of that one, if it is a P-picture
        self._between = 0  # how far from the one before it is; of intra pictures any distance
        self._empty = 0  # places between the two that no B-picture has taken

    @property
    def lost(self) -> list[bool]:
        """As `AvcReferences.lost`."""
        far = {packet for packet, apart in self._gaps if apart > self._apart}
        return [lost or packet in far for packet, lost in enumerate(self._lost)]

    def add(self, data: bytes, *, second: bool = False) -> None:
        """As `AvcReferences.add`; second fields have the place of the first."""
        self._lost.append(False)
        kind, place = mpeg_type(data), temporal_reference(data)
        if second or not kind:
            return
        if kind == "I":
            self._reference, self._between, self._empty = place, _COUNTED // 2, 0
        if self._reference is None or kind not in ("P", "B"):
            return
        if kind == "B":  # it stands between the last reference pictures
            self._lost[-1] = not 0 < (self._reference - place) % _COUNTED < self._between
            self._empty -= 1
            return
        self._look_back()
        ahead = (place - self._reference) % _COUNTED
        self._lost[-1] = not 0 < ahead < _COUNTED // 2
        self._reference, self._forward = place, len(self._lost) - 1
        self._between, self._empty = ahead, 0 if self._lost[-1] else ahead - 1

    def _look_back(self) -> None:
        """Whether all places before the last P-picture are taken, now that another follows."""
        if self._between == _COUNTED // 2 or self._lost[self._forward]:
            return
        if self._empty > 0:
            self._gaps.append((self._forward, self._between))
        else:
            self._apart = max(self._apart, self._between)


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
