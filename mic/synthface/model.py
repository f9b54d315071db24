"""The head: mesh, morph targets and texture atlas.

Everything here is the same for all identities and is computed once a process. Lengths are
decimetres; x points to the subject's left, y up, z out of the face.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

import numpy as np

from mic.synthface.raster import rasterize

ATLAS = 384  # texels along either side of the texture atlas
BOTTOM, TOP = 4.5, 8.6  # heights that the atlas spans
AXIS = 0.35  # z of the vertical axis around which the atlas is unrolled
# The base mesh hides the upper teeth even in a laugh, and bares the lower ones in a whisper.
UPPER_TEETH_DROP, LOWER_TEETH_DROP = 0.065, 0.02


class Part(enum.IntEnum):
    """What a triangle belongs to; the numbers are those of `head.npz`."""

    SKIN = 0
    LEFT_EYE = 1
    RIGHT_EYE = 2
    UPPER_TEETH = 3
    LOWER_TEETH = 4
    TONGUE = 5
    LASHES = 6


@dataclass(frozen=True)
class Head:
    """Mesh and targets of `head.npz`, unpacked.

    Attributes:
        vertices: (V, 3) float32 positions of the base mesh.
        triangles: (T, 3) int32 corner indices.
        part: (T,) int8 values of `Part`.
        lips, ears, inside_mouth, eyelids: (V,) float32 masks in 0..1.
        visibility: (V, 25) float32 spherical-harmonic coefficients of the visible sky.
        occlusion: (V,) float32 share of the sky seen, cosine-weighted; 1 is open.
        targets: Name to (indices, displacements); `unit/...` are the face units.
        chart: (V, 2) float32 position in the atlas, 0..1, v down.
    """

    vertices: np.ndarray
    triangles: np.ndarray
    part: np.ndarray
    lips: np.ndarray
    ears: np.ndarray
    inside_mouth: np.ndarray
    eyelids: np.ndarray
    visibility: np.ndarray
    occlusion: np.ndarray
    targets: dict[str, tuple[np.ndarray, np.ndarray]]
    chart: np.ndarray

    def displacement(self, weights: dict[str, float]) -> np.ndarray:
        """The sum of weighted targets, (V, 3) float32."""
        total = np.zeros_like(self.vertices)
        for name, weight in weights.items():
            index, delta = self.targets[name]
            total[index] += np.float32(weight) * delta
        return total

    def vertices_of(self, *parts: Part) -> np.ndarray:
        """Indices of the vertices that triangles of these parts use."""
        return np.unique(self.triangles[np.isin(self.part, parts)])


@lru_cache(maxsize=1)
def head() -> Head:
    """The head model, read from the package's own `head.npz`."""
    with (
        resources.as_file(resources.files(__package__).joinpath("head.npz")) as path,
        np.load(path) as file,
    ):
        stored = {key: file[key] for key in file.files}
    vertices = stored["vertices"]
    start, index = stored["start"], stored["index"].astype(np.intp)
    targets = {}
    for k, name in enumerate(stored["names"]):
        rows = slice(start[k], start[k + 1])
        targets[str(name)] = index[rows], stored["delta"][rows] * stored["scale"][k]
    triangles, part = stored["triangles"], stored["part"].astype(np.int8)
    for teeth, drop in (
        (Part.UPPER_TEETH, UPPER_TEETH_DROP),
        (Part.LOWER_TEETH, LOWER_TEETH_DROP),
    ):
        vertices[np.unique(triangles[part == teeth]), 1] -= np.float32(drop)
    return Head(
        vertices=vertices,
        triangles=triangles,
        part=part,
        lips=_mask(stored["mask_lips"]),
        ears=_mask(stored["mask_ears"]),
        inside_mouth=_mask(stored["mask_inside_mouth"]),
        eyelids=_mask(stored["mask_eyelids"]),
        visibility=stored["visibility"] * stored["visibility_scale"],
        occlusion=_mask(stored["occlusion"]),
        targets=targets,
        chart=unroll(vertices),
    )


def _mask(stored: np.ndarray) -> np.ndarray:
    return stored.astype(np.float32) / np.float32(255)


