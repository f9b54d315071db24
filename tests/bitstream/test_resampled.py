"""Squares cut out of pictures for networks: against Pillow, and against samples by hand."""

import numpy as np
import pytest

from mic.faces import warp
from mic.faces.landmarks import Roi
from mic_bitstream.pictures import resampled

SIZE = 256


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    """Noise, not smooth anywhere."""
    return np.random.default_rng(3).integers(0, 256, (203, 311, 3), np.uint8)


@pytest.mark.parametrize(
    "roi",
    [
        Roi(150, 100, 120, 0.0),
        Roi(150.3, 99.8, 90, -0.4),
        Roi(20, 30, 140, 0.3),  # half of it outside
        Roi(300, 190, 250, 2.9),
        Roi(-500, 40, 100, 0.0),  # all of it
    ],
    ids=["upright", "turned", "corner", "other corner", "outside"],
)
def test_it_is_what_pillow_gives_but_for_its_rounding(picture: np.ndarray, roi: Roi) -> None:
    found = resampled(picture, roi.matrix, SIZE)
    expected = warp(picture, roi.matrix, SIZE)
    assert (found.dtype, found.shape) == (np.float32, expected.shape)
    assert np.abs(255 * found - expected).max() < 1.01


@pytest.mark.parametrize("step", [2, 3, 5])
def test_small_results_are_of_means(picture: np.ndarray, step: int) -> None:
    size = 16
    left, top = 4 * step, 3 * step
    matrix = np.array([[1 / step, 0, -left / step], [0, 1 / step, -top / step]])
    square = picture[top : top + size * step, left : left + size * step].astype(float)
    means = square.reshape(size, step, size, step, 3).mean((1, 3)) / 255
    assert np.abs(resampled(picture, matrix, size) - means).max() < 1e-6


def test_means_at_the_right_and_at_the_bottom_are_of_what_is_there() -> None:
    picture = np.zeros((7, 8, 3), np.uint8)
    picture[6, :, 0] = 30
    picture[:, 6:, 1] = 90
    matrix = np.array([[1 / 3, 0, 0], [0, 1 / 3, 0]])
    found = 255 * resampled(picture, matrix, 3)
    assert found[2, :, 0] == pytest.approx([30, 30, 30], abs=1e-4)
    assert found[:, 2, 1] == pytest.approx([90, 90, 90], abs=1e-4)
    assert found[:2, :2].max() == 0


def test_a_view_is_read_as_it_looks(picture: np.ndarray) -> None:
    matrix = Roi(100, 90, 100, 0.1).matrix
    turned = picture[:, ::-1]
    assert np.array_equal(
        resampled(turned, matrix, 64), resampled(np.ascontiguousarray(turned), matrix, 64)
    )
    assert np.abs(resampled(picture, matrix, 64) - resampled(turned, matrix, 64)).max() > 0.1


def test_it_is_near_pillow_where_that_rounds_means(picture: np.ndarray) -> None:
    matrix = Roi(155, 101, 1200, 0.2).matrix
    found = 255 * resampled(picture, matrix, SIZE)
    assert np.abs(found - warp(picture, matrix, SIZE)).max() < 2.01
