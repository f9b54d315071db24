"""The one follower of faces: a box carried by motion, corrected by looks, found by searches.

Three ways to know where a face is, from cheap to dear:

- *carried*: the motion vectors of the blocks inside the box move it (a median each way); nothing
  is decoded for that where the stream can be parsed;
- *look*: the landmark network looks at the box alone, 5 ms, and says whether a face is there;
- *search*: BlazeFace looks at the whole picture, 10 ms; only when there is nobody to follow, when
  a look finds no face where the vectors have led, or after `SEARCH_SECONDS` for newcomers. Where
  it sees nobody, MTCNN is asked, 40 ms: it finds smaller faces and some that are turned.

Every face is a person of its own, with a number that is never used again. Who is lost and found
elsewhere is a new person: a number says that a face was followed without a gap, not who it is.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Protocol

import numpy as np
from PIL import Image

from mic import faces
from mic.faces.blazeface import BlazeFace
from mic.faces.landmarks import Landmarker, Mesh, Roi, roi_of_box

# Below this presence there is no face in the square.
PRESENT = 0.5
# Beyond these the mesh is a guess, and photographs of FER2013 have few such faces.
MOST_YAW, MOST_PITCH = 45.0, 40.0
# Fewer samples across a face than the expression network's own input has across one.
LEAST_SIDE = 32.0
SEARCH_SECONDS = 10.0
# A look that moves the square by more than this part of its side is repeated there.
_OFF = 0.12
# Longest side of the pictures that MTCNN searches: first quickly, then for small faces.
_SOUGHT = (320, 640)
_SAME = 0.3

Region = tuple[int, int, int, int]
"""left, top, right, bottom in samples of the shown picture."""


class Motion(Protocol):
    """How a picture moved since the one before."""

    def of(self, box: np.ndarray) -> np.ndarray:
        """The median step in a box (left, top, right, bottom), float (2,), in samples."""
        ...


@dataclasses.dataclass(frozen=True)
class Vectors(Motion):
    """Blocks of any size and where each came from.

    Attributes:
        places: float (N, 2), middles of the blocks in this picture, (x, y) in samples.
        steps: float (N, 2), how far each moved since the picture before.
    """

    places: np.ndarray
    steps: np.ndarray

    def of(self, box: np.ndarray) -> np.ndarray:
        """The median step of the blocks whose middle is in a box; zero if there is none."""
        inside = (self.places >= box[:2]).all(1) & (self.places <= box[2:]).all(1)
        if not inside.any():
            return np.zeros(2)
        return np.median(self.steps[inside], axis=0)


@dataclasses.dataclass
class Person:
    """A face that is followed.

    Attributes:
        number: From 0, in the order in which they were found.
        mesh: Of the last look.
        shift: float (2,), how far the vectors have carried it since, in samples.
    """

    number: int
    mesh: Mesh
    shift: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(2))

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
        status: "ok"; "turned away", "cut off", "too small": a face out of the expression
            network's depth; or "lost": it was here until now.
        mesh: None if it is lost.
        picture: uint8 (h, w, 3) RGB around the face; None if it is lost.
        origin: (x, y) of that picture's corner in the shown picture.
    """

    person: int
    status: str
    mesh: Mesh | None
    picture: np.ndarray | None
    origin: tuple[int, int]


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
        left, top, right, bottom = region or (0, 0, *self.size)
        part = np.zeros((bottom - top, right - left, 3), np.uint8)
        x, y = max(left, self.region[0]), max(top, self.region[1])
        x_end, y_end = min(right, self.region[2]), min(bottom, self.region[3])
        if x < x_end and y < y_end:
            kept = self.picture[y - self.region[1] : y_end - self.region[1]]
            kept = kept[:, x - self.region[0] : x_end - self.region[0]]
            part[y - top : y_end - top, x - left : x_end - left] = kept
        return part


