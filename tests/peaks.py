"""The highest memory of a process, for tests that run one of their own to see it.

Linux hands `ru_maxrss` on through fork and exec: a child of a pytest process that once held 2 GB
reports 2 GB, so that growth below that would never be seen, and a limit below it always broken.
"""

import inspect


def peak() -> int:
    """Bytes that this process, and none before it, held at its worst moment."""
    import resource
    import sys
    from pathlib import Path

    if sys.platform == "linux":
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(1024 * int(line.split()[1]) for line in lines if "VmHWM" in line)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


SOURCE = inspect.getsource(peak)  # to begin a child's program with
