"""Where `mic` keeps what it fetches, generates and caches, and how processes share that place.

`MIC_HOME` is the one environment variable that moves it; the default is `~/.cache/mic`. Everything
below it can be deleted at any time: it is fetched, generated or computed again.
"""

from __future__ import annotations

import contextlib
import fcntl
import multiprocessing
import os
from collections.abc import Iterator
from pathlib import Path

from mic.errors import ConfigError, StorageError


def home() -> Path:
    """The cache folder, read from `MIC_HOME` at each call: tests and workers may move it."""
    configured = os.environ.get("MIC_HOME")
    return Path(configured).expanduser() if configured else Path.home() / ".cache" / "mic"


@contextlib.contextmanager
def locked(path: str | Path) -> Iterator[None]:
    """Holds an exclusive lock on the file `path` against other threads and processes.

    The kernel drops the lock when its holder dies, so a killed run never blocks the next one. The
    file is removed on release: a hundred thousand locks leave no litter.

    Args:
        path: The lock file, beside what it guards; its folder is created.

    Raises:
        StorageError: The lock file cannot be created, or the file system has no locks.
        ConfigError: A worker process is running the main script's top level again; it would wait
            for its own parent for ever.
    """
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise ConfigError(
            "worker processes run the top level of your script again",
            remedy='put what calls `mic` below `if __name__ == "__main__":`',
        )
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = _acquire(path)
    except OSError as error:
        raise StorageError(
            f"cannot lock: {error.strerror or error}",
            file=path,
            remedy="point MIC_HOME at a writable folder on a local disk",
        ) from error
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)


def _acquire(path: Path) -> int:
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            # The holder before us removed the file while we waited: a lock on a file without a
            # name guards nothing, since the next comer creates another.
            if os.fstat(descriptor).st_nlink:
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
