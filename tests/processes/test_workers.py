"""Workers end with their parent, however it ends."""

import os
import signal
import subprocess
import sys

import psutil
import pytest

POOL = """
import os
from mic.processes import workers

if __name__ == "__main__":
    with workers.pool(2) as pool:
        print(*{future.result() for future in [pool.submit(os.getpid) for _ in range(20)]})
        input()
"""
GENERATOR = """
import sys
from mic import synthface

if __name__ == "__main__":
    synthface.generate(
        "synth-ck", sys.argv[1], subset=60, size=96, jobs=2, progress=lambda *_: print(flush=True)
    )
"""


@pytest.mark.parametrize("program", [POOL, GENERATOR], ids=["pool", "generator"])
def test_a_killed_parent_leaves_no_worker_behind(program, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(program)
    parent = subprocess.Popen(
        [sys.executable, script, tmp_path / "made"],
        stdout=subprocess.PIPE,
        stdin=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout.readline()
    family = psutil.Process(parent.pid).children(recursive=True)
    assert len(family) >= 2
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    assert psutil.wait_procs(family, timeout=300)[1] == []
