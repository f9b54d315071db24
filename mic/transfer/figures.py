"""The figures of the transfer study, from its tables; intervals are 95 %."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mic.publishing import plots
from mic.transfer.crops import STEPS
from mic.transfer.examples import Examples

# R² and gains: from as much error again as there was change, to all of it.
_LIMITS = (-1.0, 1.0)
# Groups of pictures of which an interval is worth drawing.
_GROUPS = 8
_SCORES = {
    "real_r2": "real people, blendshapes",
    "generated_r2": "unseen generated, blendshapes",
    "units_r2": "unseen generated, action units",
}


def crops(examples: Examples, clips: tuple[str, ...], *, width: float = 7.0) -> Figure:
    """What the student reads of the last frame of the first group of some clips."""
    images: list[np.ndarray] = []
    titles: list[str] = []
    for clip in clips:
        group = examples.clips.index(clip)
        row = int(np.flatnonzero(examples.group == group)[-1])
        motion = examples.motion[row].astype(float) / STEPS
        images += [examples.iframe[group], examples.residual[row].astype(float)]
        images += [20 * motion[0], 20 * motion[1]]
        since = f"{examples.seconds[row]:.1f} s later"
        titles += [f"clip {len(titles) // 4 + 1}", f"residual, {since}", "motion, x", "motion, y"]
    return plots.strip(images, titles, columns=4, width=width, limit=60)


def inputs(table: pd.DataFrame) -> Figure:
    """R² over what the student reads, of `study.inputs_table`."""
    return _scores(table, table["inputs"].tolist())


def factors(table: pd.DataFrame) -> Figure:
    """R² with each randomisation left out, of `study.factor_table`; dotted: none left out."""
    names = [name or "nothing" for name in table["left_out"].fillna("")]
    figure = _scores(table, names)
    for axis, name in zip(figure.axes, _SCORES, strict=True):
        axis.axvline(table[name].iloc[0], color="0.5", linestyle=":", linewidth=1)
    return figure


def people(table: pd.DataFrame) -> Figure:
    """R² over the number of people, of `study.people_table`; squares: with datasets."""
    figure, axes = plt.subplots(1, len(_SCORES), figsize=(9, 3), sharey=True)
    alone = table["datasets"].fillna("") == ""
    for axis, (name, title) in zip(axes, _SCORES.items(), strict=True):
        for part, mark, label in (
            (table[alone], "o-", "films"),
            (table[~alone], "s", "+ datasets"),
        ):
            if len(part):
                axis.errorbar(
                    part["people"],
                    part[name],
                    yerr=plots.reach(part, name),
                    fmt=mark,
                    capsize=3,
                    label=label,
                )
        axis.axhline(0, color="0.4", linewidth=0.8)
        axis.set(xscale="log", xlabel="people", ylim=(-0.5, 1))
        axis.set_title(title, fontsize=8)
        axis.set_xticks(table["people"], table["people"])
        axis.minorticks_off()
    axes[0].set_ylabel("R² against no change")
    if not alone.all():
        axes[0].legend(loc="upper left")
    return figure


def units(table: pd.DataFrame) -> Figure:
    """F1 and correlation of the twelve action units, of `answers.unit_table`.

    Beside the student stands what costs nothing: the F1 of a constant yes, and the correlation of
    the teacher on decoded pictures.
    """
    figure, axes = plt.subplots(1, 2, figsize=(8, 3.8), sharey=True)
    places = np.arange(len(table))
    for axis, (name, title) in zip(axes, {"f1": "F1", "pcc": "correlation"}.items(), strict=True):
        axis.errorbar(
            table[name], places, xerr=plots.reach(table, name), fmt="o", capsize=3, label="student"
        )
        axis.set(xlabel=title, xlim=(0, 1) if name == "f1" else (-0.4, 1))
        axis.axvline(0, color="0.4", linewidth=0.8)
    axes[0].plot(table["always_f1"], places, "|", color="0.2", ms=11, label="always yes")
    axes[1].plot(table["teacher_pcc"], places, "x", color="0.2", label="teacher, decoded")
    shown = dict(zip(*reversed(axes[0].get_legend_handles_labels()), strict=True))
    shown |= dict(zip(*reversed(axes[1].get_legend_handles_labels()), strict=True))
    figure.legend(shown.values(), shown.keys(), loc="outside upper right", ncols=3)
    axes[0].set_yticks(
        places, [name if name == "mean" else f"AU {name}" for name in table["unit"].astype(str)]
    )
    axes[0].invert_yaxis()
    return figure


def clips(table: pd.DataFrame) -> Figure:
    """R² and correlation of real clips, of `answers.clip_table`.

    An interval is drawn where it comes of enough groups of pictures: of two or three the bootstrap
    draws the same ones again and again, and its ends say nothing.
    """
    figure, axes = plt.subplots(1, 2, figsize=(8, 0.3 * len(table) + 1), sharey=True)
    places = np.arange(len(table))
    for axis, (name, title, limits) in zip(
        axes,
        (("r2", "R² against no change", _LIMITS), ("pcc", "correlation", (-0.25, 1))),
        strict=True,
    ):
        reach = plots.reach(table, name)
        reach[:, table["groups"] < _GROUPS] = np.nan
        axis.errorbar(table[name], places, xerr=reach, fmt="o", capsize=3)
        axis.axvline(0, color="0.4", linewidth=0.8)
        axis.set(xlabel=title, xlim=limits)
        axis.tick_params(axis="x", labelsize=8)
        if (table["clip"] == "all").iloc[-1]:
            axis.axhline(len(table) - 1.5, color="0.6", linewidth=0.8)
    axes[0].set_yticks(places, table["clip"])
    axes[0].invert_yaxis()
    return figure


def looks(table: pd.DataFrame) -> Figure:
    """What is gained over holding the last look, of `answers.hold_table`."""
    figure, axis = plt.subplots(figsize=(6.4, 3.2))
    spacing = 0.015
    for number, (method, part) in enumerate(table.groupby("method", sort=False)):
        axis.errorbar(
            part["interval"] + spacing * (number - 1.5),
            part["gain"],
            yerr=plots.reach(part, "gain"),
            fmt="os^D"[number % 4] + "-",
            capsize=3,
            label=str(method),
        )
    axis.axhline(0, color="0.4", linewidth=0.8)
    axis.set(
        xlabel="seconds between looks", ylabel="1 - error / error of holding", ylim=(-0.25, 1)
    )
    axis.legend(loc="lower left", ncols=2, fontsize=7)
    return figure


def codings(table: pd.DataFrame) -> Figure:
    """R² and what the student adds to interpolation, of `answers.coding_table`."""
    figure, axes = plt.subplots(1, 2, figsize=(8, 0.3 * len(table) + 1.1), sharey=True)
    places = np.arange(len(table))
    titles = {"r2": "R² against no change", "difference": "added to interpolation"}
    for axis, (name, title) in zip(axes, titles.items(), strict=True):
        axis.errorbar(table[name], places, xerr=plots.reach(table, name), fmt="o", capsize=3)
        axis.axvline(0, color="0.4", linewidth=0.8)
        axis.set(xlabel=title, xlim=(-0.5, 1))
    axes[0].set_yticks(places, table["coding"])
    axes[0].invert_yaxis()
    return figure


def _scores(table: pd.DataFrame, names: list[str]) -> Figure:
    figure, axes = plt.subplots(1, len(_SCORES), figsize=(9, 0.28 * len(table) + 1.2), sharey=True)
    places = np.arange(len(table))
    for axis, (name, title) in zip(axes, _SCORES.items(), strict=True):
        axis.errorbar(table[name], places, xerr=plots.reach(table, name), fmt="o", capsize=3)
        axis.axvline(0, color="0.4", linewidth=0.8)
        axis.set(xlim=(-0.5, 1))
        axis.set_title(title, fontsize=8)
    first: Axes = axes[0]
    first.set_yticks(places, names)
    first.invert_yaxis()
    figure.supxlabel("R² against no change", fontsize=9)
    return figure
