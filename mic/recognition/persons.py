"""Who is followed, and what a look says of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np

from mic.faces.landmarks import Mesh, Roi
from mic.recognition.likeness import Portrait
from mic.recognition.motion import Motion, Region

# Seconds for which a look at a face is as good as a new one: people look less and less like
# themselves then. And how many looks of those: in a single one a head may be blurred or turned.
_KEPT, _PORTRAITS = 2.0, 3


@dataclasses.dataclass(frozen=True)
class Guise:
    """A face that was examined.

    Attributes:
        appearance: As of `mic.faces.covering.appearance`.
        hidden: 0 to 1, how surely its eyes or its mouth were hidden.
    """

    appearance: np.ndarray
    hidden: float


@dataclasses.dataclass
class Person:
    """A face that is followed.

    Attributes:
        number: From 0, in the order in which they were found.
        mesh: Of the last look.
        shift: float (2,), how far the vectors have carried it since, in samples.
        guises: What it looked like when it was examined for what covers it, the last one last.
        met: Numbers of those who came so close since the last look that they may be mixed up.
        portraits: Of the last looks in which the face was seen well, with their seconds.
    """

    number: int
    mesh: Mesh
    shift: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(2))
    guises: tuple[Guise, ...] = ()
    met: frozenset[int] = frozenset()
    portraits: tuple[tuple[float, Portrait], ...] = ()

    @property
    def known(self) -> tuple[Portrait, ...]:
        """What it looked like lately, the newest last; may be empty."""
        return tuple(portrait for _, portrait in self.portraits)

    def portray(
        self, portrait: Portrait | None, time: float, *, former: Mapping[int, Person]
    ) -> None:
        """Adds this look's portrait and drops those that are too old or too many.

        What may be hidden in part is added only where there is nothing clearer. The last one is
        kept however old it is, until a newer one comes.

        Args:
            portrait: Of this look; None where the face was not seen well.
            time: Its seconds.
            former: The people of the look before, by number.
        """
        before = former[self.number].portraits if self.number in former else ()
        kept = tuple(one for one in before if time - one[0] <= _KEPT)
        if before and not kept:  # the last one stays until there is a newer one, and counts less
            since, last = before[-1]
            kept = ((since, dataclasses.replace(last, clear=False)),)
        if portrait is not None and (portrait.clear or not any(one.clear for _, one in kept)):
            kept = (*kept, (time, portrait))[-_PORTRAITS:]
        self.portraits = kept

    @property
    def roi(self) -> Roi:
        """Where to look for it now."""
        x, y, side, angle = self.mesh.roi
        return Roi(x + self.shift[0], y + self.shift[1], side, angle)

    @property
    def box(self) -> np.ndarray:
        """float32 (4,): where it is now."""
        return self.mesh.box + np.tile(self.shift, 2).astype(np.float32)

    def carry(self, motion: Motion) -> None:
        """Moves it with the blocks inside its box."""
        self.shift = self.shift + motion.of(self.box)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Seen:
    """What a look says of one person.

    Attributes:
        person: Its number.
        status: "ok"; "turned away", "cut off", "too small", "covered": a face out of the
            expression network's depth; "lost": it was here until now; or "crossed": it came too
            close to somebody else to be told from them.
        mesh: None if it is lost or crossed.
        picture: uint8 (h, w, 3) RGB around the face; None without a mesh.
        origin: (x, y) of that picture's corner in the shown picture.
        hidden: 0 to 1, how surely its eyes or its mouth are hidden; above 0.5 "covered".
        portrait: What it looks like; None unless the status is "ok".
    """

    person: int
    status: str
    mesh: Mesh | None
    picture: np.ndarray | None
    origin: tuple[int, int]
    hidden: float = 0.0
    portrait: Portrait | None = None


Pixels = Callable[[Region | None], np.ndarray]
"""Gives a region of the present picture, or all of it, as uint8 (h, w, 3) RGB."""


@dataclasses.dataclass(frozen=True)
class Held:
    """A part of a picture that is kept, so that one can look at a person there later.

    Attributes:
        person: As carried to that picture.
        region: The part.
        picture: uint8 (h, w, 3) RGB, its samples.
        size: Width and height of the whole picture.
    """

    person: Person
    region: Region
    picture: np.ndarray
    size: tuple[int, int]

    def pixels(self, region: Region | None) -> np.ndarray:
        """As `Pixels`; black where nothing was kept."""
        return cut(self.picture, self.region, region or (0, 0, *self.size))


def cut(picture: np.ndarray, where: Region, region: Region) -> np.ndarray:
    """A region of which a part of the picture is known, uint8 (h, w, 3); black elsewhere.

    Args:
        picture: uint8 (h, w, 3), what is known.
        where: The region that it is.
        region: The region that is wanted.
    """
    left, top, right, bottom = region
    part = np.zeros((bottom - top, right - left, 3), np.uint8)
    x, y = max(left, where[0]), max(top, where[1])
    x_end, y_end = min(right, where[2]), min(bottom, where[3])
    if x < x_end and y < y_end:
        known = picture[y - where[1] : y_end - where[1], x - where[0] : x_end - where[0]]
        part[y - top : y_end - top, x - left : x_end - left] = known
    return part
