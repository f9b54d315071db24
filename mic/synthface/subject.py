"""A subject ready to be filmed: identity, skin, hair, wrinkles and the drawing of one frame."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from mic.synthface import camera, closure, eyes, hair, harmonics, light, skin, wrinkles
from mic.synthface.action_units import FACE_UNITS, STRONGEST, face_units
from mic.synthface.camera import View
from mic.synthface.fields import ramp
from mic.synthface.identity import Identity
from mic.synthface.identity import sample as sample_identity
from mic.synthface.light import Lighting
from mic.synthface.model import ATLAS, Head, Part, head, vertex_normals
from mic.synthface.raster import Fragments, rasterize
from mic.synthface.render import SAMPLES, Layer, Samples, resolve

# Constant reflectance of what is not painted.
_MOUTH = np.array([0.30, 0.10, 0.09], np.float32)
_MOUTH_LIGHT = np.float32(0.7)  # share of the key light that reaches teeth through open lips
_COLOURS = {
    Part.UPPER_TEETH: (0.92, 0.87, 0.76),
    Part.LOWER_TEETH: (0.82, 0.77, 0.66),
    Part.TONGUE: (0.50, 0.22, 0.21),
}
_NORMAL, _VISIBLE, _PLACE, _OPEN, _INSIDE, _CLOTH = slice(0, 3), 3, slice(4, 6), 6, 7, 8
_LANDMARKS = (  # eyes, nose tip, mouth corners on the base head: MTCNN's five points
    (-0.308, 7.284, 1.40),
    (0.308, 7.284, 1.40),
    (0.0, 6.93, 1.68),
    (-0.25, 6.62, 1.40),
    (0.25, 6.62, 1.40),
)


@lru_cache(maxsize=1)
def landmark_vertices() -> np.ndarray:
    """(5,) vertices of eyes, nose tip and mouth corners, right of the picture last."""
    places = np.array(_LANDMARKS, np.float32)
    return ((head().vertices[:, None] - places) ** 2).sum(-1).argmin(0)


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
    """

    identity: Identity
    colours: skin.Complexion
    painted: skin.Skin
    folds: wrinkles.Wrinkles
    hair: hair.Hair
    units: tuple[tuple[np.ndarray, np.ndarray], ...]
    fixed: np.ndarray
    cloth: np.ndarray


@dataclass(frozen=True)
class Drawing:
    """One drawn frame.

    Attributes:
        layer: The person, in linear light.
        depth: (2H, 2W) float32 depth of the visible surface, at the sample grid.
        landmarks: (5, 2) float32, pixels.
    """

    layer: Layer
    depth: np.ndarray
    landmarks: np.ndarray


def subject(seed: int, *, family: int | None = None) -> Subject:
    """Draws a person with everything that belongs to it."""
    person = sample_identity(seed, family=family)
    model = head()
    colours = skin.complexion(person)
    grown, under_hair = hair.grow(person, colours)
    rng = np.random.default_rng((seed, 7))
    units = []
    for name, gain in zip(FACE_UNITS, person.gain, strict=True):
        index, delta = model.targets[f"unit/{name}"]
        if name.startswith("eyeBlink"):  # lids close for everybody
            index, delta = closure.blink(person.vertices, int(name.endswith("Right")))
            gain = 1.0
        units.append((index, delta * np.float32(gain)))
    return Subject(
        identity=person,
        colours=colours,
        painted=skin.paint(person, colours, under_hair),
        folds=wrinkles.sample(person),
        hair=grown,
        units=tuple(units),
        fixed=_fixed(model, float(rng.uniform(5.72, 5.95))),
        cloth=np.clip(rng.uniform(0.05, 0.55) + rng.normal(0, 0.10, 3), 0.02, 0.7).astype(
            np.float32
        ),
    )


