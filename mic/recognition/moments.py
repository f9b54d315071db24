"""A video as moments: when each picture is, how it moved, and the parts of it that are wanted."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import numpy as np

from mic.codec import Video
from mic.recognition.motion import Motion, Region
from mic.recognition.persons import Pixels, cut

# Parts of its sides by which a planned region is larger than the carried square, on each side.
_MARGINS = (0.12, 0.06, 0.03)


@dataclasses.dataclass
class Moment:
    """One picture that passes.

    Attributes:
        number: Among the shown pictures.
        time: Seconds from the first.
        size: Width and height of the shown picture.
        motion: Since the moment before; None where nobody knows.
        pixels: Gives its parts; None unless it is one of the wanted.
    """

    number: int
    time: float
    size: tuple[int, int]
    motion: Motion | None
    pixels: Pixels | None


@dataclasses.dataclass
class Work:
    """What reading a video has cost so far.

    Attributes:
        pictures: Shown pictures that have passed.
        decoded: Of those, decoded whole.
        regions: Parts of pictures reconstructed alone.
    """

    pictures: int = 0
    decoded: int = 0
    regions: int = 0


class Source(Protocol):
    """A video whose moments can be asked for, once.

    Attributes:
        way: "parsed" or "decoded".
        video: What is read.
        work: What it has cost so far.
        anchors: Numbers of the pictures at which one can look, ascending.
    """

    way: str
    video: Video
    work: Work
    anchors: np.ndarray

    def moments(self, wanted: Sequence[int], regions: Callable[[Motion | None], list[Region]]
                ) -> Iterator[Moment]:  # fmt: skip
        """See `Decoded.moments`."""
        ...


class Parts:
    """Parts of one picture: each a little larger than asked for, and used again where it can be.

    Args:
        make: Makes a part.
        whole: All of the picture.
        made: What is there already.
        rim: So much of a region, in parts of its sides, may be missing at each side of what is
            there, and is black then: for where to make a part is dear.
    """

    def __init__(
        self,
        make: Callable[[Region], np.ndarray],
        whole: Region,
        made: list[tuple[Region, np.ndarray]] | None = None,
        *,
        rim: float = 0.0,
    ) -> None:
        self._make, self._whole, self._made, self._rim = make, whole, list(made or []), rim

    def __call__(self, region: Region | None) -> np.ndarray:
        """A region, or all, as uint8 (h, w, 3) RGB."""
        left, top, right, bottom = region or self._whole
        x, y = self._rim * (right - left), self._rim * (bottom - top)
        for box, picture in self._made:
            across = box[0] <= left + x and box[2] >= right - x
            if across and box[1] <= top + y and box[3] >= bottom - y:
                return cut(picture, box, (left, top, right, bottom))
        box = wider((left, top, right, bottom), self._whole[2:])
        self._made.append((box, self._make(box)))
        return self((left, top, right, bottom))


def wider(box: Region, size: tuple[int, int]) -> Region:
    """A box grown on each side by the first of `_MARGINS` that leaves some of the picture out.

    Args:
        box: Even, within the picture; so is what is returned.
        size: Width and height of the picture.
    """
    left, top, right, bottom = box
    for part in _MARGINS:
        x, y = round(part * (right - left)) & ~1, round(part * (bottom - top)) & ~1
        low, high = (max(0, left - x), max(0, top - y)), (right + x, bottom + y)
        grown = *low, min(size[0], high[0]), min(size[1], high[1])
        if grown != (0, 0, *size):
            return grown
    return box
