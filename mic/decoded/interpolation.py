"""Motion compensation in NumPy, for the codecs whose decoder exports motion vectors.

A plane and one vector a block in, the predicted plane out. Only blocks that moved are filtered,
all those of one fraction at once. The coordinates of samples outside a plane are clamped into it,
as all these standards ask.

    half_sample          MPEG-1 2.4.4.2, MPEG-2 7.6.4, H.263 6.1.2, MPEG-4 Part 2 7.6.2.1
    quarter_sample       MPEG-4 Part 2 7.6.2.2 (8 taps, mirrored at the block's own border)
    six_tap, eighth_sample   H.264 8.4.2.2.1 (luma), 8.4.2.2.2 (chroma)
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.int16]
# Of windows (n, rows, columns) and the fraction (x, y) that they share: blocks (n, size, size).
Kernel = Callable[[Samples, int, int], Samples]

# ISO/IEC 14496-2, Table 7-9: a sum of four luma vectors, in sixteenths, to half chroma samples.
_CHROMA_ROUNDING = np.array([0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2], np.int32)
_SIX_TAPS = (1, -5, 20, 20, -5, 1)
_QUARTER_TAPS = (-1, 3, -6, 20, 20, -6, 3, -1)
_AT_ONCE = 1 << 11  # blocks filtered together: what they take stays in a cache


def half_sample(plane: np.ndarray, motion: np.ndarray, size: int, *, rounding: int = 0) -> Samples:
    """Bilinear prediction at half-sample positions.

    Args:
        plane: Reference samples (H, W).
        motion: Vectors (rows, columns, 2) as (x, y) in half samples, of blocks that cover the
            plane.
        size: Of a block's side, in samples of this plane.
        rounding: `rounding_control` of MPEG-4 Part 2 and H.263; 0 elsewhere.

    Returns:
        The prediction, int16 (H, W).
    """

    def kernel(window: Samples, x: int, y: int) -> Samples:
        a, b = window[:, :-1, :-1], window[:, :-1, 1:]
        c, d = window[:, 1:, :-1], window[:, 1:, 1:]
        if x and y:
            return (a + b + c + d + (2 - rounding)) >> 2
        return (a + (b if x else c) + (1 - rounding)) >> 1 if x or y else a

    return _compensated(plane, motion, size, kernel, unit=2, before=0, after=1)


def quarter_sample(
    plane: np.ndarray, motion: np.ndarray, four: np.ndarray, *, rounding: int = 0
) -> Samples:
    """Luma prediction of MPEG-4 Part 2 at quarter-sample positions.

    Args:
        plane: Reference samples (H, W).
        motion: Vectors per 8x8 block (2 h, 2 w, 2) as (x, y) in quarter samples.
        four: Which macroblocks (h, w) have four vectors: the filter mirrors its input at the
            border of the block, so 16x16 and 8x8 blocks differ.
        rounding: `rounding_control`.

    Returns:
        The prediction, int16 (H, W).
    """

    def kernel(window: Samples, x: int, y: int) -> Samples:
        across = _quarter_axis(window, x, rounding).swapaxes(1, 2)
        return _quarter_axis(across, y, rounding).swapaxes(1, 2)

    predicted = functools.partial(_compensated, plane, kernel=kernel, unit=4, before=0, after=1)
    large = predicted(motion[::2, ::2], 16)
    if not four.any():
        return large
    blocks = four.repeat(2, 0).repeat(2, 1)
    small = predicted(motion * blocks[..., None], 8)
    return np.where(dense(blocks, 8, plane.shape), small, large)


def chroma_half_sample(motion: np.ndarray, four: np.ndarray, *, quarter: bool) -> np.ndarray:
    """Chroma vectors of MPEG-4 Part 2 and H.263 (7.6.5), in half chroma samples.

    Args:
        motion: Luma vectors per 8x8 block (2 h, 2 w, 2), in half or quarter samples.
        four: Which macroblocks (h, w) have four vectors.
        quarter: Whether `motion` is in quarter samples.

    Returns:
        One vector a macroblock, (h, w, 2).
    """
    half = np.trunc(motion / 2).astype(np.int32) if quarter else motion
    one = (half[::2, ::2] >> 1) | (half[::2, ::2] & 1)
    total = half[::2, ::2] + half[1::2, ::2] + half[::2, 1::2] + half[1::2, 1::2]
    return np.where(four[..., None], _CHROMA_ROUNDING[total & 15] + 2 * (total >> 4), one)


def six_tap(plane: np.ndarray, motion: np.ndarray, size: int) -> Samples:
    """Luma prediction of H.264 at quarter-sample positions; arguments as `half_sample`."""

    # Names of 8.4.2.2.1: G whole samples, b half way right, h half way down, j both.
    def kernel(window: Samples, x: int, y: int) -> Samples:
        def whole(down: int, right: int) -> Samples:
            return window[:, 2 + down : 2 + down + size, 2 + right : 2 + right + size]

        def b(down: int) -> Samples:
            return (_six(window[:, 2 + down : 2 + down + size], 2) + 16 >> 5).clip(0, 255)

        def h(right: int) -> Samples:
            return (_six(window[:, :, 2 + right : 2 + right + size], 1) + 16 >> 5).clip(0, 255)

        def j() -> Samples:
            both = _six(_six(window, 2).astype(np.int32), 1)
            return (both + 512 >> 10).clip(0, 255).astype(np.int16)

        # A quarter position is the mean of the two nearest of G, b, h and j; of b and h where
        # it lies diagonally between them.
        if x == 2 and y == 2:
            return j()
        if x % 2 == 0 and y % 2 == 0:
            return b(0) if x else h(0) if y else whole(0, 0)
        if y == 0:
            first, second = b(0), whole(0, x // 3)
        elif x == 0:
            first, second = h(0), whole(y // 3, 0)
        elif x == 2:
            first, second = j(), b(y // 3)
        elif y == 2:
            first, second = j(), h(x // 3)
        else:
            first, second = b(y // 3), h(x // 3)
        return (first + second + 1) >> 1

    return _compensated(plane, motion, size, kernel, unit=4, before=2, after=3)


def eighth_sample(plane: np.ndarray, motion: np.ndarray, size: int) -> Samples:
    """Chroma prediction of H.264, bilinear at eighths of a sample; arguments as `half_sample`."""

    def kernel(window: Samples, x: int, y: int) -> Samples:
        across = (8 - x) * window[:, :, :-1] + x * window[:, :, 1:]
        return ((8 - y) * across[:, :-1] + y * across[:, 1:] + 32) >> 6

    return _compensated(plane, motion, size, kernel, unit=8, before=0, after=1)


def dense(blocks: np.ndarray, size: int, shape: tuple[int, ...]) -> np.ndarray:
    """Repeats what stands for each block over `size` x `size` samples, cut to `shape` (H, W)."""
    return blocks.repeat(size, 0).repeat(size, 1)[: shape[0], : shape[1]]


def _compensated(
    plane: np.ndarray,
    motion: np.ndarray,
    size: int,
    kernel: Kernel,
    *,
    unit: int,
    before: int,
    after: int,
) -> Samples:
    """Predicts every block; `kernel` sees `before` and `after` samples beside each."""
    height, width = plane.shape
    rows, columns = motion.shape[:2]
    out = np.zeros((rows * size, columns * size), np.int16)
    out[:height, :width] = plane[: rows * size, : columns * size]
    blocks = out.reshape(rows, size, columns, size).swapaxes(1, 2)
    row, column = np.nonzero(motion.any(-1))
    vectors = motion[row, column].astype(np.int64)
    side = size + before + after
    # So far outside a window holds but the border, however much farther it is.
    padded = np.pad(plane.astype(np.int16), side, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (side, side))
    top = (size * row + vectors[:, 1] // unit - before).clip(-side, height) + side
    left = (size * column + vectors[:, 0] // unit - before).clip(-side, width) + side
    fractions = vectors % unit
    keys = fractions[:, 1] * unit + fractions[:, 0]
    order = np.argsort(keys, kind="stable")
    ends = np.cumsum(np.bincount(keys, minlength=unit * unit))
    for key in np.unique(keys).tolist():
        start = int(ends[key - 1]) if key else 0
        for at in range(start, int(ends[key]), _AT_ONCE):
            chosen = order[at : min(at + _AT_ONCE, int(ends[key]))]
            window = windows[top[chosen], left[chosen]]
            blocks[row[chosen], column[chosen]] = kernel(window, key % unit, key // unit)
    return out[:height, :width]


def _quarter_axis(block: Samples, fraction: int, rounding: int) -> Samples:
    """One quarter position along the last axis: (n, rows, N + 1) -> (n, rows, N)."""
    if fraction == 0:
        return block[..., :-1]
    size = block.shape[-1] - 1
    mirrored = np.concatenate([block[..., 2::-1], block, block[..., :-4:-1]], -1)
    total = _total(tap * mirrored[..., k : k + size] for k, tap in enumerate(_QUARTER_TAPS))
    half = ((total + (16 - rounding)) >> 5).clip(0, 255)
    if fraction == 2:
        return half
    nearest = block[..., 1:] if fraction == 3 else block[..., :-1]
    return (half + nearest + (1 - rounding)) >> 1


def _six(samples: np.ndarray, axis: int) -> np.ndarray:
    """Half way between a sample and the next, five samples shorter along the axis."""
    length = samples.shape[axis] - 5
    parts = (
        tap * (samples[:, k : k + length] if axis == 1 else samples[:, :, k : k + length])
        for k, tap in enumerate(_SIX_TAPS)
    )
    return _total(parts)


def _total(parts: Iterable[np.ndarray]) -> np.ndarray:
    return functools.reduce(operator.add, parts)
