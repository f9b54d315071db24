"""What comes between camera and face: glasses, which a person wears, and hands, which pass by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mic.synthface import camera, light
from mic.synthface.camera import View
from mic.synthface.dynamics import smooth_step, wander
from mic.synthface.identity import Identity
from mic.synthface.light import Lighting
from mic.synthface.model import vertex_normals
from mic.synthface.raster import rasterize
from mic.synthface.render import SAMPLES, Layer, resolve


@dataclass(frozen=True)
class Mesh:
    """Something to draw in front of a face.

    Attributes:
        vertices: (n, 3) float32, decimetres.
        triangles: (t, 3) int32.
        colour: (n, 3) float32 linear reflectance.
        cover: (n,) float32 opacity.
    """

    vertices: np.ndarray
    triangles: np.ndarray
    colour: np.ndarray
    cover: np.ndarray


def join(meshes: list[Mesh]) -> Mesh:
    """Several meshes as one."""
    starts = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes[:-1])])
    return Mesh(
        vertices=np.concatenate([mesh.vertices for mesh in meshes]).astype(np.float32),
        triangles=np.concatenate(
            [mesh.triangles + start for mesh, start in zip(meshes, starts, strict=True)]
        ).astype(np.int32),
        colour=np.concatenate([mesh.colour for mesh in meshes]).astype(np.float32),
        cover=np.concatenate([mesh.cover for mesh in meshes]).astype(np.float32),
    )


def tube(
    path: np.ndarray, radius: np.ndarray | float, colour: np.ndarray, *, sides: int = 6
) -> Mesh:
    """A tube along a path.

    Args:
        path: (m, 3) points.
        radius: Of each point, or of all.
        colour: (3,) reflectance.
        sides: Corners of the cross-section.
    """
    path = np.asarray(path, np.float64)
    tangent = np.gradient(path, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    side = np.where(np.abs(tangent[:, 2:3]) < 0.9, [[0.0, 0.0, 1.0]], [[0.0, 1.0, 0.0]])
    first = np.cross(tangent, side)
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    second = np.cross(tangent, first)
    angle = 2 * np.pi * np.arange(sides) / sides
    around = np.cos(angle)[:, None] * first[:, None] + np.sin(angle)[:, None] * second[:, None]
    width = np.broadcast_to(np.asarray(radius, np.float64), (len(path),))
    points = (path[:, None] + width[:, None, None] * around).reshape(-1, 3)
    ring = np.arange(len(path) - 1)[:, None] * sides
    here, there = np.arange(sides), (np.arange(sides) + 1) % sides
    a, b = (ring + here).ravel(), (ring + there).ravel()
    c, d = (ring + sides + there).ravel(), (ring + sides + here).ravel()
    faces = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
    count = len(points)
    return Mesh(points, faces, np.tile(np.asarray(colour), (count, 1)), np.ones(count))


def glasses(person: Identity) -> Mesh:
    """A pair of glasses that fits a person, in the head's frame."""
    rng = np.random.default_rng((person.seed, 8))
    frame = rng.choice(
        [[0.02, 0.02, 0.02], [0.10, 0.05, 0.025], [0.35, 0.33, 0.30], [0.02, 0.03, 0.08]]
    )
    dark = rng.random() < 0.06
    thickness = rng.choice([0.010, 0.016, 0.024])
    half_width, half_height = rng.uniform(0.215, 0.255), rng.uniform(0.135, 0.19)
    squareness = rng.uniform(2.0, 4.0)
    angle = np.linspace(0, 2 * np.pi, 33)
    cosine, sine = np.cos(angle), np.sin(angle)
    power = 2 / squareness
    outline = np.stack(
        [
            half_width * np.sign(cosine) * np.abs(cosine) ** power,
            half_height * np.sign(sine) * np.abs(sine) ** power,
        ],
        1,
    )
    parts, inner = [], []
    front = float(person.eye_centres[:, 2].mean()) + 0.30
    for side, centre in zip((1, -1), person.eye_centres, strict=True):
        middle = np.array([side * max(abs(float(centre[0])), half_width + 0.06), -0.03, front])
        flat = middle + np.column_stack([outline, -0.35 * np.abs(outline[:, 0] * side)])
        flat[:, 2] -= 0.10 * np.clip(side * outline[:, 0], 0, 1)
        parts.append(tube(flat, thickness, frame))
        glint = np.full(3, 0.9) if not dark else np.full(3, 0.015)
        fan = np.stack([np.full(32, 33), np.arange(32), np.arange(1, 33)], 1)
        opacity = 0.93 if dark else rng.uniform(0.03, 0.09)
        parts.append(
            Mesh(
                np.concatenate([flat, [middle]]),
                fan,
                np.tile(glint, (34, 1)),
                np.full(34, opacity),
            )
        )
        inner.append(middle - np.array([side * half_width, -0.03, 0]))
        hinge = middle + np.array([side * half_width, 0.04, -0.10])
        ear = np.array([side * 0.80, 0.02, front - 1.15])
        share = np.linspace(0, 1, 6)[:, None]
        parts.append(tube(hinge + share * (ear - hinge), thickness, frame))
    bend = np.linspace(0, 1, 7)[:, None]
    bridge = inner[0] + bend * (inner[1] - inner[0])
    bridge[:, 1] += 0.03 * np.sin(np.pi * bend[:, 0])
    parts.append(tube(bridge, thickness, frame))
    return join(parts)


