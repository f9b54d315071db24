"""What was seen of people as rows of a table: a row a window, a look or a picture.

Every row says how its values were obtained (`box_from`, `values_from`):

- `look`: the networks looked at this picture, or, of a window, at the pictures in it;
- `carried`: the box was moved by motion vectors since the last look, or the last values are kept;
- `between`: interpolated in time between the looks before and after.

`docs/columns.md` tells what each column is, how it was checked, and on whom.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

import numpy as np

from mic.errors import MicError
from mic.faces.landmarks import ACTION_UNITS, BLENDSHAPES, action_units
from mic.recognition.people import CLASSES, Look, Passed, nearest_time

Kind = Literal["window", "look", "frame"]
KINDS = ("window", "look", "frame")
Row = dict[str, Any]
Values = dict[str, np.ndarray]
"""What is known of a face: `box` (4,), `pose` (3,), `shapes` (52,), `chances` (7,), or fewer."""

BOX = ("left", "top", "right", "bottom")
_POSE = ("yaw", "pitch", "roll")
_SHAPES = BLENDSHAPES[1:]  # the first, "neutral", is always next to zero
# Seconds by which sums of a hop miss the time of a picture at most.
_EDGE = 1e-6


def columns(kind: Kind) -> dict[str, str]:
    """The columns in order, and what each holds, for pandas."""
    where = {
        "window": {"window": "Int64", "start": "float64", "end": "float64"}
        | {"first_frame": "Int64", "last_frame": "Int64"},
        "look": {"frame": "Int64", "time": "float64"},
        "frame": {"frame": "Int64", "time": "float64"},
    }[kind]
    found = {"video": "str", **where, "person": "Int64", "status": "str", "label": "str"}
    numbers = ("confidence", *(f"p_{name}" for name in CLASSES), *BOX, *_POSE)
    found |= dict.fromkeys((*numbers, *ACTION_UNITS, *_SHAPES), "float64")
    if kind == "window":
        found |= {"looks": "Int64"}
    return found | {"box_from": "str", "values_from": "str", "method": "str", "error": "str"}


def rows(
    passed: Iterator[Passed],
    kind: Kind,
    *,
    times: np.ndarray,
    ends: list[tuple[float, float]],
    damage: MicError | None = None,
) -> Iterator[Row]:
    """Rows while the video passes; what is unfinished at damage comes before its error.

    Args:
        passed: Of `mic.recognition.people.passes`.
        kind: What a row is.
        times: Seconds of all pictures.
        ends: Start and end of each window, ascending; see `plan`.
        damage: What is known beforehand to be wrong with the file's end: `times` end there, and
            `passed` raises it behind the last picture.

    Raises:
        MicError: What `passed` raises, after the rows that were complete.
    """
    writer = {"window": _Windows, "look": _Looks, "frame": _Frames}[kind](times, ends)
    begun = False
    try:
        for one in passed:
            begun = True
            yield from writer.take(one)
    except MicError as error:
        if begun:
            yield from writer.rest(damaged=error is not damage)
        raise
    yield from writer.rest(damaged=False)


def shares_of_time(times: Sequence[float], begin: float, end: float) -> list[float]:
    """Nearest-look weights: for how many seconds each of some ascending times is the nearest."""
    middles = [(one + other) / 2 for one, other in itertools.pairwise(times)]
    return [later - former for former, later in itertools.pairwise([begin, *middles, end])]


def values_of(look: Look) -> Values:
    """What a look knows."""
    pose = None if look.pose is None else np.array(look.pose)
    shapes, chances = look.blendshapes, look.probabilities
    found = {"box": look.box, "pose": pose, "shapes": shapes, "chances": chances}
    return {name: value for name, value in found.items() if value is not None}


def mean_of(values: Sequence[Values], weights: Sequence[float]) -> Values:
    """Weighted means, each over those that know it."""
    found: Values = {}
    for name in dict.fromkeys(itertools.chain(*values)):
        pairs = zip(values, weights, strict=True)
        arrays, shares = zip(*((one[name], w) for one, w in pairs if name in one), strict=True)
        found[name] = np.average(np.stack(arrays), axis=0, weights=np.maximum(shares, 1e-9))
    return found


def _cells(values: Values) -> Row:
    """As columns."""
    cells: Row = {}
    if "chances" in values:
        best = int(values["chances"].argmax())
        cells |= {"label": CLASSES[best], "confidence": float(values["chances"][best])}
        cells |= _named((f"p_{name}" for name in CLASSES), values["chances"])
    for part, names in (("box", BOX), ("pose", _POSE)):
        if part in values:
            numbers = zip(names, values[part], strict=True)
            cells |= {name: round(float(value), 1) for name, value in numbers}
    if "shapes" in values:
        shapes = values["shapes"]
        cells |= action_units(shapes) | _named(_SHAPES, shapes[1:])
    return cells


def _named(names: Iterable[str], values: np.ndarray) -> Row:
    return {name: float(value) for name, value in zip(names, values, strict=True)}


class _Looks:
    """A row a look."""

    def __init__(self, times: np.ndarray, ends: list[tuple[float, float]]) -> None:
        self._times, self._ends = times, ends

    def take(self, passed: Passed) -> Iterator[Row]:
        """The rows that a picture completes."""
        for look in passed.looks:
            yield _at(look) | _row_of(look)

    def rest(self, *, damaged: bool) -> Iterator[Row]:
        """The rows that are still open when the video ends or breaks off."""
        yield from ()


def _at(look: Look) -> Row:
    return {"frame": look.frame, "time": round(look.time, 4)}


def _row_of(look: Look, *, carried: bool = False) -> Row:
    here = "" if look.box is None else "carried" if carried else "look"
    return {
        "person": look.person,
        "status": look.status,
        "box_from": here,
        "values_from": here,
        **_cells(values_of(look)),
    }


class _Windows(_Looks):
    """A row a window and person."""

    def __init__(self, times: np.ndarray, ends: list[tuple[float, float]]) -> None:
        super().__init__(times, ends)
        self._next = 0
        self._looks: list[Look] = []
        self._past: dict[int | None, Look] = {}
        self._reached = 0.0

    def take(self, passed: Passed) -> Iterator[Row]:
        """The windows that end before this picture."""
        self._reached = passed.time
        while self._next < len(self._ends) and self._ends[self._next][1] - _EDGE <= passed.time:
            yield from self._window()
        self._looks += passed.looks
        if passed.looks and self._next < len(self._ends):
            begin = self._ends[self._next][0] - _EDGE
            self._past |= {one.person: one for one in self._looks if one.time < begin}
            self._looks = [one for one in self._looks if one.time >= begin]

    def rest(self, *, damaged: bool) -> Iterator[Row]:
        """The windows still open at the end; at damage they end where the pictures do."""
        while self._next < len(self._ends):
            begin, end = self._ends[self._next]
            if damaged and begin > self._reached:
                return
            if damaged and end > self._reached:
                after = np.searchsorted(self._times, self._reached, "right")
                known = self._times[after] if after < len(self._times) else end
                self._ends[self._next] = begin, min(end, float(known))
            yield from self._window()

    def _window(self) -> Iterator[Row]:
        number, (begin, end) = self._next, self._ends[self._next]
        self._next += 1
        first = int(np.searchsorted(self._times, begin - _EDGE))
        last = int(np.searchsorted(self._times, end - _EDGE)) - 1
        head: Row = {
            "window": number,
            "start": round(begin, 3),
            "end": round(end, 3),
            "first_frame": first,
            "last_frame": max(first, last),
        }
        inside = [one for one in self._looks if begin - _EDGE <= one.time < end - _EDGE]
        looked_at = {one.person for one in inside}
        # Where looks are further apart than a window is long, the last ones are kept.
        kept = {} if None in looked_at else self._before(begin)
        people = {one.person for one in inside if one.box is not None}
        people |= kept.keys() - looked_at
        for person in sorted(one for one in people if one is not None):
            if person in looked_at:
                yield head | self._of(person, inside, begin, end)
            else:
                yield head | _row_of(kept[person], carried=True) | {"looks": 0}
        if not people:
            yield head | {"status": "no face", "looks": len({one.frame for one in inside})}

    def _before(self, begin: float) -> dict[int | None, Look]:
        """The last look before a window at each who was there."""
        former = {one.person: one for one in self._looks if one.time < begin - _EDGE}
        return {k: one for k, one in (self._past | former).items() if one.box is not None}

    def _of(self, person: int | None, inside: list[Look], begin: float, end: float) -> Row:
        own = [one for one in inside if one.person == person]
        seen = [one for one in own if one.box is not None]
        held = dict.fromkeys(("ok", "covered", *(one.status for one in own), "late"), 0.0)
        came = begin
        looks = (*self._past.values(), *self._looks)
        before = [one.time for one in looks if one.time < own[0].time]
        if before and person not in self._before(begin):  # who was not there at the looks before
            came = max(begin, (max(before) + own[0].time) / 2)
        held["late"] = came - begin
        shares = shares_of_time([one.time for one in own], came, end)
        for look, share in zip(own, shares, strict=True):
            # A face that may be covered counts in part for either, as codings differ there.
            held["covered"] += share * look.hidden
            held["ok" if look.status == "covered" else look.status] += share * (1 - look.hidden)
        status = "ok"
        if held["ok"] < sum(held.values()) / 2:
            status = max(list(held)[1:], key=held.__getitem__)
        weights = shares_of_time([one.time for one in seen], begin, end)
        values = mean_of([values_of(one) for one in seen], weights)
        if status != "ok":
            values.pop("chances", None)
        return {
            "person": person,
            "status": status,
            "looks": len(seen),
            "box_from": "look",
            "values_from": "look",
            **_cells(values),
        }


class _Frames(_Looks):
    """A row a picture and person; those between two looks wait for the second."""

    def __init__(self, times: np.ndarray, ends: list[tuple[float, float]]) -> None:
        super().__init__(times, ends)
        # Of everybody, since the last picture in which all of them were looked at.
        self._own: dict[int | None, list[Look]] = {}
        self._passed: list[Passed] = []
        self._done = 0

    def take(self, passed: Passed) -> Iterator[Row]:
        """The pictures up to one in which everybody was looked at."""
        now = {look.person: look for look in passed.looks}
        if not now or self._own.keys() - now.keys():
            self._passed.append(passed)
            for look in passed.looks:
                self._own[look.person].append(look)
            return
        yield from self._until(passed.frame, now)
        for look in passed.looks:
            yield _at(look) | _row_of(look)
        self._own = {person: [look] for person, look in now.items() if look.box is not None}
        self._passed, self._done = [], passed.frame + 1

    def rest(self, *, damaged: bool) -> Iterator[Row]:
        """The pictures after the last look."""
        end = len(self._times)
        if damaged:
            end = self._passed[-1].frame + 1 if self._passed else self._done
        yield from self._until(end, {})

    def _until(self, end: int, later: dict[int | None, Look]) -> Iterator[Row]:
        frames = [one.frame for one in self._passed]
        for frame in range(self._done, end):
            place = bisect.bisect_right(frames, frame) - 1
            boxes = self._passed[place].boxes if place >= 0 else {}
            head: Row = {"frame": frame, "time": round(float(self._times[frame]), 4)}
            for person, looks in self._own.items():
                after = later.get(person)
                if after is not None and after.box is None:  # gone, from the middle on
                    if 2 * head["time"] > looks[-1].time + after.time:
                        yield head | _row_of(after)
                        continue
                    after = None
                known = looks if after is None else [*looks, after]
                number = bisect.bisect_right([one.frame for one in known], frame)
                one, other = known[number - 1], (*known, None)[number]
                if one.frame == frame:
                    yield head | _row_of(one)
                    continue
                box = one.box if person is None else boxes.get(person, one.box)
                yield head | self._between(one, other, frame, box)
            if not self._own:
                yield head | {"status": "no face", "box_from": "", "values_from": ""}

    def _between(self, one: Look, other: Look | None, frame: int, box: np.ndarray | None) -> Row:
        values, how, status = values_of(one), "carried", one.status
        if other is not None:
            share = (float(self._times[frame]) - one.time) / max(other.time - one.time, 1e-9)
            values = mean_of([values, values_of(other)], [1 - share, share])
            how = "between"
            if status != other.status:
                status = (one, other)[nearest_time([0.0, 1.0], share)].status
        values.pop("box", None)
        if box is not None:
            values["box"] = box
        if status != "ok":
            values.pop("chances", None)
        return {
            "person": one.person,
            "status": status,
            "box_from": "carried",
            "values_from": how,
            **_cells(values),
        }
