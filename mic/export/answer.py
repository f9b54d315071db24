"""What an exported network says, whatever runs it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Answer:
    """What an exported network says about a batch.

    Attributes:
        logits: (B, classes) float32.
        z: (B, z_size) float32.
    """

    logits: np.ndarray
    z: np.ndarray
