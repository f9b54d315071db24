"""Workers of a cluster that die in the middle of a task."""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import distributed

from mic.codec import tree

ONE_CLIP = tree._one_clip  # before a test puts `killed_once` in its place


def kill_one(address: str) -> bool:
    """Kills the process of a worker, one with something to do if there is one.

    Args:
        address: Of the scheduler; waits for a worker where there is none yet.

    Returns:
        Whether it had something to do.
    """
    with distributed.Client(address, set_as_default=False) as client:
        client.wait_for_workers(1)
        processes = client.run(os.getpid)
        busy = [name for name, tasks in client.processing().items() if tasks]
        name = next((name for name in busy if name in processes), next(iter(processes)))
        os.kill(processes[name], signal.SIGKILL)
        return name in busy


@contextlib.contextmanager
def killing(address: str, when: Callable[[], bool]) -> Iterator[list[bool]]:
    """Kills a worker while a block runs.

    Args:
        address: Of the scheduler.
        when: The moment to kill at; asked every few milliseconds.

    Yields:
        Filled with what `kill_one` says, by the end of the block.

    Raises:
        AssertionError: The block ended before the moment came.
        Exception: Whatever kept the worker alive.
    """
    ended, killed, failures = threading.Event(), [], []

    def kill() -> None:
        try:
            while not (moment := when()) and not ended.wait(0.005):
                pass
            if moment:
                killed.append(kill_one(address))
        except BaseException as failure:  # raised below: a thread's own is lost
            failures.append(failure)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        yield killed
    finally:
        ended.set()
        killer.join()
    if failures:
        raise failures[0]
    assert killed, "nothing was killed: the moment never came"


def killed_once(task: tuple[Path, Path, Path, dict[str, Any]]) -> dict[str, Any]:
    """Re-encodes one clip of a tree; the first to begin to write dies half-way, and its worker.

    Args:
        task: As `mic.codec.tree` makes them.
    """
    target = task[1]
    until_restartable()
    try:
        Path("killed").touch(exist_ok=False)  # in the folder of the run
    except FileExistsError:
        return ONE_CLIP(task)

    def watch() -> None:
        while not any(target.parent.glob(f".{target.stem}*")):
            time.sleep(0.0005)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()
    ONE_CLIP(task)
    os.kill(os.getpid(), signal.SIGKILL)  # the watch came late


def until_restartable() -> None:
    """Returns when the worker that calls it has come up: its nanny restarts no other.

    A worker may have a task before its nanny has heard that it runs; the nanny's own status tells
    of the first start only, that of its process of each.
    """
    here = distributed.get_worker().address
    client = distributed.get_client()
    while client.run(_started, nanny=True, workers=[here])[here] != {"running"}:
        time.sleep(0.01)


def _started(dask_worker: distributed.Nanny) -> set[str]:
    return {dask_worker.status.name, dask_worker.process.status.name}
