"""Metrics against published values, other implementations and properties."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mic.errors import ConfigError
from mic.evaluation import metrics


def test_wilson_gives_the_published_intervals():
    # Newcombe, Statistics in Medicine 17 (1998), table I, method 3.
    published = ((81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611))
    for correct, n, low, high in (*published, (1, 29, 0.0061, 0.1718)):
        ours = metrics.wilson(correct, n)
        assert (ours.low, ours.high) == pytest.approx((low, high), abs=5e-5)
    for n in (1, 5, 327):
        assert metrics.wilson(0, n).low == 0 == metrics.wilson(0, n).value
        assert metrics.wilson(n, n).high == 1 == metrics.wilson(n, n).value


@pytest.mark.parametrize(("correct", "n"), [(0, 0), (7, 5), (-1, 5)])
def test_what_is_no_proportion_is_said(correct, n):
    with pytest.raises(ConfigError, match=f"{correct} of {n} is no proportion"):
        metrics.wilson(correct, n)


@pytest.mark.parametrize("right", [True, False])
def test_three_people_all_right_or_all_wrong_are_no_certainty(right):
    found = metrics.subject_bootstrap(np.full(6, right), ["a", "a", "b", "b", "c", "c"])
    expected = metrics.wilson(3 * right, 3)
    assert (found.value, found.low, found.high) == (right, expected.low, expected.high)
    assert found.n == 6
    assert found.high - found.low > 0.5


def test_two_methods_that_never_differ_may_yet():
    same = np.ones(6)
    found = metrics.paired_difference(same, same, ["a", "a", "b", "b", "c", "c"])
    assert found.value == 0
    assert found.low == -found.high < -0.5


def test_subject_bootstrap_is_wider_when_subjects_err_as_a_whole():
    subjects = np.repeat(np.arange(30), 10)
    whole = np.repeat(np.arange(30) % 3 != 0, 10)
    spread = np.tile(np.arange(10) < 7, 30)
    wide = metrics.subject_bootstrap(whole, subjects)
    narrow = metrics.subject_bootstrap(spread, subjects)
    assert wide.value == pytest.approx(2 / 3)
    assert wide.high - wide.low > 5 * (narrow.high - narrow.low)


def test_bootstrap_covers_the_mean_as_often_as_it_says():
    draw = np.random.default_rng(0)
    covered = 0
    for seed in range(200):
        sample = draw.normal(1.0, 1.0, 40)
        interval = metrics.mean_over_subjects(sample, np.arange(40), resamples=200, seed=seed)
        covered += interval.low <= 1.0 <= interval.high
    assert 0.86 < covered / 200 < 0.99


def test_bootstrap_over_subjects_equals_a_loop_that_draws_their_rows():
    draw = np.random.default_rng(1)
    correct, subjects = draw.random(60) < 0.7, draw.integers(0, 12, 60)
    rows = [np.flatnonzero(subjects == one) for one in np.unique(subjects)]
    again = np.random.default_rng(0)
    means = []
    for _ in range(3000):
        chosen = again.integers(len(rows), size=len(rows))
        means.append(correct[np.concatenate([rows[index] for index in chosen])].mean())
    fast = metrics.subject_bootstrap(correct, subjects, resamples=3000)
    slow = np.quantile(means, [0.025, 0.975])
    assert slow == pytest.approx((fast.low, fast.high), abs=0.02)


def test_paired_difference_sees_what_unpaired_intervals_hide():
    draw = np.random.default_rng(2)
    difficulty = draw.random(300)
    first, second = difficulty < 0.70, difficulty < 0.75
    subjects = np.arange(300) // 3
    paired = metrics.paired_difference(first, second, subjects)
    assert paired.low > 0
    apart = [metrics.subject_bootstrap(x, subjects) for x in (first, second)]
    assert apart[0].high > apart[1].low


def test_confusion_and_recalls():
    table = metrics.confusion([0, 0, 1, 2, 2, 2], [0, 1, 1, 2, 2, 0], 4)
    assert table.tolist() == [[1, 1, 0, 0], [0, 1, 0, 0], [1, 0, 2, 0], [0, 0, 0, 0]]
    found = metrics.recalls(table)
    assert [r.n for r in found] == [2, 1, 3, 0]
    assert found[2].value == pytest.approx(2 / 3)
    assert np.isnan(found[3].value)


def test_calibration_error_of_known_confidence():
    # Confidence 0.8 throughout, right 60 % of the time.
    logits = np.tile(np.log([0.8, 0.2]), (10, 1))
    labels = np.array([0] * 6 + [1] * 4)
    result = metrics.calibration(logits, labels)
    assert result.error == pytest.approx(0.2)
    assert result.counts.sum() == 10


def test_answers_that_are_no_numbers_are_left_out_of_the_calibration():
    logits = np.tile(np.log([0.8, 0.2]), (10, 1))
    labels = np.array([0] * 6 + [1] * 4)
    more = np.concatenate([logits, np.full((3, 2), np.nan)])
    result = metrics.calibration(more, np.concatenate([labels, [0, 0, 1]]))
    assert result.error == pytest.approx(0.2)
    assert result.counts.sum() == 10
    nothing = metrics.calibration(more[10:], labels[:3])
    assert np.isnan(nothing.error)
    assert nothing.counts.sum() == 0


def test_the_calibration_of_no_answer_or_of_other_clips_is_refused():
    with pytest.raises(ConfigError, match="0 answers"):
        metrics.calibration(np.zeros((0, 3)), np.zeros(0, int))
    with pytest.raises(ConfigError, match="2 answers and 3 labels"):
        metrics.calibration(np.zeros((2, 3)), np.zeros(3, int))


def test_choosing_the_epoch_on_the_test_clips_is_optimistic():
    draw = np.random.default_rng(0)
    curves = [draw.random((40, 33)) < 0.9 for _ in range(10)]  # epochs that differ by chance only
    optimism = metrics.best_epoch_optimism(curves)
    assert optimism.last == pytest.approx(0.9, abs=0.06)
    assert optimism.best > optimism.last + 0.05


@settings(deadline=None)
@given(st.lists(st.floats(-5, 5), min_size=3, max_size=30), st.floats(0.1, 3), st.floats(-2, 2))
def test_concordance_is_at_most_correlation_and_punishes_scale_and_shift(values, scale, shift):
    truth = np.array(values)
    if truth.std() < 1e-3:
        return
    predicted = scale * truth + shift
    assert metrics.correlation(truth, predicted) == pytest.approx(1, abs=1e-6)
    expected = (
        2
        * scale
        * truth.var()
        / ((1 + scale**2) * truth.var() + (truth.mean() - predicted.mean()) ** 2)
    )
    assert metrics.concordance(truth, predicted) == pytest.approx(expected, rel=1e-6)


def test_regression_metrics_on_constants_and_equal_values():
    x = np.array([0.0, 1.0, 2.0])
    assert metrics.concordance(x, x) == pytest.approx(1)
    assert metrics.correlation(x, np.ones(3)) == 0
    assert metrics.concordance(np.ones(3), np.ones(3)) == 0


def test_one_person_who_is_sometimes_right_tells_nothing_of_others():
    found = metrics.subject_bootstrap(np.array([True, True, False]), ["anna"] * 3)
    assert (found.value, found.low, found.high, found.n) == (pytest.approx(2 / 3), 0, 1, 3)


def test_draws_in_blocks_are_those_drawn_at_once(monkeypatch):
    rng = np.random.default_rng(3)
    correct, subjects = rng.random(500) < 0.7, rng.integers(90, size=500)
    whole = metrics.subject_bootstrap(correct, subjects, seed=5)
    monkeypatch.setattr(metrics, "_AT_ONCE", 7 * 90)
    assert metrics.subject_bootstrap(correct, subjects, seed=5) == whole


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: metrics.confusion([0, -1], [0, 0], 3),
        lambda: metrics.confusion([0, 3], [0, 0], 3),
        lambda: metrics.confusion([0, 1, 1], [0], 3),
        lambda: metrics.confusion([0.5, 1], [0, 1], 3),
        lambda: metrics.concordance([1, 2], [1, 2, 3]),
        lambda: metrics.correlation([1, 2, 3], [1]),
        lambda: metrics.correlation([], []),
        lambda: metrics.concordance(np.arange(4.0)[:, None], np.arange(4.0)),
        lambda: metrics.subject_bootstrap(np.ones(2), list("abcde")),
        lambda: metrics.mean_over_subjects([], []),
        lambda: metrics.paired_difference(np.ones(1), np.ones(3), list("abc")),
        lambda: metrics.paired_difference(np.ones(3), np.zeros(3), list("abcdef")),
    ],
)
def test_what_does_not_belong_together_is_refused_and_not_broadcast(wrong):
    with pytest.raises(ConfigError):
        wrong()


def test_a_value_that_is_none_makes_no_zero():
    assert np.isnan(metrics.concordance([1, 2, np.nan], [1, 2, 4]))
    assert np.isnan(metrics.correlation([1, 2, np.nan], [1, 2, 4]))
    assert metrics.confusion([], [], 2).tolist() == [[0, 0], [0, 0]]
    curves = [np.array([[1, 0], [1, 1]], bool)]
    assert metrics.best_epoch_optimism(iter(curves)) == metrics.best_epoch_optimism(curves)
