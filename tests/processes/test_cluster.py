"""Stages on a dask cluster of worker processes: the same bytes, also when a worker is killed.

Workers import this file with the tasks that it gives them, so it imports neither torch nor, but
where it is needed, nbformat: each worker would take seconds for them. The grid and the large
campaign are in `test_cluster_long.py`.
"""

import dataclasses
import os
import signal
import socket
import sys
from pathlib import Path

import dask
import numpy as np
import pytest
from campaigns.workers import killed_once, until_restartable

from mic import cli, codec
from mic.codec import tree
from mic.errors import ClusterError, CodecError, ConfigError
from mic.processes import cluster
from mic.processes.cluster import worker
from mic.processes.tasks import run_isolated


@pytest.fixture(scope="module")
def address():
    """Two worker processes on loopback, started once for this file."""
    # A task is given up after two workers instead of four: each takes a second to start again.
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 1}),
        cluster.started("local:2") as words,
    ):
        assert words.endswith(", 2 workers")
        yield os.environ.pop(cluster.VARIABLE)


@pytest.fixture
def remote(address, monkeypatch, tmp_path):
    monkeypatch.setenv("MIC_HOME", str(tmp_path / "home"))
    monkeypatch.setenv(cluster.VARIABLE, address)
    return address


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """Twelve clips of noise."""
    root = tmp_path_factory.mktemp("videos")
    draw = np.random.default_rng(0)
    for number in range(12):
        pictures = draw.integers(0, 256, (6, 48, 64, 3), np.uint8)
        codec.encode_frames(pictures, root / f"{number:02}.mp4", frame_rate=25)
    return root


