"""What a notebook says of itself: its parameters, what it reads, and its code."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Mapping
from pathlib import Path

import nbformat

from mic.errors import NotebookError
from mic.publishing import lesson
from mic.publishing.results import table_path
from mic.storage import provenance
from mic.storage.digest import sha256_of

_COMMITTED = "results/"


def parameters(path: Path) -> set[str]:
    """Names in a notebook's parameters cell."""
    import papermill

    return set(papermill.inspect_notebook(str(path)))


def check_parameters(path: Path, names: Collection[str]) -> None:
    """Refuses parameters that a notebook does not declare; papermill only logs them.

    Raises:
        NotebookError: It has no parameter of such a name.
    """
    known = parameters(path)
    if unknown := set(names) - known:
        raise NotebookError(
            f"has no parameter {', '.join(sorted(unknown))}",
            file=path,
            place="parameters cell",
            remedy=f"check the spelling; it declares {', '.join(sorted(known))}"
            if known
            else "execute it with nbconvert: it has no parameters cell, as solutions have none",
        )


def input_names(path: Path) -> list[str]:
    """Names in backticks on the "Inputs" line of a notebook's first cell.

    Tables that an earlier notebook writes, and, beginning with `results/`, committed files and
    folders of the repository.
    """
    return _named(path, "**Inputs:**")


def output_names(path: Path) -> list[str]:
    """Names in backticks on the "Outputs" line of a notebook's first cell: tables and figures."""
    return _named(path, "**Outputs:**")


def _named(path: Path, mark: str) -> list[str]:
    cells = nbformat.read(path, 4).cells
    for line in cells[0].source.splitlines() if cells else ():
        if line.startswith(mark):
            return re.findall(r"`([\w./-]+)`", line)
    return []


def inputs(path: Path, folder: Path, given: Mapping[str, object]) -> dict[str, str]:
    """SHA-256 of what a notebook reads, by name: tables, committed results, given files.

    Args:
        path: The notebook.
        folder: Where its tables are.
        given: Its parameters.
    """
    found: dict[str, str] = {}
    for name in input_names(path):
        committed = provenance.repository() / name
        if name.startswith(_COMMITTED):
            files = sorted(committed.rglob("*.*")) if committed.is_dir() else [committed]
            digests = [sha256_of(one) for one in files if one.is_file()]
            found[name] = hashlib.sha256("".join(digests).encode()).hexdigest()
        elif (table := table_path(name, folder=folder)) is not None:
            found[name] = sha256_of(table)
    for name in lesson.FILES:
        file = Path(str(given.get(name, "")))
        if file.is_file():
            found[name] = sha256_of(file)
    return found


def source_digest(path: Path) -> str:
    """SHA-256 of a notebook's code, 16 digits; its text and outputs decide nothing."""
    cells = nbformat.read(path, 4).cells
    code = [cell.source for cell in cells if cell.cell_type == "code"]
    return hashlib.sha256(json.dumps(code).encode()).hexdigest()[:16]
