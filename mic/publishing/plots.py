"""One figure style, and the pictures that several notebooks draw.

Functions take arrays and frames, return a Matplotlib figure, and write nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties

from mic.publishing.fonts import lettering

STYLE = Path(__file__).with_name("mic.mplstyle")
# Residuals are signed: one diverging map, zero in the middle, everywhere.
RESIDUAL_MAP = "RdBu_r"
ENERGY_MAP = "magma"


def use_style() -> None:
    """Sets the project's Matplotlib style for this process."""
    plt.style.use(STYLE)


def strip(
    images: Sequence[np.ndarray],
    titles: Sequence[str],
    *,
    columns: int | None = None,
    width: float = 9.0,
    limit: float | None = None,
) -> Figure:
    """Pictures side by side, each with its title.

    Args:
        images: `(H, W, 3)` uint8 pictures as they are; `(H, W)` signed arrays with the residual
            map, zero white; `(H, W)` uint8 as gray.
        titles: One a picture.
        columns: Pictures a row; all in one by default.
        width: Of the figure, in inches.
        limit: Signed arrays are drawn from -limit to limit; their own 99.5th percentile of the
            absolute value, over all of them, by default.
    """
    columns = columns or len(images)
    rows = -(-len(images) // columns)
    height, breadth = images[0].shape[:2]
    tall = width / columns * height / breadth + 0.25
    figure, axes = plt.subplots(rows, columns, figsize=(width, rows * tall), squeeze=False)
    signed = [image for image in images if image.ndim == 2 and image.dtype != np.uint8]
    if limit is None and signed:
        limit = max(1.0, float(np.percentile(np.abs(np.stack(signed)), 99.5)))
    for axis in axes.flat:
        axis.axis("off")
    for axis, image, title in zip(axes.flat, images, titles, strict=False):
        draw_picture(axis, image, limit=limit)
        axis.set_title(title, loc="center", fontsize=8)
    return figure


def draw_picture(axis: Axes, image: np.ndarray, *, limit: float | None = None) -> None:
    """Draws one picture of `strip` into an axis."""
    if image.ndim == 3 or image.dtype == np.uint8:
        axis.imshow(image, cmap="gray", vmin=0, vmax=255)
    else:
        low = None if limit is None else -limit
        axis.imshow(image, cmap=RESIDUAL_MAP, vmin=low, vmax=limit)
    axis.axis("off")


def draw_motion(axis: Axes, picture: np.ndarray, motion: np.ndarray, *, step: int = 8) -> None:
    """Motion vectors over the picture they predict.

    Args:
        axis: Where to draw.
        picture: `(H, W, 3)` uint8.
        motion: `(H / 8, W / 8, 2)`, x and y in quarter pixels: from a block of this picture to
            the place in the reference that predicts it.
        step: Edge of a block in pixels.
    """
    axis.imshow(picture, alpha=0.45)
    rows, columns = motion.shape[:2]
    y, x = np.mgrid[0:rows, 0:columns] * step + step / 2
    moving = np.abs(motion).sum(-1) > 0
    axis.quiver(
        x[moving],
        y[moving],
        # Drawn as the movement of the face: from where it was to where it is.
        -motion[..., 0][moving] / 4,
        -motion[..., 1][moving] / 4,
        angles="xy",
        scale_units="xy",
        scale=0.35,
        width=0.004,
        color="#b3123c",
    )
    axis.set(xlim=(0, picture.shape[1]), ylim=(picture.shape[0], 0))
    axis.axis("off")


def log_ticks(axis: Axes, values: Sequence[float]) -> None:
    """A logarithmic x axis over `values` with plain labels at 1, 2 and 5 times powers of ten."""
    low, high = min(values) / 1.25, max(values) * 1.25
    powers = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    ticks = [step * 10.0**power for power in powers for step in (1, 2, 5)]
    axis.set_xscale("log")
    axis.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axis.minorticks_off()
    axis.set_xlim(low, high)


def learning_curves(records: pd.DataFrame, *, published: Mapping[str, float]) -> Figure:
    """Accuracy over epochs, one panel a dataset, as the replication report draws them.

    Args:
        records: Columns dataset, epoch, train_accuracy, test_accuracy; several runs are averaged
            and their range is shaded.
        published: For a dataset, the accuracy that the report gives, in 0..1: of real people.
    """
    datasets = list(dict.fromkeys(records["dataset"]))
    figure, axes = plt.subplots(
        1, len(datasets), figsize=(3.2 * len(datasets), 2.8), sharey=True, squeeze=False
    )
    for axis, dataset in zip(axes.flat, datasets, strict=True):
        part = records[records["dataset"] == dataset]
        for column, label, dash in (
            ("train_accuracy", "training", "--"),
            ("test_accuracy", "test", "-"),
        ):
            curve = part.groupby("epoch")[column].agg(["mean", "min", "max"])
            line = axis.plot(curve.index, curve["mean"], dash, label=label, marker="")[0]
            axis.fill_between(
                curve.index, curve["min"], curve["max"], alpha=0.15, color=line.get_color()
            )
        if dataset in published:
            axis.axhline(
                published[dataset], color="0.35", linestyle=":", label="report, real data"
            )
        axis.set(title=dataset, xlabel="epoch", ylim=(0, 1.02))
    axes[0, 0].set_ylabel("accuracy")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    return figure


def confusion(counts: np.ndarray, labels: Sequence[str], *, title: str = "") -> Figure:
    """A confusion matrix: shade and large figure are the row's rate, small figure the count.

    Args:
        counts: (classes, classes), true class by predicted class.
        labels: Of the classes.
        title: What was asked; how many were right, of how many, is written after it.
    """
    import seaborn as sns  # slow, and no other picture needs it

    rates = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    text = np.array(
        [
            [f"{rate:.0%}\n({count})" if count else "" for rate, count in zip(*row, strict=True)]
            for row in zip(rates, counts, strict=True)
        ]
    )
    letters = [lettering(label) for label in labels]
    # A dollar sign would begin a formula.
    names = [one.text.replace("$", r"\$") for one in letters]
    size = 0.62 * len(labels) + 1.2
    figure, axis = plt.subplots(figsize=(size, size * 0.92))
    sns.heatmap(
        rates,
        annot=text,
        fmt="",
        cmap="Blues",
        vmin=0,
        vmax=1,
        cbar=False,
        square=True,
        linewidths=0.5,
        xticklabels=names,
        yticklabels=names,
        annot_kws={"fontsize": 7},
        ax=axis,
    )
    for ticks in (axis.get_xticklabels(), axis.get_yticklabels()):
        for tick, one in zip(ticks, letters, strict=True):
            if one.file.stem != "DejaVuSans":  # the style's own
                tick.set_fontproperties(FontProperties(fname=one.file, size=tick.get_fontsize()))
    # Names are read, not looked at with the head on the side.
    axis.tick_params(axis="x", labelrotation=35, labelsize=9)
    axis.tick_params(axis="y", labelrotation=0, labelsize=9)
    for tick in axis.get_xticklabels():
        tick.set(ha="right", rotation_mode="anchor")
    right, total = int(np.trace(counts)), int(counts.sum())
    told = f"{right} of {total} right" + (f" ({right / total:.0%})" if total else "")
    axis.set_title(f"{title}\n{told}" if title else told, fontsize=10)
    axis.set(xlabel="predicted", ylabel="true")
    axis.grid(visible=False)
    return figure


def reach(frame: pd.DataFrame, value: str) -> np.ndarray:
    """How far a column's intervals reach, as `Axes.errorbar` takes them.

    Args:
        frame: Has the columns `value`, `value_low` and `value_high`.
        value: Column to draw.

    Returns:
        (2, rows): below and above the value, at least 0 where rounding left less; NaN, which is
        not drawn, where a row has no interval.
    """
    low, middle, high = (frame[f"{value}{end}"].to_numpy() for end in ("_low", "", "_high"))
    return np.maximum([middle - low, high - middle], 0)


def intervals(
    frame: pd.DataFrame, *, label: str, value: str, reference: float | None = None
) -> Figure:
    """Rows of a table as points with their intervals, top row first.

    Args:
        frame: Has the columns `label`, `value`, `value_low` and `value_high`.
        label: Column that names the rows.
        value: Column to draw.
        reference: A vertical line to compare with, chance for instance.
    """
    figure, axis = plt.subplots(figsize=(6.4, 0.32 * len(frame) + 0.9))
    places = np.arange(len(frame))[::-1]
    axis.errorbar(frame[value], places, xerr=reach(frame, value), fmt="o", capsize=3, linestyle="")
    if reference is not None:
        axis.axvline(reference, color="0.35", linestyle=":")
    axis.set_yticks(places, frame[label])
    axis.set(xlabel=value.replace("_", " "), ylim=(-0.6, len(frame) - 0.4))
    return figure
