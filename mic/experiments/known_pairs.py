"""Pairs of variables whose mutual information is known, and not only Gaussian ones.

An estimator that is exact for Gaussian copulas proves nothing about features, which are none:
here are heavy tails, dependence without correlation, bounded support and a single shared bit, by
itself and shown by faces.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import numpy as np
import torch
from scipy import integrate, special
from torch import Tensor

Draw = Callable[[int, torch.Generator], tuple[Tensor, Tensor]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pair:
    """A joint distribution of x and y.

    Attributes:
        name: What it is.
        dimensions: Of x and of y.
        truth: Mutual information, nats.
        draw: Maps (N, generator) to x (N, d) and y (N, d), float32.
    """

    name: str
    dimensions: int
    truth: float
    draw: Draw


def pairs() -> list[Pair]:
    """Those that need no data, of what `tests/campaigns/estimators.py` asks all estimators."""
    return [
        *(gaussian(size, 0.6) for size in (1, 5)),
        *(student(size, 2.0, 0.0) for size in (1, 5)),
        student(5, 2.0, 0.6),
        *(random_sign(size, 0.5) for size in (1, 5)),
        *(uniform(size, 0.5) for size in (1, 5)),
        *(binary_channel(size, 0.1) for size in (1, 5)),
    ]


def gaussian(size: int, rho: float) -> Pair:
    """Coordinates with correlation rho each: -d/2 log(1 - rho^2)."""

    def draw(count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        x, noise = torch.randn(2, count, size, generator=generator)
        return x, rho * x + math.sqrt(1 - rho**2) * noise

    return Pair(name="Gaussian", dimensions=size, truth=_gaussian(size, rho), draw=draw)


def student(size: int, freedom: float, rho: float) -> Pair:
    """A multivariate Student variable split in two: dependent through its scale at rho = 0, too.

    The truth is the Gaussian's plus the entropies of the spherical Student variables of d, d and
    2 d dimensions (Arellano-Valle, Contreras-Reyes and Genton 2013).
    """

    def entropy(dimensions: int) -> float:
        half = (freedom + dimensions) / 2
        volume = dimensions / 2 * math.log(freedom * math.pi)
        volume += special.gammaln(freedom / 2) - special.gammaln(half)
        return float(volume + half * (special.digamma(half) - special.digamma(freedom / 2)))

    def draw(count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        x, y = normal.draw(count, generator)
        # Chi-squared of an integer number of degrees of freedom: a sum of squares.
        squares = torch.randn(count, round(freedom), generator=generator).square().sum(1)
        scale = (freedom / squares).sqrt()[:, None]
        return x * scale, y * scale

    normal = gaussian(size, rho)
    truth = normal.truth + 2 * entropy(size) - entropy(2 * size)
    name = f"Student, {freedom:g} degrees of freedom, correlation {rho:g}"
    return Pair(name=name, dimensions=size, truth=truth, draw=draw)


def random_sign(size: int, noise: float) -> Pair:
    """A sign a row: y = s x + noise, dependent and uncorrelated in every coordinate.

    I(x; y) = I(x; y | s) - I(s; y | x): the Gaussian's, less what y tells of the sign once x is
    known, the capacity of a binary channel with Gaussian noise of amplitude |x| / noise.
    """

    def draw(count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        x, disturbance = torch.randn(2, count, size, generator=generator)
        sign = torch.randint(2, (count, 1), generator=generator) * 2.0 - 1.0
        return x, sign * x + noise * disturbance

    nodes, weights = special.roots_hermitenorm(80)
    weights = weights / weights.sum()

    def of_sign(amplitude: float) -> float:
        lost = np.logaddexp(0, -2 * amplitude * (amplitude + nodes))
        return math.log(2) - float(weights @ lost)

    def weighted(length: float) -> float:
        log_density = (size - 1) * math.log(length) - length**2 / 2 - special.gammaln(size / 2)
        density = math.exp(log_density - (size / 2 - 1) * math.log(2))
        return density * of_sign(length / noise)

    told = integrate.quad(weighted, 1e-9, 12, limit=200)[0]
    truth = size / 2 * math.log1p(noise**-2) - told
    return Pair(name="random sign", dimensions=size, truth=truth, draw=draw)


def uniform(size: int, width: float) -> Pair:
    """Bounded support: y = x + width u, x and u uniform on (0, 1): width / 2 - log width each.

    The closed form is that of a trapezoid, for widths up to 1.
    """

    def draw(count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        x, noise = torch.rand(2, count, size, generator=generator)
        return x, x + width * noise

    truth = size * (width / 2 - math.log(width))
    return Pair(name="uniform", dimensions=size, truth=truth, draw=draw)


def binary_channel(size: int, flipped: float) -> Pair:
    """A fair bit through a binary symmetric channel, in the first of `size` coordinates.

    Both ends carry a uniform dither that hides nothing of the bit, so that no two rows are equal.
    The other coordinates are independent noise. log 2 less the entropy of a flip.
    """

    def draw(count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        x, y = torch.rand(2, count, size, generator=generator)
        bit = torch.randint(2, (count,), generator=generator)
        flip = torch.rand(count, generator=generator) < flipped
        x[:, 0] += bit
        y[:, 0] += bit ^ flip
        return x, y

    entropy = -flipped * math.log(flipped) - (1 - flipped) * math.log1p(-flipped)
    return Pair(name="binary channel", dimensions=size, truth=math.log(2) - entropy, draw=draw)


def face_channel(faces: np.ndarray, bits: np.ndarray, size: int, flipped: float) -> Pair:
    """A fair bit through a binary symmetric channel, each end a face that shows it.

    At either end one of the faces that show the end's bit is drawn, whoever has it. Nothing else
    of one end is in the other, and each of the faces tells its bit: log 2 less the entropy of a
    flip. An estimator finds that as far as the components show the bit of faces that it did not
    learn from, and however many pairs are drawn, there are N faces.

    Args:
        faces: (N, ...) pictures.
        bits: bool (N,), what each shows.
        size: Principal components of the pictures that are handed out.
        flipped: Chance that the ends show different bits.
    """
    flat = faces.reshape(len(faces), -1).astype(np.float64)
    _, spread, axes = np.linalg.svd(flat - flat.mean(0), full_matrices=False)
    parts = (flat - flat.mean(0)) @ axes[:size].T / spread[:size] * math.sqrt(len(faces))
    known = torch.from_numpy(parts).float()
    shown = [torch.from_numpy(np.flatnonzero(np.asarray(bits) == bit)) for bit in (False, True)]

    def end(bit: Tensor, generator: torch.Generator) -> Tensor:
        chosen = torch.rand(len(bit), generator=generator)
        rows = torch.empty(len(bit), dtype=torch.int64)
        for value, pool in enumerate(shown):
            these = bit == value
            rows[these] = pool[(chosen[these] * len(pool)).long()]
        # No two rows are equal; a thousandth of the spread hides nothing.
        return known[rows] + 1e-3 * torch.rand(len(bit), size, generator=generator)

    def draw(count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        bit = torch.randint(2, (count,), generator=generator)
        flip = torch.rand(count, generator=generator) < flipped
        return end(bit, generator), end(bit ^ flip, generator)

    truth = binary_channel(size, flipped).truth
    return Pair(name="binary channel of faces", dimensions=size, truth=truth, draw=draw)


def _gaussian(size: int, rho: float) -> float:
    return -size / 2 * math.log1p(-(rho**2))
