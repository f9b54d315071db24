"""Draws one frame of a subject: geometry, visibility, skin, eyes, mouth, hair and glasses."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from mic.synthface import camera, eyes, harmonics, light, occluders, strands, wrinkles
from mic.synthface.action_units import face_units
from mic.synthface.camera import View
from mic.synthface.fields import ramp
from mic.synthface.light import Lighting
from mic.synthface.model import Part, chart_area, head, triangle_area, vertex_normals
from mic.synthface.raster import rasterize
from mic.synthface.render import SAMPLES, Layer, Samples, resolve
from mic.synthface.subject import Subject, landmark_vertices, mouth

# Share of the key light that reaches teeth and tongue through open lips.
_MOUTH_LIGHT = np.float32(0.7)
# Constant reflectance of what is not painted.
_MOUTH = np.array([0.30, 0.10, 0.09], np.float32)
_COLOURS = {
    Part.UPPER_TEETH: np.array([0.92, 0.87, 0.76], np.float32),
    Part.LOWER_TEETH: np.array([0.82, 0.77, 0.66], np.float32),
    Part.TONGUE: np.array([0.50, 0.22, 0.21], np.float32),
}
# Columns of the per-vertex quantities that are interpolated over the samples.
_NORMAL, _VISIBLE, _PLACE, _OPEN, _INSIDE, _CLOTH = slice(0, 3), 3, slice(4, 6), 6, 7, 8


@dataclass(frozen=True)
class Drawing:
    """One drawn frame.

    Attributes:
        layer: The person, in linear light.
        landmarks: (5, 2) float32, pixels.
    """

    layer: Layer
    landmarks: np.ndarray


def draw(
    person: Subject,
    activation: np.ndarray,
    *,
    view: View,
    gaze: tuple[float, float],
    lighting: Lighting,
    size: int,
    spectacled: bool = False,
) -> Drawing:
    """Draws one frame.

    Args:
        person: Whom to draw.
        activation: (len(CODES),) intensities of the action units.
        view: Pose and place of the head.
        gaze: Yaw and pitch of the eyes in the head, radians.
        lighting: The lights.
        size: Pixels along either side.
        spectacled: Whether those who have glasses wear them.
    """
    model = head()
    units = face_units(activation)
    rotation = view.rotation()
    rest = person.deform(units)
    points = camera.turn(rest, rotation, _follow())
    grid = size * SAMPLES
    screen = camera.project(points, view, grid)
    body = rasterize(screen, model.triangles, height=grid, width=grid)
    visible = _visible(rotation, lighting)

    depth, top = body.depth, None
    if len(person.hair.triangles):
        top, depth = strands.draw(
            person.hair,
            person.colours,
            rest,
            rotation=rotation,
            view=view,
            lighting=lighting,
            visible=visible,
            depth=depth,
            size=size,
        )
    # What opaque hair hides is not shaded.
    plan = resolve(body, model.part, None if top is None else top.cover >= 1)
    normal = vertex_normals(points, model.triangles, len(points))
    vertex = np.concatenate([normal, visible[:, None], person.fixed], axis=1)
    pixels = triangle_area(screen[:, :2], model.triangles) / np.float32(SAMPLES**2)
    texels = chart_area() / np.maximum(pixels, np.float32(0.02))
    layer = plan.gather(
        _shade(person, plan.samples, vertex, texels, units, rotation, gaze, lighting)
    )
    if top is not None:
        layer = top.before(layer)
    if spectacled and person.glasses is not None:
        layer = occluders.draw(
            person.glasses,
            rotation=rotation,
            view=view,
            lighting=lighting,
            depth=depth,
            size=size,
        ).before(layer)
    return Drawing(layer=layer, landmarks=screen[landmark_vertices(), :2] / np.float32(SAMPLES))


@lru_cache(maxsize=1)
def _follow() -> np.ndarray:
    """(V, 1) float32: how far each vertex turns with the head."""
    return ramp(5.3, 6.2, head().vertices[:, 1:2].astype(np.float64)).astype(np.float32)


def _visible(rotation: np.ndarray, lighting: Lighting) -> np.ndarray:
    """(V,) float32 share of the key light that reaches each vertex.

    Light is brought into the head's frame, where what each vertex sees is known.
    """
    x, y, z = rotation.astype(np.float64)
    key = lighting.key.astype(np.float64)
    towards = harmonics.basis(x * key[0] + y * key[1] + z * key[2]).astype(np.float32)
    visible = np.zeros(len(head().vertices), np.float32)
    for value, coefficients in zip(towards, head().visibility.T, strict=True):
        visible += value * coefficients
    visible[mouth()] = _MOUTH_LIGHT
    return np.clip(visible, 0, 1)


def _shade(
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
    colour, gloss, slope = texel[:, :3], texel[:, 3], texel[:, 4:6]

    inside, where = wrinkles.in_window(place)
    folds = person.folds.relief(units)
    fold = folds.sample(where, np.zeros(len(where), np.int32))
    slope[inside] += fold[:, :2]
    colour[inside] *= 1 - np.float32(0.22) * np.clip(fold[:, 2:3], 0, 1)

    throat = ramp(0.3, 0.7, surface[:, _INSIDE])[:, None]
    colour += (_MOUTH - colour) * throat
    cloth = ramp(-0.02, 0.02, surface[:, _CLOTH])
    colour += (person.cloth - colour) * cloth[:, None]
    gloss *= 1 - cloth
    for unpainted, reflectance in _COLOURS.items():
        colour[part == unpainted] = reflectance
    colour[part == Part.LASHES] *= np.float32(1 - person.colours.lashes)
    gloss[~on_skin] = np.float32(0.15)
    slope *= np.where(on_skin, 1 - cloth, 0)[:, None]

    normal = _tilt(light.unit(surface[:, _NORMAL]), slope)
    balls = np.flatnonzero((part == Part.LEFT_EYE) | (part == Part.RIGHT_EYE))
    ball = Samples(samples.triangle[balls], tuple(weight[balls] for weight in samples.weights))
    outward = light.unit(ball.interpolate(person.identity.eye_directions, model.triangles))
    colour[balls], between_lids = eyes.shade(outward, gaze, person.colours)
    surface[balls, _OPEN] *= between_lids
    surface[balls, _VISIBLE] *= between_lids
    normal[balls] = camera.rotate(outward, rotation)
    gloss[balls] = 0

    wrap = np.where((on_skin & (cloth < 0.5))[:, None], light.SKIN_WRAP, light.HARD_WRAP)
    wrap *= np.float32(1 - 0.4 * person.colours.melanin)
    visible = surface[:, _VISIBLE]
    colour *= light.irradiance(
        lighting, normal, visible=visible, occlusion=surface[:, _OPEN], wrap=wrap
    )
    sheen = np.float32(0.085) * light.highlight(lighting, normal) * gloss * visible
    sheen[balls] += eyes.gleam(normal[balls], lighting)
    colour += sheen[:, None] * lighting.key_colour
    return colour


def _tilt(normal: np.ndarray, slope: np.ndarray) -> np.ndarray:
    """Normals tilted by a relief's slopes to the subject's left (u) and down (v)."""
    x, y, z = normal.T
    flat = 1 / np.sqrt(np.maximum(x * x + z * z, np.float32(1e-6)))
    left_x, left_z = z * flat, -x * flat  # horizontal tangent
    # Downward tangent: left tangent x normal.
    down_x, down_y, down_z = -left_z * y, left_z * x - left_x * z, left_x * y
    left, down = slope[:, 0], slope[:, 1]
    tilted = np.stack(
        [x - left * left_x - down * down_x, y - down * down_y, z - left * left_z - down * down_z],
        1,
    )
    return light.unit(tilted)
