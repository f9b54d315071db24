"""Planted identity is found, dealt-out identity is not, and rates are what they say."""

import dataclasses

import numpy as np
import pytest

from mic.errors import ConfigError
from mic.evaluation.leakage import Features
from mic.evaluation.metrics import drawn
from mic.experiments.privacy import placebos
from mic.experiments.privacy.attackers import ATTACKERS, OWN_PEOPLE, PairScores, attack
from mic.experiments.privacy.planted import planted
from mic.experiments.privacy.rates import rates


def features(*, people=40, seed=0, first=0, size=16, classes=4):
    """Four clips a person, which tell the expression and nothing of the person."""
    draw = np.random.default_rng(seed)
    centres = 3 * np.random.default_rng(9).normal(size=(classes, size))
    who = np.repeat(np.arange(first, first + people), 4)
    labels = np.tile(np.arange(classes), people)
    z = centres[labels] + draw.normal(size=(len(who), size))
    return Features(z=z, labels=labels, subjects=who, identity=draw.normal(size=(len(who), 3)))


def sets(share, code="trace", seed=0):
    train, test = features(), features(people=24, seed=1, first=100)
    return (
        planted(part, share, code=code, seed=2 * seed + k) for k, part in enumerate((train, test))
    )


def auc(name, share, code="trace", draws=1):
    found = []
    for seed in range(draws):
        scored = attack(name, *sets(share, code, seed), seed=seed)
        found.append(rates(scored, drawn(24, resamples=0, seed=0)).auc[0])
    return float(np.mean(found))


@pytest.mark.parametrize("name", ATTACKERS)
def test_every_attacker_finds_a_planted_trace(name):
    assert auc(name, 0.5) > 0.7


@pytest.mark.parametrize("name", ATTACKERS)
def test_no_attacker_finds_what_is_not_there(name):
    assert auc(name, 0.0, draws=4) == pytest.approx(0.5, abs=0.06)


def test_attackers_see_more_of_more():
    found = [auc("similarity", share, draws=2) for share in (0.0, 0.1, 0.5)]
    assert found == sorted(found)


def test_a_sign_hides_from_similarity_and_not_from_a_kernel():
    assert auc("similarity", 0.8, "sign", draws=4) == pytest.approx(0.5, abs=0.06)
    assert auc("kernel", 0.8, "sign", draws=2) > auc("similarity", 0.8, "sign", draws=2)


def test_planting_keeps_the_expression_and_the_share_that_was_asked_for():
    plain = features(people=400)
    made = planted(plain, 0.3, seed=4)
    for label in range(4):
        rows = plain.labels == label
        np.testing.assert_allclose(made.z[rows].mean(0), plain.z[rows].mean(0), atol=0.25)
    within = made.z - np.stack([made.z[made.labels == k].mean(0) for k in range(4)])[made.labels]
    mean = np.stack([within[made.subjects == who].mean(0) for who in np.unique(made.subjects)])
    # Of four clips' mean a share s + (1 - s) / 4 of the variance is left.
    assert mean.var() / within.var() == pytest.approx(0.3 + 0.7 / 4, abs=0.03)
    with pytest.raises(ConfigError, match="share"):
        planted(plain, 1.5)


def test_nobody_is_learned_from_and_attacked():
    one = features()
    with pytest.raises(ConfigError, match="learned from and attacked"):
        attack("linear", one, one)
    with pytest.raises(ConfigError, match="no attacker"):
        attack("oracle", one, features(first=100))


@pytest.mark.parametrize("name", ATTACKERS)
def test_features_that_do_not_vary_tell_nothing(name):
    train, test = (
        dataclasses.replace(part, z=np.zeros_like(part.z))
        for part in (features(), features(people=12, first=100))
    )
    scored = attack(name, train, test)
    assert np.isfinite(scored.scores).all()
    assert rates(scored, drawn(12, resamples=0, seed=0)).auc[0] == pytest.approx(0.5)


def test_own_people_are_scored_within_groups_only():
    scored = attack(OWN_PEOPLE, *sets(0.0))
    every = attack("linear", *sets(0.0))
    assert 0 < len(scored.scores) < len(every.scores)


def test_rates_of_scores_by_hand():
    """Two people with two clips each: two pairs of one person, four of two."""
    first, second = np.array([0, 0, 0, 1, 1, 2]), np.array([1, 2, 3, 2, 3, 3])
    scores = np.array([0.9, 0.8, 0.1, 0.2, 0.3, 0.5])
    people = np.array([0, 0, 1, 1])
    found = PairScores(first=first, second=second, scores=scores, people=people)
    reached = rates(found, drawn(2, resamples=50, seed=1))
    # 0.9 is above all four pairs of two people, 0.5 above three of them.
    assert reached.auc[0] == pytest.approx(7 / 8)
    assert reached.match_at_1[0] == reached.match_at_10[0] == pytest.approx(1 / 2)
    assert found.named().tolist() == [1, 1, 0, 1]
    assert reached.naming[0] == pytest.approx(3 / 4)
    # A draw of one person alone has no pair of two.
    alone = (drawn(2, resamples=50, seed=1) == 0).any(1)
    assert np.isnan(reached.auc[alone]).all()
    assert np.isfinite(reached.auc[~alone]).all()


def test_whose_only_clip_it_is_cannot_be_named():
    found = PairScores(
        first=np.array([0, 0, 1]),
        second=np.array([1, 2, 2]),
        scores=np.array([0.5, 0.1, 0.2]),
        people=np.array([0, 0, 1]),
    )
    named = found.named()
    assert named[:2].tolist() == [1, 1]
    assert np.isnan(named[2])


def test_equal_scores_match_nobody_and_count_half():
    found = PairScores(
        first=np.array([0, 0, 1]),
        second=np.array([1, 2, 2]),
        scores=np.zeros(3),
        people=np.array([0, 0, 1]),
    )
    reached = rates(found, drawn(2, resamples=0, seed=0))
    assert reached.auc[0] == 0.5
    assert reached.match_at_10[0] == 0


def test_a_stranger_is_never_oneself_and_noise_is_as_large():
    subjects = np.repeat(np.arange(30), 3)
    identity = np.repeat(np.arange(30.0), 3)[:, None] * np.ones((1, 4))
    given = placebos.DRAWS["stranger"](identity, subjects, 0)
    assert (given[:, 0] != identity[:, 0]).all()
    assert set(given[:, 0]) <= set(identity[:, 0])
    assert (given != placebos.DRAWS["stranger"](identity, subjects, 1)).any()
    # One stranger for all clips of a person would name the person.
    assert any(len(set(given[subjects == who, 0])) > 1 for who in range(30))
    noise = placebos.DRAWS["noise"](identity, subjects, 0)
    assert noise.std() == pytest.approx(identity.std(), rel=0.2)
