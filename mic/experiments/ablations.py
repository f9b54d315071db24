"""The ablation study (notebook 05): what is trained for each of its tables, and the tables.

Each `*_work` lists trainings, for `mic.experiments.run_all`; each `*_table` makes a table of what
came of them, and the mapping of column texts above it says what its columns mean.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from mic.config import Profile
from mic.evaluation.inference import with_holm
from mic.experiments import given, plan
from mic.experiments.cells import Cell, Outcome
from mic.experiments.data import Dataset
from mic.experiments.tables import accuracy_table, leakage_table

Work = list[tuple[Dataset, list[Cell]]]

# The row that the inputs of the expression branch are compared with.
DECODED = "decoded - I-frame"
# What is tried where the person predicts the label.
SHIFTED_ROWS = ("none", "MINE (MIC)", "nHSIC", "dCor", "erasure", "nHSIC + erasure")

_ACCURACY = {
    "accuracy": "share of clips of unseen people",
    "accuracy_low": "95 % interval over people",
    "accuracy_high": "95 % interval over people",
}
ROWS: Mapping[str, str] = {
    "protocol": "dataset; the paper's number is of the one whose shape a generated one has",
    "row": "MIC, or what the paper takes from it or adds to it",
    **_ACCURACY,
    "difference": "accuracy minus MIC's on the same clips",
    "difference_low": "95 % interval over people",
    "difference_high": "95 % interval over people",
    "p": "of no difference to MIC, sign flips of whole people",
    "p_holm": "p, adjusted by Holm over the table",
    "n": "predictions",
    "folds": "folds tested",
    "seeds": "seeds",
    "paper": "published accuracy on the real dataset",
}
INPUTS: Mapping[str, str] = {
    "protocol": "dataset or generated protocol",
    "row": "input of the expression branch",
    **_ACCURACY,
    "difference": "accuracy minus that of decoded frames minus I-frame",
    "difference_low": "95 % interval over people",
    "difference_high": "95 % interval over people",
    "p": "of no difference to the same, sign flips of whole people",
    "p_holm": "p, adjusted by Holm over the table",
    "n": "predictions",
}
REGULARISERS: Mapping[str, str] = {
    "row": "what keeps z_E and z_I apart",
    **_ACCURACY,
    "difference": "accuracy minus that without regulariser, same clips",
    "p": "of no difference to the same, sign flips of whole people",
    "p_holm": "p, adjusted by Holm over the table",
    "auc": "same person? by similarity of z_E; 0.5: no idea",
    "auc_low": "95 % interval over people",
    "auc_high": "95 % interval over people",
    "auc_difference": "`auc` minus that without regulariser",
    "auc_difference_low": "95 % interval over people, paired",
    "auc_difference_high": "95 % interval over people, paired",
    "trained_auc": "the same in directions that separate the training people",
    "eer": "equal error rate of `auc`",
    "linear_probe": "share of clips whose unseen person a linear probe names",
    "mlp_probe": "the same by a network",
    "probe_chance": "naming the most frequent person",
    "r2_linear": "variance of the identity coefficients told by ridge regression",
    "r2_mlp": "the same by a network",
    "r2_spread": "standard deviation of `r2_linear` over folds and seeds",
    "n": "predictions",
}
SHIFT: Mapping[str, str] = {
    "row": "what keeps z_E and z_I apart",
    **_ACCURACY,
    "accuracy": "share of test clips, where look-alikes show any class",
    "difference": "accuracy minus that without regulariser",
    "difference_low": "95 % interval over people",
    "difference_high": "95 % interval over people",
    "p": "of no difference to the same, sign flips of whole people",
    "p_holm": "p, adjusted by Holm over the table",
    "n": "predictions",
}


def rows_work(data: Mapping[str, Dataset], config: Profile) -> Work:
    """The paper's rows on every dataset."""
    rows = plan.methods(config, plan.PAPER_ROWS)
    return [(one, plan.cells(one, config, rows)) for one in data.values()]


