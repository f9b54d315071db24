"""Clocks of recordings that begin anew, and time stamps that packets lack."""

from __future__ import annotations

import itertools

import numpy as np

from mic_bitstream.decoding import FALL, WRAPPED

MISSING = np.iinfo(np.int64).min  # the stamp of a packet that has none
# Seconds by which presentation times, which fall where pictures are reordered, fall where a clock
# begins anew: the file is several recordings, one behind the other.
_FALL_SHOWN = 1.0


def follow(pts: np.ndarray, dts: np.ndarray, second: float) -> bool:
    """Lets joined recordings follow one another in time; whether there are several.

    Args:
        pts: Presentation time stamps, changed.
        dts: Decoding time stamps, changed.
        second: Seconds a unit.
    """
    by_dts = bool((dts != MISSING).any())
    clock, fall = (dts, FALL) if by_dts else (pts, _FALL_SHOWN)
    known = np.flatnonzero(clock != MISSING)
    steps = np.diff(clock[known])
    forward = steps[steps > 0]  # the second field of a picture may have the first's time
    usual = int(np.median(forward)) if len(forward) else 0
    anew = np.flatnonzero((steps * second < -fall) | (steps * second > WRAPPED))
    added = np.zeros(len(clock), np.int64)
    for place in anew:
        added[known[place + 1] :] += usual - steps[place]
    for stamps in (pts, dts):
        stamps[stamps != MISSING] += added[stamps != MISSING]
    return bool(len(anew))


def follow_keys(pts: np.ndarray, dts: np.ndarray, keyframes: np.ndarray, second: float) -> bool:
    """As `follow`, where a key picture comes long before what was shown already.

    Args:
        pts: Presentation time stamps, changed.
        dts: Decoding time stamps, unknown afterwards where there are several recordings.
        keyframes: Bool (P,), which packets hold key pictures.
        second: Seconds a unit.
    """
    if not len(pts) or (pts == MISSING).any():
        return False
    before = np.maximum.accumulate(pts)
    places = 1 + np.flatnonzero(keyframes[1:] & ((before[:-1] - pts[1:]) * second > FALL))
    begins = [0, *places.tolist(), len(pts)]
    for first, last in itertools.pairwise(begins):
        if first == 0:
            continue
        shown = np.sort(pts[:first])
        usual = int(np.median(np.diff(shown))) if first > 1 else 0
        pts[first:last] += int(shown[-1]) + usual - int(pts[first])
    if len(places):
        dts[:] = MISSING
    return bool(len(places))


def filled(stamps: np.ndarray) -> np.ndarray:
    """Time stamps, those of packets that have none between their neighbours'.

    Transport and program streams need not tell the time of every packet; a pause is shared out
    among those without. Where fewer than two have one, nothing is known.
    """
    known, numbers = np.flatnonzero(stamps != MISSING), np.arange(len(stamps))
    if len(known) in (len(stamps), 0, 1):
        return stamps
    found = np.interp(numbers, known, stamps[known].astype(float))
    step = float(np.median(np.diff(stamps[known]) / np.diff(known)))
    first, last = int(known[0]), int(known[-1])
    found[:first] -= step * (first - numbers[:first])
    found[last:] += step * (numbers[last:] - last)
    return np.where(stamps == MISSING, np.rint(found).astype(np.int64), stamps)
