"""Worker processes that end with the process that started them, and the threads of torch."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.synchronize import Event

from mic.errors import ConfigError, LostTaskError


@contextlib.contextmanager
def pool(count: int) -> Iterator[ProcessPoolExecutor]:
    """So many worker processes, for a block.

    They are spawned, not forked: a fork copies the locks of the parent's threads, and torch's
    thread pool without its threads. If the parent is killed they end too: by themselves, they
    would wait for their next task for ever, because each holds the queue open for the others.

    Args:
        count: Worker processes.

    Raises:
        ConfigError: None of them got as far as to take a task.
        LostTaskError: One of them died.
    """
    context = multiprocessing.get_context("spawn")
    begun = context.Event()
    try:
        with ProcessPoolExecutor(
            count, mp_context=context, initializer=_begin, initargs=(begun,)
        ) as workers:
            yield workers
    except BrokenProcessPool as error:
        if not begun.is_set():
            raise ConfigError(
                "no worker process could start; what they said stands above",
                remedy='put what calls `mic` below `if __name__ == "__main__":` in a script in a '
                "file, because each worker imports it again; or use one job",
            ) from error
        raise LostTaskError(
            "a worker process died",
            remedy="memory may be short: use fewer jobs; where clips or trainings are kept, the "
            "same call goes on from here",
        ) from error


@contextlib.contextmanager
def one_thread_each() -> Iterator[None]:
    """Processes started in the block use one thread for arrays: they read it when they load them.

    As many threads as cores in each of as many processes are slower than one.
    """
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["OMP_NUM_THREADS"]
        else:
            os.environ["OMP_NUM_THREADS"] = before


@contextlib.contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Sets torch's threads for a block.

    Args:
        count: Threads. With another count sums are taken in another order, so results that are
            kept are computed with one.
    """
    import torch  # a second, which those that only want a pool need not wait

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _begin(begun: Event) -> None:
    begun.set()
    threading.Thread(target=_watch, daemon=True).start()


def _watch() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
