"""The grid and the stages over videos on a dask.distributed cluster; recipes in its README.md.

    with cluster.started("tcp://head:8786"):        # what `mic run --scheduler ...` does
        ...                                         # sets MIC_SCHEDULER for this process and its
                                                    # children, notebook kernels among them
    with cluster.connected() as executor:           # what the stages do; None without a scheduler
        future = executor.submit(function, task)

The scheduler distributes and nothing else: a task is a function of its description, what it makes
goes into the shared folders by the same atomic writes as ever, and so the bytes do not depend on
where it ran or on how many workers died meanwhile. `distributed` is an optional dependency.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import re
import types
from collections.abc import Iterator
from concurrent.futures import Executor
from pathlib import Path

from mic import extras
from mic.config import usable_cores
from mic.errors import ConfigError

# Names the scheduler of this process and of all that it starts.
VARIABLE = "MIC_SCHEDULER"


@contextlib.contextmanager
def started(where: str) -> Iterator[str]:
    """Names the cluster that the stages use while the context lasts.

    Args:
        where: `tcp://HOST:PORT` or `tls://HOST:PORT` of a scheduler that runs; `local` or
            `local:N` for N worker processes of this machine (one a core), which end with the
            context; empty for what `MIC_SCHEDULER` says already.

    Yields:
        The cluster in words; empty without one.

    Raises:
        ConfigError: `where` is none of these.
        ClusterError: Nobody answers there.
        ExtraError: `distributed` is not installed.
    """
    local = re.fullmatch(r"local(?::([1-9][0-9]{0,3}))?", where)
    if where and not local and not re.fullmatch(r"(tcp|tls)://\S+:[0-9]+", where):
        raise ConfigError(
            f"no scheduler is called {where!r}",
            remedy="name one as tcp://HOST:PORT, or `local:4` for four processes here",
        )
    with contextlib.ExitStack() as stack:
        if local:
            count = int(local[1] or usable_cores())
            where = stack.enter_context(_executors().local_cluster(count))
        stack.enter_context(_named(where))
        address = os.environ.get(VARIABLE)
        yield _executors().described(address) if address else ""


@contextlib.contextmanager
def connected(*folders: str | Path) -> Iterator[Executor | None]:
    """An executor on the cluster that `MIC_SCHEDULER` names.

    A task whose worker dies runs again on another; one that loses four workers in a row, twice,
    raises `LostTaskError`. Each worker process runs one task at a time, whatever its threads,
    because random generators and thread counts belong to the process.

    Args:
        folders: That tasks write to, besides `MIC_HOME`. A worker that does not see the very same
            folders refuses its tasks.

    Yields:
        The executor; None where no cluster is named.

    Raises:
        ClusterError: Nobody answers there.
        ExtraError: `distributed` is not installed.
    """
    address = os.environ.get(VARIABLE)
    if not address:
        yield None
        return
    with _executors().executor(address, folders) as found:
        yield found


def _executors() -> types.ModuleType:
    """The module that needs the optional dependency."""
    with extras.needed("leave --scheduler and MIC_SCHEDULER away"):
        importlib.import_module("distributed")
    return importlib.import_module("mic.processes.cluster.executors")


@contextlib.contextmanager
def _named(where: str) -> Iterator[None]:
    before = os.environ.get(VARIABLE)
    if where:
        os.environ[VARIABLE] = where
    try:
        yield
    finally:
        if before is not None:
            os.environ[VARIABLE] = before
        else:
            os.environ.pop(VARIABLE, None)
