"""Draws hair: a translucent layer in front of the head, lit as strands are."""

from __future__ import annotations

import numpy as np

from mic.synthface import camera, light
from mic.synthface.camera import View
from mic.synthface.fields import ramp
from mic.synthface.hair import Hair
from mic.synthface.light import Lighting
from mic.synthface.model import ATLAS, triangle_area, vertex_normals
from mic.synthface.raster import rasterize
from mic.synthface.render import SAMPLES, Layer, resolve
from mic.synthface.skin import Complexion

_NORMAL, _VISIBLE, _PLACE, _COVER = slice(0, 3), 3, slice(4, 6), 6
_OCCLUSION = np.float32(0.75)  # strands shade each other


def draw(
    hair: Hair,
    colours: Complexion,
    rest: np.ndarray,
    *,
    rotation: np.ndarray,
    view: View,
    lighting: Lighting,
    visible: np.ndarray,
    depth: np.ndarray,
    size: int,
) -> tuple[Layer, np.ndarray]:
    """Draws the hair of a head.

    Args:
        hair: The mesh.
        colours: The person's colours.
        rest: (V, 3) the deformed face, head not turned.
        rotation: (3, 3) how it is turned.
        view: Where it is seen.
        lighting: The lights.
        visible: (V,) share of the key light at each vertex of the head.
        depth: (2H, 2W) depth of the head on screen.
        size: Pixels along either side.

    Returns:
        The layer, and the depth of what is seen with the hair in place.
    """
    points = np.concatenate([rest[hair.roots] + hair.offset, hair.curtain])
    points = camera.turn(points, rotation, np.ones((len(points), 1), np.float32))
    grid = size * SAMPLES
    screen = camera.project(points, view, grid)
    found = rasterize(
        screen, hair.triangles, height=grid, width=grid, two_sided=True, in_front_of=depth
    )
    plan = resolve(found, np.zeros(len(hair.triangles), np.int8))
    lit = np.concatenate([visible[hair.roots], np.full(len(hair.curtain), 0.8, np.float32)])
    normal = vertex_normals(points, hair.triangles, len(points))
    vertex = np.column_stack([normal, lit, hair.place, hair.cover])
    surface = plan.samples.interpolate(vertex, hair.triangles)
    pixels = triangle_area(screen[:, :2], hair.triangles) / np.float32(SAMPLES**2)
    texels = triangle_area(hair.place * np.float32(ATLAS), hair.triangles)
    level = hair.texture.level_for(
        (texels / np.maximum(pixels, np.float32(0.02)))[plan.samples.triangle]
    )
    covered, lightness = hair.texture.sample(surface[:, _PLACE], level).T
    facing = light.unit(surface[:, _NORMAL])
    facing = np.where(facing[:, 2:3] < 0, -facing, facing)

    own = surface[:, _COVER]
    free = ramp(0.1, 0.6, own + np.float32(0.08) * lightness)
    cover = np.where(own > 0, free, covered)
    if not len(hair.curtain):
        # A shell thins out where it is seen edge on: single hairs, no hard outline. With long
        # hair the curtain would have to show behind it.
        cover *= ramp(-0.06, 0.06, facing[:, 2] + np.float32(0.05) * lightness)
    shade = np.clip(1 + np.float32(0.45) * lightness, np.float32(0.4), np.float32(1.9))
    colour = colours.hair.astype(np.float32) * shade[:, None]
    colour *= light.irradiance(
        lighting,
        facing,
        visible=surface[:, _VISIBLE],
        occlusion=np.full(len(facing), _OCCLUSION),
        wrap=light.HARD_WRAP,
    )
    colour += _sheen(facing, lightness, lighting, colours.hair)
    return plan.gather(colour, cover), np.minimum(found.depth, depth)


def _sheen(
    normal: np.ndarray, lightness: np.ndarray, lighting: Lighting, colour: np.ndarray
) -> np.ndarray:
    """Highlight across strands that run down the head (Kajiya and Kay, SIGGRAPH 1989)."""
    half = light.half_way(lighting)
    down = -normal * normal[:, 1:2]
    down[:, 1] += 1
    along = light.dot(light.unit(down), half) + np.float32(0.12) * lightness
    across = np.clip(1 - along * along, 0, 1)
    p4 = across * across
    p4 *= p4
    p32 = p4 * p4
    p32 *= p32
    p32 *= p32
    p32 *= np.clip(light.dot(normal, half), 0, 1)  # none on the far side
    tint = np.float32(0.25) * lighting.key_colour + np.float32(1.2) * colour.astype(np.float32)
    return (np.float32(0.25) * p32)[:, None] * tint
