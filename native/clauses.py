"""The map from clauses of ISO/IEC 14496-2 to functions, taken from the comments of the sources.

Usage: clauses.py   (rewrites the marked part of native/README.md)

Each function opens with `/// <clause>: <what it does>`; this collects those lines.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
README = HERE / "README.md"
_COMMENT = re.compile(
    r"^[ ]*/// (?P<clause>(?:[4-7](?:\.\d+)+|Annex [A-Z](?:\.\d+)*|Tables? [\w.-]+)"
    r"(?:(?:,| and| to|, then| block\(\),) (?:\d[\d.]*\d|Tables? [\w.-]+|[A-Z]\.\d+))*)\W",
)
_NAME = re.compile(r"(?P<name>[A-Za-z_]\w*)\s*(?:\(|\{|;|=)")
_ENUM = re.compile(r"enum (?:class )?(?P<name>\w+)")
_BLOCK = re.compile(r"(?s)(<!-- clauses -->\n).*?(<!-- end of clauses -->)")


def functions() -> list[tuple[str, str, str]]:
    """(clause, name, file) of every commented declaration, in the order of clauses."""
    found = []
    for path in sorted([*HERE.glob("*.hpp"), *HERE.glob("*.cpp")]):
        lines = path.read_text().splitlines()
        for number, line in enumerate(lines):
            match = _COMMENT.match(line)
            name = _declared(lines, number) if match else None
            if match and name:
                found.append((match["clause"], name, path.name))
    return sorted(set(found), key=lambda row: (_order(row[0]), row[2], row[1]))


def _declared(lines: list[str], number: int) -> str | None:
    """The name that the declaration under a comment introduces; None for a file's own comment."""
    for line in lines[number + 1 : number + 9]:
        text = line.strip()
        if text.startswith(("///", "template", "[[", "//")) and "(" not in text.split("]]")[-1]:
            continue
        if text.startswith(("///", "#")) or not text:
            if text.startswith("///"):
                continue
            return None
        match = _ENUM.match(text) or _NAME.search(
            re.sub(r"\[\[.*?\]\]|template <[^>]*>", "", text)
        )
        if match:
            return match["name"]
    return None


def _order(clause: str) -> tuple:
    numbers = [int(part) for part in re.findall(r"\d+", clause.split(",")[0])]
    return (not clause[0].isdigit(), clause.split(" ")[0], numbers)


def table() -> str:
    """The map as Markdown."""
    rows = ["| clause | function or table | file |", "| --- | --- | --- |"]
    rows += [f"| {clause} | `{name}` | {file} |" for clause, name, file in functions()]
    return "\n".join(rows)


def filled(text: str) -> str:
    """The README with the map as the sources have it now."""
    return _BLOCK.sub(lambda match: f"{match[1]}\n{table()}\n\n{match[2]}", text)


if __name__ == "__main__":
    README.write_text(filled(README.read_text()))
    sys.exit(0)
