"""Reading text and tables as people's programs write them.

Spreadsheet programs put a byte order mark before the text, write UTF-16 when asked for "Unicode",
and separate cells by semicolons where a comma is the decimal sign.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
import unicodedata
from collections import Counter
from pathlib import Path

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_SEPARATORS = ",;\t"
_SEPARATOR = re.compile(r"sep=(.)", re.IGNORECASE)
_ABSENT = frozenset({"", "na", "n/a", "nan", "none", "null"})


def read_text(path: str | Path) -> str:
    """A file's text, by its byte order mark or else as UTF-8; the mark is left out.

    Raises:
        OSError: It cannot be read.
        UnicodeDecodeError: It is not so encoded.
    """
    data = Path(path).read_bytes()
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding)
    return data.decode("utf-8")


class Row(dict[str, str]):
    """Cells by the names of their columns.

    Attributes:
        line: Where the row ends in the file, from 1.
    """

    line: int = 0


def read_rows(path: str | Path) -> list[Row]:
    """The rows of a table by the names in its first one; cells are stripped, empty rows left out.

    Cells are separated by what is most frequent in the first row of comma, semicolon and tab, or
    by what a first line `sep=;` says. Cells that a row lacks are empty, as spreadsheet programs
    leave out the last ones.

    Raises:
        OSError: It cannot be read.
        UnicodeDecodeError: It is not encoded as `read_text` knows.
        csv.Error: Its quotes do not end, two columns have one name, or a row has more cells than
            there are columns: mostly a comma within a cell.
    """
    text = read_text(path)
    head, _, rest = text.partition("\n")
    told = _SEPARATOR.fullmatch(head.strip())
    if told:
        text = rest
    separator = told[1] if told else max(_SEPARATORS, key=head.count)
    lines = io.StringIO(text, newline="")
    reader = csv.DictReader(lines, delimiter=separator, restval="", strict=True)
    names = [name.strip().casefold() for name in reader.fieldnames or () if name.strip()]
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise csv.Error(f"has the column {twice[0]!r} twice")
    rows = []
    for cells in reader:
        line = reader.line_num + bool(told)
        surplus = cells.pop(None, [])
        if any(cell.strip() for cell in surplus):
            raise csv.Error(
                f"line {line} has more cells than there are columns; put a cell that holds "
                f"{separator!r} between quotes"
            )
        row = Row({name.strip(): cell.strip() for name, cell in cells.items()})
        row.line = line
        if any(row.values()):
            rows.append(row)
    return rows


class Spellings:
    """The names met so far, each as it was written first, to see one name in two spellings."""

    def __init__(self) -> None:
        self._first: dict[str, str] = {}

    def first(self, name: str) -> str:
        """How a name was written when it was met first: this one, if it was not met before.

        Names are one whose letters are, whatever their case, how accents are composed, and what
        white space is around them.
        """
        letters = unicodedata.normalize("NFC", name.strip().casefold())
        return self._first.setdefault(letters, name)


def number_of(cell: str) -> float | None:
    """A cell's number, its decimal sign a point or a comma; None where there is none.

    Raises:
        ValueError: There is something else.
    """
    if is_absent(cell):
        return None
    if "_" in cell:  # digits may be grouped so in Python, and in no table
        raise ValueError(f"{cell!r} is no number")
    return float(cell.replace(",", "."))


def is_absent(cell: str) -> bool:
    """Whether a cell says that there is nothing."""
    return cell.strip().lower() in _ABSENT