def _fixed(model: Head, collar: float) -> np.ndarray:
    """Per-vertex quantities that no frame changes; see `Subject.fixed`."""
    open_sky = model.occlusion.astype(np.float64).copy()
    # The bake saw a shut mouth; where it opens, some light enters.
    inner = (model.inside_mouth > 0.3) & (model.lips < 0.2)
    open_sky[inner] = np.maximum(open_sky[inner], 0.20)
    lips = model.lips > 0.2
    open_sky[lips] = np.maximum(open_sky[lips], 0.6)
    open_sky[_mouth()] = 0.85
    open_sky[model.vertices_of(Part.LEFT_EYE, Part.RIGHT_EYE)] = 0.75
    open_sky = np.clip(0.15 + 0.95 * open_sky, 0, 1)
    # A neckline is a plane around the neck, lower in front.
    cloth = collar - 0.45 * model.vertices[:, 2] - model.vertices[:, 1]
    return np.column_stack([model.chart, open_sky, model.inside_mouth, cloth]).astype(np.float32)


@lru_cache(maxsize=1)
def _follow() -> np.ndarray:
    """(V, 1) float32: how far each vertex turns with the head."""
    return ramp(5.3, 6.2, head().vertices[:, 1:2].astype(np.float64)).astype(np.float32)


@lru_cache(maxsize=1)
def _chart_area() -> np.ndarray:
    """(T,) area of each triangle on the atlas, in texels."""
    u, v = np.moveaxis(head().chart[head().triangles] * np.float32(ATLAS), -1, 0)
    return _area(u, v)


@lru_cache(maxsize=1)
def _mouth() -> np.ndarray:
    """Vertices of teeth and tongue."""
    return head().vertices_of(Part.UPPER_TEETH, Part.LOWER_TEETH, Part.TONGUE)


