"""Where cells run: in this process, on this machine's processes, or on a cluster's workers."""

from __future__ import annotations

import contextlib
import dataclasses
import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed

from mic import cluster
from mic.datasets.coverage import MOST_BROKEN, UNREADABLE, LeftOut, check_share
from mic.datasets.tensors import Representation
from mic.errors import MicError
from mic.experiments.cells import Cell, Dataset, Outcome, compute, is_stored

_CLIPS = 8  # a task: a worker that dies loses seconds, and sending it costs milliseconds


def run(
    data: Dataset,
    cells: Sequence[Cell],
    *,
    executor: Executor | None = None,
    progress: Callable[[int, int], None] | None = None,
    most_broken: float = MOST_BROKEN,
) -> list[Outcome]:
    """Outcomes of all cells, in their order.

    A run that is stopped loses at most ten epochs of the cells that were under way. Clips that
    cannot be read are left out of all cells and listed in the outcomes, if they are few.

    Args:
        data: The dataset.
        cells: See `grid`.
        executor: Anything that keeps `concurrent.futures.Executor`'s promise, as `processes()`.
            None computes here, one by one.
        progress: Called with the number of finished and of all cells.
        most_broken: The largest share of clips that may be left out.

    Raises:
        ClusterError: The cluster is gone, or a cell lost four workers.
        DatasetError: More clips cannot be read.
    """
    try:
        return _outcomes(data, cells, executor, progress)
    except UNREADABLE:
        # Only now is every clip looked at: a sound dataset pays nothing.
        broken = _broken(data, list(dict.fromkeys(cell.representation for cell in cells)))
        if not broken:
            raise
    broken = (*data.left_out, *broken)
    check_share(broken, len(data.manifest), most=most_broken)
    return _outcomes(dataclasses.replace(data, left_out=broken), cells, executor, progress)


def _broken(data: Dataset, representations: Sequence[Representation]) -> tuple[LeftOut, ...]:
    found = []
    for row in data.kept():
        clip = data.manifest.clips[row]
        try:
            data.check(clip, representations)
        except UNREADABLE as error:
            path = data.manifest.path(clip)
            found.append(LeftOut(path=path, reason=error.message, clip=clip.clip_id))
    return tuple(found)


def _outcomes(
    data: Dataset,
    cells: Sequence[Cell],
    executor: Executor | None,
    progress: Callable[[int, int], None] | None,
) -> list[Outcome]:
    if executor is None:
        found = []
        for cell in cells:
            found.append(compute(data, cell))
            if progress:
                progress(len(found), len(cells))
        return found
    absent = [cell.representation for cell in cells if not is_stored(data, cell)]
    extract(data, list(dict.fromkeys(absent)), executor=executor)
    futures = [executor.submit(compute, data, cell) for cell in cells]
    try:
        for done, _ in enumerate(as_completed(futures), 1):
            if progress:
                progress(done, len(cells))
        return [future.result() for future in futures]
    finally:
        for future in futures:
            future.cancel()


def extract(
    data: Dataset, representations: Sequence[Representation], *, executor: Executor
) -> None:
    """Parses all clips into the cache, side by side.

    The cells would do it themselves, but all of them in the same order, waiting for each other.
    A clip that cannot be read is left to the cell that needs it.

    Args:
        data: The dataset.
        representations: What is taken from each clip; the identity features come along.
        executor: As in `run`.
    """
    clips = data.manifest.clips
    futures = []
    for first in range(0, len(clips) if representations else 0, _CLIPS):
        some = dataclasses.replace(data.manifest, clips=clips[first : first + _CLIPS])
        part = dataclasses.replace(data, manifest=some)
        futures.append(executor.submit(_extract, part, tuple(representations)))
    try:
        for future in as_completed(futures):
            future.result()
    finally:
        for future in futures:
            future.cancel()


def _extract(data: Dataset, representations: tuple[Representation, ...]) -> None:
    for row in data.kept():
        with contextlib.suppress(MicError):
            data.check(data.manifest.clips[row], representations)


@contextlib.contextmanager
def processes(count: int = 0) -> Iterator[Executor | None]:
    """An executor of the cluster that is named, or of worker processes here of one thread each.

    Args:
        count: How many here; 0 means one a core that this process may use.

    Yields:
        The executor; None where there is no cluster and one process would do.

    Raises:
        ClusterError: No scheduler answers where `MIC_SCHEDULER` says.
    """
    with cluster.connected() as remote:
        if remote is not None:
            yield remote
            return
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
