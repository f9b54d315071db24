"""The colour of a face: skin, lips, brows, stubble, moles, painted on the atlas once a person."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from mic.synthface.fields import Texture, bump, noise, ramp, texture
from mic.synthface.identity import ORIGINS, Identity
from mic.synthface.model import ATLAS, BOTTOM, TOP, atlas, head

# Linear reflectance of skin from least to most melanin.
_SKIN = np.array(
    [
        [0.93, 0.76, 0.67],
        [0.88, 0.67, 0.56],
        [0.78, 0.56, 0.44],
        [0.63, 0.42, 0.31],
        [0.44, 0.28, 0.20],
        [0.28, 0.175, 0.125],
    ]
)
_MELANIN = {"african": 0.84, "asian": 0.30, "caucasian": 0.14}
_HAIR = np.array(
    [
        [0.045, 0.037, 0.033],
        [0.09, 0.055, 0.035],
        [0.19, 0.115, 0.065],
        [0.38, 0.25, 0.13],
        [0.58, 0.42, 0.24],
        [0.33, 0.13, 0.055],
    ]
)
_GREY = np.array([0.55, 0.54, 0.53])
_IRIS = np.array(
    [
        [0.15, 0.08, 0.045],
        [0.24, 0.14, 0.07],
        [0.30, 0.26, 0.12],
        [0.2, 0.32, 0.25],
        [0.25, 0.38, 0.52],
    ]
)


@dataclass(frozen=True)
class Complexion:
    """Colours that are shared between skin, hair, eyes and hands.

    Attributes:
        skin: (3,) linear reflectance.
        melanin: 0..1.
        lips: (3,) linear reflectance.
        hair: (3,) linear reflectance.
        iris: (3,) linear reflectance.
        beard: 0 is shaved, 1 a full beard.
        beard_style: Which part of the beard is grown: "full", "chin" or "moustache".
        gloss: Strength of the skin's highlights.
        lashes: Darkness of the lashes, 0..1.
    """

    skin: np.ndarray
    melanin: float
    lips: np.ndarray
    hair: np.ndarray
    iris: np.ndarray
    beard: float
    beard_style: str
    gloss: float
    lashes: float


def complexion(person: Identity) -> Complexion:
    """Draws the colours that fit a person's origin, sex and age."""
    rng = np.random.default_rng((person.seed, 3))
    usual = sum(_MELANIN[name] * share for name, share in zip(ORIGINS, person.origin, strict=True))
    melanin = float(np.clip(usual + rng.normal(0, 0.06), 0.02, 0.97))
    steps = np.linspace(0, 1, len(_SKIN))
    skin = np.array([np.interp(melanin, steps, _SKIN[:, channel]) for channel in range(3)])
    skin = np.clip(skin * (1 + rng.normal(0, 0.02, 3)), 0, 1)
    dark = 0.25 + 0.75 * (1 - person.origin[ORIGINS.index("caucasian")])
    lighter = int(rng.choice([1, 1, 2, 2, 3, 4, 5]))
    shade = 0 if rng.random() < 0.85 * dark else min(lighter, 1 if melanin > 0.45 else 5)
    grey = np.clip((person.age - 0.5) * 2.2 + rng.normal(0, 0.15), 0, 1)
    hair = _HAIR[shade] * rng.uniform(0.85, 1.25) * (1 - grey) + _GREY * grey
    # Light eyes go with light skin and hair.
    brown = rng.random() < max(dark, 1.2 - 0.4 * shade) or melanin > 0.35
    iris = _IRIS[0 if brown else rng.integers(1, len(_IRIS))]
    lips = skin * np.array([0.87, 0.64, 0.62]) * (1 - 0.12 * melanin)
    made_up = person.male < 0.5 and rng.random() < 0.35
    tint = rng.uniform(0.75, 1.0)
    if made_up:
        lips = lips * np.array([0.98, 0.66, 0.70]) * tint
    growth = rng.random()
    beard, style = 0.0, "full"
    if person.male > 0.5:
        beard = float(np.interp(growth, [0, 0.5, 0.72, 0.8, 1], [0.0, 0.22, 0.35, 0.75, 0.95]))
        style = str(rng.choice(["full", "full", "chin", "moustache"])) if growth > 0.76 else "full"
    return Complexion(
        skin=skin,
        melanin=melanin,
        lips=np.clip(lips, 0, 1),
        hair=hair,
        iris=iris * rng.uniform(0.85, 1.1),
        beard=beard,
        beard_style=style,
        gloss=float(rng.uniform(0.5, 1.1)),
        lashes=float(rng.uniform(0.75, 1.0) if person.male < 0.5 else rng.uniform(0.3, 0.55)),
    )


