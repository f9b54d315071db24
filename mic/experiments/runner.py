"""Where cells run: in this process, on this machine's processes, or on anybody's executor."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed

from mic.experiments.cells import Cell, Dataset, Outcome, compute


def run(
    data: Dataset,
    cells: Sequence[Cell],
    *,
    executor: Executor | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[Outcome]:
    """Outcomes of all cells, in their order.

    A run that is stopped loses at most ten epochs of the cells that were under way.

    Args:
        data: The dataset.
        cells: See `grid`.
        executor: Anything that keeps `concurrent.futures.Executor`'s promise: `processes()`, or a
            cluster's (`distributed.Client.get_executor()`). None computes here, one by one.
        progress: Called with the number of finished and of all cells.
    """
    if executor is None:
        found = []
        for cell in cells:
            found.append(compute(data, cell))
            if progress:
                progress(len(found), len(cells))
        return found
    futures = [executor.submit(compute, data, cell) for cell in cells]
    try:
        for done, _ in enumerate(as_completed(futures), 1):
            if progress:
                progress(done, len(cells))
        return [future.result() for future in futures]
    finally:
        for future in futures:
            future.cancel()


@contextlib.contextmanager
def processes(count: int = 0) -> Iterator[Executor | None]:
    """An executor of worker processes of one thread each, or None where one would do.

    Args:
        count: How many; 0 means one a core that this process may use.
    """
    count = count or len(os.sched_getaffinity(0))
    if count == 1:
        yield None
        return
    # Spawned, not forked: a fork copies torch's thread pool without its threads.
    context = multiprocessing.get_context("spawn")
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = "1"
    try:
        with ProcessPoolExecutor(count, mp_context=context) as pool:
            yield pool
    finally:
        if before is None:
            del os.environ["OMP_NUM_THREADS"]
        else:
            os.environ["OMP_NUM_THREADS"] = before
