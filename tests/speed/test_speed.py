"""Pipelines on both engines, what their parts do, and what counts as worth."""

import collections
import contextlib
import types

import numpy as np
import pandas as pd
import pytest
import torch

from mic import codec, config, faces, peers
from mic.experiments import plan
from mic.faces.fer import Fer
from mic.inputs.tensors import Representation
from mic.models.expression import ExpressionNetwork
from mic.models.mic import Mic
from mic.speed import clips, contestants, figures, measure, pipelines, worth


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
    peer = peers.PeerModel(peers.PeerMethod(peer="voting", width=4), classes=7).eval()
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
        answers.append(pipelines.compressed(runner, representation)([clip.path], watches[-1]))
    assert answers[0] == answers[1]
    assert list(watches[0].seconds) == ["demux", "parse", "network"]


def test_a_batch_answers_as_its_clips_alone(clip):
    other = clips.make(
        clip.path.parent, width=128, height=128, frames=24, vop_quant=31, source="carphone"
    )
    paths = [clip.path, other.path, clip.path]
    mic, peer = _networks()
    runner = pipelines.onnx_runner(mic, size=(64, 64), steps=6)
    seen = []

    def watched(batch, motion):
        seen.append(batch)
        return runner(batch, motion)

    answer = pipelines.compressed(watched, Representation(kind="running", steps=6, scale=2))
    together = answer(paths, measure.Stopwatch())
    for path in paths:
        answer([path], measure.Stopwatch())
    assert [len(batch) for batch in seen] == [3, 1, 1, 1]
    assert np.array_equal(seen[0], np.concatenate(seen[1:]))
    assert not np.array_equal(seen[0][0], seen[0][1])
    assert np.array_equal(together, runner(seen[0], None).argmax(1))
    decode = pipelines.pictures(pipelines.torch_runner(peer), steps=6, size=(64, 64))
    assert decode(paths, measure.Stopwatch()).shape == (3,)


def test_picture_pipelines_see_the_decoded_frames(clip):
    seen = []

    def runner(batch, motion):
        assert motion is None
        seen.append(batch)
        return np.zeros((1, 7))

    watch = measure.Stopwatch()
    pipelines.pictures(runner, steps=6, size=(64, 64))([clip.path], watch)
    assert list(watch.seconds) == ["demux", "decode", "colour", "network"]
    frames = np.stack(list(codec.decode(clip.path)))[[4, 8, 12, 15, 19, 23]]
    halves = frames.reshape(6, 64, 2, 64, 2, 3).mean((2, 4)).transpose(0, 3, 1, 2)
    assert seen[0].dtype == np.int16
    # libswscale averages before it converts to RGB: not the same numbers, the same picture.
    assert np.abs(seen[0][0] - halves).mean() < 3
    pipelines.pictures(runner, steps=6, size=(64, 64), relative=True)([clip.path], watch)
    first = next(iter(codec.decode(clip.path))).reshape(64, 2, 64, 2, 3).mean((1, 3))
    assert seen[1].shape == seen[0].shape
    assert np.abs(seen[1][0] - (halves - first.transpose(2, 0, 1))).mean() < 3
    assert np.abs(seen[1]).mean() < np.abs(seen[0]).mean() / 2


def test_pictures_are_cut_to_the_face_where_it_is_looked_for(clip):
    seen = []

    def runner(batch, motion):
        seen.append(batch)
        return np.zeros((1, 7))

    watch = measure.Stopwatch()
    pipelines.pictures(runner, steps=3, size=(64, 64), detect=True)([clip.path], watch)
    pipelines.pictures(runner, steps=3, size=(64, 64))([clip.path], measure.Stopwatch())
    assert watch.seconds["face detection"] > 0
    assert seen[0].shape == seen[1].shape
    assert np.abs(seen[0] - seen[1]).mean() > 5