@dataclass(frozen=True)
class Regions:
    """Places on the atlas, the same for everybody: x, |x|, y, z in decimetres, masks 0..1.

    Attributes:
        x, across, y, z: (ATLAS, ATLAS) coordinates of the base head.
        front: Whether a texel lies on the face's front.
        lips: The red of the lips.
        beard: Where a full beard grows.
        moustache: Upper lip.
        goatee: Chin and upper lip.
    """

    x: np.ndarray
    across: np.ndarray
    y: np.ndarray
    z: np.ndarray
    front: np.ndarray
    lips: np.ndarray
    beard: np.ndarray
    moustache: np.ndarray
    goatee: np.ndarray


@lru_cache(maxsize=1)
def regions() -> Regions:
    """The face's regions; computed once a process."""
    x, y, z = np.moveaxis(atlas().paint(head().vertices.astype(np.float64)), -1, 0)
    across = np.abs(x)
    lips = ramp(0.25, 0.75, atlas().paint(head().lips.astype(np.float64)))
    jaw = ramp(0.03, -0.05, (y - 6.60) - 0.5 * np.clip(across - 0.20, 0, 1)) * ramp(0.30, 0.5, z)
    jaw *= ramp(6.0, 6.14, y)
    cheek = ramp(6.96, 6.76, y - 0.62 * np.clip(across - 0.35, 0, 0.5))
    cheek *= ramp(0.18, 0.36, across) * ramp(0.35, 0.5, z) * ramp(6.0, 6.14, y)
    moustache = bump(y - 6.757, 0.055) * ramp(0.34, 0.20, across) * (z > 0.8)
    beard = np.clip(np.maximum(np.maximum(jaw, cheek), moustache), 0, 1) * (1 - lips)
    goatee = np.maximum(moustache, jaw * ramp(0.34, 0.2, across)) * (1 - lips)
    return Regions(
        x=x,
        across=across,
        y=y,
        z=z,
        front=ramp(0.5, 0.75, z),
        lips=lips,
        beard=beard,
        moustache=moustache * (1 - lips),
        goatee=goatee,
    )


@dataclass(frozen=True)
class Brows:
    """The shape of the eyebrows, drawn once a person; decimetres."""

    height: float
    thickness: float
    arch: float
    tilt: float
    inner: float
    outer: float
    density: float


def _brows(rng: np.random.Generator, male: bool) -> Brows:
    return Brows(
        height=rng.normal(7.478, 0.012),
        thickness=np.clip(rng.normal(0.038 if male else 0.027, 0.006), 0.018, 0.052),
        arch=rng.normal(0.012 if male else 0.028, 0.010),
        tilt=rng.normal(0.010, 0.016),
        inner=np.clip(rng.normal(0.135, 0.015), 0.09, 0.17),
        outer=rng.normal(0.50, 0.02),
        density=np.clip(rng.normal(0.80, 0.10), 0.5, 1.0),
    )


def _brow_cover(brows: Brows, strands: np.ndarray) -> np.ndarray:
    """Share of each texel that brow hair covers."""
    face = regions()
    along = (face.across - brows.inner) / (brows.outer - brows.inner)
    inside = np.clip(along, 0, 1)
    middle = brows.height + brows.tilt * (along - 0.3)
    middle += brows.arch * np.sin(np.pi * inside**1.2) - 0.05 * np.clip(along - 0.7, 0, 1)
    width = brows.thickness * np.clip(1.15 - 0.75 * along, 0.25, 1)
    width *= 0.75 + 0.5 * ramp(0, 0.15, along)
    cover = bump((face.y - middle) / width, 1.0)
    cover *= ramp(-0.08, 0.08, along) * (1 - ramp(0.85, 1.10, along)) * face.front
    return np.clip(cover * brows.density * (1 + 0.25 * strands), 0, 1)


@dataclass(frozen=True)
class Skin:
    """A person's painted skin.

    Attributes:
        texture: Channels: linear red, green, blue; gloss; slope of the pores to the right and
            down (dimensionless); share of hair in the texel.
    """

    texture: Texture


