"""Equal chances: the same search, the same tries and the same people for every row.

A comparison is fair when every method may choose its input, its pooling and its schedule, and
chooses on people that no row is tested on. For each fold, candidates are fitted to the inner
training people and read on the fold's validation people; the best is fitted to both and tested
once, for each seed. A row that can read one input only has half as many tries.

    found = search(data, config, executor=executor)      # all candidates, on validation people
    chosen = choices(found)                              # a line a row and fold
    outcomes = run(data, final_cells(data, config, chosen), executor=executor)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import softmax

from mic.config import Profile
from mic.experiments import plan
from mic.experiments.cells import Cell, Outcome, grid, splits
from mic.experiments.data import Dataset
from mic.inputs.tensors import Kind, Representation
from mic.models.mic import Method
from mic.peers import PEERS, PeerMethod
from mic.training.schedules import Schedule

# (epochs, peak learning rate): a short, fast training and a long, careful one.
SCHEDULES = ((30, 2e-3), (60, 1e-3))
GRIDS = (2, 4)
# Parts that the people are divided into: each fold trains on four fifths.
PARTS = 5
# Columns of `search_table` that tell candidates of one row apart.
CANDIDATE = ["input", "grid", "epochs", "learning_rate"]
_PICTURES: tuple[Kind, ...] = ("decoded_frames", "decoded")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Row:
    """A method that may choose.

    Attributes:
        kinds: Inputs to choose from.
        changes: Fields of `Method` that differ from the default; empty for a peer.
        peer: A key of `mic.peers.PEERS`; empty for MIC.
        motion: Whether motion comes with the input.
    """

    kinds: tuple[Kind, ...]
    changes: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    peer: str = ""
    motion: bool = False

    def method(self, config: Profile, edge: int) -> Method | PeerMethod:
        """The method with its maps averaged to a grid of this edge."""
        if self.peer:
            return PeerMethod(peer=self.peer, grid=edge)
        return dataclasses.replace(
            Method(backbone=plan.backbone(config), grid=edge, motion=self.motion), **self.changes
        )


def _mic(*kinds: Kind, **changes: Any) -> Row:
    return Row(kinds=kinds, changes=changes, motion=bool(changes.get("motion")))


_STRONG: Mapping[str, Any] = {"pooling": "attention", "motion": True, "regulariser": "none"}

# What the papers' tables hold, the residual branch as strong as we know, then the peers.
ROWS: Mapping[str, Row] = {
    "MIC": _mic("accumulated", "running"),
    "MIC-MI": _mic("accumulated", "running", regulariser="none"),
    "MIC-MI+Adv": _mic("accumulated", "running", regulariser="discriminator"),
    "MIC-Î": _mic("accumulated", "running", beta=0.0),
    "MIC+T": _mic("accumulated", "running", motion=True),
    "MIC+ResNet6": _mic("accumulated", "running", backbone="resnet6"),
    "MIC, raw residuals": _mic("raw", "segment"),
    "MIC, attention and motion": _mic("accumulated", "running", **_STRONG),
    "MIC, raw, attention and motion": _mic("raw", "segment", **_STRONG),
    **{
        peer.title: Row(
            peer=name,
            kinds=_PICTURES[:1]
            if peer.moves
            else {
                "pictures": _PICTURES,
                "compressed": ("fusion",),
                "residuals": ("accumulated", "running"),
            }[peer.reads],
            motion=peer.reads == "compressed",
        )
        for name, peer in PEERS.items()
    },
}


def candidates(config: Profile, row: Row) -> list[tuple[Method | PeerMethod, Representation, Any]]:
    """All that a row may choose: (method, representation, schedule)."""
    return [
        (
            row.method(config, edge),
            Representation(
                kind=kind, steps=config.steps, scale=config.scale, with_motion=row.motion
            ),
            Schedule(epochs=epochs, learning_rate=rate, frames=0),
        )
        for kind in row.kinds
        for edge in GRIDS
        for epochs, rate in _schedules(config)
    ]


def _schedules(config: Profile) -> Sequence[tuple[int, float]]:
    """`SCHEDULES`, cut to the epochs of a profile that only proves that everything runs."""
    if config.name == "smoke":
        return [(config.epochs, rate) for _, rate in SCHEDULES]
    return SCHEDULES


def search_cells(
    data: Dataset, config: Profile, rows: Mapping[str, Row] = ROWS, *, parts: int = PARTS
) -> list[Cell]:
    """Every candidate of every row and fold, fitted to inner training people; one seed.

    Cells that share an input are neighbours, so that workers read it once.
    """
    found = []
    for title, row in rows.items():
        for method, representation, schedule in candidates(config, row):
            found += grid(
                data,
                {title: method},
                schedule=schedule,
                representation=representation,
                folds=min(parts, config.folds) if config.name == "smoke" else parts,
                parts=parts,
                seeds=(config.seed,),
                target="validation",
            )
    return sorted(found, key=lambda cell: (cell.representation.kind, cell.row != "MIC"))


def search_table(outcomes: Sequence[Outcome]) -> pd.DataFrame:
    """What every candidate reached on validation people.

    Returns:
        Columns dataset, row, split, input, grid, epochs, learning_rate, accuracy, cross_entropy
        (both on validation people), clips (of theirs).
    """
    lines = []
    for outcome in outcomes:
        cell = outcome.cell
        probability = softmax(outcome.logits.astype(float), 1)
        truth = probability[np.arange(len(outcome.truth)), outcome.truth]
        lines.append(
            {
                "dataset": outcome.dataset,
                "row": cell.row,
                "split": cell.split,
                "input": cell.representation.kind,
                "grid": cell.method.grid,
                "epochs": cell.schedule.epochs,
                "learning_rate": cell.schedule.learning_rate,
                "accuracy": outcome.correct.mean(),
                "cross_entropy": float(-np.log(np.maximum(truth, 1e-12)).mean()),
                "clips": len(outcome.truth),
            }
        )
    return pd.DataFrame(lines)


def choices(table: pd.DataFrame) -> pd.DataFrame:
    """The best candidate of each row and fold: accuracy, and cross-entropy among equals.

    Args:
        table: See `search_table`.

    Returns:
        The chosen lines, and the column tries.
    """
    keys = ["dataset", "row", "split"]
    order = table.sort_values(["accuracy", "cross_entropy"], ascending=[False, True])
    best = order.groupby(keys, sort=False, as_index=False).first()
    tries = table.groupby(keys, as_index=False).size().rename(columns={"size": "tries"})
    return best.merge(tries, on=keys)


def whole(table: pd.DataFrame) -> pd.DataFrame:
    """The lines of candidates that were tried on every fold: a search cut short is no choice."""
    folds = table.groupby(["dataset", "row", *CANDIDATE])["split"].transform("nunique")
    return table[folds == folds.groupby(table["dataset"]).transform("max")]


def carried(table: pd.DataFrame, data: Dataset, *, parts: int = PARTS) -> pd.DataFrame:
    """Choices for one dataset that were made on the people of another one.

    Where a search of a dataset's own is too dear, every row is trained with the candidate that was
    best over all folds of the dataset that was searched, whose people are all other people.

    Args:
        table: Of the other dataset; see `search_table` and `whole`.
        data: The dataset to be tested.
        parts: Parts that its people are divided into.

    Returns:
        As `choices`, a line a row and fold, but for `tries`.
    """
    means = table.groupby(["row", *CANDIDATE], as_index=False)[
        ["accuracy", "cross_entropy"]
    ].mean()
    order = means.sort_values(["accuracy", "cross_entropy"], ascending=[False, True])
    best = order.groupby("row", sort=False, as_index=False).first()
    folds = splits(data.manifest, parts=parts)
    return pd.concat(
        [best.assign(dataset=data.name, split=fold.name) for fold in folds], ignore_index=True
    )


def final_cells(
    data: Dataset,
    config: Profile,
    chosen: pd.DataFrame,
    *,
    rows: Mapping[str, Row] = ROWS,
    parts: int = PARTS,
    seeds: Sequence[int] = (0, 1, 2),
) -> list[Cell]:
    """The chosen candidates, fitted to training and validation people, for testing.

    Args:
        data: The dataset.
        config: Sampling.
        chosen: See `choices`; lines of other datasets are ignored.
        rows: As in the search.
        parts: As in the search.
        seeds: Repetitions.
    """
    found = []
    for line in chosen[chosen["dataset"] == data.name].itertuples():
        row = rows[line.row]
        for method, representation, schedule in candidates(config, row):
            same = (
                method.grid == line.grid
                and representation.kind == line.input
                and (schedule.epochs, schedule.learning_rate) == (line.epochs, line.learning_rate)
            )
            if same:
                cells = grid(
                    data,
                    {line.row: method},
                    schedule=schedule,
                    representation=representation,
                    folds=parts,
                    parts=parts,
                    seeds=seeds,
                )
                found += [cell for cell in cells if cell.split == line.split]
    return sorted(found, key=lambda cell: (cell.seed, cell.representation.kind))
