"""The probes find an identity that is there, by the right amount, and none where there is none."""

import dataclasses

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from mic.errors import ConfigError
from mic.evaluation import leakage


def features(strength, *, subjects=60, seed=0, first=0, classes=7, size=24):
    """Three clips a subject: expression plus `strength` times a linear trace of the identity."""
    draw = np.random.default_rng(seed)
    shared = np.random.default_rng(99)
    mixing, centres = shared.normal(size=(5, size)), 3 * shared.normal(size=(classes, size))
    who = np.repeat(np.arange(first, first + subjects), 3)
    factors = np.repeat(draw.normal(size=(subjects, 5)), 3, axis=0)
    labels = np.concatenate([draw.permutation(classes)[:3] for _ in range(subjects)])
    z = centres[labels] + strength * factors @ mixing + draw.normal(size=(len(who), size))
    return leakage.Features(z=z, labels=labels, subjects=who, identity=factors)


def test_leaking_features_are_found_out_by_every_probe():
    found = leakage.measure(features(2.0), features(2.0, subjects=15, seed=1, first=100))
    assert found.auc > 0.9
    assert found.trained_auc > 0.9
    assert found.eer < 0.2
    assert found.linear_probe > 0.6
    assert found.mlp_probe > 0.6
    assert found.r2_linear > 0.8
    assert found.r2_mlp > 0.6
    assert found.subjects == 15
    assert found.clips == 45


def test_clean_features_pass_every_probe():
    results = [
        leakage.measure(features(0.0, seed=s), features(0.0, subjects=15, seed=s + 50, first=100))
        for s in range(3)
    ]

    def mean(name):
        return np.mean([getattr(r, name) for r in results])

    assert mean("auc") == pytest.approx(0.5, abs=0.12)
    assert mean("trained_auc") == pytest.approx(0.5, abs=0.12)
    assert mean("r2_linear") < 0.05
    assert mean("r2_mlp") < 0.1
    assert mean("linear_probe") < 0.25


def test_leakage_grows_with_the_identity_in_the_features():
    values = []
    for strength in (0.0, 0.3, 1.0):
        train, test = features(strength), features(strength, subjects=20, seed=1, first=100)
        values.append(
            leakage.ridge_r2(train.z, train.identity, train.subjects, test.z, test.identity)
        )
    assert values[0] < values[1] < values[2]


def test_expression_alone_is_not_taken_for_identity():
    # Strong expression, no identity: similarity without the correction would be far from 0.5.
    test = features(0.0, subjects=40, seed=3, first=100)
    auc, _ = leakage.verification(test.z - test.z.mean(0), test.subjects, test.labels)
    assert auc == pytest.approx(0.5, abs=0.1)


def test_one_pair_of_a_person_has_the_rate_at_which_both_errors_are_equal():
    # One pair of one person, which a third of the pairs of two people resemble more.
    z = np.array([[1.0, 0.0], [0.6, 0.8], [0.9, 0.1], [0.0, 1.0], [-1.0, 0.2]])
    subjects, labels = np.array(["a", "a", "b", "c", "d"]), np.array([0, 1, 2, 3, 4])
    auc, eer = leakage.verification(z, subjects, labels)
    first, second, scores = leakage.pairs(z, labels)
    same = subjects[first] == subjects[second]
    above = float((scores[~same] > scores[same]).mean())
    assert 0 < above < 1
    assert (auc, eer) == pytest.approx((1 - above, above))


def test_seen_subjects_are_refused():
    with pytest.raises(ConfigError, match="unseen"):
        leakage.measure(features(1.0), features(1.0, subjects=5))


def test_one_clip_a_subject_is_not_measurable_rather_than_wrong():
    test = features(1.0, subjects=10, seed=1, first=100)
    single = leakage.Features(**{k: v[::3] for k, v in dataclasses.asdict(test).items()})
    found = leakage.measure(features(1.0), single)
    assert np.isnan(found.auc)
    assert np.isnan(found.linear_probe)
    assert found.r2_linear > 0.5


