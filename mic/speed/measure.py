"""Timing that can be trusted on a busy machine: interleaved, medians, ratios of neighbours.

All tasks run in each round, in an order that turns from round to round, so that a slow minute of
the machine hits all of them; a ratio is the median of the rounds' ratios. Who runs a method runs
it on one clip after another: in a burst of runs the first, which finds the caches full of another
task's data, is not counted. CPU seconds are those of all threads of the process and stand for
energy.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pandas as pd

from mic.errors import ConfigError

TOTAL = "total"


class Stopwatch:
    """Wall-clock and CPU seconds of named stages, added up.

    Attributes:
        seconds: Wall-clock seconds of each stage.
        cpu: CPU seconds of each stage, all threads.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.cpu: dict[str, float] = {}

    @contextlib.contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Times a block as part of `stage`."""
        start, cpu = time.perf_counter(), time.process_time()
        try:
            yield
        finally:
            wall, busy = time.perf_counter() - start, time.process_time() - cpu
            self.seconds[stage] = self.seconds.get(stage, 0.0) + wall
            self.cpu[stage] = self.cpu.get(stage, 0.0) + busy


Task = Callable[[Stopwatch], object]


def interleaved(
    tasks: Mapping[str, Task], *, rounds: int, warm_up: int = 1, burst: int = 1
) -> pd.DataFrame:
    """Runs all tasks in turn, `rounds` times.

    Args:
        tasks: By name; each marks its stages on the stopwatch it is given.
        rounds: Timed turns of each.
        warm_up: Untimed runs of each before.
        burst: Counted runs a turn; of more than one the mean is kept, and one goes before.

    Returns:
        Columns task, round, stage, seconds, cpu_seconds, of one run; the stage `TOTAL` is the
        whole of it.
    """
    if rounds < 1 or burst < 1:
        raise ConfigError(f"{rounds} rounds of {burst} runs measure nothing")
    names = list(tasks)
    rows = []
    with only_new_garbage():
        for number in range(-warm_up, rounds):
            shift = number % len(names)
            for name in names[shift:] + names[:shift]:
                watch = Stopwatch()
                # A collection of another task's garbage would be charged to this one.
                gc.collect()
                if number >= 0 and burst > 1:
                    tasks[name](Stopwatch())
                for _ in range(burst if number >= 0 else 1):
                    with watch(TOTAL):
                        tasks[name](watch)
                if number >= 0:
                    rows += [
                        (name, number, stage, watch.seconds[stage] / burst, busy / burst)
                        for stage, busy in watch.cpu.items()
                    ]
    return pd.DataFrame(rows, columns=["task", "round", "stage", "seconds", "cpu_seconds"])


@contextlib.contextmanager
def only_new_garbage() -> Iterator[None]:
    """Collections within look at new objects only; all of torch's take a quarter of a second."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def medians(timings: pd.DataFrame, *, column: str = "seconds") -> pd.DataFrame:
    """Median over the rounds: one row a task, in order of first run, one column a stage."""
    table = timings.pivot_table(
        index="task", columns="stage", values=column, aggfunc="median", sort=False
    )
    first = timings[timings["round"] == 0]["task"].drop_duplicates()
    return table.reindex(first).fillna(0.0)


def ratios(
    timings: pd.DataFrame, reference: str, *, stage: str = TOTAL, column: str = "seconds"
) -> pd.Series:
    """How many times as long as `reference` each task takes: the median over the rounds.

    Args:
        timings: From `interleaved`.
        reference: The task that is 1.
        stage: Of which stage.
        column: `seconds` or `cpu_seconds`; the latter does not see who else uses the machine.
    """
    return _ratios(timings, reference, stage, column).median()


def middle_half(
    timings: pd.DataFrame, reference: str, *, stage: str = TOTAL, column: str = "seconds"
) -> pd.DataFrame:
    """The quartiles of what `ratios` takes the median of: columns low and high, a line a task."""
    quartiles = _ratios(timings, reference, stage, column).quantile([0.25, 0.75]).T
    return quartiles.set_axis(["low", "high"], axis=1)


def _ratios(timings: pd.DataFrame, reference: str, stage: str, column: str) -> pd.DataFrame:
    """A line a round, a column a task."""
    part = timings[timings["stage"] == stage].pivot_table(
        index="round", columns="task", values=column
    )
    if reference not in part:
        raise ConfigError(f"no task is called {reference!r}")
    return part.div(part[reference], axis=0)


def peak_memory(task: Callable[[], object]) -> float:
    """How many bytes more than before are resident at the worst moment of a run.

    Linux keeps the peak and lets a process reset it; elsewhere the answer is NaN.
    """
    reset, status = Path("/proc/self/clear_refs"), Path("/proc/self/status")
    if not (reset.exists() and status.exists()):
        task()
        return float("nan")
    # Memory that the allocator kept from earlier work would be used again and not be seen.
    gc.collect()
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):
        trim(0)
    reset.write_text("5")
    before = _resident(status, "VmRSS")
    task()
    return max(0.0, _resident(status, "VmHWM") - before)


def _resident(status: Path, field: str) -> float:
    lines = status.read_text(encoding="utf-8").splitlines()
    line = next(line for line in lines if line.startswith(field))
    return 1024.0 * int(line.split()[1])
