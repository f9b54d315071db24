"""Reading text and tables as people's programs write them.

Spreadsheet programs put a byte order mark before the text, write UTF-16 when asked for "Unicode",
and separate cells by semicolons where a comma is the decimal sign.
"""

from __future__ import annotations

import codecs
import csv
import io
from pathlib import Path

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_SEPARATORS = ",;\t"
_ABSENT = frozenset({"", "na", "n/a", "nan"})


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


def read_rows(path: str | Path) -> list[dict[str, str]]:
    """The rows of a table by the names in its first one; cells are stripped, empty rows left out.

    Cells are separated by what is most frequent in the first row of comma, semicolon and tab.
    Cells that a row lacks are empty, as spreadsheet programs leave out the last ones.

    Raises:
        OSError: It cannot be read.
        UnicodeDecodeError: It is not encoded as `read_text` knows.
        csv.Error: Its quotes do not end.
    """
    text = read_text(path)
    head = text.split("\n", 1)[0]
    separator = max(_SEPARATORS, key=head.count)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=separator, restval="")
    rows = []
    for row in reader:
        clean = {
            name.strip(): cell.strip()
            for name, cell in row.items()
            if isinstance(name, str) and isinstance(cell, str)
        }
        if any(clean.values()):
            rows.append(clean)
    return rows


def number_of(cell: str) -> float | None:
    """A cell's number, its decimal sign a point or a comma; None where there is none.

    Raises:
        ValueError: There is something else.
    """
    return None if cell.lower() in _ABSENT else float(cell.replace(",", "."))
