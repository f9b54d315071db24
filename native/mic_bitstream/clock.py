"""What the clock in a stream's headers tells: pictures swapped, doubled or gone.

Every VOP carries its time (clause 6.3.5). A P-VOP is predicted from the picture before it, so one
that is not later than that picture, or later by more than it should be, is not predicted from what
stands before it in the file.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from mic_bitstream import _native

UNKNOWN = -(2**31)  # a step that no two times tell, as the parser's index has it
_RARE = 0.05  # of the steps: pictures that come late this often are a variable frame rate


@dataclasses.dataclass(frozen=True)
class Clock:
    """Where time does not go on as it should; frame numbers, ascending, int64.

    Attributes:
        backwards: P-VOPs that are not later than the picture before them.
        gaps: P-VOPs that come late in a stream whose pictures come regularly.
        breaks: Both: frames whose reference is not the picture before them.
    """

    backwards: np.ndarray
    gaps: np.ndarray
    breaks: np.ndarray = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        # Once: every reading asks for it.
        object.__setattr__(self, "breaks", np.union1d(self.backwards, self.gaps))

    def text(self, frame: int) -> str:
        """What is wrong before a frame of `breaks`."""
        if frame in self.backwards:
            return "time runs backwards: pictures were swapped or doubled"
        return "time jumps in a stream of regular pictures: some before this one are gone"


def usual_step(index: _native.Stream) -> int:
    """The ticks from most pictures to the next as shown; 0 where the clock does not tell."""
    steps = np.empty(len(index), np.int32)
    index.steps(steps)
    times = np.cumsum(np.where(steps == UNKNOWN, 0, steps).astype(np.int64))
    lengths, counts = np.unique(np.diff(np.sort(times)), return_counts=True)
    forward = lengths > 0
    return int(lengths[forward][counts[forward].argmax()]) if forward.any() else 0


def read_clock(index: _native.Stream, types: str, stamps: np.ndarray | None = None) -> Clock:
    """Reads the clock of an indexed stream.

    A late picture is a gap where the layer fixes its frame rate, or where lateness is rare (at
    most two pictures, or one in twenty), and where the container's own time stamps do not tell of
    the same pause: those of a camera that dropped a picture do.

    Args:
        index: The stream.
        types: One letter a VOP, as `Stream.vop_types`.
        stamps: The time at which the container shows each VOP, in seconds, if it has times.
    """
    steps = np.empty(len(types), np.int32)
    index.steps(steps)
    predicted = np.frombuffer(types.encode(), np.uint8) == ord("P")
    known = predicted & (steps != UNKNOWN)
    forward, backwards = known & (steps > 0), known & (steps <= 0)
    nothing = np.empty(0, np.int64)
    if backwards.sum() > forward.sum() or not forward.any():
        # Some writers leave all times at zero: they tell nothing.
        return Clock(nothing, nothing)
    lengths, counts = np.unique(steps[forward], return_counts=True)
    usual = int(lengths[counts.argmax()])
    resolution, fixed = index.ticks
    late = forward & (steps > usual)
    irregular = int(forward.sum() - counts.max())
    if fixed != usual and irregular > max(2, _RARE * forward.sum()):
        late[:] = False
    if stamps is not None and late.any():
        shown = np.array(index.display_order, np.int64)
        told = np.empty(len(types))
        told[shown] = np.diff(stamps[shown], prepend=np.nan) * resolution
        late &= ~(np.abs(told - steps) < usual / 2)
    return Clock(np.flatnonzero(backwards), np.flatnonzero(late))
