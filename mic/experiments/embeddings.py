"""What a frozen face-recognition network makes of each sampled picture of a clip.

The cheapest start that knows faces: MobileFaceNet (`mic.identity`) is asked for the I-frame and
for the sampled frames, aligned by the face that `mic.faces` follows, and is never trained. The
difference between two of its answers for the same face tells what the face did, not whose it is:
a linear probe on "last minus first" is the mark that a network trained on pictures has to reach.
"""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np

from mic import codec, faces, identity
from mic.experiments.data import Dataset
from mic.identity import IdentityNetwork
from mic.inputs.tensors import sampled
from mic.processes.workers import torch_threads
from mic.storage import cache

STAGE = cache.Stage(name="embedded-frames", version=1)


def of_frames(
    path: Path, *, steps: int, network: IdentityNetwork, folder: Path | None = None
) -> np.ndarray:
    """(1 + steps, D) float32: the I-frame's embedding, then those of the sampled frames.

    A frame on which the face is lost repeats the nearest that was seen; without any face: NaN.

    Args:
        path: A clip of at least two frames.
        steps: Frames, as in `mic.inputs.tensors.sampled`.
        network: From `mic.identity.load`.
        folder: The cache; by default `MIC_HOME/cache`.
    """

    def compute() -> dict[str, np.ndarray]:
        seen = looks(path, steps=steps, folder=folder)
        if not seen:
            return {"embeddings": np.full((1 + steps, network.dimensions), np.nan, np.float32)}
        crops = [network.crop(frame, points) for frame, _, points in seen]
        with torch_threads(1):
            return {"embeddings": network.embed(np.stack(crops))}

    return cache.fetch(
        STAGE,
        inputs=[cache.digest(path), network.weights_sha256],
        parameters={"network": network.name, "steps": steps},
        compute=compute,
        folder=folder,
    )["embeddings"]


def looks(
    path: Path, *, steps: int, folder: Path | None = None
) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """The pictures that a frozen network is asked about: (picture, box, five points) of each.

    The I-frame, then the sampled frames; one on which the face is lost is replaced by the nearest
    on which it was seen. Empty without any face.
    """
    found = faces.track_clip(path, folder=folder)
    wanted = [0, *sampled(len(found.statuses), steps).tolist()]
    seen = np.flatnonzero(~np.isnan(found.points[: wanted[-1] + 1]).any((1, 2)))
    if not len(seen):
        return []
    frames = dict(enumerate(itertools.islice(codec.decode(path), wanted[-1] + 1)))
    nearest = [int(seen[np.abs(seen - number).argmin()]) for number in wanted]
    return [(frames[number], found.boxes[number], found.points[number]) for number in nearest]


def embed(data: Dataset, steps: int) -> list[np.ndarray]:
    """`of_frames` of every clip, in the manifest's order; NaN for those that are left out."""
    network = identity.load(data.network)
    kept = set(data.kept())
    nothing = np.full((1 + steps, network.dimensions), np.nan, np.float32)
    return [
        of_frames(data.manifest.path(clip), steps=steps, network=network, folder=data.folder)
        if row in kept
        else nothing
        for row, clip in enumerate(data.manifest)
    ]


def of_dataset(data: Dataset, *, steps: int) -> np.ndarray:
    """(N, 1 + steps, D) float32 of all clips, in the manifest's order.

    Clips without a face get the mean of the others, which tells nothing about anybody.
    """
    table = np.stack(embed(data, steps))
    blind = np.isnan(table).any((1, 2))
    table[blind] = table[~blind].mean((0, 1))
    return table


def titled(embedded: np.ndarray, title: str = "MobileFaceNet") -> dict[str, np.ndarray]:
    """`summaries` by the row of the probe that reads them: "MobileFaceNet, linear, last frame"."""
    return {f"{title}, linear, {name}": one for name, one in summaries(embedded).items()}


def summaries(embedded: np.ndarray) -> dict[str, np.ndarray]:
    """What a linear probe is given of (N, 1 + T, D): (N, D) by name."""
    return {
        "last frame": embedded[:, -1],
        "last minus first": embedded[:, -1] - embedded[:, 0],
        "mean of the frames": embedded[:, 1:].mean(1),
        "mean minus first": embedded[:, 1:].mean(1) - embedded[:, 0],
        "I-frame": embedded[:, 0],
    }
