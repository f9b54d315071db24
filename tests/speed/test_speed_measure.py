"""The clock: stages, interleaving, medians, ratios, memory."""

import numpy as np
import pytest

from mic.errors import ConfigError
from mic.speed import measure


class Clock:
    """Stands in for the module `time`, so that durations are what a test says they are."""

    def __init__(self):
        self.wall = self.busy = 0.0

    def perf_counter(self):
        return self.wall

    def process_time(self):
        return self.busy

    def sleep(self, seconds):
        self.wall += seconds

    def work(self, seconds):
        self.wall += seconds
        self.busy += seconds


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(measure, "time", clock)
    return clock


def _sleeper(clock, seconds, log=None, name=""):
    def task(watch):
        if log is not None:
            log.append(name)
        with watch("sleep"):
            clock.sleep(seconds)

    return task


def test_stages_add_up_and_sleeping_costs_no_cpu(clock):
    watch = measure.Stopwatch()
    for _ in range(2):
        with watch("sleep"):
            clock.sleep(0.25)
    with watch("work"):
        clock.work(0.125)
    assert watch.seconds == {"sleep": 0.5, "work": 0.125}
    assert watch.cpu == {"sleep": 0.0, "work": 0.125}


def test_the_real_clock_runs():
    watch = measure.Stopwatch()
    with watch("work"):
        sum(range(10_000))
    assert watch.seconds["work"] > 0
    assert watch.cpu["work"] >= 0


def test_each_round_runs_all_tasks_in_another_order(clock):
    log = []
    tasks = {name: _sleeper(clock, 0, log, name) for name in "abc"}
    timings = measure.interleaved(tasks, rounds=3, warm_up=1)
    rounds = ["".join(log[i : i + 3]) for i in range(0, 12, 3)]
    assert rounds[1:] == ["abc", "bca", "cab"]
    assert len(timings) == 3 * 3 * 2  # two stages each: sleep and the total
    assert set(timings["round"]) == {0, 1, 2}


def test_a_burst_leaves_its_first_run_out_and_keeps_the_mean(clock):
    pauses = iter([0.0, 8.0, 0.25, 0.75, 8.0, 1.0, 3.0])  # warm-up, then two rounds
    timings = measure.interleaved(
        {"a": lambda watch: clock.sleep(next(pauses))}, rounds=2, warm_up=1, burst=2
    )
    assert next(pauses, None) is None
    assert timings["seconds"].tolist() == [0.5, 2.0]


def test_ratios_and_medians_of_known_durations(clock):
    tasks = {"short": _sleeper(clock, 0.25), "long": _sleeper(clock, 0.75)}
    timings = measure.interleaved(tasks, rounds=3)
    assert measure.ratios(timings, "short").to_dict() == {"short": 1, "long": 3}
    table = measure.medians(timings)
    assert list(table.index) == ["short", "long"]
    assert table.loc["long", "sleep"] == table.loc["long", "total"] == 0.75


def test_one_slow_round_changes_neither_median_nor_ratio(clock):
    pauses = iter([0.5, 0.5, 64.0, 0.5, 0.5])
    tasks = {
        "uneven": lambda watch: clock.sleep(next(pauses)),
        "even": _sleeper(clock, 0.25),
    }
    timings = measure.interleaved(tasks, rounds=5, warm_up=0)
    assert measure.medians(timings).loc["uneven", "total"] == 0.5
    assert measure.ratios(timings, "even")["uneven"] == 2
    middle = measure.middle_half(timings, "even")
    assert middle.loc["even"].tolist() == [1, 1]
    assert middle.loc["uneven"].tolist() == [2, 2]


def test_the_middle_half_of_the_rounds_lies_between_their_quartiles(clock):
    pauses = iter([1.0, 2.0, 3.0, 4.0, 5.0])
    tasks = {"a": lambda watch: clock.sleep(next(pauses)), "b": _sleeper(clock, 0.5)}
    timings = measure.interleaved(tasks, rounds=5, warm_up=0)
    assert measure.middle_half(timings, "b").loc["a"].to_dict() == {"low": 4, "high": 8}


def test_memory_of_a_big_array_is_seen():
    def fill():
        return np.ones(32_000_000, np.uint8).sum()

    peak = measure.peak_memory(fill)
    assert np.isnan(peak) or 28e6 < peak < 64e6
    assert np.isnan(peak) or measure.peak_memory(lambda: None) < 8e6


def test_nonsense_is_refused(clock):
    tasks = {"a": _sleeper(clock, 1)}
    with pytest.raises(ConfigError):
        measure.interleaved(tasks, rounds=0)
    with pytest.raises(ConfigError):
        measure.interleaved(tasks, rounds=1, burst=0)
    timings = measure.interleaved(tasks, rounds=1)
    with pytest.raises(ConfigError, match="'b'"):
        measure.ratios(timings, "b")
