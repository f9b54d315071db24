"""Residuals accumulated along the motion, in NumPy float64: both definitions, from the oracles.

A_t = MC_t(A_{t-1}) + r_t with MC the motion compensation without rounding: clauses 7.6.2 (half and
quarter sample), 7.6.4 (outside the picture), 7.6.5 (chroma) of ISO/IEC 14496-2.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from oracles.compensation import TAPS, chroma_vectors


@dataclasses.dataclass
class Chain:
    """The state after a VOP: planes of whole macroblocks and where their chain is broken."""

    planes: tuple[np.ndarray, np.ndarray, np.ndarray]
    broken: tuple[np.ndarray, np.ndarray, np.ndarray]


def start(planes: tuple[np.ndarray, ...]) -> Chain:
    """At an I-VOP: the planes to carry (its samples, or zeros)."""
    y, cb, cr = (plane.astype(float) for plane in planes)
    return Chain((y, cb, cr), tuple(np.zeros(plane.shape, bool) for plane in (y, cb, cr)))


def gather(plane: np.ndarray, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """Samples at (row, column), clamped into the plane."""
    height, width = plane.shape
    return plane[row.clip(0, height - 1), column.clip(0, width - 1)]


def bilinear(plane: np.ndarray, vector: np.ndarray, unit: int, *, marks: bool) -> np.ndarray:
    """Interpolation at vectors (H, W, 2) in 1 / unit samples; for marks: "any of them"."""
    row, column = np.indices(plane.shape)
    row, column = row + vector[..., 1] // unit, column + vector[..., 0] // unit
    wx, wy = vector[..., 0] % unit / unit, vector[..., 1] % unit / unit
    out = np.zeros(plane.shape)
    for down, right, weight in (
        (0, 0, (1 - wy) * (1 - wx)),
        (0, 1, (1 - wy) * wx),
        (1, 0, wy * (1 - wx)),
        (1, 1, wy * wx),
    ):
        taken = gather(plane, row + down, column + right)
        out = np.maximum(out, taken * (weight > 0)) if marks else out + weight * taken
    return out


def quarter(plane: np.ndarray, mv: np.ndarray, count: np.ndarray, *, marks: bool) -> np.ndarray:
    """Quarter-sample luma interpolation, block by block as 7.6.2.2 has it."""
    out = np.zeros(plane.shape)
    for y, x in np.ndindex(count.shape):
        size = 8 if count[y, x] == 4 else 16
        for top in range(16 * y, 16 * y + 16, size):
            for left in range(16 * x, 16 * x + 16, size):
                vx, vy = mv[top // 8, left // 8]
                reach = np.arange(size + 1)
                block = gather(
                    plane, top + vy // 4 + reach[:, None], left + vx // 4 + reach[None, :]
                )
                block = _axis(block, vx % 4, marks=marks)
                block = _axis(block.T, vy % 4, marks=marks).T
                out[top : top + size, left : left + size] = block
    return out


def _axis(block: np.ndarray, fraction: int, *, marks: bool) -> np.ndarray:
    if fraction == 0:
        return block[:, :-1]
    mirrored = np.concatenate([block[:, 2::-1], block, block[:, :-4:-1]], 1)
    window = np.lib.stride_tricks.sliding_window_view(mirrored, 8, 1)[:, : block.shape[1] - 1]
    half = window.max(-1) if marks else window @ TAPS / 32
    if fraction == 2:
        return half
    nearest = block[:, 1:] if fraction == 3 else block[:, :-1]
    return np.maximum(half, nearest) if marks else (half + nearest) / 2


def standard(
    chain: Chain,
    residual: tuple[np.ndarray, ...],
    mv: np.ndarray,
    count: np.ndarray,
    *,
    quarter_sample: bool,
    scale: int = 1,
) -> Chain:
    """One P-VOP by the standard's interpolation.

    Args:
        chain: The state before.
        residual: Planes of whole macroblocks at 1/scale.
        mv: Vectors of 8x8 blocks (2 h, 2 w, 2) in the stream's unit.
        count: Vectors of each macroblock: 0 (intra), 1 or 4.
        quarter_sample: The unit of `mv`.
        scale: 1, 2, 4 or 8.
    """
    quarters = mv if quarter_sample else 2 * mv
    dense = quarters.repeat(8 // scale, 0).repeat(8 // scale, 1)
    total = sum(quarters[i::2, j::2] for i in (0, 1) for j in (0, 1))
    halves = chroma_vectors(mv, count, quarter_sample=quarter_sample)

    def carry(planes: tuple[np.ndarray, ...], *, marks: bool) -> list[np.ndarray]:
        if scale == 1 and quarter_sample:
            luma = quarter(planes[0], mv, count, marks=marks)
        else:
            luma = bilinear(planes[0], dense, 4 * scale, marks=marks)
        field, unit = (halves, 2) if scale == 1 else (total, 32 * scale)
        field = field.repeat(8 // scale, 0).repeat(8 // scale, 1)
        return [luma, *(bilinear(plane, field, unit, marks=marks) for plane in planes[1:])]

    return _advance(chain, residual, count, carry)


def coviar(
    chain: Chain,
    residual: tuple[np.ndarray, ...],
    mv: np.ndarray,
    count: np.ndarray,
    *,
    scale: int,
) -> Chain:
    """One P-VOP with vectors (in quarter samples) truncated to whole samples of each plane."""
    dense = np.trunc(mv / (4 * scale)).astype(int).repeat(8 // scale, 0).repeat(8 // scale, 1)
    total = sum(mv[i::2, j::2] for i in (0, 1) for j in (0, 1))
    field = np.trunc(total / (32 * scale)).astype(int).repeat(8 // scale, 0)
    field = field.repeat(8 // scale, 1)

    def carry(planes: tuple[np.ndarray, ...], *, marks: bool) -> list[np.ndarray]:
        fields = (dense, field, field)
        return [bilinear(p, f, 1, marks=marks) for p, f in zip(planes, fields, strict=True)]

    return _advance(chain, residual, count, carry)


def _advance(
    chain: Chain,
    residual: tuple[np.ndarray, ...],
    count: np.ndarray,
    carry: Callable[..., list[np.ndarray]],
) -> Chain:
    moved = carry(chain.planes, marks=False)
    marks = carry(chain.broken, marks=True)
    planes, broken = [], []
    for plane, mark, added in zip(moved, marks, residual, strict=True):
        side = plane.shape[0] // count.shape[0]
        intra = (count == 0).repeat(side, 0).repeat(side, 1)
        planes.append(np.where(intra, 0, plane + added))
        broken.append(np.where(intra, True, mark > 0))
    return Chain(tuple(planes), tuple(broken))
