"""A row a window for any video: right times, right faces, nothing that ends the run."""

import io
import itertools
import json
from fractions import Fraction

import containers
import numpy as np
import pandas as pd
import pytest
import recogniser_factory
import torch

import mic
from mic import codec
from mic import recognition as prediction
from mic.errors import CodecError, ConfigError, UnsupportedSyntaxError, WeightsError
from mic.faces import Status
from mic.publishing.film import Caption, overlay
from mic.recognition import Options, Task
from mic.recognition.framing import Framing
from mic.recognition.recogniser import Recogniser
from mic.recognition.windows import plan


@pytest.fixture(scope="module")
def folder(tmp_path_factory, generated):
    """A face for 60 frames, MPEG-4 in one group; the same as H.264; the face and then none."""
    path = tmp_path_factory.mktemp("videos")
    clip = list(codec.decode(generated.path(generated.clips[0])))
    frames = [*clip, *clip[::-1], *clip, *clip[::-1]][:60]
    room = [np.full((160, 224, 3), 96, np.uint8) for _ in range(60)]
    for picture, face in zip(room, frames, strict=True):
        picture[16:144, 48:176] = face
    empty = [room[0][:1].repeat(160, 0)] * 40
    codec.encode_frames(room, path / "one.mp4", frame_rate=20, vop_quant=3)
    codec.encode_frames(room, path / "one.mkv", frame_rate=20, codec="h264", vop_quant=18)
    codec.encode_frames([*room[:40], *empty], path / "leaves.avi", frame_rate=20, gop=12)
    codec.encode_frames(empty, path / "empty.mp4", frame_rate=20)
    (path / "broken.mp4").write_bytes((path / "one.mp4").read_bytes()[:3000])
    return path


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return recogniser_factory.write(tmp_path_factory.mktemp("weights"))


def test_a_video_becomes_a_table(folder, weights):
    table = mic.predict(folder / "one.mp4", weights=weights, window=1.0)
    assert table["start"].tolist() == [0.0, 0.5, 1.0, 1.5, 2.0]
    assert table["end"].tolist() == [1.0, 1.5, 2.0, 2.5, 3.0]
    assert (table["face"] == "ok").all()
    assert (table["method"] == "bitstream").all()
    assert (table["error"] == "").all()
    chances = table[[f"p_{name}" for name in recogniser_factory.CLASSES]].to_numpy()
    assert np.allclose(chances.sum(1), 1, atol=1e-5)
    best = chances.argmax(1)
    assert table["label"].tolist() == [recogniser_factory.CLASSES[k] for k in best]
    assert np.allclose(table["confidence"], chances.max(1))
    assert table.attrs["weights"].startswith("random.safetensors (")


def test_other_codecs_are_coded_on_the_way_and_it_is_said(folder, weights):
    table = mic.predict(folder / "one.mkv", weights=weights)
    assert table["method"].tolist() == ["reencoded"]
    assert table["end"].tolist() == [3.0]  # at most one and a half windows: one
    with pytest.raises(UnsupportedSyntaxError):
        mic.predict(folder / "one.mkv", weights=weights, method="bitstream")


def test_groups_shorter_than_a_window_are_coded_anew(folder, weights):
    assert set(mic.predict(folder / "leaves.avi", weights=weights)["method"]) == {"reencoded"}
    with pytest.raises(UnsupportedSyntaxError, match="groups of pictures"):
        mic.predict(folder / "leaves.avi", weights=weights, method="bitstream")


def test_a_face_that_leaves_is_a_status(folder, weights):
    table = mic.predict(folder / "leaves.avi", weights=weights, window=1.0, hop=1.0)
    assert table["face"].tolist() == ["ok", "ok", "no face", "no face"]
    table = mic.predict(folder / "leaves.avi", weights=weights, window=1.6, hop=1.6)
    assert table["face"].tolist() == ["ok", "lost"]
    assert table["label"].notna().all()
    table = mic.predict(folder / "empty.mp4", weights=weights)
    assert table["face"].tolist() == ["no face"]
    assert table[["label", "confidence", "p_anger"]].isna().all(axis=None)


