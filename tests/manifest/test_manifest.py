"""The manifest's schema: what it refuses, what it keeps, what it finds on the disk."""

import dataclasses
import hashlib
from fractions import Fraction
from pathlib import Path

import pytest

from mic.errors import DatasetError
from mic.manifest.manifest import Clip, Manifest

CLASSES = ("anger", "happiness")


def make_clip(number: int = 0, **changes) -> Clip:
    fields = {
        "clip": f"clips/{number}.mp4",
        "clip_id": f"c{number}",
        "subject": f"s{number % 3}",
        "label": CLASSES[number % 2],
        "licence": "CC0-1.0",
        "sha256": hashlib.sha256(str(number).encode()).hexdigest(),
        "frames": 20,
        "frame_rate": Fraction(30000, 1001),
        "apex": 19,
        "fold": number % 3,
        "split": "train",
        "annotation": f"truth/{number}.npz",
    }
    return Clip(**(fields | changes))


def make_manifest(*clips: Clip, root: Path = Path("data")) -> Manifest:
    return Manifest(name="test", root=root, classes=CLASSES, clips=clips)


def test_it_survives_a_round_trip(tmp_path):
    manifest = make_manifest(
        make_clip(0),
        make_clip(1, clip='odd "name", with comma.mp4', apex=None, fold=None, annotation=""),
        root=tmp_path,
    )
    manifest.save(tmp_path / "manifest.csv")
    assert Manifest.load(tmp_path / "manifest.csv") == manifest
    assert Manifest.load(tmp_path / "manifest.csv", root="/elsewhere").digest() == (
        manifest.digest()
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"clip": "../up.mp4"}, "leads out"),
        ({"clip": "/etc/passwd"}, "leads out"),
        ({"clip": "a/../../b.mp4"}, "leads out"),
        ({"clip": "C:/b.mp4"}, "leads out"),
        ({"clip": "..\\b.mp4"}, "leads out"),
        ({"annotation": "../truth.npz"}, "leads out"),
        ({"clip": ""}, "no path"),
        ({"clip": "a\nb.mp4"}, "control characters"),
        ({"subject": "s\u2028"}, "control characters"),
        ({"subject": ""}, "no subject"),
        ({"label": "joy"}, "not a class"),
        ({"label": ""}, "no label"),
        ({"frames": 0}, "0 frames"),
        ({"frame_rate": Fraction(0)}, "frame rate"),
        ({"apex": 20}, "apex 20"),
        ({"apex": -1}, "apex -1"),
        ({"fold": -1}, "fold -1"),
        ({"split": "dev"}, "split 'dev'"),
        ({"sha256": "abc"}, "SHA-256"),
        ({"clip_id": "c0"}, "another row"),
        ({"clip": "clips/0.mp4"}, "another row"),
    ],
)
def test_an_unsound_row_is_refused_and_named(changes, message):
    with pytest.raises(DatasetError, match=message) as caught:
        make_manifest(make_clip(0), make_clip(1, **changes))
    assert "row 2" in caught.value.place


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("20,30000/1001", "many,30000/1001", "line 3"),
        ("20,30000/1001", "20,1/0", "line 3"),
        ("train", "train,extra", "line 3"),
        ("clip,clip_id", "clip,name", None),
        ("# {", "", None),
    ],
)
def test_a_file_that_is_no_manifest_is_refused(tmp_path, old, new, place):
    file = tmp_path / "manifest.csv"
    make_manifest(make_clip(0)).save(file)
    file.write_text(file.read_text().replace(old, new))
    with pytest.raises(DatasetError) as caught:
        Manifest.load(file)
    assert caught.value.place == place


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("30000/1001", "1e1000000000"),
        ("30000/1001", "9" * 5000),
        (",20,", f",{'9' * 5000},"),
        ("s0", "s" * 200_000),
        ("# {", "# " + "[" * 100_000 + "{"),
        ("# {", "# [1, 2]\n# {"),
        ('"test"', '["test"]'),
    ],
)
def test_a_hostile_manifest_is_refused_at_once(tmp_path, old, new):
    file = tmp_path / "manifest.csv"
    make_manifest(make_clip(0)).save(file)
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    with pytest.raises(DatasetError, match="Remedy"):
        Manifest.load(file)


def test_the_reason_is_in_the_words_of_the_table(tmp_path):
    file = tmp_path / "manifest.csv"
    make_manifest(make_clip(0), make_clip(1)).save(file)
    text = file.read_text()
    for spoilt, message in (
        (text[: text.rindex(",20,")], "it has .* columns of 12"),
        (text.replace(",", ";"), "first line is none such as"),
        ("file,label\na.mp4,happy\n", "first line is none such as"),
        (text + text.splitlines()[2] + "\n", "stands in another row too"),
    ):
        file.write_text(spoilt)
        with pytest.raises(DatasetError, match=message) as caught:
            Manifest.load(file)
        assert caught.value.file == file


def test_a_missing_file_is_refused_with_a_remedy(tmp_path):
    with pytest.raises(DatasetError, match="mic fetch"):
        Manifest.load(tmp_path / "none.csv")


def test_verify_names_every_fault_on_disk(tmp_path):
    clips = [make_clip(number, annotation="") for number in range(4)]
    (tmp_path / "clips").mkdir()
    for number in (0, 1, 2):
        (tmp_path / f"clips/{number}.mp4").write_text(str(number))
    manifest = make_manifest(*clips, root=tmp_path)
    assert [fault.file for fault in manifest.verify()] == ["clips/3.mp4"]
    outside = tmp_path.parent / f"{tmp_path.name}-outside"
    outside.write_text("3")
    (tmp_path / "clips/3.mp4").symlink_to(outside)
    (tmp_path / "clips/1.mp4").write_text("x")
    faults = {fault.file: fault.message for fault in manifest.verify()}
    assert faults.keys() == {"clips/1.mp4", "clips/3.mp4"}
    assert "SHA-256" in faults["clips/1.mp4"]
    assert "link" in faults["clips/3.mp4"]
    assert [fault.file for fault in manifest.verify(hashes=False)] == ["clips/3.mp4"]


def test_the_digest_depends_on_content_not_on_place():
    manifest = make_manifest(make_clip(0), make_clip(1))
    moved = dataclasses.replace(manifest, root=Path("/elsewhere"))
    assert moved.digest() == manifest.digest()
    changed = make_manifest(make_clip(0), make_clip(1, apex=3))
    assert changed.digest() != manifest.digest()
    assert manifest.where(lambda clip: clip.subject == "s1").clips == (manifest.clips[1],)
    assert manifest.label_indices() == [0, 1]


def test_continuous_data_have_no_labels():
    clip = make_clip(0, label="", apex=None)
    manifest = Manifest(name="avec", root=Path("data"), classes=(), clips=(clip,))
    assert manifest.label_indices() == [-1]
    assert manifest.annotation_path(clip) == Path("data/truth/0.npz")
    with pytest.raises(DatasetError, match="ground truth"):
        manifest.annotation_path(make_clip(0, annotation=""))


@pytest.mark.parametrize("classes", [["happiness", "anger", "happiness"], "aba"])
def test_a_class_that_stands_twice_is_refused(classes):
    with pytest.raises(DatasetError, match="a class stands twice"):
        Manifest(name="test", root=Path("data"), classes=classes, clips=())
