"""What a copy lacks is named, also by whoever comes later: no clip is lost without a word."""

import dataclasses
import shutil

import dataset_trees as trees
import numpy as np
import pytest
from test_contradictions import replaced, scan

from mic import codec, config, datasets
from mic.datasets.readers import following
from mic.errors import ConfigError, DatasetError
from mic.experiments import given
from mic.storage import assets

SMOKE = config.load("smoke", jobs=1)


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("MIC_HOME", str(tmp_path / "home"))


@pytest.mark.parametrize("dark", [0, 5, 20])
def test_a_look_that_sees_no_face_does_not_lose_it_for_the_clip(dark):
    frames = [frame[::2, ::2] for frame in codec.decode(assets.path("single_face"))][:40]
    whole = following.path(frames)
    frames[dark] = np.zeros_like(frames[dark])
    found = following.path(frames)
    assert found.coverage > 0.7
    assert found.edge == pytest.approx(whole.edge, rel=0.1)


@pytest.mark.parametrize("name", ["afew", "cremad", "mmi"])
def test_a_link_that_leads_nowhere_is_a_clip_that_is_missing(tmp_path, name):
    root = getattr(trees, name)(tmp_path)
    whole = scan(name, root).sources
    lost = root / whole[0].files[0]
    lost.unlink()
    lost.symlink_to(tmp_path / "gone" / lost.name)
    report = datasets.fetch(name, path=root, size=None, allow_faults=True)
    assert whole[0].clip_id in {fault.clip for fault in report.faults}
    assert len(report.manifest) < len(whole)


@pytest.mark.parametrize("kept", [True, False])
def test_what_a_run_refused_is_not_taken_by_the_next_without_a_folder(tmp_path, kept):
    (tmp_path / "data").mkdir()
    root = trees.afew(tmp_path / "data")
    shutil.rmtree(root / "Train_AFEW" / "Fear")
    with pytest.raises(DatasetError, match="is not whole"):
        given.load(given.Given(name="afew", path=root), SMOKE)
    if not kept:
        root.rename(tmp_path / "gone")
    with pytest.raises(DatasetError, match=r"not whole|not on this machine"):
        given.load(given.Given(name="afew"), SMOKE)


def test_a_name_alone_leaves_out_and_names_what_the_folder_lacks(tmp_path):
    root = trees.afew(tmp_path)
    datasets.fetch("afew", path=root, size=None)  # sound, and remembered
    shutil.rmtree(root / "Train_AFEW" / "Fear")
    with pytest.raises(DatasetError, match="is not whole"):
        given.load(given.Given(name="afew"), SMOKE)


@pytest.mark.parametrize("gone", [True, False])
def test_what_every_copy_lacks_is_no_fault_of_this_one(tmp_path, gone):
    (tmp_path / "data").mkdir()
    root = trees.cremad(tmp_path / "data")
    built = datasets.fetch("cremad", path=root, size=None)
    assert any("all emotions" in fault.message for fault in built.faults)
    if gone:
        root.rename(tmp_path / "elsewhere")
    config_of_whole = dataclasses.replace(SMOKE, size=None)
    assert len(datasets.load("cremad", config_of_whole)) == len(built.manifest)


@pytest.mark.parametrize(
    "place",
    [
        "S005/S005_001_00000005_emotion.txt",
        "S005_001_00000005_emotion.txt",
        "S005/001/001/S005_001_00000005_emotion.txt",
        "S005/001/S005_001_00000005_emotion",
        "S005/001/S005_001_00000005_emotion.txt.gz",
        "S005/001/link",
    ],
)
def test_a_label_that_lies_elsewhere_is_named(tmp_path, place):
    root = trees.ckplus(tmp_path)
    label = root / "Emotion/S005/001/S005_001_00000005_emotion.txt"
    whole = len(scan("ckplus", root).sources)
    if place.endswith("link"):
        label.unlink()
        label.symlink_to(tmp_path / "gone")
    else:
        target = root / "Emotion" / place
        target.parent.mkdir(parents=True, exist_ok=True)
        label.rename(target)
    found = scan("ckplus", root)
    assert len(found.sources) == whole - 1
    assert "S005_001" in {fault.clip for fault in found.faults}
    label.unlink(missing_ok=True)
    label.parent.mkdir(parents=True, exist_ok=True)
    label.write_text("   1.0000000e+00\n")
    again = scan("ckplus", root)
    assert len(again.sources) == whole  # then the other is a copy
    assert not [fault for fault in again.faults if fault.clip]


def test_action_units_are_no_emotion(tmp_path):
    root = trees.ckplus(tmp_path)
    whole = scan("ckplus", root).sources
    for label in list((root / "Emotion").glob("*/*/*_emotion.txt")):
        label.with_name(label.name.replace("_emotion", "_facs")).write_text("5\n")
    assert scan("ckplus", root).sources == whole
    pictures = next((root / "cohn-kanade-images/S005/001").iterdir())
    bare = root / "cohn-kanade-images/S005/009"
    bare.mkdir()
    shutil.copy(pictures, bare / "S005_009_00000001.png")
    other = root / "Emotion/S005/009"
    other.mkdir()
    (other / "S005_009_00000001_facs.txt").write_text("5\n")
    assert scan("ckplus", root).sources == whole


def test_a_person_of_mmi_is_one_however_spelt_and_a_session_has_one(tmp_path):
    root = trees.mmi(tmp_path)
    sessions = sorted((root / "Sessions").glob("*/session.xml"))[:3]
    for file, name in zip(sessions, ("Anna", "anna ", "An na"), strict=True):
        subject = file.read_text().split('<subject id="')[1].split('"')[0]
        replaced(file, f'<subject id="{subject}"', f'<subject id="{name}"')
    found = {source.files[0].split("/")[1]: source for source in scan("mmi", root).sources}
    names = [found[file.parent.name].subject for file in sessions if file.parent.name in found]
    assert len(set(names[:2])) == 1
    replaced(sessions[0], '<subject id="Anna"', '<subject id="Bo"/><subject id="Anna"')
    faults = [fault for fault in scan("mmi", root).faults if "subjects" in fault.message]
    assert [fault.clip for fault in faults] == [f"session-{sessions[0].parent.name}"]


def test_a_raters_column_is_not_taken_for_the_gold_standard(tmp_path):
    root = trees.avec(tmp_path)
    file = root / "ratings_gold_standard/valence/train_1.arff"
    _, values = datasets.DATASETS["avec"].read_trace(file)
    text = file.read_text()
    name = next(
        line.split()[1]
        for line in text.splitlines()
        if line.lower().startswith("@attribute") and "gold" in line.lower()
    )
    lines = text.replace(name, "valence").splitlines()
    at = next(k for k, line in enumerate(lines) if line.lower().startswith("@data"))
    rows = [f"{line},0.5" for line in lines[at + 1 :] if line]
    file.write_text("\n".join([*lines[:at], "@attribute FF3 numeric", lines[at], *rows]))
    assert (datasets.DATASETS["avec"].read_trace(file)[1] == values).all()
    replaced(file, "@attribute valence", "@attribute FF2")
    with pytest.raises(DatasetError, match="ff2, ff3"):
        datasets.DATASETS["avec"].read_trace(file)


def test_what_is_needed_is_told_by_the_name_that_was_asked_for():
    assert "mic fetch recola --path FOLDER" in datasets.fetch("recola").needs
    with pytest.raises(ConfigError, match="is not open to everybody") as caught:
        datasets.fetch("ckplus", download_it=True)
    assert "sign the agreement" in caught.value.remedy
    assert ".." not in str(caught.value)
