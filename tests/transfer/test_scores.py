"""Scores with intervals over people, compared with what NumPy and scikit-learn say of the rows."""

import numpy as np
import pytest
from sklearn.metrics import f1_score

from mic.errors import ConfigError
from mic.transfer import scores


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    truth = rng.normal(0, 1, (60, 3))
    return truth, 0.7 * truth + rng.normal(0, 0.5, (60, 3)), np.repeat(np.arange(6), 10)


def test_explained_is_one_minus_the_ratio_of_squares(rows):
    truth, predicted, groups = rows
    found = scores.explained(truth, predicted, groups)
    assert found.value == pytest.approx(1 - ((truth - predicted) ** 2).sum() / (truth**2).sum())
    assert found.low < found.value < found.high
    assert found.n == 60


def test_no_change_explains_nothing_and_the_truth_all(rows):
    truth, _, groups = rows
    assert scores.explained(truth, 0 * truth, groups).value == 0
    assert scores.explained(truth, truth, groups).low == 1


def test_a_reference_takes_the_place_of_no_change(rows):
    truth, predicted, groups = rows
    assert scores.explained(truth, predicted, groups, reference=predicted).value == 0


def test_correlation_is_the_mean_of_numpys(rows):
    truth, predicted, groups = rows
    each = [np.corrcoef(truth[:, k], predicted[:, k])[0, 1] for k in range(3)]
    assert scores.correlation(truth, predicted, groups).value == pytest.approx(np.mean(each))


def test_a_constant_answer_correlates_with_nothing(rows):
    truth, predicted, groups = rows
    predicted[:, 0] = 0.5
    each = [np.corrcoef(truth[:, k], predicted[:, k])[0, 1] for k in (1, 2)]
    found = scores.correlation(truth, predicted, groups).value
    assert found == pytest.approx(np.sum(each) / 3)


def test_a_target_that_never_varies_is_left_out(rows):
    truth, predicted, groups = rows
    truth[:, 0] = 0
    each = [np.corrcoef(truth[:, k], predicted[:, k])[0, 1] for k in (1, 2)]
    assert scores.correlation(truth, predicted, groups).value == pytest.approx(np.mean(each))


def test_f1_is_scikit_learns(rows):
    truth, predicted, groups = rows
    true, said = truth > 0.3, predicted > 0.3
    expected = f1_score(true, said, average="macro")
    assert scores.f1(true, said, groups).value == pytest.approx(expected)
    assert scores.f1(true & False, said & False, groups).value == 0


def test_a_gain_is_a_difference_of_explained_shares(rows):
    truth, predicted, groups = rows
    found = scores.gained(truth, 0.5 * predicted, predicted, groups)
    each = [scores.explained(truth, one, groups).value for one in (0.5 * predicted, predicted)]
    assert found.value == pytest.approx(each[1] - each[0])
    assert scores.gained(truth, predicted, predicted, groups).high == 0


def test_intervals_are_over_whole_groups():
    """Rows of one person are no independent observations."""
    truth = np.repeat(np.linspace(0.5, 1.5, 4), 50)[:, None]
    predicted = np.repeat([0.5, 0.2, 1.1, 1.5], 50)[:, None]
    whole = scores.explained(truth, predicted, np.repeat(np.arange(4), 50))
    rows = scores.explained(truth, predicted, np.arange(200))
    assert whole.value == pytest.approx(rows.value)
    assert whole.high - whole.low > 3 * (rows.high - rows.low)


def test_rows_without_names_are_refused():
    with pytest.raises(ConfigError, match="names"):
        scores.explained(np.zeros((3, 1)), np.zeros((3, 1)), np.arange(2))
