"""Archives from elsewhere: whole ones are unpacked, hostile ones refused unwritten."""

import io
import os
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest

from mic import datasets
from mic.datasets import archives
from mic.errors import DatasetError

FILES = {"Actor_01/a.mp4": b"one" * 100, "Actor_01/b.mp4": b"two" * 50, "notes.txt": b"text"}


def make_zip(path: Path, entries: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return path


def make_tar(path: Path, entries: dict[str, bytes], **special) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in entries.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        if special:
            info = tarfile.TarInfo(special.pop("name"))
            for key, value in special.items():
                setattr(info, key, value)
            archive.addfile(info)
    return path


def make(kind: str, path: Path, entries: dict[str, bytes]) -> Path:
    return (make_zip if kind == "zip" else make_tar)(path / f"archive.{kind}", entries)


def contents(folder: Path) -> dict[str, bytes]:
    return {
        file.relative_to(folder).as_posix(): file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file()
    }


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_a_plain_archive_is_unpacked(tmp_path, kind):
    target = tmp_path / "out"
    written = archives.extract(make(kind, tmp_path, FILES), target)
    assert contents(target) == FILES
    assert [file.name for file in written] == ["a.mp4", "b.mp4", "notes.txt"]


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_only_what_is_wanted_is_written(tmp_path, kind):
    target = tmp_path / "out"
    archive = make(kind, tmp_path, FILES)
    archives.extract(archive, target, wanted=lambda name: name.endswith(".mp4"))
    assert contents(target).keys() == {"Actor_01/a.mp4", "Actor_01/b.mp4"}


def test_a_broken_off_extraction_goes_on(tmp_path):
    target = tmp_path / "out"
    archive = make("zip", tmp_path, FILES)
    archives.extract(archive, target)
    (target / "Actor_01" / "a.mp4").write_bytes(b"cut")
    stamp = (target / "notes.txt").stat().st_mtime_ns
    archives.extract(archive, target)
    assert contents(target) == FILES
    assert (target / "notes.txt").stat().st_mtime_ns == stamp


@pytest.mark.parametrize("kind", ["zip", "tar"])
@pytest.mark.parametrize(
    "name", ["../up", "a/../../up", "/tmp/absolute", "a\\..\\..\\up", "C:/windows", "..", "a/../b"]
)
def test_a_name_that_escapes_is_refused_and_nothing_is_written(tmp_path, kind, name):
    archive = make(kind, tmp_path, {"innocent": b"1", name: b"2"})
    with pytest.raises(DatasetError) as caught:
        archives.extract(archive, tmp_path / "out")
    assert caught.value.place
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "up").exists()


