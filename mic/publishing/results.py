"""The published numbers: tables, figures and their provenance, written whole or not at all.

A notebook opens one `Run`, writes the tables and figures it declared, and completes it. Its
folder in `results/` has the notebook's name and holds NAME.csv, NAME.png and provenance.json.
Until the run is complete everything lies in a staging folder; `Run.complete` checks each output
against its schema and moves all of them into place under a journal, so that a crash leaves either
the old results or the new ones. A rerun replaces, never appends.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from PIL import Image

from mic.config import Profile, load
from mic.errors import ResultError
from mic.processes import owners
from mic.storage import atomic, provenance
from mic.storage.digest import sha256_of
from mic.storage.home import locked

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MARKER = "mic-complete:"
_JOURNAL = "journal.json"
_FORMER = "former.json"
_DECLARE = "declare it: for a notebook in mic.publishing.lesson.LESSONS, else in the call of Run"
_STAGING = ".staging-"
PROVENANCE = "provenance.json"
# A picture of fewer colours is a plot: lines, letters and what smooths their edges.
_PLOT_COLOURS = 4096


def folder_of(config: Profile, override: str = "", *, datasets: Sequence[str] = ()) -> Path:
    """Where a profile's results go.

    The default profile's are the published ones, in the repository's `results/`; the others get a
    folder of their own below it, which Git ignores, so that a quick run never replaces them. So
    do other settings of the default profile, `results/own/default-` and their digest, and each set
    of data that somebody gives: `results/own/ckplus+mmi-paper`.

    Args:
        config: The profile of the run.
        override: Another folder; empty for the rule above.
        datasets: What the run is given, `NAME` or `NAME=PATH` each; empty: generated data.

    Raises:
        ResultError: Results of given data or of other settings would replace those that are
            committed, or the folder is an address.
    """
    base = provenance.repository() / "results"
    usual = config.digest() == load("default").digest()
    if override:
        if "://" in override:
            raise ResultError(  # as a file it would be shown with one slash
                f"{override} is an address", remedy="give a folder of this machine"
            )
        try:
            folder = Path(override).expanduser()
        except RuntimeError as error:
            raise ResultError(
                f"names no home: {error}", file=override, remedy="write the folder's whole path"
            ) from error
        if (datasets or not usual) and folder.resolve() == base.resolve():
            what = "generated data" if datasets else "the default profile as it is"
            raise ResultError(
                f"holds the committed results, which are of {what}",
                file=override,
                remedy="choose another folder, or none: such results have one of their own",
            )
        return folder
    if datasets:
        names = "+".join(text.partition("=")[0] for text in datasets)
        return base / "own" / f"{names}-{config.name}"
    if config.name == "default":
        return base if usual else base / "own" / f"default-{config.digest()[:8]}"
    return base / config.name


@dataclasses.dataclass
class Run:
    """The outputs of one notebook.

    Args:
        notebook: The notebook's name without suffix, as `01_reencoding`.
        config: The profile it runs with.
        tables: Names of the tables it writes, all of them.
        figures: Names of the figures it writes, all of them.
        folder: Where results go; empty for `folder_of`.
        datasets: What the run is given; empty: generated data.
        show_people: Whether figures with pictures of people go into the results, too. Licences of
            the datasets allow that for few people or none: see the dataset's page.

    Raises:
        StorageError: The folder cannot be written.
        ResultError: See `folder_of`.
    """

    notebook: str
    config: Profile
    tables: Sequence[str] = ()
    figures: Sequence[str] = ()
    folder: str | Path = ""
    datasets: Sequence[str] = ()
    show_people: bool = False

    def __post_init__(self) -> None:
        self.folder = folder_of(self.config, str(self.folder), datasets=self.datasets)
        self.data: dict[str, str] = {}
        self.omitted: dict[str, str] = {}
        self._schemas: dict[str, dict[str, Any]] = {}
        with locked(self.folder / ".lock"):
            recover(self.folder)
        self._staging = self.folder / f"{_STAGING}{self.notebook}{owners.mark()}"
        shutil.rmtree(self._staging, ignore_errors=True)
        self._staged = self._staging / self.notebook

    def uses(self, name: str, digest: str) -> None:
        """Notes in the provenance that the run read the data `name` with this SHA-256."""
        self.data[name] = digest

    def caption(self, text: str, *sizes: str) -> str:
        """A caption that ends with what stands behind its table: sizes, seed and profile.

        Args:
            text: What the table shows: a sentence with its full stop.
            sizes: What was asked about, as `n 24` or `12 people`.
        """
        behind = (*sizes, f"seed {self.config.seed}", f"profile {self.config.name}")
        return f"{text} {'; '.join(behind)}."

    def table(
        self, frame: pd.DataFrame, name: str, *, caption: str, columns: Mapping[str, str]
    ) -> pd.DataFrame:
        """Stages a table as CSV.

        Args:
            frame: The table; its index is not written. Numbers stay numbers: an interval of
                `accuracy` is the columns `accuracy_low` and `accuracy_high`, its size `n`.
            name: One of the declared tables.
            caption: What the table shows, one sentence.
            columns: For each column, in order, what it means and its unit.

        Returns:
            The table as it will be read back; its `attrs` hold the caption and what the columns
            mean, which `mic.publishing.report.styled` shows.

        Raises:
            ResultError: Undeclared name, other columns than described, or an empty table.
        """
        if name not in self.tables:
            raise ResultError(
                f"table {name!r} is not declared", place=self.notebook, remedy=_DECLARE
            )
        if list(frame.columns) != list(columns):
            raise ResultError(
                f"table {name!r} has columns {list(frame.columns)}, described are {list(columns)}",
                place=self.notebook,
                remedy="describe each column, in order",
            )
        if frame.empty:
            raise ResultError(f"table {name!r} has no rows", place=self.notebook)
        text = frame.to_csv(index=False, float_format="%.6g", lineterminator="\n")
        back = pd.read_csv(io.StringIO(text))
        back.attrs |= {"caption": caption, "meanings": dict(columns)}
        self._schemas[name] = {
            "caption": caption,
            "columns": dict(columns),
            "types": {column: back[column].dtype.name for column in back},
            "rows": len(back),
        }
        atomic.write_text(self._staged / f"{name}.csv", text)
        return back

    def declare(self, *, tables: Sequence[str] = (), figures: Sequence[str] = ()) -> None:
        """Adds outputs that only the given data have, as a figure for each dataset."""
        self.tables = (*self.tables, *tables)
        self.figures = (*self.figures, *figures)

    def omit(self, *names: str, reason: str) -> None:
        """Takes back outputs that the given data cannot fill; the provenance says why.

        Raises:
            ResultError: One is not declared, or the run is on generated data, which fill all.
        """
        unknown = set(names) - {*self.tables, *self.figures}
        if unknown or not self.datasets:
            raise ResultError(
                f"cannot leave out {', '.join(sorted(unknown or names))}: {reason}",
                place=self.notebook,
                remedy="only declared outputs of a run on given data may be left out",
            )
        self.omitted |= dict.fromkeys(names, reason)

    def figure(self, figure: Figure, name: str, *, shows: str = "") -> None:
        """Stages a figure as PNG, without the metadata that would change from run to run.

        Args:
            figure: The figure.
            name: One of the declared figures.
            shows: The dataset whose people can be recognised in it; empty where nobody can, or
                only generated people. Without `show_people` the figure is neither written nor
                displayed.
        """
        if shows and not self.show_people:
            import matplotlib.pyplot as plt  # slow, and most runs show nobody

            plt.close(figure)  # or the notebook would display it
            self.omit(name, reason=f"shows people of {shows}; --show-people writes it")
            return
        if name not in self.figures:
            raise ResultError(
                f"figure {name!r} is not declared", place=self.notebook, remedy=_DECLARE
            )
        drawn = io.BytesIO()
        figure.savefig(drawn, format="png", metadata={"Software": None})
        with atomic.replacing(self._staged / f"{name}.png") as temporary:
            write_opaque(drawn, temporary)

    def read(self, name: str) -> pd.DataFrame:
        """A table that this run or an earlier notebook wrote; see `read_table`."""
        staged = self._staged / f"{name}.csv"
        return csv(staged) if staged.is_file() else read_table(name, folder=self.folder)

    def complete(self) -> None:
        """Checks all declared outputs, moves them into place and prints the completion marker.

        Raises:
            ResultError: A declared output is missing; nothing is moved.
        """
        tables = [name for name in self.tables if name not in self.omitted]
        figures = [name for name in self.figures if name not in self.omitted]
        wanted = {f"{name}.csv" for name in tables} | {f"{name}.png" for name in figures}
        found = {path.name for path in self._staged.glob("*")}
        if wanted - found:
            raise ResultError(
                f"declared but not written: {', '.join(sorted(wanted - found))}",
                place=self.notebook,
                remedy="write every declared table and figure before completing the run",
            )
        record = provenance.record(self.config, data=self.data)
        record["notebook"] = self.notebook
        record["tables"] = self._schemas
        if self.omitted:
            record["omitted"] = self.omitted
        record["outputs"] = {name: sha256_of(self._staged / name) for name in sorted(found)}
        text = json.dumps(record, indent=1, sort_keys=True) + "\n"
        atomic.write_text(self._staged / PROVENANCE, text)
        names = [f"{self.notebook}/{name}" for name in (*sorted(found), PROVENANCE)]
        with locked(self._staging.parent / ".lock"):
            # Pictures of people above all must not outlive the run that was to show them.
            former = self._former() - set(names)
            atomic.write_text(self._staging / _FORMER, json.dumps(sorted(former)))
            atomic.write_text(self._staging / _JOURNAL, json.dumps(names))
            _promote(self._staging)
        print(f"{MARKER} {self.notebook}: {len(tables)} tables, {len(figures)} figures")

    def _former(self) -> set[str]:
        """What the run before wrote, as its record says."""
        path = self._staging.parent / self.notebook / PROVENANCE
        try:
            outputs = provenance.read(path)["outputs"] if path.is_file() else {}
        except ResultError:  # which files it meant nobody can tell, and this run need not fail
            outputs = {}
        return {f"{self.notebook}/{name}" for name in outputs}


def write_opaque(drawn: io.BytesIO, path: Path) -> None:
    """Writes a PNG without its alpha channel, and a plot's few colours as a palette.

    Alpha says nothing and takes up to a fifth of a file, three bytes a sample for a handful of
    colours and their edges three fifths. Photographs keep all of their colours.
    """
    with Image.open(drawn) as picture:
        opaque = picture.convert("RGB")
        if opaque.getcolors(_PLOT_COLOURS):
            opaque = opaque.quantize(dither=Image.Dither.NONE)
        opaque.save(path, "PNG", optimize=True, dpi=picture.info["dpi"])


def note(folder: Path, notebook: str, facts: Mapping[str, object]) -> None:
    """Adds to a notebook's provenance what only its runner knows.

    Raises:
        ResultError: The notebook has no provenance record.
        StorageError: It cannot be written; the old one is untouched.
    """
    path = folder / notebook / PROVENANCE
    with locked(folder / ".lock"):
        record = provenance.read(path) | dict(facts)
        text = json.dumps(record, indent=1, sort_keys=True, default=repr)
        atomic.write_text(path, text + "\n")


def read_table(name: str, *, folder: str | Path) -> pd.DataFrame:
    """A published table, with the `attrs` that `Run.table` gives it.

    Raises:
        ResultError: It is not there, because the notebook that writes it has not run.
    """
    if any(Path(folder).glob(f"{_STAGING}*")):  # a folder at rest may be read-only
        with locked(Path(folder) / ".lock"):
            recover(Path(folder))
    path = table_path(name, folder=folder)
    if path is None:
        raise ResultError(
            f"there is no table {name!r}",
            file=folder,
            remedy="run the notebook that writes it: `mic run` runs all of them in order",
        )
    frame = csv(path)
    with contextlib.suppress(ResultError):  # its record says what it means, or cannot be read
        told = provenance.read(path.with_name(PROVENANCE))["tables"].get(name, {})
        frame.attrs |= {
            "caption": told.get("caption", ""),
            "meanings": told.get("columns", {}),
        }
    return frame


def csv(path: Path) -> pd.DataFrame:
    """A table of results.

    Raises:
        ResultError: It cannot be read, or is empty or no table.
    """
    try:
        return pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise ResultError(
            f"is no table: {error}",
            file=path,
            remedy="run what writes it again, or take it away",
        ) from error


def table_path(name: str, *, folder: str | Path) -> Path | None:
    """Where a table lies, whichever study wrote it; None if it is not there.

    Args:
        name: The table's; names are unique over all studies.
        folder: Of the results.
    """
    return next(iter(sorted(Path(folder).glob(f"*/{name}.csv"))), None)


def records(folder: str | Path) -> list[Path]:
    """The provenance records of a results folder, one a study, in the order of their names."""
    return sorted(Path(folder).glob(f"*/{PROVENANCE}"))


def recover(folder: Path) -> None:
    """Finishes a promotion that a crash interrupted and clears what dead runs left behind.

    The caller holds the folder's lock.
    """
    for staging in folder.glob(f"{_STAGING}*"):
        if (staging / _JOURNAL).is_file():
            _promote(staging)
        elif owners.abandoned(staging):
            shutil.rmtree(staging)


def _promote(staging: Path) -> None:
    # Each rename is atomic and repeatable; the journal goes last, so a crash in between is mended
    # by the next run, which comes here again through `recover`.
    for name in json.loads((staging / _JOURNAL).read_text(encoding="utf-8")):
        source, target = staging / name, staging.parent / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            source.replace(target)
    if (staging / _FORMER).is_file():
        for name in json.loads((staging / _FORMER).read_text(encoding="utf-8")):
            (staging.parent / name).unlink(missing_ok=True)
    shutil.rmtree(staging)
