"""The one module that knows dask: clusters, and `concurrent.futures` on top of them."""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import distributed

from mic import atomic, provenance
from mic.cluster.worker import Order, Raised, itself, perform
from mic.errors import ClusterError, LostTaskError
from mic.home import home

_SECONDS = 20  # to wait for a scheduler's answer
_LARGE = 100_000  # bytes: such arguments travel once and not with every task


@contextlib.contextmanager
def local_cluster(count: int) -> Iterator[str]:
    """`count` worker processes of one thread, reachable from this machine only; the address."""
    with distributed.LocalCluster(
        n_workers=count,
        threads_per_worker=1,
        host="127.0.0.1",
        dashboard_address=None,
        # A worker takes what a process of a local run would take, and is not killed for it.
        memory_limit=0,
        silence_logs=logging.CRITICAL,
    ) as cluster:
        yield cluster.scheduler_address


def described(address: str) -> str:
    """The cluster at `address` in words."""
    with _client(address) as client:
        count = len(client.scheduler_info(n_workers=-1)["workers"])
    waiting = "; tasks wait until one joins" if count == 0 else ""
    return f"scheduler {address}, {count} worker{'' if count == 1 else 's'}{waiting}"


@contextlib.contextmanager
def executor(address: str, folders: Sequence[str | Path]) -> Iterator[Executor]:
    """An executor on the cluster at `address`; see `mic.cluster.connected`."""
    name = f".mic-cluster-{uuid.uuid4().hex}"
    beacons = [Path(folder).resolve() / name for folder in (home(), *folders)]
    order = Order(
        home=str(home().resolve()),
        folder=str(Path.cwd()),
        code=provenance.code_digest(),
        versions=tuple(sorted(provenance.versions().items())),
        beacons=tuple(map(str, beacons)),
    )
    with _client(address) as client:
        try:
            for beacon in beacons:
                atomic.write_text(beacon, "A run on a cluster is under way.\n")
            yield _ClusterExecutor(client, order)
        finally:
            for beacon in beacons:
                beacon.unlink(missing_ok=True)


@contextlib.contextmanager
def _client(address: str) -> Iterator[distributed.Client]:
    try:
        client = distributed.Client(address, timeout=_SECONDS, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise ClusterError(
            f"no scheduler answers at {address}: {error}",
            remedy="start one with `dask scheduler`, check host and port, or use --scheduler "
            "local",
        ) from error
    with client:
        yield client


class _ClusterExecutor(Executor):
    """`concurrent.futures` on a client, with our errors in place of dask's.

    Args:
        client: Connected.
        order: What every worker checks and sets first.
    """

    def __init__(self, client: distributed.Client, order: Order) -> None:
        self._client = client
        self._order = order
        # By identity; the argument is kept so that its identity is not given to another.
        self._sent: dict[int, tuple[Any, Any]] = {}

    def submit(self, function: Callable, /, *arguments: Any) -> Future:
        """Schedules function(*arguments); both must be picklable, large ones travel once."""
        task = self._client.submit(
            perform, self._order, function, *map(self._lean, arguments), pure=False
        )
        promise: Future = Future()
        promise.add_done_callback(lambda done: task.cancel() if done.cancelled() else None)
        task.add_done_callback(lambda done: _settle(done, promise))
        return promise

    def _lean(self, argument: Any) -> Any:
        if id(argument) not in self._sent:
            sent = argument
            if len(pickle.dumps(argument)) > _LARGE:
                # As a task and not scattered: if its worker dies it is simply made again.
                sent = self._client.submit(itself, argument, pure=False)
            self._sent[id(argument)] = (argument, sent)
        return self._sent[id(argument)][1]


def _settle(task: distributed.Future, promise: Future) -> None:
    """Hands over how a task ended. What the function raised is a value, so errors are dask's."""
    if not promise.set_running_or_notify_cancel():
        return
    try:
        result = task.result()
    except distributed.KilledWorker as error:
        failure: BaseException = LostTaskError(
            f"one task lost {error.allowed_failures + 1} workers in a row",
            place=error.last_worker.address,
            remedy="look into that worker's log: memory or a time limit may be short; what is "
            "finished is kept",
        )
    except BaseException as error:  # whatever it is, somebody waits for the promise
        failure = ClusterError(
            f"the cluster lost a task: {type(error).__name__}: {error}",
            place=os.environ.get("MIC_SCHEDULER"),
            remedy="see that scheduler and workers run, and `mic` is installed on them; the same "
            "command goes on from here",
        )
    else:
        if not isinstance(result, Raised):
            promise.set_result(result)
            return
        failure = result.error
    promise.set_exception(failure)
