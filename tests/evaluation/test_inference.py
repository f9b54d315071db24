"""Person-level tests: their size under the null, their power, Holm, and equivalence."""

import numpy as np
import pandas as pd
import pytest

from mic.errors import ConfigError
from mic.evaluation.inference import compare, holm, with_holm


def answers(people, clips, shift, rng):
    """Two methods whose errors are shared by a person's clips, as real ones are."""
    who = np.repeat(np.arange(people), clips)
    first = rng.random(people)[who] < 0.7
    second = rng.random(people)[who] < 0.7 + shift
    return first, second, who


def test_ten_seeds_of_the_same_clips_find_no_more_than_one():
    rng = np.random.default_rng(0)
    first, second, who = answers(40, 3, 0.1, rng)
    once = compare(first, second, who)
    tenfold = compare(np.tile(first, 10), np.tile(second, 10), np.tile(who, 10))
    assert tenfold == once


def test_false_findings_are_as_rare_as_they_should_be():
    rng = np.random.default_rng(1)
    p = [compare(*answers(30, 4, 0.0, rng), resamples=400).p for _ in range(200)]
    assert np.mean(np.array(p) < 0.05) < 0.10  # counting clips would find about three times that


def test_a_large_difference_is_found_and_a_none_is_equivalent():
    rng = np.random.default_rng(2)
    found = compare(*answers(200, 3, 0.25, rng))
    assert found.p < 0.01
    assert found.p_equivalent > 0.5
    right = rng.random(600) < 0.9
    same = compare(right, right, np.repeat(np.arange(200), 3))
    assert (same.difference, same.p) == (0, 1)
    assert same.p_equivalent < 0.01


@pytest.mark.parametrize(("people", "clips"), [(12, 8), (24, 8), (40, 8), (118, 3)])
def test_a_difference_of_the_margin_is_rarely_called_equivalent(people, clips):
    """A hundredth of the clips are lost: at the margin, where one in twenty may be called none."""
    rng = np.random.default_rng(0)
    numbers = np.repeat(np.arange(people), clips)
    called = 0
    for _ in range(400):
        lost = rng.random(len(numbers)) < 0.01
        found = compare(np.ones(len(numbers)), ~lost, numbers, resamples=20)
        called += found.p_equivalent < 0.05
    assert called <= 0.08 * 400


def test_two_people_with_the_same_answers_show_nothing():
    right = np.array([True, False, True, True])
    assert compare(right, right, ["a", "a", "b", "b"]).p_equivalent > 0.2


def test_few_people_prove_no_equivalence():
    first, second, who = answers(8, 3, 0.0, np.random.default_rng(3))
    assert compare(first, second, who).p_equivalent > 0.05


def test_holm_against_the_worked_example_of_four():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert np.isnan(holm([0.01, np.nan])[1])
    assert holm([0.01, np.nan])[0] == pytest.approx(0.01)


def test_tables_that_are_joined_are_adjusted_anew():
    one = with_holm(pd.DataFrame({"row": ["a", "b"], "p": [0.01, np.nan], "n": 5}))
    assert list(one.columns) == ["row", "p", "p_holm", "n"]
    both = with_holm(pd.concat([one, one.assign(p=0.03)], ignore_index=True))
    assert both["p_holm"].tolist()[:1] == pytest.approx([0.03])
    assert both.columns.tolist() == one.columns.tolist()


def test_unpaired_rows_and_one_person_are_refused():
    with pytest.raises(ConfigError, match="not paired"):
        compare([1, 0], [1], ["a", "b"])
    with pytest.raises(ConfigError, match="one person"):
        compare([1, 0], [1, 1], ["a", "a"])


@pytest.mark.parametrize("score", [np.nan, np.inf])
def test_a_score_that_is_no_number_is_no_finding(score):
    right = np.array([1.0, 0.0, 1.0, 1.0])
    other = np.array([1.0, score, 1.0, 0.0])
    for first, second in ((right, other), (other, right)):
        with pytest.raises(ConfigError, match="no finite number"):
            compare(first, second, ["a", "a", "b", "b"])
