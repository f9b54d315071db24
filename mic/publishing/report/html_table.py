"""One table of results as HTML: in the page of `mic report`, and in a notebook.

pandas' Styler would write the tags only, and wants jinja2: which columns stand side by side and
which intervals behind their values `layout` says, for LaTeX and Markdown too.
"""

from __future__ import annotations

import html
from collections.abc import Mapping

import pandas as pd
from IPython.display import HTML

from mic.publishing.report import layout


def styled(frame: pd.DataFrame, *, caption: str = "") -> HTML:
    """A table as the paper prints it, for a notebook: published columns beside ours.

    Pointing at a title shows what its column means, where `results.Run.table` wrote the table.

    Args:
        frame: The table; see `mic.publishing.report.layout` for what becomes of its columns.
        caption: Above it; empty: the frame's own, where `results.Run.table` wrote it.
    """
    caption = caption or frame.attrs.get("caption", "")
    head = f"<caption>{html.escape(caption)}</caption>" if caption else ""
    return HTML(f"<table>{head}{body(frame, meanings=frame.attrs.get('meanings'))}</table>")


def body(frame: pd.DataFrame, *, meanings: Mapping[str, str] | None = None) -> str:
    """Head and rows, without the `table` element around them.

    Args:
        frame: The table.
        meanings: What a column means, shown when one points at its title.
    """
    shown = layout.columns(frame)
    meanings = meanings or {}
    titles = "".join(
        f'<th scope="col"{_kind(column)}{_hint(meanings.get(column.name, ""))}>'
        f"{html.escape(column.title)}</th>"
        for column in shown
    )
    rows = "\n".join(
        "<tr>" + "".join(_cell(column, number) for column in shown) + "</tr>"
        for number in range(len(frame))
    )
    return f"<thead>{_groups(shown)}<tr>{titles}</tr></thead>\n<tbody>\n{rows}\n</tbody>"


def _groups(shown: list[layout.Column]) -> str:
    cells = "".join(
        f'<th colspan="{count}" scope="colgroup" class="group">{heading}</th>'
        if heading
        else f'<td colspan="{count}"></td>'
        for heading, count in layout.groups(shown)
    )
    return f"<tr>{cells}</tr>" if cells else ""


def _cell(column: layout.Column, number: int) -> str:
    value, interval = column.cells[number]
    behind = f" <small>{interval}</small>" if interval else ""
    return f"<td{_kind(column)}>{html.escape(value)}{behind}</td>"


def _kind(column: layout.Column) -> str:
    names = [
        name
        for name, holds in (("number", column.numeric), ("published", column.published))
        if holds
    ]
    # A notebook has no style sheet of ours, and GitHub drops the attribute without harm.
    return f' class="{" ".join(names)}" style="text-align: right"' if names else ""


def _hint(text: str) -> str:
    return f' title="{html.escape(text)}"' if text else ""
