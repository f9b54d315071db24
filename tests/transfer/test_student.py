"""The student learns what is there, refuses what it cannot know, and knows left from right."""

import dataclasses

import numpy as np
import pytest
import torch

from mic.errors import ConfigError
from mic.synthface.action_units import CODES
from mic.transfer import scores, student
from mic.transfer.crops import EDGE
from mic.transfer.examples import Examples
from mic.transfer.teacher import SHAPES

SMILE = [SHAPES.index("mouthSmileLeft"), SHAPES.index("mouthSmileRight")]
QUICK = dataclasses.replace(student.DEFAULT, epochs=16, batch=32)


def planted(count, *, seed=0):
    """Faces whose smile is how light a corner of the lower half has become, each side its own."""
    rng = np.random.default_rng(seed)
    strength = rng.uniform(0, 0.8, (count, 2)).astype(np.float32)
    residual = rng.normal(0, 4, (count, EDGE, EDGE))
    residual[:, 40:56, 8:24] += 60 * strength[:, 0, None, None]
    residual[:, 40:56, 40:56] += 60 * strength[:, 1, None, None]
    shapes = np.zeros((count, len(SHAPES)), np.float32)
    shapes[:, SMILE] = strength
    units = np.zeros((count, len(CODES)), np.float32)
    units[:, CODES.index("12")] = strength.mean(1)
    groups = 4
    return Examples(
        residual=residual.astype(np.int16),
        motion=np.zeros((count, 2, EDGE, EDGE), np.int16),
        iframe=np.full((groups, EDGE, EDGE), 100, np.uint8),
        look=np.full((groups, len(SHAPES)), 0.1, np.float32),
        shapes=shapes,
        units=units,
        group=np.arange(count) % groups,
        seconds=np.zeros(count, np.float32),
        clips=tuple("abcd"),
        people=tuple("abcd"),
    )


@pytest.fixture(scope="module")
def learned():
    return student.fit(planted(256), ("residual",), schedule=QUICK)


def test_it_learns_each_side_of_a_smile(learned):
    test = planted(64, seed=1)
    found = student.predict(learned, test)
    assert scores.explained(test.shapes, found.shapes, test.subjects).value > 0.7
    for place in SMILE:
        assert np.corrcoef(test.shapes[:, place], found.shapes[:, place])[0, 1] > 0.85
    unit = CODES.index("12")
    assert np.corrcoef(test.units[:, unit], found.units[:, unit])[0, 1] > 0.85


def test_mirrored_faces_have_mirrored_answers(learned):
    """Learned with mirrored examples; the picture's left corner is one side's, whoever smiles."""
    test = planted(64, seed=1)
    flipped = dataclasses.replace(test, residual=np.ascontiguousarray(test.residual[..., ::-1]))
    plain = student.predict(learned, test).shapes[:, SMILE]
    other = student.predict(learned, flipped).shapes[:, SMILE]
    assert np.abs(plain - other[:, ::-1]).mean() < 0.1


def test_equal_seeds_give_equal_students():
    once = [
        student.fit(planted(40), ("residual", "motion", "look"), schedule=QUICK, seed=seed)
        for seed in (0, 0, 1)
    ]
    states = [one.state_dict() for one in once]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert not torch.equal(states[0]["output.weight"], states[2]["output.weight"])


def test_training_leaves_the_callers_chance_alone():
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    student.fit(planted(32), ("residual",), schedule=dataclasses.replace(QUICK, epochs=1))
    assert torch.equal(torch.rand(1), expected)


def test_blendshapes_stay_in_their_range(learned):
    test = planted(16)
    test.residual[:] = 30_000
    began = test.look[test.group]
    after = began + student.predict(learned, test).shapes
    assert after.min() >= 0
    assert after.max() <= 1 + 1e-6


def test_answers_do_not_depend_on_who_is_asked_beside(learned):
    test = planted(33)
    whole, single = student.predict(learned, test), student.predict(learned, test, batch=1)
    np.testing.assert_allclose(whole.shapes, single.shapes, atol=1e-5)


@pytest.mark.parametrize("inputs", [("look",), ("residual", "residual"), ("sound",), ()])
def test_inputs_that_cannot_be_are_refused(inputs):
    with pytest.raises(ConfigError):
        student.Student(inputs)


def test_real_people_cannot_be_trained_on():
    unknown = planted(8)
    unknown.units[:] = np.nan
    with pytest.raises(ConfigError, match="action units"):
        student.fit(unknown, ("residual",))


def test_a_frame_costs_a_few_million_multiplications():
    """Of which a core does more than a thousand frames' worth in a second."""
    found = student.Student(("residual", "motion", "iframe", "look"))
    count = [0]

    def multiplications(module, given, made):
        count[0] += made[0].numel() * module.weight[0].numel()

    for module in found.modules():
        if isinstance(module, torch.nn.Conv2d | torch.nn.Linear):
            module.register_forward_hook(multiplications)
    found.eval()(torch.zeros(1, 4, EDGE, EDGE), torch.zeros(1, len(SHAPES)))
    assert 2e6 < count[0] < 8e6
