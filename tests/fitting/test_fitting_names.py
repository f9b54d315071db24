"""What `mic train` makes of names, tables and first pictures, and that no training is lost."""

import codecs
import csv
import dataclasses
import json
import os
from pathlib import Path

import numpy as np
import pytest

from mic import cli, fitting
from mic.codec import decode, encode_frames
from mic.errors import DatasetError, StorageError
from mic.evaluation import leakage
from mic.fitting import Labelled, class_folders, clips
from mic.fitting import training as fit_module
from mic.fitting.clips import understood
from mic.manifest.tables import read_rows, read_text
from mic.recognition.recogniser import Recogniser
from mic.training.train import Schedule

SMALL = {
    "schedule": Schedule(epochs=1, batch=4, frames=6),
    "network": "none",
    "method": dataclasses.replace(fit_module.METHOD, feature_size=16, z_size=16, width=4),
}


@pytest.fixture
def drawn(monkeypatch):
    """Videos need not exist: their arrays are drawn by their names."""

    def arrays(path, recipe, network, folder):
        rng = np.random.default_rng(sum(os.fsencode(path)))
        residual = rng.integers(-40, 40, (16, 3, 32, 32)).astype(np.int16)
        return {"residual": residual, "identity": rng.standard_normal(16).astype(np.float32)}

    monkeypatch.setattr(clips, "_arrays", arrays)
    monkeypatch.setattr(clips.cache, "digest", str)


def touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


def by_name(found):
    return {one.path.name: one for one in found}


