"""Light: a key, a fill and a sky, and the tone curve of the camera."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

# Skin scatters red light furthest: its terminator is soft and warm (wrap lighting).
SKIN_WRAP = np.array([0.38, 0.20, 0.12], np.float32)
HARD_WRAP = np.array([0.06, 0.06, 0.06], np.float32)
_FINE = 16  # steps of the tone curve's output below one grey level
_CURVE = 4096  # entries of the tone curve
_WHITE = 1.9  # linear value at the end of the curve


@dataclass(frozen=True)
class Lighting:
    """Where light comes from, in the camera's frame; colours are linear.

    Attributes:
        key: (3,) unit vector to the key light.
        key_colour: (3,).
        fill: (3,) unit vector to the fill light.
        fill_colour: (3,).
        sky: (3,) ambient light from above.
        ground: (3,) ambient light from below.
    """

    key: np.ndarray
    key_colour: np.ndarray
    fill: np.ndarray
    fill_colour: np.ndarray
    sky: np.ndarray
    ground: np.ndarray


def _unit(x: float, y: float, z: float) -> np.ndarray:
    vector = np.array([x, y, z])
    return (vector / np.sqrt((vector**2).sum())).astype(np.float32)


def studio(rng: np.random.Generator) -> Lighting:
    """A soft box beside the camera and a weak one opposite, as in a laboratory."""
    side = rng.uniform(-0.6, 0.6)
    strength = rng.uniform(0.85, 1.0)
    return Lighting(
        key=_unit(side, rng.uniform(0.35, 0.6), 0.8),
        key_colour=np.array([0.98, 0.95, 0.90], np.float32) * np.float32(0.82 * strength),
        fill=_unit(-1.2 * np.sign(side), 0.15, 0.6),
        fill_colour=np.array([0.20, 0.21, 0.24], np.float32),
        sky=np.array([0.37, 0.38, 0.40], np.float32) * np.float32(strength),
        ground=np.array([0.24, 0.22, 0.21], np.float32),
    )


def found(rng: np.random.Generator) -> Lighting:
    """Whatever light a film scene has: any side, any colour, hard or flat."""
    angle = rng.uniform(-1.2, 1.2)
    warmth = rng.normal(0, 0.10)
    tint = np.array([1 + warmth, 1, 1 - warmth])
    key, ambient = rng.uniform(0.45, 1.0), rng.uniform(0.16, 0.42)
    colours = {
        "key_colour": tint * key,
        "fill_colour": np.full(3, rng.uniform(0.04, 0.2)) / tint,
        "sky": ambient * (1 + rng.normal(0, 0.06, 3)),
        "ground": ambient * rng.uniform(0.4, 0.8) * (1 + rng.normal(0, 0.08, 3)),
    }
    return Lighting(
        key=_unit(np.sin(angle), rng.uniform(0.05, 0.8), 0.9 * np.cos(angle) + 0.15),
        fill=_unit(-np.sin(angle), 0.1, 0.5),
        **{name: colour.astype(np.float32) for name, colour in colours.items()},
    )


def dot(vectors: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """Inner products of (n, 3) rows with one vector, summed in a fixed order."""
    total = vectors[:, 0] * direction[0] + vectors[:, 1] * direction[1]
    return total + vectors[:, 2] * direction[2]


def unit(vectors: np.ndarray) -> np.ndarray:
    """(n, 3) rows scaled to length 1."""
    squared = vectors[:, 0] * vectors[:, 0] + vectors[:, 1] * vectors[:, 1]
    squared += vectors[:, 2] * vectors[:, 2]
    return vectors * (1 / np.sqrt(np.maximum(squared, np.float32(1e-12))))[:, None]


def irradiance(
    lighting: Lighting,
    normal: np.ndarray,
    *,
    visible: np.ndarray,
    occlusion: np.ndarray,
    wrap: np.ndarray,
) -> np.ndarray:
    """Diffuse light that arrives, divided by pi.

    Args:
        lighting: The lights.
        normal: (n, 3) unit normals.
        visible: (n,) share of the key light that is not shadowed.
        occlusion: (n,) share of the sky that is seen.
        wrap: (n, 3) or (3,) how far light creeps around, per channel.

    Returns:
        (n, 3) float32.
    """
    key = (dot(normal, lighting.key)[:, None] + wrap) / (1 + wrap)
    np.maximum(key, 0, out=key)
    key *= visible[:, None]
    key *= lighting.key_colour
    fill = np.maximum(dot(normal, lighting.fill), 0)
    key += (fill * occlusion)[:, None] * lighting.fill_colour
    upward = np.float32(0.5) + np.float32(0.5) * normal[:, 1]
    sky = lighting.ground + upward[:, None] * (lighting.sky - lighting.ground)
    sky *= occlusion[:, None]
    key += sky
    return key


def half_way(lighting: Lighting) -> np.ndarray:
    """(3,) unit vector half way between the key light and the camera."""
    return unit((lighting.key + np.array([0, 0, 1], np.float32))[None])[0]


def highlight(lighting: Lighting, normal: np.ndarray) -> np.ndarray:
    """(n,) Blinn-Phong highlight of skin: a broad sheen and a narrow gleam."""
    cosine = np.maximum(dot(normal, half_way(lighting)), 0)
    p4 = cosine * cosine
    p4 *= p4
    p8 = p4 * p4
    p16 = p8 * p8
    return p8 * p4 + p16 * p16 * p16


@lru_cache(maxsize=1)
def _tone_curve() -> np.ndarray:
    """Linear light to display values in 1/16 grey levels: a soft shoulder, then gamma."""
    x = np.linspace(0, _WHITE, _CURVE)
    shoulder = 1.08 * x / (1 + 0.16 * x)
    display = np.clip(shoulder, 0, 1) ** (1 / 1.35)
    return np.rint(display * 255 * _FINE).astype(np.int16)


def develop(image: np.ndarray, grain: np.ndarray) -> np.ndarray:
    """Turns linear light into 8-bit pixels.

    Args:
        image: (H, W, 3) float32 linear light.
        grain: (H, W, 3) int16 sensor noise in 1/16 grey levels.

    Returns:
        (H, W, 3) uint8.
    """
    scale = np.float32((_CURVE - 1) / _WHITE)
    index = np.clip(image * scale + np.float32(0.5), 0, _CURVE - 1).astype(np.int16)
    value = _tone_curve()[index] + grain + np.int16(_FINE // 2)
    return np.clip(value >> 4, 0, 255).astype(np.uint8, order="C")
