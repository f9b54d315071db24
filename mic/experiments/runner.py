"""Where cells run: in this process, on this machine's processes, or on a cluster's workers.

Cells of any kind: those that name the expression of clips (`mic.experiments.cells`) and those of
`mic.lowrate`, which rate frames or read several rates of one clip. A kind says what a cell is
computed from, and keeps its outcome in `mic.storage.cache`; order, resumption, processes and
progress are the same for all.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import itertools
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, as_completed
from typing import Any, Protocol, TypeVar

from mic.config import usable_cores
from mic.errors import MicError
from mic.experiments.cells import Cell, Outcome, compute, is_stored
from mic.experiments.data import Dataset
from mic.inputs.coverage import MOST_BROKEN, UNREADABLE, LeftOut, check_share
from mic.inputs.tensors import Representation
from mic.processes import cluster, workers

Task = Callable[[], object]
Progress = Callable[[int, int], None]
_CellT = TypeVar("_CellT", contravariant=True)
_Cell = TypeVar("_Cell")
_OutcomeT = TypeVar("_OutcomeT", covariant=True)
_Outcome = TypeVar("_Outcome")

_CLIPS = 8  # a task: a worker that dies loses seconds, and sending it costs milliseconds


class Grid(Protocol[_CellT, _OutcomeT]):
    """Cells of one kind on the same data; what it holds must be cheap to send to a process."""

    def is_stored(self, cell: _CellT, /) -> bool:
        """Whether the cell's outcome lies in the store."""
        ...

    def shared(self, cells: Sequence[_CellT], /) -> Sequence[Sequence[Task]]:
        """What several of these cells need and would otherwise wait for each other to compute.

        Returns:
            Stages, each of tasks that may run side by side once the stages before are done.
        """
        ...

    def outcome(self, cell: _CellT, /) -> _OutcomeT:
        """What the cell leaves behind: read if it is stored, else computed and stored."""
        ...


def run(
    data: Dataset,
    cells: Sequence[Cell],
    *,
    executor: Executor | None = None,
    progress: Progress | None = None,
    most_broken: float = MOST_BROKEN,
) -> list[Outcome]:
    """Outcomes of all cells of one dataset, in their order; see `run_all`."""
    (found,) = run_all(
        [(data, cells)], executor=executor, progress=progress, most_broken=most_broken
    )
    return found


def run_all(
    work: Sequence[tuple[Dataset, Sequence[Cell]]],
    *,
    executor: Executor | None = None,
    progress: Progress | None = None,
    most_broken: float = MOST_BROKEN,
) -> list[list[Outcome]]:
    """Outcomes of the cells of several datasets, computed as one queue.

    A run that is stopped loses at most ten epochs of the cells that were under way. Clips that
    cannot be read are left out of all cells and listed in the outcomes, if they are few.

    Args:
        work: Each dataset with its cells; see `grid`. The same dataset may come more than once.
        executor: Anything that keeps `concurrent.futures.Executor`'s promise, as `processes()`.
            None computes here, one by one.
        progress: Called with the number of finished and of all cells.
        most_broken: The largest share of a dataset's clips that may be left out.

    Returns:
        A list for each dataset, in the order of its cells.

    Raises:
        ClusterError: The cluster is gone, or a cell lost four workers.
        DatasetError: More clips cannot be read.
    """
    try:
        return _of_clips(work, executor, progress)
    except UNREADABLE:
        # Only now is every clip looked at: a sound dataset pays nothing.
        sound = [(_without_broken(data, cells, most_broken), cells) for data, cells in work]
        if all(one is other for (one, _), (other, _) in zip(sound, work, strict=True)):
            raise
    return _of_clips(sound, executor, progress)