def test_the_outsider_and_a_face_found_first(clip):
    watch = measure.Stopwatch()
    answer = pipelines.outsider(Fer(), steps=3)([clip.path], watch)
    assert 0 <= answer < 7
    assert list(watch.seconds) == ["demux", "decode", "colour", "face detection", "network"]
    mic, _ = _networks()
    plain = pipelines.compressed(
        pipelines.torch_runner(mic), Representation(kind="raw", steps=3, scale=2)
    )
    watch = measure.Stopwatch()
    assert pipelines.with_face(plain)([clip.path], watch) == plain(
        [clip.path], measure.Stopwatch()
    )
    assert list(watch.seconds) == ["face detection", "demux", "parse", "network"]
    assert faces.detector() is faces.detector()


class Watched:
    """Notes which methods of a stream are called, in order, and passes the calls on."""

    def __init__(self, stream, log):
        self._stream, self._log = stream, log

    def __enter__(self):
        self._stream.__enter__()
        return self

    def __exit__(self, *what):
        return self._stream.__exit__(*what)

    def __getattr__(self, name):
        found = getattr(self._stream, name)
        if not callable(found):
            return found
        self._log.append(name)
        return found


@pytest.mark.parametrize(
    ("kind", "planes", "sums"),
    [
        ("raw", "residual", "residual"),
        ("running", "blocks", "segment_sums"),
        ("accumulated", "blocks", "accumulated"),
    ],
)
def test_the_parts_of_parsing_do_what_their_names_say(clip, monkeypatch, kind, planes, sums):
    log, real = [], pipelines.bitstream.open
    monkeypatch.setattr(pipelines.bitstream, "open", lambda path: Watched(real(path), log))
    representation = Representation(kind=kind, steps=12, scale=1)
    called = {}
    for name, answer in pipelines.parsing_split(representation).items():
        log.clear()
        assert answer([clip.path], measure.Stopwatch()).shape == (1,)
        called[name] = list(log)
    assert called.pop("rgb") != []
    assert called == {"open": [], "modes": ["macroblocks"], "planes": [planes], "sums": [sums]}


def test_the_parts_of_decoding_do_what_their_names_say(clip, monkeypatch):
    counts, real = collections.Counter(), pipelines.opened

    class Context:
        def __init__(self, context):
            self.__dict__["_context"] = context

        def __getattr__(self, name):
            return getattr(self._context, name)

        def __setattr__(self, name, value):
            setattr(self._context, name, value)
            if name == "options":  # libavcodec empties them when it opens
                self.__dict__["_skipped"] = value["skip_idct"]

        def decode(self, packet):
            frames = self._context.decode(packet)
            counts[self._skipped] += len(frames)
            return frames

    @contextlib.contextmanager
    def opened(path, **options):
        with real(path, **options) as (container, stream):
            context = Context(stream.codec_context)
            demuxing = types.SimpleNamespace(demux=lambda _: container.demux(stream))
            yield demuxing, types.SimpleNamespace(codec_context=context)

    def scaled(self, frame):
        counts["converted"] += 1

    monkeypatch.setattr(pipelines, "opened", opened)
    monkeypatch.setattr(pipelines._Scaler, "__call__", scaled)
    seen = {}
    for name, answer in pipelines.decoding_split(steps=12).items():
        counts.clear()
        assert answer([clip.path], measure.Stopwatch()).shape == (1,)
        seen[name] = dict(counts)
    assert seen == {
        "demux": {},
        "entropy": {"all": 24},  # frames without the transform
        "all": {"none": 24},
        "rgb": {"none": 24, "converted": 12},
    }


def test_reduced_decoding_is_told_to_libavcodec(clip, monkeypatch):
    sizes = []

    class Scaler:
        def __init__(self, size):
            self.size = size

        def __call__(self, frame):
            sizes.append((frame.height, frame.width, self.size))

    monkeypatch.setattr(pipelines, "_Scaler", Scaler)
    for reduced in (True, False):
        split = pipelines.decoding_split(steps=6, scale=4, reduced=reduced)
        split["rgb"]([clip.path], measure.Stopwatch())
    assert set(sizes) == {(32, 32, (32, 32)), (128, 128, (32, 32))}
    assert len(sizes) == 12  # the others are decoded, not converted


