"""Our runs beside the published numbers: two columns, never one, and what differs in between.

    table = comparison.table(accuracy, paper, dataset="CK+")

Published rows that are not run keep their row and say why. Nothing here trains: tables are
functions of stored predictions and of `results/paper.csv`.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.figure import Figure

from mic.errors import ResultError
from mic.evaluation.metrics import wilson
from mic.manifest.tables import number_of, read_rows
from mic.peers import PEERS
from mic.publishing import plots
from mic.publishing.own_rows import CHOSEN, DEFAULT, ELSEWHERE, PROBE

# Clips that the published accuracies of a dataset are shares of.
SIZES: Mapping[str, int] = MappingProxyType({"CK+": 327, "MMI": 213, "AFEW": 383})

# What the published rows of a dataset have in common.
PUBLISHED: Mapping[str, str] = MappingProxyType(
    {
        "CK+": "327 sequences of 118 people, ten subject-disjoint parts",
        "MMI": "213 sequences, ten subject-disjoint parts",
        "AFEW": "773 training and 383 validation clips of films, reported on validation",
    }
)
_GENERATED = "generated clips, subject-disjoint parts, no epoch chosen on the test people"
_GENERATED_FILMS = "generated clips with clutter, movement and speech, split by identity"
PROTOCOL_NOTES: Mapping[str, str] = MappingProxyType(
    {
        name: f"published: {theirs}; ours: {_GENERATED_FILMS if name == 'AFEW' else _GENERATED}"
        for name, theirs in PUBLISHED.items()
    }
)

# What each is called in the figure, its mark and the mark's face.
_MARKS: Mapping[str, tuple[str, str, str]] = MappingProxyType(
    {
        CHOSEN: ("ours, settings chosen on validation people", "o", "C0"),
        ELSEWHERE: ("ours, grid and input chosen on synth-ck", "o", "0.75"),
        DEFAULT: ("ours, one setting for all", "o", "white"),
        PROBE: ("ours, probe", "s", "C0"),
    }
)
# What the columns of `with_difference` mean.
COLUMNS: Mapping[str, str] = MappingProxyType(
    {
        "method": "row of the paper, or ours",
        "published_accuracy": "as published, real faces",
        "published_fps": "as published, on another machine",
        "accuracy": "ours, people it was not trained with; the caption names the data",
        "accuracy_low": "95 % bootstrap interval over people",
        "accuracy_high": "95 % bootstrap interval over people",
        "n": "our predictions",
        "settings": "ours: 'chosen': grid and schedule chosen on validation people, CNN+LSTM's "
        "input besides (results/equal); 'elsewhere': grid and input chosen there, on people of "
        "synth-ck, schedule the profile's; 'default': one setting for all; 'probe': the most "
        "frequent class, or a linear reader of a frozen face network",
        "fps": "ours, file to label, one thread (notebook 07); MIC's where a row differs in "
        "training only",
        "difference": "ours less the published accuracy",
        "difference_low": "95 % interval: ours over people, Wilson's for the published clips",
        "difference_high": "95 % interval: ours over people, Wilson's for the published clips",
        "remark": "what is not as published, or why a row is not run",
    }
)


def protocol_note(dataset: str, ours: str = "") -> str:
    """What differs between the published rows and ours, without a full stop.

    Args:
        dataset: As the paper calls it.
        ours: What was run; empty: the generated protocol of its shape.
    """
    if not ours:
        return PROTOCOL_NOTES[dataset]
    theirs = PUBLISHED.get(dataset, "as their authors describe")
    return f"published: {theirs}; ours: {ours}, no epoch chosen on the test people"


# Rows that we spell otherwise.
_SPELLING = {"MIC-Î": "MIC-I_hat"}
# What these leave out or add is there in training only: a clip is shown to MIC's network.
_SAME_NETWORK = ("MIC-MI", "MIC-MI+Adv", "MIC-I_hat")

# Published rows that have a counterpart here, run or not.
RUNNABLE = frozenset(
    {"MIC", "MIC-MI", "MIC-MI+Adv", "MIC-I_hat", "MIC+T", "MIC+ResNet6"}
    | {peer.published for peer in PEERS.values() if peer.published}
)

# Published methods that we do not run, and why.
_LANDMARKS = (
    "reads annotated facial landmarks; a linear reader of 478 found ones stands for its kind"
)
_EXTRA = "started from additional data that we do not have"
NOT_RUN: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(
            ("PHRNN-MSCNN", "CTSLSTM", "(N+M)-tuplet", "SC", "3D CNN-DAP"), _LANDMARKS
        ),
        "G2-VER": "the paper gives neither its photographs, nor layers, nor how the two parts are "
        "weighed; linear readers of a frozen face network and of 478 landmarks stand for them",
        "NST": _EXTRA,
        "DSTA": "which optical flow, layers and fusion its table means is not said; E-ConvLSTM "
        "stands for its kind",
        "DenseNet-161": "an image network; Frame voting stands for its kind",
        "Unidirectional LSTM": "CNN+LSTM stands for its kind",
        "replication report": "another run of MIC, quoted for comparison, not a method",
    }
)


def table(
    accuracy: pd.DataFrame,
    paper: pd.DataFrame,
    *,
    dataset: str,
    differs: Mapping[str, str] | None = None,
    rates: Mapping[str, float] | None = None,
    known: bool = True,
) -> pd.DataFrame:
    """One of the paper's tables, our runs beside it.

    Args:
        accuracy: Our rows, from `mic.experiments.accuracy_table`: row, accuracy, accuracy_low,
            accuracy_high, n, and settings where not all are `DEFAULT`. A row with a published
            row's name is set beside it.
        paper: `results/paper.csv`.
        dataset: As the paper calls it: a key of `PROTOCOL_NOTES`.
        differs: What is not as published, by row.
        rates: Our frames per second, by row; rows that differ from MIC in training only have its.
        known: Whether the rows are those of the papers here, each of which is run or excused;
            rows of somebody's own table are only looked up.

    Returns:
        The paper's rows in its order, then ours that it does not have: method,
        published_accuracy, published_fps, accuracy, accuracy_low, accuracy_high, n, settings, fps,
        remark; accuracies in 0..1.

    Raises:
        ResultError: A published row is neither run nor excused.
    """
    ours = {_spelt(line["row"]): line for line in accuracy.to_dict("records")}
    differs, rates = differs or {}, dict(rates or {})
    if "MIC" in rates:
        rates = dict.fromkeys(_SAME_NETWORK, rates["MIC"]) | rates
    published = paper[paper["dataset"] == dataset].to_dict("records")
    lines = [
        _line(
            line["method"],
            published=line,
            ours=ours.get(line["method"]),
            rate=rates.get(line["method"]),
            remark=_remark(line, ours, differs, known=known),
        )
        for line in published
    ]
    listed = {line["method"] for line in published}
    lines += [
        _line(row, published={}, ours=mine, rate=rates.get(row), remark=differs.get(row, ""))
        for row, mine in ours.items()
        if row not in listed
    ]
    return pd.DataFrame(lines)


def with_difference(table: pd.DataFrame, *, n: int | None = None) -> pd.DataFrame:
    """The comparison with what separates the two accuracies, ours less the published one.

    Published accuracies come without intervals. Where it is known how many clips they were
    counted on, Wilson's interval stands for theirs and both are combined as R. G. Newcombe
    (Statistics in Medicine 17, 1998, method 10) combines two; otherwise the interval is ours.

    Args:
        table: From `table`.
        n: Clips behind the published accuracies.

    Returns:
        Columns difference, difference_low and difference_high more, before the remark; empty where
        one of the two is.
    """
    ours, theirs = table["accuracy"], table["published_accuracy"]
    below, above = ours - table["accuracy_low"], table["accuracy_high"] - ours
    if n is not None:
        spread = [
            (float("nan"), float("nan"))
            if np.isnan(value)
            else (wilson(round(value * n), n).low, wilson(round(value * n), n).high)
            for value in theirs
        ]
        low, high = np.array(spread).T
        below, above = np.hypot(below, high - theirs), np.hypot(above, theirs - low)
    difference = ours - theirs
    found = table.copy()
    for name, values in (
        ("difference", difference),
        ("difference_low", difference - below),
        ("difference_high", difference + above),
    ):
        found.insert(len(found.columns) - 1, name, values)
    return found


def read_published(path: str | Path) -> pd.DataFrame:
    """A table of published accuracies, in per cent, with columns as `results/paper.csv` has them.

    Needed are dataset, method and accuracy; fps and note may be missing.

    Raises:
        ResultError: It is not such a table; what is missing is named.
    """
    path = Path(path)
    try:
        rows = read_rows(path)
        frame = pd.DataFrame([{name.lower(): row[name] for name in row} for row in rows])
        if lacking := {"dataset", "method", "accuracy"} - set(frame.columns):
            raise ValueError(f"it has no column {', '.join(sorted(lacking))}")
        for name in {"accuracy", "fps"} & set(frame.columns):
            frame[name] = np.array([number_of(cell) for cell in frame[name]], float)
    except (OSError, ValueError, csv.Error) as error:
        raise ResultError(
            f"is no table of accuracies: {error}",
            file=path,
            remedy="give 1, 3 or 4, tables of the paper, or dataset, method, accuracy (per cent)",
        ) from error
    for row, accuracy in zip(rows, frame["accuracy"], strict=True):
        if not 1 <= accuracy <= 100:
            raise ResultError("is not in per cent", file=path, place=f"line {row.line}, accuracy")
    frame = frame.replace("", None)
    return frame.reindex(columns=[*dict.fromkeys([*frame.columns, "fps", "note"])])


def figure(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Published and own accuracies, one panel a dataset.

    Crosses are published. Of ours, full dots are rows that chose their settings, hollow ones had
    one setting for all, and squares are probes: only like marks had like chances.
    """
    size = 4.4 * len(tables), 0.2 * max(len(table) for table in tables.values()) + 1.4
    figure, axes = plt.subplots(1, len(tables), figsize=size, layout="constrained")
    marks: dict[str, Artist] = {}
    for axis, (dataset, table) in zip(np.atleast_1d(axes), tables.items(), strict=True):
        places, theirs = np.arange(len(table))[::-1], table["published_accuracy"]
        marks["published, real people"] = axis.plot(theirs, places, "x", color="0.35")[0]
        for settings, (label, mark, face) in _MARKS.items():
            mine = (table["settings"] == settings).to_numpy()
            part, y = table[mine], places[mine]
            style = {"fmt": mark, "mfc": face, "color": "C0", "capsize": 2}
            if mine.any():
                reach = plots.reach(part, "accuracy")
                marks[label] = axis.errorbar(part["accuracy"], y, xerr=reach, **style)[0]
        axis.set_yticks(places, table["method"], fontsize=7)
        axis.set(title=dataset, xlabel="accuracy (ours: 95 % interval)", xlim=(0, 1.02))
    figure.legend(marks.values(), marks.keys(), loc="outside lower center", ncols=len(marks))
    return figure


