"""The tables of notebook 04: one method on several datasets, beside what was published.

Functions of stored predictions only, as `mic.experiments.tables`. Each table's columns are
described beside the function that makes it, for `mic.publishing.results.Run.table`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from mic.experiments import given
from mic.experiments.cells import Outcome
from mic.experiments.tables import accuracy_table, curves, optimism_table

ACCURACY_COLUMNS: Mapping[str, str] = {
    "protocol": "dataset; generated ones have the shape of CK+, MMI, AFEW",
    "accuracy": "share of clips of unseen people, last epoch",
    "accuracy_low": "95 % bootstrap interval over people",
    "accuracy_high": "95 % bootstrap interval over people",
    "macro_recall": "mean recall of the classes",
    "calibration_error": "expected calibration error",
    "n": "predictions",
    "clips": "different clips tested",
    "coverage": "share of the dataset's clips, of all that were published, that could be read",
    "folds": "folds tested",
    "seeds": "seeds",
    "chance": "one over the number of classes",
    "paper": "published accuracy on the real dataset of that shape",
    "replication": "the replication report's, its best epoch on the test clips",
}


def accuracy_beside_published(
    outcomes: Mapping[str, Sequence[Outcome]], published: pd.DataFrame, *, resamples: int = 2000
) -> pd.DataFrame:
    """The accuracy of MIC on each dataset, and what was published on the one of its shape.

    Args:
        outcomes: Of the row MIC alone, by dataset.
        published: `results/paper.csv`: columns dataset, method, accuracy (per cent).
        resamples: Of the bootstrap over subjects.

    Returns:
        One row a dataset, columns of `ACCURACY_COLUMNS`; NaN where nothing was published.
    """
    rows = []
    for name, found in outcomes.items():
        line = accuracy_table(found, resamples=resamples).iloc[0].to_dict()
        theirs = published[published["dataset"] == given.counterpart(name)]
        theirs = theirs.set_index("method")["accuracy"] / 100
        line["protocol"] = name
        line["chance"] = 1 / len(found[0].classes)
        line["paper"] = theirs.get("MIC", float("nan"))
        line["replication"] = theirs.get("replication report", float("nan"))
        rows.append(line)
    return pd.DataFrame(rows)[list(ACCURACY_COLUMNS)]


CURVE_COLUMNS: Mapping[str, str] = {
    "dataset": "dataset or generated protocol",
    "split": "fold",
    "seed": "of weights and batches",
    "epoch": "from 1",
    "train_accuracy": "on the augmented training clips, while they are learned",
    "test_accuracy": "on the test people, after the epoch",
    "loss": "total loss",
    "expression": "cross-entropy",
    "dependence": "the regulariser's estimate, nats for MI bounds",
    "critic": "what the critic climbs: of MINE its bound on the batch, of vCLUB a log-likelihood",
    "apex": "apex reconstruction error",
}


def curve_table(outcomes: Mapping[str, Sequence[Outcome]]) -> pd.DataFrame:
    """Each epoch that was looked at, of every training: columns of `CURVE_COLUMNS`."""
    records = pd.concat([curves(found) for found in outcomes.values()])
    return records[list(CURVE_COLUMNS)]


OPTIMISM_COLUMNS: Mapping[str, str] = {
    "protocol": "dataset or generated protocol",
    "accuracy_last": "share of the test clips of all folds, last epoch",
    "accuracy_best_epoch": "the same, each fold at the best on its test clips of the epochs that "
    "were looked at",
    "optimism": "the difference",
    "folds": "folds times seeds",
}


def optimism_by_dataset(outcomes: Mapping[str, Sequence[Outcome]]) -> pd.DataFrame:
    """What choosing the epoch on the test clips would add: columns of `OPTIMISM_COLUMNS`."""
    parts = [optimism_table(found).assign(protocol=name) for name, found in outcomes.items()]
    return pd.concat(parts)[list(OPTIMISM_COLUMNS)]
