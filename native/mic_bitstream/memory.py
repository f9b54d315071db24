"""How much memory this process may still take: the machine's, its group's and its own limit."""

from __future__ import annotations

import os
from pathlib import Path

try:
    import resource
except ImportError:  # Windows has no such limits
    resource = None  # type: ignore[assignment]

_GROUPS = Path("/sys/fs/cgroup")


def free_memory() -> int:
    """Bytes that can be allocated before the machine swaps or a limit stops this process."""
    return max(0, min(_of_machine(), _of_group(), _of_process()))


def _of_machine() -> int:
    table = Path("/proc/meminfo")
    if table.is_file():
        for line in table.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return 1024 * int(line.split()[1])
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _of_process() -> int:
    """By RLIMIT_AS and RLIMIT_DATA, which count address space (getrlimit(2))."""
    free = 1 << 62
    status = Path("/proc/self/status")
    if resource is None or not status.is_file():
        return free
    sizes = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
    for limit, used in ((resource.RLIMIT_AS, "VmSize"), (resource.RLIMIT_DATA, "VmData")):
        most = resource.getrlimit(limit)[0]
        if most != resource.RLIM_INFINITY:
            free = min(free, most - 1024 * int(sizes[used].split()[0]))
    return free


def _of_group() -> int:
    """By the control groups that hold this process, of version 2 or 1 (cgroups(7))."""
    free = 1 << 62
    own = Path("/proc/self/cgroup")
    if not own.is_file():
        return free
    for line in own.read_text().splitlines():
        _, controllers, name = line.split(":", 2)
        if controllers == "":
            root, most, used = _GROUPS, "memory.max", "memory.current"
        elif "memory" in controllers.split(","):
            root = _GROUPS / "memory"
            most, used = "memory.limit_in_bytes", "memory.usage_in_bytes"
        else:
            continue
        group = root / name.lstrip("/")
        for folder in (group, *group.parents):
            free = min(free, _left(folder / most, folder / used))
            if folder == root:
                break
    return free


def _left(most: Path, used: Path) -> int:
    try:
        limit = most.read_text().strip()
        return 1 << 62 if limit == "max" else int(limit) - _held(used)
    except (OSError, ValueError):
        return 1 << 62  # the group is not to be seen from here, or sets no limit


def _held(used: Path) -> int:
    """What a group uses, without files that it would drop for memory."""
    held = int(used.read_text())
    for line in (used.parent / "memory.stat").read_text().splitlines():
        name, value = line.split()
        if name in ("inactive_file", "total_inactive_file"):
            held -= int(value)
    return held
