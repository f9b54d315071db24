"""The min-min game as the paper words it, played by an encoder.

The paper lets the encoder and the statistics network both minimise the estimate of MINE. As the
Donsker-Varadhan bound has no lower limit in the network, such an estimate says nothing: notebook
03 shows it on Gaussians, where the truth is known. Here the game is played as it would have been,
by MIC's own encoder on residuals, beside the game whose critic ascends and no game at all.

    found = runner.run(data, cells(data, config))
    accuracy_table(found), curve_table(found)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mic.config import Profile
from mic.experiments import equal_tables, plan, tables
from mic.experiments.cells import HISTORY, Cell, Outcome
from mic.experiments.data import Dataset

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NONE, MINE, LITERAL = "MIC-MI", "MIC", "MIC, literal min-min"
# What each row changes in MIC; the first is what the others are compared with.
ROWS: Mapping[str, Mapping[str, Any]] = {
    NONE: plan.PAPER_ROWS[NONE],
    MINE: plan.PAPER_ROWS[MINE],
    LITERAL: {"literal_min_min": True},
}
CURVES: Mapping[str, str] = {
    "row": "MIC: the critic ascends; literal min-min: it descends, as the encoder does",
    "split": "part of the people that was tested",
    "seed": "of weights and batches",
    "epoch": "from 1",
    "dependence": "estimate of MI that the encoder is told to lower, nats, mean over the epoch",
    "expression": "cross-entropy of the training clips, mean over the epoch",
    "train_accuracy": "share of the augmented training clips, while they were learned",
}


def cells(data: Dataset, config: Profile) -> list[Cell]:
    """A cell a row, part of the people and seed; all but the literal ones are notebook 05's."""
    methods = {row: plan.method(config, **changes) for row, changes in ROWS.items()}
    return plan.cells(data, config, methods)


def accuracy_table(outcomes: Sequence[Outcome], *, resamples: int = 10_000) -> pd.DataFrame:
    """Accuracy of each row and its difference to no game; see `equal_tables.ACCURACY`."""
    answers = tables.answers(outcomes)
    return equal_tables.accuracy_table(answers, reference=NONE, resamples=resamples)


def curve_table(outcomes: Sequence[Outcome]) -> pd.DataFrame:
    """Every epoch of every game that was played; columns of `CURVES`."""
    parts = []
    for outcome in outcomes:
        if outcome.cell.row == NONE:
            continue
        history = pd.DataFrame(outcome.history, columns=list(HISTORY))
        history.insert(0, "epoch", np.arange(1, len(history) + 1))
        facts = {"row": outcome.cell.row, "split": outcome.cell.split, "seed": outcome.cell.seed}
        parts.append(history.assign(**facts)[list(CURVES)])
    return pd.concat(parts, ignore_index=True)


def figure(accuracy: pd.DataFrame, curves: pd.DataFrame, *, majority: float) -> Figure:
    """The estimate and the training accuracy by epoch, a line a part; accuracy on new people.

    Args:
        accuracy: As `accuracy_table` has it.
        curves: As `curve_table` has them.
        majority: Share of the largest class, which an answer that reads nothing reaches.
    """
    from matplotlib.figure import Figure

    made = Figure(figsize=(11, 3.4), layout="constrained")
    estimate, learned, tested = made.subplots(1, 3)
    hues = {row: f"C{number}" for number, row in enumerate(ROWS)}
    for (row, _, _), part in curves.groupby(["row", "split", "seed"], sort=False):
        for axis, column in ((estimate, "dependence"), (learned, "train_accuracy")):
            style = {"color": hues[str(row)], "lw": 1.2, "ls": "-", "marker": ""}
            axis.plot(part["epoch"], part[column], **style)
    estimate.axhline(0, color="0.5", lw=0.6)
    estimate.set_yscale("symlog", linthresh=1)
    estimate.set(xlabel="epoch", ylabel="estimate of MI, nats (symlog)", title="what is descended")
    learned.set(xlabel="epoch", ylabel="training accuracy", ylim=(0, 1), title="what is learned")
    for place, row in enumerate(accuracy["row"]):
        value, low, high = accuracy.loc[place, ["accuracy", "accuracy_low", "accuracy_high"]]
        tested.errorbar(
            [place], [value], [[value - low], [high - value]], fmt="o", capsize=3, color=hues[row]
        )
    tested.set_xticks(range(len(accuracy)), accuracy["row"].str.replace(", ", ",\n"))
    tested.set(
        ylim=(0, 1), xlim=(-0.5, len(accuracy) - 0.5), title="unseen people, 95 % over people"
    )
    tested.set_ylabel("accuracy")
    for axis in (learned, tested):
        line = axis.axhline(majority, color="0.4", ls=":", lw=1.2)
    tested.legend([line], ["largest class"])
    for row in (MINE, LITERAL):
        estimate.plot([], [], color=hues[row], ls="-", marker="", label=row)
    estimate.legend(fontsize=8, title="a line a part of the people", title_fontsize=8)
    return made
