"""The `mic` command: one sub-command a job, each a thin layer over a function of the library."""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import signal
import sys
import threading
from collections.abc import Iterator, Sequence

from mic import extras
from mic.cli import comparison, data, evaluation, networks, notebooks, terminal, training, videos
from mic.errors import MicError
from mic.processes import cluster

_NO_ROOM = re.compile(
    "failed to map segment|(cannot|can't) allocate memory|bad_alloc", re.IGNORECASE
)


class _Ended(KeyboardInterrupt):
    """SIGTERM or SIGHUP, as a scheduler or a closed terminal sends them: ends as Ctrl-C does."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one sub-command.

    Returns:
        0 when everything went well, 1 on an error that the user can mend, 130 on Ctrl-C, 143 and
        129 when ended by SIGTERM and SIGHUP; argparse leaves with 2 on a wrong command line.
    """
    options = argparse.Namespace()
    try:
        with terminal.output(), _ending_as_interrupts():
            options = _parser().parse_args(arguments)
            with _cluster_of(options):
                status: int = options.command(options)
        return status
    except MicError as error:
        print(f"mic: {error}", file=sys.stderr)
    except BrokenPipeError:
        terminal.discard_output()  # `mic ... | head` closed it
    except ModuleNotFoundError as error:
        if (found := extras.missing(error)) is None:
            raise
        print(f"mic: {found}", file=sys.stderr)
    except (ImportError, MemoryError, RuntimeError) as error:
        # Libraries that find no room are said to be broken, and torch has no error of its own.
        if not isinstance(error, MemoryError) and not _NO_ROOM.search(str(error)):
            raise
        reason = f"not enough memory: {str(error) or 'no more was given'}"
        print(f"mic: {reason}. Remedy: free some, or raise the limit (ulimit -v)", file=sys.stderr)
    except KeyboardInterrupt as ending:
        more = "; the same command goes on from here" if "resumed" in options else ""
        print(f"mic: interrupted{more}", file=sys.stderr)
        return 128 + (ending.number if isinstance(ending, _Ended) else signal.SIGINT)
    return 1


@contextlib.contextmanager
def _ending_as_interrupts() -> Iterator[None]:
    """While SIGTERM and SIGHUP are raised as `_Ended`, where nobody has decided otherwise."""
    owner = os.getpid()

    def end(number: int, frame: object) -> None:
        if os.getpid() != owner:  # a forked worker ends as it would without us
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
            return
        raise _Ended(number)

    names = [name for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    numbers = [getattr(signal, name) for name in names]
    ours = threading.current_thread() is threading.main_thread()
    taken = [one for one in numbers if ours and signal.getsignal(one) == signal.SIG_DFL]
    for number in taken:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in taken:
            signal.signal(number, signal.SIG_DFL)


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
