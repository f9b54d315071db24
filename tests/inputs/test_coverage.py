"""A few broken clips are left out and listed, and the table says so; many are an error."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from campaigns.stages import squares

from mic import experiments
from mic.errors import CodecError, ConfigError, DatasetError
from mic.fitting import clips
from mic.inputs.coverage import LeftOut, check_share
from mic.inputs.tensors import Representation
from mic.models.mic import Method
from mic.storage.digest import sha256_of
from mic.training.train import Schedule

SMALL = {"width": 4, "feature_size": 16, "z_size": 16, "identity_size": 2, "critic_hidden": 8}
METHOD = Method(regulariser="none", beta=0.0, **SMALL)
RAW = Representation(kind="raw", steps=3, scale=1)


@pytest.fixture
def data(tmp_path, monkeypatch):
    monkeypatch.setenv("MIC_HOME", str(tmp_path / "home"))
    (tmp_path / "clips").mkdir()
    manifest = squares(tmp_path / "clips", people=10, frames=6)
    return experiments.Dataset(manifest=manifest, network="known")


def outcomes_of(data):
    schedule = Schedule(epochs=1, batch=16, flip=False, shift=0.0)
    options = {"schedule": schedule, "representation": RAW, "folds": 2, "parts": 3}
    return experiments.run(data, experiments.grid(data, {"MIC-MI": METHOD}, **options))


def spoil(data, row, *, what):
    path = data.manifest.path(data.manifest.clips[row])
    content = path.read_bytes()
    if what == "annotation":
        path = path.with_suffix(".npz")
        path.write_bytes(b"no archive")
    elif what == "missing":
        path.unlink()
    else:
        path.write_bytes({"cut": content[:300], "another": content + b"\0"}[what])
    return data.manifest.clips[row].clip_id


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ("cut", "another SHA-256"),
        ("another", "another SHA-256"),
        ("missing", "No such file"),
        ("annotation", "holds no identity"),
    ],
)
def test_one_broken_clip_of_thirty_is_listed_and_the_run_ends(data, what, reason):
    whole = experiments.splits(data.manifest, parts=3)
    name = spoil(data, 4, what=what)
    outcomes = outcomes_of(data)
    listed = experiments.left_out_table(outcomes)
    assert listed["clip"].tolist() == [name]
    assert reason in listed["reason"].item()
    table = experiments.accuracy_table(outcomes, resamples=50)
    assert table["coverage"].item() == pytest.approx(29 / 30)
    for outcome, split in zip(outcomes, whole, strict=False):
        # The others stay in their parts: accuracies remain comparable.
        assert set(outcome.test) == set(split.test) - {4}
        assert set(outcome.train) == {*split.train, *split.validation} - {4}
        assert np.isfinite(outcome.logits).all()
    again = outcomes_of(data)
    assert all(np.array_equal(a.logits, b.logits) for a, b in zip(outcomes, again, strict=True))


def test_a_clip_that_the_parser_refuses_is_broken_too(data):
    clip = data.manifest.clips[7]
    path = data.manifest.path(clip)
    path.write_bytes(b"RIFF" + bytes(300))
    clips = list(data.manifest.clips)
    clips[7] = replace(clip, sha256=sha256_of(path))
    data = replace(data, manifest=replace(data.manifest, clips=tuple(clips)))
    (listed,) = experiments.left_out_table(outcomes_of(data)).itertuples()
    assert "cannot be opened" in listed.reason


def test_a_sound_dataset_is_covered_whole(data):
    outcomes = outcomes_of(data)
    assert experiments.accuracy_table(outcomes, resamples=50)["coverage"].item() == 1
    assert experiments.left_out_table(outcomes).empty


def test_too_many_broken_clips_are_an_error_that_names_them(data):
    names = [spoil(data, row, what="cut") for row in (3, 5)]
    with pytest.raises(DatasetError, match=r"2 of 30 clips.*more than 5%") as caught:
        outcomes_of(data)
    assert all(name in str(caught.value) for name in names)
    assert "Remedy" in str(caught.value)


def test_what_is_no_clips_fault_stays_an_error(data):
    options = {"schedule": Schedule(), "representation": RAW, "folds": 1, "parts": 3}
    (cell,) = experiments.grid(data, {"MIC-MI": METHOD}, **options)
    with pytest.raises(ConfigError, match="no split"):
        experiments.run(data, [replace(cell, split="fold 77")])


@pytest.mark.parametrize(
    ("broken", "total", "fine"), [(1, 3, True), (2, 39, False), (5, 100, True)]
)
def test_the_share_that_may_be_broken(tmp_path, broken, total, fine):
    found = [LeftOut(path=tmp_path / f"{k}.mp4", reason="cut") for k in range(broken)]
    if fine:
        check_share(found, total)
    else:
        with pytest.raises(DatasetError, match=f"{broken} of {total}"):
            check_share(found, total)


@pytest.mark.parametrize(("broken", "fine"), [(2, True), (3, False)])
def test_a_few_broken_videos_of_ones_own_are_listed_too(monkeypatch, broken, fine):
    def drawn(path, recipe, network, folder):
        if int(path.name) < broken:
            raise CodecError("cannot be opened", file=path)
        residual = np.zeros((3, 3, 8, 8), np.int16)
        return {"residual": residual, "identity": np.zeros(4, np.float32)}

    monkeypatch.setattr(clips, "_arrays", drawn)
    monkeypatch.setattr(clips.cache, "digest", str)  # no file is there to be read
    videos = [clips.Labelled(path=Path(str(k)), label="ab"[k % 2], subject="x") for k in range(40)]
    if fine:
        found, left_out = clips.tensors_of(videos, clips.Recipe(), network=None)
        assert len(found) == 38
        listed = [(one.path.name, one.reason) for one in left_out]
        assert listed == [("0", "cannot be opened"), ("1", "cannot be opened")]
    else:
        with pytest.raises(DatasetError, match=r"3 of 40 clips cannot be read, more than 5%"):
            clips.tensors_of(videos, clips.Recipe(), network=None)
