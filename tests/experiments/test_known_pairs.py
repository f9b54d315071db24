"""Distributions of known mutual information, and who finds it where nothing is Gaussian."""

import math

import pytest
import torch

from mic import mi
from mic.errors import ConfigError
from mic.experiments import known_pairs


@pytest.mark.parametrize(
    "pair", [p for p in known_pairs.pairs() if p.dimensions == 1], ids=lambda p: p.name
)
def test_truth_is_what_neighbours_find_in_one_dimension(pair):
    x, y = pair.draw(4000, torch.Generator().manual_seed(0))
    assert x.shape == y.shape == (4000, 1)
    assert mi.measure(x, y, estimator="ksg") == pytest.approx(pair.truth, abs=0.06)


def test_truths_at_their_limits():
    # A sign that is known from y alone costs exactly one bit; without noise it is always known.
    clear = known_pairs.random_sign(3, 1e-3).truth
    assert clear == pytest.approx(1.5 * math.log1p(1e6) - math.log(2), abs=1e-3)
    heavy, light = (
        known_pairs.student(2, 2.0, 0.5).truth,
        known_pairs.student(2, 4000.0, 0.5).truth,
    )
    assert heavy > light
    assert light == pytest.approx(known_pairs.gaussian(2, 0.5).truth, abs=1e-3)


def test_neighbours_need_more_rows_than_they_are():
    with pytest.raises(ConfigError, match="neighbours"):
        mi.neighbour_information(torch.randn(3, 1), torch.randn(3, 1))