def _hand(skin: np.ndarray) -> Mesh:
    """A right hand with its forearm: fingers up, tip of the middle finger at the origin."""
    parts = []
    share = np.array([0, 0.2, 0.4, 0.6, 0.75, 0.87, 0.94, 0.98, 1.0])
    rounded = np.sqrt(np.clip(1 - share**9, 0.004, 1))
    for x, tip, width in (
        (-0.26, -0.12, 0.080),
        (-0.085, 0.0, 0.085),
        (0.09, -0.05, 0.082),
        (0.25, -0.22, 0.070),
    ):
        root = np.array([x * 0.92, -1.08, 0.0])
        end = np.array([x * 1.12, tip - 0.04, -0.10])
        path = root + share[:, None] * (end - root)
        path[:, 2] += 0.16 * np.sin(np.pi * share)
        parts.append(tube(path, 1.1 * width * rounded * (1 - 0.15 * share), skin, sides=8))
    thumb = np.array([[-0.28, -1.45, 0], [-0.50, -1.22, -0.04], [-0.60, -0.95, -0.10]])
    path = np.stack([np.interp(share * 2, [0, 1, 2], thumb[:, axis]) for axis in range(3)], 1)
    parts.append(tube(path, 0.105 * rounded, skin))
    # The palm and the arm are tubes flattened along z.
    down = np.array([-0.80, -0.90, -1.15, -1.45, -1.70, -1.90, -2.3, -3.2, -4.2])
    width = np.array([0.28, 0.38, 0.42, 0.40, 0.32, 0.26, 0.28, 0.36, 0.42])
    palm = tube(np.column_stack([0 * down, down, 0 * down]), width, skin, sides=12)
    flat = palm.vertices.copy()
    flat[:, 2] *= np.interp(flat[:, 1], [-2.3, -1.8, -1.0], [0.8, 0.55, 0.38])
    parts.append(Mesh(flat, palm.triangles, palm.colour, palm.cover))
    return join(parts)


