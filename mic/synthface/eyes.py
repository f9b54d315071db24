"""Eyes: sclera, iris and pupil as functions of the direction from the eyeball's centre."""

from __future__ import annotations

import numpy as np

from mic.synthface import light
from mic.synthface.fields import ramp
from mic.synthface.light import Lighting
from mic.synthface.skin import Complexion

# Cosines of the half angles under which iris and pupil are seen from the eyeball's centre.
_LIMBUS = (0.905, 0.930)
_PUPIL = (0.984, 0.990)
_SCLERA = np.array([0.74, 0.70, 0.67], np.float32)
_BLOOD = np.array([1.0, 0.90, 0.86], np.float32)


def _gaze_direction(gaze: tuple[float, float]) -> np.ndarray:
    yaw, pitch = gaze
    direction = [np.sin(yaw) * np.cos(pitch), np.sin(pitch), np.cos(yaw) * np.cos(pitch)]
    return np.array(direction).astype(np.float32)


def shade(
    outward: np.ndarray, gaze: tuple[float, float], colours: Complexion
) -> tuple[np.ndarray, np.ndarray]:
    """Reflectance of points on the eyeballs, and how much of the light the lids let through.

    Args:
        outward: (n, 3) float32 unit directions from the centre, in the head's frame.
        gaze: Yaw and pitch of the eyes, radians.
        colours: Colours of the person.

    Returns:
        (n, 3) linear reflectance and (n,) share of light.
    """
    cosine = light.dot(outward, _gaze_direction(gaze))
    limbus = ramp(*_LIMBUS, cosine)[:, None]
    pupil = ramp(*_PUPIL, cosine)[:, None]
    rim = np.clip((cosine - np.float32(_LIMBUS[0])) / np.float32(0.05), 0, 1)[:, None]
    iris = colours.iris.astype(np.float32) * (np.float32(0.35) + np.float32(0.75) * rim)
    corner = ramp(0.80, 0.45, cosine)[:, None]
    sclera = _SCLERA * (1 - np.float32(0.12 * colours.melanin))
    sclera = sclera * (1 + corner * (_BLOOD - 1))
    colour = sclera + limbus * (iris - sclera)
    colour = colour + pupil * (np.float32(0.012) - colour)
    # Lids and lashes shade the upper part of the ball, the sockets its corners.
    open_part = 1 - np.float32(0.55) * ramp(0.08, 0.5, outward[:, 1])
    open_part *= 1 - np.float32(0.35) * ramp(0.45, 0.8, np.abs(outward[:, 0]))
    return colour, open_part


def gleam(normal: np.ndarray, lighting: Lighting) -> np.ndarray:
    """(n,) reflection of the key light in the cornea."""
    return np.float32(0.55) * ramp(0.988, 0.996, light.dot(normal, light.half_way(lighting)))
