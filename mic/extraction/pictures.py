"""Residuals and vectors made visible: gray is zero, direction is hue, length is saturation."""

from __future__ import annotations

import colorsys

import numpy as np

from mic.codec.display import Display

_HUES = 256
_WHEEL = np.array([colorsys.hsv_to_rgb(k / _HUES, 1, 1) for k in range(_HUES)], np.float32)


def residual_picture(samples: np.ndarray, *, space: str, gain: float = 4.0) -> np.ndarray:
    """Signed residuals as pictures in which 128 is zero.

    Args:
        samples: int16 (..., 3), "rgb" or "ycbcr".
        space: Of the two; of "ycbcr" only Y is shown, in gray.
        gain: Levels of the picture a unit of residual.

    Returns:
        uint8 (..., 3).
    """
    shown = samples if space == "rgb" else samples[..., :1].repeat(3, axis=-1)
    return np.clip(128 + gain * shown.astype(np.float32), 0, 255).astype(np.uint8)


def motion_picture(
    blocks: np.ndarray, *, width: int, height: int, full: float = 8.0
) -> np.ndarray:
    """Motion vectors as colours on white: which way a block went, and how far.

    Args:
        blocks: int16 (..., h, w, 2): x, y in quarter samples, from an 8x8 block to its
            prediction; what moved to the right therefore points left.
        width: Of the picture, in samples.
        height: Of the picture.
        full: Samples of movement that have full saturation.

    Returns:
        uint8 (..., height, width, 3).
    """
    x, y = -blocks[..., 0].astype(np.float32), -blocks[..., 1].astype(np.float32)
    hue = np.round(np.arctan2(y, x) / (2 * np.pi) * _HUES).astype(int) % _HUES
    saturation = np.minimum(np.hypot(x, y) / (4 * full), 1)[..., None]
    small = np.round(255 * (1 - saturation * (1 - _WHEEL[hue]))).astype(np.uint8)
    large = small.repeat(8, axis=-3).repeat(8, axis=-2)
    return large[..., :height, :width, :]


def turned_vectors(blocks: np.ndarray, display: Display) -> np.ndarray:
    """Vectors that point where they point in the shown picture; blocks stay where they are coded.

    Args:
        blocks: int16 (..., h, w, 2): x, y.
        display: How the coded picture is turned for showing.
    """
    turned = blocks[..., ::-1] if display.transposed else blocks
    signs = (-1 if display.mirrored else 1, -1 if display.flipped else 1)
    return turned * np.array(signs, blocks.dtype)
