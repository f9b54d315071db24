"""What happens to a task on a worker: the same code and folders are made sure of, then it runs."""

from __future__ import annotations

import functools
import os
import socket
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mic.errors import ClusterError, MicError
from mic.storage import provenance

# Random generators, thread counts and environment belong to the process, so a task has it alone.
_ALONE = threading.Lock()


@dataclass(frozen=True, kw_only=True)
class Order:
    """What a run asks of each worker.

    Attributes:
        home: Its `MIC_HOME`.
        folder: Its working folder.
        code: Its `provenance.code_digest`.
        versions: Its `provenance.versions`, sorted.
        beacons: Files that exist while it lasts, one in each folder that tasks write to.
    """

    home: str
    folder: str
    code: str
    versions: tuple[tuple[str, str], ...]
    beacons: tuple[str, ...]


@dataclass(frozen=True)
class Raised:
    """What a function raised, as a value."""

    error: BaseException


def perform(order: Order, function: Callable[..., Any], *arguments: Any) -> Any:
    """What a function returns, or what it raised as `Raised`."""
    with _ALONE:
        try:
            _check(order)
            os.environ["MIC_HOME"] = order.home
            # Relative paths mean what they mean to the run; where its folder does not exist they
            # shall lead nowhere.
            os.chdir(order.folder if Path(order.folder).is_dir() else "/")
            # A stage inside a task runs in the task, not on the cluster that waits for it.
            os.environ.pop("MIC_SCHEDULER", None)
            return function(*arguments)
        except MicError as error:
            return Raised(error)
        except Exception as error:
            error.add_note(f"on {socket.gethostname()}:\n{traceback.format_exc()}")
            return Raised(error)


def itself(argument: Any) -> Any:
    """The argument."""
    return argument


@functools.lru_cache(maxsize=64)  # an exception is not remembered
def _check(order: Order) -> None:
    """Refuses to work beside a run of other code or on other folders.

    Raises:
        ClusterError: This worker would store other values, or store them elsewhere.
    """
    here = socket.gethostname()
    versions = tuple(sorted(provenance.versions().items()))
    other = [name for name, _ in set(versions) ^ set(order.versions)]
    if provenance.code_digest() != order.code:
        other.append("mic's code")
    if other:
        raise ClusterError(
            f"runs with another {', '.join(sorted(set(other)))} than the run that sends tasks",
            place=f"worker on {here}",
            remedy="install the same checkout with the same lock everywhere and start the workers "
            "again",
        )
    for beacon in order.beacons:
        if not Path(beacon).is_file():
            raise ClusterError(
                "is not the same folder on a worker",
                file=Path(beacon).parent,
                place=f"worker on {here}",
                remedy="put it (MIC_HOME, or the target) on a file system that all machines "
                "mount at the same path",
            )
