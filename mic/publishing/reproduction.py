"""What a run got, held against what is committed, cell by cell.

An interval that a number fell into may be half the scale wide, and then says little. So a number
is *reproduced* where it also came within a hundredth of the committed one, a point of accuracy,
the margin of `mic.evaluation.inference.compare`; beyond that it is merely *inside* its interval.
A number without an interval is reproduced or it is *outside*.
"""

from __future__ import annotations

import dataclasses
import io
import json
import re
import sys
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

import pandas as pd

from mic.config import PROFILES, Profile, load
from mic.errors import ConfigError, ResultError
from mic.publishing import declared, results
from mic.publishing.notebooks import Runner, find, stamp_of
from mic.storage import atomic, provenance
from mic.storage.digest import sha256_of
from mic.storage.home import home

# Columns whose difference says nothing about the science; their tables are about time or memory.
_TIMING = ("seconds", "ms", "fps", "milliseconds", "memory", "speed", "ratio")

_COUNTS: tuple[str, ...] = ("equal", "reproduced", "inside", "outside", "timing", "missing")
# A point of accuracy, AUC or CCC; of a value beyond one, a hundredth of it.
MARGIN = 0.01


def committed_tables(
    root: Path | None = None, *, only: Collection[str] | None = None
) -> dict[str, pd.DataFrame]:
    """The tables of the default profile as the current commit has them.

    Args:
        root: The checkout; by default the one that `mic` was imported from.
        only: Folders of the results, as "04_training"; None: all.

    Raises:
        ResultError: Git is not there or refuses, or there is no checkout.
    """
    root = root or provenance.repository()
    listed = provenance.git(root, "ls-tree", "-r", "--name-only", "HEAD", "results/").split()
    tables = {}
    for name in listed:
        match = re.fullmatch(r"results/([^/]+)/[^/]+\.csv", name)
        if match and (only is None or match[1] in only):
            text = provenance.git(root, "show", f"HEAD:{name}")
            tables[Path(name).stem] = pd.read_csv(io.StringIO(text))
            tables[Path(name).stem].attrs["folder"] = match[1]
    return tables


def tables_at_rest(root: Path | None = None) -> dict[str, pd.DataFrame]:
    """The tables that lie in a checkout's results, of notebooks that were not run there.

    What is committed, for whom Git does not tell it: of an archive of the checkout, for instance.

    Args:
        root: The checkout; by default the one that `mic` was imported from.
    """
    folder = (root or provenance.repository()) / "results"
    tables = {}
    for path in sorted(folder.glob(f"*/{results.PROVENANCE}")):
        name = path.parent.name
        if not stamp_of(folder, name).is_file():
            for table in sorted(path.parent.glob("*.csv")):
                tables[table.stem] = results.csv(table)
                tables[table.stem].attrs["folder"] = name
    return tables


def compare(committed: pd.DataFrame, reproduced: pd.DataFrame) -> dict[str, int]:
    """Counts of cells by how they compare.

    A number that differs may be as good as the same where the committed table has an interval for
    it, columns `x_low` and `x_high`, and the new number lies in it. An end of an interval may also
    lie outside by no more than `MARGIN`, and so far may a number be off that has no interval, in
    parts of the largest of its column if that is below one: another processor sums in another
    order.

    Args:
        committed: The table as committed.
        reproduced: The table as the run wrote it.

    Returns:
        Counts `equal`; `reproduced` (inside the interval, if there is one, and within `MARGIN`)
        and `inside` (the interval, but further off); `outside`; `timing` (differing times, which
        are the machine's); `missing` (rows or columns that only one of the two has).
    """
    counts = dict.fromkeys(_COUNTS, 0)
    shared = [column for column in committed if column in reproduced]
    names = set(shared)
    stems = {name.removesuffix("_low") for name in names}
    ends = {
        f"{stem}_{end}"
        for stem in stems
        for end in ("low", "high")
        if {f"{stem}_low", f"{stem}_high"} <= names
    }
    rows = min(len(committed), len(reproduced))
    all_cells = max(len(committed), len(reproduced)) * len(
        dict.fromkeys([*committed.columns, *reproduced.columns])
    )
    counts["missing"] = all_cells - rows * len(shared)
    for column in shared:
        timing = any(word in column.split("_") for word in _TIMING)
        bounded = {f"{column}_low", f"{column}_high"} <= names
        scale = 1.0 if bounded or column in ends else _scale(committed[column])
        for row in range(rows):
            old, new = committed[column].iloc[row], reproduced[column].iloc[row]
            near = _near(old, new, scale)
            if old == new or (pd.isna(old) and pd.isna(new)):
                counts["equal"] += 1
            elif timing:
                counts["timing"] += 1
            elif _interval(committed.iloc[row], column, new) is not None:
                counts["reproduced" if near else "inside"] += 1
            else:
                counts["reproduced" if near and not bounded else "outside"] += 1
    return counts


