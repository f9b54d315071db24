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


def resolve(visible: Fragments, group: np.ndarray) -> Resolution:
    """Decides where one sample a pixel is enough.

    Args:
        visible: Fragments on a grid of `SAMPLES` x `SAMPLES` samples a pixel.
        group: (T,) int8 surface that each triangle belongs to.
    """
    height, width = (side // SAMPLES for side in visible.triangle.shape)
    triangle, depth = _blocks(visible.triangle), _blocks(visible.depth)
    covered = triangle >= 0
    any_covered = np.flatnonzero(covered.any(1))
    triangle, depth, covered = triangle[any_covered], depth[any_covered], covered[any_covered]
    surface = np.where(covered, group[triangle], np.int8(-1))
    low, high = depth.min(1), depth.max(1)
    one = covered.all(1) & (surface == surface[:, :1]).all(1) & (high - low < _STEP)
    whole, mixed = np.flatnonzero(one), np.flatnonzero(~one)
    rows, columns = np.nonzero(covered[mixed])
    # The sample that stands for a whole pixel is always its top left one.
    chosen = np.concatenate([any_covered[whole] * 4, any_covered[mixed][rows] * 4 + columns])
    second = _blocks(visible.second).ravel()[chosen][:, None]
    third = _blocks(visible.third).ravel()[chosen][:, None]
    return Resolution(
        samples=Samples(
            triangle=np.concatenate([triangle[whole, 0], triangle[mixed][rows, columns]]),
            weights=(1 - second - third, second, third),
        ),
        whole=any_covered[whole],
        mixed=any_covered[mixed],
        slot=rows * 4 + columns,
        shape=(height, width),
    )


def _blocks(grid: np.ndarray) -> np.ndarray:
    """(2H, 2W) samples as (H * W, 4): the four of each pixel side by side."""
    height, width = (side // SAMPLES for side in grid.shape)
    blocks = grid.reshape(height, SAMPLES, width, SAMPLES).transpose(0, 2, 1, 3)
    return blocks.reshape(height * width, SAMPLES * SAMPLES)
