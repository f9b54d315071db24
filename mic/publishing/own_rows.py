"""Accuracies of our rows, each from where it had the best chances, and how it was set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from mic.errors import ResultError
from mic.publishing import results
from mic.storage import provenance

# How a row came by its settings: its own search, that of `synth-ck`, none; or it has none.
CHOSEN, ELSEWHERE, DEFAULT, PROBE = "chosen", "elsewhere", "default", "probe"
# MIC as notebook 07 trains it beside rows that were not searched, where the row MIC was.
HERE = "MIC, the profile's schedule"
# Columns of a row, for `mic.publishing.comparison.table`.
ROW = ("row", "accuracy", "accuracy_low", "accuracy_high", "n", "settings")
# What a linear probe is given of a clip where it stands beside trained rows: what the face did
# since the first frame, and what it looked like. The other probes stand in results/equal.
_PROBED = ("mean minus first", "mean of the frames")
_PROBE_ROWS = r", linear, |^majority class$"


def rows_of(folder: str | Path, data: str) -> pd.DataFrame:
    """The rows that a results folder has of a dataset, for `table`.

    Args:
        folder: Of the results.
        data: The dataset as its rows are called: `synth-ck`, `ckplus`.

    Returns:
        Columns `ROW`: rows of the search with equal chances; then MIC and the peers on the grids
        that were chosen elsewhere (notebook 07), and MIC and its ablations as notebooks 04 and 05
        have them, as far as those before have not had them.

    Raises:
        ResultError: None of these tables has it.
    """
    found = chosen_rows(folder, data)
    for name in ("peers_accuracy", "ablation_rows", "training_accuracy"):
        path = results.table_path(name, folder=folder)
        if path is None:
            continue
        frame = results.csv(path)
        frame = frame[frame["protocol"] == data]
        frame = frame[frame["row"] != HERE] if "row" in frame else frame
        found = preferring(found, frame if "row" in frame else frame.assign(row="MIC"))
    if found.empty:
        raise ResultError(
            f"holds no accuracies of {data}",
            file=folder,
            remedy="run notebooks 04, 05 or 07 on it: `mic run --data ...`",
        )
    return found


def chosen_rows(folder: str | Path, data: str, *, digest: str | None = None) -> pd.DataFrame:
    """Rows whose input, grid and schedule were chosen on validation people.

    Args:
        folder: Of the results.
        data: Name of the dataset.
        digest: Of its clips; rows of other clips under the same name are left out. None: any.

    Returns:
        Columns `ROW`, and of the same people the majority class and probes of two summaries of
        each frozen network; empty where there was no search.
    """
    path = results.table_path("equal_accuracy", folder=folder)
    nothing = pd.DataFrame(columns=list(ROW))
    if path is None:
        return nothing
    known = provenance.read(path.parent / results.PROVENANCE)["data"]
    if digest is not None and known.get(data) != digest:
        return nothing
    frame = results.csv(path)
    frame = frame[frame["dataset"] == data]
    trained = frame["row"].isin({*results.csv(path.with_name("equal_search.csv"))["row"]})
    frame = frame.assign(settings=np.where(trained, CHOSEN, PROBE))
    linear = frame["row"].str.contains(", linear, ")
    frame = frame[~linear | frame["row"].str.endswith(_PROBED)]
    return frame[list(ROW)].reset_index(drop=True)


def behind(folder: str | Path, data: str) -> str:
    """What stands behind `chosen_rows`, as a caption says it: clips, people, parts and seeds."""
    frame = results.read_table("equal_accuracy", folder=folder)
    frame = frame[frame["dataset"] == data]
    counted = {"part": frame["folds"].max(), "seed": frame["seeds"].max()}
    told = [f"{int(k)} {what}{'' if k == 1 else 's'}" for what, k in counted.items()]
    clips = int((frame["n"] / frame["seeds"]).max())
    return ", ".join([f"n {clips}", f"{int(frame['people'].max())} people", *told])


def preferring(first: pd.DataFrame, others: pd.DataFrame) -> pd.DataFrame:
    """The first rows, and those of the others that are not among them; columns `ROW`.

    Probes of the others, which are of fewer people, are left out where the first have some.
    """
    probes = others["row"].str.contains(_PROBE_ROWS)
    if "settings" not in others:
        others = others.assign(settings=np.where(probes, PROBE, DEFAULT))
    others = others[~probes | (first["settings"] != PROBE).all()]
    others = others.loc[~others["row"].isin(set(first["row"])), list(ROW)]
    parts = [part for part in (first, others) if len(part)]
    return pd.concat(parts, ignore_index=True) if parts else first
