"""How a command ends that cannot print, is told to end, or finds no memory."""

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import recogniser_factory

from mic import cli, codec
from mic.cli import data

MIC = [sys.executable, "-m", "mic"]
# Waits for ever at the second video.
SLOW = """
import sys, time
from mic import cli, recognition
rows_of = recognition.Task.rows_of
def slow(self, path, **options):
    if "second" in str(path):
        print("waiting", file=sys.stderr, flush=True)
        time.sleep(3600)
    yield from rows_of(self, path, **options)
recognition.Task.rows_of = slow
sys.exit(cli.main(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A video of nobody, and weights of a small network."""
    path = tmp_path_factory.mktemp("made")
    nobody = [np.full((96, 96, 3), 90, np.uint8)] * 12
    codec.encode_frames(nobody, path / "a.mp4", frame_rate=25)
    return path / "a.mp4", recogniser_factory.write(path)


def test_rows_are_printed_though_nobody_hears_of_errors(made):
    video, weights = made
    command = [*MIC, "predict", str(video), "--weights", str(weights)]
    closed = subprocess.run(
        ["sh", "-c", 'exec "$@" 2>&-', "sh", *command], capture_output=True, text=True, check=True
    )
    assert closed.stdout.startswith("video,")
    assert closed.stdout.count("\n") == 2


def test_a_closed_output_is_said(made):
    video, weights = made
    command = [*MIC, "predict", str(video), "--weights", str(weights)]
    closed = subprocess.run(
        ["sh", "-c", 'exec "$@" >&-', "sh", *command], stderr=subprocess.PIPE, text=True
    )
    assert closed.returncode == 1
    assert "standard output: cannot be written: it is closed" in closed.stderr
    assert "Traceback" not in closed.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
@pytest.mark.parametrize("command", [["--help"], ["fetch"], ["extract", "VIDEO", "--to", "TO"]])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_output_is_said_by_every_command(command, unbuffered, made, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    words = [{"VIDEO": str(made[0]), "TO": str(tmp_path)}.get(word, word) for word in command]
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run([*MIC, *words], stdout=full, stderr=subprocess.PIPE, text=True)
    assert ended.returncode == 1
    assert "standard output: cannot be written: No space left on device" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "Exception ignored" not in ended.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_what_was_found_before_a_termination_is_printed(number, made, tmp_path):
    video, weights = made
    second = shutil.copy(video, tmp_path / "second.mp4")
    words = ["predict", str(video), str(second), "--weights", str(weights)]
    command = [sys.executable, "-c", SLOW, *words, "--out", str(tmp_path / "rows.csv")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        while process.stderr.readline() not in (b"waiting\n", b""):
            pass
        process.send_signal(number)
        printed, said = process.communicate()
    assert printed.startswith(b"video,")
    assert printed.count(b"\n") == 2
    assert process.returncode == 128 + number
    assert b"mic: interrupted" in said
    assert b"Traceback" not in said


def test_signals_are_left_as_they_were(capsys):
    before = [signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGHUP)]
    assert cli.main(["fetch"]) == 0
    assert [signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGHUP)] == before


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        ImportError("libx.so: failed to map segment from shared object"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
    ],
)
def test_too_little_memory_is_said(error, monkeypatch, capsys):
    def fails(options):
        raise error

    monkeypatch.setattr(data, "_fetch", fails)
    assert cli.main(["fetch"]) == 1
    said = capsys.readouterr().err
    assert "not enough memory" in said
    assert "memory: ." not in said
    assert "ulimit" in said


def test_a_broken_import_is_not_taken_for_too_little_memory(monkeypatch):
    def fails(options):
        raise ImportError("cannot import name 'x'")

    monkeypatch.setattr(data, "_fetch", fails)
    with pytest.raises(ImportError, match="cannot import name"):
        cli.main(["fetch"])
