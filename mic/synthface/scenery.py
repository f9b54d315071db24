"""What is around the person: backdrop, clutter, camera noise, motion blur."""

from __future__ import annotations

import numpy as np

from mic.synthface.fields import box_blur, noise
from mic.synthface.render import Layer

_GRAIN_TILE = 192  # side of the noise pattern that frames take their grain from


def backdrop(rng: np.random.Generator, size: int) -> np.ndarray:
    """(size, size, 3) float32: a plain studio wall, lighter above."""
    shade = np.linspace(1.05, 0.88, size)[:, None, None]
    wall = rng.uniform(0.15, 0.45) * shade * (1 + rng.normal(0, 0.02, 3))
    return np.broadcast_to(np.clip(wall, 0, 1), (size, size, 3)).astype(np.float32)


def clutter(rng: np.random.Generator, size: int) -> np.ndarray:
    """(2 size, 2 size, 3) float32: a blurred room to pan over."""
    side = 2 * size
    picture = np.ones((side, side, 3)) * _paint(rng)
    y, x = np.mgrid[0:side, 0:side] / side
    for _ in range(int(rng.integers(10, 24))):
        colour = _paint(rng)
        angle = rng.choice([0, 0, rng.uniform(-0.5, 0.5)])
        centre, extent = rng.uniform(0, 1, 2), rng.uniform(0.03, 0.3, 2)
        u = (x - centre[0]) * np.cos(angle) + (y - centre[1]) * np.sin(angle)
        v = (y - centre[1]) * np.cos(angle) - (x - centre[0]) * np.sin(angle)
        if rng.random() < 0.7:
            inside = (np.abs(u) < extent[0]) & (np.abs(v) < extent[1])
        else:
            inside = (u / extent[0]) ** 2 + (v / extent[1]) ** 2 < 1
        stripes = 1 + 0.25 * np.sin(u[inside] * rng.uniform(15, 80))
        picture[inside] = 0.15 * picture[inside] + 0.85 * colour * stripes[:, None]
    picture *= 1 + 0.08 * noise(rng, side, (8, 32), (0.6, 0.4))[..., None]
    radius = int(rng.integers(1, 5) * size / 128) + 1
    for axis in (0, 1, 0, 1):
        picture = box_blur(picture, radius, axis)
    return np.clip(picture, 0, 1).astype(np.float32)


def _paint(rng: np.random.Generator) -> np.ndarray:
    """(3,) reflectance of a wall or a piece of furniture: mostly grey, seldom gaudy."""
    hue = rng.uniform(-1, 1, 3)
    return np.clip(rng.uniform(0.03, 0.65) * (1 + rng.beta(1.2, 3.0) * hue), 0, 1)


def grain(rng: np.random.Generator, strength: float) -> np.ndarray:
    """(side, side, 3) int16 sensor noise in 1/16 grey levels, to cut frames' grain from."""
    tile = rng.standard_normal((_GRAIN_TILE, _GRAIN_TILE, 3)) * strength * 16
    # Neighbouring pixels share noise: sensors interpolate colour.
    smooth = 0.7 * tile + 0.3 * np.roll(tile, 1, axis=1)
    return np.rint(smooth).astype(np.int16)


def cut_grain(tile: np.ndarray, rng: np.random.Generator, size: int) -> np.ndarray:
    """A random (size, size, 3) part of the noise pattern, wrapped around."""
    rows = (np.arange(size) + rng.integers(_GRAIN_TILE)) % _GRAIN_TILE
    columns = (np.arange(size) + rng.integers(_GRAIN_TILE)) % _GRAIN_TILE
    return tile[rows[:, None], columns]


def smear(layer: Layer, motion: np.ndarray) -> Layer:
    """Motion blur: the mean of the layer over its path while the shutter is open.

    Args:
        layer: What moves.
        motion: (2,) path in pixels, x and y.
    """
    taps = int(np.ceil(np.abs(motion).max()))
    if taps < 1:
        return layer
    channels = np.concatenate([layer.colour, layer.cover[..., None]], -1)
    total = np.zeros_like(channels)
    for k in range(taps + 1):
        at = np.rint((k / taps - 0.5) * motion).astype(int)
        total += _shifted(channels, int(at[0]), int(at[1]))
    total *= np.float32(1 / (taps + 1))
    return Layer(colour=total[..., :3], cover=total[..., 3])


def _shifted(channels: np.ndarray, right: int, down: int) -> np.ndarray:
    """Pixels moved by whole steps; what enters repeats the edge."""
    height, width = channels.shape[:2]
    rows = np.clip(np.arange(height) - down, 0, height - 1)
    columns = np.clip(np.arange(width) - right, 0, width - 1)
    return channels[rows[:, None], columns]
