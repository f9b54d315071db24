"""How long a notebook ran, and from that how long a run will take.

The runner writes a line into a notebook's first cell, from which the README's table is made, and
notes every run on this machine in `MIC_HOME/run_times.json`. What a run computes is stored, and a
run that finds it stored takes a fraction of the time. So both say which of the two was measured,
and a time from an empty store outlives the shorter ones of later runs in the same profile.

`expected` reads both. A notebook that never ran with a profile on some data has no expected time;
nothing is guessed from another profile's.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mic.config import Profile, load, usable_cores
from mic.storage import atomic
from mic.storage.home import home, locked

if TYPE_CHECKING:
    import pandas as pd

_LINE = re.compile(
    r"(?m)^\*\*Run time:\*\* (?P<seconds>\d+) s "
    r"\((?P<profile>\w+) profile, (?P<cores>\d+) cores, (?P<store>empty|filled) store\)$"
)
_ANY_LINE = re.compile(r"(?m)^\*\*Run time:\*\*.*$")
_NOTES = "run_times.json"


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
    # For whoever prints no table: pandas takes half a second, and nbformat compiles a grammar.
    import nbformat
    import pandas as pd

    rows = []
    for path in sorted(Path(folder).glob("[0-9][0-9]_*.ipynb")):
        if found := _LINE.search(nbformat.read(path, 4).cells[0].source):
            fields = found.groupdict()
            rows.append({"notebook": path.stem, "seconds": int(fields.pop("seconds")), **fields})
    frame = pd.DataFrame(rows, columns=["notebook", "seconds", "profile", "cores", "store"])
    whole = {"notebook": "all", "seconds": frame["seconds"].sum()}
    return pd.concat([frame, pd.DataFrame([whole])], ignore_index=True).fillna("")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Expected:
    """How long a notebook is expected to run.

    Attributes:
        notebook: Its name.
        seconds: Wall-clock time that was measured; None where nobody measured.
        cores: Of the machine that was measured, or of this one.
        store: Whether the measured run began with an "empty" or a "filled" store; else empty.
        here: Whether it was measured on this machine, with these very data and settings.
    """

    notebook: str
    seconds: float | None
    cores: int
    store: str = ""
    here: bool = False

    def __str__(self) -> str:
        if self.seconds is None:
            return f"{self.notebook}: never measured with this profile on these data"
        where = "on this machine" if self.here else "for the committed notebook"
        return (
            f"{self.notebook}: {in_words(self.seconds)}, measured {where} "
            f"({self.cores} cores, {self.store} store)"
        )


def note(
    notebook: str, config: Profile, data: Mapping[str, str], seconds: float, *, empty: bool
) -> None:
    """Remembers how long a notebook ran on this machine.

    The longest run is kept: a shorter one found more of its trainings stored.

    Args:
        notebook: Its name.
        config: The profile.
        data: The given data, SHA-256 by name; empty: generated data.
        seconds: Wall-clock time.
        empty: The run began with an empty store.

    Raises:
        StorageError: `MIC_HOME` cannot be written.
    """
    path = home() / _NOTES
    with locked(path.with_name(f".{_NOTES}.lock")):
        notes = _notes()
        key = _key(notebook, config, data)
        if seconds <= notes.get(key, {}).get("seconds", 0.0):
            return
        notes[key] = {
            "notebook": notebook,
            "profile": config.name,
            "data": sorted(data),
            "seconds": round(seconds, 1),
            "cores": usable_cores(),
            "store": "empty" if empty else "filled",
        }
        atomic.write_text(path, json.dumps(notes, indent=1, sort_keys=True) + "\n")


def expected(
    paths: Sequence[Path], config: Profile, *, data: Mapping[str, str] | None = None
) -> list[Expected]:
    """How long notebooks will run, where that has been measured.

    A run on this machine with the same settings and data counts most; for generated data in an
    unchanged profile the line of the notebook's first cell comes next.

    Args:
        paths: The notebooks.
        config: The profile.
        data: The given data, SHA-256 by name; empty: generated data.
    """
    import nbformat  # compiles a grammar when it is imported, for a second

    notes, found = _notes(), []
    unchanged = load(config.name).digest() == config.digest()
    for path in paths:
        known = notes.get(_key(path.stem, config, data or {}))
        line = _LINE.search(nbformat.read(path, 4).cells[0].source)
        if known is not None:
            entry = Expected(
                notebook=path.stem,
                seconds=float(known["seconds"]),
                cores=int(known["cores"]),
                store=str(known["store"]),
                here=True,
            )
        elif line and not data and unchanged and line["profile"] == config.name:
            entry = Expected(
                notebook=path.stem,
                seconds=float(line["seconds"]),
                cores=int(line["cores"]),
                store=line["store"],
            )
        else:
            entry = Expected(notebook=path.stem, seconds=None, cores=usable_cores())
        found.append(entry)
    return found


def in_words(seconds: float) -> str:
    """A time as people say it: `40 s`, `25 min`, `7.5 h`, `12 days`."""
    for unit, size in (("days", 86_400.0), ("h", 3_600.0), ("min", 60.0)):
        if seconds >= 2 * size:
            count = seconds / size
            return f"{count:.1f} {unit}" if count < 10 and unit != "min" else f"{count:.0f} {unit}"
    return f"{seconds:.0f} s"


def _notes() -> dict[str, dict[str, Any]]:
    try:
        found = json.loads((home() / _NOTES).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}  # none yet, or spoilt: they only tell of time, and are written again
    return found if isinstance(found, dict) else {}


def _key(notebook: str, config: Profile, data: Mapping[str, str]) -> str:
    facts = [notebook, config.digest(), dict(sorted(data.items()))]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]
