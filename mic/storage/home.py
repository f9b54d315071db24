"""Where `mic` keeps what it fetches, generates and caches, and how processes share that place.

`MIC_HOME` is the one environment variable that moves it; the default is `~/.cache/mic`. Everything
below it can be deleted at any time: it is fetched, generated or computed again.
"""

from __future__ import annotations

import contextlib
import fcntl
import multiprocessing
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from mic.errors import ConfigError, StorageError

# Seconds without a lock after which it looks as if nothing happened.
_PATIENCE = 5.0


def home() -> Path:
    """The cache folder, read from `MIC_HOME` at each call: tests and workers may move it."""
    configured = os.environ.get("MIC_HOME")
    return Path(configured).expanduser() if configured else Path.home() / ".cache" / "mic"


@contextlib.contextmanager
def locked(path: str | Path, *, wait: bool = True) -> Iterator[None]:
    """Holds an exclusive lock on the file `path` against other threads and processes.

    The kernel drops the lock when its holder dies, so a killed run never blocks the next one. The
    file is removed on release: a hundred thousand locks leave no litter.

    Args:
        path: The lock file, beside what it guards; its folder is created.
        wait: Whether to wait for whoever holds it; a terminal is told for whom.

    Raises:
        StorageError: The lock file cannot be created, or the file system has no locks; or somebody
            holds it, where nobody is waited for.
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
        descriptor = _acquire(path, wait)
    except BlockingIOError as error:
        raise StorageError(
            f"another process works here{_holder(path)}",
            file=path.parent,
            remedy="wait for it to end, or choose another folder",
        ) from error
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


def _acquire(path: Path, wait: bool) -> int:
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            _lock(descriptor, path, wait)
            # The holder before us removed the file while we waited: a lock on a file without a
            # name guards nothing, since the next comer creates another.
            if os.fstat(descriptor).st_nlink:
                os.pwrite(descriptor, f"{os.getpid():<10}\n".encode(), 0)
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _lock(descriptor: int, path: Path, wait: bool) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return
    except BlockingIOError:
        if not wait:
            raise
    # Whoever sits at a terminal is told why nothing happens; a log or a notebook is spared.
    told = threading.Timer(_PATIENCE, _tell, (path,))
    told.daemon = True
    if sys.stderr is not None and sys.stderr.isatty():
        told.start()
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    finally:
        told.cancel()


def _tell(path: Path) -> None:
    print(f"mic: waiting for another process{_holder(path)}: {path}", file=sys.stderr)


def _holder(path: Path) -> str:
    with contextlib.suppress(OSError, ValueError):
        return f" ({int(path.read_text('ascii'))})"
    return ""
