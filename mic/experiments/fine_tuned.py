"""An attacker that holds the network as well and fine-tunes it to name people.

The other attackers (`mic.experiments.privacy.attackers`) are given z_E. This one has weights and
clips: it puts another last layer behind the encoder, trains both to name the people of the
training part, and compares what the network then makes of clips of people that it has not seen.
What it finds was in the clips. Whether the weights helped, and whether a game against mutual
information had kept something from them, a network that starts from random weights tells.

    cells = start.cells(data, config)
    found = {start: [attacked(data, start, cell) for cell in cells]}
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
import torch

from mic.config import Profile
from mic.evaluation.leakage import Features
from mic.evaluation.metrics import drawn
from mic.experiments import plan
from mic.experiments.cells import Cell, facts_of, fit, rows_of
from mic.experiments.data import Dataset
from mic.experiments.privacy.attackers import PairScores, attack
from mic.experiments.privacy.rates import rates
from mic.inputs.tensors import ClipTensors, Kind
from mic.models.mic import Method, Mic
from mic.models.trainable import Trainable
from mic.processes.workers import torch_threads
from mic.publishing import plots
from mic.storage import cache
from mic.training.initial import begin_with, initial_network
from mic.training.schedules import Schedule
from mic.training.train import Training, predict

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STAGE = cache.Stage(name="fine-tuned", version=1)
# Of `mic.experiments.privacy.attackers.ATTACKERS`: those that learn nothing, and directions.
ATTACKERS = ("similarity", "linear")
RANDOM = "random weights"
COLUMNS: Mapping[str, str] = {
    "input": "what the network is shown",
    "start": "the weights that the attacker begins with: of a row, or random ones",
    "attacker": "how pairs of clips are scored, on z_E and after fine-tuning",
    "auc": "same person? after fine-tuning; 0.5: no idea",
    "auc_low": "95 % interval over people",
    "auc_high": "95 % interval over people",
    "auc_before": "of z_E, as it was trained; empty for random weights",
    "difference": "`auc` less that of the network that began with random weights",
    "difference_low": "95 % interval over people, paired",
    "difference_high": "95 % interval over people, paired",
    "people": "test people",
    "folds": "parts of the people",
}
# A change raises the version of the stage.
_SCHEDULE = Schedule(epochs=30, frames=0, label_smoothing=0.1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Start:
    """What the attacker begins with.

    Attributes:
        kind: What the network is shown.
        row: Of `mic.experiments.plan.REGULARISERS`, or `RANDOM`.
        placebo: What the game was given in z_I's place.
    """

    kind: Kind
    row: str
    placebo: Literal["", "stranger"] = ""

    @property
    def name(self) -> str:
        """Of the row."""
        return f"{self.row}, given a stranger's z_I" if self.placebo else self.row

    def cells(self, data: Dataset, config: Profile) -> list[Cell]:
        """The trainings that are fine-tuned, or would be; one a part of the people."""
        changes = {} if self.row == RANDOM else plan.REGULARISERS[self.row]
        method = plan.method(config, **{**changes, "beta": 0.0})
        like = plan.representation(config, kind=self.kind)
        return plan.cells(
            data, config, {self.name: method}, like=like, folds=config.folds, seeds=[config.seed]
        )


INPUTS: Mapping[Kind, str] = {
    "decoded_frames": "decoded frames",
    "accumulated": "accumulated residuals",
}
STARTS = (
    Start(kind="decoded_frames", row=RANDOM),
    Start(kind="decoded_frames", row="none"),
    Start(kind="decoded_frames", row="MINE (MIC)"),
    Start(kind="decoded_frames", row="MINE (MIC)", placebo="stranger"),
    Start(kind="accumulated", row=RANDOM),
    Start(kind="accumulated", row="none"),
    Start(kind="accumulated", row="MINE (MIC)"),
)


def attacked(data: Dataset, start: Start, cell: Cell) -> Mapping[str, np.ndarray]:
    """The attackers' scores before and after fine-tuning, from the store or computed.

    Args:
        data: The dataset.
        start: What he begins with.
        cell: One of its cells.

    Returns:
        For each attacker NAME and WHEN of "before" (but of random weights) and "after":
        `WHEN/NAME/first`, `.../second` and `.../scores` (P,); `people` (M,) number of each test
        clip's person.
    """
    given = dataclasses.replace(data, placebo=start.placebo)
    random = start.row == RANDOM
    entry = _entry(data, start, cell)
    return cache.fetch(STAGE, compute=lambda: _attacked(given, cell, random=random), **entry)


def is_attacked(data: Dataset, start: Start, cell: Cell) -> bool:
    """Whether `attacked` is stored."""
    return cache.entry_path(STAGE, **_entry(data, start, cell)).is_file()


def _entry(data: Dataset, start: Start, cell: Cell) -> dict[str, Any]:
    facts = {"random": start.row == RANDOM, "epochs": _SCHEDULE.epochs}
    return {
        "inputs": [data.manifest.digest(), data.network, start.placebo],
        "parameters": facts_of(data, cell) | facts,
        "folder": data.folder,
    }


def _attacked(data: Dataset, cell: Cell, *, random: bool) -> dict[str, np.ndarray]:
    """Trains the cell's network, unless it begins with random weights, and fine-tunes it."""
    fitted, tested = map(list, rows_of(data, cell))
    clips = data.tensors(cell.representation)
    networks: dict[str, Trainable] = {}
    state = None
    if not random:
        networks["before"] = model = fit(data, cell).training.model
        state = model.state_dict()
    networks["after"] = _tuned(clips, fitted, cell.method, state, seed=cell.seed)
    identity = dataclasses.replace(data, placebo="").identities()
    found: dict[str, np.ndarray] = {}
    for when, one in networks.items():
        with torch_threads(1):
            parts = [predict(one, clips, rows).z.astype(np.float64) for rows in (fitted, tested)]
        train, test = (
            Features(
                z=z,
                labels=clips.labels[rows].numpy(),
                subjects=np.array(clips.subjects)[rows],
                identity=identity[rows].astype(np.float64),
            )
            for z, rows in zip(parts, (fitted, tested), strict=True)
        )
        for name in ATTACKERS:
            scored = attack(name, train, test, seed=cell.seed)
            found["people"] = scored.people
            found |= {
                f"{when}/{name}/first": scored.first,
                f"{when}/{name}/second": scored.second,
                f"{when}/{name}/scores": scored.scores.astype(np.float32),
            }
    return found


