"""Tables of what answers are worth, on made-up answers of which the truth is known."""

import numpy as np
import pytest

from mic.errors import ConfigError
from mic.synthface.action_units import CODES
from mic.transfer import answers
from mic.transfer.crops import EDGE
from mic.transfer.examples import Examples
from mic.transfer.student import Changes
from mic.transfer.teacher import SHAPES

PER_GROUP, RATE = 40, 20.0
LIMITS = np.full(len(answers.DISFA), answers.ACTING)


def course(shapes, units=None):
    """Groups of `PER_GROUP` pictures at `RATE` with given changes (groups, PER_GROUP, ...)."""
    groups = len(shapes)
    count = groups * PER_GROUP
    if units is None:
        units = np.full((groups, PER_GROUP, len(CODES)), np.nan)
    return Examples(
        residual=np.zeros((count, EDGE, EDGE), np.int16),
        motion=np.zeros((count, 2, EDGE, EDGE), np.int16),
        iframe=np.zeros((groups, EDGE, EDGE), np.uint8),
        look=np.zeros((groups, len(SHAPES)), np.float32),
        shapes=shapes.reshape(count, -1).astype(np.float32),
        units=units.reshape(count, -1).astype(np.float32),
        group=np.repeat(np.arange(groups), PER_GROUP),
        seconds=np.tile(np.arange(1, PER_GROUP + 1) / RATE, groups).astype(np.float32),
        clips=tuple(f"clip {number}" for number in range(groups)),
        people=tuple(f"person {number % 2}" for number in range(groups)),
    )


@pytest.fixture
def ramps():
    """Every blendshape rises steadily, in each group at another pace."""
    pace = np.array([0.1, 0.2, 0.3, 0.4])[:, None, None]
    seconds = np.arange(1, PER_GROUP + 1)[None, :, None] / RATE
    return course(np.broadcast_to(pace * seconds, (4, PER_GROUP, len(SHAPES))))


def _gains(table):
    return table.set_index(["interval", "method"])["gain"]


def test_who_knows_the_change_gains_all_over_the_last_look(ramps):
    said = Changes(shapes=ramps.shapes, units=ramps.units)
    gains = _gains(answers.hold_table(said, ramps, [0.5, 1.0], resamples=20))
    assert gains[0.5, "student from the last look"] == pytest.approx(1)
    assert gains[1.0, "half of the student's change"] == pytest.approx(0.75)


def test_who_sees_no_change_is_as_good_as_holding(ramps):
    said = Changes(shapes=0 * ramps.shapes, units=ramps.units)
    gains = _gains(answers.hold_table(said, ramps, [0.5], resamples=20))
    assert gains[0.5, "student from the last look"] == 0


def test_a_steady_change_is_interpolated(ramps):
    said = Changes(shapes=0 * ramps.shapes, units=ramps.units)
    gains = _gains(answers.hold_table(said, ramps, [0.5], resamples=20))
    assert gains[0.5, "interpolation"] == pytest.approx(1)


def test_a_student_that_knows_all_mends_the_interpolation():
    """A movement that comes and goes between two looks, which a line between them misses."""
    seconds = np.arange(1, PER_GROUP + 1) / RATE
    bump = 0.3 * np.sin(2 * np.pi * seconds) ** 2  # zero at every half second
    real = course(np.tile(bump[None, :, None], (2, 1, len(SHAPES))))
    known = Changes(shapes=real.shapes, units=real.units)
    gains = _gains(answers.hold_table(known, real, [0.5], resamples=20))
    assert gains[0.5, "interpolation"] < 0.05
    assert gains[0.5, "interpolation and student"] == pytest.approx(1)
    blind = Changes(shapes=0 * real.shapes, units=real.units)
    gains = _gains(answers.hold_table(blind, real, [0.5], resamples=20))
    assert gains[0.5, "interpolation and student"] == gains[0.5, "interpolation"]


def test_thresholds_follow_the_students_scale():
    """A student that says a third of every change is as right as one that says it all."""
    rng = np.random.default_rng(0)
    made = course(
        np.zeros((4, PER_GROUP, len(SHAPES))), rng.uniform(0, 1, (4, PER_GROUP, len(CODES)))
    )
    shy = Changes(made.shapes, made.units / 3)
    limits = answers.thresholds(shy, made)
    np.testing.assert_allclose(limits, answers.ACTING / 3, atol=0.02)
    table = answers.unit_table(shy, made, limits, resamples=20)
    assert table["f1"].min() > 0.95
    fixed = answers.unit_table(shy, made, LIMITS, resamples=20)
    assert (fixed["f1"] == 0).all()


def test_frames_after_the_last_look_are_left_out(ramps):
    """Looks at 0, 0.75 and 1.5 s of 2 s; those of 0.75 and 1.5 s are no rows between looks."""
    said = Changes(shapes=ramps.shapes, units=ramps.units)
    table = answers.hold_table(said, ramps, [0.75], resamples=20)
    assert set(table["n"]) == {4 * (int(1.5 * RATE) - 2)}
    with pytest.raises(ConfigError, match="3 s apart"):
        answers.hold_table(said, ramps, [3], resamples=20)


def test_codings_are_rows(ramps):
    half = Changes(shapes=ramps.shapes / 2, units=ramps.units)
    table = answers.coding_table({"one": (half, ramps), "same": (half, ramps)}, resamples=20)
    assert [*table["coding"]] == ["one", "same"]
    np.testing.assert_allclose(table["r2"], 0.75)
    np.testing.assert_allclose(table["difference"], 0, atol=1e-6)  # a straight line needs no help


def test_an_interval_that_cannot_be_is_refused(ramps):
    with pytest.raises(ConfigError, match="looks every 0"):
        answers.hold_table(Changes(ramps.shapes, ramps.units), ramps, [0], resamples=20)


def test_clips_are_rows_and_all_is_the_last(ramps):
    said = Changes(shapes=0.5 * ramps.shapes, units=ramps.units)
    table = answers.clip_table(said, ramps, resamples=50)
    assert [*table["clip"]] == [*ramps.clips, "all"]
    np.testing.assert_allclose(table["r2"], 0.75)
    assert list(table.columns) == list(answers.CLIP_COLUMNS)


def test_units_that_are_known_have_f1_of_one():
    rng = np.random.default_rng(0)
    units = rng.uniform(0, 1, (4, PER_GROUP, len(CODES)))
    made = course(np.zeros((4, PER_GROUP, len(SHAPES))), units)
    table = answers.unit_table(Changes(made.shapes, made.units), made, LIMITS, resamples=20)
    assert [*table["unit"]] == [*answers.DISFA, "mean"]
    np.testing.assert_allclose(table[["f1", "pcc"]], 1)
    np.testing.assert_allclose(table["teacher_pcc"], 0)  # who sees no change


def test_the_teacher_is_read_by_the_blendshapes_of_that_name():
    rng = np.random.default_rng(0)
    smile = rng.uniform(0, 1, (2, PER_GROUP))
    units, shapes = (np.zeros((2, PER_GROUP, len(names))) for names in (CODES, SHAPES))
    units[..., CODES.index("12")] = smile
    for side in ("Left", "Right"):
        shapes[..., SHAPES.index(f"mouthSmile{side}")] = smile
    made = course(shapes, units)
    table = answers.unit_table(Changes(made.shapes, made.units), made, LIMITS, resamples=20)
    taught = table.set_index("unit")["teacher_pcc"]
    assert taught["12"] == pytest.approx(1)
    assert taught["mean"] == pytest.approx(1)  # no other unit varies
