"""Feature coding for machines: a few numbers of a network sent in place of the video.

A transform coder: principal components of the training clips' features (the Karhunen-Loève
transform), one uniform quantiser for all of them, and an arithmetic coder (exact, in integers of
any length) whose probabilities are those of a Gaussian with each component's training variance.
The message is really written and read; what both ends must know (mean, components, variances) is
part of the network and costs nothing a clip.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from mic.errors import ConfigError

_PRECISION = 16  # bits of a probability
_REACH = 6  # standard deviations beyond which levels saturate


@dataclasses.dataclass(frozen=True, kw_only=True)
class FeatureCoder:
    """A coder that was fitted to training features; create one with `fit`.

    Attributes:
        mean: (d,) of the training features.
        components: (k, d) orthonormal rows.
        step: Distance of two levels.
        highest: (k,) int, largest level of each component; the lowest is its negative.
        starts: For each component (2 `highest` + 2,) int, cumulative frequencies of its levels
            from the lowest on, in parts of 2**16.
    """

    mean: NDArray[np.float64]
    components: NDArray[np.float64]
    step: float
    highest: NDArray[np.int64]
    starts: tuple[NDArray[np.int64], ...]

    @classmethod
    def fit(cls, features: NDArray[np.float64], step: float) -> FeatureCoder:
        """A coder for features like these.

        Args:
            features: (N, d) of the training clips.
            step: Of the quantiser, in standard deviations of the first principal component.

        Raises:
            ConfigError: The step is not positive, or all features are equal.
        """
        if step <= 0:
            raise ConfigError(f"a step of {step}", remedy="use one above 0")
        mean = features.mean(0)
        _, values, rows = np.linalg.svd(features - mean, full_matrices=False)
        spreads = values / np.sqrt(len(features))
        kept = spreads > 1e-6 * max(spreads[0], 1e-12)
        if not kept.any():
            raise ConfigError(
                "features without any spread", remedy="fit the coder to different clips"
            )
        relative = spreads[kept] / (step * spreads[0])  # deviations in levels
        highest = np.ceil(_REACH * relative).astype(np.int64)
        starts = tuple(_frequencies(*one) for one in zip(relative, highest, strict=True))
        return cls(
            mean=mean,
            components=rows[kept],
            step=float(step * spreads[0]),
            highest=highest,
            starts=starts,
        )

    def levels(self, features: NDArray[np.float64]) -> NDArray[np.int64]:
        """(N, k) what is sent of features (N, d)."""
        inside = (features - self.mean) @ self.components.T / self.step
        return np.rint(inside).astype(np.int64).clip(-self.highest, self.highest)

    def restored(self, levels: NDArray[np.int64]) -> NDArray[np.float64]:
        """(N, d) features of levels (N, k)."""
        found: NDArray[np.float64] = self.mean + self.step * levels @ self.components
        return found

    def encode(self, levels: NDArray[np.int64]) -> str:
        """The message of one clip's levels (k,), as binary digits."""
        low, width, places = 0, 1, 0  # the message lies in [low, low + width) of 2**-places
        for symbol, starts in zip(levels + self.highest, self.starts, strict=True):
            start, end = int(starts[symbol]), int(starts[symbol + 1])
            low, width = (low << _PRECISION) + width * start, width * (end - start)
            places += _PRECISION
        # The shortest binary fraction in the interval.
        free = width.bit_length() - 1
        while (message := -(-low >> free)) << free >= low + width:
            free -= 1
        length = places - free
        return f"{message:0{length}b}" if length else ""

    def decode(self, message: str) -> NDArray[np.int64]:
        """The levels (k,) of a message."""
        sent = int(message or "0", 2)
        low, width, places = 0, 1, 0
        found = np.empty(len(self.starts), np.int64)
        for place, starts in enumerate(self.starts):
            places += _PRECISION
            low <<= _PRECISION
            slot = (((sent << places) >> len(message)) - low) // width
            symbol = int(np.searchsorted(starts, slot, side="right")) - 1
            start, end = int(starts[symbol]), int(starts[symbol + 1])
            low, width = low + width * start, width * (end - start)
            found[place] = symbol - self.highest[place]
        return found


def _frequencies(spread: float, highest: int) -> NDArray[np.int64]:
    """Cumulative frequencies of levels -highest..highest of a Gaussian; none is 0."""
    edges = np.arange(-highest, highest + 2) - 0.5
    chances = np.diff(ndtr(edges / spread))
    count = len(chances)
    if count > 1 << (_PRECISION - 2):
        raise ConfigError(
            f"{count} levels are too many", remedy=f"use a step of {_REACH / 2**12:.0e} or more"
        )
    frequencies = 1 + np.floor(chances * ((1 << _PRECISION) - count)).astype(np.int64)
    frequencies[highest] += (1 << _PRECISION) - frequencies.sum()
    return np.concatenate([[0], np.cumsum(frequencies)])
