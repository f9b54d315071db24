"""Labels that contradict each other or cannot be: never a silent choice, a clip less and why."""

import shutil
from pathlib import Path

import dataset_trees as trees
import pytest

from mic import datasets
from mic.datasets import published
from mic.datasets.readers.source import Scan
from mic.errors import DatasetError


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("MIC_HOME", str(tmp_path / "home"))


def scan(name: str, root: Path) -> Scan:
    return datasets.DATASETS[name].scan(root)


def fetch(name: str, root: Path) -> published.Report:
    """Whole pictures: the small trees show discs, not faces."""
    return datasets.fetch(name, path=root, size=None)


def replaced(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


@pytest.mark.parametrize(
    "copy",
    ["Val_AFEW/Angry/000000100.avi", "Train_AFEW/Sad/000000999.avi"],
    ids=["in both parts", "in two classes"],
)
def test_a_clip_with_two_labels_or_in_two_parts_is_none(tmp_path, copy):
    root = trees.afew(tmp_path)
    (root / copy).parent.mkdir(exist_ok=True)
    shutil.copy(root / "Train_AFEW/Angry/000000100.avi", root / copy)
    report = fetch("afew", root)
    named = {fault.clip: fault.message for fault in report.faults if fault.clip}
    split = copy[: copy.index("_")].lower()
    assert named.keys() == {"train-000000100", f"{split}-{Path(copy).stem}"}
    assert f"shows the pictures of {copy}, which has another label" in named["train-000000100"]
    kept = report.manifest.column("clip_id")
    assert len(kept) == 15
    assert not named.keys() & set(kept)


def test_a_clip_that_is_there_twice_with_one_label_is_noted(tmp_path):
    root = trees.afew(tmp_path)
    folder = root / "Train_AFEW/Angry"
    shutil.copy(folder / "000000100.avi", folder / "000000999.avi")
    report = fetch("afew", root)
    assert len(report.manifest) == 17
    (note,) = (fault for fault in report.faults if "shows the pictures" in fault.message)
    assert note.file.endswith("000000999.avi")


def test_pictures_of_two_people_are_of_neither(tmp_path):
    root = trees.cremad(tmp_path)
    first = sorted((root / "VideoFlash").glob("*.flv"))[0]
    other = first.with_name("1091" + first.name[4:])
    shutil.copy(first, other)
    report = fetch("cremad", root)
    assert {fault.clip for fault in report.faults if fault.clip} >= {first.stem, other.stem}
    assert any("another label, person" in fault.message for fault in report.faults)


def test_two_videos_of_a_session_that_differ_in_case_are_two(tmp_path):
    root = trees.mmi(tmp_path)
    (video, *_) = sorted(root.glob("Sessions/*/*.avi"))
    shutil.copy(video, video.with_name(video.name.swapcase()))
    assert any("holds 2 videos" in fault.message for fault in scan("mmi", root).faults)


def test_two_ratings_of_a_recording_that_differ_are_none(tmp_path):
    root = trees.avec(tmp_path)
    file = root / "ratings_gold_standard/valence/train_1.arff"
    file.with_name("TRAIN_1.ARFF").write_text(file.read_text().replace("0.1", "0.3"))
    kept = {source.clip_id for source in scan("avec", root).sources}
    assert "train_1" not in kept
    file.with_name("TRAIN_1.ARFF").unlink()
    assert "train_1" in {source.clip_id for source in scan("avec", root).sources}


def test_the_rating_is_the_column_called_so(tmp_path):
    root = trees.avec(tmp_path)
    file = root / "ratings_gold_standard/valence/train_1.arff"
    _, values = datasets.DATASETS["avec"].read_trace(file)
    lines = file.read_text().splitlines()
    at = next(k for k, line in enumerate(lines) if line.lower().startswith("@data"))
    head = [*lines[:at], "@attribute confidence numeric"]
    rows = [f"{line},1" for line in lines[at + 1 :] if line]
    file.write_text("\n".join([*head, lines[at], *rows]))
    assert (datasets.DATASETS["avec"].read_trace(file)[1] == values).all()


def test_ratings_of_two_recordings_of_the_same_pictures_are_refused(tmp_path):
    root = trees.avec(tmp_path)
    videos = root / "recordings_video"
    shutil.copy(videos / "train_1.mp4", videos / "train_2.mp4")
    report = fetch("avec", root)
    assert report.manifest.column("clip_id") == ["dev_1"]
    assert {fault.clip for fault in report.faults if fault.clip} == {"train_1", "train_2"}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("-0.200000", "37.0", "the rating 37 is not between -1 and 1 at line 9"),
        ("'train_1'", "'dev_1'", "is a rating of dev_1 at line 9"),
    ],
)
def test_ratings_out_of_range_or_of_another_recording_are_refused(tmp_path, old, new, message):
    root = trees.avec(tmp_path)
    replaced(root / "ratings_gold_standard/valence/train_1.arff", old, new)
    (fault,) = (fault for fault in scan("avec", root).faults if fault.clip == "train_1")
    assert fault.message == message


