"""What a frozen landmark network makes of each sampled picture of a clip.

The papers' landmark methods read dozens of points a face. No clip here is annotated with so many,
but MediaPipe's networks (`mic.faces.landmarks`) find 478 points and 52 blendshapes on any of them;
they are asked for the I-frame and for the sampled frames and are never trained, as the network of
`mic.experiments.embeddings`.
"""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np

from mic.experiments import embeddings
from mic.experiments.data import Dataset
from mic.faces.landmarks import BLENDSHAPES, POINTS, Landmarker, roi_of_box
from mic.processes.workers import torch_threads
from mic.storage import assets, cache

STAGE = cache.Stage(name="landmark-frames", version=1)
_CORNERS = (33, 263)  # the outer corners of the eyes: no expression moves one against the other


def of_frames(path: Path, *, steps: int, folder: Path | None = None) -> dict[str, np.ndarray]:
    """The I-frame's face, then those of the sampled frames.

    A frame on which the face is lost repeats the nearest that was seen; without any face: NaN.

    Args:
        path: A clip of at least two frames.
        steps: Frames, as in `mic.inputs.tensors.sampled`.
        folder: The cache; by default `MIC_HOME/cache`.

    Returns:
        points: float32 (1 + steps, 478, 2), upright, from the middle between the outer corners of
        the eyes, in parts of their distance; blendshapes: float32 (1 + steps, 52).
    """

    def compute() -> dict[str, np.ndarray]:
        points = np.full((1 + steps, POINTS, 2), np.nan, np.float32)
        shapes = np.full((1 + steps, len(BLENDSHAPES)), np.nan, np.float32)
        seen = embeddings.looks(path, steps=steps, folder=folder)
        for row, (frame, box, five) in enumerate(seen):
            with torch_threads(1):
                # A detected box is loose; the second look is centred on the points of the first.
                mesh = landmarker().look(frame, roi_of_box(box, five))
                mesh = landmarker().look(frame, mesh.roi)
                shapes[row] = landmarker().blendshapes(mesh)
            points[row] = upright(mesh.points[:, :2])
        return {"points": points, "blendshapes": shapes}

    return cache.fetch(
        STAGE,
        inputs=[cache.digest(path), cache.digest(assets.path("face_landmarker"))],
        parameters={"steps": steps},
        compute=compute,
        folder=folder,
    )


def upright(points: np.ndarray) -> np.ndarray:
    """Points (N, 2) moved, turned and scaled until the eyes' outer corners are half a unit from 0.

    They lie on the first axis then, so that neither the head's place nor its tilt is left.
    """
    left, right = points[list(_CORNERS)]
    x, y = right - left
    turn = np.array([[x, y], [-y, x]]) / (x * x + y * y)
    return np.asarray((points - (left + right) / 2) @ turn.T)


def probes(data: Dataset, *, steps: int) -> dict[str, np.ndarray]:
    """What linear probes are given of all clips: (N, D) by their row, in the manifest's order.

    Clips without a face get the mean of the others, which tells nothing about anybody.
    """
    kept = set(data.kept())
    found: dict[str, np.ndarray] = {}
    clips = [
        of_frames(data.manifest.path(clip), steps=steps, folder=data.folder)
        if row in kept
        else None
        for row, clip in enumerate(data.manifest)
    ]
    some = next(one for one in clips if one is not None)
    for name, title in (("points", "478 landmarks"), ("blendshapes", "52 blendshapes")):
        nothing = np.full_like(some[name], np.nan)
        table = np.stack([nothing if one is None else one[name] for one in clips])
        table = table.reshape(*table.shape[:2], -1)
        blind = np.isnan(table).any((1, 2))
        table[blind] = table[~blind].mean(0)
        found |= embeddings.titled(table, title)
    return found


@functools.cache
def landmarker() -> Landmarker:
    """The networks, once a process."""
    return Landmarker()
