"""Looks: which pictures are chosen, what a probe is given of them, and what the table says."""

import numpy as np
import pandas as pd
import pytest

from mic.config import load
from mic.experiments import looks, plan


def test_even_looks_end_with_the_last_frame_and_all_are_all():
    change = np.zeros(16)
    assert looks.even(change, 1).tolist() == [15]
    assert looks.even(change, 2).tolist() == [7, 15]
    assert looks.even(change, 16).tolist() == list(range(16))


def test_the_most_changed_frames_are_chosen_in_the_order_of_time():
    change = np.array([0.1, 3.0, 0.2, 5.0, 3.0])
    assert looks.most_changed(change, 1).tolist() == [3]
    assert looks.most_changed(change, 3).tolist() == [1, 3, 4]


def test_features_are_the_mean_of_the_looks_and_its_change_since_the_i_frame():
    seen = np.arange(2 * 5 * 3, dtype=float).reshape(2, 5, 3)
    change = np.array([[0, 9, 0, 8], [7, 0, 0, 1]])
    found = looks.features(seen, change, looks.CHANGED, 2)
    mean = np.stack([seen[0, [2, 4]].mean(0), seen[1, [1, 4]].mean(0)])
    np.testing.assert_allclose(found, np.concatenate([mean, mean - seen[:, 0]], 1))
    np.testing.assert_array_equal(looks.features(seen, change, looks.EVEN, 0), seen[:, 0])


@pytest.fixture(scope="module")
def answered():
    config = load("smoke", jobs=1)
    data = plan.dataset("synth-ck", config)
    return looks.answers(data, config, counts=(0, 1, config.steps)), config, data


def test_answers_are_of_people_whom_the_probe_has_not_seen(answered):
    found, config, data = answered
    kept = {clip.clip_id for clip in data.manifest}
    for (rule, count), part in found.groupby(["rule", "looks"]):
        assert set(part["clip"]) == kept, (rule, count)
    chosen = found[found["rule"] == looks.CHANGED]["looks"]
    assert set(chosen) == {1}  # no picture and all pictures are no choice
    assert config.steps in set(found["looks"])


def test_the_changes_of_a_generated_expression_grow(answered):
    _, config, data = answered
    change = looks.changes(data, config)
    assert change.shape == (len(data.manifest), config.steps)
    assert (change[:, -1] > change[:, 0]).mean() > 0.8  # synth-ck ends at the apex


def test_the_table_compares_with_all_looks_on_the_same_clips():
    people = [f"p{number % 10}" for number in range(40)]
    lines = []
    for rule, count, right in (
        (looks.EVEN, 1, 10), (looks.EVEN, 4, 40), (looks.CHANGED, 1, 40), (looks.TRUTH, 4, 40),
    ):  # fmt: skip
        lines += [
            {"dataset": "d", "rule": rule, "looks": count, "clip": f"c{number}",
             "subject": people[number], "correct": number < right}
            for number in range(40)
        ]  # fmt: skip
    made = looks.table(pd.DataFrame(lines), resamples=500)
    table = made.set_index(["rule", "looks"])
    assert table.loc[(looks.EVEN, 1), "difference"] == pytest.approx(-0.75)
    assert np.isnan(table.loc[(looks.EVEN, 4), "difference"])
    assert table.loc[(looks.CHANGED, 1), "difference"] == 0
    assert table.loc[(looks.EVEN, 1), "p_holm"] < 0.05
    assert list(made) == list(looks.COLUMNS)
    drawn = looks.figure(made)
    assert all(axis.get_ylim() == (0, 1.03) for axis in drawn.axes)
