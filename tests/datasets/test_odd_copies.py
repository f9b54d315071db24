"""Copies as they lie on people's disks: read right, refused by name, or a clip less and why."""

import shutil
from collections.abc import Callable
from pathlib import Path

import dataset_trees as trees
import pytest

from mic import datasets
from mic.datasets import published
from mic.datasets.readers import source
from mic.datasets.readers.source import Scan
from mic.errors import DatasetError
from mic.experiments import given

# The file that is damaged in each tree, and its clip_id; a new tree needs a line.
VICTIMS = {
    "ckplus": ("cohn-kanade-images/S005/001/S005_001_00000002.png", "S005_001"),
    "mmi": ("Sessions/7/S001-007.avi", "session-7"),
    "afew": ("Train_AFEW/Angry/000000100.avi", "train-000000100"),
    "avec": ("recordings_video/train_2.mp4", "train_2"),
    "ravdess": ("Video_Speech_Actor_01/Actor_01/01-01-05-01-01-01-01.mp4", "01-05-01-01-01-01"),
    "cremad": ("VideoFlash/1001_DFA_ANG_XX.flv", "1001_DFA_ANG_XX"),
}


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("MIC_HOME", str(tmp_path / "home"))


@pytest.fixture(params=trees.TREES)
def name(request):
    return request.param


@pytest.fixture
def tree(name, tmp_path):
    root = tmp_path / "data"
    root.mkdir()
    return getattr(trees, name)(root)


def scan(name: str, root: Path) -> Scan:
    return datasets.DATASETS[name].scan(root)


def clips(found: Scan) -> list[tuple[str, str, str, str, int]]:
    """What must not depend on how a copy lies there."""
    return [
        (one.clip_id, one.subject, one.label, one.split, len(one.files)) for one in found.sources
    ]


def fetch(name: str, root: Path, **options: object) -> published.Report:
    """Whole pictures: the small trees show discs, not faces."""
    return datasets.fetch(name, path=root, size=None, **options)


def littered(root: Path) -> None:
    for file in [path for path in root.rglob("*") if path.is_file()]:
        companion = file.with_name(f"._{file.name}")
        companion.write_bytes(b"\0\5\26\7Mac OS X")
        mirror = root / "__MACOSX" / companion.relative_to(root)
        mirror.parent.mkdir(parents=True, exist_ok=True)
        mirror.write_bytes(b"\0\5\26\7")
    for folder in [root, *(path for path in root.rglob("*") if path.is_dir())]:
        for litter in ("Thumbs.db", ".DS_Store", "desktop.ini", "notes~", "empty"):
            (folder / litter).write_bytes(b"")


def shouting(root: Path) -> None:
    for file in [path for path in root.rglob("*") if path.is_file()]:
        file.rename(file.with_suffix(file.suffix.upper()))


def deep(root: Path) -> None:
    within = root / "Corpora (2019)" / "Gesichtsausdrücke, 1. Kopie"
    entries = list(root.iterdir())
    within.mkdir(parents=True)
    for entry in entries:
        entry.rename(within / entry.name)


def nested(root: Path) -> None:
    """Every archive unpacked into a folder of its own name."""
    for entry in [path for path in root.iterdir() if path.is_dir()]:
        entry.rename(root / "moved")
        entry.mkdir()
        (root / "moved").rename(entry / entry.name)


def linked(root: Path) -> None:
    elsewhere = root.parent / "other disk"
    elsewhere.mkdir()
    for entry in [path for path in root.iterdir() if path.is_dir()]:
        entry.rename(elsewhere / entry.name)
        entry.symlink_to(elsewhere / entry.name, target_is_directory=True)
    (root / "circle").symlink_to(root, target_is_directory=True)
    (root / "nowhere").symlink_to(root / "gone")


def doubled(root: Path) -> None:
    copy = root.parent / "copy"
    shutil.copytree(root, copy)
    copy.rename(root / "old copy")


def with_an_empty_first(root: Path) -> None:
    """An unpacking that made its folders and then stopped, beside one that did not."""
    names = [path.name for path in root.iterdir() if path.is_dir()]
    deep(root)
    for entry in names:
        (root / entry).mkdir()


@pytest.mark.parametrize(
    "spoil", [littered, shouting, deep, nested, linked, doubled, with_an_empty_first]
)
def test_the_same_clips_however_a_copy_lies_there(name, tree, spoil: Callable[[Path], None]):
    whole = scan(name, tree)
    spoil(tree)
    found = scan(name, tree)
    assert clips(found) == clips(whole)
    if spoil is linked:
        assert not any("not read: they belong in" in fault.message for fault in found.faults)
    fatal = [str(fault) for fault in found.faults if fault.fatal]
    assert fatal == [str(fault) for fault in whole.faults if fault.fatal]
    if spoil is doubled:
        assert any("is not read" in fault.message for fault in found.faults)


