"""What several commands share: where they work, and what they show meanwhile."""

from __future__ import annotations

import argparse
import contextlib
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


def write(text: str) -> None:
    """Prints at once.

    Raises:
        StorageError: What the output is sent to takes no more.
        BrokenPipeError: Nobody reads on.
    """
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        # What is left of it would be tried again, and complained about, at exit.
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise StorageError(
            f"cannot be written: {error.strerror}",
            file="standard output",
            remedy="make room, or send it elsewhere",
        ) from error


def clear() -> None:
    """Takes the line of `progress` off the terminal, before something else is printed."""
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()
