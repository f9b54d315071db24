"""Expression wrinkles: grooves on the atlas that deepen as the muscles under them contract."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mic.synthface.action_units import FACE_UNITS
from mic.synthface.fields import Texture, noise, texture
from mic.synthface.identity import Identity
from mic.synthface.model import ATLAS
from mic.synthface.skin import regions, slopes

# Groove fields, and the face units that deepen each, with their share.
FIELDS: tuple[tuple[str, dict[str, float]], ...] = (
    ("forehead", {"browInnerUp": 1.0}),
    ("temples", {"browOuterUpLeft": 0.5, "browOuterUpRight": 0.5}),
    ("glabella", {"browDownLeft": 0.5, "browDownRight": 0.5}),
    ("nose", {"noseSneerLeft": 0.5, "noseSneerRight": 0.5}),
    ("crow's feet", {"cheekSquintLeft": 0.5, "cheekSquintRight": 0.5, "mouthSmileLeft": 0.3}),
    (
        "nasolabial",
        {"mouthSmileLeft": 0.45, "mouthSmileRight": 0.45, "noseSneerLeft": 0.5}
        | {"mouthUpperUpLeft": 0.3, "mouthUpperUpRight": 0.3},
    ),
    ("chin", {"mouthShrugLower": 1.0}),
    ("under the eyes", {"cheekSquintLeft": 0.5, "cheekSquintRight": 0.5, "eyeSquintLeft": 0.6}),
    ("mouth corners", {"mouthDimpleLeft": 0.5, "mouthFrownRight": 0.5, "mouthSmileRight": 0.3}),
)
AGE = len(FIELDS)  # the field of the lines that age leaves
_DEPTH = 0.016  # decimetres at full activation
_SIDE = ATLAS * 11 // 24  # the square part of the atlas that has grooves
_ROW, _COLUMN = ATLAS // 8, (ATLAS - _SIDE) // 2  # its top left corner
_STEP = 2  # atlas texels per texel of a groove field
_WINDOW = slice(_ROW, _ROW + _SIDE), slice(_COLUMN, _COLUMN + _SIDE)


def _activation() -> np.ndarray:
    matrix = np.zeros((len(FACE_UNITS), AGE + 1), np.float32)
    for column, (_, shares) in enumerate(FIELDS):
        for unit, share in shares.items():
            matrix[FACE_UNITS.index(unit), column] = share
    return matrix


_ACTIVATION = _activation()


@dataclass(frozen=True)
class Wrinkles:
    """A person's grooves.

    Attributes:
        fields: (AGE + 1, rows, columns, 3) float32: slope to the right, slope down, depth share.
        strength: How deep this person's grooves become.
        age: Constant activation of the lines of age.
    """

    fields: np.ndarray
    strength: np.float32
    age: np.float32

    def relief(self, units: np.ndarray) -> Texture:
        """The grooves under the given face units: slopes and depth share on the window.

        Args:
            units: (len(FACE_UNITS),) weights.
        """
        activation = np.zeros(AGE + 1, np.float32)
        for weight, shares in zip(units, _ACTIVATION, strict=True):
            activation += np.float32(weight) * shares
        activation = np.clip(activation, 0, np.float32(1.2)) * self.strength
        activation[AGE] = self.age
        total = np.zeros_like(self.fields[0])
        for weight, field in zip(activation, self.fields, strict=True):
            if weight > 0.01:
                total += weight * field
        return texture(total, levels=1)


def in_window(place: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which atlas coordinates lie where grooves are, and the coordinates in that window.

    Args:
        place: (n, 2) float32 atlas coordinates.

    Returns:
        Indices of the places inside, and their (m, 2) coordinates in the window, 0..1.
    """
    scale = np.float32(ATLAS / _SIDE)
    x = (place[:, 0] - np.float32(_COLUMN / ATLAS)) * scale
    y = (place[:, 1] - np.float32(_ROW / ATLAS)) * scale
    inside = np.flatnonzero((x > 0) & (x < 1) & (y > 0) & (y < 1))
    return inside, np.stack([x[inside], y[inside]], 1)