def test_every_row_of_the_plan_is_timed_as_it_is_trained(clip):
    smoke = config.load("smoke", steps=3)
    who = contestants.contestants(clip, smoke, peers=("coviar",), width=4, outsider=False)
    rows = [one.row for one in who]
    assert rows == [*plan.SPEED_ROWS, "CoViAR fusion", "CoViAR fusion (paper's size)"]
    for one in who:
        assert one.answer([clip.path], measure.Stopwatch()).shape == (1,), one.row
    sizes = {one.row: one.parameters for one in who}
    for row, variant in plan.SPEED_ROWS.items():
        trained = Mic(variant.method(smoke), classes=contestants.CLASSES, identity=torch.eye(20))
        assert sizes[row] == peers.parameter_count(trained.expression), row
    assert sizes["MIC-fast"] < sizes["MIC"] / 4


@pytest.mark.parametrize("name", peers.PEERS)
def test_every_peer_is_timed_on_the_input_that_it_reads(clip, name):
    smoke = config.load("smoke", steps=3)
    (peer, *_) = contestants.contestants(
        clip, smoke, rows={}, peers=(name,), width=4, outsider=False
    )
    reads = peers.PEERS[name].reads
    assert peer.domain == ("pictures" if reads == "pictures" else "compressed")
    watch = measure.Stopwatch()
    assert peer.answer([clip.path], watch).shape == (1,)
    assert ("parse" in watch.seconds) == (reads != "pictures")


def _methods():
    lines = [
        ("MIC", "compressed", 10.0),
        ("MIC-fast", "compressed", 2.0),
        ("MIC-fast, raw", "compressed", 1.0),
        ("FAN+ResNet18", "pictures", 25.0),
        ("FAN+ResNet18 (paper's size)", "pictures", 100.0),
        ("Mode VLSTM", "pictures", 30.0),
        ("Frame voting", "pictures", 9.0),
    ]
    clip = {"width": 640, "height": 480, "frames": 100}
    return pd.DataFrame(
        [
            clip
            | {"method": name, "domain": domain, "ms_per_clip": ms, "cpu_ms": ms}
            | {"relative": ms / 10, "relative_cpu": ms / 10, "realtime": 400 / ms}
            for name, domain, ms in lines
        ]
    )


def test_worth_and_aims_count_only_rows_that_are_accurate_enough():
    accuracy = pd.DataFrame(
        {
            "row": ["MIC", "MIC-fast", "MIC-fast, raw", "FAN+ResNet18", "Mode VLSTM"],
            "accuracy": [0.9, 0.8, 0.4, 0.5, 0.3],
            "settings": ["chosen", "default", "default", "chosen", "default"],
        }
    )
    methods = _methods()
    table = worth.worth_table(methods, accuracy)
    pair = table.set_index(["method", "against"]).loc[("MIC-fast", "FAN+ResNet18 (paper's size)")]
    assert pair["faster"] == pair["faster_cpu"] == 50
    assert pair["gain"] == pytest.approx(0.3)
    assert (pair["settings"], pair["settings_against"]) == ("default", "chosen")
    assert "Frame voting" not in set(table["against"])  # nobody knows how accurate it is
    aims = worth.aims_table(table, methods)
    best = aims[aims["method"] != "MIC"].set_index(["aim", "against"])
    # The raw row is twice as fast, but less accurate than FAN; more accurate than Mode VLSTM.
    fan, large = ("10 x FAN+ResNet18", "FAN+ResNet18"), "FAN+ResNet18 (paper's size)"
    assert best.loc[fan, "method"] == "MIC-fast"
    assert best.loc[fan, "reached"] == 12.5
    assert best.loc[("10 x Mode VLSTM", "Mode VLSTM"), "method"] == "MIC-fast, raw"
    assert best.loc[("3 x fastest on frames", "FAN+ResNet18"), "reached"] == 12.5
    assert best.xs("30 x real time")["reached"].item() == 400
    own = aims[aims["method"] == "MIC"].set_index(["aim", "against"])
    assert not own.loc[fan, "holds"]
    assert own.loc[(fan[0], large), "holds"]
    assert own.xs("30 x real time")["reached"].item() == 40
    text = worth.sentences(aims)
    assert len(text) == len(aims)
    assert sum(line.endswith("missed") for line in text) == int((~aims["holds"]).sum()) > 0


