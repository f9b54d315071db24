"""The one module that knows dask: clusters, and `concurrent.futures` on top of them."""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import pickle
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import dask
import distributed

from mic.errors import ClusterError, LostTaskError
from mic.processes import owners
from mic.processes.cluster.worker import Order, Raised, itself, perform
from mic.storage import atomic, provenance
from mic.storage.home import home

_SECONDS = 20  # to wait for a scheduler's answer
_LARGE = 100_000  # bytes: such arguments travel once and not with every task


_PATIENCE = {
    # A busy process answers late; one that is gone is noticed by its closed connection.
    "distributed.scheduler.worker-ttl": None,
    "distributed.comm.timeouts.connect": "5 minutes",
    # Elsewhere workers may still be on their way; here none follows when all are gone.
    "distributed.scheduler.no-workers-timeout": "5 minutes",
}


@contextlib.contextmanager
def local_cluster(count: int) -> Iterator[str]:
    """`count` worker processes of one thread, reachable from this machine only; the address."""
    with dask.config.set(_PATIENCE):
        cluster = distributed.LocalCluster(
            n_workers=count,
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
            # A worker takes what a process of a local run would take, and is not killed for it.
            memory_limit=0,
            silence_logs=logging.CRITICAL,
        )
        try:
            yield cluster.scheduler_address
        finally:
            # On a busy machine workers end late; all that they did is stored.
            with contextlib.suppress(TimeoutError):
                cluster.close()


def described(address: str) -> str:
    """The cluster at `address` in words."""
    with _client(address) as client:
        count = len(client.scheduler_info(n_workers=-1)["workers"])
    waiting = "; tasks wait until one joins" if count == 0 else ""
    return f"scheduler {address}, {count} worker{'' if count == 1 else 's'}{waiting}"


@contextlib.contextmanager
def executor(address: str, folders: Sequence[str | Path]) -> Iterator[Executor]:
    """An executor on the cluster at `address`; see `mic.processes.cluster.connected`."""
    name = f".mic-cluster-{uuid.uuid4().hex}{owners.mark()}"
    beacons = [Path(folder).resolve() / name for folder in (home(), *folders)]
    order = Order(
        home=str(home().resolve()),
        folder=str(Path.cwd()),
        code=provenance.code_digest(),
        versions=tuple(sorted(provenance.versions().items())),
        beacons=tuple(map(str, beacons)),
    )
    # Closing the client ends what the thread may wait for.
    with ThreadPoolExecutor(1) as alone, _client(address) as client:
        try:
            for beacon in beacons:
                for other in beacon.parent.glob(".mic-cluster-*"):
                    if owners.abandoned(other):  # whoever lit it was killed
                        other.unlink(missing_ok=True)
                atomic.write_text(beacon, "A run on a cluster is under way.\n")
            yield _ClusterExecutor(client, order, alone)
        finally:
            for beacon in beacons:
                beacon.unlink(missing_ok=True)


@contextlib.contextmanager
def _client(address: str) -> Iterator[distributed.Client]:
    # What dask logs about lost workers is mended, or comes as an error; a notebook that writes to
    # stderr has failed.
    for name in ("distributed", "distributed.client"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
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
        alone: One thread, for tasks that are suspected of killing workers.
    """

    def __init__(self, client: distributed.Client, order: Order, alone: Executor) -> None:
        self._client = client
        self._order = order
        self._alone = alone
        # By identity; the argument is kept so that its identity is not given to another.
        self._sent: dict[int, tuple[Any, Any]] = {}

    def submit(
        self, function: Callable[..., Any], /, *arguments: Any, **named: Any
    ) -> Future[Any]:
        """Schedules function(*arguments, **named); all picklable, large arguments travel once."""
        if named:
            function = functools.partial(function, **named)
        send = functools.partial(
            self._client.submit,
            *(perform, self._order, function, *map(self._lean, arguments)),
            pure=False,
        )
        task = send()
        promise: Future[Any] = Future()
        promise.add_done_callback(lambda done: task.cancel() if done.cancelled() else None)

        def settle(task: distributed.Future[Any]) -> None:
            if promise.set_running_or_notify_cancel() and not _settled(task, promise):
                # The scheduler suspects all tasks that the dead workers had before them, of
                # which one may be to blame: each gets a second chance, one after the other.
                self._alone.submit(lambda: _settled(send(), promise, last=True))

        task.add_done_callback(settle)
        return promise

    def _lean(self, argument: Any) -> Any:
        if id(argument) not in self._sent:
            sent = argument
            if len(pickle.dumps(argument)) > _LARGE:
                # As a task and not scattered: if its worker dies it is simply made again.
                sent = self._client.submit(itself, argument, pure=False)
            self._sent[id(argument)] = (argument, sent)
        return self._sent[id(argument)][1]


def _settled(task: distributed.Future[Any], promise: Future[Any], *, last: bool = False) -> bool:
    """Waits for a task and keeps its promise; False if it lost its workers and may try again."""
    # What the function raised is a value, so that errors are dask's.
    try:
        result = task.result()
    except distributed.KilledWorker as error:
        if not last:
            return False
        failure: BaseException = LostTaskError(
            f"one task lost {error.allowed_failures + 1} workers in a row, twice",
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
            return True
        failure = result.error
    promise.set_exception(failure)
    return True
