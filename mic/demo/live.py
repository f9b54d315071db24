"""Recognition while pictures come: the networks and the follower of `mic predict`, seen live.

    camera = CameraSession()
    frame = camera.push(picture, time)           # frame.people[0].label, .box, .blendshapes

    for frame in film_frames(source_of(Video("film.mp4", survey=True))):
        ...                                      # the looks that `mic predict` takes

A film is read as `mic predict` reads it, so its looks are the same. A camera's pictures have no
motion vectors: its people stay where they were seen until the next look, which comes soon.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np

from mic.faces.alignment import checked
from mic.faces.landmarks import Pose
from mic.recognition.moments import Moment, Source, Work
from mic.recognition.motion import Region
from mic.recognition.people import (
    CLASSES,
    Look,
    Passed,
    PeopleRecogniser,
    passed,
    passes,
    shared_recogniser,
)
from mic.recognition.rows import mean_of, shares_of_time, values_of

# Seconds over which a person's expression is averaged, as long as a window of `mic predict`.
RECENT = 2.0
# Seconds between two looks at a camera's people, and between two searches for the first.
_LOOK, _SEARCH = 0.1, 0.5


@dataclasses.dataclass(frozen=True, kw_only=True)
class LivePerson:
    """What is known of one person at one picture.

    Attributes:
        number: Of the person, from 0, as in `mic predict`.
        status: As in `mic.recognition.persons.Seen`, of the last look.
        box: float32 (4,): left, top, right, bottom in samples of the picture.
        looked: Whether the networks looked at this picture; else the box was carried here by
            motion vectors, or kept, and all other values are those of the last look.
        now: float32 (7,) of `CLASSES`, of the last look; None where its status is not "ok".
        recent: float64 (7,), the mean over the last `RECENT` seconds; None if nothing is known.
        pose: Of the head.
        blendshapes: float32 (52,).
        region: uint8 (h, w, 3) RGB, what the networks were given; None unless `looked`.
    """

    number: int
    status: str
    box: np.ndarray
    looked: bool
    now: np.ndarray | None
    recent: np.ndarray | None
    pose: Pose | None
    blendshapes: np.ndarray | None
    region: np.ndarray | None

    @property
    def label(self) -> str | None:
        """The most probable expression of late; None if nothing is known."""
        return None if self.recent is None else CLASSES[int(self.recent.argmax())]


@dataclasses.dataclass(frozen=True, kw_only=True)
class LiveFrame:
    """What is known at one picture.

    Attributes:
        number: Of the picture, from 0.
        time: Its seconds.
        people: The largest first.
        looks: Pictures looked at so far.
        work: What reading them has cost so far.
    """

    number: int
    time: float
    people: tuple[LivePerson, ...]
    looks: int
    work: Work

    @property
    def message(self) -> str:
        """The same as a sentence for whoever sits there."""
        if not self.people:
            return "No face is in view. Face the camera, with light from the front."
        status = self.people[0].status
        if len(self.people) > 1:
            return f"{len(self.people)} people are followed, each by a number."
        if status in _ADVICE:
            return f"A face is there, but no expression is named: {_ADVICE[status]}."
        return "The expression of the last two seconds, and what each look says."


_ADVICE = {
    "turned away": "it is turned away",
    "cut off": "part of it is outside the picture",
    "too small": "it is too small",
    "covered": "its eyes or its mouth are covered, or too blurred to see",
}


class CameraSession:
    """Follows and recognises the people before a camera.

    Args:
        recogniser: The networks, not used by anybody else meanwhile; new ones if None.
    """

    def __init__(self, recogniser: PeopleRecogniser | None = None) -> None:
        self._recogniser = recogniser or PeopleRecogniser()
        self._follower = self._recogniser.follower()
        self._memory = _Memory()
        self._work = Work()
        self._looked = float("-inf")
        self._size = (0, 0)

    def push(self, picture: np.ndarray, time: float) -> LiveFrame:
        """Takes the next picture.

        Args:
            picture: uint8 (H, W, 3) RGB; another size than before begins anew.
            time: Its seconds, not before the last one's.

        Raises:
            FaceError: It is no such array.
        """
        picture = checked(picture)
        size = (picture.shape[1], picture.shape[0])
        if size != self._size:
            self._size, self._looked = size, float("-inf")
            self._follower, self._memory = self._recogniser.follower(), _Memory()
        wait = _LOOK if self._follower.people else _SEARCH
        look = time - self._looked >= wait - 1e-6
        if look:
            self._looked = time

        def pixels(region: Region | None) -> np.ndarray:
            left, top, right, bottom = region or (0, 0, *size)
            return np.ascontiguousarray(picture[top:bottom, left:right])

        number = self._work.pictures
        self._work.pictures += 1
        moment = Moment(number, time, size, None, pixels if look else None)
        return self._memory.frame(passed(moment, self._follower, self._recogniser), self._work)


def film_frames(source: Source, recogniser: PeopleRecogniser | None = None) -> Iterator[LiveFrame]:
    """A video's pictures as they pass; those that nobody needs are left out.

    Args:
        source: Of `mic.recognition.sources.source_of`.
        recogniser: The networks; this thread's own if None.

    Raises:
        CodecError: The video is damaged: then all before has been yielded.
    """
    memory = _Memory()
    for one in passes(source, recogniser or shared_recogniser()):
        yield memory.frame(one, source.work)


class _Memory:
    """The looks of the last seconds."""

    def __init__(self) -> None:
        self._looks: list[Look] = []
        self._last: dict[int, Look] = {}
        self._count = 0

    def frame(self, one: Passed, work: Work) -> LiveFrame:
        self._count += bool(one.looks)
        known = [*self._looks, *(look for look in one.looks if look.person is not None)]
        self._looks = [look for look in known if look.time > one.time - RECENT]
        self._last |= {look.person: look for look in one.looks if look.person is not None}
        self._last = {number: self._last[number] for number in one.boxes if number in self._last}
        looked_at = {look.person for look in one.looks}
        regions = {seen.person: seen.picture for seen in one.seen}
        people = [
            LivePerson(
                number=number,
                status=look.status,
                box=one.boxes[number],
                looked=number in looked_at,
                now=look.probabilities,
                recent=self._recent(number, one.time),
                pose=look.pose,
                blendshapes=look.blendshapes,
                region=regions.get(number),
            )
            for number, look in self._last.items()
        ]
        people.sort(key=lambda person: -float(np.prod(person.box[2:] - person.box[:2])))
        return LiveFrame(
            number=one.frame,
            time=one.time,
            people=tuple(people),
            looks=self._count,
            work=dataclasses.replace(work),
        )

    def _recent(self, number: int, time: float) -> np.ndarray | None:
        own = [look for look in self._looks if look.person == number]
        if not own:
            return None
        shares = shares_of_time([look.time for look in own], own[0].time, time)
        return mean_of([values_of(look) for look in own], shares).get("chances")