def _area(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.abs(
        (x[:, 1] - x[:, 0]) * (y[:, 2] - y[:, 0]) - (y[:, 1] - y[:, 0]) * (x[:, 2] - x[:, 0])
    ) * np.float32(0.5)


def deform(person: Subject, units: np.ndarray) -> np.ndarray:
    """(V, 3) float32 face under the given weights of `FACE_UNITS`, head not yet turned."""
    vertices = person.identity.vertices.copy()
    for weight, (index, delta) in zip(units, person.units, strict=True):
        if weight > 1e-3:
            vertices[index] += np.float32(min(weight, STRONGEST)) * delta
    closure.slide_over_eyes(vertices, person.identity.eye_centres, person.identity.eye_radii)
    return vertices


def draw(
    person: Subject,
    activation: np.ndarray,
    *,
    view: View,
    gaze: tuple[float, float],
    lighting: Lighting,
    size: int,
) -> Drawing:
    """Draws one frame.

    Args:
        person: Whom to draw.
        activation: (len(CODES),) intensities of the action units.
        view: Pose and place of the head.
        gaze: Yaw and pitch of the eyes in the head, radians.
        lighting: The lights.
        size: Pixels along either side.
    """
    model = head()
    units = face_units(activation)
    rotation = view.rotation()
    rest = deform(person, units)
    points = camera.turn(rest, rotation, _follow())
    grid = size * SAMPLES
    screen = camera.project(points, view, grid)
    body = rasterize(screen, model.triangles, height=grid, width=grid)

    # Light is brought into the head's frame, where what each vertex sees is known.
    towards = harmonics.basis(rotation.T.astype(np.float64) @ lighting.key)
    visible = np.zeros(len(points), np.float32)
    for value, coefficients in zip(towards.astype(np.float32), model.visibility.T, strict=True):
        visible += value * coefficients
    normal = vertex_normals(points, model.triangles, len(points))
    visible[_mouth()] = _MOUTH_LIGHT
    vertex = np.concatenate([normal, np.clip(visible, 0, 1)[:, None], person.fixed], axis=1)
    share = _chart_area() / np.maximum(_screen_area(screen, model.triangles), np.float32(0.02))
    top, depth = None, body.depth
    if len(person.hair.triangles):
        top, depth = _draw_hair(person, rest, rotation, view, lighting, body, visible, size)
    # What opaque hair hides is not shaded.
    hidden = None if top is None else top.cover >= 1
    found = resolve(body, model.part, hidden)
    colour = _shade_body(person, found.samples, vertex, share, units, rotation, gaze, lighting)
    layer = found.gather(colour)
    if top is not None:
        behind = 1 - top.cover
        layer = Layer(
            colour=top.colour + layer.colour * behind[..., None],
            cover=top.cover + layer.cover * behind,
        )
    return Drawing(
        layer=layer, depth=depth, landmarks=screen[landmark_vertices(), :2] / np.float32(SAMPLES)
    )


def _screen_area(screen: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """(T,) area of each triangle in pixels."""
    return _area(screen[:, 0][triangles], screen[:, 1][triangles]) / np.float32(SAMPLES**2)


def _shade_body(
    person: Subject,
    samples: Samples,
    vertex: np.ndarray,
    texels: np.ndarray,
    units: np.ndarray,
    rotation: np.ndarray,
    gaze: tuple[float, float],
    lighting: Lighting,
) -> np.ndarray:
    """(n, 3) linear light of the samples of skin, eyes, teeth, tongue and lashes."""
    model = head()
    surface = samples.interpolate(vertex, model.triangles)
    part = model.part[samples.triangle]
    on_skin = part == Part.SKIN
    place = surface[:, _PLACE]
    painted = person.painted.texture
    texel = painted.sample(place, painted.level_for(texels[samples.triangle]))
    colour, gloss = texel[:, :3], texel[:, 3]
    slope = texel[:, 4:6]

    inside, where = wrinkles.in_window(place)
    folds = person.folds.relief(units)
    fold = folds.sample(where, np.zeros(len(where), np.int32))
    slope[inside] += fold[:, :2]
    colour[inside] *= 1 - np.float32(0.22) * np.clip(fold[:, 2:3], 0, 1)

    throat = ramp(0.3, 0.7, surface[:, _INSIDE])[:, None]
    colour += (_MOUTH - colour) * throat
    cloth = ramp(-0.02, 0.02, surface[:, _CLOTH])
    colour += (person.cloth - colour) * cloth[:, None]
    gloss = gloss * (1 - cloth)
    for teeth, shade in _COLOURS.items():
        colour[part == teeth] = np.array(shade, np.float32)
    lashes = part == Part.LASHES
    colour[lashes] *= np.float32(1 - person.colours.lashes)
    gloss[~on_skin] = np.float32(0.15)
    slope[~on_skin] = 0

    normal = _tilt(light.unit(surface[:, _NORMAL]), slope * (1 - cloth)[:, None])
    balls = np.flatnonzero((part == Part.LEFT_EYE) | (part == Part.RIGHT_EYE))
    if len(balls):
        ball = Samples(samples.triangle[balls], tuple(w[balls] for w in samples.weights))
        outward = light.unit(ball.interpolate(person.identity.eye_directions, model.triangles))
        colour[balls], shade = eyes.shade(outward, gaze, person.colours)
        surface[balls, _OPEN] *= shade
        surface[balls, _VISIBLE] *= shade
        normal[balls] = camera.rotate(outward, rotation)
        gloss[balls] = 0
    wrap = np.where((on_skin & (cloth < 0.5))[:, None], light.SKIN_WRAP, light.HARD_WRAP)
    wrap = wrap * np.float32(1 - 0.4 * person.colours.melanin)
    visible, open_sky = surface[:, _VISIBLE], surface[:, _OPEN]
    arriving = light.irradiance(lighting, normal, visible=visible, occlusion=open_sky, wrap=wrap)
    colour *= arriving
    gleam = np.float32(0.085) * light.highlight(lighting, normal) * gloss * visible
    colour += gleam[:, None] * lighting.key_colour
    if len(balls):
        colour[balls] += eyes.gleam(normal[balls], lighting)[:, None]
    return colour


def _tilt(normal: np.ndarray, slope: np.ndarray) -> np.ndarray:
    """Normals tilted by the relief's slopes to the subject's left (u) and down (v)."""
    x, y, z = normal.T
    flat = 1 / np.sqrt(np.maximum(x * x + z * z, np.float32(1e-6)))
    left_x, left_z = z * flat, -x * flat  # horizontal tangent
    # Downward tangent: tangent x normal.
    down_x, down_y, down_z = -left_z * y, left_z * x - left_x * z, left_x * y
    right, down = slope[:, 0], slope[:, 1]
    tilted = np.stack(
        [
            x - right * left_x - down * down_x,
            y - down * down_y,
            z - right * left_z - down * down_z,
        ],
        1,
    )
    return light.unit(tilted)


def _draw_hair(
    person: Subject,
    rest: np.ndarray,
    rotation: np.ndarray,
    view: View,
    lighting: Lighting,
    body: Fragments,
    visible: np.ndarray,
    size: int,
) -> tuple[Layer, np.ndarray]:
    """The layer of hair in front of the body, and the depth of what is seen then."""
    mesh = person.hair
    shell = rest[mesh.roots] + mesh.offset
    points = np.concatenate([shell, mesh.curtain]).astype(np.float32)
    share = np.ones((len(points), 1), np.float32)
    points = camera.turn(points, rotation, share)
    grid = size * SAMPLES
    screen = camera.project(points, view, grid)
    found = rasterize(
        screen,
        mesh.triangles,
        height=grid,
        width=grid,
        two_sided=True,
        in_front_of=body.depth,
    )
    normal = vertex_normals(points, mesh.triangles, len(points))
    lit = np.concatenate(
        [np.clip(visible[mesh.roots], 0, 1), np.full(len(mesh.curtain), 0.8, np.float32)]
    )
    vertex = np.column_stack([normal, lit, mesh.place, mesh.cover]).astype(np.float32)
    plan = resolve(found, np.zeros(len(mesh.triangles), np.int8))
    surface = plan.samples.interpolate(vertex, mesh.triangles)
    u, v = np.moveaxis(mesh.place[mesh.triangles] * np.float32(ATLAS), -1, 0)
    texels = _area(u, v) / np.maximum(_screen_area(screen, mesh.triangles), np.float32(0.02))
    texel = mesh.texture.sample(
        surface[:, 4:6], mesh.texture.level_for(texels[plan.samples.triangle])
    )
    facing = light.unit(surface[:, :3])
    facing = np.where(facing[:, 2:3] < 0, -facing, facing)
    own = ramp(0.1, 0.6, surface[:, 6] + np.float32(0.2) * texel[:, 1])
    cover = np.where(surface[:, 6] > 0, own, texel[:, 0])
    # A shell thins out where it is seen edge on: single hairs, no hard outline.
    thin = ramp(-0.02, 0.15, facing[:, 2] + np.float32(0.07) * texel[:, 1])
    if not len(mesh.curtain):  # else the curtain would have to show behind it
        cover = cover * thin
    strands = texel[:, 1]
    albedo = (
        person.colours.hair.astype(np.float32)
        * np.clip(1 + np.float32(0.45) * strands, np.float32(0.4), np.float32(1.9))[:, None]
    )
    arriving = light.irradiance(
        lighting,
        facing,
        visible=surface[:, 3],
        occlusion=np.full(len(facing), np.float32(0.75)),
        wrap=light.HARD_WRAP,
    )
    colour = albedo * arriving + _sheen(facing, strands, lighting, person.colours.hair)
    return plan.gather(colour, cover.astype(np.float32)), np.minimum(found.depth, body.depth)


def _sheen(
    normal: np.ndarray, strands: np.ndarray, lighting: Lighting, colour: np.ndarray
) -> np.ndarray:
    """Highlight across strands that run down the head (Kajiya and Kay, 1989)."""
    half = light.unit((lighting.key + np.array([0, 0, 1], np.float32))[None])[0]
    down = -normal * normal[:, 1:2]
    down[:, 1] += 1
    along = light.dot(light.unit(down), half) + np.float32(0.12) * strands
    across = np.clip(1 - along * along, 0, 1)
    p4 = across * across
    p4 *= p4
    p16 = p4 * p4
    p16 *= p16
    tint = (np.float32(0.25) * lighting.key_colour + np.float32(1.2) * colour).astype(np.float32)
    return (np.float32(0.20) * p16)[:, None] * tint
