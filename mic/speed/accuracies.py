"""What the timed methods are worth: their accuracy on the same clips, and marks to reach."""

from __future__ import annotations

import dataclasses
from collections.abc import Container, Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path

import pandas as pd

from mic.config import Profile
from mic.evaluation.inference import with_holm
from mic.experiments import equal_tables, marks, peers, plan
from mic.experiments.cells import Outcome
from mic.experiments.data import Dataset
from mic.experiments.runner import run
from mic.experiments.tables import accuracy_table, answers_table, leakage_table
from mic.publishing import own_rows, results

_SHARED = (
    *("accuracy", "accuracy_low", "accuracy_high", "macro_recall"),
    *("difference", "difference_low", "difference_high", "p", "p_holm"),
)
COLUMNS: Mapping[str, str] = {
    "protocol": "dataset or generated protocol, of which all clips are",
    "row": "method; the last are marks, for which nothing was trained on pictures or residuals",
    **{name: text for name, text in marks.COLUMNS.items() if name in _SHARED},
    "auc": "verification of people from z, area under the curve; 0.5 tells nothing; of rows that "
    "were trained here",
    "r2_linear": "identity coefficients told from z on unseen people, linear probe; of the same",
    "fps": "frames a second from file to label on a clip of this dataset, one thread",
    "n": "predictions",
    "clips": "different clips tested",
    "people": "tested",
    "folds": "parts of the people tested",
    "settings": "'chosen': grid, input and schedule chosen on validation people (results/equal), "
    "all parts, compared with MIC's answers there; 'elsewhere': grid and input chosen on those of "
    "synth-ck, schedule the profile's; 'default': one setting for all; 'probe': nothing was "
    "trained. All but 'chosen' are compared with MIC as it was trained here",
}


def searched(data: Dataset, folder: str | Path) -> pd.DataFrame:
    """Answers of rows that chose their settings, on just these clips; may be empty.

    Args:
        data: The dataset.
        folder: Of the results.

    Returns:
        See `mic.experiments.equal_tables.answers`.
    """
    if own_rows.chosen_rows(folder, data.name, digest=data.manifest.digest()).empty:
        return pd.DataFrame(columns=[*equal_tables.PREDICTIONS, "row", "predicted", "correct"])
    found = equal_tables.answers(results.read_table("equal_predictions", folder=folder))
    return found[found["dataset"] == data.name]


def train(
    data: Dataset,
    config: Profile,
    who: Sequence[str],
    *,
    without: Container[str] = (),
    executor: Executor | None,
) -> list[Outcome]:
    """MIC in all its timed forms, and peers: the same people, epochs and optimiser.

    Args:
        data: The dataset.
        config: The profile.
        who: Keys of `mic.peers.PEERS`.
        without: Rows that were trained elsewhere; MIC, with which others are compared, is never.
        executor: As of `mic.experiments.run`.
    """
    few = dataclasses.replace(config, folds=peers.folds(config))
    cells = plan.variant_cells(data, few, plan.rows(config, plan.SPEED_ROWS))
    cells += peers.peer_cells(data, config, folds=few.folds, peers=who)
    cells = [cell for cell in cells if cell.row == "MIC" or cell.row not in without]
    return run(data, cells, executor=executor)


def table(
    data: Dataset,
    outcomes: Sequence[Outcome],
    config: Profile,
    *,
    fps: Mapping[str, float],
    known: pd.DataFrame,
    executor: Executor | None = None,
) -> pd.DataFrame:
    """Accuracies of the trained rows, the outsider and the marks; columns: `COLUMNS`.

    Args:
        data: The dataset.
        outcomes: From `train`.
        config: The profile.
        fps: Frames a second by row.
        known: Of `searched`.
        executor: Where faces are embedded; None: here.
    """
    trained = accuracy_table(outcomes, reference="MIC", resamples=config.bootstrap)
    leaks = leakage_table(outcomes, data.factors())
    trained = trained.merge(leaks, on="row", how="left", suffixes=("", "_leakage"))
    trained["settings"] = [peers.settings(row, searched=True) for row in trained["row"]]
    marked = marks.marks_table(data, outcomes, config, executor=executor).set_index("row")
    trained["people"] = trained["row"].map(marked["people"])
    outsider = peers.outsider_row(data, config, folds=peers.folds(config))
    outsider["people"] = marked["people"].iloc[0]
    marked = marked.drop(index=[row for row in marked.index if row in set(trained["row"])])
    parts = [trained, pd.DataFrame([outsider]), marked.reset_index()]
    if len(known):
        trained.loc[trained["row"] == "MIC", "row"] = own_rows.HERE
        chosen = answers_table(known, reference="MIC", resamples=config.bootstrap)
        parts = [chosen.assign(settings=own_rows.CHOSEN), *parts]
    whole = pd.concat(parts, ignore_index=True)
    whole["fps"] = whole["row"].map(dict(fps))
    whole["protocol"] = data.name
    whole["settings"] = whole["settings"].fillna(own_rows.PROBE)
    return with_holm(whole)[list(COLUMNS)]
