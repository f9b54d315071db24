"""Our runs beside the published numbers: two columns, never one, and what differs in between.

    table = comparison.table(accuracy, paper, dataset="CK+")

Published rows that are not run keep their row and say why. Nothing here trains: tables are
functions of stored predictions and of `results/paper.csv`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mic.errors import ResultError
from mic.models.baselines import PEERS

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


def protocol_note(dataset: str, ours: str = "") -> str:
    """One sentence, without its full stop, on what differs between the published rows and ours.

    Args:
        dataset: As the paper calls it.
        ours: What was run; empty: the generated protocol of the dataset's shape.
    """
    if not ours:
        return PROTOCOL_NOTES[dataset]
    theirs = PUBLISHED.get(dataset, "as their authors describe")
    return f"published: {theirs}; ours: {ours}, no epoch chosen on the test people"


# Rows that we spell otherwise.
_SPELLING = {"MIC-Î": "MIC-I_hat"}

# Published rows that have a counterpart here, run or not.
RUNNABLE = frozenset(
    {"MIC", "MIC-MI", "MIC-MI+Adv", "MIC-I_hat", "MIC+T", "MIC+ResNet6"}
    | {peer.published for peer in PEERS.values() if peer.published}
)

# Published methods that we do not run, and why.
_LANDMARKS = "needs facial landmarks, which no clip here has annotated"
_EXTRA = "started from additional data that we do not have"

NOT_RUN: Mapping[str, str] = MappingProxyType(
    {
        "PHRNN-MSCNN": _LANDMARKS,
        "CTSLSTM": _LANDMARKS,
        "(N+M)-tuplet": _LANDMARKS,
        "SC": _LANDMARKS,
        "3D CNN-DAP": _LANDMARKS,
        "G2-VER": "nobody has written it here yet",
        "LBVCNN": "nobody has written it here yet",
        "NST": _EXTRA,
        "DSTA": "nobody has written it here yet; it reads optical flow, as Flow CNN does",
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
) -> pd.DataFrame:
    """One of the paper's tables, our runs beside it.

    Args:
        accuracy: Our rows, from `mic.experiments.accuracy_table`: row, accuracy, accuracy_low,
            accuracy_high, n. A row with a published row's name is set beside it.
        paper: `results/paper.csv`.
        dataset: As the paper calls it: a key of `PROTOCOL_NOTES`.
        differs: What is not as published, by row.
        rates: Our frames per second, by row.

    Returns:
        The paper's rows in its order, then ours that it does not have: method,
        published_accuracy, published_fps, accuracy, accuracy_low, accuracy_high, n, fps, remark;
        accuracies in 0..1.

    Raises:
        ResultError: A published row is neither run nor excused.
    """
    ours = {_SPELLING.get(line["row"], line["row"]): line for line in accuracy.to_dict("records")}
    differs, rates = differs or {}, rates or {}
    published = paper[paper["dataset"] == dataset].to_dict("records")
    lines = [
        _line(
            line["method"],
            published=line,
            ours=ours.get(line["method"]),
            rate=rates.get(line["method"]),
            remark=_remark(line, ours, differs),
        )
        for line in published
    ]
    known = {line["method"] for line in published}
    lines += [
        _line(row, published={}, ours=mine, rate=rates.get(row), remark=differs.get(row, ""))
        for row, mine in ours.items()
        if row not in known
    ]
    return pd.DataFrame(lines)


def figure(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Published and own accuracies, one panel a dataset; crosses are published, dots are ours."""
    count = max(len(table) for table in tables.values())
    figure, axes = plt.subplots(1, len(tables), figsize=(4.4 * len(tables), 0.2 * count + 1.0))
    for axis, (dataset, table) in zip(np.atleast_1d(axes), tables.items(), strict=True):
        places = np.arange(len(table))[::-1]
        axis.plot(table["published_accuracy"], places, "x", color="0.35", label="published")
        middle = table["accuracy"].to_numpy()
        reach = np.stack([middle - table["accuracy_low"], table["accuracy_high"] - middle])
        axis.errorbar(middle, places, xerr=np.fmax(reach, 0), fmt="o", capsize=2, label="ours")
        axis.set_yticks(places, table["method"], fontsize=7)
        axis.set(title=dataset, xlabel="accuracy", xlim=(0, 1.02))
    np.atleast_1d(axes)[0].legend(loc="lower left")
    return figure


def _remark(
    published: Mapping[str, Any], ours: Mapping[str, object], differs: Mapping[str, str]
) -> str:
    method, note = published["method"], published["note"]
    if method in ours:
        mine = differs.get(method, "")
    elif method in NOT_RUN:
        mine = f"not run: {NOT_RUN[method]}"
    elif method in RUNNABLE:
        mine = "not in this run"
    else:
        raise ResultError(
            f"the published row {method!r} is neither run nor excused",
            place="mic.publishing.comparison.NOT_RUN",
            remedy="say there why it is not run",
        )
    theirs = "" if pd.isna(note) else f"published: {note}"
    return "; ".join(part for part in (mine, theirs) if part)


def _line(
    method: str,
    *,
    published: Mapping[str, Any],
    ours: Mapping[str, Any] | None,
    rate: float | None,
    remark: str,
) -> dict[str, Any]:
    nothing = float("nan")
    mine = dict.fromkeys(("accuracy", "accuracy_low", "accuracy_high", "n"), nothing)
    if ours is not None:
        mine = {name: ours[name] for name in mine}
    return {
        "method": method,
        "published_accuracy": published.get("accuracy", nothing) / 100,
        "published_fps": published.get("fps", nothing),
        **mine,
        "fps": nothing if rate is None else rate,
        "remark": remark,
    }
