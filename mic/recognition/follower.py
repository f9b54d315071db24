"""A multi-face tracker: boxes carried by motion vectors, corrected by looks, found by searches.

Three ways to know where a face is, from cheap to dear:

- *carried*: the motion vectors of the blocks inside the box move it (a median each way); nothing
  is decoded for that where the stream can be parsed;
- *look*: the landmark network looks at the box alone, 5 ms, and says whether a face is there;
- *search*: BlazeFace looks at the whole picture, 10 ms; only when there is nobody to follow, when
  a look finds no face where the vectors have led, or after `SEARCH_SECONDS` for newcomers. Where
  it sees nobody, MTCNN is asked, 40 ms: it finds smaller faces and some that are turned.

Every face is a person of its own, with a number that is never used again. Who is lost and found
later is a new person: a number says that a face was followed without a gap, not who it is. Where
two came so close that the one may have been taken for the other, both numbers end, and what is
found there afterwards has new ones. From one look to the next faces are also compared by
`mic.recognition.likeness`: at a cut a number ends where another person is seen in the same place,
and who has moved further than a decoder without vectors tells keeps theirs.
"""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np

from mic.faces import covering
from mic.faces.blazeface import BlazeFace
from mic.faces.landmarks import Landmarker, Mesh, Roi
from mic.recognition.likeness import Likeness, Portrait, Portraits
from mic.recognition.motion import Motion
from mic.recognition.persons import Guise, Held, Person, Pixels, Seen
from mic.recognition.searching import CERTAIN, Place, Searcher, upright
from mic.recognition.squares import around, meet, moved, overlap, part_of

# Below this presence there is no face in the square.
PRESENT = 0.5
# Beyond these the mesh is a guess, and photographs of FER2013 have few such faces.
MOST_YAW, MOST_PITCH = 45.0, 40.0
# Fewer samples across a face than the expression network's own input has across one.
LEAST_SIDE = 32.0
SEARCH_SECONDS = 4.0
# So many looks after somebody was lost the picture is searched for them.
_HUNTED = 2
# A look that moves the square by more than this part of its side is repeated there.
_OFF = 0.12
_SAME = 0.3
# How far, in the measure of `meet`, people may come between two looks.
_REACH = 4.0
# How much more (sum of two correlations) two must look like each other than like themselves.
_MARGIN = 0.05
# Faces that look less like any of so many before (correlation) are examined for what covers them.
_ALIKE, _REMEMBERED = 0.92, 2
# So do those that were this surely hidden: what is nearly covered in one look may not be in the
# next, and a window takes the mean.
_DOUBTFUL = 0.2