def test_draws_of_the_auc_scatter_around_it_and_are_paired():
    train, test = features(0.6), features(0.6, subjects=20, seed=1, first=100)
    draws = leakage.auc_resamples(train, test, resamples=400)
    low, high = np.quantile(draws, [0.025, 0.975])
    assert low < leakage.measure(train, test).auc < high
    assert 0.02 < high - low < 0.4
    assert np.array_equal(draws, leakage.auc_resamples(train, test, resamples=400))
    # Draw by draw, more identity in the same features is more of it.
    more = leakage.auc_resamples(
        features(1.2), features(1.2, subjects=20, seed=1, first=100), resamples=400
    )
    assert (more > draws).mean() > 0.99
    assert (more - draws).std() < draws.std() + more.std()


def test_a_draw_of_every_subject_once_is_the_auc_itself(monkeypatch):
    train, test = features(0.6), features(0.6, subjects=20, seed=1, first=100)

    class Everybody:
        def integers(self, count, size):
            return np.arange(count)

    monkeypatch.setattr(np.random, "default_rng", lambda seed: Everybody())
    found = leakage.auc_resamples(train, test, resamples=1)
    monkeypatch.undo()
    assert found[0] == pytest.approx(leakage.measure(train, test).auc, abs=1e-12)


def test_features_that_say_nothing_have_draws_of_a_half():
    one, other = (
        dataclasses.replace(some, z=np.ones_like(some.z))
        for some in (features(1.0), features(1.0, subjects=12, seed=1, first=100))
    )
    drawn = leakage.auc_resamples(one, other, resamples=20, seed=0)
    assert drawn == pytest.approx(0.5)


def test_chance_is_what_the_commonest_name_is_right_on():
    subjects = np.repeat(["a", "b", "c", "d"], [100, 3, 3, 1])
    answers = []

    def probe(z, numbers, new):
        answers.append(np.bincount(numbers).argmax())
        return np.full(len(new), answers[-1])

    guessed = leakage._identification(probe, np.zeros((107, 2)), subjects)
    assert guessed == leakage._chance(subjects) == pytest.approx(1 / 3)


def test_an_expression_that_nobody_trained_with_is_measured_all_the_same():
    train, test = features(1.0, classes=6), features(1.0, subjects=15, seed=1, first=100)
    assert test.labels.max() > train.labels.max()
    found = leakage.measure(train, test)
    assert found.clips == 45
    assert 0.5 < found.auc <= 1


@pytest.mark.parametrize(("people", "size"), [(60, 40), (40, 400), (60, 1200)])
def test_directions_are_those_of_shrunk_discriminant_analysis(people, size):
    draw = np.random.default_rng(people)
    subjects = np.repeat(np.arange(people), 3)
    traits = draw.normal(size=(people, size))
    z = 0.5 * traits[subjects] + draw.normal(size=(len(subjects), size))
    known = LinearDiscriminantAnalysis(solver="eigen", shrinkage=0.5).fit(z, subjects)
    found = leakage.discriminants(z, subjects, most=20)
    new = draw.normal(size=(30, size))
    expected, inside = new @ known.scalings_[:, :20], new @ found
    np.testing.assert_allclose(inside @ inside.T, expected @ expected.T, rtol=1e-6, atol=1e-6)


def test_directions_need_two_people_and_some_spread():
    z = np.random.default_rng(0).normal(size=(6, 5))
    assert leakage.discriminants(z, np.array(list("aaabbb"))).shape[0] == 5
    assert leakage.discriminants(z, np.array(list("aaaaaa"))) is None
    assert leakage.discriminants(z, np.array(list("abcdef"))) is None
    assert leakage.discriminants(np.ones((6, 5)), np.array(list("aabbcc"))) is None
