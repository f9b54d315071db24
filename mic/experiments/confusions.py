"""What is behind the accuracies (notebook 06): classes, people, confidence, features.

Tables as functions of stored predictions; the mapping of column texts above each says what its
columns mean.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mic.evaluation import metrics
from mic.experiments.cells import Outcome
from mic.experiments.tables import recall_table
from mic.inputs.tensors import ClipTensors
from mic.publishing import plots

COUNTS: Mapping[str, str] = {
    "dataset": "dataset or generated protocol",
    "label": "true class",
    "predicted": "predicted class",
    "clips": "predictions; combinations that never occurred are left out",
}
RECALLS: Mapping[str, str] = {
    "dataset": "dataset or generated protocol",
    "label": "class",
    "recall": "share of its clips that were recognised",
    "recall_low": "95 % Wilson interval over clips",
    "recall_high": "95 % Wilson interval over clips",
    "n": "predictions",
}
SUBJECTS: Mapping[str, str] = {
    "dataset": "dataset or generated protocol",
    "people": "tested",
    "clips_each": "predictions a person",
    "median": "median accuracy of a person",
    "worst_tenth": "accuracy at the 10 % quantile of the people",
    "perfect": "share of people without an error",
    "half_or_less": "share of people of whose clips at most half were recognised",
}
HARDEST: Mapping[str, str] = {
    "clip": "of the dataset that the caption names",
    "subject": "person",
    "label": "true class",
    "predicted": "predicted class",
    "confidence": "probability of the predicted class",
}
_MARKS = "os^vDPX*<>"
_PICTURES = 8  # of a clip


def counts_table(answers: pd.DataFrame) -> pd.DataFrame:
    """Confusion matrices in long form; columns: `COUNTS`.

    Args:
        answers: Of `mic.experiments.answers`, of any datasets.
    """
    counts = answers.groupby(["dataset", "label", "predicted"]).size()
    return counts.rename("clips").reset_index()[list(COUNTS)]


def matrix(outcomes: Sequence[Outcome]) -> np.ndarray:
    """(classes, classes) predictions of one dataset: true class by predicted class."""
    truth = np.concatenate([one.truth for one in outcomes])
    predicted = np.concatenate([one.logits.argmax(1) for one in outcomes])
    return metrics.confusion(truth, predicted, len(outcomes[0].classes))


def recalls_table(found: Mapping[str, Sequence[Outcome]]) -> pd.DataFrame:
    """Recall by class; columns: `RECALLS`.

    Args:
        found: Outcomes of one row, by dataset.
    """
    parts = [recall_table(outcomes).assign(dataset=name) for name, outcomes in found.items()]
    return pd.concat(parts, ignore_index=True)[list(RECALLS)]


def subjects_table(answers: pd.DataFrame) -> pd.DataFrame:
    """How unevenly the errors fall on people; columns: `SUBJECTS`."""
    each = answers.groupby(["dataset", "subject"])["correct"].agg(["mean", "size"]).reset_index()
    people = each.groupby("dataset").agg(
        people=("subject", "size"),
        clips_each=("size", "mean"),
        median=("mean", "median"),
        worst_tenth=("mean", lambda share: share.quantile(0.1)),
        perfect=("mean", lambda share: (share == 1).mean()),
        half_or_less=("mean", lambda share: (share <= 0.5).mean()),
    )
    return people.reset_index()[list(SUBJECTS)]


def hardest_table(answers: pd.DataFrame, dataset: str, *, count: int = 4) -> pd.DataFrame:
    """The most confident errors; the least confident answers if there is none.

    Args:
        answers: Of `mic.experiments.answers`.
        dataset: Whose.
        count: How many clips.

    Returns:
        Columns: `HARDEST`.
    """
    mine = answers[answers["dataset"] == dataset]
    wrong = mine[~mine["correct"].astype(bool)]
    if wrong.empty:
        ranked = mine.sort_values("confidence")
    else:
        ranked = wrong.sort_values("confidence", ascending=False)
    return ranked.drop_duplicates("clip").head(count)[list(HARDEST)]


def hardest_figure(table: pd.DataFrame, clips: ClipTensors) -> Figure:
    """What the network saw of these clips, a line a clip.

    Args:
        table: Of `hardest_table`.
        clips: The dataset's tensors.
    """
    steps = np.linspace(0, clips.residual.shape[1] - 1, _PICTURES).round().astype(int)
    pictures, titles = [], []
    for line in table.to_dict("records"):
        place = clips.names.index(line["clip"])
        pictures += [clips.residual[place, step].float().mean(0).numpy() for step in steps]
        title = f"{line['label']} seen as {line['predicted']}"
        titles += [title, *[""] * (_PICTURES - 1)]
    return plots.strip(pictures, titles, columns=_PICTURES, width=12)


def calibration_figure(found: Mapping[str, Sequence[Outcome]]) -> Figure:
    """Accuracy over confidence, a panel a dataset; dotted is a calibrated network.

    Bars are Wilson intervals over the clips of a bin, whose number stands beneath.
    """
    figure, (axes,) = plt.subplots(1, len(found), figsize=(9.5, 3.2), sharey=True, squeeze=False)
    for axis, (name, outcomes) in zip(axes, found.items(), strict=True):
        logits = np.concatenate([one.logits for one in outcomes])
        truth = np.concatenate([one.truth for one in outcomes])
        bins = metrics.calibration(logits, truth)
        filled = bins.counts > 0
        axis.plot([0, 1], [0, 1], ":", color="0.35", marker="")
        for place, share, count in zip(
            bins.confidence[filled], bins.accuracy[filled], bins.counts[filled], strict=True
        ):
            interval = metrics.wilson(round(share * count), int(count))
            reach = [[share - interval.low], [interval.high - share]]
            axis.errorbar(place, share, yerr=np.maximum(reach, 0), fmt="o", capsize=3, color="C0")
            axis.annotate(int(count), (place, -0.04), fontsize=6, ha="center", va="top")
        axis.set(title=f"{name}: ECE {bins.error:.3f}", xlabel="confidence")
        axis.set(xlim=(0, 1.05), ylim=(-0.12, 1.05))
    axes[0].set_ylabel("accuracy")
    return figure


def features_figure(rows: Mapping[str, Outcome], *, people: int = 7) -> Figure:
    """First two principal components of z_E of unseen people: by expression, and by person.

    Args:
        rows: Outcomes of one dataset and fold, by title; a line of panels each.
        people: How many get a mark of their own, those with most clips.
    """
    figure, axes = plt.subplots(len(rows), 2, figsize=(9, 3.75 * len(rows)), squeeze=False)
    for line, (title, outcome) in zip(axes, rows.items(), strict=True):
        tested = slice(len(outcome.train), None)
        centred = outcome.z[tested].astype(float)
        centred -= centred.mean(0)
        plane = centred @ np.linalg.svd(centred, full_matrices=False)[2][:2].T
        subjects = outcome.subjects[tested]
        for k, name in enumerate(outcome.classes):
            mark = _MARKS[k % len(_MARKS)]
            here = plane[outcome.truth == k].T
            line[0].plot(*here, mark, linestyle="", markersize=4, label=name)
        line[1].plot(*plane.T, ".", color="0.85", linestyle="")
        for k, name in enumerate(pd.Series(subjects).value_counts().index[:people]):
            here = plane[subjects == name].T
            line[1].plot(*here, _MARKS[k % len(_MARKS)], linestyle="", label=name)
        line[0].set_title(f"{title}: by expression")
        line[1].set_title(f"{title}: by person")
        for axis in line:
            axis.set(xlabel="first principal component", ylabel="second")
    axes[0, 0].legend(fontsize=7)
    axes[0, 1].legend(fontsize=7)
    return figure