class Follower:
    """Multi-face tracker of one video.

    Args:
        landmarker: Looks.
        finder: Searches.
        likeness: Compares.
    """

    def __init__(self, *, landmarker: Landmarker, finder: BlazeFace, likeness: Likeness) -> None:
        self._landmarker, self._likeness = landmarker, likeness
        self._searcher = Searcher(finder)
        self._next = 0
        self._searched = float("-inf")
        self._misses, self._hunted = 0, -1
        # When small faces beside larger ones were last looked for, and how long that lasts.
        self._thorough: float | None = None
        self._patience = SEARCH_SECONDS
        self.people: list[Person] = []

    def carry(self, motion: Motion) -> None:
        """Moves everybody by the vectors of the next picture."""
        for person in self.people:
            person.carry(motion)
        for one, other in itertools.combinations(self.people, 2):
            if meet(one.box, other.box):
                one.met |= {other.number}
                other.met |= {one.number}

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
                now = dataclasses.replace(person, shift=person.shift.copy())
                held.append(Held(now, region, pixels(region), size))
        return held

    def look_back(self, held: Held) -> Seen | None:
        """Looks at a person in a picture that has passed; None if no face is there."""
        mesh = self._looked(held.person.roi, held.size, held.pixels)
        if mesh is None or held.person.met:
            return None
        # It may look as it has been seen to look since.
        number = held.person.number
        own = [held.person, *(one for one in self.people if one.number == number)]
        near = max(overlap(mesh.box, one.box) for one in own)
        if any(overlap(mesh.box, one.box) > near for one in self.people if one.number != number):
            return None
        seen = self._seen(Person(number, mesh, guises=own[-1].guises), held.size, held.pixels)
        now = seen.portrait
        return None if any(self._differ(one.known, now) for one in own) else seen

    def look(self, time: float, size: tuple[int, int], pixels: Pixels) -> list[Seen]:
        """Looks at everybody in a picture, and searches it where that is needed.

        Args:
            time: Seconds of the picture.
            size: Its width and height.
            pixels: Gives parts of it.
        """
        before, found, crossed = self.people, list[Person](), set[int]()
        answers: dict[int, Seen] = {}
        for person in before:
            mesh = self._looked(person.roi, size, pixels)
            if mesh is None:
                continue
            rival = next((one for one in found if overlap(mesh.box, one.mesh.box) > _SAME), None)
            if rival is not None:  # both squares lead to one face
                crossed |= {person.number, rival.number}
            else:
                found.append(Person(person.number, mesh, guises=person.guises))
                answers[person.number] = self._seen(found[-1], size, pixels)
        shown = {number: seen.portrait for number, seen in answers.items()}
        unsure, others = self._likeness.changed(
            {one.number: one.known for one in before if one.portraits},
            {number: one for number, one in shown.items() if one is not None},
            {frozenset({one.number, other}) for one in before for other in one.met}
            | self._exchanged(found, size, pixels),
        )
        others -= crossed
        crossed |= unsure
        kept = [one for one in found if one.number not in crossed | others]
        free = [one for one in before if one.number not in crossed]
        ended = {number: answers.pop(number) for number in (crossed | others) & answers.keys()}
        for person in found:  # whose number has ended, but not their face
            if person.number in crossed:
                number = self._new_number()
            elif person.number in others:
                number = self._number(person.mesh, shown[person.number], free, kept)
            else:
                continue
            kept.append(Person(number, person.mesh, guises=person.guises[-1:]))
            answers[number] = dataclasses.replace(ended[person.number], person=number)
        leapt = any(
            one.number == other.number and not meet(one.box, other.box)
            for one, other in itertools.product(found, before)
        )
        found = kept
        lost = len(found) < len(before)
        self._hunted = _HUNTED if lost else max(self._hunted - 1, -1)
        changed = leapt or bool(others) or self._hunted >= 0 or not before
        if changed or time - self._searched >= SEARCH_SECONDS:
            self._searched = time
            for person, seen in self._search(free, found, size, pixels, self._is_due(time)):
                found.append(person)
                answers[person.number] = seen
        former = {one.number: one for one in before}
        for person in found:
            person.portray(answers[person.number].portrait, time, former=former)
        numbers = [one.number for one in found]
        gone = [
            Seen(
                person=one.number,
                status="crossed" if one.number in crossed else "lost",
                mesh=None,
                picture=None,
                origin=(0, 0),
            )
            for one in before
            if one.number not in numbers
        ]
        self.people = found
        return [answers[number] for number in numbers] + sorted(gone, key=lambda one: one.person)

    def _is_due(self, time: float) -> bool:
        """Whether to look for small faces too: ever more rarely where there are none."""
        if self._thorough is None:
            self._thorough = time
        due = time - self._thorough >= self._patience
        if due:
            self._thorough = time
            self._patience *= 2
        return due

    def _differ(self, known: Portraits, now: Portrait | None) -> bool:
        return bool(known) and now is not None and self._likeness.differ(known, now)

    def _exchanged(
        self, found: list[Person], size: tuple[int, int], pixels: Pixels
    ) -> set[frozenset[int]]:
        """Pairs of people near each other of whom each looks more like the other did before.

        Where the decoder exports no vectors, nothing else tells that two have changed places.
        """
        pairs: set[frozenset[int]] = set()
        former = {one.number: one.guises for one in self.people}
        for one, other in itertools.combinations(found, 2):
            known = [former[person.number] for person in (one, other)]
            if all(known) and meet(one.box, other.box, within=_REACH):
                now = [_appearance(person, size, pixels) for person in (one, other)]
                before = [guises[-1].appearance for guises in known]
                alike = np.array(now) @ np.array(before).T
                if np.trace(alike[::-1]) > np.trace(alike) + _MARGIN:
                    pairs.add(frozenset({one.number, other.number}))
        return pairs

    def _seen(self, person: Person, size: tuple[int, int], pixels: Pixels) -> Seen:
        mesh, number = person.mesh, person.number
        region = around(mesh.roi, size)
        assert region is not None  # `_mesh` gives no other
        picture, origin = pixels(region), region[:2]
        status, hidden = _status(mesh, size), 0.0
        if status == "ok":
            hidden = self._hidden(person, picture, origin)
            status = "covered" if hidden > 0.5 else "ok"
        portrait = None
        if status == "ok":
            portrait = Portrait(picture, moved(mesh, origin), clear=hidden <= _DOUBTFUL)
        return Seen(
            person=number,
            status=status,
            mesh=mesh,
            picture=picture,
            origin=origin,
            hidden=hidden,
            portrait=portrait,
        )

    def _hidden(self, person: Person, picture: np.ndarray, origin: tuple[int, int]) -> float:
        """How surely eyes or mouth are hidden; examined when it looks otherwise than before."""
        mesh = moved(person.mesh, origin)
        now = covering.appearance(picture, mesh)
        known = max(person.guises, key=lambda one: float(now @ one.appearance), default=None)
        if known is None or now @ known.appearance < _ALIKE or known.hidden > _DOUBTFUL:
            known = Guise(now, covering.hidden(self._landmarker, picture, mesh))
            person.guises = (*person.guises, known)[-_REMEMBERED:]
        return known.hidden

    def _looked(self, roi: Roi, size: tuple[int, int], pixels: Pixels) -> Mesh | None:
        """The face in a square, looked at again where it is if that is elsewhere."""
        mesh = self._mesh(roi, size, pixels)
        if mesh is None:
            return None
        off = np.hypot(mesh.roi.x - roi.x, mesh.roi.y - roi.y) / roi.side
        grown = abs(np.log(mesh.roi.side / roi.side))
        return self._mesh(mesh.roi, size, pixels) if max(off, grown / 2) > _OFF else mesh

    def _mesh(self, roi: Roi, size: tuple[int, int], pixels: Pixels) -> Mesh | None:
        """The face in a square; None if there is none, or only outside the picture."""
        region = around(roi, size)
        if region is None:
            return None
        left, top = region[:2]
        local = Roi(roi.x - left, roi.y - top, roi.side, roi.angle)
        mesh = self._landmarker.look(pixels(region), local)
        mesh = moved(mesh, (-left, -top))
        there = mesh.presence >= PRESENT and around(mesh.roi, size) is not None
        return mesh if there else None

    def _search(
        self,
        before: list[Person],
        known: list[Person],
        size: tuple[int, int],
        pixels: Pixels,
        thorough: bool,
    ) -> list[tuple[Person, Seen]]:
        """New people, and those of `before` who are not among `known` but near where they were."""
        picture = pixels(None)
        taken = list(known)
        found: list[tuple[Person, Seen]] = []
        stages = self._searcher.stages(
            picture, alone=not known, misses=self._misses, thorough=thorough
        )
        for number, places in enumerate(stages):
            for place in places:
                if any(overlap(place.box, one.mesh.box) > _SAME for one in taken):
                    continue
                mesh = self._upright(place, picture)
                if mesh is None or any(overlap(mesh.box, one.mesh.box) > _SAME for one in taken):
                    continue
                person = Person(-1, mesh)
                seen = self._seen(person, size, lambda r: part_of(picture, r))
                person.number = self._number(mesh, seen.portrait, before, taken)
                taken.append(person)
                found.append((person, dataclasses.replace(seen, person=person.number)))
            if taken and not (thorough and number == 0):
                break
        self._misses = 0 if taken else self._misses + 1
        if found and thorough:
            self._patience = SEARCH_SECONDS
        return found

    def _upright(self, place: Place, picture: np.ndarray) -> Mesh | None:
        """The face in a place of a whole picture; also one that stands on its head there."""
        size = picture.shape[1], picture.shape[0]

        def looked(roi: Roi) -> Mesh | None:
            return self._looked(roi, size, lambda region: part_of(picture, region))

        mesh = looked(place.roi)
        if place.doubtful:
            return mesh if mesh and upright(self._landmarker, picture, mesh) else None
        if mesh is None or mesh.presence < CERTAIN:
            for other in self._searcher.turned(picture, 2):
                if overlap(other.box, place.box) > _SAME:
                    turned = looked(other.roi)
                    if turned is not None and upright(self._landmarker, picture, turned):
                        return turned
        return mesh

    def _number(
        self, mesh: Mesh, portrait: Portrait | None, before: list[Person], taken: list[Person]
    ) -> int:
        """That of whoever of `before` was seen here last, or near and looks like this; or new."""
        used = {one.number for one in taken}
        free = [one for one in before if one.number not in used]
        for person in free:
            if overlap(person.box, mesh.box) > _SAME and not self._differ(person.known, portrait):
                return person.number
        near = {one.number for one in free if meet(one.box, mesh.box, within=_REACH)}
        if near and portrait is not None:
            known = {one.number: one.known for one in self.people if one.portraits}
            whose = self._likeness.whose(portrait, known)
            if whose in near:
                return whose
        return self._new_number()

    def _new_number(self) -> int:
        self._next += 1
        return self._next - 1


def _status(mesh: Mesh, size: tuple[int, int]) -> str:
    if abs(mesh.pose.yaw) > MOST_YAW or abs(mesh.pose.pitch) > MOST_PITCH:
        return "turned away"
    box = mesh.box
    inside = np.clip(box, 0, np.tile(size, 2))
    if np.prod(inside[2:] - inside[:2]) < 0.75 * np.prod(box[2:] - box[:2]):
        return "cut off"
    return "too small" if max(box[2:] - box[:2]) < LEAST_SIDE else "ok"


def _appearance(person: Person, size: tuple[int, int], pixels: Pixels) -> np.ndarray:
    region = around(person.mesh.roi, size)
    return covering.appearance(pixels(region), moved(person.mesh, (region or (0, 0))[:2]))