def test_rivals_are_those_whose_interval_reaches_zero():
    nothing = float("nan")
    accuracy = pd.DataFrame(
        [
            ("MIC", 0.9, nothing, nothing, nothing, 100.0),
            ("Flow CNN", 0.9, 0.0, -0.05, 0.05, 50.0),
            ("MIC-fast", 0.88, -0.02, -0.05, 0.01, 900.0),
            ("FAN+ResNet18", 0.5, -0.4, -0.5, -0.3, 70.0),
            ("fer, every frame", 0.5, nothing, nothing, nothing, 1.0),
        ],
        columns=["row", "accuracy", "difference", "difference_low", "difference_high", "fps"],
    )
    text = worth.rivals(accuracy)
    assert [line.split(":")[0] for line in text] == ["MIC-fast", "MIC", "Flow CNN"]
    assert "900 frames" in text[0]
    assert "-0.020 [-0.050, +0.010]" in text[0]


def test_a_row_that_nobody_trained_reaches_no_aim():
    accuracy = pd.DataFrame({"row": ["MIC", "FAN+ResNet18"], "accuracy": [0.2, 0.5]})
    accuracy = accuracy.assign(settings="default")
    methods = _methods()
    aims = worth.aims_table(worth.worth_table(methods, accuracy), methods)
    assert set(aims["method"]) == {"MIC"}
    assert list(aims["aim"]) == [
        *["10 x FAN+ResNet18"] * 2,
        "3 x fastest on frames",
        "30 x real time",
    ]
    assert list(aims["holds"]) == [False, False, False, True]


def test_a_method_looks_the_same_in_both_pictures():
    methods = [*plan.SPEED_ROWS, "Mode VLSTM", f"Mode VLSTM{contestants.PAPER_SIZE}", "stranger"]
    table = pd.DataFrame({"method": methods, "fps": 1.0, "ms_per_clip": 1.0, "frames": 30})
    table = table.assign(width=64, height=64, accuracy=0.5, accuracy_low=0.4, accuracy_high=0.6)
    speeds = figures.growth(table).axes[0].get_lines()
    looks = {line.get_label(): (line.get_color(), line.get_marker()) for line in speeds}
    drawn = figures.value_for_time(table.assign(n=9, people=3), lines={})
    names = [tick.get_text() for tick in drawn.axes[0].get_yticklabels()]
    accuracies = [one[0] for one in drawn.axes[1].containers]
    for dots in (drawn.axes[0].lines, accuracies):
        shown = {names[round(dot.get_ydata()[0])]: dot for dot in dots}
        found = {name: (dot.get_color(), dot.get_marker()) for name, dot in shown.items()}
        assert looks == found
    assert len(set(looks.values())) == len(methods) - 1  # both sizes of one peer look alike
    hollow = [line.get_label() for line in speeds if line.get_fillstyle() == "none"]
    assert hollow == [f"Mode VLSTM{contestants.PAPER_SIZE}"]


def test_rows_of_the_picture_of_time_and_accuracy_are_in_order_and_say_where_clips_are_fewer():
    table = pd.DataFrame({"method": ["MIC", "MIC+T", "MIC-fast"], "ms_per_clip": [2.0, 3.0, 1.0]})
    table = table.assign(accuracy=0.5, accuracy_low=0.4, accuracy_high=0.6, n=[9, 9, 3], people=3)
    drawn = figures.value_for_time(table, lines={"largest class": 0.2})
    names = [tick.get_text() for tick in drawn.axes[0].get_yticklabels()]
    assert names == ["MIC+T", "MIC", "MIC-fast (3 clips)"]  # from below
    times = [dot.get_xdata()[0] for dot in drawn.axes[0].lines]
    assert times == [3.0, 2.0, 1.0]
