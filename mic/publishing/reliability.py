"""The record of what the long campaigns ran: `results/reliability.csv`, one row a campaign."""

from __future__ import annotations

import io
from pathlib import Path

import pandas as pd

from mic.errors import ResultError
from mic.storage import atomic, provenance
from mic.storage.home import locked

COLUMNS = ("campaign", "unit", "count", "failures", "seconds", "commit")


def path() -> Path:
    """Where the record lies."""
    return provenance.repository() / "results" / "reliability.csv"


def record(campaign: str, *, unit: str, count: int, failures: int, seconds: float) -> None:
    """Writes one campaign's figures; a rerun replaces its row.

    Args:
        campaign: Its name, as `residual exactness`.
        unit: What `count` counts, as `samples compared`.
        count: How many.
        failures: How many of them were wrong.
        seconds: Wall time.

    Raises:
        StorageError: The record cannot be written; the old one is untouched.
    """
    target = path()
    row = (campaign, unit, count, failures, round(seconds, 1), provenance.commit())
    with locked(target.parent / ".reliability.lock"):
        rows = [row]
        if target.is_file():
            old = pd.read_csv(target, dtype=str)
            rows += [tuple(line) for line in old[old["campaign"] != campaign].to_numpy()]
        table = pd.DataFrame(rows, columns=list(COLUMNS)).sort_values("campaign")
        text = io.StringIO()
        table.to_csv(text, index=False, lineterminator="\n")
        atomic.write_text(target, text.getvalue())


def table(source: Path) -> pd.DataFrame:
    """The record for readers: grouped digits, minutes, abbreviated commits.

    Args:
        source: A file that `record` wrote.

    Raises:
        ResultError: It is not such a file.
    """
    try:
        found = pd.read_csv(source)
        return pd.DataFrame(
            {
                "campaign": found["campaign"],
                "counted": found["unit"],
                # As text, because every digit is to be seen.
                "count": [f"{int(count):,}" for count in found["count"]],
                "failures": found["failures"].astype(int),
                "minutes": (found["seconds"] / 60).round(1),
                "commit": [_short(text) for text in found["commit"]],
            }
        )
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise ResultError(
            f"is not the record of campaigns: {error}",
            file=source,
            remedy="restore it, or run the campaigns: make test-long",
        ) from error


def _short(commit: str) -> str:
    digits, _, state = commit.partition("+")
    return f"{digits[:7]}+{state}" if state else digits[:7]