def _near(old: object, new: object, scale: float = 1.0) -> bool:
    if not (isinstance(old, float) and isinstance(new, float)):
        return False
    return abs(new - old) <= MARGIN * max(scale, abs(old))


def _scale(column: pd.Series) -> float:
    """The largest size in a column of numbers, at most one."""
    return min(1.0, float(column.abs().max())) if column.dtype == float else 1.0


def _interval(row: pd.Series, column: str, value: object) -> float | None:
    """Width of the committed interval that the value lies in; None where it lies in none."""
    for name in (column, column.removesuffix("_low"), column.removesuffix("_high")):
        low, high = row.get(f"{name}_low"), row.get(f"{name}_high")
        if isinstance(low, float) and isinstance(high, float) and isinstance(value, float):
            return high - low if low <= value <= high else None
    return None


def widest(committed: pd.DataFrame, reproduced: pd.DataFrame) -> float:
    """The widest interval in which a cell is merely `inside`, see `compare`; NaN without one."""
    widths = [
        width
        for column in committed.columns.intersection(reproduced.columns)
        for row in range(min(len(committed), len(reproduced)))
        if (old := committed[column].iloc[row]) != (new := reproduced[column].iloc[row])
        and (width := _interval(committed.iloc[row], column, new)) is not None
        and not _near(old, new)
    ]
    return max(widths, default=float("nan"))


def report(
    folder: str | Path,
    *,
    only: Collection[str] | None = None,
    committed: Mapping[str, pd.DataFrame] | None = None,
) -> pd.DataFrame:
    """Committed tables against those in `folder`.

    Args:
        folder: A results folder.
        committed: Of `committed_tables` or `tables_at_rest`; None: what is committed.
        only: Folders of the results to compare, as "04_training": those that a run made; a table
            that was not made again would agree with itself. None: all.

    Returns:
        One row a table: `table`, the counts of `compare`, `widest` (see there) and `state`:
        "same"; "reproduced"; "inside intervals" where a number moved by more than `MARGIN`,
        which an interval as wide as `widest` allows; "differs"; "not run".
    """
    known = committed_tables(only=only) if committed is None else committed
    lines = [
        _line(name, table, Path(folder))
        for name, table in known.items()
        if only is None or table.attrs.get("folder") in (None, *only)
    ]
    return pd.DataFrame(lines)


