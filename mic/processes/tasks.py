"""Tasks in processes: one that dies takes no other with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, as_completed
from pathlib import Path
from typing import Any

from mic.errors import CodecError, ConfigError, LostTaskError
from mic.processes import cluster, workers


def run_isolated(
    function: Callable[[Any], Any],
    tasks: list[Any],
    *,
    jobs: int,
    folders: Sequence[str | Path] = (),
) -> Iterator[tuple[int, Any]]:
    """Runs tasks in processes; a task that kills its process fails alone.

    Args:
        function: Importable, takes one task.
        tasks: What to run it on.
        jobs: Processes; 1 runs in this one. Where a cluster is named (`mic.processes.cluster`)
            its workers take the tasks instead.
        folders: Where the tasks write, besides `MIC_HOME`.

    Yields:
        Index of the task with its result, in order of completion; where the task raised a
        `CodecError` or `ConfigError`, or its process died, that error is the result.
    """
    if not tasks:
        return
    with cluster.connected(*folders) as executor:
        if executor is not None:
            futures = {
                executor.submit(_guarded, function, task): i for i, task in enumerate(tasks)
            }
            yield from _as_they_end(futures)
            return
    if jobs == 1:
        yield from ((index, _guarded(function, task)) for index, task in enumerate(tasks))
        return
    finished: set[int] = set()
    try:
        for index, result in _submitted(function, list(enumerate(tasks)), jobs):
            finished.add(index)
            yield index, result
    except LostTaskError:
        # The pool does not say which task killed it: run those left each in a pool of its own.
        for index, task in enumerate(tasks):
            if index in finished:
                continue
            try:
                yield from _submitted(function, [(index, task)], 1)
            except LostTaskError:
                yield index, CodecError("killed the process that worked on it")


def _as_they_end(futures: dict[Future[Any], int]) -> Iterator[tuple[int, Any]]:
    try:
        for future in as_completed(futures):
            try:
                yield futures[future], future.result()
            except LostTaskError:
                yield futures[future], CodecError("killed the process that worked on it")
    finally:
        for future in futures:
            future.cancel()


def _submitted(
    function: Callable[[Any], Any], tasks: list[tuple[int, Any]], jobs: int
) -> Iterator[tuple[int, Any]]:
    with workers.pool(min(jobs, len(tasks))) as pool:
        futures = {pool.submit(_guarded, function, task): index for index, task in tasks}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        finally:
            for future in futures:
                future.cancel()


def _guarded(function: Callable[[Any], Any], task: Any) -> Any:
    try:
        return function(task)
    except (CodecError, ConfigError) as error:
        return error