def _remark(
    published: Mapping[str, Any],
    ours: Mapping[str, object],
    differs: Mapping[str, str],
    *,
    known: bool,
) -> str:
    method, note = published["method"], published.get("note")
    if method in ours:
        mine = differs.get(method, "")
    elif method in NOT_RUN:
        mine = f"not run: {NOT_RUN[method]}"
    elif method in RUNNABLE or not known:
        mine = "not in this run"
    else:
        raise ResultError(
            f"the published row {method!r} is neither run nor excused",
            place="mic.publishing.comparison.NOT_RUN",
            remedy="say there why it is not run",
        )
    theirs = "" if pd.isna(note) else f"published: {note}"
    return "; ".join(part for part in (mine, theirs) if part)


def _spelt(row: str) -> str:
    return _SPELLING.get(row, row)


def _line(
    method: str,
    *,
    published: Mapping[str, Any],
    ours: Mapping[str, Any] | None,
    rate: float | None,
    remark: str,
) -> dict[str, Any]:
    nothing = float("nan")
    mine: dict[str, Any] = dict.fromkeys(
        ("accuracy", "accuracy_low", "accuracy_high", "n"), nothing
    )
    if ours is not None:
        mine = {name: ours[name] for name in mine}
    settings = "" if ours is None else ours.get("settings", DEFAULT)
    return {
        "method": method,
        "published_accuracy": published.get("accuracy", nothing) / 100,
        "published_fps": published.get("fps", nothing),
        **mine,
        "settings": settings,
        "fps": nothing if rate is None else rate,
        "remark": remark,
    }
