"""Encoders that change how the process is scheduled, and how that is taken back."""

from __future__ import annotations

import os
from pathlib import Path

from av.video.codeccontext import VideoCodecContext


def open_as_before(context: VideoCodecContext) -> None:
    """Opens an encoder and leaves all threads of the process with the priority they had.

    libsvtav1, where it may (as root, so in most containers), gives the thread that opens it and
    its own the highest real-time priority (SCHED_FIFO, 99) and never takes it back: whatever the
    thread starts later inherits it, and threads that wait for one another by spinning, as those of
    a training do, then keep each other from running for ever.

    Args:
        context: Of an encoder, configured and not open.
    """
    if not hasattr(os, "sched_setscheduler"):  # macOS; the encoder asks for nothing there
        context.open()
        return
    policy, priority = os.sched_getscheduler(0), os.sched_getparam(0)
    before = _threads()
    context.open()
    for thread in _threads() - before | {0}:
        try:
            os.sched_setscheduler(thread, policy, priority)
        except ProcessLookupError:  # it has ended
            continue


def _threads() -> set[int]:
    tasks = Path("/proc/self/task")
    return {int(task.name) for task in tasks.iterdir()} if tasks.exists() else set()
