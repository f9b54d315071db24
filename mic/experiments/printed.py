"""The paper's system with everything that the paper prints, beside ours, epoch by epoch.

Ours reads residuals that are added up since the I-frame, at a quarter of the picture's size, for
thirty epochs. The paper's reads each P-frame's own, of smaller pictures, unscaled, for a hundred:
batch, optimiser, weight decay and steps as printed (`mic.experiments.settings`), and a hundredth
of the printed rate, because the printed one does not train. That it does not is a row, too.

    found = runner.run(data, ours(data, config)) + runner.run(small, papers(small, config))
    accuracy_table(found), curve_table(found)

The replication's system (ResNet-50, all states side by side) is not a row: on one thread of the
machine that the committed table comes from, a clip of 64 x 64 samples takes it 1.4 s an epoch,
and 130 epochs of a part of synth-ck eleven hours.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mic.config import Profile, load
from mic.evaluation import metrics
from mic.experiments import equal_tables, plan, tables
from mic.experiments.cells import HISTORY, Cell, Outcome
from mic.experiments.data import Dataset
from mic.training.schedules import PRESETS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

OURS, PRINTED, PRINTED_RATE = "MIC, ours", "MIC as printed", "MIC as printed, rate 0.1"
ROWS = (OURS, PRINTED, PRINTED_RATE)
# A training that is at chance after so many epochs of a hundred is not worth the others.
TRIED = 10
CURVES: Mapping[str, str] = {
    "row": "MIC, ours: the profile's; as printed: the paper's settings at a hundredth of its "
    f"rate; rate 0.1: at its own, the first {TRIED} epochs",
    "epoch": "from 1",
    "accuracy": "share of unseen people's clips that were named after this epoch",
    "accuracy_low": "95 % interval over the people",
    "accuracy_high": "its upper end",
    "expression": "cross-entropy of the training clips, nats, mean over the epoch and the parts",
    "train_accuracy": "share of the training clips that were named while they were learned",
}


def profile(config: Profile) -> Profile:
    """The profile `paper` on the parts and with the seeds of another one."""
    return dataclasses.replace(
        load("paper", jobs=config.jobs),
        parts=config.parts,
        folds=config.folds,
        seed=config.seed,
        seeds=config.seeds,
    )


def ours(data: Dataset, config: Profile) -> list[Cell]:
    """A cell a part of the people and seed, those of notebook 04.

    Args:
        data: The dataset in the size of `config`.
        config: Our profile.
    """
    return plan.cells(data, config, {OURS: plan.method(config)})


def papers(data: Dataset, config: Profile) -> list[Cell]:
    """A cell a row, part of the people and seed.

    Args:
        data: The same dataset in the size of `profile(config)`.
        config: Our profile, whose people are tested.
    """
    paper = profile(config)
    tried = dataclasses.replace(PRESETS["paper-ck"], epochs=min(TRIED, paper.epochs))
    return [
        *plan.cells(data, paper, {PRINTED: plan.method(paper)}),
        *plan.cells(data, paper, {PRINTED_RATE: plan.method(paper)}, schedule=tried),
    ]


def accuracy_table(outcomes: Sequence[Outcome], *, resamples: int = 10_000) -> pd.DataFrame:
    """Accuracy after the last epoch and its difference to ours; see `equal_tables.ACCURACY`."""
    answers = tables.answers(outcomes)
    return equal_tables.accuracy_table(answers, reference=OURS, resamples=resamples)


def curve_table(outcomes: Sequence[Outcome], *, resamples: int = 10_000) -> pd.DataFrame:
    """Each row after the epochs that were read; columns of `CURVES`."""
    lines = []
    for row in dict.fromkeys(one.cell.row for one in outcomes):
        mine = [one for one in outcomes if one.cell.row == row]
        people = np.concatenate([one.subjects[len(one.train) :] for one in mine])
        for place, epoch in enumerate(mine[0].epochs):
            right = np.concatenate([one.curve[place] == one.truth for one in mine])
            value = metrics.subject_bootstrap(right, people, resamples=resamples)
            history = np.mean([one.history[epoch - 1] for one in mine], 0)
            lines.append(
                {
                    "row": row,
                    "epoch": epoch,
                    "accuracy": value.value,
                    "accuracy_low": value.low,
                    "accuracy_high": value.high,
                    **dict(zip(HISTORY, history, strict=True)),
                }
            )
    return pd.DataFrame(lines)[list(CURVES)]


def figure(curves: pd.DataFrame, *, largest: float, classes: int) -> Figure:
    """Training cross-entropy, and accuracy on unseen people with its interval, by epoch.

    Args:
        curves: As `curve_table` has them.
        largest: Share of the largest class.
        classes: How many a guess is one of.
    """
    from matplotlib.figure import Figure

    made = Figure(figsize=(9, 3.4), layout="constrained")
    learned, tested = made.subplots(1, 2)
    for number, (row, part) in enumerate(curves.groupby("row", sort=False)):
        style = {"color": f"C{number}", "lw": 1.4, "marker": "o", "ms": 3}
        learned.plot(part["epoch"], part["expression"], label=row, **style)
        tested.plot(part["epoch"], part["accuracy"], **style)
        tested.fill_between(
            part["epoch"],
            part["accuracy_low"],
            part["accuracy_high"],
            color=f"C{number}",
            alpha=0.15,
        )
    learned.axhline(np.log(classes), color="0.5", lw=0.8, ls=":")
    learned.text(
        0.99,
        np.log(classes),
        "a guess ",
        transform=learned.get_yaxis_transform(),
        ha="right",
        va="bottom",
    )
    learned.set_yscale("log")
    learned.set(xlabel="epoch", ylabel="training cross-entropy, nats (log)")
    learned.legend(fontsize=8)
    tested.axhline(largest, color="0.5", lw=0.8, ls=":")
    tested.text(
        0.99,
        largest,
        "largest class ",
        transform=tested.get_yaxis_transform(),
        ha="right",
        va="bottom",
    )
    tested.set(xlabel="epoch", ylabel="accuracy, 95 % interval over people", ylim=(0, 1))
    for axis in (learned, tested):
        axis.grid(axis="y", alpha=0.4)
    return made
