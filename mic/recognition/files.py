"""Tables as files."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from mic.errors import ConfigError
from mic.storage import atomic

if TYPE_CHECKING:
    import pandas as pd

SUFFIXES = (".csv", ".parquet", ".json")
# Columns in seconds.
TIMES = ("start", "end", "time")


def checked_suffix(path: str | Path) -> str:
    """The suffix of a table's file, before anything is computed for it.

    Raises:
        ConfigError: No table format has it.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise ConfigError(
            f"no table format ends in {suffix!r}",
            file=path,
            remedy=f"end the name in {', '.join(SUFFIXES)}",
        )
    return suffix


def to_csv(table: pd.DataFrame) -> str:
    """A table as CSV: six significant digits, but times to a ten-thousandth of a second."""
    times = [name for name in TIMES if name in table]
    told = table.assign(**{name: table[name].map(second, na_action="ignore") for name in times})
    text: str = told.to_csv(index=False, float_format="%.6g", lineterminator="\n")
    return text


def second(time: float) -> str:
    """Seconds in a table, however long a film is."""
    return f"{time:.4f}".rstrip("0").rstrip(".")


def save(table: pd.DataFrame, path: str | Path) -> None:
    """Writes a table as .csv, .parquet or .json (records), atomically.

    Raises:
        ConfigError: Another suffix.
        StorageError: The file cannot be written.
    """
    match checked_suffix(path):
        case ".csv":
            data = to_csv(table).encode()
        case ".json":
            data = (table.to_json(orient="records", indent=1) + "\n").encode()
        case ".parquet":
            buffer = io.BytesIO()
            table.to_parquet(buffer, index=False)
            data = buffer.getvalue()
    atomic.write_bytes(path, data)
