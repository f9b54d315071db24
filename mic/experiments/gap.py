"""What lies between the papers' raw residuals and decoded pictures, step by step, for one reader.

A network's accuracy tells of its training as much as of its input. Here the reader is the same for
all inputs and has a closed optimum: logistic regression on principal components of the sampled
pictures, averaged to 16 x 16 samples. From one row to the next one thing is added, so that a
difference says what that thing is worth.

    answered = answers(data, config, CHAIN)
    table(answered)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mic.config import Profile
from mic.evaluation import metrics
from mic.evaluation.inference import compare, with_holm
from mic.experiments import equal
from mic.experiments.cells import splits
from mic.experiments.data import Dataset
from mic.experiments.recoded import recoded
from mic.inputs.tensors import Kind, Representation, sampled
from mic.publishing import plots

if TYPE_CHECKING:
    from matplotlib.figure import Figure

EDGE = 16  # samples that pictures are averaged to
STRENGTHS = (1e-3, 1e-2, 1e-1, 1.0, 10.0)  # inverse penalties, chosen on validation people
# What is read: kind of `Representation`; and the row that lacks what this one adds.
CHAIN: Mapping[str, tuple[Kind, str]] = {
    "sampled residuals (the papers)": ("raw", ""),
    "sums between samples": ("segment", "sampled residuals (the papers)"),
    "sums since the I-frame": ("running", "sums between samples"),
    "the same along the motion": ("accumulated", "sums since the I-frame"),
    "decoded - I-frame": ("decoded", "the same along the motion"),
}
QUANTISERS = (20,)
COLUMNS: Mapping[str, str] = {
    "dataset": "generated protocol",
    "quantiser": "of the P-VOPs",
    "row": "what a linear reader is given of 16 moments of a clip",
    "reference": "the row that lacks one thing, or has the finer quantiser, on the same clips",
    "accuracy": "share of the clips of unseen people whose expression is named",
    "accuracy_low": "95 % interval over the people",
    "accuracy_high": "its upper end",
    "difference": "accuracy less that of the reference, mean over people",
    "difference_low": "90 % interval over the people, paired",
    "difference_high": "its upper end",
    "p": "two-sided, by sign flips of people",
    "p_holm": "p, adjusted by Holm over the table",
    "p_equivalent": "of two one-sided tests that the difference is within one point",
    "n": "clips, each read by a probe that has not seen its person",
    "people": "people seen in them",
}


def pictures(data: Dataset, config: Profile, kind: Kind) -> np.ndarray:
    """(N, steps x 3 x EDGE x EDGE) float32, sampled pictures averaged to EDGE x EDGE.

    Short clips have fewer segments than samples; they are spread over the steps as samples are.
    """
    clips = data.tensors(Representation(kind=kind, steps=config.steps, scale=config.scale))
    moments = np.stack([sampled(int(n) + 1, config.steps) - 1 for n in clips.lengths])
    residual = clips.residual.numpy()[np.arange(len(clips))[:, None], moments]
    count, steps, channels, height, width = residual.shape
    blocks = (count, steps, channels, EDGE, height // EDGE, EDGE, width // EDGE)
    averaged: np.ndarray = residual.reshape(blocks).mean((4, 6), dtype=np.float32)
    return averaged.reshape(count, -1)


def read(
    x: np.ndarray, labels: np.ndarray, fitted: Sequence[int], chosen: Sequence[int]
) -> np.ndarray:
    """What a linear reader answers to each of N clips.

    Args:
        x: (N, D).
        labels: (N,).
        fitted: Rows that are learned from.
        chosen: Rows that the penalty is chosen on, and learned from afterwards.

    Returns:
        (N,) labels.
    """
    from sklearn.linear_model import LogisticRegression  # slow, see `mic.evaluation.leakage`

    def learned(rows: list[int], strength: float) -> np.ndarray:
        mean = x[rows].mean(0)
        # All components that the clips span: the penalty decides how many of them count.
        basis = np.linalg.svd(x[rows] - mean, full_matrices=False)[2][: len(rows) - 1]
        inside = (x - mean) @ basis.T
        inside /= inside[rows].std()
        found = LogisticRegression(C=strength, max_iter=500).fit(inside[rows], labels[rows])
        answered: np.ndarray = found.predict(inside)
        return answered

    held = list(chosen)
    scores = [(learned(list(fitted), s)[held] == labels[held]).mean() for s in STRENGTHS]
    return learned([*fitted, *held], STRENGTHS[int(np.argmax(scores))])


def answers(
    data: Dataset, config: Profile, rows: Sequence[str] = tuple(CHAIN), *, quantiser: int = 2
) -> pd.DataFrame:
    """What the reader answers on unseen people, row by row of `CHAIN`.

    Args:
        data: A dataset without clips that are left out, coded with quantiser 2.
        config: Sampling.
        rows: Keys of `CHAIN`.
        quantiser: Clips are coded again with it if it is another.

    Returns:
        Columns dataset, quantiser, row, clip, subject, correct.
    """
    read_from = data
    if quantiser != 2:
        copies = recoded(data.manifest, jobs=config.worker_count(), vop_quant=quantiser)
        read_from = Dataset(manifest=copies, network=data.network, folder=data.folder)
    labels = np.array(data.manifest.label_indices())
    clips, lines = data.manifest.clips, []
    for row in rows:
        x = pictures(read_from, config, CHAIN[row][0])
        for split in splits(data.manifest, parts=equal.PARTS):
            answered = read(x, labels, split.train, split.validation)
            lines += [
                {
                    "dataset": data.name,
                    "quantiser": quantiser,
                    "row": row,
                    "clip": clips[number].clip_id,
                    "subject": clips[number].subject,
                    "correct": bool(answered[number] == labels[number]),
                }
                for number in split.test
            ]
    return pd.DataFrame(lines)


def table(
    answered: pd.DataFrame, *, margin: float = 0.01, resamples: int = 10_000
) -> pd.DataFrame:
    """Accuracy of each row and what its one more thing is worth; columns of `COLUMNS`.

    Args:
        answered: See `answers`; of several datasets and quantisers.
        margin: Largest difference that counts as none.
        resamples: Of the bootstrap over people.
    """
    keys = ["dataset", "quantiser", "row"]
    by_key = {key: part.set_index("clip") for key, part in answered.groupby(keys, sort=False)}
    lines = []
    for (dataset, quantiser, row), part in by_key.items():
        people = part["subject"].to_numpy()
        right = part["correct"].to_numpy()
        value = metrics.subject_bootstrap(right, people, resamples=resamples)
        finest = min(q for name, q, of in by_key if (name, of) == (dataset, row))
        reference = CHAIN[row][1] if quantiser == finest else f"{row}, quantiser {finest}"
        other = (dataset, finest, CHAIN[row][1] if quantiser == finest else row)
        line = dict.fromkeys(COLUMNS, np.nan) | {
            "dataset": dataset,
            "quantiser": quantiser,
            "row": row,
            "reference": reference,
            "accuracy": value.value,
            "accuracy_low": value.low,
            "accuracy_high": value.high,
            "n": len(part),
            "people": len(set(people)),
        }
        if other in by_key:
            before = by_key[other].loc[part.index, "correct"].to_numpy()
            found = compare(before, right, people, margin=margin, resamples=resamples)
            line |= found.record()
        lines.append(line)
    return with_holm(pd.DataFrame(lines))[list(COLUMNS)]


def figure(table: pd.DataFrame) -> Figure:
    """Accuracy down the chain, a panel a dataset, a colour a quantiser; from zero to one."""
    from matplotlib.figure import Figure

    names = list(dict.fromkeys(table["dataset"]))
    made = Figure(figsize=(2.6 + 3.2 * len(names), 2.7), layout="constrained")
    rows = list(CHAIN)
    panels = made.subplots(1, len(names), sharey=True, squeeze=False)[0]
    for axis, name in zip(panels, names, strict=True):
        part = table[table["dataset"] == name]
        for turn, (quantiser, some) in enumerate(part.groupby("quantiser")):
            places = [-rows.index(row) - 0.16 * turn for row in some["row"]]
            reach = plots.reach(some, "accuracy")
            axis.errorbar(
                some["accuracy"], places, xerr=reach, fmt="o", ms=4, capsize=3,
                color=f"C{turn}", label=f"quantiser {quantiser}",
            )  # fmt: skip
        axis.set_yticks([-place for place in range(len(rows))], rows)
        axis.set(xlim=(0, 1), xlabel="accuracy, 95 % interval over people", title=name)
        axis.grid(axis="x", alpha=0.4)
        if len(set(part["quantiser"])) > 1:
            axis.legend(loc="lower left", fontsize=8)
    return made