def rows_table(
    found: Sequence[Sequence[Outcome]], published: pd.DataFrame, config: Profile
) -> pd.DataFrame:
    """The paper's rows beside the published accuracies; columns: `ROWS`.

    Args:
        found: Outcomes of `rows_work`, a list a dataset.
        published: `results/paper.csv`.
        config: Resamples of the bootstrap.
    """
    tables = []
    for outcomes in found:
        table = accuracy_table(outcomes, reference="MIC", resamples=config.bootstrap)
        name = outcomes[0].dataset
        theirs = published[published["dataset"] == given.counterpart(name)]
        accuracies = (theirs.set_index("method")["accuracy"] / 100).to_dict()
        rows = table["row"].str.replace("Î", "I_hat")
        tables.append(table.assign(protocol=name, paper=rows.map(accuracies)))
    return with_holm(pd.concat(tables, ignore_index=True))[list(ROWS)]


def inputs_work(data: Mapping[str, Dataset], config: Profile) -> Work:
    """Inputs of the expression branch, no regulariser: all on the first dataset, few on others."""
    plain = plan.method(config, regulariser="none", beta=0.0)
    work: Work = []
    for number, one in enumerate(data.values()):
        kinds = plan.rows(config, plan.REPRESENTATIONS)
        if number:
            kinds = {row: kinds[row] for row in plan.REFERENCES if row in kinds}
        for row, change in kinds.items():
            like = plan.representation(config, **change)
            work.append((one, plan.cells(one, config, {row: plain}, like=like)))
    return work


def inputs_table(found: Sequence[Sequence[Outcome]], config: Profile) -> pd.DataFrame:
    """What the expression branch is shown; columns: `INPUTS`.

    Args:
        found: Outcomes of `inputs_work`.
        config: Resamples of the bootstrap.
    """
    by_dataset: dict[str, list[Outcome]] = {}
    for outcomes in found:
        by_dataset.setdefault(outcomes[0].dataset, []).extend(outcomes)
    tables = [
        accuracy_table(outcomes, reference=DECODED, resamples=config.bootstrap).assign(
            protocol=name
        )
        for name, outcomes in by_dataset.items()
    ]
    return with_holm(pd.concat(tables, ignore_index=True))[list(INPUTS)]


def regularisers_work(data: Dataset, config: Profile) -> Work:
    """Every way of keeping z_E and z_I apart, on one dataset."""
    return [(data, plan.cells(data, config, plan.methods(config, plan.REGULARISERS)))]


def regularisers_table(
    data: Dataset, outcomes: Sequence[Outcome], config: Profile
) -> pd.DataFrame:
    """Accuracy and identity leakage; columns: `REGULARISERS`.

    Args:
        data: The dataset; what is known of its people is what regression looks for.
        outcomes: Of `regularisers_work`.
        config: Resamples of the bootstrap.
    """
    resamples = config.bootstrap
    accuracy = accuracy_table(outcomes, reference="none", resamples=resamples)
    leaks = leakage_table(outcomes, data.factors(), reference="none", resamples=resamples)
    leaks = leaks.drop(columns=["clips", "folds"])
    table = with_holm(accuracy.merge(leaks, on="row", how="left"))
    return table[list(REGULARISERS)]


def shift_work(shifted: Dataset, config: Profile) -> Work:
    """Regularisers where the person predicts the label in training, and decoded frames."""
    rows = plan.methods(config, {row: plan.REGULARISERS[row] for row in SHIFTED_ROWS})
    frames = plan.representation(config, kind="decoded_frames")
    decoded = {"none, decoded frames": rows["none"]}
    return [
        (shifted, plan.cells(shifted, config, rows)),
        (shifted, plan.cells(shifted, config, decoded, like=frames)),
    ]


def shift_table(outcomes: Sequence[Outcome], config: Profile) -> pd.DataFrame:
    """Accuracy where the person predicts the label in training only; columns: `SHIFT`."""
    table = accuracy_table(outcomes, reference="none", resamples=config.bootstrap)
    return with_holm(table)[list(SHIFT)]
