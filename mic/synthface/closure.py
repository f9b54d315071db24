"""Lids and lips that meet: morph targets add up linearly, so on most faces they would not.

Both repairs work on the gap between an upper and a lower edge as a function of x: where the edges
are apart they are moved together, and what is around them follows.
"""

from __future__ import annotations

import itertools
from functools import lru_cache

import numpy as np

from mic.synthface.model import Part, head

_BINS = 9  # places along an edge at which its gap is measured
_OVERLAP = 0.006  # decimetres by which shut edges overlap, so that nothing shines through
_REACH = 0.14  # decimetres around the mouth line that follow a lip
_EYES = (Part.LEFT_EYE, Part.RIGHT_EYE)
_BLINKS = ("unit/eyeBlinkLeft", "unit/eyeBlinkRight")
_CORNEA = 1.035  # lids slide at this multiple of the eyeball's radius


@lru_cache(maxsize=2)
def _eyeball(side: int) -> np.ndarray:
    return head().vertices_of(_EYES[side])


def eye_centre(vertices: np.ndarray, side: int) -> np.ndarray:
    """(3,) centre of the left (0) or right (1) eyeball."""
    ball = vertices[_eyeball(side)]
    return (ball.min(0) + ball.max(0)) / 2


def eye_radius(vertices: np.ndarray, side: int) -> np.float32:
    """Radius of an eyeball, from its width."""
    ball = vertices[_eyeball(side)]
    return (ball[:, 0].max() - ball[:, 0].min()) / 2


def eye_directions(vertices: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """(V, 3) float32 unit vectors from the eyes' centres to their vertices, 0 elsewhere."""
    directions = np.zeros_like(vertices)
    for side in (0, 1):
        away = vertices[_eyeball(side)] - centres[side]
        x, y, z = away.T
        directions[_eyeball(side)] = away / np.sqrt(x * x + y * y + z * z)[:, None]
    return directions


def _gap(
    vertices: np.ndarray, upper: np.ndarray, lower: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Middle x of the bins between the corners, the gap there and the height of its middle."""
    x = vertices[np.concatenate([upper, lower]), 0]
    edges = np.linspace(x.min(), x.max(), _BINS + 1)
    places, gaps, middles = [], [], []
    for left, right in itertools.pairwise(edges):
        above = vertices[upper][_between(vertices[upper, 0], left, right), 1]
        below = vertices[lower][_between(vertices[lower, 0], left, right), 1]
        if len(above) and len(below):
            places.append((left + right) / 2)
            gaps.append(above.min() - below.max() + _OVERLAP)
            middles.append((above.min() + below.max()) / 2)
    return np.array(places), np.array(gaps), np.array(middles)


def _between(x: np.ndarray, left: float, right: float) -> np.ndarray:
    return (x >= left) & (x <= right)


@lru_cache(maxsize=1)
def _lips() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vertices of the upper lip, of the lower lip, and all around the mouth but the teeth."""
    model = head()
    index, delta = model.targets["unit/jawOpen"]
    drop = np.zeros(len(model.vertices), np.float32)
    drop[index] = delta[:, 1]
    lips = (model.lips > 0.5) & (np.abs(model.vertices[:, 0]) < 0.24)
    strongest = drop[lips].min()
    upper = np.flatnonzero(lips & (drop > 0.25 * strongest))
    lower = np.flatnonzero(lips & (drop < 0.75 * strongest))
    skin = np.zeros(len(drop), bool)
    skin[model.vertices_of(Part.SKIN)] = True
    around = np.abs(model.vertices - model.vertices[upper].mean(0)).max(1) < 0.5
    return upper, lower, np.flatnonzero(skin & around)


def close_lips(vertices: np.ndarray) -> np.ndarray:
    """A neutral face whose lips touch.

    Args:
        vertices: (V, 3) float32 neutral face.

    Returns:
        A copy in which open stretches between the lips are shut.
    """
    upper, lower, around = _lips()
    x, gap, middle = _gap(vertices, upper, lower)
    gap = np.maximum(gap, 0)
    here = vertices[around]
    height = here[:, 1] - np.interp(here[:, 0], x, middle)
    width = np.clip(1.6 - np.abs(here[:, 0]) / 0.22, 0, 1)
    follow = np.exp(-((height / _REACH) ** 2)) * width * np.interp(here[:, 0], x, gap) / 2
    # What lies within half a gap of the middle would cross it; the nearer, the less it moves.
    closed = vertices.copy()
    closed[around, 1] -= (np.sign(height) * follow).astype(np.float32)
    return closed


@lru_cache(maxsize=2)
def _lids(side: int) -> tuple[np.ndarray, np.ndarray]:
    """Vertices of the upper and of the lower lid's edge."""
    model = head()
    index, delta = model.targets[_BLINKS[side]]
    drop = np.zeros(len(model.vertices), np.float32)
    drop[index] = delta[:, 1]
    centre = eye_centre(model.vertices, side)
    edge = (model.eyelids > 0.9) & (model.vertices[:, 0] * centre[0] > 0)
    skin = np.zeros(len(drop), bool)
    skin[model.vertices_of(Part.SKIN)] = True
    edge &= skin & (np.abs(model.vertices[:, 0] - centre[0]) < 0.13)
    upper = np.flatnonzero(edge & (drop < -0.02))
    lower = np.flatnonzero(edge & (drop > -0.012) & (model.vertices[:, 1] < centre[1]))
    return upper, lower


def blink(vertices: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """The displacement that shuts one eye of this face.

    Args:
        vertices: (V, 3) float32 neutral face.
        side: 0 for the left eye, 1 for the right.

    Returns:
        Indices and (n, 3) float32 displacements, as a target.
    """
    model = head()
    index, delta = model.targets[_BLINKS[side]]
    index, delta = _near_eye(index, delta, side)
    upper, lower = _lids(side)
    shut = vertices.copy()
    shut[index] += delta
    x, gap, _ = _gap(shut, upper, lower)
    travel = np.abs(delta[:, 1]).max()
    further = 1 + np.maximum(gap, 0) / travel
    stretch = np.interp(vertices[index, 0], x, further).astype(np.float32)
    return index, delta * stretch[:, None]


def _near_eye(index: np.ndarray, delta: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Without what the target also moves far from the eye: the throat, the other eye."""
    model = head()
    far = np.abs(model.vertices[index] - eye_centre(model.vertices, side)).max(1) > 0.45
    return index[~far], delta[~far]


@lru_cache(maxsize=2)
def _cover(side: int) -> np.ndarray:
    """Vertices of skin and lashes that slide over an eyeball."""
    model = head()
    index, _ = model.targets[_BLINKS[side]]
    soft = np.zeros(len(model.vertices), bool)
    soft[model.vertices_of(Part.SKIN, Part.LASHES)] = True
    place = model.vertices[index] - eye_centre(model.vertices, side)
    return index[soft[index] & (place[:, 2] > 0.05) & (np.abs(place).max(1) < 0.25)]


def slide_over_eyes(vertices: np.ndarray, centres: np.ndarray, radii: np.ndarray) -> None:
    """Pushes lids out of the eyeballs, in place: a linear blink would cut through them.

    Args:
        vertices: (V, 3) float32.
        centres: (2, 3) of the eyeballs.
        radii: (2,) of the eyeballs.
    """
    for side in (0, 1):
        cover = _cover(side)
        away = vertices[cover] - centres[side]
        x, y, z = away.T
        distance = np.sqrt(x * x + y * y + z * z)
        lift = np.maximum(radii[side] * np.float32(_CORNEA) / distance, 1)
        vertices[cover] = centres[side] + away * lift[:, None]
