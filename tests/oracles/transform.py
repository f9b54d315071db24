"""The scaled residual from its definition, in float64, through the coefficients themselves.

The full-size residual, which the other oracles vouch for, gives the coefficients back: a forward
DCT of its rounded samples is off by about 0.3, while dequantised coefficients of quantiser q lie
2 q apart (7.4.4.3), so rounding to the nearest possible value is exact for q >= 3.
"""

from __future__ import annotations

import numpy as np


def basis(size: int, count: int) -> np.ndarray:
    """Cosine basis (count, size): row k is C(k) / 2 cos((2 x + 1) k pi / (2 size)), 7.4.5."""
    x, k = np.arange(size), np.arange(count)[:, None]
    rows = np.cos((2 * x + 1) * k * np.pi / (2 * size)) / 2
    rows[0] /= np.sqrt(2)
    return rows


def blocks(plane: np.ndarray, size: int) -> np.ndarray:
    """(H, W) to (H / size, W / size, size, size)."""
    height, width = plane.shape
    return plane.reshape(height // size, size, width // size, size).swapaxes(1, 2)


def coefficients(plane: np.ndarray, quantiser: int) -> np.ndarray:
    """Dequantised coefficients of each 8x8 block of a residual, by H.263's method."""
    forward = basis(8, 8)
    found = forward @ blocks(plane.astype(float), 8) @ forward.T
    odd = quantiser - (quantiser % 2 == 0)
    # |F| = q (2 |L| + 1) - (q even) for |L| >= 1, or 0 (7.4.4.3).
    level = np.rint((np.abs(found) - odd) / (2 * quantiser)).clip(1)
    value = odd + 2 * quantiser * level
    return np.where(np.abs(found) < value / 2, 0, np.copysign(value, found))


def scaled(plane: np.ndarray, quantiser: int, scale: int) -> np.ndarray:
    """The residual at 1/scale: inverse DCT of each block's low coefficients, not yet rounded."""
    size = 8 // scale
    low = coefficients(plane, quantiser)[..., :size, :size]
    inverse = basis(size, size) if size > 1 else basis(1, 1)
    samples = inverse.T @ low @ inverse
    height, width = plane.shape
    return samples.swapaxes(1, 2).reshape(height // scale, width // scale)
