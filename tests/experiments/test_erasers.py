"""Erasers take out an identity that is there; placebos, given nothing of it, leave it."""

import numpy as np
import pytest

from mic.evaluation.leakage import Features
from mic.evaluation.metrics import drawn
from mic.experiments.privacy.attackers import attack
from mic.experiments.privacy.erasers import ERASERS, Material
from mic.experiments.privacy.rates import rates


def features(*, people, seed, first=0, size=12, classes=4, apart=4.0):
    """Four clips a person: expression, noise, and a displacement that z_I tells of."""
    draw = np.random.default_rng(seed)
    shared = np.random.default_rng(5)
    centres, mixing = apart * shared.normal(size=(classes, size)), shared.normal(size=(3, size))
    who = np.repeat(np.arange(first, first + people), 4)
    identity = np.repeat(draw.normal(size=(people, 3)), 4, axis=0)
    labels = np.tile(np.arange(classes), people)
    z = centres[labels] + 1.5 * identity @ mixing + draw.normal(size=(len(who), size))
    return Features(z=z, labels=labels, subjects=who, identity=identity)


def left(name, seed=0, attacker="linear", **shape):
    """AUC of an attacker and accuracy of class means, after an eraser."""
    train = features(people=60, seed=0, **shape)
    test = features(people=24, seed=1, first=100, **shape)
    material = Material(
        z=train.z, labels=train.labels, subjects=train.subjects, identity=train.identity
    )
    erase = ERASERS[name].fit(material, seed) if name else lambda z: z
    sets = [
        Features(
            z=erase(part.z), labels=part.labels, subjects=part.subjects, identity=part.identity
        )
        for part in (train, test)
    ]
    auc = rates(attack(attacker, *sets), drawn(24, resamples=0, seed=0)).auc[0]
    means = np.stack([sets[0].z[train.labels == k].mean(0) for k in range(4)])
    nearest = ((sets[1].z[:, None] - means) ** 2).sum(-1).argmin(1)
    return auc, (nearest == test.labels).mean()


def test_linear_erasure_of_z_i_removes_what_its_placebos_leave():
    before, accuracy = left("")
    auc, kept = left("linear, z_I")
    assert before > 0.85
    assert auc < 0.6
    assert kept > accuracy - 0.05
    assert left("linear, noise")[0] > auc + 0.1
    assert left("linear, a stranger's z_I")[0] > auc + 0.1


def test_kernel_erasure_removes_more_than_its_placebo_and_keeps_the_expression():
    auc, kept = left("kernel, z_I")
    assert auc < left("")[0] - 0.2
    assert auc < left("kernel, a stranger's z_I")[0]
    assert kept > 0.7


@pytest.mark.parametrize("name", ERASERS)
def test_erasers_are_functions_of_their_seed_and_of_one_clip_at_a_time(name):
    # Expressions that overlap, so that what else is done to the features shows in an answer, and
    # more directions than people, or erasing their names would leave nothing.
    train = features(people=40, seed=0, size=96, apart=0.4)
    test = features(people=20, seed=1, first=100, size=96, apart=0.4)
    material = Material(
        z=train.z, labels=train.labels, subjects=train.subjects, identity=train.identity
    )
    one, again = (ERASERS[name].fit(material, 3)(test.z) for _ in range(2))
    np.testing.assert_array_equal(one, again)
    alone = ERASERS[name].fit(material, 3)(test.z[:1])
    np.testing.assert_allclose(alone, one[:1], atol=1e-9)
    other = ERASERS[name].fit(material, 4)(test.z)
    assert ERASERS[name].drawn == (not np.array_equal(one, other))


def test_an_answer_tells_less_of_the_person_than_the_features_it_is_read_from():
    wide = {"attacker": "similarity", "size": 96, "apart": 0.4}
    whole, accuracy = left("", **wide)
    erased, _ = left("linear, z_I + names", **wide)
    assert whole > 0.85
    assert erased < whole - 0.1
    for name in ("answer", "linear, z_I + names, answer"):
        auc, kept = left(name, **wide)
        assert auc < whole - 0.1
        assert kept > accuracy - 0.1


def test_placebos_name_an_eraser_and_are_none_themselves():
    for eraser in ERASERS.values():
        if eraser.placebo_of:
            assert not ERASERS[eraser.placebo_of].placebo_of
