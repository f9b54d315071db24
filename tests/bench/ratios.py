"""What the grid of `bench.py` comes to: by reader, by size, and against the targets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

REFERENCE = "PyAV to rgb24"

_SMALL = 640 * 480  # luma samples


@dataclass(frozen=True)
class Target:
    """The ratio to the reference that a reader is to have in every cell of a kind."""

    reader: str
    ratio: float
    cells: str
    belongs: Callable[[pd.DataFrame], pd.Series]


def _every(table: pd.DataFrame) -> pd.Series:
    return table["width"] > 0


def _small(table: pd.DataFrame) -> pd.Series:
    return table["width"] * table["height"] <= _SMALL


def _large(table: pd.DataFrame) -> pd.Series:
    return ~_small(table)


def _long(table: pd.DataFrame) -> pd.Series:
    return table["frames"] >= 300


TARGETS = (
    Target("mic residual", 2.0, "all", _every),
    Target("mic residual 1/2", 2.0, "all", _every),
    Target("mic accumulated", 1.5, "up to 640x480", _small),
    Target("mic accumulated", 1.0, "above 640x480", _large),
    Target("mic accumulated (CoViAR)", 1.5, "up to 640x480", _small),
    Target("mic accumulated (CoViAR)", 1.0, "above 640x480", _large),
    Target("mic accumulated 1/2", 1.5, "all", _every),
    Target("mic accumulated 1/2 (CoViAR)", 1.5, "all", _every),
    Target("mic ten sampled frames", 20.0, "of 300 frames", _long),
)


def _cells(table: pd.DataFrame) -> pd.Series:
    """Names of the grid's cells: clip, size and quantiser."""
    size = table["width"].astype(str) + "x" + table["height"].astype(str)
    return table["clip"] + " " + size + ", quantiser " + table["vop_quant"].astype(str)


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Ratios over the grid, one row a reader: processor time, wall time, the worst cell."""
    groups = table.assign(cell=_cells(table)).groupby("reader", sort=False)
    frame = groups["ratio"].agg(["median", "min", "max"])
    frame["wall"] = groups["wall_ratio"].median()
    frame["worst"] = groups.apply(
        lambda rows: rows.loc[rows["ratio"].idxmin(), "cell"], include_groups=False
    )
    frame["n"] = groups.size()
    frame = frame.reset_index()
    frame.columns = ["reader", "ratio", "ratio_low", "ratio_high", "wall_ratio", "worst_in", "n"]
    return frame.sort_values("ratio", ascending=False, ignore_index=True)


def by_size(table: pd.DataFrame) -> pd.DataFrame:
    """Median and range of the ratio at each size, one row a reader in the grid's order."""
    columns: dict[str, pd.Series] = {}
    for (width, height), part in table.groupby(["width", "height"]):
        ratios = part.groupby("reader", sort=False)["ratio"]
        name = f"{width}x{height}"
        columns |= {name: ratios.median(), f"{name}_low": ratios.min()}
        columns[f"{name}_high"] = ratios.max()
    frame = pd.DataFrame(columns).loc[table["reader"].unique()]
    return frame.rename_axis("reader").reset_index()


def targets(table: pd.DataFrame) -> pd.DataFrame:
    """What was wanted in every cell, and what came out: median, worst cell, cells that miss it."""
    rows = []
    for target in TARGETS:
        part = table[(table["reader"] == target.reader) & target.belongs(table)]
        if part.empty:
            continue
        worst = part.loc[part["ratio"].idxmin()]
        rows.append(
            {
                "reader": target.reader,
                "cells": target.cells,
                "target": target.ratio,
                "median": part["ratio"].median(),
                "worst": worst["ratio"],
                "worst_in": _cells(part)[worst.name],
                "below": int((part["ratio"] < target.ratio).sum()),
                "n": len(part),
            }
        )
    return pd.DataFrame(rows)
