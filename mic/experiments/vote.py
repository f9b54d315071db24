"""The outsider's vote: `mic.faces.fer`, which never saw our data, asked frame by frame.

Left open: its seven classes are not everybody's. Contempt is unknown to it, and where neutral is
no class (CK+, MMI) its vote for neutral is given to nobody.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mic.errors import ConfigError
from mic.faces.fer import LABELS


def vote(probabilities: np.ndarray, classes: Sequence[str]) -> np.ndarray:
    """Mean over the frames, for the classes asked for.

    Args:
        probabilities: (T, 7) from `Fer.probabilities`.
        classes: Names; those the network does not know get probability zero.

    Returns:
        (classes,) log-probabilities, -inf where it has no opinion.
    """
    known = [LABELS.index(name) if name in LABELS else -1 for name in classes]
    if max(known, default=-1) < 0:
        raise ConfigError(f"the network knows none of {', '.join(classes)}")
    mean = probabilities.mean(0)
    chosen = np.array([mean[place] if place >= 0 else 0.0 for place in known])
    with np.errstate(divide="ignore"):
        found: np.ndarray = np.log(chosen / chosen.sum())
    return found
