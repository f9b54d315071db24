"""Facial action units (FACS) as mixtures of the head model's face units, and the prototypes.

Ekman, Friesen and Hager: Facial Action Coding System, 2002. The emotion prototypes follow EMFACS
and the CK+ emotion table (Lucey et al., CVPR Workshops 2010): units that must act, and units that
may. Intensity 1 is about FACS level D.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np


def _both(unit: str, weight: float) -> dict[str, float]:
    return {f"{unit}Left": weight, f"{unit}Right": weight}


def _press(side: str) -> dict[str, float]:
    """Unilateral lip-corner tightener (AU 14) of contempt."""
    return {f"mouthDimple{side}": 1.0, f"mouthSmile{side}": 0.42, f"mouthPress{side}": 0.4}


# Action unit -> face units. L14 and R14 are one-sided; AU 43 is the closed eye (blinks, too).
ACTION_UNITS: dict[str, dict[str, float]] = {
    "1": {"browInnerUp": 1.35},
    "2": _both("browOuterUp", 1.15),
    "4": _both("browDown", 1.35),
    "5": _both("eyeWide", 1.2),
    "6": _both("cheekSquint", 1.15),
    "7": _both("eyeSquint", 1.15),
    "9": _both("noseSneer", 1.3),
    "10": _both("mouthUpperUp", 1.1),
    "12": _both("mouthSmile", 1.05),
    "14": _both("mouthDimple", 1.0),
    "15": _both("mouthFrown", 1.25),
    "16": _both("mouthLowerDown", 1.0),
    "17": {"mouthShrugLower": 1.0, "mouthShrugUpper": 0.35},
    "18": {"mouthPucker": 1.0},
    "20": _both("mouthStretch", 1.25),
    "22": {"mouthFunnel": 1.0},
    "23": {"mouthRollLower": 0.45, "mouthRollUpper": 0.45, "mouthPucker": 0.25}
    | _both("mouthFrown", 0.25),
    "24": _both("mouthPress", 0.6) | {"mouthPucker": 0.2} | _both("mouthFrown", 0.2),
    "25": _both("mouthLowerDown", 0.6) | _both("mouthUpperUp", 0.4) | {"jawOpen": 0.08},
    "26": {"jawOpen": 0.45},
    "27": {"jawOpen": 0.85},
    "43": _both("eyeBlink", 1.0),
    "L14": _press("Left"),
    "R14": _press("Right"),
}
CODES = tuple(ACTION_UNITS)
FACE_UNITS = tuple(sorted({unit for mix in ACTION_UNITS.values() for unit in mix}))
STRONGEST = 1.6  # a face unit beyond this weight tears the mesh


def _mixing() -> np.ndarray:
    matrix = np.zeros((len(CODES), len(FACE_UNITS)), np.float32)
    for row, mix in enumerate(ACTION_UNITS.values()):
        for unit, weight in mix.items():
            matrix[row, FACE_UNITS.index(unit)] = weight
    return matrix


# (action units, face units): the rows of ACTION_UNITS as a matrix.
MIXING = _mixing()


def face_units(activation: np.ndarray) -> np.ndarray:
    """Weights of the face units for given action units.

    Args:
        activation: (..., len(CODES)) intensities.

    Returns:
        (..., len(FACE_UNITS)) float32 weights, at most `STRONGEST`.
    """
    # Summed in a fixed order: a matrix product may round differently from machine to machine.
    total = np.zeros((*activation.shape[:-1], len(FACE_UNITS)), np.float32)
    for row, weights in enumerate(MIXING):
        total += activation[..., row, None].astype(np.float32) * weights
    return np.clip(total, 0, np.float32(STRONGEST))


@dataclass(frozen=True)
class Prototype:
    """How an emotion is shown.

    Attributes:
        required: Action units that always act, with their typical intensity.
        optional: Action units that may join, with their probability.
        valence: Typical pleasantness, -1..1.
        arousal: Typical activation, -1..1.
    """

    required: dict[str, float] = field(default_factory=dict)
    optional: dict[str, float] = field(default_factory=dict)
    valence: float = 0.0
    arousal: float = 0.0


PROTOTYPES: dict[str, Prototype] = {
    "neutral": Prototype(),
    "anger": Prototype(
        {"4": 1.0, "5": 0.35, "7": 0.8, "23": 0.85},
        {"24": 0.5, "17": 0.4, "10": 0.2, "9": 0.3},
        valence=-0.55,
        arousal=0.65,
    ),
    "contempt": Prototype({"R14": 1.0}, {"4": 0.15, "2": 0.2}, valence=-0.45, arousal=0.15),
    "disgust": Prototype(
        {"9": 1.0, "10": 1.0, "7": 0.3},
        {"4": 0.15, "17": 0.5, "15": 0.35, "25": 0.4, "6": 0.4},
        valence=-0.6,
        arousal=0.35,
    ),
    "fear": Prototype(
        {"1": 1.1, "2": 0.6, "4": 0.5, "5": 1.1, "20": 1.0, "25": 0.6},
        {"26": 0.6},
        valence=-0.6,
        arousal=0.75,
    ),
    "happiness": Prototype(
        {"12": 1.0, "6": 0.85}, {"25": 0.8, "26": 0.25, "7": 0.2}, valence=0.85, arousal=0.5
    ),
    "sadness": Prototype(
        {"1": 1.1, "4": 0.5, "15": 1.15, "17": 0.6}, {"7": 0.2}, valence=-0.65, arousal=-0.35
    ),
    "surprise": Prototype(
        {"1": 1.1, "2": 1.1, "5": 1.1, "26": 1.1, "25": 0.35},
        {"27": 0.55},
        valence=0.2,
        arousal=0.8,
    ),
}


def sample(
    rng: np.random.Generator, label: str, *, weakest: float, strongest: float
) -> np.ndarray:
    """Apex intensities of one posed expression.

    Args:
        rng: Source of chance.
        label: Key of `PROTOTYPES`.
        weakest: Least overall intensity.
        strongest: Greatest overall intensity.

    Returns:
        (len(CODES),) float64.
    """
    prototype = PROTOTYPES[label]
    overall = rng.uniform(weakest, strongest)
    apex = np.zeros(len(CODES))
    for code, weight in prototype.required.items():
        apex[CODES.index(code)] = weight * overall * rng.uniform(0.85, 1.1)
    for code, probability in prototype.optional.items():
        joins, weight = rng.random() < probability, rng.uniform(0.4, 0.9)
        if joins:
            apex[CODES.index(code)] = overall * weight
    if label == "contempt" and rng.random() < 0.5:
        right, left = CODES.index("R14"), CODES.index("L14")
        apex[left], apex[right] = apex[right], 0.0
    return apex