def paint(person: Identity, colours: Complexion, under_hair: np.ndarray) -> Skin:
    """Paints a person's skin on the atlas; `under_hair` is the share hidden by the hair."""
    rng = np.random.default_rng((person.seed, 4))
    face = regions()
    x, across, y = face.x, face.across, face.y
    broad = noise(rng, ATLAS, (6, 14, 40), (0.5, 0.3, 0.2))
    fine = noise(rng, ATLAS, (96, 190), (0.6, 0.4))
    strands = noise(rng, ATLAS, (96, 192), (0.6, 0.6))
    light = 1 - 0.5 * colours.melanin

    flush = 0.5 * bump(across - 0.42, 0.2) * bump(y - 6.85, 0.2)
    flush += 0.5 * bump(x, 0.14) * bump(y - 6.93, 0.12)
    flush += 0.25 * bump(x, 0.25) * bump(y - 6.28, 0.12)
    flush = flush * face.front * rng.uniform(0.4, 1.3) + 0.10 * broad
    colour = colours.skin * (1 + flush[..., None] * np.array([0.03, -0.11, -0.10]) * light)
    colour = colour * (1 + 0.025 * broad + 0.02 * fine)[..., None]

    # Thinner skin around the eyes lets blood through; make-up darkens the upper lid.
    under = bump(across - 0.30, 0.13) * bump(y - 7.13, 0.055) * face.front
    under *= rng.uniform(0.15, 0.8) * (0.5 + person.age)
    colour *= 1 - under[..., None] * np.array([0.10, 0.14, 0.09])
    lid = bump(across - 0.31, 0.17) * bump(y - 7.36, 0.07) * face.front
    shadow = rng.uniform(0.2, 0.9) * float(person.male < 0.5) * float(rng.random() < 0.4)
    colour *= 1 - lid[..., None] * (np.array([0.08, 0.10, 0.08]) + shadow * 0.16)

    if rng.random() < 0.3 and colours.melanin < 0.4:
        for _ in range(rng.integers(40, 140)):
            place = rng.normal(0, 0.33), rng.normal(6.98, 0.14)
            _spot(colour, *place, rng.uniform(0.007, 0.012), rng.uniform(0.05, 0.16))
    for _ in range(rng.integers(0, 4)):
        place = rng.uniform(-0.55, 0.55), rng.uniform(6.2, 7.75)
        _spot(colour, *place, rng.uniform(0.009, 0.015), 0.42)

    dark = np.minimum(colours.hair * 0.75 + 0.01, colours.skin * 0.6)
    brow = _brow_cover(_brows(rng, person.male > 0.5), strands)
    colour = _over(colour, dark, brow * 0.92)
    # Shaved or trimmed hair is skin seen through short dark bristles; long beards have a shell.
    grown = {"full": face.beard, "chin": face.goatee, "moustache": face.moustache}
    stubble = face.beard * min(colours.beard, 0.3) * 0.85
    stubble = np.maximum(stubble, grown[colours.beard_style] * colours.beard * 0.85)
    stubble = np.clip(stubble * (1 + 0.25 * strands), 0, 0.95)
    colour = _over(colour, dark * 0.9 + colours.skin * 0.08, stubble)
    colour = _over(colour, colours.lips * (1 + 0.05 * strands[..., None]), 0.85 * face.lips)

    colour = _over(colour, dark * 0.9, 0.9 * under_hair)

    gloss = colours.gloss * (1 + 0.9 * face.lips + 0.35 * bump(x, 0.2) * face.front)
    gloss *= (1 - 0.7 * np.maximum(brow, stubble)) * (1 - under_hair) * (1 + 0.15 * fine)
    pores = 0.0010 * fine + 0.0016 * face.lips * noise(rng, ATLAS, (150,), (1.0,))
    right, down = slopes(pores)
    hair = np.maximum(brow, stubble)
    channels = [colour, gloss[..., None], right[..., None], down[..., None], hair[..., None]]
    return Skin(texture=texture(np.concatenate(channels, -1)))


def _over(colour: np.ndarray, paint: np.ndarray, cover: np.ndarray) -> np.ndarray:
    return colour + (paint - colour) * cover[..., None]


def _spot(colour: np.ndarray, x: float, y: float, radius: float, depth: float) -> None:
    """Darkens a mole or freckle, in place."""
    row = int((TOP - y) / (TOP - BOTTOM) * ATLAS)
    rows = slice(max(0, row - 10), max(0, row + 10))
    face = regions()
    distance = (face.x[rows] - x) ** 2 + (face.y[rows] - y) ** 2
    cover = depth * np.exp(-distance / (2 * radius**2)) * face.front[rows]
    colour[rows] *= 1 - cover[..., None] * np.array([0.85, 1.0, 1.0])


@lru_cache(maxsize=1)
def _texel_size() -> tuple[np.ndarray, np.ndarray]:
    """Length of a texel along u and along v on the base head, decimetres."""
    place = atlas().paint(head().vertices.astype(np.float64))
    along = np.gradient(place, axis=1), np.gradient(place, axis=0)
    return tuple(np.maximum(np.sqrt((step**2).sum(-1)), 0.004) for step in along)


def slopes(height: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Slope of a relief on the atlas towards increasing u and v, dimensionless.

    Args:
        height: (ATLAS, ATLAS) elevation in decimetres.
    """
    along_u, along_v = _texel_size()
    return np.gradient(height, axis=1) / along_u, np.gradient(height, axis=0) / along_v