@dataclass(frozen=True)
class Gesture:
    """A hand that comes up to the face and leaves again.

    Attributes:
        mesh: The hand.
        target: (3,) where the fingertips go, in the frame of a head that is not turned.
        tilt: In-plane angle of the hand, radians; 0 points up.
        near: (T,) 0 is out of the picture, 1 is there.
        drift: (T, 2) small movements, decimetres.
    """

    mesh: Mesh
    target: np.ndarray
    tilt: float
    near: np.ndarray
    drift: np.ndarray

    def at(self, frame: int) -> Mesh | None:
        """The hand in one frame, or None while it is away."""
        near = float(self.near[frame])
        if near <= 0:
            return None
        sine, cosine = np.sin(self.tilt), np.cos(self.tilt)
        turn = np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])
        x, y, z = self.mesh.vertices.T
        points = np.stack([x * turn[k, 0] + y * turn[k, 1] + z * turn[k, 2] for k in range(3)], 1)
        away = (1 - near) * 3.0 * np.array([sine, -cosine, 0.1])
        place = self.target + away + np.array([*self.drift[frame], 0.0])
        points = (points + np.round(place, 6)).astype(np.float32)
        return Mesh(points, self.mesh.triangles, self.mesh.colour, self.mesh.cover)


_TARGETS = (  # where hands go: chin, mouth, cheek, brow
    (0.10, -0.75, 0.55),
    (-0.05, -0.50, 0.62),
    (0.45, -0.35, 0.45),
    (0.25, 0.50, 0.50),
)


def gesture(rng: np.random.Generator, frames: int, rate: float, skin: np.ndarray) -> Gesture:
    """Draws a gesture; the first frames are always free."""
    side = float(rng.choice([-1.0, 1.0]))
    target = np.array(_TARGETS[rng.integers(len(_TARGETS))]) * [side, 1, 1]
    time = np.arange(frames)
    start = rng.uniform(0.2, 0.6) * frames
    stay, travel = rng.uniform(0.3, 1.5) * rate, rng.uniform(0.25, 0.5) * rate
    near = smooth_step((time - start) / travel)
    near = near * (1 - smooth_step((time - start - travel - stay) / travel))
    mesh = _hand(np.asarray(skin) * 0.97)
    if side > 0:  # the other hand
        mesh = Mesh(
            mesh.vertices * np.array([-1, 1, 1], np.float32),
            mesh.triangles[:, ::-1],
            mesh.colour,
            mesh.cover,
        )
    return Gesture(
        mesh=mesh,
        target=target,
        tilt=float(side * rng.uniform(0.15, 0.9)),
        near=np.round(near, 6),
        drift=np.stack([wander(rng, frames, spread=0.03, frames_memory=10) for _ in range(2)], 1),
    )


def draw(
    mesh: Mesh,
    *,
    rotation: np.ndarray,
    view: View,
    lighting: Lighting,
    size: int,
    depth: np.ndarray | None = None,
) -> Layer:
    """Draws an occluder.

    Args:
        mesh: What to draw.
        rotation: (3, 3) turn about the neck; the identity for hands.
        view: Place and magnification on screen.
        lighting: The lights.
        size: Pixels along either side.
        depth: (2H, 2W) depth that the occluder must undercut to be seen, or None.
    """
    points = camera.turn(mesh.vertices, rotation, np.ones((len(mesh.vertices), 1), np.float32))
    grid = size * SAMPLES
    found = rasterize(
        camera.project(points, view, grid),
        mesh.triangles,
        height=grid,
        width=grid,
        two_sided=True,
        in_front_of=depth,
    )
    plan = resolve(found, np.zeros(len(mesh.triangles), np.int8))
    normal = vertex_normals(points, mesh.triangles, len(points))
    vertex = np.column_stack([normal, mesh.colour, mesh.cover]).astype(np.float32)
    surface = plan.samples.interpolate(vertex, mesh.triangles)
    facing = light.unit(surface[:, :3])
    facing = np.where(facing[:, 2:3] < 0, -facing, facing)
    arriving = light.irradiance(
        lighting,
        facing,
        visible=np.full(len(facing), np.float32(0.9)),
        occlusion=np.full(len(facing), np.float32(0.85)),
        wrap=light.SKIN_WRAP,
    )
    colour = surface[:, 3:6] * arriving
    colour += (np.float32(0.06) * light.highlight(lighting, facing))[:, None]
    return plan.gather(colour, np.clip(surface[:, 6], 0, 1))
