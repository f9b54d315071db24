"""Cells one after the other until the time is over; what the store holds costs nothing."""

import time
from collections.abc import Sequence

from mic.experiments import Dataset
from mic.experiments.cells import Cell, Outcome, compute
from mic.processes.workers import torch_threads


def trained(work: Sequence[tuple[Dataset, Cell]], *, seconds: float) -> list[Outcome] | None:
    """The cells' outcomes, each told with its time; None where the time was over before the last.

    Args:
        work: Cells, each with what it is trained on, in this order.
        seconds: After which no further one is begun.
    """
    deadline = time.monotonic() + seconds
    found = []
    with torch_threads(1):
        for data, cell in work:
            if time.monotonic() > deadline:
                print(f"stopped in front of {cell.row}, {cell.split}")
                return None
            start = time.process_time()
            found.append(compute(data, cell))
            print(f"{cell.row}, {cell.split}: {time.process_time() - start:.0f} s", flush=True)
    return found
