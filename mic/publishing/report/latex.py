r"""Tables as LaTeX, as the paper sets them: rules above, below and under the head (booktabs).

\usepackage{booktabs}
\input{tables/comparison_ck.tex}
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from mic.errors import ResultError
from mic.publishing import results
from mic.publishing.report import layout
from mic.storage import atomic, provenance

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    # What a font of LaTeX may lack.
    "Î": r"\^{I}",
    "×": r"$\times$",
    "±": r"$\pm$",
    "−": "$-$",
    "→": r"$\to$",
}


def export(folder: str | Path, target: str | Path) -> list[Path]:
    """Writes every table of the results as `NAME.tex`.

    Args:
        folder: Of the results.
        target: Folder of the LaTeX files.

    Returns:
        The files.

    Raises:
        ResultError: There are no results, a table is gone, or a provenance record is damaged.
        StorageError: The target cannot be written.
    """
    made = []
    for path in results.records(folder):
        for name, schema in sorted(provenance.read(path)["tables"].items()):
            place = path.parent / f"{name}.csv"
            if not place.is_file():
                raise ResultError(
                    "is in the record and not there", file=place, remedy="run the notebook again"
                )
            frame = pd.read_csv(place)
            made.append(Path(target) / f"{name}.tex")
            atomic.write_text(made[-1], table(frame, name=name, caption=schema["caption"]))
    if not made:
        raise ResultError(
            "holds no results", file=folder, remedy="run the notebooks first: `mic run`"
        )
    return made


def table(frame: pd.DataFrame, *, name: str, caption: str) -> str:
    r"""One table as a `table` environment, with the label `tab:NAME`.

    Args:
        frame: The table; see `mic.publishing.report.layout` for what becomes of its columns.
        name: For the label.
        caption: Above it.
    """
    shown = layout.columns(frame)
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{escaped(caption)}}}",
        rf"\label{{tab:{name}}}",
        rf"\begin{{tabular}}{{{''.join('r' if column.numeric else 'l' for column in shown)}}}",
        r"\toprule",
        *_heads(shown),
        _row([escaped(column.title) for column in shown]),
        r"\midrule",
        *(
            _row([_cell(*cell) for cell in row])
            for row in zip(*(c.cells for c in shown), strict=True)
        ),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def escaped(text: str) -> str:
    """Text that LaTeX sets as it stands."""
    return "".join(_SPECIAL.get(letter, letter) for letter in text)


def _heads(shown: list[layout.Column]) -> list[str]:
    cells, rules, first = [], [], 1
    for heading, count in layout.groups(shown):
        cells.append(rf"\multicolumn{{{count}}}{{c}}{{{heading}}}")
        if heading:
            rules.append(rf"\cmidrule(lr){{{first}-{first + count - 1}}}")
        first += count
    return [_row(cells), "".join(rules)] if cells else []


def _cell(value: str, interval: str) -> str:
    return rf"{escaped(value)} {{\small {interval}}}" if interval else escaped(value)


def _row(cells: Sequence[str]) -> str:
    return " & ".join(cells) + r" \\"
