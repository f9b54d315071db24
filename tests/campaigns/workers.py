"""Workers of a cluster that die in the middle of a task."""

import os
import signal
import time
from collections.abc import Callable

import distributed


def kill_one(address: str, when: Callable[[], bool] = lambda: True) -> None:
    """Kills the process of a worker, one with something to do if there is one.

    Args:
        address: Of the scheduler.
        when: The moment to kill at; asked every few milliseconds.
    """
    with distributed.Client(address, set_as_default=False) as client:
        processes = client.run(os.getpid)
        while not when():
            time.sleep(0.005)
        busy = [name for name, tasks in client.processing().items() if tasks]
        name = next((name for name in busy if name in processes), next(iter(processes)))
        os.kill(processes[name], signal.SIGKILL)
