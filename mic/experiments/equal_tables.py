"""What came of the search with equal chances: tables, marks to reach, one figure.

Functions of stored predictions and embeddings only, as `mic.experiments.tables`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mic.evaluation import metrics
from mic.evaluation.inference import RECORD, compare, with_holm
from mic.experiments.cells import splits
from mic.experiments.data import Dataset
from mic.publishing import plots

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAJORITY = "majority class"
# What the other rows of MIC are compared with.
REFERENCE = "MIC"
# What a probe's row has in its name; see `mic.experiments.embeddings.titled`.
PROBE = ", linear, "
# What the columns of `searched` and of `accuracy_table` are.
SEARCHED: Mapping[str, str] = {
    "dataset": "generated protocol",
    "row": "method that may choose",
    "input": "kind of mic.inputs.tensors.Representation that it is shown",
    "grid": "edge of the grid that its feature maps are averaged to",
    "epochs": "of the training",
    "learning_rate": "at the peak of the schedule",
    "accuracy": "share of the validation clips of all folds whose expression is named",
    "clips": "validation clips",
    "folds": "parts of the people that it was tried on",
}
ACCURACY: Mapping[str, str] = {
    "row": "method, see mic.experiments.equal.ROWS; 'linear': a logistic regression on frozen "
    "embeddings of the frames named",
    "accuracy": "share of the clips of unseen people whose expression is named",
    "accuracy_low": "95 % interval over the people",
    "accuracy_high": "its upper end",
    "difference": "accuracy less that of the row without an entry here, mean over people",
    "difference_low": "90 % interval over the people, paired",
    "difference_high": "its upper end",
    "p": "two-sided, by sign flips of people",
    "p_holm": "p, adjusted by Holm over the table",
    "p_equivalent": "of two one-sided tests that the difference is within one point",
    "n": "predictions",
    "people": "people seen in them",
    "folds": "parts of the people that were tested",
    "seeds": "repetitions with other weights and batches",
}
PREDICTIONS: Mapping[str, str] = {
    "dataset": "generated protocol",
    "clip": "clip",
    "subject": "who is seen",
    "label": "the expression shown",
    "split": "part of the people that it was tested in",
    "seed": "of weights and order",
}
# The strength of the probe's penalty; the embeddings have unit length.
_C = 10.0


def searched(table: pd.DataFrame) -> pd.DataFrame:
    """Candidates over their folds.

    Args:
        table: See `mic.experiments.equal.search_table`.

    Returns:
        Columns dataset, row, input, grid, epochs, learning_rate, accuracy (validation clips of
        all its folds together), clips, folds.
    """
    keys = ["dataset", "row", "input", "grid", "epochs", "learning_rate"]
    table = table.assign(right=table["accuracy"] * table["clips"])
    found = table.groupby(keys, sort=False, as_index=False).agg(
        right=("right", "sum"), clips=("clips", "sum"), folds=("split", "nunique")
    )
    found.insert(len(keys), "accuracy", found.pop("right") / found["clips"])
    return found


def marks(data: Dataset, probes: Mapping[str, np.ndarray], *, parts: int) -> pd.DataFrame:
    """Answers that no network had to be trained for, on the same folds.

    Args:
        data: The dataset.
        probes: (N, D) by row; see `mic.experiments.embeddings.titled` and
            `mic.experiments.landmarks.probes`. A logistic regression is fitted to each on a
            fold's training and validation people.
        parts: As of the rows that are compared.

    Returns:
        As `mic.experiments.tables.answers`: columns dataset, row, split, seed, clip, subject,
        label, predicted, correct.
    """
    from sklearn.linear_model import LogisticRegression  # slow, see `mic.evaluation.leakage`
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    clips, kept = data.manifest.clips, set(data.kept())
    labels = np.array(data.manifest.column("label"))
    lines = []
    for split in splits(data.manifest, parts=parts):
        fitted = [row for row in (*split.train, *split.validation) if row in kept]
        tested = [row for row in split.test if row in kept]
        names, counts = np.unique(labels[fitted], return_counts=True)
        predictions = {MAJORITY: np.full(len(tested), names[counts.argmax()])}
        for row, features in probes.items():
            probe = make_pipeline(StandardScaler(), LogisticRegression(C=_C, max_iter=2000))
            probe.fit(features[fitted], labels[fitted])
            predictions[row] = probe.predict(features[tested])
        for row, predicted in predictions.items():
            lines += [
                {
                    "dataset": data.name,
                    "row": row,
                    "split": split.name,
                    "seed": 0,
                    "clip": clips[number].clip_id,
                    "subject": clips[number].subject,
                    "label": labels[number],
                    "predicted": answer,
                    "correct": answer == labels[number],
                }
                for number, answer in zip(tested, predicted, strict=True)
            ]
    return pd.DataFrame(lines)


def accuracy_table(
    answers: pd.DataFrame, *, reference: str, margin: float = 0.01, resamples: int = 10_000
) -> pd.DataFrame:
    """Accuracy of each row, and how it differs from a reference row, people being the units.

    Args:
        answers: Of one dataset; see `mic.experiments.tables.answers`.
        reference: Row that the others are compared with on the clips and seeds they share.
        margin: Largest difference that counts as none.
        resamples: See `mic.evaluation.inference.compare`.

    Returns:
        Columns row, accuracy with `_low` and `_high` (95 %, over new people), difference (to the
        reference, mean over people) with `_low` and `_high` (90 %), p (sign flips of people),
        p_holm (over the table), p_equivalent (within the margin), n (predictions), people, folds,
        seeds. Best first.
    """
    keys = ["split", "seed", "clip"]
    one = answers[answers["row"] == reference].set_index(keys)
    lines = []
    for row, part in answers.groupby("row", sort=False):
        value = metrics.subject_bootstrap(
            part["correct"].to_numpy(), part["subject"].to_numpy(), resamples=resamples
        )
        line: dict[str, object] = {
            "row": row,
            "accuracy": value.value,
            "accuracy_low": value.low,
            "accuracy_high": value.high,
        }
        line |= dict.fromkeys(RECORD, float("nan"))
        if row != reference:
            both = one.join(part.set_index(keys), how="inner", suffixes=("_reference", ""))
            found = compare(
                both["correct_reference"].to_numpy(),
                both["correct"].to_numpy(),
                both["subject"].to_numpy(),
                margin=margin,
                resamples=resamples,
            )
            line |= found.record()
        lines.append(
            line
            | {
                "n": len(part),
                "people": part["subject"].nunique(),
                "folds": part["split"].nunique(),
                "seeds": part["seed"].nunique(),
            }
        )
    table = pd.DataFrame(lines).sort_values("accuracy", ascending=False, ignore_index=True)
    return with_holm(table)


def predictions(answers: pd.DataFrame) -> pd.DataFrame:
    """Answers of all rows to one clip side by side.

    Args:
        answers: Of any datasets; see `mic.experiments.tables.answers`.

    Returns:
        One line a clip and seed; columns: those of `PREDICTIONS`, then one a row, empty where it
        was not tested.
    """
    keys = list(PREDICTIONS)
    wide = answers.pivot_table(index=keys, columns="row", values="predicted", aggfunc="first")
    return wide.rename_axis(columns=None).reset_index()


def answers(wide: pd.DataFrame) -> pd.DataFrame:
    """`predictions` the other way: a line an answer.

    Returns:
        Columns of `PREDICTIONS`, then row, predicted, correct.
    """
    long = wide.melt(list(PREDICTIONS), var_name="row", value_name="predicted")
    long = long.dropna(subset="predicted")
    return long.assign(correct=long["predicted"] == long["label"])


def terms_table(answers: pd.DataFrame, *, resamples: int = 10_000) -> pd.DataFrame:
    """The rows of MIC against MIC itself, clip by clip: what each of its terms is worth.

    Args:
        answers: Of any datasets; see `mic.experiments.tables.answers`.
        resamples: See `mic.evaluation.inference.compare`.

    Returns:
        As `accuracy_table`, with a column dataset in front; datasets without MIC are left out.
    """
    parts = []
    for name, part in answers.groupby("dataset", sort=False):
        rows = part[part["row"].str.startswith(REFERENCE)]
        if REFERENCE in set(rows["row"]):
            table = accuracy_table(rows, reference=REFERENCE, resamples=resamples)
            table.insert(0, "dataset", name)
            parts.append(table)
    return with_holm(pd.concat(parts, ignore_index=True))


def counted(table: pd.DataFrame) -> str:
    """What stands behind an accuracy table: clips, people, parts and seeds of each dataset."""
    found = []
    for name, part in table.groupby("dataset", sort=False):
        clips = int((part["n"] / part["seeds"]).max())
        folds, seeds = int(part["folds"].max()), int(part["seeds"].max())
        parts = "1 part" if folds == 1 else f"{folds} parts"
        trainings = "1 seed" if seeds == 1 else f"{seeds} seeds"
        found.append(f"{name}: n {clips}, {part['people'].max()} people, {parts}, {trainings}")
    return "; ".join(found) + "."


def figure(table: pd.DataFrame) -> Figure:
    """Accuracies with their intervals, a panel a dataset, best on top; axes begin at zero.

    Dots are trained rows, squares linear probes of frozen networks; the line is the largest class.
    """
    from matplotlib.figure import Figure

    groups = [(str(name), part) for name, part in table.groupby("dataset", sort=False)]
    heights = [len(part) for _, part in groups]
    made = Figure(figsize=(7.5, 0.22 * sum(heights) + 0.9 * len(groups)), layout="constrained")
    panels = made.subplots(len(groups), sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    for axes, (_, part) in zip(panels, groups, strict=True):
        place = np.arange(len(part))[::-1]
        known = part["row"] == MAJORITY
        probes = part["row"].str.contains(PROBE, regex=False)
        for these, mark in ((~probes & ~known, "o"), (probes, "s")):
            style = {"fmt": mark, "mfc": "C0" if mark == "o" else "none", "color": "C0"}
            reach = plots.reach(part[these], "accuracy")
            axes.errorbar(part["accuracy"][these], place[these], xerr=reach, **style, capsize=3)
        for share in part["accuracy"][known]:
            axes.axvline(share, color="0.35", ls=":", lw=1.2)
        axes.set_yticks(place, part["row"], fontsize=8)
        axes.set_ylim(-0.7, len(part) - 0.3)
        axes.set_xlim(0, 1)
        axes.grid(axis="y", visible=False)
        axes.set_title(counted(part), fontsize=9)
    label = "accuracy, 95 % interval over new people; squares: probes of frozen networks"
    panels[-1].set_xlabel(label)
    return made
