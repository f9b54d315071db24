"""What a start is worth where a protocol has few clips: random weights, or ones that know faces.

`synth-afew` has few clips, and its faces are caught in the middle of an expression: networks that
begin with random weights do not learn it, although a frozen face network's embedding tells most of
its classes. Here every row is trained twice, by the same schedule: from random weights, and from
those of a training on the expressions of other generated people (`synth-ck` and `synth-mmi`), all
of whom it has seen to the end. Its classifier always begins anew.

    cells = start.cells(data, config)
    found = {start: [answered(data, others, start, cell) for cell in cells]}
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch

from mic.config import Profile
from mic.evaluation import metrics
from mic.evaluation.inference import compare, with_holm
from mic.experiments import plan
from mic.experiments.cells import Cell, facts_of, rows_of
from mic.experiments.data import Dataset
from mic.inputs.tensors import ClipTensors, Kind
from mic.models.mic import Method
from mic.models.trainable import Trainable
from mic.peers import PeerMethod
from mic.processes.workers import torch_threads
from mic.publishing import plots
from mic.storage import cache
from mic.training.initial import Buildable, begin_with, initial_network
from mic.training.train import Training, predict

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STAGE = cache.Stage(name="starts", version=1)
RANDOM, OTHERS = "random weights", "other people's expressions"
COLUMNS: Mapping[str, str] = {
    "row": "what the network sees",
    "start": "the weights that it begins with",
    "accuracy": "share of the clips whose expression is named, mean over seeds",
    "accuracy_low": "95 % interval over people",
    "accuracy_high": "95 % interval over people",
    "difference": "accuracy less that of the same row from random weights, mean over people",
    "difference_low": "90 % interval over people, paired",
    "difference_high": "90 % interval over people, paired",
    "p_holm": "two-sided, by sign flips of people, Holm over the table",
    "pretrained": "clips of other people that were learned from first",
    "n": "clips that were asked about",
    "people": "people seen in them",
    "seeds": "of weights and order",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Row:
    """What is trained from either start.

    Attributes:
        name: Of the row.
        kind: What it sees.
        peer: A key of `mic.peers.PEERS`; empty: MIC's network without its terms.
        attention: Whether MIC has its motion branch and attention over time.
    """

    name: str
    kind: Kind
    peer: str = ""
    attention: bool = False

    def method(self, config: Profile) -> Method | PeerMethod:
        """On the grid that validation people chose for it (`results/equal`)."""
        if self.peer:
            return PeerMethod(peer=self.peer, grid=4)
        more = {"motion": True, "pooling": "attention"} if self.attention else {}
        return plan.method(config, regulariser="none", beta=0.0, **plan.SEARCHED, **more)

    def cells(self, data: Dataset, config: Profile, *, seeds: int) -> list[Cell]:
        """Its trainings on a protocol, one a fold and seed."""
        like = plan.representation(config, kind=self.kind, with_motion=self.attention)
        return plan.cells(
            data,
            config,
            {self.name: self.method(config)},
            like=like,
            folds=config.folds,
            seeds=range(seeds),
            schedule=plan.schedule(config, frames=0),
        )


ROWS = (
    Row(name="accumulated residuals", kind="accumulated"),
    Row(name="I-frame carried + accumulated residuals", kind="carried"),
    Row(name="CNN+LSTM, decoded frames", kind="decoded_frames", peer="cnn-lstm"),
    Row(name="accumulated residuals and motion, attention", kind="accumulated", attention=True),
    Row(name="CNN+LSTM, decoded - I-frame", kind="decoded", peer="cnn-lstm"),
    Row(name="raw residuals", kind="raw"),
)


def answered(
    data: Dataset, others: Sequence[Dataset], cell: Cell, *, start: str
) -> Mapping[str, np.ndarray]:
    """A cell's answers from a start, from the store or computed.

    Args:
        data: The protocol.
        others: What is learned from first; no person of the protocol is in it.
        cell: A training of the protocol.
        start: `RANDOM` or `OTHERS`.

    Returns:
        `test` (M,), rows of the manifest, and `predicted` (M,), classes.
    """
    used = list(others) if start == OTHERS else []
    entry = _entry(data, used, cell)
    return cache.fetch(STAGE, compute=lambda: _answered(data, used, cell), **entry)


def is_answered(data: Dataset, others: Sequence[Dataset], cell: Cell, *, start: str) -> bool:
    """Whether `answered` is stored."""
    used = list(others) if start == OTHERS else []
    return cache.entry_path(STAGE, **_entry(data, used, cell)).is_file()


def _entry(data: Dataset, used: Sequence[Dataset], cell: Cell) -> dict[str, Any]:
    read = [(one.manifest.digest(), one.network, one.placebo) for one in (data, *used)]
    out = [sorted(clip.clip for clip in one.left_out) for one in used]
    return {
        "inputs": [part for parts in read for part in parts],
        "parameters": facts_of(data, cell) | ({"left_out_of_others": out} if any(out) else {}),
        "folder": data.folder,
    }


def _answered(data: Dataset, used: Sequence[Dataset], cell: Cell) -> dict[str, np.ndarray]:
    fitted, tested = rows_of(data, cell)
    with torch_threads(1):
        state = None
        if used:
            first = joined([one.tensors(cell.representation) for one in used])
            rows = [row for row, length in enumerate(first.lengths.tolist()) if length]
            state = _trained(first, rows, cell, None).state_dict()
        clips = data.tensors(cell.representation)
        model = _trained(clips, fitted, cell, state)
        logits = predict(model, clips, tested).logits
    return {"test": np.array(tested), "predicted": logits.argmax(1)}


def _trained(
    clips: ClipTensors,
    rows: Sequence[int],
    cell: Cell,
    state: Mapping[str, torch.Tensor] | None,
) -> Trainable:
    method: Buildable[Trainable] = cell.method
    model = initial_network(method, clips, rows, seed=cell.seed)
    if state is not None:
        begin_with(model, state)
    training = Training(model, clips, rows, schedule=cell.schedule, seed=cell.seed)
    training.finish()
    return training.model


def joined(parts: Sequence[ClipTensors]) -> ClipTensors:
    """Clips of several datasets as those of one, whose classes are all of theirs by name."""
    classes = tuple(sorted({name for part in parts for name in part.classes}))
    place = {name: number for number, name in enumerate(classes)}
    labels = [
        torch.tensor([place[part.classes[label]] for label in part.labels.tolist()])
        for part in parts
    ]
    motion = [part.motion for part in parts if part.motion is not None]
    return dataclasses.replace(
        parts[0],
        names=tuple(f"{k}/{name}" for k, part in enumerate(parts) for name in part.names),
        subjects=tuple(f"{k}/{name}" for k, part in enumerate(parts) for name in part.subjects),
        labels=torch.cat(labels),
        classes=classes,
        residual=torch.cat([part.residual for part in parts]),
        lengths=torch.cat([part.lengths for part in parts]),
        identity=torch.cat([part.identity for part in parts]),
        apex=None,
        motion=torch.cat(motion) if motion else None,
    )


def table(
    data: Dataset, found: Mapping[tuple[Row, str], Sequence[Mapping[str, np.ndarray]]], first: int
) -> pd.DataFrame:
    """A line a row and start, with the columns `COLUMNS`.

    Args:
        data: The protocol.
        found: Of each row and start, `answered` of every fold and seed.
        first: Clips that were learned from before, where they were.
    """
    truth = np.array(data.manifest.label_indices())
    people = np.array(data.manifest.column("subject"))
    right = {}
    for key, answers in found.items():
        of_clips = np.zeros((2, len(truth)))
        for one in answers:
            of_clips[0, one["test"]] += one["predicted"] == truth[one["test"]]
            of_clips[1, one["test"]] += 1
        right[key] = of_clips
    lines = []
    for (row, start), (count, asked) in right.items():
        tested = asked > 0
        seeds = int(asked.max())
        correct, who = count[tested] / asked[tested], people[tested]
        value = metrics.mean_over_subjects(correct, who)
        line: dict[str, object] = {
            "row": row.name,
            "start": start,
            "accuracy": value.value,
            "accuracy_low": value.low,
            "accuracy_high": value.high,
            "pretrained": first if start == OTHERS else 0,
            "n": int(tested.sum()),
            "people": len(set(who)),
            "seeds": seeds,
        }
        line |= dict.fromkeys(("difference", "difference_low", "difference_high", "p"), np.nan)
        if start != RANDOM:
            before, times = right[row, RANDOM]
            line |= compare(before[tested] / times[tested], correct, who).record()
        lines.append(line)
    return with_holm(pd.DataFrame(lines))[list(COLUMNS)]


def figure(found: pd.DataFrame, marks: Mapping[str, float]) -> Figure:
    """Accuracy from either start, a line a row, and marks to compare with.

    Args:
        found: See `table`.
        marks: Accuracy by what reaches it.
    """
    from matplotlib.figure import Figure

    made = Figure(figsize=(6.4, 3.2), layout="constrained")
    axis = made.subplots()
    rows = list(dict.fromkeys(found["row"]))
    for shift, (start, some) in zip(
        (0.12, -0.12), found.groupby("start", sort=False), strict=True
    ):
        places = np.array([len(rows) - 1 - rows.index(row) for row in some["row"]]) + shift
        axis.errorbar(
            some["accuracy"], places, xerr=plots.reach(some, "accuracy"), fmt="o", label=start
        )
    for number, (name, value) in enumerate(marks.items()):
        axis.axvline(value, color="0.35", linestyle=(":", "--", "-.")[number % 3], label=name)
    axis.set(xlim=(0, 1), xlabel="accuracy", yticks=range(len(rows)), yticklabels=rows[::-1])
    axis.legend(fontsize=7, loc="upper right", bbox_to_anchor=(0.96, 1.0))
    return made
