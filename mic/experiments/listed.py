"""Somebody's own list of clips: a table with a row a video, written by hand or by a program."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from mic.datasets.readers.source import Source
from mic.errors import DatasetError
from mic.manifest.manifest import SPLITS
from mic.manifest.tables import Spellings, read_rows, read_text

_NEEDED = ("clip", "label", "subject")
_REMEDY = (
    "write a first row with clip, label and subject (split, fold and apex may follow), then a row "
    "a video, its path below the table's folder; save it as UTF-8"
)


def is_list(table: Path) -> bool:
    """Whether a table is such a list: a manifest of `mic fetch` begins with `#`."""
    try:
        return not read_text(table).lstrip().startswith("#")
    except (OSError, UnicodeDecodeError):
        return True  # `read` says what is wrong with it


def read(table: Path) -> list[Source]:
    """The clips of a list, in its order; whether the videos are there is seen when they are made.

    Args:
        table: Columns `clip` (a path below the table's folder), `label` and `subject`; `split`
            ("train", "val", "test"), `fold` and `apex` (numbers from 0) are optional. Cells are
            separated as any spreadsheet program does it.

    Returns:
        A source a row; its `clip_id` is its path.

    Raises:
        DatasetError: It is no such table, or a row is unsound; the row is named.
    """
    try:
        rows = [{name.lower(): cell for name, cell in row.items()} for row in read_rows(table)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"is no list of clips: {error}", file=table, remedy=_REMEDY) from error
    lacking = [name for name in _NEEDED if not rows or name not in rows[0]]
    if lacking:
        message = f"is no list of clips: it has no {', '.join(lacking)}" if rows else "has no rows"
        raise DatasetError(message, file=table, remedy=_REMEDY)
    found: dict[str, Source] = {}
    labels, people = Spellings(), Spellings()
    for number, row in enumerate(rows, start=1):
        try:
            one = _source(row)
            if one.clip_id in found:
                raise ValueError("the clip is there already")
            usual = labels.first(one.label)
            if usual != one.label:
                raise ValueError(f"the label {one.label!r} is written {usual!r} before")
            usual = people.first(one.subject)
            if usual != one.subject:
                raise ValueError(f"the person {one.subject!r} is written {usual!r} before")
        except ValueError as error:
            place = f"clip {number} ({row['clip']})" if row["clip"] else f"clip {number}"
            remedy = "mend or remove the row"
            raise DatasetError(str(error), file=table, place=place, remedy=remedy) from error
        found[one.clip_id] = one
    for name in ("split", "fold"):
        lacking = [row["clip"] for row in rows if not row.get(name)]
        if 0 < len(lacking) < len(rows):
            raise DatasetError(
                f"has a {name} for some clips and none for {len(lacking)} others",
                file=table,
                place=f"clip {lacking[0]}",
                remedy=f"write a {name} for each clip, or for none",
            )
    return list(found.values())


def _is_missing(cell: str) -> bool:
    """Whether a cell is what pandas and others write for a missing one; "none" may be a class."""
    return cell == "None" or cell.lower() in ("nan", "<na>", "nat", "n/a", "null")


def _source(row: Mapping[str, str]) -> Source:
    clip = str(PurePosixPath(row["clip"].replace("\\", "/")))
    for name in _NEEDED:
        if not row[name]:
            raise ValueError(f"its {name} is empty")
        if name != "clip" and _is_missing(row[name]):
            raise ValueError(f"its {name} is {row[name]!r}, as programs write one that is missing")
        if name != "clip" and not row[name].isprintable():
            raise ValueError(f"its {name} {row[name]!r} has line breaks or control characters")
    path = PurePosixPath(clip)
    if "\0" in clip:
        raise ValueError("its path holds a zero byte")
    if path.is_absolute() or ".." in path.parts:
        raise ValueError("its path leaves the table's folder")
    split = row.get("split", "").lower()
    if split not in SPLITS:
        raise ValueError(f"its split is {split!r}, none of {', '.join(SPLITS[1:])}")
    return Source(
        clip_id=clip,
        files=(clip,),
        subject=row["subject"],
        label=row["label"],
        apex="found" if (apex := _number(row, "apex")) is None else apex,
        split=split,
        fold=_number(row, "fold"),
    )


def _number(row: Mapping[str, str], name: str) -> int | None:
    cell = row.get(name, "")
    if not cell:
        return None
    if not cell.isdecimal():
        raise ValueError(f"its {name} is {cell!r}, not a number from 0")
    return int(cell)