def unroll(points: np.ndarray) -> np.ndarray:
    """Atlas coordinates: a cylinder around the neck, with more room for the face.

    Args:
        points: (..., 3) positions on the base head.

    Returns:
        (..., 2) float32, u from the right ear over the face to the left, v from top to bottom.
    """
    points = np.asarray(points, np.float64)
    angle = np.arctan2(points[..., 0], points[..., 2] - AXIS) / np.pi
    u = 0.5 + 0.5 * np.sign(angle) * np.abs(angle) ** 0.75
    v = (TOP - points[..., 1]) / (TOP - BOTTOM)
    return np.stack([u, v], -1).astype(np.float32)


@dataclass(frozen=True)
class Atlas:
    """Where each texel lies on the base head.

    Attributes:
        corners: (ATLAS, ATLAS, 3) the vertices around each texel.
        weights: (ATLAS, ATLAS, 3) float32 their barycentric weights.
    """

    corners: np.ndarray
    weights: np.ndarray

    def paint(self, values: np.ndarray) -> np.ndarray:
        """Spreads per-vertex values, (V,) or (V, C), over the texels."""
        weights = self.weights if values.ndim == 1 else self.weights[..., None]
        mixed = weights[:, :, 0] * values[self.corners[..., 0]]
        mixed = mixed + weights[:, :, 1] * values[self.corners[..., 1]]
        return mixed + weights[:, :, 2] * values[self.corners[..., 2]]


@lru_cache(maxsize=1)
def atlas() -> Atlas:
    """The texture atlas of the skin; texels off the mesh repeat the nearest one of their row."""
    model = head()
    corners = model.triangles[model.part == Part.SKIN]
    u = model.chart[corners][:, :, 0]
    corners = corners[np.ptp(u, axis=1) < 0.5]  # not across the seam at the back of the head
    outside = np.hypot(model.vertices[:, 0], model.vertices[:, 2] - AXIS)
    screen = np.column_stack([model.chart * ATLAS, -outside]).astype(np.float32)
    seen = rasterize(screen, corners, height=ATLAS, width=ATLAS, two_sided=True)
    columns = np.tile(np.arange(ATLAS), (ATLAS, 1))
    rows = np.arange(ATLAS)
    for row in rows:
        known = np.flatnonzero(seen.triangle[row] >= 0)
        if len(known) == 0:
            columns[row], rows[row] = columns[row - 1], rows[row - 1]
            continue
        nearest = np.clip(np.searchsorted(known, columns[row]), 0, len(known) - 1)
        columns[row] = known[nearest]
    place = rows[:, None], columns
    second, third = seen.second[place], seen.third[place]
    return Atlas(
        corners=corners[seen.triangle[place]],
        weights=np.stack([1 - second - third, second, third], -1),
    )


def vertex_normals(points: np.ndarray, triangles: np.ndarray, count: int) -> np.ndarray:
    """Area-weighted unit normals of the first `count` vertices, (count, 3) float32."""
    origin = points[triangles[:, 0]]
    a, b = points[triangles[:, 1]] - origin, points[triangles[:, 2]] - origin
    faces = (
        a[:, 1] * b[:, 2] - a[:, 2] * b[:, 1],
        a[:, 2] * b[:, 0] - a[:, 0] * b[:, 2],
        a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0],
    )
    corners = triangles.T.ravel()
    normal = np.empty((count, 3), np.float32)
    for axis, face in enumerate(faces):
        normal[:, axis] = np.bincount(corners, np.concatenate([face, face, face]), count)
    x, y, z = normal.T
    length = np.sqrt(x * x + y * y + z * z)
    return normal / np.maximum(length, np.float32(1e-9))[:, None]


def triangle_area(points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """(T,) area of triangles in the plane; `points` is (n, 2)."""
    x, y = points[:, 0][triangles], points[:, 1][triangles]
    twice = (x[:, 1] - x[:, 0]) * (y[:, 2] - y[:, 0]) - (y[:, 1] - y[:, 0]) * (x[:, 2] - x[:, 0])
    return np.abs(twice) * np.float32(0.5)


@lru_cache(maxsize=1)
def chart_area() -> np.ndarray:
    """(T,) area of each triangle of the head on the atlas, in texels."""
    return triangle_area(head().chart * np.float32(ATLAS), head().triangles)
