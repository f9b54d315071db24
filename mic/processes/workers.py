"""Worker processes that end with the process that started them, and the threads of torch."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor


def pool(count: int) -> ProcessPoolExecutor:
    """So many worker processes.

    They are spawned, not forked: a fork copies the locks of the parent's threads, and torch's
    thread pool without its threads. If the parent is killed they end too: by themselves, they
    would wait for their next task for ever, because each holds the queue open for the others.

    Args:
        count: Worker processes.
    """
    return ProcessPoolExecutor(
        count,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_end_with_parent,
    )


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


def _end_with_parent() -> None:
    threading.Thread(target=_watch, daemon=True).start()


def _watch() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
