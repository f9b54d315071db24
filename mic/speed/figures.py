"""Pictures of the speed study: where the time goes, how it grows, what it buys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mic.experiments import plan
from mic.peers import PEERS
from mic.speed.contestants import PAPER_SIZE
from mic.speed.study import PARTS, STAGES

_HATCHES = ("", "///", "...", "xx", "\\\\\\", "++")
_MARKERS = "osD^vP*X<>dp"


def _style(method: str) -> dict[str, Any]:
    """Colour and marker of a method, the same in every picture; the paper's sizes are hollow."""
    known = [*plan.SPEED_ROWS, *(peer.title for peer in PEERS.values())]
    own = method.removesuffix(PAPER_SIZE)
    place = known.index(own) if own in known else len(known)
    colours = plt.rcParams["axes.prop_cycle"].by_key()["color"]
    style: dict[str, Any] = {
        "color": colours[place % len(colours)],
        "marker": _MARKERS[place % len(_MARKERS)],
        "linestyle": "-",
    }
    return style if own == method else style | {"fillstyle": "none", "linestyle": ":"}


def stages(table: pd.DataFrame) -> Figure:
    """Stacked bars of the stages, one method a line; hatches tell them apart without colour.

    The axis is linear, or lengths of stacked parts would mean nothing; what is much slower than
    the others leaves it and says how long it takes.
    """
    figure, axis = plt.subplots(figsize=(7.2, 0.3 * len(table) + 1.2))
    places = np.arange(len(table))[::-1]
    left = np.zeros(len(table))
    for stage, hatch in zip(STAGES, _HATCHES, strict=True):
        width = table[f"{stage.replace(' ', '_')}_ms"].to_numpy()
        axis.barh(places, width, left=left, label=stage, hatch=hatch, edgecolor="white")
        left += width
    axis.set_yticks(places, table["method"])
    end = 1.15 * float(left[left <= 5 * np.median(left)].max())
    for place, total in zip(places, left, strict=True):
        if total > end:
            text = f"{total:.0f} ms \N{RIGHTWARDS ARROW} "
            box = {"facecolor": "white", "edgecolor": "none", "pad": 1}
            axis.text(end, place, text, ha="right", va="center", bbox=box)
    axis.set(xlabel="milliseconds a clip", xlim=(0, end), ylim=(-0.6, len(table) - 0.4))
    axis.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def parts(table: pd.DataFrame) -> Figure:
    """Stacked bars of what comes before the network, one panel a clip; the line is the floor.

    The floor is opening the file and decoding the entropy code of all frames.
    """
    groups = list(table.groupby(["width", "height", "frames"], sort=False))
    columns = min(3, len(groups))
    rows = -(-len(groups) // columns)
    size = (3.1 * columns + 1.6, 1.7 * rows + 0.5)
    figure, axes = plt.subplots(
        rows, columns, figsize=size, sharey=True, squeeze=False, layout="constrained"
    )
    for axis in axes.flat[len(groups) :]:
        axis.set_axis_off()
    for axis, ((width, height, frames), lines) in zip(axes.flat, groups, strict=False):
        places = np.arange(len(lines))[::-1]
        left = np.zeros(len(lines))
        for part, hatch in zip(PARTS, _HATCHES, strict=False):
            wide = lines[f"{part}_ms"].to_numpy()
            axis.barh(places, wide, left=left, label=part, hatch=hatch, edgecolor="white")
            left += wide
        floor = lines.loc[lines["domain"] == "running sums", "floor_ms"].iloc[0]
        axis.axvline(floor, color="0.2", linestyle=":", label="floor, all frames")
        axis.set_yticks(places, lines["domain"], fontsize=7)
        axis.set_title(f"{width}x{height}, {frames} frames", fontsize=8)
        axis.set_xlabel("CPU milliseconds a clip", fontsize=7)
    handles, labels = axes.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=7)
    return figure


def growth(table: pd.DataFrame) -> Figure:
    """Frames per second over picture size (equal lengths) and over length (equal sizes)."""
    figure, axes = plt.subplots(1, 2, figsize=(8.4, 3.2), sharey=True)
    pixels = table["width"] * table["height"]
    length = table.groupby("frames")["width"].transform("nunique")
    by_size = table[length == length.max()].assign(x=np.sqrt(pixels))
    lengths = table.groupby(["width", "height"])["frames"].transform("nunique")
    by_length = table[lengths == lengths.max()].assign(x=table["frames"])
    shapes = by_size.drop_duplicates("x").sort_values("x")
    # Every other one a line lower: neighbours are too near to stand side by side.
    sizes = {
        one.x: "\n" * (number % 2) + f"{one.width} x {one.height}"
        for number, one in enumerate(shapes.itertuples())
    }
    width, height = by_length[["width", "height"]].iloc[0]
    frames = {count: f"{count}" for count in sorted(by_length["x"].unique())}
    panels = (
        (by_size, f"picture, {by_size['frames'].iloc[0]} frames", sizes),
        (by_length, f"frames of {width} x {height}", frames),
    )
    for axis, (part, label, ticks) in zip(axes, panels, strict=True):
        for method, lines in part.groupby("method", sort=False):
            lines = lines.sort_values("x")
            axis.plot(lines["x"], lines["fps"], label=method, **_style(str(method)))
        axis.set(xscale="log", yscale="log", xlabel=label)
        axis.set_xticks(list(ticks), list(ticks.values()))
        axis.minorticks_off()
    axes[0].set_ylabel("frames per second, file to label")
    axes[1].legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=7)
    return figure


def value_for_time(table: pd.DataFrame, *, lines: Mapping[str, float]) -> Figure:
    """Milliseconds a clip beside accuracy with its interval, a row a method, the fastest above.

    Args:
        table: Columns method, ms_per_clip, accuracy, accuracy_low, accuracy_high, n, people.
        lines: Accuracies to hold against, by what they are.
    """
    table = table.sort_values("ms_per_clip", ascending=False)
    whole = table["n"].max()
    places = np.arange(len(table))
    figure, (time, accuracy) = plt.subplots(
        1, 2, figsize=(7.2, 1.2 + 0.19 * len(table)), sharey=True, width_ratios=(2, 3)
    )
    reach = [
        table["accuracy"] - table["accuracy_low"],
        table["accuracy_high"] - table["accuracy"],
    ]
    for place, method in zip(places, table["method"], strict=True):
        look = _style(str(method)) | {"linestyle": ""}
        time.plot(table["ms_per_clip"].iloc[place], place, **look)
        accuracy.errorbar(
            table["accuracy"].iloc[place],
            place,
            xerr=[[max(side.iloc[place], 0)] for side in reach],
            capsize=2,
            **look,
        )
    for (name, level), dash in zip(lines.items(), (":", "--", "-.", "-"), strict=False):
        accuracy.axvline(level, color="0.35", linestyle=dash, marker="", label=name)
    fewer = [f" ({n} clips)" if n < whole else "" for n in table["n"]]
    time.set(
        xscale="log",
        xlabel="milliseconds a clip, file to label",
        yticks=places,
        yticklabels=table["method"] + fewer,
    )
    behind = f"{whole} clips of {table['people'].max()} people"
    accuracy.set(xlabel=f"accuracy ({behind})", xlim=(0, 1.02))
    accuracy.tick_params(labelleft=False)
    if lines:
        figure.legend(loc="outside upper center", ncols=2, fontsize=7)
    return figure
