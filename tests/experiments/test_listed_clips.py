"""Somebody's own list of clips, as people and their spreadsheet programs write it."""

import dataclasses
from pathlib import Path

import dataset_trees as trees
import pytest

from mic import config, datasets
from mic.errors import DatasetError
from mic.experiments import given, listed

SMOKE = config.load("smoke", jobs=1)
ROWS = "clip,label,subject\nhappy/1.avi,happy,anna\nsad/2.avi,sad,bob\n"


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("MIC_HOME", str(tmp_path / "home"))


def written(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    table = folder / "clips.csv"
    table.write_bytes(text.encode(encoding))
    return table


def test_a_list_is_data_and_a_clip_that_is_gone_is_named(tmp_path):
    rows = [f"v/{number}.avi,{'happy' if number % 2 else 'sad'},p{number}" for number in range(30)]
    for number in range(30):
        trees.video(tmp_path / f"v/{number}.avi", seed=number, count=4)
    (tmp_path / "v/7.avi").unlink()
    table = written(tmp_path, "\n".join(["clip,label,subject", *rows]))
    data = given.labelled([f"mine={table}"], SMOKE)["mine"]
    assert len(data.manifest) == 29
    assert data.manifest.classes == ("happy", "sad")
    assert {(clip.label, clip.subject) for clip in data.manifest} == {
        (label, who) for _, label, who in (row.split(",") for row in rows) if who != "p7"
    }
    (absent,) = data.absent
    assert absent.path == tmp_path / "v/7.avi"
    assert "No such file" in absent.reason


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (ROWS, "utf-8"),
        (ROWS.replace("\n", "\r\n"), "utf-8-sig"),
        (ROWS.replace(",", ";"), "utf-16"),
        (ROWS.replace(",", "  ,\t ").replace("/", "\\"), "utf-8"),
        (ROWS.replace("clip,label", "Clip,LABEL").replace("happy/", "./happy/") + ",,\n", "utf-8"),
    ],
)
def test_a_list_is_read_as_any_program_writes_it(tmp_path, text, encoding):
    found = listed.read(written(tmp_path, text, encoding))
    assert [(one.files, one.label, one.subject) for one in found] == [
        (("happy/1.avi",), "happy", "anna"),
        (("sad/2.avi",), "sad", "bob"),
    ]


def test_parts_and_apexes_of_a_list_count(tmp_path):
    text = "clip,label,subject,split,fold,apex\na.avi,x,p,Train,2,0\nb.avi,y,q,val,1,\n"
    first, second = listed.read(written(tmp_path, text))
    assert (first.split, first.fold, first.apex) == ("train", 2, 0)
    assert (second.split, second.fold, second.apex) == ("val", 1, "found")
    (plain,) = listed.read(written(tmp_path, "clip,label,subject\n./a/b.avi,x,p\n"))
    assert (plain.clip_id, plain.split, plain.fold) == ("a/b.avi", "", None)


@pytest.mark.parametrize("name", ["split", "fold"])
def test_parts_of_some_clips_only_are_refused(name, tmp_path):
    value = {"split": "train", "fold": "0"}[name]
    text = f"clip,label,subject,{name}\na.avi,x,p,{value}\nb.avi,y,q,\n"
    with pytest.raises(DatasetError, match=f"has a {name} for some clips") as caught:
        listed.read(written(tmp_path, text))
    assert caught.value.place == "clip b.avi"


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("", None, "has no rows"),
        ("clip,label\na.avi,x\n", None, "it has no subject"),
        (ROWS + "\u00e9", None, "no list of clips"),
        (ROWS + "b.avi,,bob\n", "clip 3 (b.avi)", "its label is empty"),
        (ROWS + "b.avi,nan,bob\n", "clip 3 (b.avi)", "its label is 'nan', as programs write"),
        (ROWS + "b.avi,sad,None\n", "clip 3 (b.avi)", "its subject is 'None', as programs write"),
        (ROWS + "b.avi,sad,b\x1fb\n", "clip 3 (b.avi)", "has line breaks or control characters"),
        (ROWS + ",happy,bob\n", "clip 3", "its clip is empty"),
        (ROWS + "b.avi,Happy,bob\n", "clip 3 (b.avi)", "'Happy' is written 'happy' before"),
        (ROWS + "sad/2.avi,happy,bob\n", "clip 3 (sad/2.avi)", "is there already"),
        (ROWS + "sad//2.avi,happy,bob\n", "clip 3 (sad//2.avi)", "is there already"),
        (
            ROWS + "b.avi,sad,Bob\n",
            "clip 3 (b.avi)",
            "'Bob' is written 'bob' before",
        ),
        (ROWS + "b.avi,sad,Doe, S024\n", None, "more cells than there are columns"),
        (ROWS + "../b.avi,sad,bob\n", "clip 3 (../b.avi)", "leaves the table's folder"),
        (ROWS + "/b.avi,sad,bob\n", "clip 3 (/b.avi)", "leaves the table's folder"),
        ("clip,label,subject,split\nb.avi,sad,bob,dev\n", "clip 1 (b.avi)", "its split is 'dev'"),
        ("clip,label,subject,apex\nb.avi,sad,bob,-1\n", "clip 1 (b.avi)", "its apex is '-1'"),
    ],
)
def test_a_list_that_is_none_is_refused_with_its_row(tmp_path, text, place, message):
    table = written(tmp_path, text, "latin-1")
    with pytest.raises(DatasetError, match="(?s)" + message.replace("'", ".")) as caught:
        given.labelled([f"mine={table}"], SMOKE)
    assert (caught.value.file, caught.value.place) == (table, place)
    assert caught.value.remedy


def test_two_folders_of_one_class_are_refused(tmp_path):
    for seed, place in enumerate(("happy/a", "HAPPY/b", "sad/a")):
        trees.video(tmp_path / place / "1.avi", seed=seed)
    with pytest.raises(DatasetError, match="'HAPPY' and 'happy' of one class") as caught:
        given.labelled([f"mine={tmp_path}"], SMOKE)
    assert caught.value.remedy


def test_a_manifest_that_gives_one_file_two_labels_is_refused(tmp_path):
    (tmp_path / "mmi").mkdir()
    manifest = datasets.fetch("mmi", path=trees.mmi(tmp_path / "mmi"), size=None).manifest
    first, second, *_ = manifest.clips
    assert first.label != second.label
    wrong = dataclasses.replace(second, sha256=first.sha256)
    table = manifest.root / "wrong.csv"
    dataclasses.replace(manifest, clips=(first, wrong)).save(table)
    with pytest.raises(DatasetError, match=f"pictures of {first.clip_id} again") as caught:
        given.labelled([f"mine={table}"], SMOKE)
    assert (caught.value.file, caught.value.place) == (table, second.clip_id)
