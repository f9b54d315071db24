"""The one way `mic` writes a file: temporary neighbour, fsync, rename.

A reader sees either the old content or the new, whole; a crash at any moment, or a full disk,
leaves the old file as it was. Every module that writes goes through here.
"""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from mic.errors import StorageError

# The mask can only be read by setting it, which is not safe once threads run: so once, here.
_UMASK = os.umask(0o077)
os.umask(_UMASK)
_LONGEST_STEM = 100


@contextlib.contextmanager
def replacing(path: str | Path, *, durable: bool = True) -> Iterator[Path]:
    """Yields a temporary path beside `path`; on a clean exit it replaces `path`.

    For writers that want a file name (a muxer, matplotlib). The suffix is kept, because muxers
    choose their format by it. A link stays a link; what it leads to is replaced.

    Args:
        path: The file to write; its folder is created.
        durable: Whether to wait until the disk has it. False is for files that carry their own
            checksum: after a power cut such a file may be damaged, which its reader notices.

    Raises:
        StorageError: The disk is full, read-only or otherwise refuses; `path` is as it was.
    """
    path = Path(path)
    with contextlib.suppress(OSError):  # an overlong name, which is refused below
        path = Path(os.path.realpath(path)) if path.is_symlink() else path
    temporary = _temporary(path)
    try:
        with told(path):
            yield temporary
            _set_default_mode(temporary)
            if durable:
                _sync(temporary)
            temporary.replace(path)
            if durable:
                _sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def told(path: Path) -> Iterator[None]:
    """What the system refuses in this block becomes a `StorageError` of this path."""
    try:
        yield
    except OSError as error:
        raise _storage_error(error, path) from error


def files(paths: Iterable[str | Path]) -> frozenset[tuple[int, int]]:
    """Which files the paths name, as the system numbers them; those that are none are left out."""
    found = set()
    for path in paths:
        with contextlib.suppress(OSError):
            status = Path(path).stat()
            found.add((status.st_dev, status.st_ino))
    return frozenset(found)


def check_writable(
    path: str | Path, *, sources: Iterable[str | Path] | frozenset[tuple[int, int]] = ()
) -> None:
    """Refuses a place where a file cannot be written, before hours are spent on its content.

    Args:
        path: The file to be; its folder is created.
        sources: What it is made of, which it must not replace; for many places, `files` of it.

    Raises:
        StorageError: There is a folder or another kind of file, one of the sources, or the place
            refuses.
    """
    path = Path(path)
    try:
        known = sources if isinstance(sources, frozenset) else files(sources)
        if known and files([path]) & known:
            raise StorageError(
                "cannot write: it is what is read", file=path, remedy="choose another name"
            )
        if path.exists() and not path.is_file():
            kind = "a folder" if path.is_dir() else "something that is no file"
            raise StorageError(
                f"cannot write: there is {kind}", file=path, remedy="choose another name"
            )
    except OSError as error:  # a name that is too long
        raise _storage_error(error, path) from error
    _temporary(path).unlink()


def _temporary(path: Path) -> Path:
    """A new empty file beside `path`, whose folder is made."""
    # A name may have 255 bytes, and this one has some more than the file's own.
    start = os.fsdecode(os.fsencode(path.stem)[:_LONGEST_STEM])
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{start}-", suffix=path.suffix, dir=path.parent)
        os.close(handle)
    except OSError as error:
        raise _storage_error(error, path) from error
    return Path(name)


def write_bytes(path: str | Path, data: bytes, *, durable: bool = True) -> None:
    """Writes `data` to `path` atomically; see `replacing`."""
    with replacing(path, durable=durable) as temporary:
        temporary.write_bytes(data)


def write_text(path: str | Path, text: str) -> None:
    """Writes `text` to `path` as UTF-8 with Unix line ends, atomically; see `replacing`."""
    write_bytes(path, text.encode())


def _set_default_mode(path: Path) -> None:
    # mkstemp makes files private; results are to be readable as any other file the user makes.
    path.chmod(0o666 & ~_UMASK)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _storage_error(error: OSError, path: Path) -> StorageError:
    remedies = {
        errno.ENOSPC: "free some disk space and run the same command again",
        errno.EDQUOT: "free some of your quota and run the same command again",
        errno.EROFS: "choose a folder on a writable disk (MIC_HOME moves the cache)",
        errno.EACCES: "make the folder writable or choose another (MIC_HOME moves the cache)",
        errno.ENAMETOOLONG: "choose a shorter name",
    }
    if error.errno in (errno.EEXIST, errno.ENOTDIR):  # somewhere above; systems do not say where
        for part in path.parents:
            if part.is_file():
                return StorageError(
                    f"cannot write: {part} is a file, and a folder is needed there",
                    file=path,
                    remedy="choose another place, or move that file away",
                )
    return StorageError(
        f"cannot write: {error.strerror or error}",
        file=path,
        remedy=remedies.get(error.errno or 0, "check the disk; the previous content is untouched"),
    )
