"""Published datasets: read from their real layouts, oddities included, and every fault named."""

from fractions import Fraction
from pathlib import Path

import dataset_trees as trees
import numpy as np
import pytest

from mic import codec, config, datasets
from mic.datasets import published
from mic.datasets.readers import avec
from mic.errors import ConfigError, DatasetError
from mic.manifest import given_split


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("MIC_HOME", str(tmp_path / "home"))


@pytest.fixture
def tree(tmp_path):
    root = tmp_path / "data"
    root.mkdir()

    def make(name: str) -> Path:
        return getattr(trees, name)(root)

    return make


def fetch(name: str, path: Path, **options) -> published.Report:
    """Whole pictures: the small trees show discs, not faces."""
    return datasets.fetch(name, path=path, **({"size": None} | options))


def faults_of(report: published.Report) -> dict[str, str]:
    return {fault.file: fault.message for fault in report.faults}


@pytest.mark.parametrize("name", trees.TREES)
def test_a_correct_tree_becomes_a_verified_manifest_of_readable_clips(name, tree):
    report = fetch(name, tree(name))
    assert report.sound
    manifest = report.manifest
    assert manifest.verify() == []
    assert manifest.classes == datasets.DATASETS[name].classes
    for clip in list(manifest)[:3]:
        info = codec.probe(manifest.path(clip))
        assert (info.codec, info.frames) == ("mpeg4", clip.frames)
        assert info.frame_rate == clip.frame_rate
    assert datasets.available(name)
    text = "\n".join(report.lines())
    assert "literature" in text
    assert "manifest.csv" in text


def test_a_dataset_is_found_again_and_cut_to_the_profiles_size(tree, tmp_path):
    root = tree("ckplus")
    whole = fetch("ckplus", root).manifest
    profile = config.load("smoke", jobs=1)
    manifest = datasets.load("ckplus", profile)
    assert manifest.column("clip_id") == whole.column("clip_id")
    for clip in manifest:
        info = codec.probe(manifest.path(clip))
        assert (info.width, info.height) == (profile.size, profile.size)
    root.rename(tmp_path / "moved")
    assert datasets.load("ckplus", profile) == manifest
    assert (datasets.available("ckplus"), datasets.available("afew")) == (True, False)


@pytest.mark.parametrize("name", trees.TREES)
def test_without_a_folder_it_says_what_is_needed(name):
    report = datasets.fetch(name)
    text = "\n".join(report.lines())
    assert not report.sound
    assert report.manifest is None
    for part in ("licence:", "access:", "expected folder:", f"mic fetch {name} --path"):
        assert part in text
    with pytest.raises(DatasetError, match=f"MIC_{name.upper()}"):
        datasets.load(name, config.load("smoke"))


@pytest.mark.parametrize("name", trees.TREES)
def test_an_empty_folder_is_a_fault_with_a_remedy(name, tmp_path):
    (tmp_path / "empty").mkdir()
    report = fetch(name, tmp_path / "empty")
    assert not report.sound
    assert report.manifest is None
    assert all(fault.remedy for fault in report.faults)
    assert "Remedy" in "\n".join(report.lines())


def test_ckplus_counts_labels_and_apexes(tree):
    report = fetch("ckplus", tree("ckplus"))
    assert report.counts["sequences"] == 4
    assert report.counts["labelled sequences"] == 3
    assert report.counts["subjects"] == 3
    clips = {clip.clip_id: clip for clip in report.manifest}
    assert {name: clip.label for name, clip in clips.items()} == {
        "S005_001": "disgust",
        "S010_002": "surprise",
        "S022_001": "happiness",
    }
    assert {name: (clip.frames, clip.apex) for name, clip in clips.items()} == {
        "S005_001": (5, 4),
        "S010_002": (4, 3),
        "S022_001": (6, 5),
    }
    assert clips["S005_001"].frame_rate == 30
    # The pictures are what was encoded: the disc moves to the right by two samples a frame.
    frames = list(codec.decode(report.manifest.path(clips["S022_001"])))
    centres = [np.argwhere(frame[16, :, 0] > 150).mean() for frame in frames]
    np.testing.assert_allclose(np.diff(centres), 2, atol=0.5)


