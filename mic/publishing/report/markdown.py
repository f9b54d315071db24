"""Tables of `results/` inside a Markdown page, between marks, so that no number is typed.

    <!-- table: comparison_ck -->
    (whatever stands here is replaced)
    <!-- end of table -->

The name `reliability` means `results/reliability.csv`, the record of the long campaigns, and
`run_times` what the first cells of the notebooks say.
"""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from mic.errors import ResultError
from mic.publishing import reliability, run_times
from mic.publishing.report import layout
from mic.publishing.results import PROVENANCE, table_path
from mic.storage import atomic, provenance

_BLOCK = re.compile(
    r"(?s)(?P<open><!-- table: (?P<name>[\w-]+) -->\n).*?(?P<close><!-- end of table -->)"
)


def names_in(text: str) -> list[str]:
    """The tables that a Markdown page shows, in order.

    Raises:
        ResultError: A mark is misspelt or lacks its end.
    """
    names = [match["name"] for match in _BLOCK.finditer(text)]
    if len(names) != text.count("<!-- table:") or len(names) != text.count("<!-- end of table"):
        raise ResultError(
            "a table mark is misspelt or lacks its end",
            remedy="write `<!-- table: NAME -->`, `<!-- end of table -->`, each on its line",
        )
    return names


def filled(text: str, folder: str | Path) -> str:
    """A Markdown page with every marked table as `results/` has it now.

    Args:
        text: The page.
        folder: Of the results.

    Raises:
        ResultError: A mark is wrong, or there is no table of that name.
    """
    names_in(text)

    def block(match: re.Match[str]) -> str:
        return f"{match['open']}\n{_table(match['name'], Path(folder))}\n\n{match['close']}"

    return _BLOCK.sub(block, text)


def fill(page: str | Path, folder: str | Path) -> list[str]:
    """Renews every marked table of a Markdown file.

    Args:
        page: The file; it is replaced whole, or left as it was.
        folder: Of the results.

    Returns:
        The names of its tables.

    Raises:
        ResultError: The file cannot be read, has no mark or a wrong one, or there is no table of
            that name.
        StorageError: It cannot be written.
    """
    try:
        text = Path(page).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ResultError(
            f"cannot be read as a page: {error}", file=page, remedy="name a Markdown file"
        ) from error
    names = names_in(text)
    if not names:
        raise ResultError(
            "marks no table",
            file=page,
            remedy="write `<!-- table: NAME -->`, `<!-- end of table -->`, each on its line",
        )
    atomic.write_text(page, filled(text, folder))
    return names


def _table(name: str, folder: Path) -> str:
    if name == "run_times":
        return to_markdown(run_times.table(provenance.repository() / "notebooks"))
    recorded = name == "reliability"
    path = folder / "reliability.csv" if recorded else table_path(name, folder=folder)
    if path is None or not path.is_file():
        raise ResultError(
            f"there is no table {name!r}",
            file=path or folder,
            remedy="run the campaign or the notebook that writes it, or correct the mark",
        )
    if recorded:
        return to_markdown(reliability.table(path))
    shown = layout.columns(pd.read_csv(path))
    lines = [
        [column.name.replace("_", " ") for column in shown],
        ["---:" if column.numeric else "---" for column in shown],
        *zip(*([_cell(*cell) for cell in column.cells] for column in shown), strict=True),
    ]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    record = path.parent / PROVENANCE
    # What a campaign or a benchmark wrote has no notebook's record, and so no caption.
    caption = provenance.read(record)["tables"][name]["caption"] if record.is_file() else ""
    return f"{caption}\n\n{table}".lstrip()


def _cell(value: str, interval: str) -> str:
    return f"{value} {interval}".strip().replace("|", "\\|")


def to_markdown(frame: pd.DataFrame) -> str:
    """A GitHub table; numbers right-aligned with at most four significant digits."""
    numeric = [pd.api.types.is_numeric_dtype(frame[column]) for column in frame]
    rows = [list(frame.columns), ["---:" if number else "---" for number in numeric]]
    rows += [
        [layout.number(value).replace("|", "\\|") for value in row]
        for row in frame.itertuples(index=False)
    ]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)