def _groove(points: list[tuple[float, float]], width: float) -> np.ndarray:
    """Depth 0..1 of a groove along a polyline through (|x|, y), fading towards its ends."""
    face = regions()
    knots = np.array(points)
    t = np.linspace(0, len(knots) - 1, 24)
    curve = np.stack([np.interp(t, np.arange(len(knots)), knots[:, axis]) for axis in (0, 1)], 1)
    profile = np.sin(np.pi * np.linspace(0.06, 0.94, len(t))) ** 0.7
    across, y = face.across[_WINDOW], face.y[_WINDOW]
    low, high = curve.min(0) - 3.5 * width, curve.max(0) + 3.5 * width
    near = (across >= low[0]) & (across <= high[0]) & (y >= low[1]) & (y <= high[1])
    near &= face.z[_WINDOW] > 0.55
    place = np.stack([across[near], y[near]], 1)
    distance = ((place[:, None] - curve) ** 2).sum(-1)
    depth = np.zeros(across.shape)
    if len(place):
        depth[near] = (np.exp(-distance / (2 * width**2)) * profile).max(1)
    return depth


def sample(person: Identity) -> Wrinkles:
    """Draws where and how deep a person's skin folds."""
    rng = np.random.default_rng((person.seed, 5))
    face = regions()

    def near(value: float, spread: float = 0.015) -> float:
        return value + rng.normal(0, spread)

    depth = np.zeros((AGE + 1, _SIDE, _SIDE))
    for k in range(3):
        height = near(7.67 + 0.08 * k, 0.012)
        wave = [near(height, 0.008) for _ in range(4)]
        share = rng.uniform(0.6, 1)
        depth[0] += share * _groove(
            [(0, wave[0]), (0.14, wave[1] + 0.01), (0.26, wave[2]), (0.36, wave[3])], 0.020
        )
        depth[1] += share * _groove(
            [(0.22, wave[3] + 0.01), (0.40, wave[2] + 0.03), (0.56, wave[1] - 0.02)], 0.020
        )
    for k in range(int(rng.integers(1, 3))):
        foot = near(0.055 + 0.045 * k, 0.008)
        depth[2] += 0.9 * _groove(
            [(foot, 7.40), (near(foot + 0.008, 0.005), 7.49), (near(foot, 0.01), 7.57)], 0.018
        )
    depth[2] += 0.35 * _groove([(0, 7.40), (0.10, 7.41)], 0.018)
    for k in range(2):
        height = near(7.30 - 0.05 * k, 0.01)
        depth[3] += 0.8 * _groove(
            [(0, height), (0.06, height + 0.01), (0.12, height - 0.05)], 0.018
        )
    for k in range(3):
        fan = (k - 1) * 0.05
        depth[4] += 0.7 * _groove(
            [(0.50, 7.255 + 0.01 * k), (0.56, 7.25 + fan), (near(0.63), 7.23 + 2 * fan)], 0.013
        )
    depth[5] += 1.2 * _groove(
        [(near(0.165, 0.008), 6.97), (near(0.25), 6.87), (near(0.335), 6.75), (near(0.37), 6.62)],
        0.028,
    )
    depth[6] += 0.8 * _groove([(0, 6.40), (0.08, 6.395), (0.16, 6.37)], 0.020)
    chin = np.exp(-((face.x / 0.14) ** 2) - ((face.y - 6.30) / 0.09) ** 2)
    dimples = np.clip(noise(rng, ATLAS, (60,), (1.0,)), 0, 2)
    depth[6] += 0.2 * (chin * dimples)[_WINDOW]
    depth[7] += _groove([(0.18, 7.17), (0.30, 7.115), (0.42, 7.13)], 0.017)
    depth[7] += 0.5 * _groove([(0.20, 7.12), (0.32, 7.06), (0.44, 7.09)], 0.020)
    depth[8] += _groove(
        [(near(0.315, 0.01), 6.68), (near(0.34, 0.01), 6.61), (0.335, 6.53)], 0.020
    )
    depth[AGE] = 0.25 * depth[0] + 0.2 * depth[2] + 0.5 * depth[5] + 0.6 * depth[7]
    depth[AGE] += 0.35 * depth[4] + 0.3 * depth[8]
    return Wrinkles(
        fields=np.stack([_channels(field) for field in depth]),
        strength=np.float32(rng.uniform(0.6, 1.1) * (0.55 + 0.8 * person.age)),
        age=np.float32(1.1 * person.age),
    )


def _channels(depth: np.ndarray) -> np.ndarray:
    """Slopes and depth of a groove field, at the resolution that is sampled."""
    relief = np.zeros((ATLAS, ATLAS))
    relief[_WINDOW] = -_DEPTH * depth
    right, down = slopes(relief)
    full = np.stack([right[_WINDOW], down[_WINDOW], depth], -1)
    halves = full[0::_STEP] + full[1::_STEP]
    return ((halves[:, 0::_STEP] + halves[:, 1::_STEP]) / 4).astype(np.float32)
