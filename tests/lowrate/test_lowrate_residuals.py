"""One residual model for all rates, on drawn faces whose mouth bends up or down."""

import dataclasses
from fractions import Fraction

import numpy as np
import pytest

from mic import codec
from mic.errors import ConfigError
from mic.lowrate import class_rates, residuals
from mic.lowrate.residuals import Ladder
from mic.lowrate.rungs import Rung
from mic.manifest.manifest import Clip, Manifest
from mic.models.mic import Method
from mic.storage.digest import sha256_of
from mic.training.train import Schedule

RUNGS = (Rung(factor=1, quantiser=2), Rung(factor=2, quantiser=4), Rung(factor=2, quantiser=20))


def frames(subject, direction, count=7, size=64):
    rng = np.random.default_rng(subject)
    y, x = np.mgrid[0:size, 0:size]
    light, texture = rng.uniform(110, 190), rng.normal(0, 3, (size, size))
    for step in range(count):
        bend = direction * 9 * step / (count - 1)
        mouth = 44 - bend * (((x - 32) / 14) ** 2 - 0.4)
        dark = np.exp(-(((y - mouth) / 2.5) ** 2)) * (np.abs(x - 32) < 16)
        grey = np.clip(light * (1 - 0.7 * dark) + texture, 0, 255).astype(np.uint8)
        yield np.repeat(grey[..., None], 3, 2)


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    root = tmp_path_factory.mktemp("clips")
    clips = []
    for subject in range(9):
        for label, direction in (("happy", 1), ("sad", -1)):
            name = f"S{subject}-{label}"
            target = root / f"{name}.mp4"
            codec.encode_frames(frames(subject, direction), target, frame_rate=25)
            clips.append(
                Clip(
                    clip=target.name,
                    clip_id=name,
                    subject=f"S{subject}",
                    label=label,
                    licence="CC0-1.0",
                    sha256=sha256_of(target),
                    frames=7,
                    frame_rate=Fraction(25),
                )
            )
    return Manifest(name="drawn", root=root, classes=("happy", "sad"), clips=tuple(clips))


@pytest.fixture
def ladder(manifest, tmp_path, monkeypatch):
    monkeypatch.setenv("MIC_HOME", str(tmp_path))
    rng = np.random.default_rng(0)
    people = np.repeat(rng.normal(size=(9, 4)), 2, axis=0)
    return Ladder(
        manifest=manifest,
        identity=people.astype(np.float32),
        rungs=RUNGS,
        method=Method(width=4, feature_size=16, z_size=16, regulariser="none", beta=0.0),
        schedule=Schedule(epochs=12, batch=6, learning_rate=5e-3, flip=False, gain=0.0),
        steps=4,
        edge=32,
    )


def test_all_rungs_deliver_maps_of_one_size(ladder):
    parts = [ladder.tensors(rung) for rung in RUNGS]
    assert {part.residual.shape for part in parts} == {(18, 4, 3, 32, 32)}
    strengths = [part.residual.float().abs().mean().item() for part in parts]
    assert min(strengths) > 0
    # Coded at other sizes and quantisers, the maps still show the same change of the face.
    fine = parts[0].residual[:, -1].float().mean((1,))
    small = parts[1].residual[:, -1].float().mean((1,))
    correlation = np.corrcoef(fine.flatten(), small.flatten())[0, 1]
    assert correlation > 0.6


def test_the_table_is_whole_and_the_mixed_model_learns(ladder):
    residuals.run(ladder)
    table = residuals.accuracy_table(ladder, resamples=200)
    assert len(table) == 4 * len(RUNGS)
    assert (table["n"] == 18).all()
    assert (table["subjects"] == 9).all()
    rate = table.groupby(["factor", "quantiser"])["bits_per_pixel"].first()
    assert rate[1, 2] > rate[2, 4] > rate[2, 20]
    dedicated = table[table["model"] == "dedicated"]
    assert (dedicated["change"] == 0).all()
    best = table.groupby("model")["accuracy"].max()
    assert best["dedicated"] >= 0.8
    assert best[residuals.MIXED] >= 0.8
    assert best[residuals.LONGER] >= 0.8
    assert ladder.epochs(residuals.MIXED) * len(RUNGS) == ladder.epochs(residuals.LONGER) == 12
    first = table[(table["factor"] == 1)].set_index("model")["accuracy"]
    assert first["finest"] == first["dedicated"]


