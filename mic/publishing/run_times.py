"""How long a notebook ran: a line in its first cell that the runner writes and the README's table.

What a run computes is stored, and a run that finds it stored takes a fraction of the time. So the
line says which of the two was measured, and a time from an empty store outlives the shorter ones
of later runs in the same profile.
"""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from mic.config import usable_cores
from mic.storage.home import home

_LINE = re.compile(
    r"(?m)^\*\*Run time:\*\* (?P<seconds>\d+) s "
    r"\((?P<profile>\w+) profile, (?P<cores>\d+) cores, (?P<store>empty|filled) store\)$"
)
_ANY_LINE = re.compile(r"(?m)^\*\*Run time:\*\*.*$")


def store_is_empty() -> bool:
    """Whether nothing of an earlier run can shorten this one."""
    return not any((home() / kind).is_dir() for kind in ("cache", "checkpoints", "datasets"))


def written(text: str, seconds: float, *, profile: str, empty: bool) -> str:
    """A first cell that says how long its notebook ran.

    Args:
        text: The cell.
        seconds: Wall-clock time.
        profile: The profile's name.
        empty: The run began with an empty store.
    """
    before = _LINE.search(text)
    if before and before["store"] == "empty" and before["profile"] == profile and not empty:
        return text
    cores = usable_cores()
    store = "empty" if empty else "filled"
    line = f"**Run time:** {seconds:.0f} s ({profile} profile, {cores} cores, {store} store)"
    return _ANY_LINE.sub(line, text)


def table(folder: str | Path) -> pd.DataFrame:
    """The run times that the notebooks of a folder state, and their sum.

    Args:
        folder: Of the notebooks.
    """
    import nbformat  # compiles a grammar when it is imported, for a second

    rows = []
    for path in sorted(Path(folder).glob("[0-9][0-9]_*.ipynb")):
        if found := _LINE.search(nbformat.read(path, 4).cells[0].source):
            fields = found.groupdict()
            rows.append({"notebook": path.stem, "seconds": int(fields.pop("seconds")), **fields})
    frame = pd.DataFrame(rows, columns=["notebook", "seconds", "profile", "cores", "store"])
    whole = {"notebook": "all", "seconds": frame["seconds"].sum()}
    return pd.concat([frame, pd.DataFrame([whole])], ignore_index=True).fillna("")
