"""What a run got, held against what is committed, cell by cell."""

from __future__ import annotations

import io
import subprocess
from pathlib import Path

import pandas as pd

from mic import provenance

# Columns whose difference says nothing about the science; their tables are about time or memory.
_TIMING = ("seconds", "ms", "fps", "milliseconds", "memory", "speed", "ratio")


def committed_tables(root: Path | None = None) -> dict[str, pd.DataFrame]:
    """The tables of the default profile as the current commit has them; empty without Git.

    Args:
        root: The checkout; by default the one that `mic` was imported from.
    """
    root = root or provenance.repository()
    command = ["git", "-C", str(root)]
    try:
        listed = subprocess.run(
            [*command, "ls-tree", "--name-only", "HEAD", "results/tables/"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
    except (OSError, subprocess.CalledProcessError):
        return {}
    tables = {}
    for name in listed:
        if name.endswith(".csv"):
            text = subprocess.run(
                [*command, "show", f"HEAD:{name}"], capture_output=True, text=True, check=True
            ).stdout
            tables[Path(name).stem] = pd.read_csv(io.StringIO(text))
    return tables


def compare(committed: pd.DataFrame, reproduced: pd.DataFrame) -> dict[str, int]:
    """Counts of cells by how they compare.

    A number that differs is `within` when the committed table has an interval for it, columns
    `x_low` and `x_high`, and the reproduced number lies in it.

    Args:
        committed: The table as committed.
        reproduced: The table as the run wrote it.

    Returns:
        Counts `equal`, `within`, `outside`, `timing` (differing times, which are the machine's)
        and `missing` (rows or columns that only one of the two has).
    """
    counts = dict.fromkeys(("equal", "within", "outside", "timing", "missing"), 0)
    shared = [column for column in committed if column in reproduced]
    rows = min(len(committed), len(reproduced))
    all_cells = max(len(committed), len(reproduced)) * len(
        dict.fromkeys([*committed.columns, *reproduced.columns])
    )
    counts["missing"] = all_cells - rows * len(shared)
    for column in shared:
        timing = any(word in column.split("_") for word in _TIMING)
        for row in range(rows):
            old, new = committed[column].iloc[row], reproduced[column].iloc[row]
            if old == new or (pd.isna(old) and pd.isna(new)):
                counts["equal"] += 1
            elif timing:
                counts["timing"] += 1
            elif _inside(committed.iloc[row], column, new):
                counts["within"] += 1
            else:
                counts["outside"] += 1
    return counts


def _inside(row: pd.Series, column: str, value: object) -> bool:
    for name in (column, column.removesuffix("_low"), column.removesuffix("_high")):
        low, high = row.get(f"{name}_low"), row.get(f"{name}_high")
        if isinstance(low, float) and isinstance(high, float) and isinstance(value, float):
            return low <= value <= high
    return False


def report(folder: str | Path) -> pd.DataFrame:
    """Every committed table against the one in `folder`.

    Args:
        folder: A results folder.

    Returns:
        One row a table: `table`, the counts of `compare`, and `state`: "same", "within intervals",
        "differs" or "not run".
    """
    lines = []
    for name, committed in committed_tables().items():
        path = Path(folder) / "tables" / f"{name}.csv"
        if not path.is_file():
            lines.append({"table": name, "state": "not run"})
            continue
        counts = compare(committed, pd.read_csv(path))
        if counts["outside"] or counts["missing"]:
            state = "differs"
        else:
            state = "within intervals" if counts["within"] else "same"
        lines.append({"table": name, **counts, "state": state})
    return pd.DataFrame(lines)