def test_a_broken_file_is_a_row_among_several_and_an_error_alone(folder, weights):
    table = mic.predict(folder, weights=weights)
    assert len(set(table["video"])) == 5
    broken = table[table["video"].str.endswith("broken.mp4")]
    assert len(broken) == 1
    assert "Remedy" in broken["error"].item()
    assert (table[table["video"] != broken["video"].item()]["error"] == "").all()
    with pytest.raises(CodecError):
        mic.predict(folder / "broken.mp4", weights=weights)
    with pytest.raises(ConfigError, match="does not exist"):
        mic.predict(folder / "none.mp4", weights=weights)


def test_both_ways_see_the_same_face(folder, weights, monkeypatch):
    """The residuals that the video holds, cropped, lie where those of its cropped copy lie."""
    seen = {}
    read = Recogniser.read

    def spy(self, stream, *, framing=None):
        arrays = read(self, stream, framing=framing)
        way = "reencoded" if framing is None else "bitstream"
        seen[way] = np.abs(arrays["residual"].astype(float)).sum((0, 1))
        return arrays

    monkeypatch.setattr(Recogniser, "read", spy)
    for method in ("bitstream", "reencoded"):
        mic.predict(folder / "one.mp4", weights=weights, method=method)
    assert seen["bitstream"].shape == seen["reencoded"].shape == (64, 64)
    smooth = [torch.nn.functional.avg_pool2d(torch.tensor(e)[None], 4).flatten().numpy()
              for e in seen.values()]  # fmt: skip
    assert np.corrcoef(smooth)[0, 1] > 0.8


def test_windows_cover_every_frame_once_or_twice():
    options = Options(window=2.0)
    for frames in (2, 50, 75, 76, 99, 100, 101, 333):
        windows = plan(np.arange(frames) / 25, frames / 25, options)
        assert windows[0][0] == 0
        assert windows[-1][1] == frames - 1
        for (first, last), (later, end) in itertools.pairwise(windows):
            assert first < later <= last + 1
            assert last < end
        covered = np.zeros(frames, int)
        for first, last in windows:
            covered[first : last + 1] += 1
        assert covered.min() == 1
        assert covered.max() <= 2
    assert plan(np.arange(75) / 25, 3.0, options) == [(0, 74)]
    assert len(plan(np.arange(76) / 25, 3.04, options)) == 2


