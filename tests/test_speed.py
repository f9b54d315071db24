"""The clock: stages, interleaving, medians, ratios, memory."""

import time

import numpy as np
import pytest
import torch

from mic import codec, faces
from mic.datasets.tensors import Representation
from mic.errors import ConfigError
from mic.models import baselines
from mic.models.baselines.outsider import Outsider
from mic.models.expression import ExpressionNetwork
from mic.speed import clips, measure, pipelines


def _sleeper(seconds, log=None, name=""):
    def task(watch):
        if log is not None:
            log.append(name)
        with watch("sleep"):
            time.sleep(seconds)

    return task


def test_stages_add_up_and_sleeping_costs_no_cpu():
    watch = measure.Stopwatch()
    for _ in range(2):
        with watch("sleep"):
            time.sleep(0.02)
    with watch("work"):
        start = time.process_time()
        while time.process_time() - start < 0.02:
            pass
    assert watch.seconds["sleep"] >= 0.04
    assert watch.cpu["sleep"] < 0.02
    assert watch.cpu["work"] >= 0.02


def test_each_round_runs_all_tasks_in_another_order():
    log = []
    tasks = {name: _sleeper(0, log, name) for name in "abc"}
    timings = measure.interleaved(tasks, rounds=3, warm_up=1)
    rounds = ["".join(log[i : i + 3]) for i in range(0, 12, 3)]
    assert rounds[1:] == ["abc", "bca", "cab"]
    assert len(timings) == 3 * 3 * 2  # two stages each: sleep and the total
    assert set(timings["round"]) == {0, 1, 2}


def test_ratios_and_medians_of_known_durations():
    tasks = {"short": _sleeper(0.02), "long": _sleeper(0.06)}
    timings = measure.interleaved(tasks, rounds=3)
    ratio = measure.ratios(timings, "short")
    assert ratio["short"] == 1
    assert 2 < ratio["long"] < 4
    table = measure.medians(timings)
    assert list(table.index) == ["short", "long"]
    assert table.loc["long", "sleep"] == pytest.approx(0.06, abs=0.03)
    assert (table["total"] >= table["sleep"]).all()


def test_one_slow_round_changes_neither_median_nor_ratio():
    pauses = iter([0.01, 0.01, 0.3, 0.01, 0.01])

    def uneven(watch):
        time.sleep(next(pauses))

    timings = measure.interleaved({"uneven": uneven, "even": _sleeper(0.01)}, rounds=5, warm_up=0)
    assert measure.medians(timings).loc["uneven", "total"] < 0.1
    assert measure.ratios(timings, "even")["uneven"] < 5


def test_memory_of_a_big_array_is_seen():
    def fill():
        return np.ones(32_000_000, np.uint8).sum()

    peak = measure.peak_memory(fill)
    assert np.isnan(peak) or 28e6 < peak < 64e6
    assert np.isnan(peak) or measure.peak_memory(lambda: None) < 8e6


def test_nonsense_is_refused():
    with pytest.raises(ConfigError):
        measure.interleaved({"a": _sleeper(0)}, rounds=0)
    timings = measure.interleaved({"a": _sleeper(0)}, rounds=1)
    with pytest.raises(ConfigError, match="'b'"):
        measure.ratios(timings, "b")


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return clips.make(
        tmp_path_factory.mktemp("clips"), width=128, height=128, frames=24, source="carphone"
    )


def test_clips_have_the_size_that_was_asked_for_and_are_made_once(clip):
    assert (clip.width, clip.height, clip.frames) == (128, 128, 24)
    again = clips.make(clip.path.parent, width=128, height=128, frames=24, source="carphone")
    assert again == clip
    long = clips.make(clip.path.parent, width=64, height=48, frames=130, source="carphone")
    frames = list(codec.decode(long.path))  # the source has 120: frame 121 is frame 117 again
    assert len(frames) == 130
    middle = [np.abs(frames[119 + n].astype(int) - frames[119 - n]).mean() for n in (1, 5)]
    assert max(middle) < 3


def _networks():
    torch.manual_seed(0)
    mic = ExpressionNetwork(7, width=4, feature_size=32, z_size=32).eval()
    peer = baselines.PeerModel(baselines.PeerMethod(peer="voting", width=4), classes=7).eval()
    return mic, peer


@pytest.mark.parametrize("kind", ["raw", "accumulated", "fusion"])
def test_compressed_pipelines_answer_alike_on_both_engines(clip, kind):
    mic, _ = _networks()
    representation = Representation(kind=kind, steps=6, scale=2)
    onnx = pipelines.onnx_runner(mic, size=(64, 64), steps=6)
    watches = []
    answers = []
    for runner in (onnx, pipelines.torch_runner(mic)):
        watches.append(measure.Stopwatch())
        answers.append(pipelines.compressed(runner, representation)(clip.path, watches[-1]))
    assert answers[0] == answers[1]
    assert list(watches[0].seconds) == ["demux", "parse", "network"]


def test_picture_pipelines_see_the_decoded_frames(clip):
    seen = []

    def runner(batch, motion):
        assert motion is None
        seen.append(batch)
        return np.zeros((1, 7))

    watch = measure.Stopwatch()
    pipelines.pictures(runner, steps=6, size=(64, 64))(clip.path, watch)
    assert list(watch.seconds) == ["demux", "decode", "colour", "network"]
    frames = np.stack(list(codec.decode(clip.path)))[[4, 8, 12, 15, 19, 23]]
    halves = frames.reshape(6, 64, 2, 64, 2, 3).mean((2, 4)).transpose(0, 3, 1, 2)
    assert seen[0].dtype == np.int16
    # libswscale averages before it converts to RGB: not the same numbers, the same picture.
    assert np.abs(seen[0][0] - halves).mean() < 3


def test_pictures_are_cut_to_the_face_where_it_is_looked_for(clip):
    seen = []

    def runner(batch, motion):
        seen.append(batch)
        return np.zeros((1, 7))

    watch = measure.Stopwatch()
    pipelines.pictures(runner, steps=3, size=(64, 64), detect=True)(clip.path, watch)
    pipelines.pictures(runner, steps=3, size=(64, 64))(clip.path, measure.Stopwatch())
    assert watch.seconds["face detection"] > 0
    assert seen[0].shape == seen[1].shape
    assert np.abs(seen[0] - seen[1]).mean() > 5


def test_the_outsider_and_a_face_found_first(clip):
    watch = measure.Stopwatch()
    answer = pipelines.outsider(Outsider(), steps=3)(clip.path, watch)
    assert 0 <= answer < 7
    assert list(watch.seconds) == ["demux", "decode", "colour", "face detection", "network"]
    mic, _ = _networks()
    plain = pipelines.compressed(
        pipelines.torch_runner(mic), Representation(kind="raw", steps=3, scale=2)
    )
    watch = measure.Stopwatch()
    assert pipelines.with_face(plain)(clip.path, watch) == plain(clip.path, measure.Stopwatch())
    assert list(watch.seconds) == ["face detection", "demux", "parse", "network"]
    assert faces.detector() is faces.detector()


def test_the_splits_run_and_their_parts_grow(clip):
    representation = Representation(kind="raw", steps=12, scale=1)
    tasks = {**pipelines.parsing_split(representation), **pipelines.decoding_split()}
    timings = measure.interleaved(
        {name: pipelines.on(clip.path, answer) for name, answer in tasks.items()}, rounds=3
    )
    total = measure.medians(timings)["total"]
    assert total["open"] < total["modes"] < total["rgb"]
    assert total["demux"] < total["entropy"] < 1.2 * total["all"]
