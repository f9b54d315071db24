"""The figures of the ablation study (notebook 05), from its tables."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mic.publishing import plots

_MARKS = "os^vDPX*<>hpd"


def inputs(table: pd.DataFrame, *, largest: Mapping[str, float]) -> Figure:
    """Accuracy by what the expression branch is shown, a panel a dataset.

    Dotted is what naming always the largest class would give.

    Args:
        table: Of `mic.experiments.ablations.inputs_table`.
        largest: Share of the largest class, by dataset.
    """
    count = table["protocol"].nunique()
    figure, (axes,) = plt.subplots(1, count, figsize=(11, 2.9), sharey=True, squeeze=False)
    kinds = list(dict.fromkeys(table["row"]))[::-1]
    for axis, (name, part) in zip(axes, table.groupby("protocol", sort=False), strict=True):
        places = [kinds.index(row) for row in part["row"]]
        axis.errorbar(
            part["accuracy"],
            places,
            xerr=plots.reach(part, "accuracy"),
            fmt="o",
            linestyle="",
            capsize=3,
        )
        _dotted(axis, largest[str(name)], "largest class")
        axis.set(xlabel="accuracy", xlim=(0, 1), title=name)
    axes[0].set_yticks(range(len(kinds)), kinds)
    return figure


def wild(parts: Mapping[str, pd.DataFrame], *, name: str, largest: float) -> Figure:
    """Accuracy by what a network is shown, for networks of several origins.

    Dotted is what naming always the largest class would give.

    Args:
        parts: Tables with row, accuracy and its interval, by the networks' origin.
        name: Of the dataset.
        largest: Share of its largest class.
    """
    figure, axis = plt.subplots(figsize=(6.4, 3.0))
    for (origin, part), mark in zip(parts.items(), _MARKS, strict=False):
        axis.errorbar(
            part["accuracy"],
            part["row"],
            xerr=plots.reach(part, "accuracy"),
            fmt=mark,
            capsize=3,
            label=origin,
        )
    _dotted(axis, largest, "largest class")
    axis.set(xlabel=f"accuracy on {name}", xlim=(0, 1))
    axis.invert_yaxis()
    axis.legend(loc="lower right")
    return figure


def leakage(table: pd.DataFrame) -> Figure:
    """Accuracy and three measures of identity leakage, a row a regulariser, with their intervals.

    Every axis reaches over what its measure can be, so that differences look as small as they are;
    dotted is a z_E that tells nothing. AUC in trained directions and R^2 have no interval.

    Args:
        table: Of `mic.experiments.ablations.regularisers_table`.
    """
    places = np.arange(len(table))
    figure, axes = plt.subplots(1, 3, figsize=(11, 0.33 * len(table) + 1.2), sharey=True)
    interval = {"capsize": 3, "fmt": "o"}
    axes[0].errorbar(table["accuracy"], places, xerr=plots.reach(table, "accuracy"), **interval)
    axes[0].set(xlabel="accuracy", xlim=(0, 1))
    axes[0].set_yticks(places, table["row"])
    axes[0].invert_yaxis()
    axes[1].errorbar(
        table["auc"], places, xerr=plots.reach(table, "auc"), label="similarity", **interval
    )
    axes[1].plot(table["trained_auc"], places, "s", fillstyle="none", label="trained directions")
    _dotted(axes[1], 0.5)
    axes[1].set(xlabel="AUC of two clips being of one person", xlim=(0.4, 1))
    axes[1].legend(fontsize=8, loc="lower right")
    axes[2].plot(table["r2_linear"], places, "o")
    _dotted(axes[2], 0.0)
    axes[2].set(xlabel="$R^2$ of identity factors", xlim=(-0.05, 1))
    return figure


def _dotted(axis: Axes, place: float, told: str = "") -> None:
    axis.axvline(place, color="0.35", linestyle=":")
    axis.text(
        place,
        0.99,
        f" {told}",
        transform=axis.get_xaxis_transform(),
        fontsize=6,
        va="top",
    )
