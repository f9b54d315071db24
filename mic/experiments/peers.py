"""The peers in the grid: the same folds, seeds and schedule, the input that each is made for."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from mic import cache, codec, faces, metrics
from mic.config import Profile
from mic.datasets.manifest import Clip
from mic.datasets.tensors import Representation, sampled
from mic.experiments import plan
from mic.experiments.cells import Cell, Dataset, grid, splits
from mic.models.baselines import PEERS, PeerMethod
from mic.models.baselines.outsider import Outsider, crop, vote

OUTSIDER = "fer, every frame"
_STAGE = cache.Stage(name="outsider", version=1)


def peer_cells(
    data: Dataset,
    config: Profile,
    *,
    folds: int,
    peers: Sequence[str] = tuple(PEERS),
    width: int = 16,
) -> list[Cell]:
    """Cells of the peers, each row named by `Peer.title`.

    Args:
        data: The dataset.
        config: Seeds, epochs, frames, scale, as MIC has them.
        folds: The first so many of the profile's.
        peers: Keys of `PEERS`.
        width: See `PeerMethod`.
    """
    sampling = {"steps": config.steps, "scale": config.scale}
    inputs = {
        "pictures": Representation(kind="decoded_frames", **sampling),
        "compressed": Representation(kind="fusion", with_motion=True, **sampling),
    }
    cells = []
    for name in peers:
        peer = PEERS[name]
        # Peers that need neighbouring frames get them all, in training as in testing.
        changes = {} if peer.any_rate else {"frames": 0}
        cells += grid(
            data,
            {peer.title: PeerMethod(peer=name, width=width)},
            schedule=plan.schedule(config, **changes),
            representation=inputs[peer.reads],
            folds=folds,
            parts=config.parts,
            seeds=range(config.seed, config.seed + config.seeds),
        )
    return cells


def outsider_row(data: Dataset, config: Profile, *, folds: int) -> dict[str, object]:
    """The untrained outsider on the same test clips: a line as of `accuracy_table`.

    The face is found on the I-frame and its box kept, because the generated heads hardly leave it.

    Args:
        data: The dataset.
        config: Frames that vote, resamples of the bootstrap.
        folds: As of the others.

    Returns:
        row, accuracy, accuracy_low, accuracy_high, n, clips, folds.
    """
    network = Outsider()
    chosen = splits(data.manifest, parts=config.parts)[:folds]
    clips = [data.manifest.clips[index] for split in chosen for index in split.test]
    numbers = {name: number for number, name in enumerate(data.manifest.classes)}
    correct = []
    for clip in clips:
        votes = _votes(data, clip, config.steps, network)
        correct.append(int(vote(votes, data.manifest.classes).argmax()) == numbers[clip.label])
    found = metrics.subject_bootstrap(
        np.array(correct), [clip.subject for clip in clips], resamples=config.bootstrap
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
