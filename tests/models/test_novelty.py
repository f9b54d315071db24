"""What is unlike the clips of training is told by features, and usual clips are not."""

import numpy as np
import pytest
import torch

from mic.models import novelty

CLASSES, SIZE = 4, 24


@pytest.fixture(scope="module")
def made():
    """Features of three hundred clips whose classes lie apart and which vary more in some ways."""
    rng = np.random.default_rng(5)
    means = 3 * rng.standard_normal((CLASSES, SIZE))
    spread = np.geomspace(3, 0.1, SIZE)

    def draw(count):
        labels = np.arange(count) % CLASSES
        return means[labels] + spread * rng.standard_normal((count, SIZE)), labels

    return draw, means, spread


def distances(found, z):
    return found(torch.from_numpy(z).float()).numpy()


def test_a_twentieth_of_usual_clips_is_called_unlike(made):
    draw, _, _ = made
    found = novelty.fitted(*draw(300), draw(200)[0])
    assert np.mean(distances(found, draw(2000)[0]) > 1) == pytest.approx(0.05, abs=0.04)


def test_what_varies_little_counts_more(made):
    draw, means, _ = made
    found = novelty.fitted(*draw(300), draw(200)[0])
    step = np.zeros(SIZE)
    step[0] = 2.0  # less than what is usual in this direction, twenty times as much in the last
    here, there = distances(found, means[:1] + step), distances(found, means[:1] + step[::-1])
    assert here[0] < 1 < there[0]
    # Between the classes is no class.
    assert distances(found, means[:2].mean(0, keepdims=True))[0] > 1


def test_of_few_clips_nothing_is_said(made):
    draw, _, _ = made
    assert novelty.fitted(*draw(300), draw(19)[0]) is None


def test_it_travels_with_the_weights(made):
    draw, _, _ = made
    found = novelty.fitted(*draw(300), draw(50)[0])
    again = novelty.Novelty(CLASSES, SIZE)
    again.load_state_dict(found.state_dict())
    z = draw(10)[0]
    assert np.array_equal(distances(found, z), distances(again, z))
