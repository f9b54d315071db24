"""Real spherical harmonics up to degree 4, as polynomials in the direction's coordinates.

Used for soft self-shadowing: what a vertex sees of the sphere around it is stored as 25
coefficients, and the visible share of a light in a direction is one inner product (Sloan, Kautz,
Snyder: Precomputed Radiance Transfer, SIGGRAPH 2002).
"""

from __future__ import annotations

import numpy as np

COUNT = 25

# Lanczos-like window per degree: a truncated series would ring around hard shadow edges.
WINDOW = np.repeat([1.0, 0.94, 0.78, 0.56, 0.32], [1, 3, 5, 7, 9])


def basis(direction: np.ndarray) -> np.ndarray:
    """The orthonormal real harmonics in the given directions.

    Args:
        direction: (..., 3) unit vectors.

    Returns:
        (..., 25) float64 values, ordered by degree, then by order from -l to l.
    """
    x, y, z = np.moveaxis(np.asarray(direction, np.float64), -1, 0)
    xx, yy, zz = x * x, y * y, z * z
    terms = (
        0.28209479177387814 + 0 * x,
        0.4886025119029199 * y,
        0.4886025119029199 * z,
        0.4886025119029199 * x,
        1.0925484305920792 * x * y,
        1.0925484305920792 * y * z,
        0.31539156525252005 * (3 * zz - 1),
        1.0925484305920792 * x * z,
        0.5462742152960396 * (xx - yy),
        0.5900435899266435 * y * (3 * xx - yy),
        2.890611442640554 * x * y * z,
        0.4570457994644658 * y * (5 * zz - 1),
        0.3731763325901154 * z * (5 * zz - 3),
        0.4570457994644658 * x * (5 * zz - 1),
        1.445305721320277 * z * (xx - yy),
        0.5900435899266435 * x * (xx - 3 * yy),
        2.5033429417967046 * x * y * (xx - yy),
        1.7701307697799304 * y * z * (3 * xx - yy),
        0.9461746957575601 * x * y * (7 * zz - 1),
        0.6690465435572892 * y * z * (7 * zz - 3),
        0.10578554691520431 * (35 * zz * zz - 30 * zz + 3),
        0.6690465435572892 * x * z * (7 * zz - 3),
        0.47308734787878004 * (xx - yy) * (7 * zz - 1),
        1.7701307697799304 * x * z * (xx - 3 * yy),
        0.6258357354491761 * (xx * (xx - 3 * yy) - yy * (3 * xx - yy)),
    )
    return np.stack(terms, -1)
