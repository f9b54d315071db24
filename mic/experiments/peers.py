"""The peers in the grid: the same folds, seeds and schedule, the input that each is made for."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence

import numpy as np

from mic import cache, codec, faces, metrics
from mic.datasets.manifest import Clip
from mic.datasets.tensors import Representation, sampled
from mic.experiments.cells import Cell, Dataset, grid, splits
from mic.models.baselines import PEERS, PeerMethod
from mic.models.baselines.outsider import Outsider, crop, vote
from mic.schedules import Schedule

OUTSIDER = "fer, every frame"
_STAGE = cache.Stage(name="outsider", version=1)


def peer_grid(
    data: Dataset,
    *,
    schedule: Schedule,
    steps: int,
    scale: int,
    folds: int,
    seeds: Sequence[int] = (0,),
    width: int = 16,
    peers: Sequence[str] = tuple(PEERS),
) -> list[Cell]:
    """Cells of the peers, each row named by `Peer.title`.

    Args:
        data: The dataset.
        schedule: How all are trained, MIC too; peers that need neighbouring frames get them all.
        steps: Frames sampled.
        scale: Pictures and residuals are taken at 1/scale.
        folds: The first so many splits.
        seeds: Repetitions.
        width: See `PeerMethod`.
        peers: Keys of `PEERS`.
    """
    inputs = {
        "pictures": Representation(kind="decoded_frames", steps=steps, scale=scale),
        "compressed": Representation(kind="fusion", steps=steps, scale=scale, with_motion=True),
    }
    cells = []
    for name in peers:
        peer = PEERS[name]
        cells += grid(
            data,
            {peer.title: PeerMethod(peer=name, width=width)},
            schedule=schedule if peer.any_rate else dataclasses.replace(schedule, frames=0),
            representation=inputs[peer.reads],
            folds=folds,
            seeds=seeds,
        )
    return cells


def outsider_row(
    data: Dataset, *, steps: int, folds: int, resamples: int = 2000
) -> dict[str, object]:
    """The untrained outsider on the same test clips: a line as of `accuracy_table`.

    The face is found on the I-frame and its box kept, because the generated heads hardly leave it.

    Args:
        data: The dataset.
        steps: Frames that vote.
        folds: As of the others.
        resamples: Of the bootstrap over subjects.

    Returns:
        row, accuracy, accuracy_low, accuracy_high, n, clips, folds.
    """
    network = Outsider()
    chosen = splits(data.manifest)[:folds]
    clips = [data.manifest.clips[index] for split in chosen for index in split.test]
    numbers = {name: number for number, name in enumerate(data.manifest.classes)}
    correct = []
    for clip in clips:
        votes = _votes(data, clip, steps, network)
        correct.append(int(vote(votes, data.manifest.classes).argmax()) == numbers[clip.label])
    found = metrics.subject_bootstrap(
        np.array(correct), [clip.subject for clip in clips], resamples=resamples
    )
    return {
        "row": OUTSIDER,
        "accuracy": found.value,
        "accuracy_low": found.low,
        "accuracy_high": found.high,
        "n": found.n,
        "clips": found.n,
        "folds": len(chosen),
    }


def _votes(data: Dataset, clip: Clip, steps: int, network: Outsider) -> np.ndarray:
    path = data.manifest.path(clip)

    def compute() -> dict[str, np.ndarray]:
        box = faces.detect_clip(path)[1].box
        wanted = sampled(clip.frames, steps).tolist()
        frames = dict(enumerate(itertools.islice(codec.decode(path), wanted[-1] + 1)))
        cut = [frames[n] if np.isnan(box).any() else crop(frames[n], box) for n in wanted]
        return {"probabilities": network.probabilities(cut)}

    return cache.fetch(
        _STAGE,
        inputs=[cache.digest(path)],
        parameters={"steps": steps},
        compute=compute,
        folder=data.folder,
    )["probabilities"]