def contents(folder):
    """Files that a reader sees; a killed worker may leave the hidden half of one."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(Path(folder).rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }


def test_a_killed_worker_changes_no_byte_of_a_re_encoded_tree(
    remote, videos, tmp_path, monkeypatch
):
    (tmp_path / "in" / "happy").mkdir(parents=True)
    for path in videos.glob("*.mp4"):
        (tmp_path / "in" / "happy" / path.name).write_bytes(path.read_bytes())
    (tmp_path / "in" / "broken.avi").write_bytes(b"RIFF" + bytes(99))
    monkeypatch.chdir(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(tree, "_one_clip", killed_once)
        report = codec.reencode_tree("in", "there", vop_quant=5)
    assert (tmp_path / "killed").exists()
    monkeypatch.delenv(cluster.VARIABLE)
    codec.reencode_tree("in", "here", vop_quant=5, jobs=1)
    assert [clip.source for clip in report.of("failed")] == ["broken.avi"]
    assert contents("there") == contents("here")
    assert not list(Path("there").glob(".mic-cluster-*"))


def test_extract_on_a_cluster_writes_what_it_writes_here(remote, videos, tmp_path, capsys):
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    command = ["extract", str(videos), str(tmp_path / "broken.mp4"), "--scale", "2", "--to"]
    assert cli.main([*command, str(tmp_path / "there"), "--scheduler", remote]) == 1
    shown = capsys.readouterr()
    assert f"mic: scheduler {remote}, " in shown.err
    assert "broken.mp4: cannot be opened" in shown.err
    assert shown.out.count(" frames, bitstream") == 12
    del os.environ[cluster.VARIABLE]
    assert cli.main([*command, str(tmp_path / "here")]) == 1
    assert len(contents(tmp_path / "here")) == 12
    assert contents(tmp_path / "there") == contents(tmp_path / "here")


IN_A_NOTEBOOK = """import os
import signal
from mic.processes import cluster
with cluster.connected() as executor:
    workers = {executor.submit(os.getpid).result() for _ in range(3)}
    assert os.getpid() not in workers
    os.kill(workers.pop(), signal.SIGKILL)
    assert executor.submit(abs, -1).result() == 1"""


def test_mic_run_hands_the_cluster_to_its_kernels(remote, tmp_path, capsys):
    import notebook_factory

    # The kernel's client sees a worker die, and may not say so: stderr fails a notebook.
    notebook_factory.write(tmp_path / "notebooks", sabotage=IN_A_NOTEBOOK)
    command = ["run", "--profile", "smoke", "--notebooks", str(tmp_path / "notebooks")]
    command += ["--results", str(tmp_path / "results"), "--scheduler", remote]
    del os.environ[cluster.VARIABLE]
    assert cli.main(command) == 0, capsys.readouterr().err
    assert (tmp_path / "results" / "01_probe" / "numbers.csv").is_file()
    assert cluster.VARIABLE not in os.environ


def die_at_two(task):
    if task == 2:
        until_restartable()
        os.kill(os.getpid(), signal.SIGKILL)
    return 10 * task


def fail(task):
    raise CodecError("is a stone", file=task) if task else ZeroDivisionError("by nothing")


def test_a_task_that_kills_every_worker_fails_alone(remote):
    found = dict(run_isolated(die_at_two, list(range(4)), jobs=1))
    assert isinstance(found.pop(2), CodecError)
    assert found == {0: 0, 1: 10, 3: 30}


def test_errors_come_back_as_they_were_raised(remote):
    ((_, found),) = run_isolated(fail, ["clip.mp4"], jobs=1)
    assert str(found) == "clip.mp4: is a stone"
    with cluster.connected() as executor, pytest.raises(ZeroDivisionError) as caught:
        executor.submit(fail, 0).result()
    assert "in fail" in caught.value.__notes__[0]


def large(argument, number):
    return len(argument.payload) + number, os.environ.get(cluster.VARIABLE), str(Path.cwd())


@dataclasses.dataclass(frozen=True)
class Parcel:
    payload: bytes


def test_a_large_argument_travels_once_and_tasks_stand_where_the_run_stands(
    remote, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    parcel = Parcel(bytes(300_000))
    with cluster.connected() as executor:
        found = [executor.submit(large, parcel, number) for number in range(3)]
        assert [f.result() for f in found] == [
            (300_000 + number, None, str(tmp_path)) for number in range(3)
        ]
        keys = [key for key in executor._client.futures if "itself" in str(key)]
    assert len(keys) == 1


def test_workers_of_other_code_or_other_folders_refuse(remote, tmp_path, monkeypatch):
    with cluster.connected() as executor:
        order = executor._order
    with pytest.raises(ClusterError, match="not the same folder"):
        worker._check(order)  # its beacons are gone
    other = dataclasses.replace(order, code="0", beacons=())
    with pytest.raises(ClusterError, match="another mic's code than"):
        worker._check(other)
    older = tuple((name, "0.1" if name == "torch" else value) for name, value in order.versions)
    with pytest.raises(ClusterError, match="another torch than"):
        worker._check(dataclasses.replace(other, code=order.code, versions=older))
    assert isinstance(worker.perform(other, len, "x").error, ClusterError)


@pytest.mark.parametrize("where", ["local:0", "local:x", "8786", "http://a:1", "tcp://a"])
def test_what_is_no_scheduler_is_refused(where):
    with pytest.raises(ConfigError, match="local:4"), cluster.started(where):
        pass


def test_a_scheduler_that_is_not_there_and_a_missing_package_say_what_to_do(monkeypatch, capsys):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    monkeypatch.setattr("mic.processes.cluster.executors._SECONDS", 1)
    assert cli.main(["fetch", "--scheduler", nobody]) == 1
    assert "no scheduler answers" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert cli.main(["fetch", "--scheduler", nobody]) == 1
    assert "pip install 'mic-faces[cluster]'" in capsys.readouterr().err


@pytest.mark.parametrize("jobs", [1, 4])
def test_no_task_is_no_work(jobs):
    assert list(run_isolated(fail, [], jobs=jobs)) == []