def test_answers_are_kept_and_another_process_agrees(ladder, one_worker, tmp_path, monkeypatch):
    short = dataclasses.replace(ladder, schedule=dataclasses.replace(ladder.schedule, epochs=1))
    residuals.run(short)
    monkeypatch.setattr(residuals, "_answer", lambda *_: pytest.fail("trained again"))
    first = residuals.answers(short, residuals.MIXED, "fold 0")
    monkeypatch.setenv("MIC_HOME", str(tmp_path / "other"))
    residuals.run(short, jobs=2)
    assert np.array_equal(
        first["logits"], residuals.answers(short, residuals.MIXED, "fold 0")["logits"]
    )


def test_speed_counts_frames_of_the_video(ladder):
    table = residuals.speed_table(ladder, clips=2, repeats=2)
    assert (table["frames_per_second"] > 0).all()
    assert table["parse_share"].between(0, 1).all()
    assert len(table) == len(RUNGS)


def test_sizes_that_do_not_meet_are_refused(ladder):
    with pytest.raises(ConfigError, match="cannot become maps"):
        dataclasses.replace(ladder, edge=24).tensors(RUNGS[0])


def test_pictures_and_residuals_show_the_same_change_of_the_same_bits(ladder):
    pictures = dataclasses.replace(ladder, shown="pictures")
    for rung in RUNGS[:2]:
        seen, read = (one.delivered(rung) for one in (pictures, ladder))
        assert [int(one["bits"]) for one in seen] == [int(one["bits"]) for one in read]
        assert all(0 < one["intra_bits"] < one["bits"] for one in read)
        last = [np.stack([clip["maps"][-1] for clip in one]).ravel() for one in (seen, read)]
        assert np.corrcoef(*last)[0, 1] > 0.7  # what moved is in the pictures alone
        assert np.abs(last[0]).max() > 20


def test_an_accuracy_costs_less_without_the_i_vop(ladder):
    short = dataclasses.replace(ladder, mixes=(), rungs=RUNGS[:2])
    pictures = dataclasses.replace(short, shown="pictures")
    found, differences = class_rates.tables(short, pictures, resamples=50)
    assert set(found.columns) | set(differences.columns) == set(class_rates.COLUMNS)
    rates = found.set_index(["sender", "factor"])["bit_rate"]
    for model in (class_rates.FINEST, class_rates.DEDICATED):
        whole, predicted = (
            rates[f"{kind}, {model}"] for kind in ("residuals", "residuals of P-VOPs")
        )
        assert (predicted < whole).all()
        assert (rates[f"pictures, {model}"] == whole).all()
    assert class_rates.REFERENCE not in set(differences["sender"])
    assert len(differences) == 2 * (3 * 2 - 1)
    with pytest.raises(ConfigError, match="different clips, rungs or parts"):
        class_rates.tables(short, dataclasses.replace(pictures, rungs=RUNGS), resamples=5)


def test_half_the_bits_for_the_same_answers_are_half_the_rate(ladder, monkeypatch):
    # Of 18 clips 6, 12 and 18 are right, at 1000, 2000 and 4000 bits; residuals take half.
    pictures = dataclasses.replace(ladder, mixes=(), shown="pictures")
    asked = dataclasses.replace(ladder, mixes=())
    people = np.array(ladder.manifest.column("subject"))

    def judged(one, model, place):
        right = np.array([int(name[1:]) % 3 <= 2 - place for name in people])
        return np.arange(len(people)), right

    def delivered(one, rung):
        bits = 1000 * 2 ** (2 - RUNGS.index(rung)) / (1 if one.shown == "pictures" else 2)
        return [{"bits": bits, "intra_bits": bits / 4, "seconds": 1.0} for _ in people]

    monkeypatch.setattr(class_rates, "judged", judged)
    monkeypatch.setattr(Ladder, "delivered", delivered)
    found, differences = class_rates.tables(asked, pictures, resamples=200)
    rates = found.set_index(["sender", "factor", "quantiser"])["bit_rate"]
    assert rates["residuals of P-VOPs, finest", 1, 2] == 0.75 * rates["residuals, finest", 1, 2]
    table = differences[differences["points"] == "worthwhile"].set_index("sender")
    for sender, difference in (
        ("pictures, dedicated", 0.0),
        ("residuals, finest", -0.5),
        ("residuals of P-VOPs, dedicated", -0.625),
    ):
        line = table.loc[sender]
        assert line["difference"] == pytest.approx(difference)
        # The same people are drawn for both, so that their accuracies move together.
        drawn = line[["difference_low", "difference_high"]].to_numpy(float)
        assert np.isnan(drawn).all() or drawn == pytest.approx([difference] * 2)
        assert line["defined"] > 0.8
