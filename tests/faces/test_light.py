"""Dark, pale and flat pictures are given the range of well lit ones, and no others."""

import numpy as np
import pytest

from mic.faces.light import lit


def _ramp(low, high):
    """Greys from one level to another, equally many of each."""
    gray = np.linspace(low, high, 64 * 64).reshape(64, 64).astype(np.uint8)
    return np.stack([gray] * 3, axis=-1)


@pytest.mark.parametrize("face", [_ramp(0, 255), _ramp(30, 145)])
def test_a_face_that_is_well_lit_is_left_alone(face):
    assert lit(face) is face


@pytest.mark.parametrize(("low", "high"), [(0, 30), (100, 130), (225, 255)])
def test_a_dark_a_pale_and_a_flat_face_get_the_range_of_others(low, high):
    found = np.asarray(lit(_ramp(low, high)))
    assert found.min() <= 21
    assert np.percentile(found, 99) == pytest.approx(190, abs=8)


def test_what_has_next_to_no_range_is_not_blown_up_to_noise():
    assert np.asarray(lit(_ramp(120, 125))).max() <= 100


def test_nothing_changes_at_once():
    one, other = (np.asarray(lit(_ramp(60, 60 + wide)), float) for wide in (111, 113))
    assert np.abs(one - other).max() <= 8
    values = [float(np.asarray(lit(_ramp(60, 60 + wide)), float).std()) for wide in range(60, 140)]
    assert np.abs(np.diff(values)).max() < 2.5


def test_one_grey_stays_one():
    assert np.asarray(lit(_ramp(77, 77))).std() == 0
