"""Answers of networks about labelled videos: tables of somebody else, and which windows count."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mic.errors import DatasetError, printable
from mic.manifest.tables import Row, is_absent, number_of
from mic.publishing.labels import Finder, LabelledVideo, canonical, read_table

_WINDOW = re.compile(r"\d+(\.0*)?")
_WINDOWS = 10**9
# What tables write where a network has no answer, beside cells that are absent.
_NOTHING = frozenset({"-", "--", "?", "unknown", "no face", "noface", "no answer"})
_NEAR = 0.011  # seconds: two places of a decimal fraction
_SILENT = "no answer"  # the error of a row for a video or window that a table leaves out
# Columns of a picture or a look.
_PICTURES = ("frame", "time")


def read_answers(path: str | Path, videos: Sequence[LabelledVideo]) -> pd.DataFrame:
    """Somebody else's answers, in the form of `answered`.

    Args:
        path: A table with the columns `video` and `label`, perhaps `window` (from 0) or its
            `start` in seconds, by which windows are numbered where they have no number, and
            `confidence` (0 to 1); where there are boxes (`left`, `top`, `right`, `bottom`), a
            window may have a row for each of several people.
        videos: Those that it may name.

    Returns:
        Columns video, window, start, label, confidence, error, and the boxes where there are
        any; a video without a row is one without an answer. Rows of other videos are left out.

    Raises:
        DatasetError: It is no such table, is one of pictures rather than windows, names no video
            of these or several at once, or answers a window twice, for one face where there are
            boxes; the row is named.
    """
    path = Path(path)
    rows = read_table(path, ("video", "label"))
    if not any(row.get("window") for row in rows):
        _number_windows(path, rows)
    known = Finder([video.path for video in videos])
    found: dict[tuple[Any, ...], dict[str, object]] = {}
    for row in rows:
        try:
            place = known.find(row["video"])
            if place is None:
                continue
            if row.get("error") and is_absent(row["label"]) and not row.get("window"):
                continue  # a table of ours says so that a video broke off
            window, confidence, box = _window(row), _confidence(row), _box(row)
            start = number_of(row.get("start", ""))
            key = (place, window, row.get("person", "") if box else "", *box.values())
            if key in found:
                raise ValueError(f"window {window} of {row['video']} has an answer already")
        except ValueError as error:
            raise DatasetError(
                str(error), file=path, place=f"row {row.line}", remedy="mend it, or take it out"
            ) from error
        found[key] = {
            "video": printable(place),
            "window": window,
            "start": float("nan") if start is None else start,
            "label": None if _is_silent(row["label"]) else canonical(row["label"]),
            "confidence": confidence,
            "error": "",
            **box,
            **({"looks": number_of(row["looks"])} if row.get("looks") else {}),
        }
    if not found:
        raise DatasetError(
            "names none of the videos", file=path, remedy="write their paths or ends of these"
        )
    silent = {video.path for video in videos} - {key[0] for key in found}
    nothing = {
        "window": 0,
        "start": float("nan"),
        "label": None,
        "confidence": float("nan"),
        "error": _SILENT,
    }
    missing = [{"video": printable(place), **nothing} for place in sorted(silent)]
    return pd.DataFrame([*found.values(), *missing])


def _is_silent(label: str) -> bool:
    """Whether a table says that there is no answer."""
    return is_absent(label) or label.strip().lower() in _NOTHING


def _number_windows(path: Path, rows: Sequence[Row]) -> None:
    """Numbers the windows of each video by when they begin; leaves rows without a start alone.

    Raises:
        DatasetError: Several rows of a video are pictures or looks, not windows.
    """
    begun: list[float | None] = []
    starts: dict[str, set[float]] = {}
    for row in rows:
        try:
            start = number_of(row.get("start", ""))
        except ValueError:
            start = None  # said when the row is read
        begun.append(start)
        if start is not None:
            starts.setdefault(row["video"], set()).add(start)
    several = [name for name, count in Counter(row["video"] for row in rows).items() if count > 1]
    pictured = [name for name in _PICTURES if any(row.get(name) for row in rows)]
    if several and not starts and pictured:
        raise DatasetError(
            f"has {pictured[0]}s, several rows for {several[0]}: pictures, and no windows",
            file=path,
            remedy="give a table of windows, as `mic predict --rows window` writes, or one row a "
            "video",
        )
    order = {name: sorted(found) for name, found in starts.items()}
    for row, start in zip(rows, begun, strict=True):
        if start is not None:
            row["window"] = str(order[row["video"]].index(start))


def completed(own: pd.DataFrame, ours: pd.DataFrame | None) -> tuple[pd.DataFrame, int]:
    """A table's windows, and those of ours that it leaves out, as windows without an answer.

    A table that names only what it is sure of would else cover everything.

    Args:
        own: A row a window, columns video, window, start, label.
        ours: The windows of a network of ours on the same videos; None if none was asked.

    Returns:
        The rows, and how many of them are windows that ours do not have: if there are any, the
        windows are others, and nothing is added.
    """
    if ours is None:
        return own, 0
    # Rows without a beginning say that a video could not be read.
    grid: pd.DataFrame = ours.loc[ours["start"].notna()]
    said, silent = own[own["error"] != _SILENT], own[own["error"] == _SILENT]
    places = _places(said, grid)
    foreign = int((places < 0).sum())
    if foreign:
        return own, foreign
    said = said.assign(window=grid["window"].to_numpy()[places])
    added: pd.DataFrame = grid.loc[~np.isin(np.arange(len(grid)), places)]
    added = added.assign(label=None, confidence=np.nan, error=_SILENT)
    parts = [said, silent[~silent["video"].isin(grid["video"])], added]
    return pd.concat([part.reindex(columns=own.columns) for part in parts], ignore_index=True), 0


def _places(said: pd.DataFrame, grid: pd.DataFrame) -> np.ndarray:
    """int64: the row of the grid that each window is, by its beginning or its number; else -1."""
    timed = bool(said["start"].notna().all())
    name, near = ("start", _NEAR) if timed else ("window", 0.0)
    known: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for video, rows in grid.reset_index(drop=True).groupby("video"):
        known[str(video)] = rows.index.to_numpy(), rows[name].to_numpy(float)
    found = np.full(len(said), -1, np.int64)
    for number, (video, value) in enumerate(zip(said["video"], said[name], strict=True)):
        if video in known:
            rows, values = known[video]
            best = int(np.abs(values - float(value)).argmin())
            if abs(values[best] - float(value)) <= near:
                found[number] = rows[best]
    return found


def _window(row: Mapping[str, str]) -> int:
    text = row.get("window") or "0"
    if not _WINDOW.fullmatch(text) or float(text) > _WINDOWS:
        raise ValueError(f"window {text!r} is no number from 0 on")
    return int(float(text))


def _box(row: Mapping[str, str]) -> dict[str, float]:
    """The edges of the face's box; nothing where the table has none, 0 where nobody is seen."""
    edges = ("left", "top", "right", "bottom")
    if not set(edges) <= row.keys():
        return {}
    return {name: number_of(row[name]) or 0.0 for name in edges}


