"""Windows and looks at even distances, where time stamps may leap.

A slide show has hours without a picture, a damaged stamp claims decades. The work here grows with
the pictures, not with what their time stamps span.
"""

from __future__ import annotations

import numbers

import numpy as np
from numpy.typing import NDArray

from mic.errors import ConfigError


def begun(
    times: NDArray[np.float64], *, count: int, step: float, window: float, rounding: float = 1e-6
) -> list[int]:
    """Numbers of the windows in which a picture begins; window k starts at k `step` seconds.

    Args:
        times: (N,) seconds of the pictures, never decreasing.
        count: Windows that there are.
        step: Seconds from the start of one to the start of the next.
        window: Seconds that one lasts.
        rounding: Seconds by which a picture may come early.
    """
    found: list[int] = []
    k = 0
    while k < count:
        first = int(np.searchsorted(times, step * k - rounding))
        if first == len(times):
            break
        if times[first] < step * k + window - rounding:
            found.append(k)
            k += 1
        else:  # on to the first that ends after this picture began
            k = max(k + 1, int((times[first] - window) / step))
    return found


def grid(times: NDArray[np.float64], step: float) -> NDArray[np.float64]:
    """Times a `step` apart from 0 to the last picture; in long pauses most are left out.

    For every time that is left out a neighbouring one is kept that has the same picture before it
    and the same picture after it: whoever looks for the pictures next to these times finds the
    same ones, and a pause of days costs nothing.

    Args:
        times: (N,) seconds of the pictures, never decreasing.
        step: Seconds from one time to the next.

    Returns:
        Seconds, ascending multiples of `step`.
    """
    count = int(np.ceil((float(times[-1]) + 1e-9) / step))
    near = np.floor(times / step).astype(np.int64)
    known = np.unique(near[:, None] + np.arange(-1, 3))
    kept = known[(known >= 0) & (known < max(count, 1))]
    return kept.astype(np.float64) * step


def check_cut(window: float, hop: float | None) -> None:
    """Refuses impossible lengths of windows.

    Raises:
        ConfigError: A length is no number, or out of its range.
    """
    given = (("window", window, 0.2, 60), ("hop", hop, 0.04, 600))
    for name, value, least, most in given:
        if name == "hop" and value is None:
            continue
        if not isinstance(value, numbers.Real) or isinstance(value, bool):
            raise ConfigError(f"{name} is {value!r}", remedy="give a number of seconds")
        if not least <= value <= most:
            raise ConfigError(f"{name} is {value} s, must be {least} to {most}")


def plan_windows(
    times: NDArray[np.float64],
    duration: float,
    *,
    window: float,
    hop: float | None,
    rounding: float = 1e-6,
) -> list[tuple[float, float]]:
    """Start and end of each window in seconds; every picture is in at least one.

    A video of at most one and a half windows is one window, and the last takes in what is left,
    unless gaps were asked for by a hop longer than a window: then whatever has begun is one. A
    window in which no picture begins is left out: nobody could look there.

    Args:
        times: (N,) seconds of each picture from the first, never decreasing.
        duration: Seconds to the end of the last.
        window: Seconds that a window lasts.
        hop: Seconds from the start of one to the next; None: half a window.
        rounding: Seconds by which a picture may come early.

    Raises:
        ConfigError: A number is out of its range.
    """
    check_cut(window, hop)
    if duration <= 1.5 * window + rounding:
        return [(0.0, duration)]
    step = hop or window / 2
    gaps = step > window  # asked for: then the end is the last window's own
    count = int((duration - (rounding if gaps else window - rounding)) / step) + 1
    found = begun(times, count=count, step=step, window=window, rounding=rounding)
    if gaps:
        return [(step * k, min(step * k + window, duration)) for k in found]
    # The last picture may be in what is left after the last whole window.
    if found[-1] < count - 1 and times[-1] >= step * found[-1] + window - rounding:
        found.append(count - 1)
    return [(step * k, duration if k == count - 1 else step * k + window) for k in found]
