"""Own class folders become a network, its confusion matrix and its leakage; and the CLI."""

import dataclasses
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import mic
from mic import cli, codec, fitting
from mic.errors import ConfigError, DatasetError, StorageError, WeightsError
from mic.fitting import clips
from mic.fitting import training as fit_module
from mic.recognition.recogniser import Recogniser
from mic.storage.home import locked
from mic.training.train import Schedule

SCHEDULE = Schedule(epochs=2, batch=4, frames=6)


@pytest.fixture
def folder(generated, tmp_path):
    """Two classes; people in the files' names or in folders; one video of nobody."""
    path = tmp_path / "videos"
    for number, clip in enumerate(generated):
        label = ("calm", "moved")[number % 2]
        inside = clip.subject if number < 4 else "."
        target = path / label / inside / f"{clip.subject}_{number}.mp4"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(generated.path(clip), target)
    (path / "calm" / "notes.txt").write_text("not a video")
    nobody = [np.full((96, 96, 3), 90, np.uint8)] * 5
    codec.encode_frames(nobody, path / "calm" / "S999_1.avi", frame_rate=25)
    return path


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


def test_class_folders_are_read_in_order(folder):
    found = fitting.class_folders(folder)
    assert len(found) == 11
    assert [one.label for one in found] == sorted(one.label for one in found)
    assert {one.subject for one in found} >= {"S999"}
    assert all(one.subject.startswith("S") for one in found)
    assert fitting.class_folders(folder, subject=r"S9|S")[-1].subject in ("S", "S9")


def test_a_folder_becomes_a_network_that_predicts(folder, tmp_path, cache):
    told = []
    made = fitting.fit(
        folder,
        tmp_path / "model",
        schedule=SCHEDULE,
        network="none",
        folder=cache,
        progress=lambda *step: told.append(step),
    )
    assert made.classes == ("calm", "moved")
    assert made.confusion.sum() == made.test_clips == 10 - made.train_clips
    assert [one.path.name for one in made.left_out] == ["S999_1.avi"]
    assert "no face" in made.left_out[0].reason
    assert 0 <= made.accuracy.low <= made.accuracy.value <= made.accuracy.high <= 1
    assert told[-1] == ("epochs", 2, 2)
    assert ("videos", 11, 11) in told
    table = pd.read_csv(tmp_path / "model" / "confusion.csv", index_col="true")
    assert np.array_equal(table.to_numpy(), made.confusion)
    facts = json.loads((tmp_path / "model" / "fit.json").read_text())
    assert facts["sha256"] == made.sha256
    assert facts["leakage"]["clips"] == made.test_clips
    # There is no identity to be told from the features: z_I was drawn at random.
    assert facts["leakage"]["r2_linear"] is None is facts["leakage"]["r2_mlp"]
    video = next((folder / "moved").glob("*.mp4"))
    row = mic.predict(video, weights=made.weights).iloc[0]
    assert row["label"] in made.classes
    assert row["p_calm"] + row["p_moved"] == pytest.approx(1, abs=1e-5)


def test_nobody_is_trained_on_and_tested(folder, tmp_path, cache, monkeypatch):
    seen = {}
    parts = fit_module._parts

    def spy(clips, folds):
        train, test = parts(clips, folds)
        seen.update(subjects=np.array(clips.subjects), train=train, test=test)
        return train, test

    monkeypatch.setattr(fit_module, "_parts", spy)
    fitting.fit(folder, tmp_path / "m", schedule=SCHEDULE, network="none", folder=cache)
    subjects = seen["subjects"]
    assert set(subjects[seen["train"]]).isdisjoint(subjects[seen["test"]])
    assert len(seen["train"]) + len(seen["test"]) == 10


