"""VOPs of MPEG-4 Part 2, a packet at a time: their types, their times, which of them are coded.

Clauses are of ISO/IEC 14496-2.
"""

from __future__ import annotations

import dataclasses
from fractions import Fraction

import numpy as np

from mic.codec.picture_headers import LAYERS, group_seconds, resolution, vop_header

_GROUP, _VOP = 0xB3, 0xB6
# Longer ones are no not-coded VOP: its header and stuffing (6.2.5).
_SHORT = 64
_TYPES = "IPBS"
# VOPs that tell a raw stream's rate.
_LOOKED_AT = 100


@dataclasses.dataclass(frozen=True)
class PacketVops:
    """What a packet holds.

    Attributes:
        kind: I, P, B or S, of its first VOP; N where that is not coded, "?" where there is none.
        type: The same, coded or not: I, P, B, S or "?".
        coded: VOPs that are; DivX packs two into a packet.
    """

    kind: str
    type: str
    coded: int


class Vops:
    """What packets tell of their VOPs.

    Args:
        headers: What the container keeps apart.
    """

    def __init__(self, headers: bytes) -> None:
        self._resolution = resolution(headers)
        self._counted = 0  # the resolution in which increments are kept
        self._ticks: list[int] = []
        self._seconds = self._second = 0  # at the last reference, and at the one before
        self._group: int | None = None  # seconds by the time code of a group that begins
        self._latest = -1  # ticks of the last reference

    def rate(self) -> Fraction | None:
        """VOPs a second by their own times, of most of them; None if they do not say."""
        # Coding order is not the order of time.
        gaps = np.diff(np.sort(np.array(self._ticks, np.int64)))
        lengths, counts = np.unique(gaps[gaps > 0], return_counts=True)
        return Fraction(self._counted, int(lengths[counts.argmax()])) if len(lengths) else None

    def add(self, data: bytes) -> PacketVops:
        """Reads the next packet."""
        kind, first, coded, at = "", "", 0, data.find(b"\0\0\1")
        while at >= 0 and at + 4 < len(data):
            after = data.find(b"\0\0\1", at + 4)
            if data[at + 3] in LAYERS:  # joined streams have another in the middle
                self._resolution = resolution(data[at:]) or self._resolution
            elif data[at + 3] == _GROUP:
                self._group = group_seconds(data[at + 4 : at + 7])
            elif data[at + 3] == _VOP:
                header, letter = data[at + 4 : at + 44], _TYPES[data[at + 4] >> 6]
                is_coded, seconds, increment = vop_header(header, self._resolution)
                is_coded = is_coded or (len(data) if after < 0 else after) - at >= _SHORT
                self._tick(letter, seconds, increment)
                coded += is_coded
                kind, first = kind or (letter if is_coded else "N"), first or letter
            at = after
        return PacketVops(kind or "?", first or "?", coded)

    def _tick(self, kind: str, seconds: int, increment: int) -> None:
        """Keeps the time of a VOP of the first layer: another one counts otherwise."""
        self._counted = self._counted or self._resolution
        known = self._counted and self._counted == self._resolution
        if not known or len(self._ticks) >= _LOOKED_AT:
            return
        if kind == "B":  # counted from the reference that is shown before it
            self._ticks.append((self._second + seconds) * self._counted + increment)
            return
        whole = (self._seconds if self._group is None else self._group) + seconds
        if (
            whole * self._counted + increment <= self._latest
        ):  # writers leave the time code at zero
            whole = self._latest // self._counted
            whole += whole * self._counted + increment <= self._latest
        self._second, self._seconds, self._group = self._seconds, whole, None
        self._latest = whole * self._counted + increment
        self._ticks.append(self._latest)
