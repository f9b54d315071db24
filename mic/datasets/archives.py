"""Unpacking archives from elsewhere: only plain files, only below the target, only so much.

An archive is hostile until each of its entries has been looked at: names may climb out of the
folder, entries may be links or devices, and a few kilobytes may declare, or hide, terabytes. The
whole table of contents is checked before the first byte is written.
"""

from __future__ import annotations

import functools
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, cast

from mic.errors import DatasetError
from mic.storage.atomic import replacing

_DAMAGED = (
    *(OSError, EOFError, zlib.error, lzma.LZMAError),
    *(zipfile.BadZipFile, tarfile.TarError),
)

MAX_BYTES = 64 << 30
MAX_ENTRIES = 1_000_000
# Video does not compress; text and raw pictures reach 20. A bomb reaches 1000 and more.
MAX_RATIO = 200
_SMALL = 1 << 20  # below it a ratio says nothing
_CHUNK = 1 << 20


@dataclass(frozen=True)
class _Entry:
    name: str
    size: int
    open: Callable[[], IO[bytes]]
    crc: int | None = None


def extract(
    archive: str | Path,
    folder: str | Path,
    *,
    wanted: Callable[[str], bool] = lambda name: True,
    max_bytes: int = MAX_BYTES,
) -> list[Path]:
    """Unpacks a .zip or .tar(.gz, .bz2, .xz).

    Files that are there whole are kept, so a broken-off extraction goes on: with the right size
    and, out of a .zip, the right checksum.

    Args:
        archive: The archive.
        folder: Where its files go.
        wanted: Chooses entries by name; the others are checked but not written.
        max_bytes: Largest sum of the files' sizes.

    Returns:
        The files, in the archive's order.

    Raises:
        DatasetError: Damage, a password, an entry that leads out of the folder, is a link or a
            device, stands there twice, or contents that explode. Nothing of it was written,
            except when the damage is in the compressed data itself.
        StorageError: The folder cannot be written.
    """
    archive, folder = Path(archive), Path(folder)
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as opened:
                entries = list(_zip(opened, archive, max_bytes))
                return _write(archive, folder, entries, wanted)
        if tarfile.is_tarfile(archive):
            with tarfile.open(archive) as opened:
                entries = list(_tar(opened, archive, max_bytes))
                return _write(archive, folder, entries, wanted)
    except _DAMAGED as error:
        raise DatasetError(
            f"is damaged: {error}", file=archive, remedy="download it again"
        ) from error
    except NotImplementedError as error:  # Deflate64, which Windows writes for large files
        raise DatasetError(
            f"is packed in a way that Python cannot read: {error}",
            file=archive,
            remedy="unpack it with another program, and give the folder",
        ) from error
    raise DatasetError(
        "is neither a zip nor a tar archive",
        file=archive,
        remedy="download it again, or give the folder where it was unpacked",
    )


def _zip(opened: zipfile.ZipFile, archive: Path, max_bytes: int) -> Iterator[_Entry]:
    total = 0
    for number, info in enumerate(opened.infolist(), start=1):
        total += info.file_size
        _check_growth(archive, number, total, max_bytes)
        if info.is_dir():
            continue
        mode = info.external_attr >> 16
        if stat.S_IFMT(mode) and not stat.S_ISREG(mode):
            raise _refusal(archive, info.filename, "is a link or a device")
        if info.flag_bits & 1:
            raise DatasetError(
                "is protected by a password",
                file=archive,
                place=info.filename,
                remedy="unpack it with the password that its makers gave you",
            )
        # Some programs of Windows write its separator into the archive.
        name = info.filename.replace("\\", "/")
        if name.endswith("/"):
            continue
        yield _Entry(name, info.file_size, functools.partial(opened.open, info), info.CRC)


def _member(opened: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
    """The bytes of a regular file, which alone has some."""
    return cast("IO[bytes]", opened.extractfile(info))


def _tar(opened: tarfile.TarFile, archive: Path, max_bytes: int) -> Iterator[_Entry]:
    total = 0
    for number, info in enumerate(opened, start=1):
        total += info.size
        _check_growth(archive, number, total, max_bytes)
        if info.isdir():
            continue
        if not info.isreg():
            raise _refusal(archive, info.name, "is a link or a device")
        yield _Entry(info.name, info.size, functools.partial(_member, opened, info))
    # The checksum of a compressed tar stands at its end, which tarfile does not read.
    while chunk := opened.fileobj.read(_CHUNK):
        total += len(chunk)
        _check_growth(archive, 0, total, max_bytes)


def _check_growth(archive: Path, entries: int, total: int, max_bytes: int) -> None:
    if entries > MAX_ENTRIES:
        raise _refusal(archive, "", f"has more than {MAX_ENTRIES} entries")
    if total > max_bytes:
        raise _refusal(archive, "", f"would unpack to more than {max_bytes} bytes")
    if total > _SMALL and total > MAX_RATIO * archive.stat().st_size:
        raise _refusal(archive, "", f"would grow more than {MAX_RATIO} times")


def _write(
    archive: Path, folder: Path, entries: list[_Entry], wanted: Callable[[str], bool]
) -> list[Path]:
    seen = set()
    for entry in entries:
        path = PurePosixPath(entry.name)
        parts = path.parts
        if not parts or path.is_absolute() or ".." in parts or "\\" in entry.name:
            raise _refusal(archive, entry.name, "leads out of the folder")
        if ":" in parts[0] or "\0" in entry.name:
            raise _refusal(archive, entry.name, "has a name that is not portable")
        # Two names that differ in case only are one file on some systems, a/b and a/./b on all.
        if str(path).lower() in seen:
            raise _refusal(archive, entry.name, "stands in it twice")
        seen.add(str(path).lower())
    written = []
    root = folder.resolve()
    for entry in entries:
        if not wanted(entry.name):
            continue
        target = folder.joinpath(*PurePosixPath(entry.name).parts)
        # A link that was in the folder before could still lead out of it.
        if not target.resolve().is_relative_to(root):
            raise _refusal(archive, entry.name, "leads out of the folder through a link there")
        if not _whole(target, entry):
            _copy(archive, entry, target)
        written.append(target)
    return written


def _whole(target: Path, entry: _Entry) -> bool:
    if not target.is_file() or target.stat().st_size != entry.size:
        return False
    if entry.crc is None:
        return True
    crc = 0
    with target.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            crc = zlib.crc32(chunk, crc)
    return crc == entry.crc


def _copy(archive: Path, entry: _Entry, target: Path) -> None:
    with entry.open() as source, replacing(target) as temporary, temporary.open("wb") as sink:
        left = entry.size
        # One byte more than declared is read: an entry must not be longer than it says.
        while chunk := source.read(min(_CHUNK, left + 1)):
            left -= len(chunk)
            if left < 0:
                raise _refusal(archive, entry.name, "is longer than it says")
            sink.write(chunk)
        if left:
            raise _refusal(archive, entry.name, "is shorter than it says")


def _refusal(archive: Path, name: str, why: str) -> DatasetError:
    return DatasetError(
        why,
        file=archive,
        place=name or None,
        remedy="do not use this archive: get it again from the dataset's home page",
    )
