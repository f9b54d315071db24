"""As much of a list of cells as a lease of a machine allows, most wanted first."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from typing import Any

from mic.experiments.cells import Cell, Outcome, compute
from mic.experiments.data import Dataset


def run_until(
    deadline: float,
    work: Sequence[tuple[Dataset, Cell]],
    *,
    executor: Executor,
    device: str = "cpu",
    progress: Callable[[str], None] | None = None,
    every: float = 30.0,
) -> list[Outcome]:
    """Outcomes of the cells that are finished at the deadline; those under way are not waited for.

    Args:
        deadline: On `time.monotonic`'s clock.
        work: The most wanted first. What is stored costs nothing.
        executor: As in `mic.experiments.runner.run_all`.
        device: Where the workers train.
        progress: Told a line now and then.
        every: Seconds between two of these lines.

    Returns:
        In the order of `work`. A cell that failed is told to `progress` and left out: a lease is
        not lost for one of a thousand.
    """
    futures: list[Future[Any]] = [
        executor.submit(compute, data, cell, device=device) for data, cell in work
    ]
    told = time.monotonic()
    while not all(future.done() for future in futures) and time.monotonic() < deadline:
        time.sleep(min(0.2, max(0.0, deadline - time.monotonic())))
        if progress and time.monotonic() - told > every:
            told = time.monotonic()
            done = sum(future.done() for future in futures)
            progress(f"{done} of {len(futures)} cells, {deadline - told:.0f} s left")
    for future in futures:
        future.cancel()
    found = []
    for (_, cell), future in zip(work, futures, strict=True):
        if future.cancelled() or not future.done():
            continue
        error = future.exception()
        if error is None:
            found.append(future.result())
        elif progress:
            progress(f"{cell.row}, {cell.split}, seed {cell.seed}: {error!r}")
    return found
