"""Runs the notebooks in order, so that whatever goes wrong ends the run and spoils nothing.

papermill alone lets several faults pass: a mistyped parameter is logged, a kernel that is killed
or leaves by `sys.exit` counts as success, a crash or a full disk destroys the previous output.
Here parameters are checked first, the executed copy is examined cell by cell and must end with
the completion marker that `mic.publishing.results.Run.complete` prints, and only then replaces
the old one.
"""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import importlib
import json
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import TextIO

import nbformat

from mic.config import Profile
from mic.errors import ConfigError, MicError, NotebookError, ResultError, StorageError
from mic.processes import owners
from mic.publishing import declared, lesson, results, run_times
from mic.publishing.results import PROVENANCE
from mic.storage import atomic, provenance
from mic.storage.digest import sha256_of


def find(folder: str | Path, only: Iterable[str] = ()) -> list[Path]:
    """The notebooks of a folder in the order of their numbers.

    Args:
        folder: Holds files named `NN_name.ipynb`.
        only: Prefixes (`02`) or whole names to choose; all by default.

    Raises:
        ConfigError: An element of `only` matches no notebook.
    """
    every = sorted(Path(folder).glob("[0-9][0-9]_*.ipynb"))
    if not every:
        raise ConfigError("no notebooks", file=folder, remedy="run from a checkout")
    chosen: set[Path] = set()
    for prefix in only:
        matching = [path for path in every if path.stem.startswith(prefix)]
        if not matching:
            known = ", ".join(path.stem for path in every)
            raise ConfigError(f"no notebook {prefix!r}", file=folder, remedy=f"known: {known}")
        chosen.update(matching)
    return [path for path in every if path in chosen] if chosen else every


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How one notebook ended.

    Attributes:
        name: The notebook's name without suffix.
        ran: False when nothing had changed since its last complete run.
        cells: Code cells that ran.
        seconds: Wall-clock time, of the earlier run when this one was skipped.
    """

    name: str
    ran: bool
    cells: int
    seconds: float


class Runner:
    """Runs notebooks of one folder into one results folder with one profile.

    Args:
        notebooks: Folder of the notebooks.
        config: The profile.
        folder: Where results go; empty for the profile's own.
        parameters: Further notebook parameters; each notebook must declare all of them.
        force: Run also what has not changed.
        in_place: Write the executed notebooks back, cleaned, with their run time.
        datasets: What the notebooks are given, `NAME` or `NAME=PATH` each; their own otherwise.
        digests: SHA-256 of their manifests by name: what has changed is run again.
        show_people: See `mic.publishing.results.Run`.
        progress: Where progress lines go; a terminal gets a live line.
    """

    def __init__(
        self,
        notebooks: str | Path,
        config: Profile,
        *,
        folder: str | Path = "",
        parameters: Mapping[str, object] | None = None,
        force: bool = False,
        in_place: bool = False,
        datasets: Sequence[str] = (),
        digests: Mapping[str, str] | None = None,
        show_people: bool = False,
        progress: TextIO = sys.stderr,
    ) -> None:
        self.notebooks = Path(notebooks)
        self.config = config
        self.folder = results.folder_of(config, str(folder), datasets=datasets).resolve()
        self.parameters = dict(parameters or {}) | {"profile": config.name}
        for name in lesson.FILES:  # notebooks run in another folder
            if Path(str(self.parameters.get(name, ""))).is_file():
                self.parameters[name] = str(Path(str(self.parameters[name])).resolve())
        if datasets:
            self.parameters |= {"datasets": list(datasets), "show_people": show_people}
        if folder:
            self.parameters["results_folder"] = str(self.folder)
        self.digests = dict(digests or {})
        names = (text.partition("=")[0] for text in datasets)
        self.data = self.digests or dict.fromkeys(names, "")
        self.force = force
        self.in_place = in_place
        self.progress = progress
        self.empty_store = run_times.store_is_empty()

    def run(self, only: Iterable[str] = ()) -> list[Outcome]:
        """Runs the chosen notebooks in order and stops at the first that fails.

        Raises:
            NotebookError: A notebook failed; it and its place are named, the copy as far as it
                ran is kept beside the executed ones as `NN_name.failed.ipynb`.
            StorageError: The disk is full; earlier outputs are whole.
        """
        paths = find(self.notebooks, only)
        for path in paths:
            declared.check_parameters(path, self.parameters.keys())
        self._check_inputs(paths)
        # Looks for fonts where it never ran, and says so on stderr: in a kernel that is an error.
        importlib.import_module("matplotlib.font_manager")
        return [self._run_one(path) for path in paths]

    def expected(self, only: Iterable[str] = ()) -> list[run_times.Expected]:
        """How long the chosen notebooks will take, if they change; raises what `run` refuses."""
        paths = find(self.notebooks, only)
        for path in paths:
            declared.check_parameters(path, self.parameters.keys())
        if not self.force:
            paths = [
                p
                for p in paths
                if not self._unchanged(stamp_of(self.folder, p.stem), self._key(p))
            ]
        return run_times.expected(paths, self.config, data=self.data)

    def _check_inputs(self, paths: Sequence[Path]) -> None:
        """Refuses a notebook that reads another's table before hours are spent without it."""
        writers = {
            name: path for path in find(self.notebooks) for name in declared.output_names(path)
        }
        made: set[str] = set()
        for path in paths:
            for name in declared.input_names(path):
                writer = writers.get(name, path)
                there = name in made or results.table_path(name, folder=self.folder) is not None
                if writer != path and not there:
                    raise NotebookError(
                        f"reads the table {name}, which is not in {self.folder}",
                        file=path,
                        remedy=f"run {writer.stem} as well, or before",
                    )
            made |= set(declared.output_names(path))

    def _run_one(self, path: Path) -> Outcome:
        stamp = stamp_of(self.folder, path.stem)
        key = self._key(path)
        if not self.force and (done := self._unchanged(stamp, key)):
            self._say(f"{path.stem}: unchanged, {done.cells} cells took {done.seconds:.0f} s")
            return done
        start = time.monotonic()
        executed = self._execute(path)
        seconds = time.monotonic() - start
        cells = sum(cell.cell_type == "code" for cell in executed.cells)
        given = {k: v for k, v in self.parameters.items() if k != "results_folder"}
        facts = {
            "parameters": given,
            "source": declared.source_digest(path),
            "inputs": declared.inputs(path, self.folder, self.parameters),
        }
        results.note(self.folder, path.stem, facts)
        clean = cleaned(executed)
        first = clean.cells[0]
        first.source = run_times.written(
            first.source, seconds, profile=self.config.name, empty=self.empty_store
        )
        atomic.write_text(self.folder / "notebooks" / path.name, nbformat.writes(clean) + "\n")
        if self.in_place:
            atomic.write_text(path, nbformat.writes(clean) + "\n")
            key = self._key(path)
        run_times.note(path.stem, self.config, self.data, seconds, empty=self.empty_store)
        vouched = sha256_of(self.folder / path.stem / PROVENANCE)
        record = {"key": key, "outputs": vouched, "cells": cells, "seconds": round(seconds, 1)}
        atomic.write_text(stamp, json.dumps(record, indent=1) + "\n")
        self._say(f"{path.stem}: {cells} cells in {seconds:.0f} s")
        return Outcome(path.stem, ran=True, cells=cells, seconds=seconds)

    def _execute(self, path: Path) -> nbformat.NotebookNode:
        import papermill
        from papermill.exceptions import PapermillExecutionError

        total = sum(cell.cell_type == "code" for cell in nbformat.read(path, 4).cells)
        started = time.monotonic()

        def tell(*, cell_index: int, **_: object) -> None:
            if self.progress.isatty():
                spent = time.monotonic() - started
                line = f"{path.stem}: cell {cell_index + 1}, {total} of code, {spent:.0f} s"
                print(f"\r\033[K{line}", end="", file=self.progress, flush=True)

        folder = self.folder / "notebooks"
        failed = folder / f"{path.stem}.failed.ipynb"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _clear_left_over(folder)
            # papermill writes this file after every cell: a crash may spoil it, and only it.
            draft = folder / f".{path.stem}{owners.mark()}.ipynb"
            papermill.execute_notebook(
                str(path),
                str(draft),
                parameters=self.parameters,
                progress_bar=False,
                cwd=str(path.parent),
                on_cell_executed=tell,
                # The kernel warns at each start that loopback traffic is not encrypted.
                extra_arguments=["--IPKernelApp.log_level=CRITICAL"],
                # What a notebook wrote is whole before its marker: nothing to wait seconds for.
                shutdown_kernel="immediate",
            )
            executed: nbformat.NotebookNode = nbformat.read(draft, 4)
            check_executed(executed, path)
        except (PapermillExecutionError, NotebookError) as error:
            if draft.is_file():
                draft.replace(failed)
            if isinstance(error, NotebookError):
                raise
            raise NotebookError(
                f"{error.ename}: {error.evalue}",
                file=path,
                place=f"cell {error.cell_index + 1}",
                remedy=f"see {failed}",
            ) from error
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            remedy = "free some disk space" if full else "name a folder that can be written"
            raise StorageError(
                f"cannot run: {error.strerror or error}",
                file=error.filename or path,
                remedy=f"{remedy} and run the same command again",
            ) from error
        except MicError:
            raise
        except Exception as error:  # nbclient and jupyter_client raise a dozen unrelated types
            raise NotebookError(
                f"the kernel failed: {type(error).__name__}: {error}",
                file=path,
                remedy="run the notebook in JupyterLab to see where; memory may be short",
            ) from error
        failed.unlink(missing_ok=True)
        draft.unlink()
        return executed

    def _key(self, path: Path) -> str:
        """Changes with whatever the notebook's outputs depend on."""
        parts = [
            declared.source_digest(path),
            declared.inputs(path, self.folder, self.parameters),
            provenance.code_digest(),
            self.config.digest(),
            {name: repr(value) for name, value in sorted(self.parameters.items())},
            self.digests,
        ]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def _unchanged(self, stamp: Path, key: str) -> Outcome | None:
        record_path = self.folder / stamp.stem / PROVENANCE
        if not (stamp.is_file() and record_path.is_file()):
            return None
        try:
            record = json.loads(stamp.read_text(encoding="utf-8"))
            outputs = provenance.read(record_path)["outputs"]
            found = Outcome(stamp.stem, False, record["cells"], record["seconds"])
            # A run of another program, JupyterLab for instance, replaces outputs and record.
            same = record["key"] == key and record["outputs"] == sha256_of(record_path)
        except (ValueError, KeyError, TypeError, ResultError):  # damaged: the notebook runs again
            return None
        files = {record_path.parent / name: digest for name, digest in outputs.items()}
        whole = all(one.is_file() and sha256_of(one) == digest for one, digest in files.items())
        return found if same and whole else None

    def _say(self, line: str) -> None:
        clear = "\r\033[K" if self.progress.isatty() else ""
        print(f"{clear}{line}", file=self.progress, flush=True)