def test_ckplus_names_every_fault(tree):
    root = tree("ckplus")
    (root / "cohn-kanade-images/S005/001/S005_001_00000005.png").unlink()
    (root / "Emotion/S010/002/S010_002_00000004_emotion.txt").write_text("8\n")
    (root / "cohn-kanade-images/S022/001/S022_001_00000003.png").unlink()
    (root / "Emotion/S010/003/S010_003_00000003_emotion.txt").write_text("2.0\n")
    (root / "Emotion/S010/003/S010_003_00000002_emotion.txt").write_text("2.0\n")
    for subject, text in (("S077", "1.0"), ("S078", "")):
        (root / f"Emotion/{subject}/001").mkdir(parents=True)
        file = root / f"Emotion/{subject}/001/{subject}_001_00000009_emotion.txt"
        file.write_text(text)
    report = fetch("ckplus", root)
    faults = faults_of(report)
    images = "cohn-kanade-images"
    assert "label is for number 5" in faults[f"{images}/S005/001/S005_001_00000004.png"]
    assert "1 to 7" in faults["Emotion/S010/002/S010_002_00000004_emotion.txt"]
    assert "2 emotion files" in faults["Emotion/S010/003"]
    assert "0 pictures" in faults[f"{images}/S077/001/"]
    assert "1 to 7" in faults["Emotion/S078/001/S078_001_00000009_emotion.txt"]
    assert "1 pictures are missing" in faults[f"{images}/S022/001"]
    assert len(faults) == 6
    assert report.manifest is None
    assert "--allow-faults" in "\n".join(report.lines())
    built = fetch("ckplus", root, allow_faults=True).manifest
    assert [clip.clip_id for clip in built] == ["S022_001"]


def test_ckplus_is_found_however_it_was_unpacked(tree, tmp_path):
    root = tree("ckplus")
    deep = tmp_path / "elsewhere"
    (deep / "CK+" / "Emotion_labels").mkdir(parents=True)
    (root / "Emotion").rename(deep / "CK+" / "Emotion_labels" / "Emotion")
    (deep / "CK+" / "Cohn-Kanade-Images").mkdir()
    (root / "cohn-kanade-images").rename(
        deep / "CK+" / "Cohn-Kanade-Images" / "cohn-kanade-images"
    )
    assert fetch("ckplus", deep).counts["labelled sequences"] == 3


def test_mmi_keeps_the_six_emotions_and_counts_the_rest(tree):
    report = fetch("mmi", tree("mmi"))
    clips = {clip.clip_id: clip for clip in report.manifest}
    assert {name: (clip.subject, clip.label) for name, clip in clips.items()} == {
        "session-7": ("S001", "anger"),
        "session-12": ("S001", "surprise"),
        "session-100": ("S005", "happiness"),
    }
    # Two are annotated; in the third the disc is farthest from its beginning and its end halfway.
    apexes = {name: clip.apex for name, clip in clips.items()}
    assert apexes == {"session-7": 3, "session-12": 3, "session-100": 3}
    assert report.counts["sessions"] == 5
    assert report.counts["sessions without one of six emotions"] == 2
    assert report.counts["frontal labelled sequences"] == 2


def test_mmi_names_every_fault(tree):
    root = tree("mmi")
    sessions = root / "Sessions"
    (sessions / "7" / "session.xml").unlink()
    (sessions / "12" / "S001-012.xml").write_text("<Metadata><Metatag")
    (sessions / "100" / "S005-100.avi").unlink()
    bomb = '<!DOCTYPE x [<!ENTITY a "b">]><session><subject id="6"/></session>'
    (sessions / "101" / "session.xml").write_text(bomb)
    faults = faults_of(fetch("mmi", root))
    assert faults["Sessions/7/session.xml"] == "is missing"
    assert "XML" in faults["Sessions/12/S001-012.xml"]
    assert "0 videos" in faults["Sessions/100"]
    assert "entities" in faults["Sessions/101/session.xml"]


def test_mmi_takes_the_subject_from_the_name_if_need_be(tree):
    root = tree("mmi")
    session = root / "Sessions" / "7" / "session.xml"
    session.write_text('<Session xmlns="urn:mmi"><Track View="0"/></Session>')
    report = fetch("mmi", root)
    assert {clip.subject for clip in report.manifest} == {"S001", "S005"}
    assert report.counts["frontal labelled sequences"] == 2


def test_afew_keeps_the_given_split(tree):
    report = fetch("afew", tree("afew"))
    assert report.counts["train"] == report.counts["val"] == 8
    assert report.counts["train happiness"] == 2
    splits = {clip.clip_id: clip.split for clip in report.manifest}
    assert set(splits.values()) == {"train", "val"}
    assert all(name.startswith(split) for name, split in splits.items())
    assert len({clip.subject for clip in report.manifest}) == len(report.manifest)
    split = given_split(report.manifest, validation_parts=4)
    assert {report.manifest.clips[index].split for index in split.test} == {"val"}


