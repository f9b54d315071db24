"""How a table of results is laid out for readers, whether as HTML or as LaTeX.

The ends of an interval stand behind the value they belong to, and published numbers stand in a
group of columns of their own, beside ours, never among them.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

# Columns of published numbers that do not say so by their name.
_PUBLISHED = ("paper", "replication")
_PREFIX = "published_"


@dataclass(frozen=True)
class Column:
    """One column as it is shown.

    Attributes:
        name: In the table.
        title: For readers.
        numeric: Whether it is set flush right.
        published: Whether its numbers are others', from a paper.
        cells: A row each: the value as text and its interval, either of them possibly empty.
    """

    name: str
    title: str
    numeric: bool
    published: bool
    cells: tuple[tuple[str, str], ...]


def columns(frame: pd.DataFrame) -> list[Column]:
    """The columns to show, in order; published ones are kept together before ours."""
    rows = frame.to_dict("records")
    shown = [
        Column(
            name=name,
            title=name.removeprefix(_PREFIX).replace("_", " "),
            numeric=pd.api.types.is_numeric_dtype(frame[name]),
            published=name.startswith(_PREFIX) or name in _PUBLISHED,
            cells=tuple((number(row[name]), _interval(row, name)) for row in rows),
        )
        for name in map(str, frame.columns)
        if not _is_bound(name, frame)
    ]
    first = next((place for place, column in enumerate(shown) if column.numeric), 0)
    head, rest = shown[:first], shown[first:]
    return head + sorted(rest, key=lambda column: not column.published)


def groups(shown: list[Column]) -> list[tuple[str, int]]:
    """Headings above the columns and how many each spans; empty if nothing is published."""
    if not any(column.published for column in shown):
        return []
    found: list[tuple[str, int]] = []
    for column in shown:
        heading = "published" if column.published else "ours" if column.numeric else ""
        if found and found[-1][0] == heading:
            found[-1] = heading, found[-1][1] + 1
        else:
            found.append((heading, 1))
    return found


def _is_bound(name: str, frame: pd.DataFrame) -> bool:
    """Whether a column is an end of another one's interval, and shown with it."""
    stem, _, end = name.rpartition("_")
    return end in ("low", "high") and {stem, f"{stem}_low", f"{stem}_high"} <= set(frame.columns)


def _interval(row: Mapping[Hashable, Any], name: str) -> str:
    low, high = row.get(f"{name}_low"), row.get(f"{name}_high")
    if low is None or high is None or pd.isna(low) or pd.isna(high):
        return ""
    return f"[{number(low)}, {number(high)}]"


def number(value: object) -> str:
    """A value for readers: four significant digits, but no digit before the point is dropped."""
    if pd.isna(value):
        return ""
    if isinstance(value, float):
        return f"{value:.0f}" if 1000 <= abs(value) < 1e15 else f"{value:.4g}"
    return str(value)
