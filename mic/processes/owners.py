"""Whose a temporary file is: of a process that still works, or of one that was killed.

The mark in its name says where the process runs and what number it has there. A number means
nothing in another container or on another machine that shares the folder, so what comes from there
is left alone until it is old.
"""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import re
import time
from pathlib import Path

_MARK = re.compile(r"-([0-9a-f]{8})\.(\d+)$")
# Seconds after which what another machine began is not awaited any more.
_OLD = 7 * 24 * 3600.0


def mark() -> str:
    """What ends the name, before any suffix, of a file or folder that is this process's."""
    return f"-{_place()}.{os.getpid()}"


def abandoned(path: Path) -> bool:
    """Whether nobody works on a file or folder any more; not so where nobody marked it.

    Args:
        path: One whose name, without `suffix` or with it, ends as `mark` says.
    """
    found = _MARK.search(path.name) or _MARK.search(path.stem)
    if found is None:
        return False
    place, number = found.groups()
    if place == _place():
        return not _runs(int(number))
    try:
        return time.time() - path.stat().st_mtime > _OLD
    except OSError:  # somebody has taken it away
        return False


@functools.lru_cache(maxsize=1)
def _place() -> str:
    """Eight digits that differ from machine to machine and from container to container."""
    known = [platform.node()]
    try:
        known.append(str(Path("/proc/self/ns/pid").readlink()))
    except OSError:  # no Linux: no containers that share a machine's name
        known.append("")
    return hashlib.sha256("\0".join(known).encode()).hexdigest()[:8]


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
