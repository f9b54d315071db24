"""Workers end with their parent, however it ends."""

import os
import signal
import subprocess
import sys

import psutil

SCRIPT = """
import os
from mic.processes import workers

if __name__ == "__main__":
    with workers.pool(2) as pool:
        print(*{future.result() for future in [pool.submit(os.getpid) for _ in range(20)]})
        input()
"""


def test_a_killed_parent_leaves_no_worker_behind(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    parent = subprocess.Popen(
        [sys.executable, script], stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True
    )
    parent.stdout.readline()
    family = psutil.Process(parent.pid).children(recursive=True)
    assert len(family) >= 2
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    assert psutil.wait_procs(family, timeout=300)[1] == []
