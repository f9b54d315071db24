"""Small building blocks of textures: ramps, bumps, noise, blur, and filtered sampling.

What uses transcendental functions works in float64 and is rounded to float32 by its caller: those
functions differ in their last bits between vector units, which rounding hides.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


def ramp(low: float, high: float, value: np.ndarray) -> np.ndarray:
    """0 up to `low`, 1 from `high`, smooth between (Hermite); `low` may exceed `high`."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def bump(value: np.ndarray, width: float) -> np.ndarray:
    """Gaussian of the given width, exp(-(value / width)^2)."""
    return np.exp(-((value / width) ** 2))


def noise(
    rng: np.random.Generator, size: int, cells: tuple[int, ...], weights: tuple[float, ...]
) -> np.ndarray:
    """Value noise: normal values on coarse grids, smoothly interpolated and summed.

    Args:
        rng: Source of chance.
        size: Texels along either side.
        cells: Grid cells along either side, per octave.
        weights: Standard deviation of each octave's grid values.

    Returns:
        (size, size) float64.
    """
    total = np.zeros((size, size))
    for count, weight in zip(cells, weights, strict=True):
        grid = weight * rng.standard_normal((count + 1, count + 1))
        place = np.arange(size) * count / size
        cell = place.astype(int)
        t = place - cell
        t = t * t * (3 - 2 * t)
        rows = grid[cell] + (grid[cell + 1] - grid[cell]) * t[:, None]
        total += rows[:, cell] + (rows[:, cell + 1] - rows[:, cell]) * t
    return total


def box_blur(image: np.ndarray, radius: int, axis: int) -> np.ndarray:
    """Mean over 2 * radius + 1 samples along one axis, edges repeated."""
    padding = [(0, 0)] * image.ndim
    padding[axis] = (radius + 1, radius)
    running = np.cumsum(np.pad(image, padding, mode="edge"), axis=axis)
    count = image.shape[axis]
    high = np.take(running, np.arange(2 * radius + 1, 2 * radius + 1 + count), axis=axis)
    low = np.take(running, np.arange(count), axis=axis)
    return (high - low) / (2 * radius + 1)


@dataclass(frozen=True)
class Texture:
    """A square texture with its reduced copies, sampled bilinearly.

    Attributes:
        texels: (sum of side^2, C) float32, all levels one after the other.
        sides: Texels along either side, per level, each half of the one before.
        starts: First row of each level in `texels`.
    """

    texels: np.ndarray
    sides: np.ndarray
    starts: np.ndarray

    def sample(self, place: np.ndarray, level: np.ndarray) -> np.ndarray:
        """Bilinear samples.

        Args:
            place: (n, 2) float32 coordinates, 0..1.
            level: (n,) level to read for each; see `level_for`.

        Returns:
            (n, C) float32.
        """
        side = self.sides[level]
        limit = side - 1
        x = place[:, 0] * side - np.float32(0.5)
        y = place[:, 1] * side - np.float32(0.5)
        x, y = np.clip(x, 0, limit), np.clip(y, 0, limit)
        column, row = x.astype(np.int32), y.astype(np.int32)
        fx, fy = (x - column)[:, None], (y - row)[:, None]
        first = self.starts[level] + row * side + column
        right = np.where(column < limit, 1, 0).astype(np.int32)
        below = np.where(row < limit, side, 0).astype(np.int32)
        upper = self._mix(first, first + right, fx)
        lower = self._mix(first + below, first + below + right, fx)
        lower -= upper
        lower *= fy
        upper += lower
        return upper

    def _mix(self, left: np.ndarray, right: np.ndarray, share: np.ndarray) -> np.ndarray:
        value = np.take(self.texels, left, axis=0)
        step = np.take(self.texels, right, axis=0)
        step -= value
        step *= share
        value += step
        return value

    def level_for(self, texels_per_sample: np.ndarray) -> np.ndarray:
        """The level whose texels are about as large as a sample.

        Args:
            texels_per_sample: (n,) texels of the finest level that fall on one sample, as area.
        """
        level = np.zeros(len(texels_per_sample), np.int32)
        for k in range(1, len(self.sides)):
            # Half a level early: a little blur costs less than a little aliasing in a residual.
            level += texels_per_sample > np.float32(2 * 4 ** (k - 1))
        return level


def texture(image: np.ndarray, *, levels: int = 5) -> Texture:
    """Makes a `Texture` of a square (N, N, C) image; each level averages 2 x 2 texels."""
    current = image.astype(np.float32)
    pyramid = [current]
    for _ in range(levels - 1):
        current = (
            (current[0::2, 0::2] + current[1::2, 0::2])
            + (current[0::2, 1::2] + current[1::2, 1::2])
        ) * np.float32(0.25)
        pyramid.append(current)
    sides = np.array([len(level) for level in pyramid], np.int32)
    starts = np.concatenate([[0], np.cumsum(sides[:-1] ** 2)]).astype(np.int32)
    flat = np.concatenate([level.reshape(-1, level.shape[-1]) for level in pyramid])
    return Texture(texels=np.ascontiguousarray(flat), sides=sides, starts=starts)