def test_ratings_in_another_unit_of_time_are_refused(tmp_path):
    root = trees.avec(tmp_path)
    file = root / "ratings_gold_standard/valence/train_1.arff"
    lines = file.read_text().splitlines()
    lines = [f"{line[:10]}{float(line.split(',')[1]) * 1000},0.1" if line[0:1] == "'" else line
             for line in lines]  # fmt: skip
    file.write_text("\n".join(lines))
    (fault,) = (fault for fault in fetch("avec", root).faults if fault.clip == "train_1")
    assert "from 0.00 to 1160.00 s, the recording from 0.00 to 0.36 s" in fault.message


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("S001-007.xml", 'Value="1"', 'Value="-3"', "its emotion is '-3', not a number of MMI's"),
        (
            "S001-007.xml",
            '<Metatag Name="Emotion"',
            '<Metatag Name="Emotion" Value="5"/><Metatag Name="Emotion"',
            "names the emotions 1 and 5",
        ),
        (
            "session.xml",
            "<subject",
            '<Metatag Name="Emotion" Value="5"/><subject',
            "its emotion is 1, that of session.xml is 5",
        ),
    ],
)
def test_mmi_takes_no_emotion_that_another_contradicts(tmp_path, file, old, new, message):
    root = trees.mmi(tmp_path)
    replaced(root / "Sessions/7" / file, old, new)
    found = scan("mmi", root)
    (fault,) = (fault for fault in found.faults if fault.clip == "session-7")
    assert (fault.file, fault.message) == ("Sessions/7/S001-007.xml", message)
    assert "session-7" not in {source.clip_id for source in found.sources}


def test_ckplus_takes_no_note_for_a_label_and_a_copied_label_for_one(tmp_path):
    root = trees.ckplus(tmp_path)
    whole = scan("ckplus", root).sources
    label = root / "Emotion/S005/001/S005_001_00000005_emotion.txt"
    label.with_name("notes.txt").write_text("looks angry to me: 1\n")
    copy = label.with_name(f"{label.stem} (1).txt")
    shutil.copy(label, copy)
    assert scan("ckplus", root).sources == whole
    copy.write_text("1\n")
    found = scan("ckplus", root)
    assert [fault.clip for fault in found.faults if fault.fatal] == ["S005_001"]


@pytest.mark.parametrize(
    ("name", "take", "odd"),
    [
        (
            "ravdess",
            "Video_Speech_Actor_01/Actor_01/01-01-05-01-01-01-01.mp4",
            ("01-01-05-07-01-01-01", "01-01-05-01-03-01-01", "01-01-01-02-01-01-01"),
        ),
        (
            "cremad",
            "VideoFlash/1001_DFA_ANG_XX.flv",
            ("1092_DFA_ANG_XX", "1000_DFA_ANG_XX", "1001_ABC_ANG_XX", "1001_DFA_SUR_XX"),
        ),
    ],
)
def test_no_take_is_read_that_was_not_published(name, take, odd, tmp_path):
    root = getattr(trees, name)(tmp_path)
    whole = scan(name, root).sources
    for other in odd:
        shutil.copy(root / take, (root / take).with_stem(other))
    found = scan(name, root)
    assert found.sources == whole
    named = {Path(fault.file).stem for fault in found.faults if "does not define" in fault.message}
    assert named == set(odd)


