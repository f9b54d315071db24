"""Windows and looks at even distances, where time stamps may leap.

A slide show has hours without a picture, a damaged stamp claims decades. The work here grows with
the pictures, not with what their time stamps span.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def begun(
    times: NDArray[np.float64], *, count: int, step: float, window: float, rounding: float = 1e-6
) -> list[int]:
    """The windows in which a picture begins; window k is from k `step` for `window` seconds.

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
    """Multiples of `step` up to the last picture, without most of those far from any picture.

    Those left out lie between two that are kept, and no picture lies between these: whatever is
    the next picture to one of them, or the former, is so to a neighbour that is kept.

    Args:
        times: (N,) seconds of the pictures, never decreasing.
        step: Seconds.
    """
    count = int(np.ceil((float(times[-1]) + 1e-9) / step))
    near = np.floor(times / step).astype(np.int64)
    known = np.unique(near[:, None] + np.arange(-1, 3))
    kept = known[(known >= 0) & (known < max(count, 1))]
    return kept.astype(np.float64) * step