def _confidence(row: Mapping[str, str]) -> float:
    """From 0 to 1; not a number where nothing is said."""
    text = row.get("confidence", "")
    try:
        value = number_of(text)
    except ValueError:
        value = -1.0
    if value is not None and not 0 <= value <= 1:
        raise ValueError(f"confidence {text!r} is no number from 0 to 1")
    return float("nan") if value is None else value


def largest(table: pd.DataFrame) -> pd.DataFrame:
    """One row a window: of several people the one whose box is largest, the answered first.

    That a video broke off is no window where there are others of it, nor is a piece of one in
    which nobody looked, as before a damaged place: it repeats the window before.
    """
    if "window" in table:
        counted = table["window"].notna()
        if "looks" in table:
            counted &= table["looks"].fillna(1) > 0
        table = table[counted | ~table["video"].isin(table.loc[counted, "video"])]
    area = np.zeros(len(table))
    if {"left", "top", "right", "bottom"} <= set(table.columns):
        sides = (table["right"] - table["left"]) * (table["bottom"] - table["top"])
        area = sides.fillna(0).to_numpy(float)
    order = table.assign(_said=table["label"].notna(), _area=area).sort_values(
        ["_said", "_area"], ascending=False, kind="stable"
    )
    return order.drop_duplicates(["video", "window"]).sort_index()