def test_nothing_is_written_into_the_given_folder(name, tree):
    def state() -> list[tuple[str, int, int]]:
        stats = ((path, path.stat()) for path in sorted(tree.rglob("*")))
        return [(str(path), stat.st_size, stat.st_mtime_ns) for path, stat in stats]

    before = state()
    for path in [tree, *tree.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        assert fetch(name, tree).manifest is not None
        assert state() == before
    finally:
        for path in [tree, *tree.rglob("*")]:
            path.chmod(0o755)


def test_spaces_and_letters_of_other_scripts_in_the_path(name, tree, tmp_path):
    place = tmp_path / "Meine Daten = 表情 'x'"
    shutil.move(tree, place)
    (one,) = given.parse([f"{name}={place}"])
    assert one.path == place
    manifest = fetch(name, one.path).manifest
    assert manifest is not None
    assert manifest.verify() == []


@pytest.mark.parametrize("damage", ["empty", "cut short"])
def test_a_damaged_file_costs_its_clip_and_is_named(name, tree, damage):
    file, clip = VICTIMS[name]
    data = (tree / file).read_bytes()
    whole = fetch(name, tree).manifest.column("clip_id")
    (tree / file).write_bytes(b"" if damage == "empty" else data[: len(data) // 2])
    report = fetch(name, tree)
    (fault,) = (fault for fault in report.faults if fault.clip == clip)
    assert fault.remedy
    assert fault.file == file
    kept = set(report.manifest.column("clip_id"))
    assert kept == set(whole) - {clip}


def test_a_folder_that_may_not_be_read_is_said_so(name, tree, monkeypatch):
    forbidden = (tree / VICTIMS[name][0]).parent
    listed = Path.iterdir

    def iterdir(self: Path):
        if self == forbidden:
            raise PermissionError(13, "Permission denied")
        return listed(self)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    with pytest.raises(DatasetError, match="cannot be listed: Permission denied") as caught:
        scan(name, tree)
    assert caught.value.file == forbidden
    assert caught.value.remedy


@pytest.mark.parametrize("name", ["afew", "avec", "ravdess", "cremad"], indirect=True)
def test_converted_copies_beside_the_originals_are_passed_over(name, tree):
    whole = scan(name, tree)
    file = tree / VICTIMS[name][0]
    file.with_suffix(".mkv").write_bytes(b"converted")
    found = scan(name, tree)
    assert clips(found) == clips(whole)


@pytest.mark.parametrize("is_linked", [False, True])
@pytest.mark.parametrize(
    ("name", "layout"),
    [
        ("afew", "Train_AFEW/Anger/{}"),
        ("afew", "Train_AFEW/{}"),
        ("afew", "Train_AFEW/Angry/other/deep/{}"),
        ("cremad", "VideoFlash/1001/{}"),
        ("ravdess", "Speaker_01/{}"),
        ("ravdess", "Video_Speech_Actor_01/Actor_01/take {}"),
    ],
)
def test_videos_where_the_layout_has_none_are_named(name, layout, is_linked, tree):
    file, clip = VICTIMS[name]
    (old, new) = tree / file, tree / layout.format(Path(file).name)
    new.parent.mkdir(parents=True, exist_ok=True)
    old.rename(new)
    if is_linked:
        elsewhere = new.parent.rename(tree.parent / "other disk")
        new.parent.symlink_to(elsewhere, target_is_directory=True)
    found = scan(name, tree)
    assert clip not in {one.clip_id for one in found.sources}
    place = f"{new.parent.relative_to(tree).as_posix()}/"
    (note,) = (fault for fault in found.faults if "not read: they belong in" in fault.message)
    assert (note.file, note.fatal) == (place, False)
    assert "holds a video that is" in note.message
    assert note.remedy.startswith("move them there")


@pytest.mark.parametrize("name", ["afew", "cremad", "ravdess"], indirect=True)
def test_two_different_files_of_one_clip_cost_it(name, tree):
    file, clip = VICTIMS[name]
    other = (tree / file).parent / Path(file).name.swapcase()
    if name == "ravdess":  # whose archives hold whole folders
        other = tree / "again" / "Actor_01" / Path(file).name
        other.parent.mkdir(parents=True)
    other = other if name != "afew" else other.with_suffix(".AVI")
    other.write_bytes((tree / file).read_bytes() + b"more")
    found = scan(name, tree)
    (fault,) = (fault for fault in found.faults if fault.clip == clip)
    assert "2 times with different contents" in fault.message
    assert other.relative_to(tree).as_posix() in fault.message
    assert clip not in {one.clip_id for one in found.sources}
    other.write_bytes((tree / file).read_bytes())  # alike, so it does not matter which
    assert clip in {one.clip_id for one in scan(name, tree).sources}


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("ckplus", "Emotion"),
        ("ckplus", "cohn-kanade-images"),
        ("ckplus", "Emotion/S005/001"),
        ("mmi", "Sessions/7"),
        ("afew", "Train_AFEW/Angry"),
        ("afew", "Val_AFEW"),
        ("avec", "recordings_video"),
        ("cremad", "processedResults"),
    ],
)
def test_one_folder_of_a_dataset_is_answered_with_the_whole(name, part, tree):
    faults = scan(name, tree / part).faults
    assert {fault.message for fault in faults} == {"is missing"}
    assert {fault.remedy for fault in faults} == {f"give {tree} instead, which holds it"}


def test_an_archive_is_not_filled_up_from_another(tmp_path):
    trees.ckplus(tmp_path / "data")
    whole = shutil.make_archive(str(tmp_path / "whole"), "zip", tmp_path / "data")
    shutil.rmtree(tmp_path / "data" / "Emotion")
    part = shutil.make_archive(str(tmp_path / "part"), "zip", tmp_path / "data")
    assert fetch("ckplus", Path(whole)).sound
    report = fetch("ckplus", Path(part))
    assert [fault.file for fault in report.faults] == ["Emotion/"]
    # Nor from what a file of this name held before.
    Path(whole).write_bytes(Path(part).read_bytes())
    assert not fetch("ckplus", Path(whole)).sound


def test_litter_is_known_by_its_name():
    for name in (".DS_Store", "._x.png", "Thumbs.db", "__MACOSX", "DESKTOP.INI"):
        assert source.is_litter(Path(name)), name
    assert not source.is_litter(Path("S005_001_00000001.png"))
