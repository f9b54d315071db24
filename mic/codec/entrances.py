"""Where a stream that begins in its middle is entered, and which pictures behind cannot be shown.

Recordings of broadcasts begin anywhere, and so do files cut without a new encoding. A decoder
shows nothing before it can be sure of a picture. Clauses are of ITU-T H.264 and H.265.
"""

from __future__ import annotations

from mic.codec.picture_headers import avc_picture, hevc_type

_RADL_AND_RASL, _RASL = (6, 7, 8, 9), (8, 9)


class HevcEntrance:
    """Which pictures of HEVC are shown: not those that refer to some before the first key picture.

    Such pictures are skipped (8.1.3), and follow the key picture at once in coding order: their
    types are RASL_N and RASL_R, those of others that may be among them RADL_N and RADL_R
    (7.4.2.2).
    """

    def __init__(self, headers: bytes) -> None:
        self._headers = headers
        self._entered = False
        self._seen = 0
        self.leading: list[int] = []  # packets that refer to some before the entrance
        self.passed = False  # all that follow are shown

    def shows(self, data: bytes, key: bool) -> bool:
        """Whether the picture of the next packet in coding order is shown."""
        number, self._seen = self._seen, self._seen + 1
        if not self._entered:
            self._entered = key
            return True
        kind = hevc_type(data, self._headers)
        self.passed = kind not in _RADL_AND_RASL
        if kind in _RASL:
            self.leading.append(number)
        return kind not in _RASL


class AvcEntrance:
    """Which pictures of H.264 are shown: those that are whole, as far as the stream tells.

    All are behind an IDR picture. Elsewhere a recovery point (D.1.8, D.2.8) says how many
    reference pictures later one is whole: none where it comes with an intra picture, many where
    columns of intra macroblocks wander through the pictures. B-pictures right behind that one in
    coding order are shown before it. An intra picture without a recovery point is taken for one,
    as libavcodec does.
    """

    def __init__(self, headers: bytes) -> None:
        self._headers = headers
        self._left: int | None = None  # reference pictures until one is whole
        self._whole = False
        self.passed = False  # all that follow are shown
        self._seen = 0
        self.leading: list[int] = []  # packets that refer to some before the entrance
        self.begin: int | None = None  # the packet that decoding begins with

    def shows(self, data: bytes) -> bool:
        """Whether the picture of the next packet in coding order is shown."""
        number, self._seen = self._seen, self._seen + 1
        picture = avc_picture(data, self._headers)
        if self._whole and picture.type == "B" and not picture.idr:
            self.leading.append(number)
            return False
        if not self._whole:
            self._count(picture.recovery, picture.idr, picture.type, picture.reference)
            if self._left is not None and self.begin is None:
                self.begin = number
            self._whole = self._left == 0
            self.passed = self._whole and picture.idr
            return self._whole
        self.passed = True
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