def _line(name: str, committed: pd.DataFrame, folder: Path) -> dict[str, str | int | float]:
    path = results.table_path(name, folder=folder)
    if path is None:
        return {"table": name, "state": "not run"}
    found = results.csv(path)
    counts = compare(committed, found)
    if counts["outside"] or counts["missing"]:
        state = "differs"
    else:
        state = "reproduced" if counts["reproduced"] else "same"
        state = "inside intervals" if counts["inside"] else state
    wide = round(widest(committed, found), 4)
    return {"table": name, **counts, "widest": wide, "state": state}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Repetition:
    """A committed notebook run that was done again.

    Attributes:
        notebook: Its name.
        folder: Where the repeated results lie.
        differences: What is not as the record says (code, data, versions, device): a sentence
            each. They may explain differing cells.
        tables: As of `report`, the tables of this notebook.
        altered: Tables beside the record that are not the files that its run wrote.
    """

    notebook: str
    folder: Path
    differences: tuple[str, ...]
    tables: pd.DataFrame
    altered: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether every cell is equal, inside its interval, or a time, of tables as written."""
        return not self.altered and not self.tables["state"].isin(["differs", "not run"]).any()


def repeat(
    path: str | Path,
    *,
    notebooks: str | Path | None = None,
    folder: str | Path = "",
    progress: TextIO = sys.stderr,
) -> Repetition:
    """Runs a notebook as a provenance record says it was run, beside the results it vouches for.

    Args:
        path: The record, `results/NN_name/provenance.json`; its tables lie beside it.
        notebooks: Folder of the notebooks; by default the checkout's.
        folder: Where the results go; by default below `MIC_HOME/repeated`.
        progress: As of `Runner`.

    Raises:
        ResultError: It is no such record, or its tables are not those beside it.
        ConfigError: No such notebook or profile, or a setting of the record cannot be given.
        NotebookError: The notebook failed.
    """
    path = Path(path)
    record = provenance.read(path)
    origin = path.resolve().parents[1]
    written = {Path(name).stem for name in record["outputs"] if name.endswith(".csv")}
    if not written or written != set(record["tables"]):
        raise ResultError(
            "names other tables than it says were written",
            file=path,
            remedy="restore it from Git; what it vouches for cannot be told",
        )
    committed = {name: _recorded_table(path, name) for name in record["tables"]}
    notebooks = Path(notebooks or provenance.repository() / "notebooks")
    source = notebooks / f"{record['notebook']}.ipynb"
    if source not in find(notebooks):
        raise ConfigError(
            f"there is no notebook {record['notebook']!r}",
            file=notebooks,
            remedy="a study is made again by its own command, the first lines of its program in "
            f"tests/campaigns; of a notebook check out {record['commit']}, or give --notebooks",
        )
    config, parameters = _settings(path, record, declared.parameters(source))
    apart = home() / "repeated" / f"{source.stem}-{config.digest()}"
    folder = results.folder_of(config, str(folder or apart))
    if folder.resolve() == origin:
        raise ConfigError(
            "would replace the results it is compared with",
            file=folder,
            remedy="choose another folder",
        )
    for name in declared.input_names(source):
        given = results.table_path(name, folder=origin)
        if given is not None:
            atomic.write_bytes(folder / given.relative_to(origin), given.read_bytes())
    runner = Runner(
        notebooks, config, folder=folder, parameters=parameters, force=True, progress=progress
    )
    runner.run([source.stem])
    repeated = provenance.read(folder / source.stem / results.PROVENANCE)
    tables = [_line(name, frame, folder) for name, frame in committed.items()]
    altered = tuple(_altered(record, path.parent))
    differences = [f"{one} is not the file that its run wrote" for one in altered]
    return Repetition(
        notebook=source.stem,
        folder=folder,
        altered=altered,
        differences=(*differences, *_differences(record, repeated)),
        tables=pd.DataFrame(tables, columns=["table", *_COUNTS, "widest", "state"]),
    )


def _recorded_table(path: Path, name: str) -> pd.DataFrame:
    table = path.parent / f"{name}.csv"
    if re.fullmatch(r"\w+", name) is None or not table.is_file():
        raise ResultError(
            f"names a table {name!r} that is not beside it",
            file=path,
            remedy="name a record in the folder that its run wrote: results/NN_name",
        )
    return results.csv(table)


def _settings(
    path: Path, record: dict[str, Any], declared: set[str]
) -> tuple[Profile, dict[str, Any]]:
    """The profile of a record, and the notebook parameters that lead to it."""
    then = dict(record["config"])
    name = then.pop("name", None)
    remedy = f"check out its code: git checkout {record['commit'].removesuffix('+changes')}"
    now = dataclasses.asdict(PROFILES[name]) if name in PROFILES else None
    if now is None or set(then) - set(now):
        raise ConfigError("is of other settings than this code's", file=path, remedy=remedy)
    changed = {
        field: value
        for field, value in then.items()
        # Results do not depend on the number of processes.
        if field != "jobs" and value != _plain(now[field])
    }
    given = {k: v for k, v in record.get("parameters", {}).items() if k != "profile"}
    parameters = {k: v for k, v in given.items() if k not in now} | changed
    if set(parameters) - declared:
        undeclared = ", ".join(sorted(set(parameters) - declared))
        raise ConfigError(
            f"its run had other settings than a notebook can be given now: {undeclared}",
            file=path,
            remedy=remedy,
        )
    return load(name, **changed), parameters


def _altered(record: dict[str, Any], folder: Path) -> Iterator[str]:
    for name in record["tables"]:
        path = folder / f"{name}.csv"
        if sha256_of(path) != record["outputs"].get(path.name):
            yield str(path)


def _differences(then: dict[str, Any], now: dict[str, Any]) -> Iterator[str]:
    for name in sorted(now["config"].keys() - then["config"].keys()):
        yield f"the setting {name} is newer than the record"
    if then["code_digest"] != now["code_digest"]:
        yield f"code: then {then['commit']}, now {now['commit']}"
    if then.get("source", now["source"]) != now["source"]:
        yield "the notebook's code has changed"
    for part in ("data", "inputs", "versions", "device"):
        # Records of earlier versions do not name their input tables.
        before, after = then.get(part, now[part]), now[part]
        for name in sorted(before.keys() | after.keys()):
            if before.get(name) != after.get(name):
                yield f"{part}, {name}: then {before.get(name)}, now {after.get(name)}"


def _plain(value: Any) -> Any:
    return json.loads(json.dumps(value))
