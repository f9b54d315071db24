"""The cache folder and the lock that processes share."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time

import pytest

from mic.errors import StorageError
from mic.storage import home as module
from mic.storage.home import home, locked


def test_mic_home_moves_the_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("MIC_HOME", str(tmp_path))
    assert home() == tmp_path
    monkeypatch.setenv("MIC_HOME", "~/elsewhere")
    assert home().is_absolute()
    monkeypatch.delenv("MIC_HOME")
    assert home().parts[-2:] == (".cache", "mic")


def _count(counter, lock, rounds):
    for _ in range(rounds):
        with locked(lock):
            value = int(counter.read_text())
            time.sleep(0.0005)
            counter.write_text(str(value + 1))


def test_the_lock_excludes_and_leaves_no_file(tmp_path):
    counter, lock = tmp_path / "counter", tmp_path / "deep" / "a.lock"
    counter.write_text("0")
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_count, args=(counter, lock, 50)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * 4
    assert counter.read_text() == "200"
    assert not lock.exists()


def _hold(lock, ready):
    with locked(lock):
        ready.set()
        time.sleep(3600)  # until it is killed


def test_a_killed_holder_blocks_nobody(tmp_path):
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    holder = context.Process(target=_hold, args=(tmp_path / "a.lock", ready))
    holder.start()
    ready.wait()
    os.kill(holder.pid, signal.SIGKILL)
    holder.join()
    with locked(tmp_path / "a.lock"):
        pass  # otherwise it would wait for ever


def test_a_terminal_is_told_for_whom_it_waits(tmp_path, monkeypatch, capsys):
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    holder = context.Process(target=_hold, args=(tmp_path / "a.lock", ready))
    holder.start()
    ready.wait()
    with (
        pytest.raises(StorageError, match=rf"another process works here \({holder.pid}\)"),
        locked(tmp_path / "a.lock", wait=False),
    ):
        pass

    def tell(path):
        told(path)
        os.kill(holder.pid, signal.SIGKILL)

    told = module._tell
    monkeypatch.setattr(module, "_tell", tell)
    monkeypatch.setattr(module, "_PATIENCE", 0.05)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with locked(tmp_path / "a.lock"):
        said = capsys.readouterr().err
    holder.join()
    assert said == f"mic: waiting for another process ({holder.pid}): {tmp_path / 'a.lock'}\n"


def test_a_place_that_cannot_hold_a_lock_is_an_error_with_a_remedy(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(StorageError, match="MIC_HOME"), locked(tmp_path / "file" / "a.lock"):
        pass


def test_a_script_without_a_main_guard_is_told_so_instead_of_waiting_for_ever(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import dataclasses\n"
        "from mic import config\n"
        "from mic.datasets import synth\n"
        "tiny = dataclasses.replace(config.load('smoke'), size=32, ck_clips=2, jobs=2)\n"
        "synth.load('synth-ck', tiny)\n"
    )
    ended = subprocess.run(
        [sys.executable, script],
        env=os.environ | {"MIC_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert ended.returncode != 0
    assert 'below `if __name__ == "__main__":`' in ended.stderr
