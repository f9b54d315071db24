"""The peers in the grid: the same folds, seeds and schedule, the input that each is made for."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from mic.config import Profile
from mic.evaluation import metrics
from mic.experiments import plan
from mic.experiments.cells import Cell, splits
from mic.experiments.cells import grid as cells_of
from mic.experiments.data import Dataset
from mic.experiments.photographs import decoded, probabilities
from mic.experiments.vote import vote
from mic.faces.fer import Fer
from mic.inputs.tensors import Representation
from mic.peers import PEERS, Peer, PeerMethod, PeerModel, parameter_count
from mic.publishing.own_rows import DEFAULT, ELSEWHERE

OUTSIDER = "fer, every frame"
# Feature maps of the first layer, as in MIC, so that no peer is better or worse for its size.
WIDTH = 16
COLUMNS: Mapping[str, str] = {
    "method": "row",
    "source": "who described it",
    "reads": "what it is given",
    "published": "its row in the paper's tables",
    "parameters": "of the network that is trained here, as wide as MIC's, on its chosen grid",
    "parameters_paper": "as wide as in its source, on its own grid",
    "differs": "what is not as in the source; `mic.peers` tells what that leaves open",
}


def folds(config: Profile) -> int:
    """Parts of the people that peers are tested on: one where the profile is short of time."""
    return 1 if config.name in ("smoke", "default") else config.folds


def peer_cells(
    data: Dataset,
    config: Profile,
    *,
    folds: int,
    peers: Sequence[str] = tuple(PEERS),
    width: int = WIDTH,
    grid: int | None = None,
) -> list[Cell]:
    """Cells of the peers, each row named by `Peer.title`.

    Args:
        data: The dataset.
        config: Seeds, epochs, frames, scale, as MIC has them.
        folds: The first so many of the profile's.
        peers: Keys of `PEERS`.
        width: See `PeerMethod`.
        grid: The same for all; None: `Peer.searched`.
    """
    like = Representation(steps=config.steps, scale=config.scale)
    cells = []
    for name in peers:
        peer = PEERS[name]
        # Peers that need neighbouring frames get them all, in training as in testing.
        changes = {} if peer.any_rate else {"frames": 0}
        edge = _edge(peer) if grid is None else grid
        cells += cells_of(
            data,
            {peer.title: PeerMethod(peer=name, width=width, grid=edge)},
            schedule=plan.schedule(config, data=data.name, **changes),
            representation=dataclasses.replace(
                like, kind=peer.shown, with_motion=peer.reads == "compressed"
            ),
            folds=folds,
            parts=config.parts,
            seeds=range(config.seed, config.seed + config.seeds),
        )
    return cells


def settings(row: str, *, searched: bool) -> str:
    """How a trained row came by its grid and input; see `mic.publishing.own_rows`.

    Args:
        row: Of `peer_cells`, or one of MIC's.
        searched: Whether MIC's rows have `plan.SEARCHED`.
    """
    for peer in PEERS.values():
        if peer.title == row:
            return ELSEWHERE if peer.searched else DEFAULT
    variant = plan.SPEED_ROWS.get(row)
    on_grid = searched and (variant is None or plan.SEARCHED.items() <= variant.changes.items())
    return ELSEWHERE if on_grid else DEFAULT


def _edge(peer: Peer) -> int:
    """Of `PeerMethod`: 0 where a peer's own grid was chosen, so that one training has one name."""
    return 0 if peer.searched == peer.grid else peer.searched


def peers_table(peers: Sequence[str] = tuple(PEERS), *, classes: int = 7) -> pd.DataFrame:
    """Who the peers are.

    Args:
        peers: Keys of `PEERS`.
        classes: Of the networks whose parameters are counted.

    Returns:
        One row a peer; columns: `COLUMNS`.
    """

    def count(name: str, width: int, grid: int = 0) -> int:
        method = PeerMethod(peer=name, width=width, grid=grid)
        return parameter_count(PeerModel(method, classes=classes))

    return pd.DataFrame(
        [
            {
                "method": PEERS[name].title,
                "source": PEERS[name].source,
                "reads": PEERS[name].reads,
                "published": PEERS[name].published or "-",
                "parameters": count(name, WIDTH, PEERS[name].searched),
                "parameters_paper": count(name, PEERS[name].paper_width),
                "differs": PEERS[name].differs,
            }
            for name in peers
        ]
    )


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
    network = Fer()
    chosen = splits(data.manifest, parts=config.parts)[:folds]
    clips = [data.manifest.clips[index] for split in chosen for index in split.test]
    numbers = {name: number for number, name in enumerate(data.manifest.classes)}
    correct = []
    for clip in clips:
        votes = probabilities(data, clip, decoded, config.steps, network)
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
