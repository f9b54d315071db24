"""Identity of a known amount, planted in features that have none: what would an attacker see?

"Nothing was found" is worth as much as what would have been. Here the clips of each expression
are dealt anew among its people, which keeps everything that features tell of the expression and
takes away all that they tell of the person; then each person gets a code of his or her own that
makes up a known share of what varies within an expression.
"""

from __future__ import annotations

import dataclasses
from typing import Literal

import numpy as np

from mic.errors import ConfigError
from mic.evaluation.leakage import Features

# `trace`: a person's clips share a displacement. `sign`: they share its axis, and each clip draws
# the direction, so that no mean and no covariance with the person is left to linear readers.
Code = Literal["trace", "sign"]


def planted(features: Features, share: float, *, code: Code = "trace", seed: int = 0) -> Features:
    """Features whose identity is known.

    The codes have the covariance that the features have within an expression, so that the share
    holds in every direction (it is the intraclass correlation) and no direction gives them away.

    Args:
        features: Of some people; where they come from is forgotten.
        share: Of the variance within an expression that the person accounts for, 0 to 1.
        code: See `Code`.
        seed: Of the dealing and of the codes.

    Raises:
        ConfigError: The share is none.
    """
    if not 0 <= share <= 1:
        raise ConfigError(f"{share} is no share", remedy="plant between 0 and 1")
    draw = np.random.default_rng(seed)
    z = np.array(features.z, float)
    means = np.empty_like(z)
    for label in np.unique(features.labels):
        rows = np.flatnonzero(features.labels == label)
        means[rows] = z[rows].mean(0)
        z[rows] = z[draw.permutation(rows)]
    within = z - means
    people = np.unique(features.subjects, return_inverse=True)[1]
    mixed = draw.normal(size=(int(people.max()) + 1, len(z)))
    # Gaussian codes of covariance within.T @ within / N.
    codes = (mixed @ within / np.sqrt(len(z)))[people]
    if code == "sign":
        codes *= draw.choice([-1.0, 1.0], size=(len(z), 1))
    made = means + np.sqrt(1 - share) * within + np.sqrt(share) * codes
    return dataclasses.replace(features, z=made)
