"""One setting changed at a time: which cells are trained, and what the paired table says."""

import numpy as np
import outcomes
import pytest
from campaigns import front

from mic.config import load
from mic.experiments import plan, sensitivity


@pytest.fixture(scope="module")
def config():
    return load("smoke", jobs=1, folds=2, rows=0)


@pytest.fixture(scope="module")
def work(config):
    return sensitivity.cells(plan.dataset("synth-ck", config), config)


def test_each_row_changes_one_setting_and_none_is_the_profiles_own(work, config):
    rows = {cell.row: (data, cell) for data, cell in work}
    assert len(work) == 2 * len(rows)
    data, own = rows.pop(sensitivity.OWN)
    assert own.target == "test"
    asked = sum(len(plan.values(data, config, knob)) for knob in plan.SWEEPS)
    assert asked - len(plan.SWEEPS) <= len(rows) < asked
    for row, (other, cell) in rows.items():
        changed = [
            other.manifest.digest() != data.manifest.digest(),
            other.network != data.network,
            cell.method != own.method,
            cell.representation != own.representation,
        ]
        assert sum(changed) == 1, row
        assert cell.schedule == own.schedule


def test_each_value_is_compared_with_the_profiles_own_on_the_same_clips(work):
    wrong = {"beta 1.0": 8, "vop_quant 20": 40}  # of forty clips a part
    found = []
    for _, cell in work:
        answers = outcomes.TRUTH.copy()
        answers[: wrong.get(cell.row, 0)] ^= 1
        found.append(outcomes.outcome(cell, answers))
    table = sensitivity.accuracy_table(found, resamples=200)
    assert list(table) == list(sensitivity.COLUMNS)
    own, *others = table.to_dict("records")
    assert (own["knob"], own["value"]) == (sensitivity.OWN, "")
    assert np.isnan(own["difference"])
    named = {(one["knob"], one["value"]): one["difference"] for one in others}
    assert ("identity network", "known") in named
    assert {key: value for key, value in named.items() if value} == {
        ("beta", "1.0"): pytest.approx(-0.2),
        ("vop_quant", "20"): -1.0,
    }
    (axis,) = sensitivity.figure(table).axes
    assert [label.get_text() for label in axis.get_yticklabels()] == [
        f"{knob} {value}" for knob, value in named
    ]
    low, high = axis.get_xlim()
    assert low == -high
    assert high >= 100


def test_tables_of_other_data_do_not_go_over_the_committed_ones(monkeypatch, tmp_path):
    def asked(*words):
        monkeypatch.setattr("sys.argv", ["sensitivity", *words])
        return front.asked("What it does.", seconds=60.0, data="synth-ck")[0]

    other = ("--data", "mine=clips")
    assert asked("run", *other).data == "mine=clips"  # writes no table
    assert asked("publish").results == front.COMMITTED
    assert asked("publish", *other, "--results", str(tmp_path)).results == str(tmp_path)
    for results in ((), ("--results", front.COMMITTED + "/")):
        with pytest.raises(SystemExit):
            asked("publish", *other, *results)
