"""What several commands share: where they work, and what they show meanwhile."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from mic.errors import StorageError


def add_scheduler(command: argparse.ArgumentParser) -> None:
    """Adds `--scheduler`, which `mic.cli.main` obeys."""
    command.add_argument(
        "--scheduler",
        default="",
        metavar="WHERE",
        help="cluster to work on: tcp://HOST:PORT, or local:N for N processes of a cluster here "
        "(needs the extra 'cluster'); default: MIC_SCHEDULER",
    )


def add_videos(command: argparse.ArgumentParser) -> None:
    """Adds the paths of videos."""
    command.add_argument("videos", nargs="+", type=_path, metavar="PATH", help="files or folders")


def _path(text: str) -> Path:
    """An unset variable of the shell is no path."""
    if not text:
        raise argparse.ArgumentTypeError("the path is empty; '.' is the current folder")
    return Path(text)


@contextmanager
def progress(name: str, *, unit: str) -> Iterator[Callable[[int, int], None] | None]:
    """A line on the terminal that says how far, how fast and how long still; else nothing.

    Args:
        name: What is worked on.
        unit: What is counted, in the plural.
    """
    if not sys.stderr.isatty():
        yield None
        return
    start = time.perf_counter()

    def show(done: int, total: int) -> None:
        seconds = max(1e-6, time.perf_counter() - start)
        left = (total - done) * seconds / max(1, done)
        line = f"{name}: {done}/{total} {unit}, {done / seconds:.3g}/s, {left:.0f} s left"
        width = os.get_terminal_size(sys.stderr.fileno()).columns - 1
        sys.stderr.write("\r\x1b[K" + line[: max(1, width)])
        sys.stderr.flush()

    yield show
    sys.stderr.write("\r\x1b[K")


class _Output(io.TextIOWrapper):
    """Standard output that says by a typed error that it takes no more."""

    def write(self, text: str) -> int:
        with _telling():
            return super().write(text)

    def flush(self) -> None:
        with _telling():
            super().flush()


@contextmanager
def _telling() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        discard_output()
        raise _unwritten(error.strerror or str(error)) from error


def _unwritten(reason: str) -> StorageError:
    return StorageError(
        f"cannot be written: {reason}",
        file="standard output",
        remedy="make room, or send it elsewhere",
    )


@contextmanager
def output() -> Iterator[None]:
    """While what cannot be printed is a `StorageError` or a `BrokenPipeError`, also at the end."""
    if sys.stderr is None:  # closed by whoever started us, as daemons do
        sys.stderr = io.TextIOWrapper(io.FileIO(os.devnull, "w"))
    before = sys.stdout
    for stream in (sys.stdout, sys.stderr):
        # Names of files may be no UTF-8; a terminal may be no UTF-8 either.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if not isinstance(before, io.TextIOWrapper):
        yield
        return
    ours = _Output(
        before.buffer,
        encoding=before.encoding,
        errors=before.errors,
        line_buffering=before.line_buffering,
        write_through=before.write_through,
    )
    sys.stdout = ours
    try:
        try:
            yield
        except SystemExit:  # of argparse, which has printed its help
            ours.flush()
            raise
        ours.flush()
    finally:
        sys.stdout = before
        with contextlib.suppress(OSError, StorageError):
            ours.detach()


def write(text: str) -> None:
    """Prints at once.

    Raises:
        StorageError: What the output is sent to takes no more, or is closed.
        BrokenPipeError: Nobody reads on.
    """
    if sys.stdout is None:
        raise _unwritten("it is closed")
    sys.stdout.write(text)
    sys.stdout.flush()


def discard_output() -> None:
    """Sends standard output nowhere: what is left would be tried again, and complain, at exit."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def clear() -> None:
    """Takes the line of `progress` off the terminal, before something else is printed."""
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()