def test_an_interrupted_training_ends_in_the_same_bytes(tmp_path, monkeypatch):
    def drawn(path, recipe, network, folder):
        rng = np.random.default_rng(int(path.name))
        residual = rng.integers(-40, 40, (16, 3, 32, 32)).astype(np.int16)
        return {"residual": residual, "identity": rng.standard_normal(16).astype(np.float32)}

    monkeypatch.setattr(clips, "_arrays", drawn)
    monkeypatch.setattr(clips.cache, "digest", str)  # no file is there to be read
    videos = [
        fitting.Labelled(path=Path(str(k)), label="ab"[k % 2], subject=str(k)) for k in range(10)
    ]
    options = {
        "schedule": Schedule(epochs=7, batch=4, frames=6),
        "network": "none",
        "method": dataclasses.replace(fit_module.METHOD, feature_size=16, z_size=16, width=4),
    }
    whole = fitting.fit(videos, tmp_path / "whole", **options)

    def stop(stage, done, total):
        if stage == "epochs" and done == 6:  # the state was kept after epoch 5
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fitting.fit(videos, tmp_path / "cut", progress=stop, **options)
    assert (tmp_path / "cut" / "training.safetensors").is_file()
    resumed = fitting.fit(videos, tmp_path / "cut", **options)
    assert resumed.sha256 == whole.sha256
    assert not (tmp_path / "cut" / "training.safetensors").exists()

    # Ended while it is tested, a second training over the first leaves no tests of the first,
    # and goes on without training again.
    other = options | {"seed": 1}

    def end(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(fit_module, "_tested", end)
        with pytest.raises(KeyboardInterrupt):
            fitting.fit(videos, tmp_path / "cut", **other)
    left = {path.name for path in (tmp_path / "cut").iterdir()}
    assert left == {"model.safetensors", "training.safetensors"}
    epochs = []
    again = fitting.fit(
        videos, tmp_path / "cut", progress=lambda *told: epochs.append(told[0]), **other
    )
    assert "epochs" not in epochs
    assert again.sha256 == fitting.fit(videos, tmp_path / "second", **other).sha256

    # Two do not write into one folder, and a damaged state is said before the videos are read.
    with (
        locked(tmp_path / "cut" / ".training.lock"),
        pytest.raises(StorageError, match=rf"another process works here \({os.getpid()}\)"),
    ):
        fitting.fit(videos, tmp_path / "cut", **options)
    (tmp_path / "cut" / "training.safetensors").write_bytes(b"torn")
    with pytest.raises(WeightsError, match=r"training\.safetensors"):
        fitting.fit([], tmp_path / "cut", **options)


def test_what_is_unlike_the_clips_trained_on_is_told(tmp_path, monkeypatch):
    def drawn(path, recipe, network, folder):
        number = int(path.stem)
        rng = np.random.default_rng(number)
        size = 20 if number < 200 else 400  # a movement that no clip of training has
        residual = np.zeros((8, 3, 32, 32))
        residual[:, :, 16 * (number % 2) :][:, :, :16] = size
        residual += 4 * rng.standard_normal(residual.shape)
        return {
            "residual": residual.astype(np.int16),
            "identity": rng.standard_normal(16).astype(np.float32),
        }

    monkeypatch.setattr(clips, "_arrays", drawn)
    monkeypatch.setattr(clips.cache, "digest", str)  # no file is there to be read
    videos = [
        fitting.Labelled(path=Path(f"{k}.mp4"), label="ab"[k % 2], subject=str(k))
        for k in range(110)
    ]
    options = {
        "schedule": Schedule(epochs=4, batch=16, frames=6),
        "network": "none",
        "method": dataclasses.replace(fit_module.METHOD, feature_size=16, z_size=16, width=4),
    }
    made = fitting.fit(videos, tmp_path / "model", **options)
    assert made.test_clips >= 20
    loaded = Recogniser.load(made.weights, device="cpu")
    assert loaded.card.novelty

    def unlike(numbers):
        arrays = [drawn(Path(f"{k}.mp4"), None, None, None) for k in numbers]
        return np.mean([answer.novelty > 1 for answer in loaded.answers(arrays)])

    assert unlike(range(150, 190)) < 0.3
    assert unlike(range(200, 220)) == 1
    few = fitting.fit(videos[:40], tmp_path / "few", **options)
    assert not Recogniser.load(few.weights, device="cpu").card.novelty


def test_ratings_become_valence(tmp_path, monkeypatch):
    """The size of what moves is what is rated, on people who are not those of the test."""

    def drawn(path, recipe, network, folder):
        rng = np.random.default_rng(int(path.stem))
        size = 10 + 4 * (int(path.stem) % 7)
        residual = (size * rng.standard_normal((8, 3, 32, 32))).astype(np.int16)
        return {"residual": residual, "identity": rng.standard_normal(16).astype(np.float32)}

    monkeypatch.setattr(clips, "_arrays", drawn)
    monkeypatch.setattr(clips.cache, "digest", str)  # no file is there to be read
    for number in range(40):
        path = tmp_path / "videos" / "ab"[number % 7 > 3] / f"p{number}" / f"{number}.mp4"
        path.parent.mkdir(parents=True)
        path.touch()
    lines = [
        f"{path.relative_to(tmp_path / 'videos').as_posix()},{(int(path.stem) % 7) / 3 - 1}"
        for path in sorted((tmp_path / "videos").rglob("*.mp4"))
    ]
    table = tmp_path / "videos" / "valence.csv"
    table.write_text("\n".join(["video,valence", *lines[3:]]))
    options = {
        "schedule": Schedule(epochs=6, batch=8, frames=6),
        "network": "none",
        "method": dataclasses.replace(fit_module.METHOD, feature_size=16, z_size=16, width=4),
    }
    made = fitting.fit(tmp_path / "videos", tmp_path / "model", **options)
    assert made.concordance > 0.5
    assert 0 < made.rated <= made.test_clips
    loaded = Recogniser.load(made.weights, device="cpu")
    low, high = (loaded.answers([drawn(Path(f"{k}.mp4"), None, None, None)])[0] for k in (77, 83))
    assert -1 <= low.valence < high.valence <= 1
    unrated = [dataclasses.replace(one, valence=None) for one in
               fitting.class_folders(tmp_path / "videos")]  # fmt: skip
    without = fitting.fit(unrated, tmp_path / "without", **options)
    assert np.isnan(without.concordance)
    assert not Recogniser.load(without.weights, device="cpu").card.valence
    for text, fault in (
        ("video,valence\na/p0/0.mp4,7", "not between -1 and 1"),
        ("film,valence\na/p0/0.mp4,0", "no table of the columns"),
        ("video,valence\na/p0/gone.mp4,0", "no video here"),
    ):
        table.write_text(text)
        with pytest.raises(DatasetError, match=fault):
            fitting.class_folders(tmp_path / "videos")


def test_folders_that_cannot_be_trained_on_are_explained(folder, tmp_path, cache):
    (tmp_path / "one").mkdir()
    shutil.move(folder / "moved", tmp_path / "one" / "moved")
    with pytest.raises(DatasetError, match="fewer than two class folders"):
        fitting.class_folders(tmp_path / "one")
    shutil.move(tmp_path / "one" / "moved", folder / "moved")
    with pytest.raises(DatasetError, match="none: does not exist"):
        fitting.class_folders(tmp_path / "none")
    (tmp_path / "clips.csv").write_text("video,label\n")
    with pytest.raises(DatasetError, match=r"clips\.csv: is a file"):
        fitting.class_folders(tmp_path / "clips.csv")
    with pytest.raises(ConfigError, match="subject pattern"):
        fitting.class_folders(folder, subject="(")
    with pytest.raises(DatasetError, match="does not begin with a subject"):
        fitting.class_folders(folder, subject="person[0-9]")
    told = []
    with pytest.raises(DatasetError, match="of one person"):
        fitting.fit(
            [
                fitting.Labelled(path=one.path, label=one.label, subject="A")
                for one in fitting.class_folders(folder)
            ],
            tmp_path / "m",
            network="none",
            folder=cache,
            progress=lambda *where: told.append(where),
        )
    assert told == []
    (broken,) = [one for one in fitting.class_folders(folder) if "S999" in one.path.name]
    only = [dataclasses.replace(broken, subject=name) for name in "AB"]
    with pytest.raises(DatasetError, match="0 of 2 videos"):
        fitting.fit(only, tmp_path / "m", network="none", folder=cache)


def test_the_command_line_tells_the_same(folder, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("MIC_HOME", str(tmp_path / "home"))
    command = ["train", str(folder), "--epochs", "1", "--identity", "none"]
    assert cli.main([*command, "--out", str(tmp_path / "model")]) == 0
    said = capsys.readouterr()
    assert "not among the" in said.out
    assert "95 % over people" in said.out
    assert "one person told from another by likeness: AUC" in said.out
    assert "left out" in said.err
    assert (tmp_path / "model" / "model.safetensors").is_file()


def test_the_help_tells_the_schedule_that_is_used(capsys):
    with pytest.raises(SystemExit):
        cli.main(["train", "--help"])
    assert f"default: {fitting.training.SCHEDULE.epochs}\n" in capsys.readouterr().out
