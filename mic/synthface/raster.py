"""A z-buffer triangle rasteriser in NumPy, vectorised over triangles of similar screen size.

Only additions, multiplications, divisions and comparisons happen per pixel, in a fixed order, so
the result is the same to the last bit on every IEEE machine, whatever vector unit NumPy picks.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

# A triangle is tested against the smallest square of this list that holds its bounding box.
_SQUARES = (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 20, 28, 40, 64, 96, 128, 256, 512, 1024)
_CANDIDATES_AT_ONCE = 1_000_000  # bounds the memory of one batch
_SUBPIXEL = np.float32(256)  # screen positions snap to this grid, as in graphics hardware


@dataclass(frozen=True)
class Fragments:
    """What is visible at each sample of a screen.

    Attributes:
        triangle: (H, W) int32, index of the nearest triangle, -1 where there is none.
        second: (H, W) float32, barycentric weight of the triangle's second corner.
        third: (H, W) float32, barycentric weight of its third corner.
        depth: (H, W) float32, distance along the view axis, infinite where nothing is.
    """

    triangle: np.ndarray
    second: np.ndarray
    third: np.ndarray
    depth: np.ndarray


@cache
def _square(side: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Columns and rows of a square's cells, as integers and as floats."""
    y, x = np.mgrid[0:side, 0:side].astype(np.int32)
    x, y = x.ravel(), y.ravel()
    return x, y, x.astype(np.float32), y.astype(np.float32)


def rasterize(
    points: np.ndarray,
    triangles: np.ndarray,
    *,
    height: int,
    width: int,
    two_sided: bool = False,
    in_front_of: np.ndarray | None = None,
) -> Fragments:
    """Finds the nearest triangle at every sample centre.

    Args:
        points: (N, 3) float32, screen x and y in samples (y down), and depth.
        triangles: (M, 3) corner indices; seen from the front they turn clockwise on screen.
        height: Rows of samples.
        width: Columns of samples.
        two_sided: Draw triangles seen from behind, too.
        in_front_of: (H, W) float32 depth that fragments must undercut, or None.

    Returns:
        The visible fragments.
    """
    points = points.astype(np.float32, copy=False)
    snapped = np.rint(points[:, :2] * _SUBPIXEL) / _SUBPIXEL
    xs, ys, depths = snapped[:, 0][triangles], snapped[:, 1][triangles], points[:, 2][triangles]
    area = (xs[:, 1] - xs[:, 0]) * (ys[:, 2] - ys[:, 0]) - (ys[:, 1] - ys[:, 0]) * (
        xs[:, 2] - xs[:, 0]
    )
    low_x, high_x = _span(xs, width)
    low_y, high_y = _span(ys, height)
    drawn = (area != 0) if two_sided else (area < 0)
    drawn &= (high_x >= low_x) & (high_y >= low_y)
    kept = np.flatnonzero(drawn)
    x0, y0, z0 = xs[kept, 0], ys[kept, 0], depths[kept, 0]
    scale = 1 / area[kept]
    # Barycentric weights are affine in the sample position: w = slope_x * x + slope_y * y + base.
    second_x, second_y = (ys[kept, 2] - y0) * scale, (x0 - xs[kept, 2]) * scale
    third_x, third_y = (y0 - ys[kept, 1]) * scale, (xs[kept, 1] - x0) * scale
    low_x, low_y = low_x[kept], low_y[kept]
    dx, dy = low_x + np.float32(0.5) - x0, low_y + np.float32(0.5) - y0
    second_base = second_x * dx + second_y * dy
    third_base = third_x * dx + third_y * dy
    rise_second, rise_third = depths[kept, 1] - z0, depths[kept, 2] - z0
    corner = (low_y * width + low_x).astype(np.int32)
    columns, rows = (
        (high_x[kept] - low_x).astype(np.int32),
        (high_y[kept] - low_y).astype(np.int32),
    )
    extent = np.maximum(columns, rows) + 1

    pixels, owners, seconds, thirds, zs = [], [], [], [], []
    smaller = 0
    for side in _SQUARES:
        members = np.flatnonzero((extent > smaller) & (extent <= side))
        smaller = side
        if not len(members):
            continue
        step = max(1, _CANDIDATES_AT_ONCE // (side * side))
        column, row, fx, fy = _square(side)
        offset = row * np.int32(width) + column
        for start in range(0, len(members), step):
            batch = members[start : start + step]
            second = second_x[batch, None] * fx
            second += second_y[batch, None] * fy
            second += second_base[batch, None]
            third = third_x[batch, None] * fx
            third += third_y[batch, None] * fy
            third += third_base[batch, None]
            covered = (second >= 0) & (third >= 0)
            covered &= second + third <= 1
            hits = np.flatnonzero(covered)
            owner, cell = np.divmod(hits, side * side)
            owner = batch[owner]
            inside = (column[cell] <= columns[owner]) & (row[cell] <= rows[owner])
            if not inside.all():
                hits, owner, cell = hits[inside], owner[inside], cell[inside]
            second, third = second.ravel()[hits], third.ravel()[hits]
            pixels.append(corner[owner] + offset[cell])
            owners.append(owner)
            seconds.append(second)
            thirds.append(third)
            zs.append(z0[owner] + second * rise_second[owner] + third * rise_third[owner])
    return _nearest(pixels, owners, seconds, thirds, zs, kept, (height, width), in_front_of)


def _span(coordinate: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """First and last sample whose centre lies in the extent of each triangle, on screen."""
    a, b, c = coordinate[:, 0], coordinate[:, 1], coordinate[:, 2]
    low = np.ceil(np.minimum(np.minimum(a, b), c) - np.float32(0.5))
    high = np.floor(np.maximum(np.maximum(a, b), c) - np.float32(0.5))
    return np.maximum(low, 0), np.minimum(high, np.float32(size - 1))


def _nearest(
    pixels: list[np.ndarray],
    owners: list[np.ndarray],
    seconds: list[np.ndarray],
    thirds: list[np.ndarray],
    zs: list[np.ndarray],
    kept: np.ndarray,
    shape: tuple[int, int],
    in_front_of: np.ndarray | None,
) -> Fragments:
    count = shape[0] * shape[1]
    depth = (
        np.full(count, np.inf, np.float32) if in_front_of is None else in_front_of.ravel().copy()
    )
    triangle = np.full(count, -1, np.int32)
    second, third = np.zeros(count, np.float32), np.zeros(count, np.float32)
    if pixels:
        pixel, z = np.concatenate(pixels), np.concatenate(zs)
        limit = None if in_front_of is None else depth.copy()
        np.minimum.at(depth, pixel, z)
        winners = z <= depth[pixel]
        if limit is not None:
            winners &= z < limit[pixel]
        winner = np.flatnonzero(winners)
        target = pixel[winner]
        triangle[target] = kept[np.concatenate(owners)[winner]]
        second[target] = np.concatenate(seconds)[winner]
        third[target] = np.concatenate(thirds)[winner]
    return Fragments(
        triangle=triangle.reshape(shape),
        second=second.reshape(shape),
        third=third.reshape(shape),
        depth=depth.reshape(shape),
    )
