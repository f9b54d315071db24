"""A subject ready to be filmed: identity, skin, hair, wrinkles, clothes and glasses."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from mic.synthface import closure, hair, occluders, skin, wrinkles
from mic.synthface.action_units import FACE_UNITS, STRONGEST
from mic.synthface.identity import Identity
from mic.synthface.identity import sample as sample_identity
from mic.synthface.model import Part, head

_LANDMARKS = (  # eyes, nose tip, mouth corners on the base head: MTCNN's five points
    (-0.308, 7.284, 1.40),
    (0.308, 7.284, 1.40),
    (0.0, 6.93, 1.68),
    (-0.25, 6.62, 1.40),
    (0.25, 6.62, 1.40),
)
_WEARERS = 0.22  # share of people who wear glasses, where any do


@dataclass(frozen=True)
class Subject:
    """Everything about a person that does not change from frame to frame.

    Attributes:
        identity: Who it is.
        colours: Colours of skin, hair and eyes.
        painted: The skin's texture.
        folds: The wrinkles.
        hair: The hair's mesh.
        units: Per face unit, indices and displacements, with this person's gain and closed lids.
        fixed: (V, 5) float32: atlas place, openness to the sky, inside of mouth, cloth.
        cloth: (3,) float32 colour of the clothes.
        glasses: What the person would wear, or None.
    """

    identity: Identity
    colours: skin.Complexion
    painted: skin.Skin
    folds: wrinkles.Wrinkles
    hair: hair.Hair
    units: tuple[tuple[np.ndarray, np.ndarray], ...]
    fixed: np.ndarray
    cloth: np.ndarray
    glasses: occluders.Mesh | None

    def deform(self, units: np.ndarray) -> np.ndarray:
        """(V, 3) float32 face under weights of `FACE_UNITS`, head not yet turned."""
        vertices = self.identity.vertices.copy()
        for weight, (index, delta) in zip(units, self.units, strict=True):
            if weight > 1e-3:
                vertices[index] += np.float32(min(weight, STRONGEST)) * delta
        closure.slide_over_eyes(vertices, self.identity.eye_centres, self.identity.eye_radii)
        return vertices


def subject(seed: int, *, family: int | None = None) -> Subject:
    """Draws a person with everything that belongs to it.

    Args:
        seed: Seed of the person.
        family: Seed of a family whose members resemble each other, or None.
    """
    person = sample_identity(seed, family=family)
    model = head()
    colours = skin.complexion(person)
    grown, under_hair = hair.grow(person, colours)
    rng = np.random.default_rng((seed, 7))
    units = []
    for name, gain in zip(FACE_UNITS, person.gain, strict=True):
        if name.startswith("eyeBlink"):  # lids close for everybody
            units.append(closure.blink(person.vertices, int(name.endswith("Right"))))
        else:
            index, delta = model.targets[f"unit/{name}"]
            units.append((index, delta * np.float32(gain)))
    collar, shade = rng.uniform(5.72, 5.95), rng.uniform(0.05, 0.55)
    cloth = np.clip(shade + rng.normal(0, 0.10, 3), 0.02, 0.7)
    wears = rng.random() < _WEARERS
    return Subject(
        identity=person,
        colours=colours,
        painted=skin.paint(person, colours, under_hair),
        folds=wrinkles.sample(person),
        hair=grown,
        units=tuple(units),
        fixed=_fixed(collar),
        cloth=cloth.astype(np.float32),
        glasses=occluders.glasses(person) if wears else None,
    )


def _fixed(collar: float) -> np.ndarray:
    """Per-vertex quantities that no frame changes; see `Subject.fixed`."""
    model = head()
    open_sky = model.occlusion.astype(np.float64)
    # The bake saw a shut mouth; where it opens, some light enters.
    inner = (model.inside_mouth > 0.3) & (model.lips < 0.2)
    open_sky[inner] = np.maximum(open_sky[inner], 0.20)
    lips = model.lips > 0.2
    open_sky[lips] = np.maximum(open_sky[lips], 0.6)
    open_sky[mouth()] = 0.85
    open_sky[model.vertices_of(Part.LEFT_EYE, Part.RIGHT_EYE)] = 0.75
    open_sky = np.clip(0.15 + 0.95 * open_sky, 0, 1)
    # A neckline is a plane around the neck, lower in front; shoulders are always covered.
    x, y, z = model.vertices.T
    cloth = collar - 0.45 * z - y + np.clip(np.abs(x) - 0.8, 0, 1)
    return np.column_stack([model.chart, open_sky, model.inside_mouth, cloth]).astype(np.float32)


@lru_cache(maxsize=1)
def mouth() -> np.ndarray:
    """Vertices of teeth and tongue."""
    return head().vertices_of(Part.UPPER_TEETH, Part.LOWER_TEETH, Part.TONGUE)


@lru_cache(maxsize=1)
def landmark_vertices() -> np.ndarray:
    """(5,) vertices of eyes, nose tip and mouth corners; the picture's left comes first."""
    places = np.array(_LANDMARKS, np.float32)
    return ((head().vertices[:, None] - places) ** 2).sum(-1).argmin(0)
