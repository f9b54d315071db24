"""Who a face belongs to: shape coefficients that hold through all clips of a subject."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from mic.synthface import closure
from mic.synthface.action_units import FACE_UNITS
from mic.synthface.model import head

ORIGINS = ("african", "asian", "caucasian")  # of MakeHuman's macro targets

# Opposite ends of one control.
_OPPOSITES = (
    ("-decr", "-incr"),
    ("-down", "-up"),
    ("-in", "-out"),
    ("-backward", "-forward"),
    ("-concave", "-convex"),
    ("-compress", "-uncompress"),
)
# Standard deviation of the controls, by their folder; 1 is the far end of a target.
_SPREAD = {
    "nose": 0.34,
    "mouth": 0.30,
    "eyes": 0.28,
    "head": 0.20,
    "cheek": 0.34,
    "chin": 0.26,
    "forehead": 0.34,
    "eyebrows": 0.40,
    "ears": 0.22,
}
# Controls whose far ends no longer look like a person.
_TAMED = {
    "chin-jaw-drop": 0.08,
    "chin-prognathism": 0.12,
    "chin-height": 0.18,
    "chin-triangle": 0.10,
    "head-diamond": 0.12,
    "head-fat": 0.16,
    "head-rectangular": 0.13,
    "head-square": 0.12,
    "head-triangular": 0.10,
    "head-invertedtriangular": 0.12,
    "head-scale-vert": 0.10,
    "head-scale-horiz": 0.14,
    "nose-scale-vert": 0.20,
    "nose-scale-horiz": 0.24,
    "nose-scale-depth": 0.22,
    "nose-volume": 0.22,
    "nose-trans": 0.12,
    "nose-hump": 0.22,
    "nose-point": 0.22,
    "mouth-trans": 0.14,
    "mouth-scale": 0.20,
    "mouth-angles": 0.16,
    "mouth-laugh-lines": 0.15,
    "ear-wing": 0.16,
    "ear-trans": 0.12,
    "eye-bag": 0.20,
    "eye-height": 0.18,
    "eye-trans": 0.14,
    "eye-push": 0.14,
    "forehead-nubian": 0.10,
    "forehead-scale-vert": 0.09,
    "forehead-temple": 0.22,
}
_LIMIT = 1.9  # standard deviations at which a coefficient is cut


@lru_cache(maxsize=1)
def controls() -> dict[str, tuple[tuple[str, ...], tuple[str, ...], float]]:
    """Every shape control: targets for a negative and a positive coefficient, and its spread.

    Left and right are one control. A control with one end only is used in the positive sense.
    """
    ends: dict[str, tuple[list[str], list[str]]] = {}
    for target in head().targets:
        folder, _, stem = target.partition("/")
        if folder not in _SPREAD:
            continue
        key, negative = stem, False
        for low, high in _OPPOSITES:
            if stem.endswith(low) or stem.endswith(high):
                negative = stem.endswith(low)
                key = stem.removesuffix(low).removesuffix(high)
        key = key.removeprefix("l-").removeprefix("r-")
        sides = ends.setdefault(f"{folder}/{key}", ([], []))
        sides[0 if negative else 1].append(target)
    return {
        key: (tuple(negative), tuple(positive), _spread(key))
        for key, (negative, positive) in sorted(ends.items())
    }


def _spread(key: str) -> float:
    folder, _, stem = key.partition("/")
    tamed = [spread for prefix, spread in _TAMED.items() if stem.startswith(prefix)]
    return min([_SPREAD[folder], *tamed])


@dataclass(frozen=True)
class Identity:
    """A person.

    Attributes:
        seed: Seed of this person's textures and habits.
        family: Seed of the family, or None.
        male: Share of the male macro targets, 0..1.
        origin: (3,) weights of `ORIGINS`, summing to 1.
        age: 0 is about 20 years, 1 about 70.
        weight: Body weight, -1..1.
        muscle: Muscle tone, -1..1.
        shape: (controls,) coefficients of `controls()`, signed.
        gain: (face units,) how strongly this person moves each of `FACE_UNITS`.
        vertices: (V, 3) float32 neutral face, origin between the eyes.
        eye_centres: (2, 3) float32, left and right.
        eye_radii: (2,) float32.
        eye_directions: (V, 3) float32 unit vectors from the eyes' centres; 0 off the eyeballs.
    """

    seed: int
    family: int | None
    male: float
    origin: np.ndarray
    age: float
    weight: float
    muscle: float
    shape: np.ndarray
    gain: np.ndarray
    vertices: np.ndarray
    eye_centres: np.ndarray
    eye_radii: np.ndarray
    eye_directions: np.ndarray

    def coefficients(self) -> np.ndarray:
        """(8 + controls,) float32: what makes this person, as one vector."""
        own = [self.male, *self.origin, self.age, self.weight, self.muscle]
        return np.concatenate([own, self.shape]).astype(np.float32)


def sample(seed: int, *, family: int | None = None) -> Identity:
    """Draws a person.

    Args:
        seed: Seed of this person.
        family: Seed of a family whose members resemble each other, or None for anybody.
    """
    person = _draw(np.random.default_rng(seed))
    if family is not None:
        kin = _draw(np.random.default_rng((family, 1)))
        person = {key: 0.8 * kin[key] + 0.2 * own for key, own in person.items()}
    rng = np.random.default_rng((seed, 2))
    vertices, eye_centres = _build(person)
    return Identity(
        seed=seed,
        family=family,
        male=float(person["male"]),
        origin=person["origin"],
        age=float(person["age"]),
        weight=float(person["weight"]),
        muscle=float(person["muscle"]),
        shape=person["shape"],
        gain=np.clip(rng.normal(1, 0.13, len(FACE_UNITS)), 0.65, 1.35),
        vertices=vertices,
        eye_centres=eye_centres,
        eye_radii=np.stack([closure.eye_radius(vertices, side) for side in (0, 1)]),
        eye_directions=closure.eye_directions(vertices, eye_centres),
    )


def _draw(rng: np.random.Generator) -> dict[str, np.ndarray]:
    male = float(rng.random() < 0.5)
    spreads = np.array([spread for _, _, spread in controls().values()])
    shape = np.clip(rng.normal(0, 1, len(spreads)), -_LIMIT, _LIMIT) * spreads
    for k, (negative, _, _) in enumerate(controls().values()):
        if not negative:
            shape[k] = abs(shape[k])
    return {
        "male": np.array(abs(male - rng.beta(1, 7))),
        "origin": rng.dirichlet([0.4] * len(ORIGINS)),
        "age": np.array(0.95 * rng.beta(1.3, 2.4)),
        "weight": np.array(np.clip(rng.normal(0, 0.35), -0.8, 0.8)),
        "muscle": np.array(np.clip(rng.normal(0, 0.35), -0.8, 0.8)),
        "shape": shape,
    }


def _build(person: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The neutral face of a person, and the centres of its eyes."""
    model = head()
    weights: dict[str, float] = {}
    ages = {"young": 1 - person["age"], "old": person["age"]}
    sexes = {"female": 1 - person["male"], "male": person["male"]}
    for sex, of_sex in sexes.items():
        for age, of_age in ages.items():
            share = float(of_sex * of_age)
            for origin, of_origin in zip(ORIGINS, person["origin"], strict=True):
                weights[f"macro/{origin}-{sex}-{age}"] = share * of_origin
            for muscle, of_muscle in _ramp(person["muscle"], "muscle"):
                for weight, of_weight in _ramp(person["weight"], "weight"):
                    name = f"macro/universal-{sex}-{age}-{muscle}-{weight}"
                    weights[name] = share * of_muscle * of_weight
    for (negative, positive, _), value in zip(controls().values(), person["shape"], strict=True):
        for target in negative if value < 0 else positive:
            weights[target] = abs(float(value))
    vertices = model.vertices + model.displacement(weights)
    centres = np.stack([closure.eye_centre(vertices, side) for side in (0, 1)])
    origin = (centres[0] + centres[1]) / 2
    vertices, centres = vertices - origin, centres - origin
    return closure.close_lips(vertices), centres


def _ramp(value: np.ndarray, quantity: str) -> list[tuple[str, float]]:
    """Shares of MakeHuman's average target and of the one at the end that `value` leans to."""
    end = "max" if value > 0 else "min"
    share = float(abs(value))
    return [(f"average{quantity}", 1 - share), (f"{end}{quantity}", share)]
