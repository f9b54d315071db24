"""Motion compensation in NumPy, for the codecs whose decoder exports motion vectors.

Planes in, prediction planes out, all int32; vectors are dense or per 8x8 block. The coordinates
of samples outside a plane are clamped into it, as all these standards ask.

    half_sample          MPEG-1 2.4.4.2, MPEG-2 7.6.4, H.263 6.1.2, MPEG-4 Part 2 7.6.2.1
    quarter_sample       MPEG-4 Part 2 7.6.2.2 (8 taps, mirrored at the block's own border)
    six_tap, eighth_sample   H.264 8.4.2.2.1 (luma), 8.4.2.2.2 (chroma)
"""

from __future__ import annotations

import numpy as np

# ISO/IEC 14496-2, Table 7-9: a sum of four luma vectors, in sixteenths, to half chroma samples.
_CHROMA_ROUNDING = np.array([0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2], np.int32)
_QUARTER_TAPS = np.array([-1, 3, -6, 20, 20, -6, 3, -1], np.int32)


def dense(blocks: np.ndarray, size: int, shape: tuple[int, ...]) -> np.ndarray:
    """Repeats per-block vectors (h, w, 2) over `size` x `size` samples, cut to `shape` (H, W)."""
    return blocks.repeat(size, 0).repeat(size, 1)[: shape[0], : shape[1]]


def half_sample(plane: np.ndarray, motion: np.ndarray, *, rounding: int = 0) -> np.ndarray:
    """Bilinear prediction at half-sample positions.

    Args:
        plane: Reference samples (H, W).
        motion: Vectors (H, W, 2) as (x, y) in half samples of this plane.
        rounding: `rounding_control` of MPEG-4 Part 2 and H.263; 0 elsewhere.

    Returns:
        The prediction, int32 (H, W).
    """
    row, column = np.indices(plane.shape)
    row, column = row + (motion[..., 1] >> 1), column + (motion[..., 0] >> 1)
    right, down = motion[..., 0] & 1, motion[..., 1] & 1
    a, b = _gather(plane, row, column), _gather(plane, row, column + right)
    c, d = _gather(plane, row + down, column), _gather(plane, row + down, column + right)
    one = (a + np.where(right == 1, b, c) + 1 - rounding) >> 1
    both = (a + b + c + d + 2 - rounding) >> 2
    return np.where(right & down, both, np.where(right | down, one, a))