class Follower:
    """Follows all faces of one video.

    Args:
        landmarker: Looks.
        finder: Searches.
    """

    def __init__(
        self, *, landmarker: Landmarker | None = None, finder: BlazeFace | None = None
    ) -> None:
        self._landmarker = landmarker or shared_landmarker()
        self._finder = finder or BlazeFace()
        self._next = 0
        self._searched = float("-inf")
        self._misses = 0
        self.people: list[Person] = []
        self.searches = 0

    def carry(self, motion: Motion) -> None:
        """Moves everybody by the vectors of the next picture."""
        for person in self.people:
            person.carry(motion)

    def hold(self, size: tuple[int, int], pixels: Pixels) -> list[Held]:
        """Keeps what is needed to look at everybody in this picture later.

        Args:
            size: Width and height of the picture.
            pixels: Gives parts of it.
        """
        held = []
        for person in self.people:
            region = around(person.roi, size)
            if region is not None:
                now = Person(person.number, person.mesh, person.shift.copy())
                held.append(Held(now, region, pixels(region), size))
        return held

    def look_back(self, held: Held) -> Seen | None:
        """Looks at a person in a picture that has passed; None if no face is there."""
        mesh = self._looked(held.person, held.size, held.pixels)
        if mesh is None:
            return None
        return _seen(held.person.number, mesh, held.size, held.pixels)

    def look(self, time: float, size: tuple[int, int], pixels: Pixels) -> list[Seen]:
        """Looks at everybody in a picture, and searches it where that is needed.

        Args:
            time: Seconds of the picture.
            size: Its width and height.
            pixels: Gives parts of it.
        """
        before, missing = self.people, False
        found: list[Person] = []
        for person in before:
            seen = self._looked(person, size, pixels)
            if seen is None or any(_overlap(seen.box, one.mesh.box) > _SAME for one in found):
                missing = True
                continue
            found.append(Person(person.number, seen))
        if missing or not before or time - self._searched >= SEARCH_SECONDS:
            self._searched = time
            found += self._search(before, found, size, pixels)
        self.people = found
        answers = [_seen(person.number, person.mesh, size, pixels) for person in self.people]
        left = {one.number for one in before} - {one.number for one in self.people}
        answers += [
            Seen(person=number, status="lost", mesh=None, picture=None, origin=(0, 0))
            for number in sorted(left)
        ]
        return answers

    def _looked(self, person: Person, size: tuple[int, int], pixels: Pixels) -> Mesh | None:
        mesh = self._mesh(person.roi, size, pixels)
        if mesh is None:
            return None
        here, there = np.array(person.roi[:2]), np.array(mesh.roi[:2])
        off = np.hypot(*(there - here)) / person.roi.side
        grown = abs(np.log(mesh.roi.side / person.roi.side))
        return self._mesh(mesh.roi, size, pixels) if max(off, grown / 2) > _OFF else mesh

    def _mesh(self, roi: Roi, size: tuple[int, int], pixels: Pixels) -> Mesh | None:
        """The face in a square; None if there is none, or only outside the picture."""
        region = around(roi, size)
        if region is None:
            return None
        left, top = region[:2]
        local = Roi(roi.x - left, roi.y - top, roi.side, roi.angle)
        mesh = self._landmarker.look(pixels(region), local)
        moved = mesh.points + np.array((left, top, 0), np.float32)
        mesh = Mesh(points=moved, presence=mesh.presence)
        there = mesh.presence >= PRESENT and around(mesh.roi, size) is not None
        return mesh if there else None

    def _search(
        self, before: list[Person], known: list[Person], size: tuple[int, int], pixels: Pixels
    ) -> list[Person]:
        """New people, and those of `before` who are not among `known` but near where they were."""
        picture = pixels(None)
        self.searches += 1
        taken = list(known)
        found: list[Person] = []
        for box, roi in self._detected(picture, alone=not known):
            if any(_overlap(box, one.mesh.box) > _SAME for one in taken):
                continue
            mesh = self._mesh(roi, size, lambda r: _cut(picture, r))
            if mesh is not None:  # a detector's box is a rough one
                mesh = self._mesh(mesh.roi, size, lambda r: _cut(picture, r))
            if mesh is None or any(_overlap(mesh.box, one.mesh.box) > _SAME for one in taken):
                continue
            person = Person(self._number(mesh, before, taken), mesh)
            taken.append(person)
            found.append(person)
        self._misses = 0 if taken else self._misses + 1
        return found

    def _detected(self, picture: np.ndarray, *, alone: bool) -> list[tuple[np.ndarray, Roi]]:
        """Boxes and where to look for each, the surest or largest first."""
        found = [(one.box, roi_of_box(one.box, one.eyes)) for one in self._finder.detect(picture)]
        if found or not alone:
            return found
        # Small faces take longer to look for: every other time when there is nobody.
        longest = _SOUGHT[1 if self._misses % 2 else 0]
        height, width = picture.shape[:2]
        scale = min(1.0, longest / max(height, width))
        if scale < 1:
            small = (max(1, round(width * scale)), max(1, round(height * scale)))
            picture = np.asarray(Image.fromarray(picture).resize(small, Image.Resampling.BOX))
        others = faces.detector().detect_all(picture)
        order = np.argsort(-(others.boxes[:, 2] - others.boxes[:, 0]), kind="stable")
        boxes, points = others.boxes / scale, others.points / scale
        return [(boxes[k], roi_of_box(boxes[k], points[k])) for k in order]

    def _number(self, mesh: Mesh, before: list[Person], taken: list[Person]) -> int:
        used = {one.number for one in taken}
        for person in before:
            if person.number not in used and _overlap(person.box, mesh.box) > _SAME:
                return person.number
        self._next += 1
        return self._next - 1


