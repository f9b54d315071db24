"""What is peculiar to each published layout, as people's copies and programs leave it."""

import os
import shutil
from pathlib import Path

import dataset_trees as trees
import numpy as np
import pytest
from PIL import Image

from mic import config, datasets
from mic.datasets import published
from mic.datasets.readers.source import Scan
from mic.errors import DatasetError
from mic.experiments import given, own


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("MIC_HOME", str(tmp_path / "home"))


def scan(name: str, root: Path) -> Scan:
    return datasets.DATASETS[name].scan(root)


def clips(found: Scan) -> list[tuple[str, str, str, int]]:
    """What must not depend on how a copy lies there."""
    return [(one.clip_id, one.subject, one.label, len(one.files)) for one in found.sources]


def fetch(name: str, root: Path) -> published.Report:
    """Whole pictures: the small trees show discs, not faces."""
    return datasets.fetch(name, path=root, size=None)


@pytest.fixture
def ckplus(tmp_path):
    (tmp_path / "ck").mkdir()
    return trees.ckplus(tmp_path / "ck")


@pytest.mark.parametrize(
    "text",
    [
        b"\xef\xbb\xbf   3.0000000e+00\r\n",
        b"\t3.0000000e+00\t\r\n\r\n",
        b"3",
        "\u00a03.0000000e+00\u00a0\n".encode(),
        "3.0000000e+00\n".encode("utf-16"),
    ],
)
def test_ckplus_reads_a_label_as_any_program_writes_it(ckplus, text):
    (ckplus / "Emotion/S005/001/S005_001_00000005_emotion.txt").write_bytes(text)
    labels = {one.clip_id: one.label for one in scan("ckplus", ckplus).sources}
    assert labels["S005_001"] == "disgust"


@pytest.mark.parametrize(
    "text", [b"", b"\n\n", b"3.5", b"3 4", b"3,0", b"nan", b"inf", b"0", b"8", b"-3", b"\xff\x00"]
)
def test_ckplus_takes_no_label_that_is_not_one(ckplus, text):
    (ckplus / "Emotion/S005/001/S005_001_00000005_emotion.txt").write_bytes(text)
    found = scan("ckplus", ckplus)
    (fault,) = (fault for fault in found.faults if fault.clip == "S005_001")
    assert "1 to 7" in fault.message


def test_ckplus_takes_no_label_of_another_sequence(ckplus):
    labels = ckplus / "Emotion"
    (labels / "S005/001/S005_001_00000005_emotion.txt").rename(
        labels / "S005/001/S010_002_00000005_emotion.txt"
    )
    (fault,) = (one for one in scan("ckplus", ckplus).faults if one.clip == "S005_001")
    assert "another sequence" in fault.message


def test_ckplus_takes_no_picture_of_another_sequence(ckplus):
    images = ckplus / "cohn-kanade-images"
    shutil.copy(
        images / "S022/001/S022_001_00000006.png", images / "S005/001/S022_001_00000006.png"
    )
    assert len(scan("ckplus", ckplus).sources[0].files) == 5


def test_ckplus_says_which_pictures_are_missing_or_there_twice(ckplus):
    folder = ckplus / "cohn-kanade-images/S022/001"
    (folder / "S022_001_00000001.png").unlink()
    Image.new("L", (48, 32)).save(folder / "S022_001_00000003.PNG", format="PNG")
    found = scan("ckplus", ckplus)
    messages = [fault.message for fault in found.faults if "S022" in fault.file]
    assert any("2 times with different contents" in message for message in messages)
    assert "S022_001" not in {one.clip_id for one in found.sources}
    (folder / "S022_001_00000003.PNG").unlink()
    found = scan("ckplus", ckplus)
    (fault,) = (fault for fault in found.faults if "S022" in fault.file)
    assert "neutral ones before it may be missing" in fault.message
    assert not fault.fatal


def test_ckplus_merges_a_subject_whose_folders_differ_in_case(ckplus):
    whole = clips(scan("ckplus", ckplus))
    shutil.copytree(ckplus / "Emotion/S005", ckplus / "Emotion/s005")
    images = ckplus / "cohn-kanade-images"
    (images / "s010").mkdir()
    (images / "S010/002").rename(images / "s010/002")
    shutil.copytree(ckplus / "Emotion/S022", ckplus / "Emotion/S022 - Copy")
    found = scan("ckplus", ckplus)
    assert clips(found) == whole
    (fault,) = (one for one in found.faults if "S022 - Copy" in one.file)
    assert not fault.fatal


@pytest.mark.parametrize("content", ["16 bits", "chunk", "size"])
def test_a_picture_that_is_not_like_the_others_costs_its_clip(ckplus, content):
    file = ckplus / "cohn-kanade-images/S005/001/S005_001_00000003.png"
    if content == "16 bits":
        Image.fromarray(np.full((32, 48), 3000, np.uint16)).save(file)
    elif content == "size":
        Image.new("L", (64, 32)).save(file)
    else:  # Pillow calls it a syntax error
        data = file.read_bytes()
        file.write_bytes(data.replace(b"IEND", b"I\xff\xff\xff").replace(b"IDAT", b"q\x8a\xaf+"))
    report = fetch("ckplus", ckplus)
    (fault,) = (fault for fault in report.faults if fault.clip == "S005_001")
    assert "cannot be used" in fault.message
    assert len(report.manifest) == 2


@pytest.fixture
def mmi(tmp_path):
    (tmp_path / "mmi").mkdir()
    return trees.mmi(tmp_path / "mmi")


