"""How much fine detail a picture of a face holds: little where it is blurred or was enlarged.

    detail(picture, mesh) < BLURRED

The expression network answers such faces with happiness or neutrality, and surely. What counts is
what is left of the face, not how many samples it has: one of sixteen samples that was enlarged to
a hundred is as far gone as it was.
"""

from __future__ import annotations

import functools

import numpy as np
from PIL import Image

from mic.faces.landmarks import Mesh

# Of 60 pictures of 16 films, whole, made smaller down to 40 samples across, or coded as JPEG of
# quality 5, none holds less than 0.0023; of the same behind a Gauss filter as wide as a fiftieth
# of the face or more none holds more than 0.0008, and enlarged from 16 samples none more than
# 0.0004; of 60 behind one of a sixty-seventh 33, from 30 and 24 samples 19 and 28 hold less than
# this (`campaigns.sharpness`).
BLURRED = 0.0011
_EDGE = 64  # samples a side of the part that is looked at
_PART = 0.66  # of the face's square: eyes, nose and mouth, little hair and background
# Cycles a sample: fine detail lies above the first, the face as such between the other two.
_FINE, _COARSE = 0.25, (0.01, 0.125)


def detail(picture: np.ndarray, mesh: Mesh) -> float:
    """Energy of the fine detail of a face, in parts of that of its coarse shape.

    Args:
        picture: uint8 (H, W, 3) RGB.
        mesh: The face in it, in samples of that picture.
    """
    x, y, side = mesh.square
    height, width = picture.shape[:2]
    half = side * _PART / 2
    box = (max(0.0, x - half), max(0.0, y - half), min(width, x + half), min(height, y + half))
    if box[2] - box[0] < 1 or box[3] - box[1] < 1:
        return 0.0
    gray = Image.fromarray(picture).convert("L")
    part = gray.resize((_EDGE, _EDGE), Image.Resampling.BILINEAR, box=box)
    values = np.asarray(part, np.float64)
    window, fine, coarse = _tables()
    energy = np.abs(np.fft.rfft2((values - values.mean()) * window)) ** 2
    return float(energy[fine].sum() / max(energy[coarse].sum(), 1e-9))


@functools.cache
def _tables() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The window, and which frequencies are fine and which coarse."""
    curve = np.hanning(_EDGE)
    down, right = np.meshgrid(np.fft.fftfreq(_EDGE), np.fft.rfftfreq(_EDGE), indexing="ij")
    radius = np.hypot(down, right)
    coarse = (radius >= _COARSE[0]) & (radius <= _COARSE[1])
    return np.outer(curve, curve), radius > _FINE, coarse
