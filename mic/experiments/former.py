"""The first version's numbers measured again: the same settings, by today's code.

The first version compared MIC with peers that had one average a map and saw pictures as they are,
showed four of sixteen frames a training step, and printed one seed. What each of these costs was
then measured outside of the repository. Here every such setting is a row, trained in float32 on
the people that it was quoted for, beside the number that was quoted.

    found = {number: compute(data, cell) for number, cell in enumerate(cells(data, config))}
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mic import codec, faces, identity
from mic.config import Profile
from mic.evaluation import metrics
from mic.experiments import embeddings, looks, plan
from mic.experiments.cells import Cell, Outcome
from mic.experiments.data import Dataset
from mic.experiments.equal_tables import marks
from mic.experiments.peers import WIDTH
from mic.identity import IdentityNetwork
from mic.inputs.tensors import Kind
from mic.models.mic import Method
from mic.peers import PEERS, PeerMethod
from mic.processes.workers import torch_threads
from mic.publishing import plots

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS: Mapping[str, str] = {
    "protocol": "generated protocol",
    "row": "what is trained or asked, and what differs from the rows of today's tables",
    "was": "what was quoted of it, of the first version's code or from outside of the repository",
    "accuracy": "by today's code, unseen people",
    "accuracy_low": "95 % interval over people",
    "accuracy_high": "95 % interval over people",
    "n": "clips",
    "people": "people seen in them",
    "folds": "parts that were tested",
}
_TWELVE = 12  # frames from one look to the next


@dataclasses.dataclass(frozen=True, kw_only=True)
class Former:
    """A setting that a number was quoted of.

    Attributes:
        row: The setting in words.
        was: The accuracy that was quoted.
        kind: What is shown.
        grid: Averages a map, along each edge; 0: of MIC's own.
        epochs: Of the training; 0: the profile's.
        frames: Of a clip that a step sees; 0: all.
        folds: Parts that are tested.
        terms: Whether MIC has its MI and apex terms; a peer has none.
        seed: Of weights and batches.
    """

    row: str
    was: float
    kind: Kind
    grid: int = 0
    epochs: int = 0
    frames: int = 4
    folds: int = 3
    terms: bool = False
    seed: int = 0

    def cells(self, data: Dataset, config: Profile) -> list[Cell]:
        """Its trainings: the peer CNN+LSTM where there is a grid of its own, else MIC."""
        if self.grid:
            # As `mic.experiments.peers.peer_cells` names it, so that one training has one name.
            edge = 0 if self.grid == PEERS["cnn-lstm"].grid else self.grid
            method: Method | PeerMethod = PeerMethod(peer="cnn-lstm", width=WIDTH, grid=edge)
        else:
            changes = {} if self.terms else {"regulariser": "none", "beta": 0.0}
            method = plan.method(config, **changes)
        epochs = {"epochs": self.epochs} if self.epochs else {}
        return plan.cells(
            data,
            config,
            {self.row: method},
            like=plan.representation(config, kind=self.kind),
            folds=self.folds,
            seeds=[config.seed + self.seed],
            schedule=plan.schedule(config, data=data.name, frames=self.frames, **epochs),
        )


ROWS: Sequence[Former] = (
    Former(
        row="CNN+LSTM, frames, one average a map", was=0.23, kind="decoded_frames", grid=1, folds=1
    ),
    Former(row="CNN+LSTM, frames, 2x2 averages", was=0.40, kind="decoded_frames", grid=2, folds=1),
    Former(
        row="CNN+LSTM, frames, 4x4 averages, 120 epochs",
        was=0.71,
        kind="decoded_frames",
        grid=4,
        epochs=120,
        folds=1,
    ),
    Former(row="CNN+LSTM, less the first, one average", was=0.91, kind="decoded", grid=1, folds=1),
    Former(row="CNN+LSTM, less the first, 2x2", was=0.97, kind="decoded", grid=2, folds=1),
    Former(row="MIC on that part", was=0.95, kind="accumulated", terms=True, folds=1),
    Former(row="raw residuals, four frames a step", was=0.70, kind="raw"),
    Former(row="raw residuals, all frames", was=0.83, kind="raw", frames=0),
    Former(row="accumulated, four frames a step", was=0.93, kind="accumulated"),
    Former(row="accumulated, all frames", was=0.90, kind="accumulated", frames=0),
    Former(row="MIC, first seed", was=0.933, kind="accumulated", terms=True),
    Former(row="MIC, second seed", was=0.908, kind="accumulated", terms=True, seed=1),
    Former(row="MIC, third seed", was=0.890, kind="accumulated", terms=True, seed=2),
)
# Of `synth-afew`: logistic regressions on what a frozen network or the generator says.
PROBES: Mapping[str, float] = {
    "MobileFaceNet, mean of 16 frames": 0.82,
    "MobileFaceNet, mean of every twelfth frame": 0.77,
    "MobileFaceNet, I-frame": 0.40,
    "true action units since the first frame: mean, largest rise, largest fall": 0.95,
}


def cells(data: Dataset, config: Profile) -> list[Cell]:
    """All trainings of `ROWS`, in their order."""
    return [cell for one in ROWS for cell in one.cells(data, config)]


def trained_table(data: Dataset, outcomes: Sequence[Outcome], config: Profile) -> pd.DataFrame:
    """Accuracy of each row of `ROWS` beside what was quoted; columns `COLUMNS`.

    Args:
        data: What was trained on.
        outcomes: Of `cells`, in their order.
        config: Resamples of the bootstrap.
    """
    left = iter(outcomes)
    lines = []
    for one in ROWS:
        found = list(itertools.islice(left, len(one.cells(data, config))))
        right = np.concatenate([outcome.correct for outcome in found])
        people = np.concatenate([outcome.subjects[len(outcome.train) :] for outcome in found])
        line = _line(right, people, config, folds=len(found))
        lines.append({"protocol": data.name, "row": one.row, "was": one.was, **line})
    return pd.DataFrame(lines)[list(COLUMNS)]


def probe_table(data: Dataset, config: Profile) -> pd.DataFrame:
    """Accuracy of each of `PROBES` beside what was quoted; columns `COLUMNS`.

    Args:
        data: A generated dataset without clips that are left out.
        config: Frames a clip, resamples of the bootstrap.
    """
    embedded = embeddings.of_dataset(data, steps=config.steps)
    units = looks.drawn(data, config.steps)
    change = units[:, 1:] - units[:, :1]
    network = identity.load(data.network)
    paths = [data.manifest.path(clip) for clip in data.manifest]
    seen = dict(
        zip(
            PROBES,
            (
                embedded[:, 1:].mean(1),
                np.stack([every_twelfth(path, network, folder=data.folder) for path in paths]),
                embedded[:, 0],
                np.concatenate([change.mean(1), change.max(1), change.min(1)], 1),
            ),
            strict=True,
        )
    )
    answers = marks(data, seen, parts=config.parts)
    lines = []
    for row, was in PROBES.items():
        own = answers[answers["row"] == row]
        line = _line(
            own["correct"].to_numpy(bool),
            own["subject"].to_numpy(),
            config,
            folds=own["split"].nunique(),
        )
        lines.append({"protocol": data.name, "row": row, "was": was, **line})
    return pd.DataFrame(lines)[list(COLUMNS)]


def every_twelfth(
    path: Path, network: IdentityNetwork, *, folder: Path | None = None
) -> np.ndarray:
    """(D,) mean of what a frozen network says of frames 0, 12, 24 and so on; zeros without a face.

    Args:
        path: A clip.
        network: From `mic.identity.load`.
        folder: The cache; by default `MIC_HOME/cache`.
    """
    found = faces.track_clip(path, folder=folder)
    seen = zip(codec.decode(path), found.points, strict=False)
    crops = [
        network.crop(picture, points)
        for picture, points in itertools.islice(seen, 0, None, _TWELVE)
        if not np.isnan(points).any()
    ]
    if not crops:
        return np.zeros(network.dimensions, np.float32)
    with torch_threads(1):
        mean: np.ndarray = network.embed(np.stack(crops)).mean(0)
    return mean


def _line(
    right: np.ndarray, people: np.ndarray, config: Profile, *, folds: int
) -> dict[str, object]:
    found = metrics.subject_bootstrap(right, people, resamples=config.bootstrap)
    return {
        "accuracy": found.value,
        "accuracy_low": found.low,
        "accuracy_high": found.high,
        "n": found.n,
        "people": len(set(people.tolist())),
        "folds": folds,
    }


def figure(table: pd.DataFrame) -> Figure:
    """What was quoted and what is measured, a line a row, from nothing to one."""
    from matplotlib.figure import Figure

    places = np.arange(len(table))[::-1]
    made = Figure(figsize=(8.4, 0.3 * len(table) + 1.2), layout="constrained")
    axis = made.subplots()
    axis.errorbar(
        table["accuracy"],
        places,
        xerr=plots.reach(table, "accuracy"),
        fmt="o",
        capsize=3,
        label="measured now, 95 % over people",
    )
    axis.plot(table["was"], places, "x", color="C1", label="quoted then")
    axis.set_yticks(places, table["row"])
    axis.set(xlim=(0, 1.02), ylim=(-0.7, len(table) - 0.3), xlabel="accuracy of unseen people")
    made.legend(loc="outside lower center", ncols=2)
    return made
