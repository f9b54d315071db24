"""A tree of class folders: any name, any container, resumable, and a bad clip stops nothing."""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from mic import codec
from mic.errors import CodecError, ConfigError
from mic.processes.tasks import run_isolated


def clip(path, *, seed=0, frames=4, **options):
    noise = np.random.default_rng(seed)
    pictures = (noise.integers(0, 256, (32, 48, 3), np.uint8) for _ in range(frames))
    codec.encode_frames(pictures, path, frame_rate=25, vop_quant=4, **options)
    return path


@pytest.fixture
def tree(tmp_path):
    """Names and containers that reencode.sh lost, beside one that it took."""
    source = tmp_path / "source videos"
    clip(source / "happy" / "one.avi", seed=1)
    clip(source / "happy" / "two words $(touch x).AVI", seed=2, container="avi")
    clip(source / "sad" / "session 1" / "naïve 顔.mkv", seed=3)
    clip(source / "sad" / "h264.mp4", seed=4, codec="h264", gop=1)
    clip(source / "top.mp4", seed=5)
    (source / "sad" / "notes.txt").write_text("not a video")
    (source / ".hidden.avi").write_text("a system file")
    return source


def contents(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".reencode" not in path.parts
    }


def test_takes_every_container_nested_and_oddly_named(tree, tmp_path):
    target = tmp_path / "target"
    report = codec.reencode_tree(tree, target, jobs=1)
    assert sorted(contents(target)) == [
        "happy/one.mp4",
        "happy/two words $(touch x).mp4",
        "sad/h264.mp4",
        "sad/session 1/naïve 顔.mp4",
        "top.mp4",
    ]
    assert report.ignored == ("sad/notes.txt",)
    assert {outcome.status for outcome in report.clips} == {"written"}
    for outcome in report.clips:
        info = codec.probe(target / outcome.target)
        assert (info.codec, info.frames) == ("mpeg4", outcome.frames)
        assert info.bits == outcome.bits


def test_processes_write_what_one_process_writes(tree, tmp_path):
    codec.reencode_tree(tree, tmp_path / "one", jobs=1)
    codec.reencode_tree(tree, tmp_path / "two", jobs=2)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_done_clips_are_kept_and_only_changes_are_written(tree, tmp_path):
    target = tmp_path / "target"
    codec.reencode_tree(tree, target, jobs=1)
    stamps = {path: path.stat().st_mtime_ns for path in target.rglob("*.mp4")}
    again = codec.reencode_tree(tree, target, jobs=1)
    assert {outcome.status for outcome in again.clips} == {"kept"}
    assert [outcome.frames for outcome in again.clips] == [4] * 5
    assert stamps == {path: path.stat().st_mtime_ns for path in target.rglob("*.mp4")}

    clip(tree / "top.mp4", seed=6)  # new content
    (target / "happy" / "one.mp4").write_bytes(b"damaged")
    (target / "sad" / "h264.mp4").unlink()
    (target / ".reencode" / "sad" / "session 1" / "naïve 顔.mp4.json").write_text("{")
    third = codec.reencode_tree(tree, target, jobs=1)
    assert {outcome.target for outcome in third.of("kept")} == {"happy/two words $(touch x).mp4"}

    other = codec.reencode_tree(tree, target, jobs=1, vop_quant=9)
    assert len(other.of("written")) == 5, "other options are other videos"


def test_broken_clips_are_listed_with_the_reason_and_stop_nothing(tree, tmp_path):
    (tree / "sad" / "broken.avi").write_bytes(b"RIFF" + bytes(200))
    (tree / "sad" / "empty.mov").touch()
    report = codec.reencode_tree(tree, tmp_path / "target", jobs=2)
    assert [outcome.source for outcome in report.of("failed")] == [
        "sad/broken.avi",
        "sad/empty.mov",
    ]
    assert all("cannot be opened" in outcome.error for outcome in report.of("failed"))
    assert len(report.of("written")) == 5
    assert not (tmp_path / "target" / "sad" / "broken.mp4").exists()


def test_equal_stems_do_not_overwrite_each_other(tmp_path):
    clip(tmp_path / "in" / "a.avi", seed=1)
    clip(tmp_path / "in" / "a.mkv", seed=2)
    report = codec.reencode_tree(tmp_path / "in", tmp_path / "out", jobs=1)
    assert [outcome.target for outcome in report.clips] == ["a.avi.mp4", "a.mkv.mp4"]
    first, second = contents(tmp_path / "out").values()
    assert first != second