def _tuned(
    clips: ClipTensors,
    fitted: Sequence[int],
    method: Any,
    state: Mapping[str, torch.Tensor] | None,
    *,
    seed: int,
) -> Mic:
    """A network that names the people of the fitted clips, from weights that were trained before.

    Args:
        clips: All clips.
        fitted: Rows of those people.
        method: What the network was trained with; its game is left out.
        state: Of the trained encoder; None: random weights.
        seed: Of what is random.
    """
    people = sorted({clips.subjects[row] for row in fitted})
    number = {name: place for place, name in enumerate(people)}
    named = dataclasses.replace(
        clips,
        labels=torch.tensor([number.get(name, 0) for name in clips.subjects]),
        classes=tuple(people),
    )
    assert isinstance(method, Method)
    plain = dataclasses.replace(method, regulariser="none", beta=0.0)
    with torch_threads(1):
        model = initial_network(plain, named, fitted, seed=seed)
        if state is not None:
            begin_with(model, state)
        training = Training(model, named, fitted, schedule=_SCHEDULE, seed=seed)
        training.finish()
    return model


def table(
    found: Mapping[Start, Sequence[Mapping[str, np.ndarray]]], *, resamples: int = 2000
) -> pd.DataFrame:
    """What the attacker finds, with the columns `COLUMNS`.

    Args:
        found: `attacked` of each part of the people, the same parts for every start; of every
            input the one with random weights is among them.
        resamples: Draws of the people, the same for all rows.
    """
    random = {
        (start.kind, name): _auc(parts, f"after/{name}", resamples)
        for start, parts in found.items()
        for name in ATTACKERS
        if start.row == RANDOM
    }
    lines = []
    for start, parts in found.items():
        for name in ATTACKERS:
            after = _auc(parts, f"after/{name}", resamples)
            less = after - random[start.kind, name]
            low, high = np.nanquantile(after[1:], [0.025, 0.975])
            less_low, less_high = np.nanquantile(less[1:], [0.025, 0.975])
            known = start.row != RANDOM
            before = _auc(parts, f"before/{name}", 1)[0] if known else np.nan
            lines.append(
                {
                    "input": INPUTS[start.kind],
                    "start": start.name,
                    "attacker": name,
                    "auc": after[0],
                    "auc_low": low,
                    "auc_high": high,
                    "auc_before": before,
                    "difference": less[0] if known else np.nan,
                    "difference_low": less_low if known else np.nan,
                    "difference_high": less_high if known else np.nan,
                    "people": sum(int(one["people"].max()) + 1 for one in parts),
                    "folds": len(parts),
                }
            )
    return pd.DataFrame(lines)[list(COLUMNS)]


def _auc(parts: Sequence[Mapping[str, np.ndarray]], which: str, resamples: int) -> np.ndarray:
    """(1 + resamples,) mean over the parts, of their people and of draws of them."""
    reached = []
    for place, one in enumerate(parts):
        scored = PairScores(
            first=one[f"{which}/first"],
            second=one[f"{which}/second"],
            scores=one[f"{which}/scores"],
            people=one["people"],
        )
        people = int(scored.people.max()) + 1
        reached.append(rates(scored, drawn(people, resamples=resamples, seed=place)).auc)
    mean: np.ndarray = np.mean(reached, axis=0)
    return mean


def figure(found: pd.DataFrame) -> Figure:
    """AUC before and after fine-tuning, by start; a panel an input."""
    from matplotlib.figure import Figure

    shown = found[found["attacker"] == "linear"]
    made = Figure(figsize=(7.2, 2.6), layout="constrained")
    panels = made.subplots(1, shown["input"].nunique(), sharex=True, squeeze=False)[0]
    for axis, (title, rows) in zip(panels, shown.groupby("input", sort=False), strict=True):
        places = np.arange(len(rows))[::-1]
        axis.errorbar(
            rows["auc"], places, xerr=plots.reach(rows, "auc"), fmt="o", label="fine-tuned"
        )
        axis.plot(rows["auc_before"], places, "x", label="z_E as it was trained")
        axis.set(title=title, xlim=(0.45, 1.0), yticks=places, yticklabels=rows["start"])
        axis.axvline(0.5, color="0.7", linewidth=0.8, zorder=0)
        axis.set_xlabel("AUC, one person or two")
    panels[0].legend(fontsize=7)
    return made
