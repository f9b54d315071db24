"""Where `mic` keeps what it fetches, generates and caches, and how processes share that place.

`MIC_HOME` is the one environment variable that moves it; the default is `~/.cache/mic`. Everything
below it can be deleted at any time: it is fetched, generated or computed again.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from mic.errors import StorageError


def home() -> Path:
    """The cache folder, read from `MIC_HOME` at each call: tests and workers may move it."""
    configured = os.environ.get("MIC_HOME")
    return Path(configured).expanduser() if configured else Path.home() / ".cache" / "mic"


@contextlib.contextmanager
def locked(path: str | Path) -> Iterator[None]:
    """Holds an exclusive lock on the file `path` (created empty) against threads and processes.

    The kernel drops the lock when its holder dies, so a killed run never blocks the next one.

    Args:
        path: The lock file; it stays behind, because unlinking it would race with other waiters.

    Raises:
        StorageError: The lock file cannot be created, or the file system has no locks.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise _lock_error(error, path) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        except OSError as error:
            raise _lock_error(error, path) from error
        yield
    finally:
        os.close(descriptor)


def _lock_error(error: OSError, path: Path) -> StorageError:
    return StorageError(
        f"cannot lock: {error.strerror or error}",
        file=path,
        remedy="point MIC_HOME at a writable folder on a local disk",
    )