def test_memory_of_a_window_is_all_there_is(folder, weights, tmp_path):
    """Windows come while the video is read: the first before its damaged second half."""
    data = (folder / "leaves.avi").read_bytes()
    path = tmp_path / "half.avi"
    path.write_bytes(data[: len(data) // 2])
    recogniser = Recogniser.load(weights, device="cpu")
    found = prediction.windows(path, recogniser, options=Options(window=0.5))
    first = next(found)
    assert (first.first, first.last, first.face) == (0, 9, Status.OK)
    found.close()


def test_progress_is_told(folder, weights):
    told = []
    mic.predict(
        folder / "one.mp4",
        weights=weights,
        progress=lambda done, total: told.append((done, total)),
    )
    assert told == [(25, 60), (50, 60), (60, 60)]


def test_tables_are_saved_in_three_formats(folder, weights, tmp_path):
    table = mic.predict([folder / "one.mp4", folder / "empty.mp4"], weights=weights)
    for suffix in ("csv", "json", "parquet"):
        prediction.save(table, tmp_path / f"out.{suffix}")
    back = pd.read_parquet(tmp_path / "out.parquet")
    assert back["face"].tolist() == ["ok", "no face"]
    assert back["label"].isna().tolist() == [False, True]
    rows = json.loads((tmp_path / "out.json").read_text())
    assert rows[1]["label"] is None
    back = pd.read_csv(tmp_path / "out.csv", keep_default_na=False)
    assert back["video"].tolist() == table["video"].tolist()
    assert pd.read_csv(io.StringIO(prediction.to_csv(table))).shape == table.shape
    with pytest.raises(ConfigError, match="no table format"):
        prediction.save(table, tmp_path / "out.xlsx")


def test_the_overlay_is_the_video_with_bars_beside_it(folder, weights, tmp_path):
    recogniser = Recogniser.load(weights, device="cpu")
    video, classes = folder / "leaves.avi", recogniser.card.classes
    found = enumerate(prediction.windows(video, recogniser))
    rows = [prediction.row(video, number, one, recogniser) for number, one in found]
    captions = [Caption.of(row, classes) for row in rows]
    overlay(video, tmp_path / "x.mp4", captions, classes=classes)
    info = codec.probe(tmp_path / "x.mp4")
    assert (info.codec, info.frames, info.height) == ("h264", 80, 160)
    assert info.width > 224
    shown = list(codec.decode(tmp_path / "x.mp4"))
    source = list(codec.decode(video))
    corner = np.s_[140:, :30]  # outside the face's frame
    assert np.abs(shown[5][corner].astype(int) - source[5][corner].astype(int)).mean() < 8
    # A bar in the first half, none where the face has left.
    blue = [(np.abs(f[:, 224:].astype(int) - [31, 90, 153]).sum(-1) < 60).sum() for f in shown]
    assert blue[5] > 100
    assert blue[78] == 0


def test_the_overlay_names_everybody(folder, tmp_path):
    def caption(person, left, right, chances, status="ok"):
        corners = [[left, 20], [right, 20], [right, 140], [left, 140]]
        return Caption(
            first=0, last=79, start=0.0, end=3.2, outline=np.array(corners, float),
            probabilities=chances, status=status, person=person,
        )  # fmt: skip

    people = [
        caption(0, 10, 110, None, "crossed"),
        caption(1, 120, 160, np.array([0.1, 0.9])),
        caption(2, 170, 200, np.array([0.8, 0.2])),
    ]
    video, target = folder / "leaves.avi", tmp_path / "x.mp4"
    overlay(video, target, people, classes=("anger", "fear"))
    shown, source = (next(codec.decode(path)).astype(int) for path in (target, video))
    changed = np.abs(shown[:, :224] - source).sum(-1) > 100
    for one in people:
        left, top = one.outline[0].astype(int)
        assert changed[top : top + 120, left].mean() > 0.8
    bars = np.abs(shown[:, 224:] - [31, 90, 153]).sum(-1) < 60
    # The bars are of the largest of whom an expression is named: "fear", the longer one below.
    assert bars.any(1).nonzero()[0].mean() > 0.5 * bars.shape[0] * 3 / 5


def test_the_overlay_shows_the_window_that_is_nearest_in_time(tmp_path):
    # A picture a second at first, and many behind 4 s: by number most would be the first window's.
    stamps = [0, 1000, 2000, 3000, *range(4020, 4420, 20)]
    film = containers.Film(stamps=stamps, time_base=Fraction(1, 1000))
    video = containers.write(tmp_path / "uneven.mp4", film)
    ends = {0: (0, 23), 2: (2, 23), 4: (4, 23)}
    captions = [
        Caption(
            first=first, last=last, start=start, end=start + 2.0, outline=None,
            probabilities=np.array([1.0, 0.0] if start < 4 else [0.0, 1.0]), status="ok",
        )
        for start, (first, last) in ends.items()
    ]  # fmt: skip
    overlay(video, tmp_path / "x.mp4", captions, classes=("a", "b"))
    panels = [picture[:, 64:].astype(int) for picture in codec.decode(tmp_path / "x.mp4")]
    rows = [(np.abs(panel - [31, 90, 153]).sum(-1) < 60).nonzero()[0].mean() for panel in panels]
    named = ["b" if row > np.mean([rows[0], rows[-1]]) else "a" for row in rows]
    assert named == ["a"] * 4 + ["b"] * 20


@pytest.mark.parametrize(
    "options", [{"window": "2"}, {"window": None}, {"hop": "1"}, {"weights": 3}, {"device": "tpu"}]
)
def test_options_of_the_wrong_kind_are_named(folder, options):
    with pytest.raises(ConfigError):
        mic.predict(folder / "one.mp4", **options)


def test_times_keep_their_decimals_in_films_of_hours():
    times = [19999.96, 20000.0, 20000.04, 100000.0333]
    table = pd.DataFrame({"time": times, "p_fear": [0.12345678] * 4, "start": [np.nan] * 4})
    lines = prediction.to_csv(table).splitlines()[1:]
    assert [line.split(",")[0] for line in lines] == [
        "19999.96",
        "20000",
        "20000.04",
        "100000.0333",
    ]
    assert lines[0].split(",")[1:] == ["0.123457", ""]
    task = Task()
    row = {"video": "a", "start": 20000.04, "end": 20002.04, "p_fear": 0.12345678}
    assert ",20000.04,20002.04," in prediction.csv_lines(row, task, head=False)


@pytest.mark.parametrize(
    "options", [{"window": 0}, {"window": 1e9}, {"hop": 0}, {"method": "guess"}, {"device": "tpu"}]
)
def test_wrong_options_are_named(folder, weights, options):
    with pytest.raises(ConfigError):
        mic.predict(folder / "one.mp4", weights=weights, **options)


def test_weights_without_a_sound_card_are_refused(folder, weights, tmp_path):
    from mic.storage import weights as store

    found = store.read(weights)
    card = json.loads(found.metadata["card"])
    for change in (
        {"classes": []},
        {"edge": 10**9},
        {"representation": {"kind": "decoded", "steps": 8, "scale": 2, "with_motion": False}},
        {"representation": {"kind": "raw", "scale": 3}},
        {"network": card["network"] | {"backbone": "transformer"}},
        {"network": card["network"] | {"unheard": 1}},
        {"margin": float("nan")},
        {"margin": -0.5},
        {"edge": 128.5},
        {"drop": 3.0},
        {"unheard": 1},
        {"margin": "wide"},
    ):
        path = tmp_path / "card.safetensors"
        text = json.dumps(card | change)
        store.write(path, found.tensors, metadata=found.metadata | {"card": text})
        with pytest.raises(WeightsError):
            Recogniser.load(path, device="cpu")
    store.write(path, found.tensors, metadata={})
    with pytest.raises(WeightsError, match="no card"):
        Recogniser.load(path, device="cpu")


def test_a_network_with_a_motion_branch_sees_vectors(folder, tmp_path):
    weights = recogniser_factory.write(tmp_path, motion=True)
    table = mic.predict(folder / "one.mp4", weights=weights)
    assert table["method"].tolist() == ["reencoded"]
    assert table["label"].notna().all()


def test_residuals_are_cropped_as_pictures_are():
    """A blob in a picture and in its residual planes lands on the same place of the crop."""
    points = np.array([[90, 80], [130, 84], [108, 105], [92, 128], [124, 130]], np.float32)
    framing = Framing.of(points, edge=64, margin=0.1, drop=0.05)
    y, x = np.mgrid[:200, :240]
    blob = np.exp(-((x - 118) ** 2 + (y - 90) ** 2) / 60)
    picture = (250 * blob)[..., None].repeat(3, -1).astype(np.uint8)
    crop = framing.crop(picture).astype(float)[..., 0]
    small = (250 * blob).reshape(100, 2, 120, 2).mean((1, 3)).astype(np.int16)
    planes = framing.residuals(small[None, None], scale=2, size=32)[0, 0]
    expected = crop.reshape(32, 2, 32, 2).mean((1, 3))
    assert np.corrcoef(planes.ravel(), expected.ravel())[0, 1] > 0.995
    at = np.arange(32)
    for axis in (0, 1):
        places = [(one.sum(axis) * at).sum() / one.sum() for one in (planes, expected)]
        assert abs(places[0] - places[1]) < 0.05
    corners = framing.outline()
    assert np.allclose(corners @ framing.matrix[:, :2].T + framing.matrix[:, 2],
                       [[0, 0], [64, 0], [64, 64], [0, 64]])  # fmt: skip