def test_afew_names_missing_classes_and_copies(tree):
    root = tree("afew")
    for file in (root / "Val_AFEW/Fear").iterdir():
        file.unlink()
    (root / "Val_AFEW/Fear").rmdir()
    clip = next((root / "Train_AFEW/Angry").glob("*.avi"))
    (root / "Train_AFEW/Happy" / clip.name).write_bytes(clip.read_bytes())
    faults = faults_of(fetch("afew", root))
    assert faults["Val_AFEW/Fear/"] == "is missing"
    assert sum("another class" in message for message in faults.values()) == 2


def test_an_unreadable_clip_is_a_note_and_is_left_out(tree):
    root = tree("afew")
    (root / "Train_AFEW/Angry/000000100.avi").write_bytes(b"RIFF not a video" * 50)
    report = fetch("afew", root)
    assert report.sound
    assert len(report.manifest) == 15
    (fault,) = report.faults
    assert fault.file == "Train_AFEW/Angry/000000100.avi"
    assert not fault.fatal


def test_avec_brings_its_traces_to_the_frames(tree):
    report = fetch("avec", tree("avec"))
    assert report.counts["train recordings"] == 2
    assert report.counts["test recordings, without ratings"] == 1
    manifest = report.manifest
    assert [(clip.clip_id, clip.split) for clip in manifest] == [
        ("train_1", "train"),
        ("train_2", "train"),
        ("dev_1", "val"),
    ]
    with np.load(manifest.annotation_path(manifest.clips[0])) as traces:
        expected = 0.01 * np.arange(10) - 0.2  # 25 frames a second, a rating each 40 ms
        np.testing.assert_allclose(traces["valence"], expected, atol=1e-6)
        np.testing.assert_allclose(traces["arousal"], expected, atol=1e-6)


def test_avec_names_every_fault(tree):
    root = tree("avec")
    gold = root / "ratings_gold_standard"
    (gold / "valence" / "train_1.arff").unlink()
    (gold / "arousal" / "train_2.arff").write_text("@data\n1,2\n")
    (root / "recordings_video" / "dev_1.mp4").unlink()
    faults = faults_of(fetch("avec", root))
    assert "rating of valence" in faults["recordings_video/train_1.mp4"]
    assert "ARFF" in faults["ratings_gold_standard/arousal/train_2.arff"]
    assert "not there" in faults["ratings_gold_standard/valence/dev_1.arff"]


@pytest.mark.parametrize(
    ("lines", "place"),
    [
        (["a,0.0,0.1", "a,0.04,high"], "line 6"),
        (["a,0.0,0.1", "a,0.04"], "line 6"),
        (["a,0.04,0.1", "a,0.0,0.2"], None),
        (["a,0.0,nan", "a,0.04,0.2"], "line 5"),
        (["a,0.0,0.1", "a,0.04,0.1", "a,0.08,0.1", "a,3.2,0.2"], None),
        (["a,0.0,0.1"], None),
    ],
)
def test_a_broken_trace_is_refused_with_its_line(tmp_path, lines, place):
    file = tmp_path / "train_1.arff"
    head = ["@attribute name string", "@attribute frametime numeric", "@attribute gold numeric"]
    file.write_text("\n".join([*head, "@data", *lines]))
    with pytest.raises(DatasetError) as caught:
        avec.read_trace(file)
    assert caught.value.place == place


def test_ravdess_takes_each_spoken_take_once(tree):
    report = fetch("ravdess", tree("ravdess"))
    assert report.counts["speech takes"] == 60
    assert report.counts["song takes"] == 1
    assert report.counts["calm"] == 8
    assert {clip.subject for clip in report.manifest} == {"Actor_01"}
    assert len({clip.clip_id for clip in report.manifest}) == 60


def test_ravdess_names_missing_takes_and_misplaced_files(tree):
    root = tree("ravdess")
    folder = root / "Video_Speech_Actor_01" / "Actor_01"
    (folder / "01-01-05-01-01-01-01.mp4").unlink()
    video = (folder / "01-01-01-01-01-01-01.mp4").read_bytes()
    (folder / "01-01-05-01-01-01-07.mp4").write_bytes(video)
    (folder / "01-01-99-01-01-01-01.mp4").write_bytes(video)
    faults = faults_of(fetch("ravdess", root))
    assert faults["Actor_01/01-01-05-01-01-01-01.mp4"] == "is missing"
    base = "Video_Speech_Actor_01/Actor_01"
    assert "actor 07" in faults[f"{base}/01-01-05-01-01-01-07.mp4"]
    assert "not define" in faults[f"{base}/01-01-99-01-01-01-01.mp4"]


