"""Real video to test with: decoded frames of pinned clips, cut, scaled and cached in memory."""

from __future__ import annotations

import functools
import itertools

import numpy as np

import mic.codec
import mic.storage.assets


@functools.cache
def frames(
    name: str, count: int, height: int, width: int, top: int = 0, left: int = 0
) -> np.ndarray:
    """Frames of an asset, cropped to (height, width) at (top, left): uint8 (T, H, W, 3), RGB."""
    pictures = itertools.islice(mic.codec.decode(mic.storage.assets.path(name)), count)
    box = slice(top, top + height), slice(left, left + width)
    return np.stack([picture[box] for picture in pictures])
