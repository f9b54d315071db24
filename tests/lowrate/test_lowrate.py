"""The low-bit-rate study on drawn faces that a small network can learn in seconds."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import root_mean_squared_error

from mic import config
from mic.errors import DatasetError
from mic.evaluation import metrics
from mic.evaluation.metrics import drawn
from mic.lowrate import bjontegaard, claims, methods, paper, scores, study, training
from mic.lowrate import sequences as valence
from mic.lowrate.networks import Architecture
from mic.lowrate.sequences import FaceSequence
from mic.lowrate.training import Recipe
from mic.lowrate.transmission import Channel, downsample, upsample
from mic.lowrate.views import Corpus

TINY = Recipe(
    architecture=Architecture(channels=(4, 6, 8), hidden=16, dropout=0.0, size=48, skip=True),
    epochs=6,
    sr_epochs=2,
    learning_rate=3e-3,
    transferred=1.0,
    patch=16,
    shift=2,
)


def drawn_face(subject, seconds=6, rate=10, delay=0.0, size=48):
    """A face whose mouth bends with valence; place, light and width belong to the subject."""
    rng = np.random.default_rng(subject)
    count = round(seconds * rate)
    walk = np.cumsum(rng.normal(0, 0.35, count + round(delay * rate)))
    felt = np.tanh(walk - walk.mean())
    y, x = np.mgrid[0:size, 0:size]
    centre, width, light = rng.uniform(22, 26), rng.uniform(9, 12), rng.uniform(120, 190)
    frames = []
    for bend in felt[round(delay * rate) :]:
        mouth = 34 - 7 * bend * (((x - centre) / width) ** 2 - 0.4)
        dark = np.exp(-(((y - mouth) / 1.6) ** 2)) * (np.abs(x - centre) < width)
        eyes = np.exp(-(((y - 16) / 2) ** 2 + ((np.abs(x - centre) - 8) / 2.5) ** 2))
        frames.append(light * (1 - 0.7 * dark - 0.6 * eyes) + rng.normal(0, 2, (size, size)))
    labels = felt[: len(frames)].astype(np.float32)  # what was felt `delay` ago
    pictures = np.clip(frames, 0, 255).astype(np.uint8)
    return FaceSequence(f"S{subject}", pictures, labels, float(rate))


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def tiny(home, monkeypatch):
    monkeypatch.setenv("MIC_HOME", str(home))
    train = Corpus.store([drawn_face(k, seconds=4) for k in range(5)], step=1)
    test = Corpus.store([drawn_face(k, seconds=4) for k in range(5, 9)], step=1)
    return study.Study(train, test, (2, 4, 8), TINY, smoothing=0.1, resamples=200)


@pytest.fixture
def brief(tiny):
    """The same study without the time to learn, for tables whose numbers nobody looks at."""
    return replace(tiny, recipe=replace(TINY, epochs=1, sr_epochs=1))


def test_scores_are_those_of_the_drawn_rows():
    rng = np.random.default_rng(4)
    truth, predicted = rng.normal(size=(2, 60))
    subjects = np.repeat([0, 1, 2], [10, 30, 20])
    draws = drawn(3, resamples=50, seed=1)
    found = scores.drawn_scores(truth, predicted, subjects, draws)
    assert draws.sum(1).tolist() == [3] * 51
    for counts, row in zip(draws[:5], found[:5], strict=True):
        chosen = np.concatenate(
            [np.flatnonzero(subjects == k) for k in np.repeat(range(3), counts)]
        )
        expected = [
            function(truth[chosen], predicted[chosen])
            for function in (
                root_mean_squared_error,
                metrics.correlation,
                metrics.concordance,
            )
        ]
        assert row == pytest.approx(expected)
    assert scores.drawn_scores(truth, np.ones(60), subjects, draws)[:, 1:].max() == 0


def test_gain_is_paired_and_its_interval_holds_the_point():
    draws = drawn(6, resamples=500, seed=0)
    rng = np.random.default_rng(0)
    truth, subjects = rng.normal(size=300), np.repeat(range(6), 50)
    noise = rng.normal(size=300)
    worse, better = (
        scores.drawn_scores(truth, truth + scale * noise, subjects, draws) for scale in (1.5, 1.0)
    )
    found = scores.difference(worse, better)
    assert 0 < found["gain_low"] < found["gain"] < found["gain_high"]
    assert scores.difference(better, better) == {"gain": 0, "gain_low": 0, "gain_high": 0}
    apart = scores.summary(better)["ccc_high"] - scores.summary(worse)["ccc_low"]
    assert found["gain_high"] - found["gain_low"] < apart


def test_hull_keeps_what_is_worth_sending():
    table = pd.DataFrame(
        {"rate": [1.0, 2, 3, 4, 2.5, 5], "score": [0.1, 0.5, 0.55, 0.7, 0.4, 0.69]},
        index=list("abcdef"),
    )
    kept = scores.hull(table, rate="rate", score="score")
    assert list(kept.index) == ["a", "b", "d"], "c is under b-d, e under b, f dearer and worse"
    single = scores.hull(table.loc[["e"]], rate="rate", score="score")
    assert list(single.index) == ["e"]


def test_the_network_learns_and_sharp_faces_teach_little_about_small_ones(tiny):
    table = study.factor_table(tiny)
    assert len(table) == 2 + 5 * 3
    assert set(table["method"]) == {"constant", "HR", "LR-S", "non-joint-S", "joint-S", "joint-OA"}
    ccc = table.set_index(["method", "factor"])["ccc"]
    assert ccc["HR", 1] > 0.5
    assert ccc["LR-S", 2] > 0.4
    assert ccc["LR-S", 8] < ccc["LR-S", 2]
    assert table[["ccc_low", "ccc_high", "rmse_low", "cc_high"]].notna().all().all()
    assert ((table["ccc_low"] <= table["ccc"]) & (table["ccc"] <= table["ccc_high"])).all()
    assert (table["n"] == 4 * 40).all()
    assert (table["subjects"] == 4).all()
    assert set(table.loc[table["seen"], "factor"]) == {4}
    constant = table.set_index("method").loc["constant"]
    assert constant[["ccc", "ccc_low", "ccc_high"]].tolist() == pytest.approx([0, 0, 0])
    assert constant["rmse"] == pytest.approx(
        np.sqrt(np.mean((tiny.test.valence - tiny.train.valence.mean()) ** 2)), rel=1e-3
    )
    size = table.groupby("method")["parameters"].first()
    assert size["HR"] == size["LR-S"] == size["joint-S"] == size["joint-OA"] < size["non-joint-S"]


def test_gains_pool_seen_and_unseen_factors(tiny):
    table = study.gain_table(tiny).set_index(["baseline", "factors"])
    assert set(table.index.get_level_values("factors")) == {"2", "4", "8", "seen", "unseen"}
    unseen = table.loc["LR-S"].loc[["2", "8"], "gain"].mean()
    assert table.loc[("LR-S", "unseen"), "gain"] == pytest.approx(unseen)
    assert table.loc[("LR-S", "seen"), "gain"] == table.loc[("LR-S", "4"), "gain"]


def test_claims_are_judged_by_sign_and_adjusted_p(tiny):
    coded = [Channel(factor=4, codec="h264", quantiser=q) for q in (20, 44)]
    table = paper.claim_table(tiny, coded)
    assert table["number"].tolist() == [1, 2, 2, 3, 4, 5, 5, 5, 5]
    assert paper.claim_table(tiny, separate=False)["number"].tolist() == [1, 2, 3, 4]
    assert "joint-S" not in set(study.factor_table(tiny, without=["joint-S"])["method"])
    assert (table["p_holm"] >= table["p"]).all()
    assert ((table["gain_low"] <= table["gain"]) & (table["gain"] <= table["gain_high"])).all()
    said = [paper.verdict(0.1, 0.01), paper.verdict(-0.1, 0.01), paper.verdict(0.1, 0.2)]
    assert said == ["reproduced", "not reproduced", "undecided"]


def test_rate_difference_of_a_sender_from_itself_is_none_and_the_interval_is_paired(tiny):
    points = [
        (methods.high_resolution(TINY), Channel(codec="h264", quantiser=quantiser))
        for quantiser in (20, 36, 48)
    ]
    tiny.prepare((cell, [channel]) for cell, channel in points)
    table = bjontegaard.rate_table(tiny, {"itself": points}, points)
    kept = table[table["points"] == "worthwhile"].iloc[0]
    assert kept["difference"] == pytest.approx(0)
    assert kept["defined"] > 0.5
    assert (table["subjects"] == 4).all()
    assert set(claims.describe(table)) == set(table.columns)


def test_rates_rise_with_quality_and_the_hull_is_a_part_of_them(tiny):
    channels = [
        Channel(factor=factor, codec="h264", quantiser=quantiser)
        for factor in (1, 4)
        for quantiser in (20, 44)
    ]
    table = study.rate_table(tiny, channels, ("HR", "LR-S", "joint-OA"))
    assert len(table) == 2 * 2 + 2 * 3
    rate = table.set_index(["method", "factor", "quantiser"])["bits_per_pixel"]
    assert rate["HR", 1, 20] > rate["HR", 1, 44] > rate["HR", 4, 44]
    kept = study.hull_table(table)
    assert set(kept["method"]) == set(table["method"])
    for _, part in kept.groupby("method"):
        assert part["bits_per_pixel"].is_monotonic_increasing
        assert part["ccc"].is_monotonic_increasing


def test_mixing_options_and_time_fill_every_cell(brief):
    mixing = study.mixing_table(brief, [(4,), (2, 4, 8)])
    assert len(mixing) == 2 * 2 * 3
    options = study.option_table(brief, 4)
    assert {"CCC loss", "stride-4 pooling", "samples over 255"} <= set(options["choice"])
    over_time = study.temporal_table(brief, brief.methods(4)["joint-OA"], 4)
    assert list(over_time["head"]) == ["per frame", "LSTM, CCC loss"]
    for table in (mixing, options, over_time):
        assert table[["rmse", "cc", "ccc", "ccc_low", "ccc_high"]].notna().all().all()


def test_verdicts_need_intervals_that_exclude_the_bound(tiny):
    gains = pd.DataFrame(
        [
            ("LR-S", "seen", 0.2, 0.1, 0.3),
            ("LR-S", "unseen", 0.2, -0.1, 0.3),
            ("joint-S", "unseen", -0.2, -0.3, -0.1),
            ("joint-S", "4", 0.9, 0.8, 0.95),
        ],
        columns=["baseline", "factors", "gain", "gain_low", "gain_high"],
    )
    residual = pd.DataFrame(
        [("max-mix", 1, 2, -0.01, -0.02, 0.01), ("max-mix", 2, 9, -0.04, -0.09, -0.01)],
        columns=["model", "factor", "quantiser", "change", "change_low", "change_high"],
    )
    mixing = study.mixing_table(tiny, [(4,)])
    found = claims.verdicts(gains, mixing, residual)
    decided = found[found["low"].notna()]["verdict"]
    assert list(decided) == [
        "supported",
        "undecided",
        "contradicted",
        "supported",
        "undecided",
    ]


def test_another_process_gives_the_same_predictions(one_worker, monkeypatch, tmp_path):
    answers = []
    for folder, jobs in ((tmp_path / "one", 1), (tmp_path / "two", 2)):
        monkeypatch.setenv("MIC_HOME", str(folder))
        train = Corpus.store([drawn_face(k, seconds=2) for k in range(2)], step=1)
        test = Corpus.store([drawn_face(k, seconds=2) for k in range(2, 4)], step=1)
        cell = methods.joint(Channel(factor=4), replace(TINY, epochs=1, sr_epochs=1))
        work = [(cell, [Channel(factor=4)]), (methods.high_resolution(TINY), [Channel()])]
        methods.run(work, train, test, jobs=jobs)
        answers.append(methods.predictions(cell, train, test, Channel(factor=4)))
    assert np.array_equal(*answers)


def test_a_second_run_trains_nothing(tiny, monkeypatch):
    cell = tiny.methods(4)["LR-S"]
    first = tiny.drawn(cell, Channel(factor=4))
    monkeypatch.setattr(training, "fit_valence", lambda *_, **__: pytest.fail("trained again"))
    tiny.prepare([(cell, [Channel(factor=4)])])
    assert np.array_equal(tiny.drawn(cell, Channel(factor=4)), first)


def test_restoring_beats_interpolation_on_unseen_faces():
    frames = np.concatenate([drawn_face(k).frames for k in range(4)])
    low = upsample(downsample(frames, 4), 48)
    recipe = replace(TINY, sr_epochs=8)
    network = training.fit_restorer([low], frames, recipe)
    other = drawn_face(9).frames
    blurred = upsample(downsample(other, 4), 48)
    restored = training.restore(network, blurred)
    errors = [((part.astype(float) - other) ** 2).mean() for part in (blurred, restored)]
    assert errors[1] < 0.95 * errors[0]


def test_frozen_convolutions_stay_and_tuned_ones_move():
    sequence = drawn_face(1)
    low = upsample(downsample(sequence.frames, 4), 48)
    recipe = replace(TINY, epochs=1)
    restorer = training.fit_restorer([low], sequence.frames, recipe)
    for freeze in (True, False):
        network = training.fit_valence(
            [low], sequence.valence, recipe, initial=restorer, freeze=freeze
        )
        pairs = zip(
            restorer.convolutions.parameters(), network.convolutions.parameters(), strict=True
        )
        assert all(torch.equal(first, second) for first, second in pairs) == freeze


def test_the_delay_of_the_raters_is_found():
    sequences = [drawn_face(k, seconds=20, delay=0.8, size=48) for k in range(4)]
    found, curve = valence.estimate_delay(sequences, [0.0, 0.4, 0.8, 1.2, 1.6])
    assert found == 0.8
    assert curve[0.8] > curve[0.0]
    moved = valence.compensated(sequences[0], 0.8)
    assert len(moved.frames) == len(moved.valence) == 200 - 8
    assert moved.valence[0] == sequences[0].valence[8]
    with pytest.raises(DatasetError, match="not longer than the delay"):
        valence.compensated(sequences[0], 30)
    with pytest.raises(DatasetError, match="two subjects"):
        valence.estimate_delay(sequences[:1], [0.0])


def test_thinning_and_smoothing():
    sequence = drawn_face(0)
    thin = valence.thinned(sequence, 5)
    assert (len(thin.frames), thin.frame_rate) == (12, 2.0)
    assert thin.valence[2] == sequence.valence[10]
    assert valence.smoothed(np.array([0, 0, 3, 0, 0], np.float32), 3, 1).tolist() == [
        0,
        1,
        1,
        1,
        0,
    ]


def test_labels_that_do_not_fit_are_refused():
    with pytest.raises(DatasetError, match="do not match"):
        FaceSequence("S", np.zeros((3, 48, 48), np.uint8), np.zeros(2, np.float32), 25.0)


def test_profiles_train_as_they_say():
    paper, default = (study.recipe_for(config.PROFILES[name]) for name in ("paper", "default"))
    assert (paper.optimiser, paper.batch, paper.learning_rate) == ("sgd", 128, 0.01)
    assert (paper.transferred, paper.weight_decay) == (0.1, 5e-4)
    assert paper.architecture == Architecture()
    assert default.architecture.channels == (8, 16, 32)
