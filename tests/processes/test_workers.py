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


UNGUARDED = """
import sys
from mic import synthface

synthface.generate("synth-ck", sys.argv[1], subset=6, size=96, jobs=2)
"""
ISOLATED = """
from mic.processes.tasks import run_isolated

print(list(run_isolated(abs, [1, 2, 3], jobs=2)))
"""
DYING = """
import os
from mic.processes import workers

if __name__ == "__main__":
    with workers.pool(2) as pool:
        list(pool.map(os._exit, [7, 7]))
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


def fails(program, tmp_path):
    """The last line that a script says before it ends in an error."""
    script = tmp_path / "script.py"
    script.write_text(program)
    ended = subprocess.run(
        [sys.executable, script, tmp_path / "made"], capture_output=True, text=True
    )
    assert ended.returncode == 1
    assert ended.stdout == ""
    return ended.stderr.splitlines()[-1]


@pytest.mark.parametrize("program", [UNGUARDED, ISOLATED], ids=["generator", "isolated"])
def test_a_script_without_a_guard_is_told_what_to_write(program, tmp_path):
    assert "ConfigError: no worker process could start" in (said := fails(program, tmp_path))
    assert 'below `if __name__ == "__main__":`' in said


def test_a_worker_that_dies_is_a_typed_error(tmp_path):
    assert "LostTaskError: a worker process died" in fails(DYING, tmp_path)