@functools.lru_cache(maxsize=1)
def shared_landmarker() -> Landmarker:
    """The landmarker, built once a process; it is not to be used from two threads at once."""
    return Landmarker()


def around(roi: Roi, size: tuple[int, int]) -> Region | None:
    """The part of a picture that a look needs, even edges; None if next to nothing is inside."""
    half = 0.52 * roi.side * (abs(np.cos(roi.angle)) + abs(np.sin(roi.angle)))
    width, height = size
    left, top = (max(0, int(edge - half)) & ~1 for edge in (roi.x, roi.y))
    right, bottom = (
        min(most, int(edge + half + 2) & ~1) for edge, most in ((roi.x, width), (roi.y, height))
    )
    if right - left < 16 or bottom - top < 16:
        return None
    return left, top, right, bottom


def _seen(number: int, mesh: Mesh, size: tuple[int, int], pixels: Pixels) -> Seen:
    region = around(mesh.roi, size)
    assert region is not None  # `Follower._mesh` gives no other
    return Seen(
        person=number,
        status=_status(mesh, size),
        mesh=mesh,
        picture=pixels(region),
        origin=region[:2],
    )


def _status(mesh: Mesh, size: tuple[int, int]) -> str:
    if abs(mesh.pose.yaw) > MOST_YAW or abs(mesh.pose.pitch) > MOST_PITCH:
        return "turned away"
    box = mesh.box
    inside = np.clip(box, 0, np.tile(size, 2))
    if np.prod(inside[2:] - inside[:2]) < 0.75 * np.prod(box[2:] - box[:2]):
        return "cut off"
    return "too small" if max(box[2:] - box[:2]) < LEAST_SIDE else "ok"


def _cut(picture: np.ndarray, region: Region | None) -> np.ndarray:
    if region is None:
        return picture
    left, top, right, bottom = region
    return np.ascontiguousarray(picture[top:bottom, left:right])


def _overlap(one: np.ndarray, other: np.ndarray) -> float:
    """Intersection over union of two boxes."""
    low, high = np.maximum(one[:2], other[:2]), np.minimum(one[2:], other[2:])
    shared = float(np.prod(np.maximum(high - low, 0)))
    areas = float(np.prod(one[2:] - one[:2]) + np.prod(other[2:] - other[:2]))
    return shared / max(areas - shared, 1e-6)