def votes(root: Path, *rows: str) -> None:
    table = root / "processedResults/summaryTable.csv"
    table.parent.mkdir(exist_ok=True)
    table.write_text("\r\n".join(["FileName,VoiceVote,FaceVote", *rows]), encoding="utf-8-sig")


def test_cremad_reads_votes_however_they_are_written(tmp_path):
    root = trees.cremad(tmp_path)
    votes(root, " 1001_DFA_ANG_XX , A, a ", "1001_IEO_HAP_HI.flv,H,S", "1002_TIE_NEU_XX,N,")
    crowd = {source.clip_id: source.notes["crowd"] for source in scan("cremad", root).sources}
    assert crowd["1001_DFA_ANG_XX"] == "anger"
    assert crowd["1001_IEO_HAP_HI"] == "sadness"
    assert crowd["1002_TIE_NEU_XX"] == ""


def test_cremad_takes_rows_that_disagree_for_a_tie_and_no_vote_for_nothing(tmp_path):
    root = trees.cremad(tmp_path)
    votes(root, "1001_DFA_ANG_XX,A,A", "1001_DFA_ANG_XX,A,S", "1001_IEO_HAP_HI,H,H")
    manifest = fetch("cremad-crowd", root).manifest
    assert manifest.column("clip_id") == ["1001_IEO_HAP_HI"]
    votes(root, "1001_DFA_ANG_XX,A,Q")
    with pytest.raises(DatasetError, match="'Q'") as caught:
        scan("cremad-crowd", root)
    assert caught.value.place == "row of 1001_DFA_ANG_XX"
    assert caught.value.remedy


def test_cremad_needs_votes_only_where_they_are_the_labels(tmp_path):
    root = trees.cremad(tmp_path)
    votes(root, "1001_DFA_ANG_XX,A,Q")
    report = fetch("cremad", root)
    (note,) = (fault for fault in report.faults if "vote" in fault.message)
    assert (report.sound, note.fatal) == (True, False)
    assert note.file == "processedResults/summaryTable.csv"
    assert note.message.startswith("row of 1001_DFA_ANG_XX: has a vote 'Q'")


def test_a_variant_does_not_lose_clips_that_it_would_not_have(tmp_path):
    root = trees.ckplus(tmp_path)
    label = root / "Emotion/S022/001/S022_001_00000006_emotion.txt"
    label.write_text("   2.0000000e+00\n")  # contempt
    last = root / "cohn-kanade-images/S022/001/S022_001_00000006.png"
    last.unlink()
    assert [fault.clip for fault in fetch("ckplus", root).faults if fault.fatal] == ["S022_001"]
    six = fetch("ckplus-six", root)
    assert six.sound
    assert len(six.manifest) == 2
    (note,) = six.faults
    assert (note.fatal, note.clip) == (False, "")
    label.write_text("   5.0000000e+00\n")
    assert [fault.clip for fault in fetch("ckplus-six", root).faults] == ["S022_001"]


def test_songs_that_contradict_each_other_are_no_fault_of_the_spoken_takes(tmp_path):
    root = trees.ravdess(tmp_path)
    folder = root / "Video_Speech_Actor_01/Actor_01"
    other = root / "Video_Song_Actor_01/Actor_01"
    other.mkdir(parents=True)
    shutil.copy(folder / "01-01-05-01-01-01-01.mp4", other / "01-02-03-01-01-01-01.mp4")
    assert fetch("ravdess", root).sound
    faults = fetch("ravdess-with-song", root).faults
    assert [fault.clip for fault in faults if fault.fatal] == ["02-03-01-01-01-01"]


def test_an_actor_of_whom_only_songs_came_lacks_an_archive(tmp_path):
    root = trees.ravdess(tmp_path)
    folder = root / "Video_Song_Actor_02/Actor_02"
    folder.mkdir(parents=True)
    song = root / "Video_Speech_Actor_01/Actor_01/01-02-03-01-01-01-01.mp4"
    shutil.copy(song, folder / "01-02-03-01-01-01-02.mp4")
    (fault,) = (fault for fault in fetch("ravdess", root).faults if fault.fatal)
    assert fault.file == "Actor_02/"
    assert fault.message == "0 takes of speech instead of 60"
    assert "Video_Speech_Actor_02.zip" in fault.remedy
