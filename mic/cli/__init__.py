"""The `mic` command: one sub-command a job, each a thin layer over a function of the library."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import sys
from collections.abc import Iterator, Sequence

from mic import extras
from mic.cli import comparison, data, evaluation, networks, notebooks, training, videos
from mic.errors import MicError
from mic.processes import cluster


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one sub-command.

    Returns:
        0 when everything went well, 1 on an error that the user can mend, 130 on Ctrl-C;
        argparse leaves with 2 on a wrong command line.
    """
    options = _parser().parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):
        # Names of files may be no UTF-8; a terminal may be no UTF-8 either.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        with _cluster_of(options):
            status: int = options.command(options)
            return status
    except MicError as error:
        print(f"mic: {error}", file=sys.stderr)
        return 1
    except ModuleNotFoundError as error:
        if (found := extras.missing(error)) is None:
            raise
        print(f"mic: {found}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        more = "; the same command goes on from here" if "resumed" in options else ""
        print(f"mic: interrupted{more}", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # `mic ... | head` closed our standard output; Python would complain again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


@contextlib.contextmanager
def _cluster_of(options: argparse.Namespace) -> Iterator[None]:
    """The cluster that a command shall work on, if it can."""
    if not hasattr(options, "scheduler"):
        yield
        return
    with cluster.started(options.scheduler) as found:
        if found:
            print(f"mic: {found}", file=sys.stderr)
        yield


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="mic", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for module in (notebooks, comparison, data, videos, evaluation, training, networks):
        module.add_commands(commands)
    return parser
