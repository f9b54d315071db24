"""Distributions of known mutual information, and who finds it where nothing is Gaussian."""

import math

import numpy as np
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


def test_faces_carry_a_bit_of_known_worth_and_nothing_else():
    draw = np.random.default_rng(0)
    bits = np.arange(60) % 3 == 0
    faces = draw.normal(size=(60, 8, 8)) + 2 * bits[:, None, None]
    pair = known_pairs.face_channel(faces, bits, 3, 0.1)
    assert pair.truth == known_pairs.binary_channel(1, 0.1).truth
    x, y = pair.draw(4000, torch.Generator().manual_seed(1))
    assert x.shape == y.shape == (4000, 3)
    again = pair.draw(4000, torch.Generator().manual_seed(1))
    assert torch.equal(again[0], x)
    # The first component is what the bit changes: both ends agree in nine of ten rows.
    ends = [one[:, 0].numpy() for one in (x, y)]
    halves = [end > (end.min() + end.max()) / 2 for end in ends]
    assert np.mean(halves[0] == halves[1]) == pytest.approx(0.9, abs=0.02)
    assert np.mean(halves[0]) == pytest.approx(0.5, abs=0.03)
    assert mi.measure(x, y, estimator="ksg") == pytest.approx(pair.truth, abs=0.08)
