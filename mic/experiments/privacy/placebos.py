"""What a method is given in place of z_I, to see what it lowers without knowing the person.

Whatever a regulariser or an eraser lowers with these, it lowers by harming the features; it is
worth what it does beyond that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

Draw = Callable[[np.ndarray, np.ndarray, int], np.ndarray]


def _stranger(identity: np.ndarray, subjects: np.ndarray, seed: int) -> np.ndarray:
    # One stranger for all clips of a person would not do: it names the person as well as its own.
    draw = np.random.default_rng(seed)
    rows = np.empty(len(subjects), int)
    for subject in np.unique(subjects):
        own = subjects == subject
        rows[own] = draw.choice(np.flatnonzero(~own), own.sum())
    return identity[rows]


def _noise(identity: np.ndarray, subjects: np.ndarray, seed: int) -> np.ndarray:
    del subjects
    draw = np.random.default_rng(seed)
    made: np.ndarray = draw.normal(size=identity.shape) * np.nanstd(identity, 0)
    return made


# From z_I (N, d), people (N,) and a seed to (N, d). `stranger`: the z_I of another person's clip,
# drawn anew for each clip. `noise`: Gaussian, of the same variance.
DRAWS: Mapping[str, Draw] = {"stranger": _stranger, "noise": _noise}
