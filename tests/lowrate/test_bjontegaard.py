"""BD-rate where the answer is known, and where there is none."""

import numpy as np
import pytest

from mic.errors import ConfigError
from mic.lowrate.bjontegaard import Curve, rate_difference

RATE = np.array([1.0, 2.0, 5.0, 9.0])
SCORE = np.array([0.2, 0.45, 0.6, 0.64])


@pytest.mark.parametrize("factor", [0.5, 1.0, 1.3])
def test_a_curve_at_a_multiple_of_the_rate_differs_by_that(factor):
    found, reason = rate_difference(Curve.of(RATE * factor, SCORE), Curve.of(RATE, SCORE))
    assert found == pytest.approx(factor - 1)
    assert reason == ""


def test_only_the_scores_that_both_reach_count():
    """Straight lines of log rate over score, one half the other's rate, overlapping in part."""
    score = np.array([0.0, 0.1, 0.2, 0.3])
    reference = Curve.of(np.exp(score), score)
    shifted = score + 0.15
    found, _ = rate_difference(Curve.of(np.exp(shifted) / 2, shifted), reference)
    assert found == pytest.approx(-0.5)


def test_curves_without_a_common_score_or_a_rise_have_none():
    reference = Curve.of(RATE, SCORE)
    for curve, why in (
        (Curve.of(RATE, SCORE + 1), "no score in common"),
        (Curve.of(RATE, SCORE[::-1]), "not monotone"),
        (Curve.of(RATE[:1], SCORE[:1]), "one point only"),
    ):
        value, reason = rate_difference(curve, reference)
        assert np.isnan(value)
        assert reason == why
    assert rate_difference(reference, Curve.of(RATE, SCORE[::-1]))[1] == "reference: not monotone"


def test_points_that_are_never_sent_are_dropped():
    rates, scores = [4.0, 1.0, 2.0, 3.0], [0.6, 0.3, 0.5, 0.4]
    curve = Curve.of(rates, scores, worthwhile=True)
    assert curve.rate.tolist() == [1, 2, 4]
    assert curve.score.tolist() == [0.3, 0.5, 0.6]
    assert len(Curve.of(rates, scores).rate) == 4


def test_rates_that_are_none_are_refused():
    with pytest.raises(ConfigError, match="no curve"):
        Curve.of([0.0, 1.0], [0.1, 0.2])
