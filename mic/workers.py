"""Worker processes that do not outlive the process that started them."""

from __future__ import annotations

import multiprocessing
import os
import threading
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


def _end_with_parent() -> None:
    threading.Thread(target=_watch, daemon=True).start()


def _watch() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
