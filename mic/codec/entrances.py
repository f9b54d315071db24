"""Where a stream that begins in its middle is entered, and which pictures behind cannot be shown.

Recordings of broadcasts begin anywhere, and so do files cut without a new encoding. A decoder
shows nothing before it can be sure of a picture. Clauses are of ITU-T H.264 and H.265, and
of ISO/IEC 13818-2 and 14496-2 for MPEG.
"""

from __future__ import annotations

import abc
from collections.abc import Iterator

import numpy as np

from mic.codec.picture_headers import avc_picture, hevc_type, mpeg_type

# nal_unit_type (H.265, 7.4.2.2): pictures that nothing before is needed for, and those that may
# follow such a one and are shown before it.
_KEY, _BEFORE_KEY, _UNDECODABLE = range(16, 24), (6, 7, 8, 9), (8, 9)


def entrance_of(codec: str, headers: bytes) -> Entrance | None:
    """What watches the packets of a codec; None for those whose first key picture is enough.

    Args:
        codec: libavcodec's name.
        headers: What the container keeps apart.
    """
    kinds: dict[str, type[Entrance]] = {
        "h264": AvcEntrance,
        "hevc": HevcEntrance,
        "mpeg1video": MpegEntrance,
        "mpeg2video": MpegEntrance,
        "mpeg4": VopEntrance,
    }
    return kinds[codec](headers) if codec in kinds else None


class Entrance(abc.ABC):
    """What is known of a stream's first pictures, a packet at a time in coding order.

    Attributes:
        begin: The packet that decoding begins with; None until it has come.
        whole: The packet of the first picture that is whole, where others behind it in coding
            order may be shown before it; None else.
        leading: Packets behind `begin` that refer to some before it.
        leads_within: Whether packet `begin` itself holds such a picture beside the key picture.
        passed: All that follow are shown, and need not be asked about.
    """

    def __init__(self, headers: bytes) -> None:
        self.begin: int | None = None
        self.whole: int | None = None
        self.leading: list[int] = []
        self.leads_within = False
        self.passed = False
        self._headers = headers
        self._seen = 0

    def shows(self, data: bytes, *, second: bool = False) -> bool:
        """Whether the next packet brings a picture that is shown.

        Args:
            data: The packet.
            second: Whether it holds the second field of the picture before.
        """
        number, self._seen = self._seen, self._seen + 1
        if second:
            return False
        return self._shows(number, data)

    @abc.abstractmethod
    def _shows(self, number: int, data: bytes) -> bool:
        """Whether the picture of packet `number` is shown."""

    def by_stamps(self, stamps: np.ndarray, shown: np.ndarray) -> np.ndarray:
        """Corrects by presentation time stamps what the coding order alone had told.

        Args:
            stamps: int64 (P,), of the packets, which order the pictures.
            shown: (P,), pictures that each packet shows as `shows` has it.
        """
        if self.whole is None or self.begin is None:
            return shown
        shown = shown.copy()
        shown[self.begin :] = stamps[self.begin :] >= stamps[self.whole]
        behind = np.flatnonzero(stamps[self.whole :] < stamps[self.whole])
        self.leading = (behind + self.whole).tolist()
        return shown


class HevcEntrance(Entrance):
    """HEVC is entered at its first key picture.

    Pictures that refer to some before it are skipped (8.1.3), and follow it at once in coding
    order: their types are RASL_N and RASL_R, those of others that may be among them RADL_N and
    RADL_R (7.4.2.2).
    """

    def _shows(self, number: int, data: bytes) -> bool:
        kind = hevc_type(data, self._headers)
        if self.begin is None:
            if kind in _KEY:
                self.begin = number
            return self.begin is not None
        self.passed = kind not in _BEFORE_KEY
        if kind in _UNDECODABLE:
            self.leading.append(number)
        return kind not in _UNDECODABLE


class AvcEntrance(Entrance):
    """H.264 is entered at an IDR picture or a recovery point.

    All are whole behind an IDR picture. A recovery point (D.1.8, D.2.8) says how many reference
    pictures later one is whole: none where it comes with an intra picture, many where columns of
    intra macroblocks wander through the pictures. What is shown before that one is not. Without
    time stamps those are taken to be the B-pictures right behind an intra picture. An intra
    picture without a recovery point is taken for one, as libavcodec does.
    """

    def __init__(self, headers: bytes) -> None:
        super().__init__(headers)
        self._left: int | None = None  # reference pictures until one is whole
        self._intra = False

    def _shows(self, number: int, data: bytes) -> bool:
        picture = avc_picture(data, self._headers)
        if self.whole is not None:
            leads = self._intra and picture.type == "B" and not picture.idr
            self.passed = not leads
            if leads:
                self.leading.append(number)
            return not leads
        self._count(picture.recovery, picture.idr, picture.type, picture.reference)
        if self._left is not None and self.begin is None:
            self.begin = number
        if self._left != 0:
            return False
        self._intra = picture.type == "I"
        self.passed = picture.idr
        self.whole = None if picture.idr else number
        return True

    def _count(self, recovery: int | None, idr: bool, kind: str, reference: bool) -> None:
        if self._left is not None and reference:
            self._left -= 1
        if recovery is None and kind == "I":
            recovery = 0
        if idr:
            self._left = 0
        elif recovery is not None and (self._left is None or recovery < self._left):
            self._left = recovery


class MpegEntrance(Entrance):
    """MPEG-1 and MPEG-2 are entered at their first intra picture.

    B-pictures right behind it refer to a picture before it as well, unless their group is closed
    (13818-2, 6.3.8).
    """

    def _shows(self, number: int, data: bytes) -> bool:
        types = list(self._types(data))
        first = types[0] if types else ""
        if self.begin is None:
            if first != "I":
                return False
            self.begin, self._closed = number, self._is_closed(data)
            self.leads_within = not self._closed and "B" in types
            return True
        leads = first == "B" and not self._closed
        self.passed = first in ("I", "P", "S")
        if leads:
            self.leading.append(number)
        return not leads

    def _types(self, data: bytes) -> Iterator[str]:
        """The type of the packet's first picture."""
        if found := mpeg_type(data):
            yield found

    def _is_closed(self, data: bytes) -> bool:
        at = data.find(b"\0\0\1\xb8")
        return 0 <= at < len(data) - 7 and bool(data[at + 7] & 0x40)  # behind 25 bits of time


class VopEntrance(MpegEntrance):
    """MPEG-4 Part 2 is entered at its first intra VOP; B-VOPs right behind it are not decoded."""

    def _types(self, data: bytes) -> Iterator[str]:
        """vop_coding_type (6.2.5) of each VOP; DivX packs two into a packet."""
        at = data.find(b"\0\0\1\xb6")
        while 0 <= at < len(data) - 4:
            yield "IPBS"[data[at + 4] >> 6]
            at = data.find(b"\0\0\1\xb6", at + 4)

    def _is_closed(self, data: bytes) -> bool:
        del data
        return False