def quarter_sample(
    plane: np.ndarray, motion: np.ndarray, four: np.ndarray, *, rounding: int = 0
) -> np.ndarray:
    """Luma prediction of MPEG-4 Part 2 at quarter-sample positions.

    Args:
        plane: Reference samples (H, W).
        motion: Vectors per 8x8 block (2 h, 2 w, 2) as (x, y) in quarter samples.
        four: Which macroblocks (h, w) have four vectors: the filter mirrors its input at the
            border of the block, so 16x16 and 8x8 blocks differ.
        rounding: `rounding_control`.

    Returns:
        The prediction, int32 (H, W).
    """
    height, width = 16 * four.shape[0], 16 * four.shape[1]
    out = np.zeros((height, width), np.int32)
    for size, chosen, field in (
        (16, ~four, motion[::2, ::2]),
        (8, dense(four, 2, motion.shape), motion),
    ):
        index = np.argwhere(chosen)
        if not len(index):
            continue
        vector, reach = field[chosen], np.arange(size + 1)
        row = (size * index[:, 0] + (vector[:, 1] >> 2))[:, None, None] + reach[:, None]
        column = (size * index[:, 1] + (vector[:, 0] >> 2))[:, None, None] + reach
        across = _quarter_axis(_gather(plane, row, column), vector[:, 0] & 3, rounding)
        block = _quarter_axis(across.swapaxes(1, 2), vector[:, 1] & 3, rounding).swapaxes(1, 2)
        view = out.reshape(height // size, size, width // size, size).swapaxes(1, 2)
        view[index[:, 0], index[:, 1]] = block
    return out[: plane.shape[0], : plane.shape[1]]


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


def six_tap(plane: np.ndarray, motion: np.ndarray) -> np.ndarray:
    """Luma prediction of H.264 at quarter-sample positions.

    Args:
        plane: Reference samples (H, W).
        motion: Vectors (H, W, 2) as (x, y) in quarter samples.

    Returns:
        The prediction, int32 (H, W).
    """
    # Names of 8.4.2.2.1: G whole samples, b half way right, h half way down, j both. All planes
    # carry a margin, so that clamped positions outside the picture have fractions too.
    margin = 24
    outside = np.maximum(np.abs(motion) // 4 - margin + 8, 0).max(initial=0)
    margin += int(outside)
    whole = np.pad(plane.astype(np.int32), margin, mode="edge")
    across, down = _six(whole, 1), _six(whole, 0)
    b, h = ((part + 16 >> 5).clip(0, 255) for part in (across, down))
    j = (_six(across, 0) + 512 >> 10).clip(0, 255)
    row, column = np.indices(plane.shape)
    row, column = row + margin + (motion[..., 1] >> 2), column + margin + (motion[..., 0] >> 2)
    x, y = motion[..., 0] & 3, motion[..., 1] & 3
    after_x, after_y = column + (x == 3), row + (y == 3)
    # The two samples whose mean a quarter position is: the nearest of b/s, h/m, j, G.
    first = np.select(
        [(x == 2) & (y == 2), x == 2, y == 2, (x == 0) | (y == 0)],
        [j[row, column], b[after_y, column], h[row, after_x], whole[after_y, after_x]],
        b[after_y, column],
    )
    # Second sample: j beside a quarter from the centre, b or h on the axes, h (or m) diagonally.
    second = np.select(
        [(x == 2) & (y % 2 == 1), (y == 2) & (x % 2 == 1), (y == 0) & (x % 2 == 1)],
        [j[row, column], j[row, column], b[row, column]],
        h[row, after_x],
    )
    odd = (x % 2 == 1) | (y % 2 == 1)
    return np.where(odd, (first + second + 1) >> 1, first)


def eighth_sample(plane: np.ndarray, motion: np.ndarray) -> np.ndarray:
    """Chroma prediction of H.264: bilinear at eighths of a sample.

    Args:
        plane: Reference samples (H, W).
        motion: Vectors (H, W, 2) as (x, y) in eighths of a sample of this plane.

    Returns:
        The prediction, int32 (H, W).
    """
    row, column = np.indices(plane.shape)
    row, column = row + (motion[..., 1] >> 3), column + (motion[..., 0] >> 3)
    x, y = motion[..., 0] & 7, motion[..., 1] & 7
    upper = (8 - x) * _gather(plane, row, column) + x * _gather(plane, row, column + 1)
    lower = (8 - x) * _gather(plane, row + 1, column) + x * _gather(plane, row + 1, column + 1)
    return ((8 - y) * upper + y * lower + 32) >> 6


def _gather(plane: np.ndarray, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    height, width = plane.shape
    return plane[row.clip(0, height - 1), column.clip(0, width - 1)].astype(np.int32)


def _quarter_axis(block: np.ndarray, fraction: np.ndarray, rounding: int) -> np.ndarray:
    """Quarter positions along the last axis: (n, rows, N + 1) -> (n, rows, N)."""
    size = block.shape[-1] - 1
    mirrored = np.concatenate([block[..., 2::-1], block, block[..., :-4:-1]], -1)
    window = np.lib.stride_tricks.sliding_window_view(mirrored, 8, -1)[..., :size, :]
    half = ((window @ _QUARTER_TAPS + 16 - rounding) >> 5).clip(0, 255)
    fraction = fraction[:, None, None]
    nearest = np.where(fraction == 3, block[..., 1:], block[..., :-1])
    mean = (half + nearest + 1 - rounding) >> 1
    return np.where(fraction == 0, block[..., :-1], np.where(fraction == 2, half, mean))


def _six(plane: np.ndarray, axis: int) -> np.ndarray:
    # Half way between a sample and the next: taps (1, -5, 20, 20, -5, 1). np.roll wraps only
    # inside the margin, which no vector reaches.
    def tap(offset: int) -> np.ndarray:
        return np.roll(plane, -offset, axis)

    return tap(-2) - 5 * tap(-1) + 20 * tap(0) + 20 * tap(1) - 5 * tap(2) + tap(3)