def outcomes(
    work: Sequence[tuple[Grid[_Cell, _Outcome], Sequence[_Cell]]],
    *,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> list[list[_Outcome]]:
    """Outcomes of the cells of several grids, computed as one queue in their order.

    Args:
        work: Grids with their cells; put cells that take long first.
        executor: As in `run_all`.
        progress: As in `run_all`.

    Returns:
        A list for each grid, in the order of its cells.

    Raises:
        MicError: What the first failing cell raised.
    """
    total = sum(len(cells) for _, cells in work)
    if executor is None:
        found: list[list[_Outcome]] = []
        done = 0
        for grid, cells in work:
            found.append([])
            for cell in cells:
                found[-1].append(grid.outcome(cell))
                done += 1
                if progress:
                    progress(done, total)
        return found
    shared = [
        grid.shared([cell for cell in cells if not grid.is_stored(cell)]) for grid, cells in work
    ]
    for stage in itertools.zip_longest(*shared, fillvalue=()):
        _together([task for tasks in stage for task in tasks], executor)
    with _cancelled_on_error() as futures:
        for grid, cells in work:
            futures += [executor.submit(grid.outcome, cell) for cell in cells]
        for done, _ in enumerate(as_completed(futures), 1):
            if progress:
                progress(done, total)
        answers = iter([future.result() for future in futures])
    return [[next(answers) for _ in cells] for _, cells in work]


@dataclasses.dataclass(frozen=True)
class _Clips:
    """The grid of the cells of `mic.experiments.cells` on one dataset."""

    data: Dataset

    def is_stored(self, cell: Cell) -> bool:
        return is_stored(self.data, cell)

    def shared(self, cells: Sequence[Cell]) -> Sequence[Sequence[Task]]:
        return [_extractions(self.data, [cell.representation for cell in cells])]

    def outcome(self, cell: Cell) -> Outcome:
        return compute(self.data, cell)


def _of_clips(
    work: Sequence[tuple[Dataset, Sequence[Cell]]],
    executor: Executor | None,
    progress: Progress | None,
) -> list[list[Outcome]]:
    grids = [(_Clips(data), cells) for data, cells in work]
    return outcomes(grids, executor=executor, progress=progress)


def _without_broken(data: Dataset, cells: Sequence[Cell], most: float) -> Dataset:
    """The dataset itself where all clips can be read."""
    broken = _broken(data, list(dict.fromkeys(cell.representation for cell in cells)))
    if not broken:
        return data
    broken = (*data.left_out, *broken)
    check_share(broken, len(data.manifest), most=most)
    return dataclasses.replace(data, left_out=broken)


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


@contextlib.contextmanager
def _cancelled_on_error() -> Iterator[list[Future[Any]]]:
    """A list of futures of which none is left waiting when the block is left."""
    futures: list[Future[Any]] = []
    try:
        yield futures
    finally:
        for future in futures:
            future.cancel()


def extract(
    work: Sequence[tuple[Dataset, Sequence[Representation]]], *, executor: Executor
) -> None:
    """Parses all clips into the cache, side by side.

    The cells would do it themselves, but all of them in the same order, waiting for each other.
    A clip that cannot be read is left to the cell that needs it.

    Args:
        work: Each dataset with what is taken from its clips; the identity features come along.
        executor: As in `run_all`.
    """
    _together([task for one in work for task in _extractions(*one)], executor)


def _extractions(data: Dataset, representations: Sequence[Representation]) -> list[Task]:
    wanted = tuple(dict.fromkeys(representations))
    clips = data.manifest.clips
    tasks: list[Task] = []
    for first in range(0, len(clips) if wanted else 0, _CLIPS):
        some = dataclasses.replace(data.manifest, clips=clips[first : first + _CLIPS])
        part = dataclasses.replace(data, manifest=some)
        tasks.append(functools.partial(_extract, part, wanted))
    return tasks


def _together(tasks: Sequence[Task], executor: Executor) -> None:
    with _cancelled_on_error() as futures:
        futures += [executor.submit(task) for task in tasks]
        for future in as_completed(futures):
            future.result()


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
    count = count or usable_cores()
    if count == 1:
        yield None
        return
    with workers.one_thread_each(), workers.pool(count) as pool:
        yield pool
