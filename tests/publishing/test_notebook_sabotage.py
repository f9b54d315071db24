"""Each way a notebook run can go wrong ends in an error and leaves the earlier results whole."""

import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import notebook_factory
import pytest

from mic import cli
from mic.errors import NotebookError


@pytest.fixture(scope="module")
def complete(tmp_path_factory):
    """A folder in which the probe ran whole; whoever runs it again copies the folder first."""
    root = tmp_path_factory.mktemp("complete")
    notebook_factory.write(root / "notebooks")
    notebook_factory.runner(root).run()
    return root


@pytest.fixture
def ran(complete, tmp_path):
    return Path(shutil.copytree(complete, tmp_path / "ran"))


@pytest.mark.parametrize(
    ("sabotage", "last", "message"),
    [
        ("1 / 0", None, "ZeroDivisionError"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", None, "kernel"),
        ("import sys; sys.exit(0)", None, "SystemExit|did not run"),
        ("", "print('done')", "completion marker"),
        ("import sys; print('careless', file=sys.stderr)", None, "careless"),
        ("import os; os._exit(0)", None, "kernel"),
    ],
    ids=["exception", "killed-kernel", "sys-exit", "no-marker", "stderr", "hard-exit"],
)
def test_sabotage_fails_the_run_and_keeps_the_old_results(ran, sabotage, last, message):
    executed = (ran / "results/notebooks/01_probe.ipynb").read_bytes()
    options = {"last": last} if last else {}
    notebook_factory.write(ran / "notebooks", sabotage=sabotage, value="-1", **options)
    with pytest.raises(NotebookError, match=message) as caught:
        notebook_factory.runner(ran).run()
    assert caught.value.file.name == "01_probe.ipynb"
    assert (ran / "results/notebooks/01_probe.ipynb").read_bytes() == executed
    if "careless" not in sabotage:  # there the cells were right, so their outputs stand
        assert notebook_factory.numbers(ran) == [2]
    arguments = ["run", "--profile", "smoke", "--notebooks", str(ran / "notebooks")]
    if "signal" in sabotage:
        assert cli.main([*arguments, "--results", str(ran / "results")]) == 1


def test_kill_in_the_middle_leaves_the_old_results_and_the_next_run_is_clean(ran):
    notebook_factory.write(ran / "notebooks", value="-1", sabotage="import time; time.sleep(600)")
    command = [sys.executable, "-m", "mic", "run", "--profile", "smoke"]
    command += ["--notebooks", str(ran / "notebooks"), "--results", str(ran / "results")]
    process = subprocess.Popen(command, start_new_session=True)
    staging = ran / "results"
    deadline = time.monotonic() + 600
    while not list(staging.glob(".staging-*/01_probe/numbers.csv")):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert notebook_factory.numbers(ran) == [2]
    notebook_factory.write(ran / "notebooks", value="5")
    notebook_factory.runner(ran).run()
    assert notebook_factory.numbers(ran) == [5]
    assert [p for p in (ran / "results/notebooks").iterdir() if p.name.startswith(".")] == []


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux mounts a disk of its own")
def test_a_full_disk_fails_the_run_and_keeps_the_old_results(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    notebook_factory.write(tmp_path / "notebooks")
    script = f"""
        import io, pathlib, subprocess, sys
        mount = ["mount", "-t", "tmpfs", "-o", "size=96k", "none", {str(disk)!r}]
        subprocess.run(mount, check=True)
        sys.path.insert(0, {str(Path(__file__).parents[1])!r})
        import notebook_factory
        from mic import config
        from mic.errors import MicError
        from mic.publishing.notebooks import Runner
        def runner():
            return Runner({str(tmp_path / "notebooks")!r}, config.load("smoke"),
                          folder={str(disk)!r}, progress=io.StringIO())
        runner().run()
        table = pathlib.Path({str(disk)!r}, "01_probe/numbers.csv")
        assert table.read_text() == "x\\n2\\n"
        notebook_factory.write(pathlib.Path({str(tmp_path / "notebooks")!r}),
                               value="-1", sabotage="print('x' * 200_000)")
        try:
            runner().run()
        except MicError as error:
            assert "No space left" in str(error), error
            assert table.read_text() == "x\\n2\\n", table.read_text()
            sys.exit(17)
    """
    command = ["unshare", "--user", "--map-root-user", "--mount", sys.executable, "-c"]
    process = subprocess.run([*command, textwrap.dedent(script)], check=False)
    assert process.returncode == 17


def _run_all(tmp_path):
    notebook_factory.runner(tmp_path, force=True).run()


def test_two_runs_at_once_lose_and_double_no_row(tmp_path):
    pause = "import time; time.sleep(0.3)"
    notebook_factory.write(tmp_path / "notebooks", value="*range(200)", sabotage=pause)
    # Spawned: a fork of a process whose libraries have threads may wait for ever.
    context = multiprocessing.get_context("spawn")
    runs = [context.Process(target=_run_all, args=(tmp_path,)) for _ in range(2)]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert [run.exitcode for run in runs] == [0, 0]
    assert notebook_factory.numbers(tmp_path) == list(range(200))
    assert [path.name for path in (tmp_path / "results").glob(".*")] == []
    assert [p for p in (tmp_path / "results/notebooks").iterdir() if p.name.startswith(".")] == []
    (again,) = notebook_factory.runner(tmp_path).run()
    assert not again.ran
