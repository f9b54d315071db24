"""The clock: stages, interleaving, medians, ratios, memory."""

import time

import numpy as np
import pytest

from mic.errors import ConfigError
from mic.speed import measure


def _sleeper(seconds, log=None, name=""):
    def task(watch):
        if log is not None:
            log.append(name)
        with watch("sleep"):
            time.sleep(seconds)

    return task


def test_stages_add_up_and_sleeping_costs_no_cpu():
    watch = measure.Stopwatch()
    for _ in range(2):
        with watch("sleep"):
            time.sleep(0.02)
    with watch("work"):
        start = time.process_time()
        while time.process_time() - start < 0.02:
            pass
    assert watch.seconds["sleep"] >= 0.04
    assert watch.cpu["sleep"] < 0.02
    assert watch.cpu["work"] >= 0.02


def test_each_round_runs_all_tasks_in_another_order():
    log = []
    tasks = {name: _sleeper(0, log, name) for name in "abc"}
    timings = measure.interleaved(tasks, rounds=3, warm_up=1)
    rounds = ["".join(log[i : i + 3]) for i in range(0, 12, 3)]
    assert rounds[1:] == ["abc", "bca", "cab"]
    assert len(timings) == 3 * 3 * 2  # two stages each: sleep and the total
    assert set(timings["round"]) == {0, 1, 2}


def test_ratios_and_medians_of_known_durations():
    tasks = {"short": _sleeper(0.02), "long": _sleeper(0.06)}
    timings = measure.interleaved(tasks, rounds=3)
    ratio = measure.ratios(timings, "short")
    assert ratio["short"] == 1
    assert 2 < ratio["long"] < 4
    table = measure.medians(timings)
    assert list(table.index) == ["short", "long"]
    assert table.loc["long", "sleep"] == pytest.approx(0.06, abs=0.03)
    assert (table["total"] >= table["sleep"]).all()


def test_one_slow_round_changes_neither_median_nor_ratio():
    pauses = iter([0.01, 0.01, 0.3, 0.01, 0.01])

    def uneven(watch):
        time.sleep(next(pauses))

    timings = measure.interleaved({"uneven": uneven, "even": _sleeper(0.01)}, rounds=5, warm_up=0)
    assert measure.medians(timings).loc["uneven", "total"] < 0.1
    assert measure.ratios(timings, "even")["uneven"] < 5


def test_memory_of_a_big_array_is_seen():
    def fill():
        return np.ones(32_000_000, np.uint8).sum()

    peak = measure.peak_memory(fill)
    assert np.isnan(peak) or 28e6 < peak < 64e6
    assert np.isnan(peak) or measure.peak_memory(lambda: None) < 8e6


def test_nonsense_is_refused():
    with pytest.raises(ConfigError):
        measure.interleaved({"a": _sleeper(0)}, rounds=0)
    timings = measure.interleaved({"a": _sleeper(0)}, rounds=1)
    with pytest.raises(ConfigError, match="'b'"):
        measure.ratios(timings, "b")
