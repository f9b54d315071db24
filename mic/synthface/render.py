"""Draws a subject: geometry, visibility at four samples a pixel, shading once where that suffices.

Inside a surface one sample a pixel is shaded (textures are filtered); where surfaces meet, all
four are. So edges are smooth and a drifting head leaves no flicker, at a quarter of the price.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mic.synthface.raster import Fragments

SAMPLES = 2  # visibility samples along either side of a pixel
_STEP = np.float32(0.06)  # decimetres of depth within a pixel that make it an edge


@dataclass(frozen=True)
class Layer:
    """A picture with soft edges.

    Attributes:
        colour: (H, W, 3) float32 linear light, multiplied by `cover`.
        cover: (H, W) float32, 0..1.
    """

    colour: np.ndarray
    cover: np.ndarray

    def over(self, behind: np.ndarray) -> np.ndarray:
        """This layer in front of an opaque (H, W, 3) picture."""
        return self.colour + behind * (1 - self.cover)[..., None]

    def before(self, other: Layer) -> Layer:
        """This layer in front of another, as one layer."""
        through = 1 - self.cover
        return Layer(
            colour=self.colour + other.colour * through[..., None],
            cover=self.cover + other.cover * through,
        )


@dataclass(frozen=True)
class Samples:
    """The visible surface points that are to be shaded.

    Attributes:
        triangle: (n,) triangle that each lies on.
        weights: Three (n, 1) float32 barycentric weights.
    """

    triangle: np.ndarray
    weights: tuple[np.ndarray, np.ndarray, np.ndarray]

    def interpolate(self, values: np.ndarray, corners: np.ndarray) -> np.ndarray:
        """Per-vertex (V, C) values at the samples.

        Args:
            values: Per-vertex quantities.
            corners: (T, 3) vertices of all triangles.
        """
        at = corners[self.triangle]
        total = np.take(values, at[:, 0], axis=0)
        total *= self.weights[0]
        for corner in (1, 2):
            part = np.take(values, at[:, corner], axis=0)
            part *= self.weights[corner]
            total += part
        return total


@dataclass(frozen=True)
class Resolution:
    """Which samples of a screen are shaded, and how they become pixels.

    Attributes:
        samples: The surface points to shade: first those that stand for whole pixels.
        whole: (p,) pixels that one sample stands for.
        mixed: (q,) pixels that are the mean of four samples.
        slot: (n - p,) row * 4 + sample of each further sample in `mixed`.
        shape: Height and width in pixels.
    """

    samples: Samples
    whole: np.ndarray
    mixed: np.ndarray
    slot: np.ndarray
    shape: tuple[int, int]

    def gather(self, colour: np.ndarray, cover: np.ndarray | None = None) -> Layer:
        """Pixels from shaded samples.

        Args:
            colour: (n, 3) linear light of each sample.
            cover: (n,) its opacity, or None for opaque surfaces.
        """
        count = len(self.whole)
        shaded = np.ones((len(colour), 4), np.float32)
        shaded[:, :3] = colour
        if cover is not None:
            shaded *= cover[:, None]
        four = np.zeros((len(self.mixed) * 4, 4), np.float32)
        four[self.slot] = shaded[count:]
        four = four.reshape(-1, 4, 4)
        pixels = np.zeros((self.shape[0] * self.shape[1], 4), np.float32)
        pixels[self.whole] = shaded[:count]
        mean = (four[:, 0] + four[:, 1]) + (four[:, 2] + four[:, 3])
        pixels[self.mixed] = mean * np.float32(0.25)
        pixels = pixels.reshape(*self.shape, 4)
        return Layer(colour=pixels[..., :3], cover=pixels[..., 3])


def resolve(visible: Fragments, group: np.ndarray, hidden: np.ndarray | None = None) -> Resolution:
    """Decides where one sample a pixel is enough.

    Args:
        visible: Fragments on a grid of `SAMPLES` x `SAMPLES` samples a pixel.
        group: (T,) int8 surface that each triangle belongs to.
        hidden: (H, W) bool, pixels that need no shading at all, or None.
    """
    width = visible.triangle.shape[1]
    # The extra entry is what index -1 finds: no surface.
    surface = np.append(group, np.int8(-1))[visible.triangle]
    a, b, c, d = _corners(surface)
    one = (a == b) & (c == d) & (a == c) & (a >= 0)
    p, q, r, s = _corners(visible.depth)
    low, high = np.minimum(p, q), np.maximum(p, q)
    low, high = np.minimum(low, np.minimum(r, s)), np.maximum(high, np.maximum(r, s))
    with np.errstate(invalid="ignore"):  # the background is infinitely far from itself
        one &= high - low < _STEP
    mixed = ((a >= 0) | (b >= 0) | (c >= 0) | (d >= 0)) & ~one
    if hidden is not None:
        one &= ~hidden
        mixed &= ~hidden
    # The sample that stands for a whole pixel is always its top left one.
    rows, columns = np.nonzero(one)
    first = (rows * width + columns) * SAMPLES
    mixed_rows, mixed_columns = np.nonzero(mixed)
    corner = (mixed_rows * width + mixed_columns) * SAMPLES
    four = (corner[:, None] + np.array([0, 1, width, width + 1])).ravel()
    slot = np.flatnonzero(visible.triangle.ravel()[four] >= 0)
    chosen = np.concatenate([first, four[slot]])
    second = visible.second.ravel()[chosen][:, None]
    third = visible.third.ravel()[chosen][:, None]
    return Resolution(
        samples=Samples(
            triangle=visible.triangle.ravel()[chosen],
            weights=(1 - second - third, second, third),
        ),
        whole=np.flatnonzero(one),
        mixed=np.flatnonzero(mixed),
        slot=slot,
        shape=one.shape,
    )


def _corners(grid: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The four samples of every pixel, as views: top left, top right, bottom left and right."""
    return grid[0::2, 0::2], grid[0::2, 1::2], grid[1::2, 0::2], grid[1::2, 1::2]