def test_a_target_inside_the_source_is_not_read(tree):
    target = tree / "mpeg4"
    first = codec.reencode_tree(tree, target, jobs=1)
    second = codec.reencode_tree(tree, target, jobs=1)
    assert len(first.clips) == len(second.clips) == 5
    assert {outcome.status for outcome in second.clips} == {"kept"}


def test_container_chooses_the_suffix(tree, tmp_path):
    codec.reencode_tree(tree, tmp_path / "raw", jobs=1, container="m4v")
    assert all(name.endswith(".m4v") for name in contents(tmp_path / "raw"))
    assert codec.probe(tmp_path / "raw" / "top.m4v").container == "m4v"


# Dies when the third clip stands there and has no record yet; `test_kills.py` has other moments.
KILLED = """
import os, signal, sys
from mic import codec
from mic.storage import atomic
real, written = atomic.write_text, []
def write_text(path, text):
    if len(written) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    written.append(path)
    real(path, text)
atomic.write_text = write_text
codec.reencode_tree(sys.argv[1], sys.argv[2], jobs=1, vop_quant=1)
"""


def test_killed_in_the_middle_the_same_command_goes_on(tmp_path):
    source, target = tmp_path / "source", tmp_path / "target"
    for index in range(12):
        clip(source / f"{index:02}.avi", seed=index, frames=60)
    done = subprocess.run([sys.executable, "-c", KILLED, str(source), str(target)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert len(list(target.glob("[0-9]*.mp4"))) == 3
    report = codec.reencode_tree(source, target, jobs=1, vop_quant=1)
    assert [clip.source for clip in report.of("kept")] == ["00.avi", "01.avi"]
    assert len(report.of("written")) == 10
    codec.reencode_tree(source, tmp_path / "whole", jobs=1, vop_quant=1)
    clips = {name: data for name, data in contents(target).items() if not name.startswith(".")}
    assert clips == contents(tmp_path / "whole")


def test_bad_calls_are_refused(tree, tmp_path):
    with pytest.raises(CodecError, match="no folder"):
        codec.reencode_tree(tmp_path / "absent", tmp_path / "out")
    (tmp_path / "bare").mkdir()
    with pytest.raises(CodecError, match="holds no video"):
        codec.reencode_tree(tmp_path / "bare", tmp_path / "out")
    with pytest.raises(ConfigError, match="unknown encoding option quantiser"):
        codec.reencode_tree(tree, tmp_path / "out", quantiser=3)
    with pytest.raises(ConfigError, match="unknown container"):
        codec.reencode_tree(tree, tmp_path / "out", container="zip")


def test_no_progress_bar_without_a_terminal(tree, tmp_path, capfd):
    codec.reencode_tree(tree, tmp_path / "out", jobs=1)
    assert capfd.readouterr().err == ""


def test_records_name_the_content_they_stand_for(tree, tmp_path):
    codec.reencode_tree(tree, tmp_path / "out", jobs=1)
    record = json.loads((tmp_path / "out" / ".reencode" / "top.mp4.json").read_text())
    assert record["facts"]["frames"] == 4
    assert len(record["key"]) == len(record["sha256"]) == 64


def die_at_two(task):
    if task == 2:
        os._exit(9)
    return 10 * task


@pytest.mark.parametrize("jobs", [2, 3])
def test_a_task_that_kills_its_process_fails_alone(jobs):
    results = dict(run_isolated(die_at_two, list(range(5)), jobs=jobs))
    assert isinstance(results.pop(2), CodecError)
    assert results == {0: 0, 1: 10, 3: 30, 4: 40}


@pytest.mark.parametrize(
    "names", [("a.mp4", "a.avi", "a.avi.mp4"), ("b.mkv", "b.mkv.avi", "b.mkv.mov", "b.mov")]
)
def test_no_two_clips_have_one_target(names, tmp_path):
    for number, name in enumerate(names):
        clip(tmp_path / "in" / "x" / name, seed=number, codec="mpeg4", container="avi")
    for status in ("written", "kept"):
        report = codec.reencode_tree(tmp_path / "in", tmp_path / "out", jobs=1)
        assert len(report.of(status)) == len(names)
        assert len({one.target for one in report.clips}) == len(names)