MARKS = [
    (b"", "utf-8"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
]


@pytest.mark.parametrize(("mark", "encoding"), MARKS)
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_ratings_are_read_as_spreadsheet_programs_write_them(tmp_path, mark, encoding, separator):
    folder = touch(tmp_path, "happy/anna/1.mp4", "sad/bob/1.mp4", "sad/zoë/2.mp4")
    half = "0,5" if separator == ";" else "0.5"
    rows = [
        ("video", "valence", "note"),
        ("happy/anna/1.mp4", half, "x"),
        ("sad\\bob\\1.mp4", " -1 ", ""),
        ("sad/zoe\u0308/2.mp4", "", ""),
        ("", "", ""),
    ]
    text = "\r\n".join(separator.join(row) for row in rows) + "\r\n"
    (folder / "valence.csv").write_bytes(mark + text.encode(encoding))
    found = [one.valence for one in class_folders(folder)]
    assert found == [0.5, -1.0, None]
    assert "2 of them rated" in understood(class_folders(folder))


def test_a_person_in_two_spellings_is_not_two_people(tmp_path):
    folder = touch(tmp_path, "happy/Anna/1.mp4", "sad/anna/1.mp4", "sad/bob/1.mp4")
    with pytest.raises(DatasetError, match="one person as 'Anna' and as 'anna'"):
        class_folders(folder)


def test_tables_that_cannot_be_read_are_named(tmp_path):
    folder = touch(tmp_path, "happy/anna/1.mp4", "sad/bob/1.mp4")
    for text in (b"video,valence\nhappy/anna/1.mp4,2\n", b"file,valence\nx,1\n", b"\xe9,\xe8\n"):
        (folder / "valence.csv").write_bytes(text)
        with pytest.raises(DatasetError, match="is no table") as caught:
            class_folders(folder)
        assert caught.value.file == folder / "valence.csv"


def test_rows_that_are_too_short_are_filled_and_too_long_ones_refused(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('a,b\n"x, y"\n\n1,2,,\n\n')
    rows = read_rows(path)
    assert rows == [{"a": "x, y", "b": ""}, {"a": "1", "b": "2"}]
    assert [row.line for row in rows] == [2, 4]
    path.write_text("a,b\n\n1,-0,7\n")
    with pytest.raises(csv.Error, match="line 3 has more cells than there are columns"):
        read_rows(path)
    path.write_text("sep=;\na;b\n1;-0,7\n")
    assert read_rows(path) == [{"a": "1", "b": "-0,7"}]
    assert read_rows(path)[0].line == 3
    path.write_bytes(codecs.BOM_UTF8 + "é".encode())
    assert read_text(path) == "é"


def test_the_first_group_of_a_pattern_names_the_person(tmp_path):
    names = ["01-01-03-01-01-01-01", "01-01-03-01-01-01-02"]
    folder = touch(tmp_path, *(f"happy/{n}.mp4" for n in names), *(f"sad/{n}.mp4" for n in names))
    found = class_folders(folder, subject=r".*-(\d\d)$")
    assert [one.subject for one in found] == ["01", "02", "01", "02"]
    assert [one.subject for one in class_folders(folder, subject=r"\d\d-\d\d")] == ["01-01"] * 4
    told = understood(found)
    assert "4 videos of 2 classes: happy 2, sad 2" in told
    assert "2 people: 01 2, 02 2" in told
    # A pattern goes before folders, and folders before nothing.
    touch(folder, "sad/anna/x-07.mp4", "sad/anna/other.mp4")
    found = by_name(class_folders(folder, subject=r".*-(\d\d)$"))
    assert (found["x-07.mp4"].subject, found["other.mp4"].subject) == ("07", "anna")
    with pytest.raises(DatasetError, match="does not begin with a subject"):
        class_folders(folder, subject="p(x)?")


def test_what_seems_wrong_is_said_before_the_training(tmp_path):
    each = [Labelled(path=Path(f"{k}.mp4"), label="ab"[k % 2], subject=str(k)) for k in range(4)]
    assert "every video is of another person" in understood(each)
    rare = [*each, Labelled(path=Path("x.mp4"), label="c", subject="3")]
    assert "only 3 shows c" in understood(rare)


def test_folders_that_link_in_a_circle_are_no_classes(tmp_path):
    folder = touch(tmp_path / "videos", "happy/anna/1.mp4", "sad/bob/1.mp4")
    (folder / "loop").symlink_to(folder)
    (folder / "up").symlink_to(tmp_path)
    (folder / "sad/up").symlink_to(folder)
    (folder / "sad/bob/up").symlink_to(folder)
    assert [(one.label, one.subject) for one in class_folders(folder)] == [
        ("happy", "anna"),
        ("sad", "bob"),
    ]


def test_links_are_the_classes_and_people_that_they_are_called(tmp_path):
    store = touch(tmp_path / "9f", "1.mp4", "2.mp4")
    folder = touch(tmp_path / "sad", "happy/anna/x.mp4", "fear/bob/y.mp4")
    (folder / "anger").mkdir()
    (folder / "anger/cleo").symlink_to(store)
    (folder / "fear/dora_1.mp4").symlink_to(store.parent / "z.mp4")
    touch(store.parent, "z.mp4")
    assert {(one.path.name, one.label, one.subject) for one in class_folders(folder)} == {
        ("1.mp4", "anger", "cleo"),
        ("2.mp4", "anger", "cleo"),
        ("x.mp4", "happy", "anna"),
        ("y.mp4", "fear", "bob"),
        ("dora_1.mp4", "fear", "dora"),
    }
    (folder / "happy/eve_1.mp4").symlink_to(folder / "fear/dora_1.mp4")
    with pytest.raises(DatasetError, match="another label: 'fear' there, 'happy' here") as caught:
        class_folders(folder)
    assert str(folder / "fear/dora_1.mp4") in str(caught.value)
    (tmp_path / "happy").symlink_to(store)  # the folder of one class, by what it is called
    (store / "anna").mkdir()
    touch(store, "anna/3.mp4")
    with pytest.raises(DatasetError, match="is the folder of one class") as caught:
        class_folders(tmp_path / "happy")
    assert str(tmp_path) in caught.value.remedy


def test_names_that_are_no_text_are_written_escaped(tmp_path, drawn):
    label = os.fsdecode(b"g\xe9ne")
    names = [f"{label}/{who}/1.mp4" for who in "abc"] + [f"calm/{who}/1.mp4" for who in "abc"]
    folder = touch(tmp_path / "videos", *names)
    made = fitting.fit(folder, tmp_path / "model", **SMALL)
    assert made.classes == ("calm", r"g\xe9ne")
    assert json.loads((tmp_path / "model" / "fit.json").read_text())["classes"] == list(
        made.classes
    )
    assert Recogniser.load(made.weights).card.classes == made.classes


def people(counts):
    """Labelled videos: for each class, who shows it."""
    return [
        Labelled(path=Path(f"{label}-{who}-{k}.mp4"), label=label, subject=who)
        for label, shown in counts.items()
        for k, who in enumerate(shown)
    ]


@pytest.mark.parametrize("folds", [2, 5])
def test_a_class_of_one_person_is_trained_and_not_tested(tmp_path, drawn, folds):
    videos = people({"happy": "abcde", "sad": "abcde", "surprise": "d"})
    made = fitting.fit(videos, tmp_path, folds=folds, **SMALL)
    assert made.classes == ("happy", "sad", "surprise")
    assert made.confusion[2].sum() == 0 < made.test_clips
    assert made.train_clips + made.test_clips == len(videos)


def test_where_everybody_alone_shows_a_class_nothing_is_tested_and_it_is_said(tmp_path, drawn):
    videos = people({"happy": "aaaa", "sad": "bbbb"})
    made = fitting.fit(videos, tmp_path, **SMALL)
    assert (made.train_clips, made.test_clips) == (8, 0)
    facts = json.loads((tmp_path / "fit.json").read_text())
    assert facts["accuracy"]["value"] is None is facts["leakage"]["auc"]
    card = Recogniser.load(made.weights).card
    assert "Not tested" in card.summary
    assert card.classes == ("happy", "sad")


def test_a_training_is_saved_before_anything_is_computed_with_it(tmp_path, drawn, monkeypatch):
    def fails(*arguments, **options):
        raise IndexError("a mistake of ours")

    monkeypatch.setattr(leakage, "measure", fails)
    with pytest.raises(IndexError, match="of ours"):
        fitting.fit(people({"happy": "abc", "sad": "abc"}), tmp_path, **SMALL)
    assert Recogniser.load(tmp_path / "model.safetensors").card.classes == ("happy", "sad")


def test_the_place_of_the_model_is_tried_first(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setattr(clips, "_arrays", lambda *arguments: pytest.fail("work began"))
    with pytest.raises(StorageError) as caught:
        fitting.fit(people({"a": "xy", "b": "xy"}), tmp_path / "file" / "model", **SMALL)
    assert caught.value.file == tmp_path / "file" / "model" / "model.safetensors"


def test_the_command_says_what_it_understood(tmp_path, drawn, capsys):
    names = [f"{label}/take-{who}.mp4" for label in ("happy", "sad") for who in ("01", "02", "03")]
    folder = touch(tmp_path / "videos", *names)
    arguments = ["train", str(folder), "--subject", r"take-(\d\d)", "--identity", "none"]
    assert cli.main([*arguments, "--epochs", "1", "--out", str(tmp_path / "model")]) == 0
    out = capsys.readouterr().out
    assert out.startswith("6 videos of 2 classes: happy 3, sad 3\n3 people: 01 2, 02 2, 03 2\n")
    assert "weights: " in out


@pytest.fixture(scope="module")
def face(generated):
    """A generated face, uint8 (128, 128, 3)."""
    return next(decode(generated.path(generated.clips[0])))


def test_blank_first_pictures_are_passed_over(tmp_path, face):
    fades = [np.zeros_like(face)] * 2 + [face // 3, face // 2] + [face] * 10
    encode_frames(fades, tmp_path / "a.mp4", frame_rate=25)
    found = clips._read(tmp_path / "a.mp4", clips.Recipe(), None)
    assert len(found["residual"])
    # Nothing but blank pictures is nobody.
    encode_frames([np.zeros_like(face)] * 14, tmp_path / "b.mp4", frame_rate=25)
    assert clips._read(tmp_path / "b.mp4", clips.Recipe(), None)["residual"].size == 0


@pytest.mark.parametrize("second", ["Happy", "happy "])
def test_one_class_in_two_spellings_is_refused(tmp_path, second):
    folder = touch(tmp_path, "happy/anna/1.mp4", f"{second}/bob/1.mp4", "sad/bob/1.mp4")
    with pytest.raises(DatasetError, match="of one class"):
        class_folders(folder)


def test_letters_that_are_composed_otherwise_are_the_same(tmp_path):
    folder = touch(
        tmp_path, "gl\u00fccklich/zo\u00eb/1.mp4", "glu\u0308cklich/zoe\u0308/2.mp4", "sad/a/1.mp4"
    )
    found = class_folders(folder)
    assert {one.label for one in found} == {"gl\u00fccklich", "sad"}
    assert {one.subject for one in found} == {"zo\u00eb", "a"}


def test_parts_of_a_dataset_are_not_taken_for_classes(tmp_path):
    parts = [f"{part}/{label}/{n}.mp4" for part in ("train", "val")
             for label in ("angry", "happy", "sad") for n in range(2)]  # fmt: skip
    with pytest.raises(DatasetError, match="classes lie a level deeper"):
        class_folders(touch(tmp_path, *parts))


def test_a_video_that_is_there_twice_is_used_once_and_never_with_two_labels(tmp_path, monkeypatch):
    names = ["happy/a/1.mp4", "happy/b/1.mp4", "sad/a/2.mp4", "sad/b/2.mp4", "sad/c/2.mp4"]
    folder = touch(tmp_path, *names)
    for place, name in enumerate(names[:-1]):
        (folder / name).write_bytes(bytes([place]))
    (folder / names[-1]).write_bytes(bytes([2]))
    arrays = {"residual": np.zeros((4, 3, 8, 8), np.int16), "identity": np.zeros(2, np.float32)}
    monkeypatch.setattr(clips, "_arrays", lambda *anything: arrays)
    found, left_out = clips.tensors_of(class_folders(folder), clips.Recipe(), network=None)
    assert len(found) == 4
    (one,) = left_out
    assert one.path == folder / names[-1]
    assert one.reason == f"is {folder / names[2]} again"
    (folder / names[1]).write_bytes(bytes([2]))
    with pytest.raises(DatasetError, match="with another label"):
        clips.tensors_of(class_folders(folder), clips.Recipe(), network=None)


def test_a_video_that_is_rated_twice_is_said(tmp_path):
    folder = touch(tmp_path, "happy/anna/1.mp4", "sad/bob/1.mp4")
    table = folder / "valence.csv"
    table.write_text("Video,Valence\nhappy/anna/1.mp4,0.5\nhappy/anna/1.mp4,0.5\n")
    assert by_name(class_folders(folder))["1.mp4"] is not None  # said twice alike, in any case
    table.write_text("video,valence\nhappy/anna/1.mp4,0.5\nhappy/anna/1.mp4,-0.5\n")
    with pytest.raises(DatasetError, match=r"rated 0\.5 and -0\.5"):
        class_folders(folder)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((".", "--epochs", "0"), "epochs is 0"),
        ((".", "--folds", "1"), "--folds is 1"),
        ((".", "--seed", "99999999999999999999"), "--seed is"),
        (("/",), "--out"),
    ],
)
def test_what_trains_nothing_is_refused_before_a_video_is_read(
    tmp_path, monkeypatch, capsys, arguments, words
):
    monkeypatch.chdir(touch(tmp_path, "happy/anna/1.mp4", "sad/bob/1.mp4"))
    assert cli.main(["train", *arguments]) != 0
    assert words in capsys.readouterr().err


def test_the_folder_itself_may_be_named_by_a_dot(tmp_path, monkeypatch, drawn):
    folder = tmp_path / "films"
    names = [f"{label}/{who}/1.mp4" for label in ("happy", "sad") for who in "abcdef"]
    monkeypatch.chdir(touch(folder, *names))
    asked = {}
    monkeypatch.setattr(fitting, "fit", lambda videos, target, **_: asked.update(target=target))
    with pytest.raises(AttributeError):  # nothing was trained that could be shown
        cli.main(["train", "."])
    assert asked["target"] == tmp_path / "films-model"
    (tmp_path / "called").mkdir()
    (tmp_path / "called/so").symlink_to(folder)
    with pytest.raises(AttributeError):
        cli.main(["train", str(tmp_path / "called/so")])
    assert asked["target"] == tmp_path / "called/so-model"