@pytest.mark.parametrize(
    "special",
    [
        {"type": tarfile.SYMTYPE, "linkname": "/etc"},
        {"type": tarfile.LNKTYPE, "linkname": "innocent"},
        {"type": tarfile.FIFOTYPE},
        {"type": tarfile.CHRTYPE, "devmajor": 1, "devminor": 3},
    ],
)
def test_links_and_devices_in_a_tar_are_refused(tmp_path, special):
    archive = make_tar(tmp_path / "a.tar", {"innocent": b"1"}, name="odd", **special)
    with pytest.raises(DatasetError, match="link or a device"):
        archives.extract(archive, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_link_in_a_zip_is_refused(tmp_path):
    info = zipfile.ZipInfo("link")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(DatasetError, match="link or a device"):
        archives.extract(tmp_path / "a.zip", tmp_path / "out")


def test_a_link_that_lies_in_the_folder_already_is_not_followed(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "out" / "Actor_01").symlink_to(tmp_path / "outside")
    with pytest.raises(DatasetError, match="through a link"):
        archives.extract(make("zip", tmp_path, FILES), tmp_path / "out")
    assert not list((tmp_path / "outside").iterdir())


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_a_bomb_is_refused(tmp_path, kind):
    archive = make(kind, tmp_path, {"zeros.mp4": bytes(64 << 20)})
    assert archive.stat().st_size < 100_000
    with pytest.raises(DatasetError, match="grow"):
        archives.extract(archive, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_more_than_the_limit_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="more than 400 bytes"):
        archives.extract(make("zip", tmp_path, FILES), tmp_path / "out", max_bytes=400)


def test_an_entry_that_hides_its_size_is_refused(tmp_path):
    noise = os.urandom(4000)
    archive = make_zip(tmp_path / "a.zip", {"clip.mp4": noise})
    data = archive.read_bytes()
    # The size stands in the local header and in the table of contents: both lie.
    lying = data.replace((4000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    archive.write_bytes(lying)
    with pytest.raises(DatasetError):
        archives.extract(archive, tmp_path / "out")
    assert contents(tmp_path / "out") == {}


def test_a_name_that_stands_twice_is_refused(tmp_path):
    archive = make("zip", tmp_path, {"clip.mp4": b"1", "CLIP.mp4": b"2"})
    with pytest.raises(DatasetError, match="twice"):
        archives.extract(archive, tmp_path / "out")


def test_two_names_of_one_file_are_refused(tmp_path):
    archive = make("zip", tmp_path, {"a/clip.mp4": b"1", "a/./clip.mp4": b"2"})
    with pytest.raises(DatasetError, match="twice"):
        archives.extract(archive, tmp_path / "out")


def test_what_python_cannot_unpack_is_said(tmp_path):
    archive = make_zip(tmp_path / "a.zip", {"clip.mp4": b"1" * 99})
    data = bytearray(archive.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        data[data.index(signature) + offset] = 9  # Deflate64
    archive.write_bytes(data)
    with pytest.raises(DatasetError, match="unpack it with another program"):
        archives.extract(archive, tmp_path / "out")


def test_damage_of_an_xz_is_an_error(tmp_path):
    archive = tmp_path / "a.tar.xz"
    with tarfile.open(archive, "w:xz") as opened:
        info = tarfile.TarInfo("a.mp4")
        info.size = 50_000
        opened.addfile(info, io.BytesIO(os.urandom(info.size)))
    data = bytearray(archive.read_bytes())
    data[len(data) // 2] ^= 0xFF
    archive.write_bytes(data)
    with pytest.raises(DatasetError, match="Remedy"):
        archives.extract(archive, tmp_path / "out")


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_damage_is_an_error_with_a_remedy(tmp_path, kind):
    noise = {"a.mp4": os.urandom(20_000), "b.mp4": os.urandom(20_000)}
    archive = make(kind, tmp_path, noise)
    data = bytearray(archive.read_bytes())
    data[len(data) // 2] ^= 0xFF
    archive.write_bytes(data)
    with pytest.raises(DatasetError, match="Remedy"):
        archives.extract(archive, tmp_path / "out")
    archive.write_bytes(data[: len(data) // 3])
    with pytest.raises(DatasetError, match="Remedy"):
        archives.extract(archive, tmp_path / "out2")
    (tmp_path / "text").write_text("not an archive")
    with pytest.raises(DatasetError, match="neither"):
        archives.extract(tmp_path / "text", tmp_path / "out3")


def test_a_password_is_asked_for(tmp_path):
    archive = make_zip(tmp_path / "a.zip", {"clip.mp4": b"1"})
    data = bytearray(archive.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + offset] |= 1
    archive.write_bytes(data)
    with pytest.raises(DatasetError, match="password"):
        archives.extract(archive, tmp_path / "out")


def test_fetch_takes_an_archive_in_place_of_a_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("MIC_HOME", str(tmp_path / "home"))
    hostile = make_zip(tmp_path / "hostile.zip", {"../Sessions/1/session.xml": b"<s/>"})
    with pytest.raises(DatasetError, match="leads out"):
        datasets.fetch("mmi", path=hostile)
    plain = make_zip(tmp_path / "plain.zip", {"Sessions/1/session.xml": b"<s/>"})
    report = datasets.fetch("mmi", path=plain)
    assert report.counts["sessions"] == 1
    assert "0 videos" in report.faults[0].message


def test_a_file_that_was_spoilt_is_unpacked_again(tmp_path):
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("one.bin", b"1" * 1000)
        packed.writestr("two.bin", b"2" * 1000)
    one, two = archives.extract(archive, tmp_path / "out")
    one.write_bytes(b"1" * 999 + b"0")  # of the same size
    kept = two.stat().st_mtime_ns
    archives.extract(archive, tmp_path / "out")
    assert one.read_bytes() == b"1" * 1000
    assert two.stat().st_mtime_ns == kept
