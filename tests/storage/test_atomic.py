"""A write is whole or did not happen: after an error, a kill and on a full disk."""

import signal
import subprocess
import sys
import textwrap

import pytest

from mic.errors import StorageError
from mic.storage import atomic


def test_replaces_and_leaves_nothing_else(tmp_path):
    path = tmp_path / "deep" / "table.csv"
    atomic.write_text(path, "old")
    atomic.write_text(path, "new")
    assert path.read_text() == "new"
    assert [entry.name for entry in path.parent.iterdir()] == ["table.csv"]


def test_an_exception_keeps_the_old_content(tmp_path):
    path = tmp_path / "clip.mp4"
    atomic.write_bytes(path, b"old")

    def fail():
        with atomic.replacing(path) as temporary:
            temporary.write_bytes(b"half")
            assert temporary.suffix == ".mp4"
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["clip.mp4"]


def test_a_file_is_as_readable_as_any_other(tmp_path):
    (tmp_path / "plain").write_text("x")
    atomic.write_text(tmp_path / "atomic", "x")
    assert (tmp_path / "atomic").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_kill_in_the_middle_keeps_the_old_content(tmp_path):
    path = tmp_path / "weights.bin"
    atomic.write_bytes(path, b"old" * 1000)
    code = f"""
        import os, signal
        from mic.storage import atomic
        with atomic.replacing({str(path)!r}) as temporary:
            temporary.write_bytes(b"new" * 10)
            os.kill(os.getpid(), signal.SIGKILL)
    """
    process = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=False)
    assert process.returncode == -signal.SIGKILL
    assert path.read_bytes() == b"old" * 1000


def test_a_full_disk_is_a_typed_error_and_keeps_the_old_content(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    code = f"""
        import subprocess, sys
        mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "none", {str(disk)!r}]
        subprocess.run(mount, check=True)
        from mic.storage import atomic
        from mic.errors import StorageError
        path = {str(disk / "table.csv")!r}
        atomic.write_bytes(path, b"old")
        try:
            atomic.write_bytes(path, b"new" * 100_000)
        except StorageError as error:
            assert "No space left" in str(error) and "Remedy: free" in str(error), error
            assert open(path, "rb").read() == b"old"
            sys.exit(17)
    """
    command = ["unshare", "--user", "--map-root-user", "--mount", sys.executable, "-c"]
    process = subprocess.run([*command, textwrap.dedent(code)], check=False)
    assert process.returncode == 17


def test_a_folder_that_is_a_file_is_a_typed_error(tmp_path):
    (tmp_path / "taken").write_text("x")
    for place in ("taken/table.csv", "taken/below/table.csv"):
        with pytest.raises(StorageError, match="taken is a file, and a folder is needed there"):
            atomic.write_text(tmp_path / place, "x")
    assert [entry.name for entry in tmp_path.iterdir()] == ["taken"]


def test_a_name_too_long_is_a_typed_error(tmp_path):
    with pytest.raises(StorageError, match="name too long") as caught:
        atomic.write_text(tmp_path / ("a" * 300), "x")
    assert "shorter" in caught.value.remedy


def test_a_link_stays_and_what_it_leads_to_is_replaced(tmp_path):
    (tmp_path / "disk").mkdir()
    real, link = tmp_path / "disk" / "real.csv", tmp_path / "link.csv"
    real.write_text("old")
    link.symlink_to(real)
    atomic.write_text(link, "new")
    assert link.is_symlink()
    assert real.read_text() == "new"
    assert [path.name for path in real.parent.iterdir()] == ["real.csv"]


def test_a_circle_of_links_leads_nowhere_and_is_replaced(tmp_path):
    path = tmp_path / "loop.csv"
    path.symlink_to(path)
    atomic.check_writable(path)
    atomic.write_text(path, "x")
    assert path.read_text() == "x"
    assert not path.is_symlink()


def test_a_place_is_refused_that_is_one_of_many_files_that_are_read(tmp_path):
    paths = [tmp_path / f"{number}.mp4" for number in range(4)]
    for path in paths[:3]:
        path.write_bytes(b"")
    (tmp_path / "link.mp4").symlink_to(paths[1])
    read = atomic.files(paths)  # the last is no file
    assert len(read) == 3
    for place in (paths[2], tmp_path / "link.mp4"):
        with pytest.raises(StorageError, match="it is what is read"):
            atomic.check_writable(place, sources=read)
        with pytest.raises(StorageError, match="it is what is read"):
            atomic.check_writable(place, sources=paths)
    atomic.check_writable(paths[3], sources=read)
