"""A z-buffer triangle rasteriser in NumPy, vectorised over scan lines.

Only additions, multiplications, divisions and comparisons happen, in a fixed order, so the result
is the same to the last bit on every IEEE machine, whatever vector unit NumPy picks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_SUBPIXEL = np.float32(256)  # screen positions snap to this grid, as in graphics hardware
_HALF = np.float32(0.5)  # sample centres lie half a sample from the grid lines


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
    xs, ys = snapped[:, 0][triangles], snapped[:, 1][triangles]
    area = (xs[:, 1] - xs[:, 0]) * (ys[:, 2] - ys[:, 0])
    area -= (ys[:, 1] - ys[:, 0]) * (xs[:, 2] - xs[:, 0])
    first_row = np.maximum(np.ceil(ys.min(1) - _HALF), 0).astype(np.int32)
    last_row = np.minimum(np.floor(ys.max(1) - _HALF), np.float32(height - 1)).astype(np.int32)
    drawn = (area != 0) if two_sided else (area < 0)
    kept = np.flatnonzero(drawn & (last_row >= first_row))
    xs, ys, zs = xs[kept], ys[kept], points[:, 2][triangles[kept]]
    owner, row, first, length = _spans(xs, ys, first_row[kept], last_row[kept], width)

    # From spans to samples.
    start = np.cumsum(length) - length
    span = np.repeat(np.arange(len(length), dtype=np.int32), length)
    column = np.arange(len(span), dtype=np.int32) - (start - first)[span]
    row, owner = row[span], owner[span]
    dx = column.astype(np.float32) + _HALF - xs[owner, 0]
    dy = row.astype(np.float32) + _HALF - ys[owner, 0]
    # Depth and barycentric weights are affine in the sample's position.
    scale = 1 / area[kept]
    second_x, second_y = (ys[:, 2] - ys[:, 0]) * scale, (xs[:, 0] - xs[:, 2]) * scale
    third_x, third_y = (ys[:, 0] - ys[:, 1]) * scale, (xs[:, 1] - xs[:, 0]) * scale
    rise_second, rise_third = zs[:, 1] - zs[:, 0], zs[:, 2] - zs[:, 0]
    z = zs[owner, 0] + (second_x * rise_second + third_x * rise_third)[owner] * dx
    z += (second_y * rise_second + third_y * rise_third)[owner] * dy

    sample = row * np.int32(width) + column
    if in_front_of is None:
        depth = np.full(height * width, np.inf, np.float32)
    else:
        depth = in_front_of.ravel().copy()
        nearer = np.flatnonzero(z < depth[sample])
        sample, z, owner, dx, dy = (part[nearer] for part in (sample, z, owner, dx, dy))
    np.minimum.at(depth, sample, z)
    winner = np.flatnonzero(z == depth[sample])
    target, owner, dx, dy = sample[winner], owner[winner], dx[winner], dy[winner]
    triangle = np.full(height * width, -1, np.int32)
    second, third = np.zeros(height * width, np.float32), np.zeros(height * width, np.float32)
    triangle[target] = kept[owner]
    second[target] = second_x[owner] * dx + second_y[owner] * dy
    third[target] = third_x[owner] * dx + third_y[owner] * dy
    return Fragments(
        triangle=triangle.reshape(height, width),
        second=second.reshape(height, width),
        third=third.reshape(height, width),
        depth=depth.reshape(height, width),
    )


def _spans(
    xs: np.ndarray, ys: np.ndarray, first_row: np.ndarray, last_row: np.ndarray, width: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Where scan lines cross triangles.

    An edge is always evaluated from its upper end, so two triangles that share one agree on it
    and leave no crack.

    Args:
        xs: (K, 3) columns of the corners.
        ys: (K, 3) rows of the corners.
        first_row: (K,) first scan line of each triangle.
        last_row: (K,) its last one.
        width: Columns of the screen.

    Returns:
        Per span: its triangle, its row, its first column and its length, at least 1.
    """
    order = np.argsort(ys, axis=1, kind="stable")
    (top_x, middle_x, low_x), (top_y, middle_y, low_y) = (
        np.take_along_axis(corner, order, 1).T for corner in (xs, ys)
    )
    # Horizontal edges have no slope and are never asked for it: no sample centre lies between
    # their ends, and one exactly on them belongs to the other two edges.
    long, upper, lower = (
        (x1 - x0) / np.where(y1 > y0, y1 - y0, np.float32(1))
        for x0, y0, x1, y1 in (
            (top_x, top_y, low_x, low_y),
            (top_x, top_y, middle_x, middle_y),
            (middle_x, middle_y, low_x, low_y),
        )
    )
    rows = last_row - first_row + 1
    owner = np.repeat(np.arange(len(rows), dtype=np.int32), rows)
    start = np.cumsum(rows, dtype=np.int32) - rows
    row = np.arange(len(owner), dtype=np.int32) - (start - first_row)[owner]
    y = row.astype(np.float32) + _HALF
    from_top, from_middle = y - top_y[owner], y - middle_y[owner]
    one = top_x[owner] + from_top * long[owner]
    other = np.where(
        from_middle < 0,
        top_x[owner] + from_top * upper[owner],
        middle_x[owner] + from_middle * lower[owner],
    )
    first = np.maximum(np.ceil(np.minimum(one, other) - _HALF), 0).astype(np.int32)
    last = np.minimum(np.floor(np.maximum(one, other) - _HALF), np.float32(width - 1))
    length = last.astype(np.int32) - first + 1
    crossed = np.flatnonzero(length > 0)
    return owner[crossed], row[crossed], first[crossed], length[crossed]
