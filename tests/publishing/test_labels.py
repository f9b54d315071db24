"""Labels and people come from what files are called, not from where links lead."""

import os

import pytest

from mic import cli
from mic.errors import DatasetError
from mic.publishing.labels import labelled_videos, read_table


@pytest.fixture
def store(tmp_path):
    """A folder that only keeps files; empty ones suffice where nobody looks."""
    folder = tmp_path / "store" / "9f"
    folder.mkdir(parents=True)
    for name in ("1.mp4", "2.mp4", "3.mp4"):
        (folder / name).touch()
    return folder


def link(folder, **names):
    """Links by class, person and name, as a data set kept by git-annex or DVC has them."""
    for name, target in names.items():
        path = folder / name.replace("__", "/")
        path = path.with_suffix(".mp4") if target.is_file() else path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(os.path.relpath(target, path.parent))
    return folder


def told(videos, below, **options):
    found = labelled_videos(videos, **options)
    return [(one.path.relative_to(below).as_posix(), one.label, one.person) for one in found]


def test_links_to_files_are_labelled_as_they_are_called(store, tmp_path, monkeypatch):
    top = link(tmp_path / "d", happy__ann__a=store / "1.mp4", sad__b=store / "2.mp4")
    expected = [("happy/ann/a.mp4", "happiness", "ann"), ("sad/b.mp4", "sadness", "")]
    assert told(top, top) == expected
    monkeypatch.chdir(top / "happy")
    assert [one.label for one in labelled_videos(["ann/../../sad/b.mp4", "."])] == [
        "sadness",
        "happiness",
    ]
    link(top, sad__ann__c=store / "3.mp4")
    files = [top / "sad/b.mp4", top / "happy/ann/../../sad/ann/c.mp4"]
    assert [one.label for one in labelled_videos(files)] == ["sadness", "sadness"]


@pytest.mark.parametrize("given", ["", "happy"])
def test_linked_folders_are_classes_and_people_as_they_are_called(given, store, tmp_path):
    top = link(tmp_path / "d", happy__ann=store)
    expected = [(f"happy/ann/{number}.mp4", "happiness", "ann") for number in (1, 2, 3)]
    assert told(top / given, top) == expected
    top = link(tmp_path / "e", happy=store, sad__loop=tmp_path / "e", sad__up=tmp_path)
    expected = [(f"happy/{number}.mp4", "happiness", "") for number in (1, 2, 3)]
    assert told(top / given, top) == expected


def test_a_class_that_links_to_a_folder_beside_it_is_not_lost(store, tmp_path):
    top = tmp_path / "d"
    link(top, happy=store)
    (top / "raw/1").mkdir(parents=True)
    (top / "raw/1/k.mp4").touch()
    link(top, sad=top / "raw/1")
    with pytest.raises(DatasetError, match="'raw' there, 'sadness' here") as caught:
        labelled_videos(top)
    assert str(top / "raw/1/k.mp4") in str(caught.value)
    assert caught.value.file == top / "sad/k.mp4"
    assert len(labelled_videos([top / "happy", top / "sad"])) == 4


def test_one_file_is_never_shown_as_two(store, tmp_path):
    top = link(tmp_path / "d", happy__a=store / "1.mp4", happy__again__b=store / "1.mp4")
    assert told(top, top) == [("happy/a.mp4", "happiness", "again")]
    link(top, sad__a=store / "1.mp4")
    with pytest.raises(DatasetError, match="'happiness' there, 'sadness' here") as caught:
        labelled_videos(top)
    assert str(top / "happy/a.mp4") in str(caught.value)
    assert str(top / "sad/a.mp4") in str(caught.value)
    (top / "sad/a.mp4").unlink()
    link(top, happy__bob__c=store / "1.mp4")
    with pytest.raises(DatasetError, match="another person: 'again' there, 'bob' here"):
        labelled_videos(top)


def test_a_table_may_use_any_name_of_a_file(store, tmp_path):
    top = link(tmp_path / "d", a__1=store / "1.mp4", b__1=store / "1.mp4", c=store)
    table = tmp_path / "labels.csv"
    for name in ("1.mp4", "a/1.mp4", "b/1.mp4", "c/1.mp4", top / "b/1.mp4", store / "1.mp4"):
        table.write_text(f"video,label\n{name},fear\n")
        assert [one.label for one in labelled_videos(top, labels=table)] == ["fear"]
    table.write_text("video,label\na/1.mp4,fear\nb/1.mp4,fear\n")
    assert told(top, top, labels=table) == [("a/1.mp4", "fear", "")]
    table.write_text("video,label\na/1.mp4,fear\nb/1.mp4,anger\n")
    with pytest.raises(DatasetError, match="'fear' there, 'anger' here"):
        labelled_videos(top, labels=table)


def test_the_second_name_of_a_labelled_file_is_not_called_unlabelled(store, tmp_path, capsys):
    top = link(tmp_path / "d", happy__a=store / "1.mp4", happy__b=store / "1.mp4")
    peer = tmp_path / "peer.csv"
    peer.write_text("video,label\na.mp4,happy\n")
    command = ["evaluate", str(top), "--predictions", str(peer), "--out", str(tmp_path / "out")]
    assert cli.main(command) == 0
    assert "have no label" not in capsys.readouterr().err


def test_a_file_of_two_hard_links_is_one_video(store, tmp_path):
    top = tmp_path / "d"
    for name in ("happy/ann/1.mp4", "happy/ann/again.mp4", "sad/ann/2.mp4"):
        (top / name).parent.mkdir(parents=True, exist_ok=True)
    os.link(store / "1.mp4", top / "happy/ann/1.mp4")
    os.link(store / "1.mp4", top / "happy/ann/again.mp4")
    (top / "sad/ann/2.mp4").touch()
    assert len(labelled_videos(top)) == 2
    os.link(store / "1.mp4", top / "sad/ann/1.mp4")
    with pytest.raises(DatasetError, match="again, with another label"):
        labelled_videos(top)


def test_files_given_singly_have_the_class_above_their_person(store, tmp_path):
    top = link(tmp_path / "d", happy__ann__a=store / "1.mp4", sad__ben__b=store / "2.mp4")
    given = [top / "happy/ann/a.mp4", top / "sad/ben"]
    assert told(given, top) == [
        ("happy/ann/a.mp4", "happiness", "ann"),
        ("sad/ben/b.mp4", "sadness", "ben"),
    ]


def test_a_table_may_go_up_and_down_again(store, tmp_path):
    top = link(tmp_path / "d", happy__a=store / "1.mp4")
    table = tmp_path / "labels.csv"
    table.write_text("video,label\nd/sad/../happy/a.mp4,sad\n")
    assert [one.label for one in labelled_videos(top, labels=table)] == ["sadness"]


def test_a_table_that_is_not_there_is_not_to_be_mended(tmp_path):
    with pytest.raises(DatasetError, match=r"none\.csv: cannot be read: No such file.* the path"):
        read_table(tmp_path / "none.csv", ["video", "label"])