def stamp_of(folder: Path, notebook: str) -> Path:
    """The mark of a notebook that `mic run` has run into a results folder."""
    return folder / "notebooks" / f"{notebook}.json"


def check_executed(notebook: nbformat.NotebookNode, path: Path) -> None:
    """Refuses an executed notebook that did not run whole.

    Args:
        notebook: The executed copy.
        path: Where it came from, for the error.

    Raises:
        NotebookError: A cell did not run, wrote to stderr or failed, or the marker is missing.
    """
    count = 0
    text = ""
    for index, cell in enumerate(notebook.cells):
        if cell.cell_type != "code" or not cell.source.strip():
            continue
        count += 1
        place = f"cell {index + 1}"
        if cell.execution_count != count:
            raise NotebookError(
                "the cell did not run: the kernel died or left before it",
                file=path,
                place=place,
                remedy="look for sys.exit, a crash in native code, or too little memory",
            )
        for output in cell.outputs:
            if output.output_type == "error":
                # papermill lets SystemExit pass as a success.
                raise NotebookError(
                    f"{output.ename}: {output.evalue}",
                    file=path,
                    place=place,
                    remedy="a notebook must run to its last cell",
                )
        streams = [output for output in cell.outputs if output.output_type == "stream"]
        for output in streams:
            if output.name == "stderr":
                raise NotebookError(
                    f"wrote to stderr: {output.text.strip()[:200]!r}",
                    file=path,
                    place=place,
                    remedy="mend the cause of the warning; progress bars belong on a terminal",
                )
        text = "".join(output.text for output in streams)
    if f"{results.MARKER} {path.stem}:" not in text:
        raise NotebookError(
            "the completion marker is missing",
            file=path,
            place="last cell",
            remedy="the last cell must call `complete()` on the notebook's Run",
        )


def cleaned(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """An executed notebook as it is committed: no injected cell, no timings in its metadata.

    Args:
        notebook: As papermill left it.
    """
    made = deepcopy(notebook)
    made.cells = [
        cell for cell in made.cells if "injected-parameters" not in cell.metadata.get("tags", [])
    ]
    count = 0
    for cell in made.cells:
        tags = cell.metadata.get("tags", [])
        cell.metadata = nbformat.from_dict({"tags": tags} if tags else {})
        if cell.cell_type == "code":
            count += 1
            cell.execution_count = count
            for output in cell.outputs:
                if output.output_type == "execute_result":
                    output.execution_count = count
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    made.metadata = nbformat.from_dict({"kernelspec": kernel, "language_info": {"name": "python"}})
    return made


def _clear_left_over(folder: Path) -> None:
    for draft in folder.glob(".[0-9][0-9]_*-*.ipynb"):
        if owners.abandoned(draft):
            draft.unlink(missing_ok=True)
