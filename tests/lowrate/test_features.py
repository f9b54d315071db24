"""Feature coding: the message holds what it should, at what it should cost."""

import numpy as np
import pytest

from mic.errors import ConfigError
from mic.lowrate.features import FeatureCoder


@pytest.fixture
def features():
    draw = np.random.default_rng(0)
    return draw.normal(size=(4000, 6)) * [8, 4, 2, 1, 0.1, 0.001] + 3


@pytest.mark.parametrize("step", [0.02, 0.5, 4.0])
def test_messages_are_read_as_they_were_written(features, step):
    coder = FeatureCoder.fit(features[:2000], step)
    levels = coder.levels(features[2000:2100])
    for row in levels:
        assert np.array_equal(coder.decode(coder.encode(row)), row)
    error = np.abs((coder.restored(levels) - features[2000:2100]) @ coder.components.T)
    assert error.max() <= coder.step / 2 + 1e-9


def test_messages_cost_the_entropy_of_what_is_sent(features):
    coder = FeatureCoder.fit(features[:2000], 0.1)
    levels = coder.levels(features[2000:])
    bits = np.mean([len(coder.encode(row)) for row in levels])
    entropy = 0.0
    for column in levels.T:
        counts = np.unique(column, return_counts=True)[1] / len(column)
        entropy -= (counts * np.log2(counts)).sum()
    assert entropy - 0.1 < bits < entropy + 1


def test_half_the_step_costs_a_bit_more_a_component(features):
    few = features[:, :3]
    bits = []
    for step in (0.02, 0.01):
        coder = FeatureCoder.fit(few, step)
        bits.append(np.mean([len(coder.encode(row)) for row in coder.levels(few)]))
    assert bits[1] - bits[0] == pytest.approx(3, abs=0.15)


def test_what_lies_far_outside_saturates(features):
    coder = FeatureCoder.fit(features, 0.5)
    far = coder.levels(features[:1] * 1e6)
    assert np.array_equal(np.abs(far[0, 0]), coder.highest[0])
    assert np.array_equal(coder.decode(coder.encode(far[0])), far[0])


@pytest.mark.parametrize(
    ("made", "step", "message"),
    [
        (np.eye(3), 0.0, "a step of 0"),
        (np.ones((5, 3)), 1.0, "without any spread"),
        (np.eye(3), 1e-6, "levels are too many"),
    ],
)
def test_what_cannot_be_coded_is_refused(made, step, message):
    with pytest.raises(ConfigError, match=message):
        FeatureCoder.fit(made, step)