def test_mmi_counts_a_copied_session_once(mmi):
    whole = scan("mmi", mmi)
    sessions = mmi / "Sessions"
    shutil.copytree(sessions / "7", sessions / "7 - Copy")
    (sessions / "New Folder").mkdir()
    found = scan("mmi", mmi)
    assert clips(found) == clips(whole)
    notes = {fault.file: fault for fault in found.faults}
    assert "is a copy of Sessions/7" in notes["Sessions/7 - Copy"].message
    assert "no session's folder" in notes["Sessions/New Folder"].message
    assert not any(fault.fatal for fault in found.faults)
    xml = sessions / "7 - Copy" / "S001-007.xml"
    xml.write_text(xml.read_text().replace('"1"', '"2"'))
    (fault,) = (fault for fault in scan("mmi", mmi).faults if fault.fatal)
    assert "another label or person" in fault.message
    assert fault.clip == "session-7 - Copy"


@pytest.mark.parametrize("number", ["1", " 001 ", "S1", "s001"])
def test_mmi_knows_a_person_however_the_number_is_written(mmi, number):
    xml = mmi / "Sessions/7/session.xml"
    xml.write_text(xml.read_text().replace('subject id="1"', f'subject id="{number}"'))
    assert {one.subject for one in scan("mmi", mmi).sources} == {"S001", "S005"}


def test_mmi_reads_a_number_and_refuses_a_word(mmi):
    xml = mmi / "Sessions/7/S001-007.xml"
    text = xml.read_text()
    xml.write_text(text.replace('Value="1"', 'Value=" 1.0 "'))
    assert scan("mmi", mmi).sources[0].label == "anger"
    xml.write_text(text.replace('Value="1"', 'Value="anger"'))
    (fault,) = (one for one in scan("mmi", mmi).faults if one.clip == "session-7")
    assert "'anger', not a number" in fault.message


def test_mmi_loses_one_session_not_the_study_for_its_files(mmi):
    for file in (mmi / "Sessions/7").glob("*.xml"):
        file.unlink()
    (fault,) = scan("mmi", mmi).faults
    assert fault.clip == "session-7"


def test_mmi_refuses_entities_in_every_encoding(mmi):
    bomb = '<?xml version="1.0" encoding="utf-16"?><!DOCTYPE x [<!ENTITY a "b">]><session/>'
    (mmi / "Sessions/7/session.xml").write_bytes(bomb.encode("utf-16"))
    (fault,) = scan("mmi", mmi).faults
    assert "entities" in fault.message


def test_afew_takes_only_what_is_named_as_its_clips_and_misses_empty_classes(tmp_path):
    root = trees.afew(tmp_path)
    whole = scan("afew", root)
    angry = root / "Train_AFEW/Angry"
    shutil.copy(angry / "000000100.avi", angry / "000000100 (1).avi")
    (angry / os.fsdecode(b"f\xeate.avi")).write_bytes(b"")
    found = scan("afew", root)
    assert clips(found) == clips(whole)
    assert all(str(fault).encode() for fault in found.faults)  # can be printed
    for part in ("Train_AFEW", "Val_AFEW"):
        (root / part / "Fear").rename(root / part / "moved")
        (root / part / "Fear").mkdir()
    empty = [one for one in scan("afew", root).faults if one.message == "holds no video"]
    assert {one.file: one.fatal for one in empty} == {
        "Train_AFEW/Fear/": True,
        "Val_AFEW/Fear/": False,
    }


def test_avec_refuses_ratings_that_end_before_the_recording(tmp_path):
    root = trees.avec(tmp_path)
    trees.video(root / "recordings_video/train_2.mp4", count=80)
    for dimension, rows in (("arousal", 80), ("valence", 10)):
        trees.arff(root / f"ratings_gold_standard/{dimension}/train_2.arff", rows=rows)
    report = fetch("avec", root)
    (fault,) = (one for one in report.faults if one.clip == "train_2")
    assert "from 0.00 to 0.36 s, the recording from 0.00 to 3.16 s" in fault.message


def test_avec_says_which_recordings_it_does_not_read(tmp_path):
    root = trees.avec(tmp_path)
    assert not [fault for fault in scan("avec", root).faults if "not read" in fault.message]
    trees.video(root / "recordings_video/P16.mp4")
    trees.video(root / "recordings_video/dev_2 (1).mp4")
    trees.video(root / "recordings_video/dev/dev_2.mp4")
    faults = {one.file: one for one in scan("avec", root).faults if "not read" in one.message}
    assert set(faults) == {"recordings_video/", "recordings_video/dev/"}
    assert "holds 2 videos that are not read" in faults["recordings_video/"].message
    assert not any(one.fatal for one in faults.values())


def test_one_lost_recording_is_one_clip_less(tmp_path):
    root = trees.avec(tmp_path)
    (root / "recordings_video/train_2.mp4").unlink()
    lost = [fault for fault in scan("avec", root).faults if fault.fatal]
    assert {fault.clip for fault in lost} == {"train_2"}


def test_a_variant_that_keeps_nothing_says_why(tmp_path):
    root = trees.cremad(tmp_path)
    report = fetch("cremad-crowd", root)
    assert not report.sound
    assert "4 left out: no votes of viewers" in report.faults[-1].message
    with pytest.raises(DatasetError, match="no votes of viewers"):
        given.load(given.Given(name="cremad-crowd", path=root), config.load("smoke"))


def test_own_clips_of_alike_or_long_names_stay_apart(tmp_path):
    names = own._names(["a/b c.mp4", "a/b_c.mp4", "A/b c.mp4", "ok.mp4", f"{'é' * 150}.mp4"])
    assert len({name.casefold() for name in names}) == 5
    assert names[3] == "ok_mp4"
    assert all(len(name.encode()) < 251 for name in names)
