"""Hair: a translucent shell over the scalp and, for long hair, a curtain around the head.

Shell and curtain are one mesh, drawn as a layer over the head. How much of a texel hair covers is
a texture with a ragged, soft hairline, so no edge of the mesh is ever seen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mic.synthface.fields import Texture, noise, ramp, texture
from mic.synthface.identity import ORIGINS, Identity
from mic.synthface.model import ATLAS, Part, atlas, head, vertex_normals
from mic.synthface.skin import Complexion, regions

# Height of an average hairline over depth: nape, around the ear, sideburn, temple, forehead.
_LINE = np.array(
    [
        [-1.1, 6.60],
        [-0.2, 6.60],
        [0.15, 6.85],
        [0.40, 7.30],
        [0.60, 7.36],
        [0.68, 7.14],
        [0.76, 7.14],
        [0.86, 7.50],
        [1.00, 7.76],
        [1.20, 7.91],
        [1.60, 7.95],
    ]
)
_ROOTS = 0.010  # decimetres the shell stands off where hair is shortest


@dataclass(frozen=True)
class Style:
    """A way to wear hair; lengths in decimetres.

    Attributes:
        bald: No hair on top.
        recede: How far the hairline has moved up; negative values are a fringe.
        temples: How far the corners have moved up.
        volume: How far hair stands off at the sides.
        crown: How much further it stands off on top.
        curly: Whether it curls.
        long: Whether it falls past the ears.
        length: How far long hair falls below the crown.
        flare: How much it widens on its way down.
        opening: Half of the angle that long hair leaves open for the face, radians.
        wave: Amplitude of waves in long hair.
        lock: Thickness of the locks beside the face, as a share of the head's width.
        sweep: How much lower the hairline is on one side than on the other.
    """

    bald: bool
    recede: float
    temples: float
    volume: float
    crown: float
    curly: bool
    long: bool
    length: float
    flare: float
    opening: float
    wave: float
    lock: float
    sweep: float


def style(rng: np.random.Generator, person: Identity) -> Style:
    """Draws a hair style that fits sex, age and origin."""
    male = person.male > 0.5
    bald = bool(male and rng.random() < 0.03 + 0.16 * person.age)
    curly = bool(person.origin[ORIGINS.index("african")] > 0.5 and rng.random() < 0.8)
    long = bool(rng.random() < (0.05 if male else 0.8)) and not bald and not curly
    fringe = rng.random() < (0.15 if male else 0.35)
    recede = -rng.uniform(0.10, 0.26) if fringe else abs(rng.normal(0, 0.03))
    if male and not fringe:
        recede += 0.14 * person.age * rng.random()
    volume = rng.uniform(0.03, 0.07) if male else rng.uniform(0.06, 0.12)
    crown = rng.uniform(0.02, 0.14)
    if curly:
        volume += rng.uniform(0.0, 0.22)
        crown = rng.uniform(0.03, 0.12)
    return Style(
        bald=bald,
        recede=float(recede),
        temples=float(abs(rng.normal(0, 0.05)) * (0.4 + male)),
        volume=float(volume),
        crown=float(crown),
        curly=curly,
        long=long,
        length=float(rng.uniform(1.5, 3.6)),
        flare=float(rng.uniform(-0.04, 0.12)),
        opening=float(np.deg2rad(rng.uniform(56, 76))),
        wave=float(rng.uniform(0, 0.03)),
        lock=float(rng.uniform(0.10, 0.32)),
        sweep=float(rng.normal(0, 0.16 if fringe else 0.06)),
    )


@dataclass(frozen=True)
class Hair:
    """A person's hair as a mesh that follows the head.

    Attributes:
        roots: (n,) vertices of the head that carry the shell.
        offset: (n, 3) float32 from those vertices to the shell.
        curtain: (m, 3) float32 vertices of long hair, in the head's frame; m may be 0.
        triangles: (t, 3) int32 into shell, then curtain.
        place: (n + m, 2) float32 atlas coordinates.
        cover: (n + m,) float32: 0 takes the cover of the texture, else its own.
        texture: Channels: share of hair in the texel, lightness of the strands around 0.
    """

    roots: np.ndarray
    offset: np.ndarray
    curtain: np.ndarray
    triangles: np.ndarray
    place: np.ndarray
    cover: np.ndarray
    texture: Texture


def _above_line(points: np.ndarray, worn: Style) -> np.ndarray:
    """Height above the hairline, decimetres, for (..., 3) points of the base head."""
    x, y, z = points[..., 0], points[..., 1], points[..., 2]
    line = np.interp(z, _LINE[:, 0], _LINE[:, 1]) + worn.recede * ramp(0.8, 1.1, z)
    line = line + worn.sweep * np.clip(x, -0.5, 0.5) * ramp(0.9, 1.15, z)
    corner = np.exp(-(((np.abs(x) - 0.45) / 0.18) ** 2)) * ramp(0.75, 1.0, z)
    return y - line - worn.temples * corner


def grow(person: Identity, colours: Complexion) -> tuple[Hair, np.ndarray]:
    """Makes a person's hair.

    Returns:
        The hair, and the (ATLAS, ATLAS) share of each texel of the skin under it.
    """
    rng = np.random.default_rng((person.seed, 6))
    worn = style(rng, person)
    model = head()
    strands = _strands(rng, worn)
    ragged = noise(rng, ATLAS, (24, 60), (0.5, 0.5))
    above = _above_line(atlas().paint(model.vertices.astype(np.float64)), worn)
    soft = 0.09 if worn.recede < 0 else 0.11
    edge = above + (0.02 if worn.curly else 0.045) * strands + 0.020 * ragged
    ears = 1 - ramp(0.25, 0.6, atlas().paint(model.ears.astype(np.float64)))
    cover = np.zeros_like(above) if worn.bald else ramp(-0.4 * soft, 1.6 * soft, edge) * ears
    beard = _beard_cover(colours) * np.clip(0.9 + 0.3 * strands, 0, 1.2)
    cover_all = np.maximum(cover, np.clip(beard, 0, 1))

    skin = model.vertices_of(Part.SKIN)
    normal = vertex_normals(
        person.vertices, model.triangles[model.part == Part.SKIN], len(model.vertices)
    )
    bulk = _bulk(worn, model.vertices, rng)
    grown = np.zeros(len(model.vertices))
    grown[skin] = bulk[skin]
    texel = np.clip((model.chart * ATLAS).astype(int), 0, ATLAS - 1)
    bearded = _beard_bulk(colours)[texel[:, 1], texel[:, 0]] * (model.inside_mouth < 0.5)
    stand = np.maximum(grown, bearded)
    carries = (cover_all[texel[:, 1], texel[:, 0]] > 0) | (stand > 0)
    carries &= (model.ears < 0.5) & (model.inside_mouth < 0.5) & (model.eyelids < 0.5)
    faces = model.triangles[(model.part == Part.SKIN) & carries[model.triangles].any(1)]
    u = model.chart[faces][:, :, 0]
    faces = faces[(np.ptp(u, axis=1) < 0.5) & (model.inside_mouth[faces].max(1) < 0.5)]
    roots = np.unique(faces) if len(faces) else np.zeros(0, np.intp)
    number = np.zeros(len(model.vertices), np.int32)
    number[roots] = np.arange(len(roots), dtype=np.int32)
    offset = normal[roots] * (_ROOTS + stand[roots, None])
    curtain, curtain_faces, curtain_place, curtain_cover = _curtain(person, worn, rng)
    return Hair(
        roots=roots,
        offset=offset.astype(np.float32),
        curtain=curtain.astype(np.float32),
        triangles=np.concatenate([number[faces], curtain_faces + len(roots)]).astype(np.int32),
        place=np.concatenate([model.chart[roots], curtain_place]).astype(np.float32),
        cover=np.concatenate([np.zeros(len(roots)), curtain_cover]).astype(np.float32),
        texture=texture(np.stack([cover_all, strands], -1)),
    ), cover


def _bulk(worn: Style, vertices: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """How far hair stands off each vertex of the base head, decimetres."""
    if worn.bald:
        return np.zeros(len(vertices))
    above = _above_line(vertices.astype(np.float64), worn)
    lift = ramp(0.12, 0.42, above)  # from where hair is dense: its soft edge lies on the skin
    crown = ramp(7.75, 8.35, vertices[:, 1].astype(np.float64))
    lumps = noise(rng, 64, (5, 11), (0.5, 0.35))
    cell = np.clip((head().chart * 64).astype(int), 0, 63)
    uneven = np.clip(1 + 0.22 * lumps[cell[:, 1], cell[:, 0]], 0.5, 1.6)
    return (
        lift * (worn.volume + worn.crown * crown) * uneven * (1 - np.clip(1.5 * head().ears, 0, 1))
    )


def _beard_cover(colours: Complexion) -> np.ndarray:
    face = regions()
    grown = {"full": face.beard, "chin": face.goatee, "moustache": face.moustache}
    return grown[colours.beard_style] * float(np.clip((colours.beard - 0.45) * 2.2, 0, 1))


def _beard_bulk(colours: Complexion) -> np.ndarray:
    return 0.09 * _beard_cover(colours) * np.clip(colours.beard - 0.4, 0, 1)


def _strands(rng: np.random.Generator, worn: Style) -> np.ndarray:
    """Lightness of hair on the atlas, around 0: long fine streaks, or curls."""
    if worn.curly:
        return noise(rng, ATLAS, (48, 110), (0.45, 0.45))
    streaks = np.zeros((ATLAS, ATLAS))
    for columns, rows, weight in ((40, 4, 0.5), (96, 7, 0.6), (190, 10, 0.5)):
        grid = noise(rng, ATLAS, (columns,), (weight,))
        reach = np.linspace(0, ATLAS * rows / columns, ATLAS)
        low = reach.astype(int)
        share = (reach - low)[:, None]
        streaks += grid[low] * (1 - share) + grid[np.minimum(low + 1, ATLAS - 1)] * share
    return streaks


def _curtain(
    person: Identity, worn: Style, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Vertices, triangles, atlas places and cover of long hair."""
    if not worn.long:
        return np.zeros((0, 3)), np.zeros((0, 3), np.int32), np.zeros((0, 2)), np.zeros(0)
    model = head()
    body = person.vertices[model.vertices_of(Part.SKIN)]
    top = float(body[:, 1].max())
    upper = body[(body[:, 1] > 0.1) & (body[:, 1] < 0.6)]
    half = float(np.abs(upper[:, 0]).max())
    back = float(body[body[:, 1] > 0][:, 2].min())
    front = float(body[body[:, 1] > 0.6][:, 2].max())
    centre, depth = (back + front) / 2, (front - back) / 2
    stand = 0.02 + worn.volume
    # From the inside of one lock around the back of the head to the inside of the other: the
    # lock's own thickness shows in front, so hair is a body and not a sheet.
    around = np.linspace(worn.opening, 2 * np.pi - worn.opening, 41)
    angle = np.concatenate([[around[0]] * 3, around, [around[-1]] * 3])
    inward = np.concatenate([[0.55, 0.30, 0.08], np.zeros(41), [0.08, 0.30, 0.55]])
    down = np.linspace(0, 1, 22)[:, None]
    y = top + stand - 0.12 - down**0.9 * worn.length
    rise = np.clip((y - 0.1) / (top + stand - 0.1), 0, 1)
    cap = np.sqrt(np.clip(1 - rise**2.4, 0, 1)) * (1 + worn.flare * np.clip(-y, 0, 3))
    spread = cap - inward * worn.lock * ramp(0.95, 0.6, rise)
    wave = worn.wave * np.sin(9 * y + 3 * angle + rng.uniform(0, 6)) * ramp(0.3, -0.3, y)
    x = np.sin(angle) * ((half + 1.1 * stand) * spread + wave)
    z = centre + np.cos(angle) * ((depth + stand) * cap + wave)
    z = z - 0.25 * ramp(-0.2, -1.0, y) * np.cos(angle)
    tips = 1 - 0.16 * np.abs(np.sin(7 * angle + rng.uniform(0, 6))) - 0.1 * inward
    rows, columns = len(down), len(angle)
    grid = np.stack(np.broadcast_arrays(x, y, z), -1).reshape(-1, 3)
    number = np.arange(rows * columns).reshape(rows, columns)
    a, b = number[:-1, :-1].ravel(), number[:-1, 1:].ravel()
    c, d = number[1:, 1:].ravel(), number[1:, :-1].ravel()
    faces = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
    place = np.stack(
        np.broadcast_arrays(np.linspace(0.04, 0.96, columns), 0.05 + 0.85 * down), -1
    ).reshape(-1, 2)
    cover = ramp(tips, tips - 0.16, down) + 1e-3
    return grid, faces.astype(np.int32), place, np.broadcast_to(cover, (rows, columns)).ravel()
