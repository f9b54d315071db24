"""Curves of verification on scores of any kind, and what is no pair."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from mic.errors import ConfigError
from mic.evaluation.verification import curve, over_draws

SAME = np.array([False, True, True, False])


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int64, np.float32])
def test_the_curve_does_not_depend_on_how_scores_are_stored(dtype):
    low = np.iinfo(dtype).min if np.issubdtype(dtype, np.integer) else -5
    scores = np.array([low, 2, 3, 2], dtype)
    found = curve(scores, SAME).auc
    assert found == pytest.approx(roc_auc_score(SAME, scores.astype(float)))
    assert curve(scores.tolist(), SAME.tolist()).auc == found


def test_equal_infinite_scores_are_a_tie():
    same = np.array([True, False, False])
    assert curve(np.array([np.inf, np.inf, -np.inf]), same).auc == 0.75
    assert curve(np.array([1e9, 1e9, -1e9]), same).auc == 0.75


def test_scores_and_people_that_do_not_belong_together_are_refused():
    one = np.ones((1, 2), int)
    for wrong in (
        lambda: curve(np.ones(2), SAME),
        lambda: curve(np.ones(5), SAME),
        lambda: list(over_draws(np.ones(2), np.array([0, 1]), np.array([0, -1]), one)),
        lambda: list(over_draws(np.ones(2), np.array([0, 1]), np.array([0, 2]), one)),
    ):
        with pytest.raises(ConfigError):
            wrong()