def test_ravdess_names_an_archive_rather_than_all_its_takes(tree):
    root = tree("ravdess")
    for file in (root / "Video_Speech_Actor_01" / "Actor_01").glob("01-01-0[5-8]-*"):
        file.unlink()
    assert "28 takes of speech instead of 60" in faults_of(fetch("ravdess", root))["Actor_01/"]


def test_cremad_leaves_out_what_its_makers_call_wrong(tree):
    root = tree("cremad")
    pointer = root / "VideoFlash" / "1003_TIE_SAD_XX.flv"
    pointer.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n")
    report = fetch("cremad", root)
    faults = faults_of(report)
    assert "all emotions" in faults["VideoFlash/1064_IEO_DIS_MD.flv"]
    assert "Git LFS" in faults["VideoFlash/1003_TIE_SAD_XX.flv"]
    assert not report.sound
    pointer.unlink()
    report = fetch("cremad", root)
    assert report.sound
    labels = {clip.clip_id: clip.label for clip in report.manifest}
    assert labels["1040_ITH_SAD_X"] == "sadness"
    assert "1064_IEO_DIS_MD" not in labels
    assert report.counts["clips"] == 5


def test_a_second_build_keeps_the_clips_and_a_changed_source_is_encoded_again(tree):
    root = tree("ckplus")
    first = fetch("ckplus", root).manifest
    stamps = {clip.clip_id: first.path(clip).stat().st_mtime_ns for clip in first}
    again = fetch("ckplus", root).manifest
    assert again == first
    assert stamps == {clip.clip_id: again.path(clip).stat().st_mtime_ns for clip in again}
    picture = root / "cohn-kanade-images/S005/001/S005_001_00000002.png"
    picture.write_bytes((picture.parent / "S005_001_00000001.png").read_bytes())
    changed = fetch("ckplus", root).manifest
    differs = [
        old.clip_id for old, new in zip(first, changed, strict=True) if old.sha256 != new.sha256
    ]
    assert differs == ["S005_001"]
    first.path(first.clips[1]).write_bytes(b"spoilt")
    assert fetch("ckplus", root).manifest.verify() == []


def test_two_processes_give_the_same_manifest(tree):
    root = tree("afew")
    alone = fetch("afew", root).manifest
    assert len(alone) > 12  # fewer are not worth a second process
    for clip in alone:
        alone.path(clip).unlink()
    assert fetch("afew", root, jobs=2).manifest == alone


def test_encoding_options_reach_the_clips(tree):
    root = tree("ckplus")
    fine = fetch("ckplus", root).manifest
    sizes = [fine.path(clip).stat().st_size for clip in fine]
    coarse = fetch("ckplus", root, vop_quant=31).manifest
    smaller = [coarse.path(clip).stat().st_size for clip in coarse]
    assert all(new < old for new, old in zip(smaller, sizes, strict=True))
    with pytest.raises(ConfigError):
        fetch("ckplus", root, vop_kwant=3)


def test_the_environment_names_the_folder(tree, monkeypatch):
    monkeypatch.setenv("MIC_MMI", str(tree("mmi")))
    assert datasets.available("mmi")
    manifest = datasets.load("mmi", config.load("smoke", jobs=1))
    assert manifest.clips[0].frame_rate == Fraction(25)


def test_loading_a_broken_tree_names_the_first_fault(tree):
    root = tree("mmi")
    (root / "Sessions/7/session.xml").unlink()
    with pytest.raises(DatasetError, match="is missing"):
        datasets.load("mmi", config.load("smoke", jobs=1), path=root)


def test_unknown_names_and_places_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="ckplus"):
        datasets.fetch("ck++")
    with pytest.raises(DatasetError, match="does not exist"):
        fetch("ckplus", tmp_path / "nowhere")
    with pytest.raises(ConfigError, match="not open"):
        datasets.fetch("ckplus", download_it=True)


@pytest.mark.parametrize("name", trees.TREES)
def test_the_case_of_names_does_not_matter(name, tree):
    root = tree(name)
    before = datasets.DATASETS[name].scan(root)
    for path in sorted(root.rglob("*"), key=lambda path: -len(path.parts)):
        path.rename(path.with_name(path.name.swapcase()))
    after = datasets.DATASETS[name].scan(root)
    named = [(one.clip_id, one.label) for one in before.sources]
    assert [(one.clip_id, one.label) for one in after.sources] == named
    assert len(after.faults) == len(before.faults)
