"""One HTML page of all results: no script, no link to elsewhere, pictures inside."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from mic.errors import ResultError
from mic.publishing import reliability, results
from mic.publishing.report import html_table
from mic.storage import atomic, provenance
from mic.storage.digest import sha256_of


@dataclass(frozen=True)
class Report:
    """What a page holds.

    Attributes:
        path: The page.
        notebooks: Notebooks whose results it shows.
        tables: Number of tables.
        figures: Number of figures.
        changed: Outputs that are not, byte for byte, what their notebook wrote.
    """

    path: Path
    notebooks: tuple[str, ...]
    tables: int
    figures: int
    changed: tuple[str, ...]


def page(folder: str | Path, target: str | Path) -> Report:
    """Writes the page, atomically, the same bytes for the same results.

    Args:
        folder: Of the results, a folder a study in it.
        target: The HTML file.

    Raises:
        ResultError: There are no results, a provenance record is damaged, or an output is gone.
        StorageError: The page cannot be written.
    """
    folder = Path(folder)
    records = [provenance.read(path) for path in results.records(folder)]
    if not records:
        raise ResultError(
            "holds no results", file=folder, remedy="run the notebooks first: `mic run`"
        )
    changed = [name for record in records for name in _changed(folder, record)]
    sections = [_section(folder, record, changed) for record in records]
    sections += _campaigns(folder / "reliability.csv")
    atomic.write_text(target, _document(records, sections, changed))
    outputs = [name for record in records for name in record["outputs"]]
    return Report(
        path=Path(target),
        notebooks=tuple(record["notebook"] for record in records),
        tables=sum(name.endswith(".csv") for name in outputs),
        figures=sum(name.endswith(".png") for name in outputs),
        changed=tuple(changed),
    )


def _changed(folder: Path, record: dict[str, Any]) -> Iterable[str]:
    for name, digest in record["outputs"].items():
        path = folder / record["notebook"] / name
        if not path.is_file():
            raise ResultError(
                f"{record['notebook']} wrote it, but it is gone",
                file=path,
                remedy="run the notebook again: `mic run --only ... --force`",
            )
        if sha256_of(path) != digest:
            yield f"{record['notebook']}/{name}"


# ------------------------------------------------------------------------------------- HTML


def _document(records: list[dict[str, Any]], sections: list[str], changed: list[str]) -> str:
    package = resources.files("mic.publishing.report")
    style = package.joinpath("page.css").read_text(encoding="utf-8")
    links = "".join(
        f'<li><a href="#{_text(r["notebook"])}">{_text(_title(r["notebook"]))}</a></li>'
        for r in records
    )
    if len(sections) > len(records):
        links += '<li><a href="#campaigns">Campaigns</a></li>'
    warning = (
        f'<p class="warning" role="note"><strong>{len(changed)} outputs were changed after their '
        f"notebook wrote them:</strong> {_text(', '.join(changed))}</p>"
        if changed
        else ""
    )
    commits = sorted({record["commit"] for record in records})
    devices = sorted({record["device"]["processor"] for record in records})
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">\n"
        f"<title>mic · results</title>\n<style>\n{style}</style>\n</head>\n<body>\n"
        "<header><h1>Facial expression from the compressed stream: results</h1>\n"
        f"<p>Commit {_text(', '.join(c[:12] for c in commits))} · {_text(', '.join(devices))}. "
        "Every number was written by the notebook named above it.</p></header>\n"
        f'<nav aria-label="Sections"><ol>{links}</ol></nav>\n{warning}<main>\n'
        + "\n".join(sections)
        + "\n</main>\n</body>\n</html>\n"
    )


def _section(folder: Path, record: dict[str, Any], changed: list[str]) -> str:
    name = record["notebook"]
    study = folder / name
    tables = [_table(study, key, schema) for key, schema in sorted(record["tables"].items())]
    figures = [
        _figure(study / output) for output in sorted(record["outputs"]) if output.endswith(".png")
    ]
    mine = {f"{name}/{output}" for output in record["outputs"]}
    mark = " <em>(changed since)</em>" if mine & set(changed) else ""
    return (
        f'<section id="{_text(name)}" aria-labelledby="{_text(name)}-title">\n'
        f'<h2 id="{_text(name)}-title">{_text(_title(name))}{mark}</h2>\n'
        + "\n".join([*tables, *figures, _provenance(record)])
        + "\n</section>"
    )


def _campaigns(record: Path) -> list[str]:
    if not record.is_file():
        return []
    return [
        '<section id="campaigns" aria-labelledby="campaigns-title">\n'
        '<h2 id="campaigns-title">What the long campaigns ran</h2>\n'
        '<div class="table" tabindex="0" role="region" aria-label="campaigns"><table>\n'
        "<caption>Written by the campaigns themselves (make test-long).</caption>\n"
        f"{html_table.body(reliability.table(record))}</table></div>\n</section>"
    ]


def _table(study: Path, name: str, schema: dict[str, Any]) -> str:
    frame = results.csv(study / f"{name}.csv")
    meanings = "".join(
        f"<dt>{_text(column)}</dt><dd>{_text(meaning)}</dd>"
        for column, meaning in schema["columns"].items()
    )
    return (
        f'<div class="table" tabindex="0" role="region" aria-label="{_text(name)}"><table>\n'
        f"<caption><code>{_text(name)}</code> {_text(schema['caption'])}</caption>\n"
        f"{html_table.body(frame, meanings=schema['columns'])}</table></div>\n"
        f"<details><summary>Columns of {_text(name)}</summary><dl>{meanings}</dl></details>"
    )


def _figure(path: Path) -> str:
    data = base64.b64encode(path.read_bytes()).decode()
    name = _text(path.stem.replace("_", " "))
    return (
        f'<figure><img src="data:image/png;base64,{data}" alt="{name}" loading="lazy">'
        f"<figcaption>{name}</figcaption></figure>"
    )


def _provenance(record: dict[str, Any]) -> str:
    shown = {key: record[key] for key in ("config", "data", "versions", "device") if key in record}
    text = json.dumps(shown, indent=1, sort_keys=True)
    return (
        f"<details><summary>Provenance: commit {_text(record['commit'][:12])}, profile "
        f"{_text(record['config'].get('name', ''))}</summary><pre>{_text(text)}</pre></details>"
    )


def _title(notebook: str) -> str:
    number, _, name = notebook.partition("_")
    return f"{number} · {name.replace('_', ' ')}"


def _text(value: object) -> str:
    return html.escape(str(value))
