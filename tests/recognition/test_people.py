"""`mic.predict` for people: who is where, one answer whatever the file, rows of three kinds."""

import itertools
import subprocess
from concurrent.futures import ThreadPoolExecutor

import av
import imageio_ffmpeg
import numpy as np
import pandas as pd
import pytest

import mic
from mic import bitstream, cli, codec
from mic.errors import CodecError, ConfigError
from mic.faces.landmarks import ACTION_UNITS, BLENDSHAPES
from mic.recognition import Task
from mic.recognition.moments import Parts, Work
from mic.recognition.motion import Vectors
from mic.recognition.people import CLASSES, planned, shared_recogniser
from mic.recognition.sources import source_of
from mic.recognition.spans import grid, plan_windows
from mic.recognition.squares import around
from mic.storage import assets

# What a file can be, and what PyAV is told for it.
WAYS = {
    "h264.mp4": ("libx264", {"crf": "23"}),
    "hevc.mp4": ("libx265", {"crf": "26", "x265-params": "log-level=none"}),
    "vp9.webm": ("libvpx-vp9", {"crf": "32", "b": "0", "cpu-used": "8"}),
    "q2.mp4": ("mpeg4", {"qmin": "2", "qmax": "2"}),
    "q5.avi": ("mpeg4", {"qmin": "5", "qmax": "5"}),
    "q10.mp4": ("mpeg4", {"qmin": "10", "qmax": "10"}),
    "flash.flv": ("flv", {"qmin": "3", "qmax": "3"}),
}


def write(path, frames, name="libx264", options=None, rate=30):
    """Encodes RGB pictures, as ordinary programs do."""
    if name == "libx264":
        # Weighing blocks by what later pictures take from them, beside B pictures it reads memory
        # that it never wrote: another clip each time, of which one in many has other labels.
        options = {"mbtree": "0"} | (options or {})
    with av.open(path, "w") as container:
        stream = container.add_stream(name, rate=rate, options=options or {})
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt, stream.gop_size, stream.thread_count = "yuv420p", 250, 1
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, "rgb24")))
        container.mux(stream.encode(None))
    return path


@pytest.fixture(scope="module")
def frames():
    """A person who is calm, then smiles: 72 pictures of 320x180."""
    return [frame[::2, ::2] for frame in codec.decode(assets.path("single_face"))]


@pytest.fixture(scope="module")
def folder(tmp_path_factory, frames):
    path = tmp_path_factory.mktemp("people")
    for name, (encoder, options) in WAYS.items():
        write(str(path / name), frames, encoder, options)
    return path


def test_one_answer_whatever_the_codec_and_the_container(folder):
    table = mic.predict(folder, window=0.8, hop=0.8)
    assert (table["error"] == "").all()
    by_window = table.groupby("window")["label"]
    assert len(table) == 3 * len(WAYS)
    assert (by_window.agg(set).str.len() == 1).all()
    assert by_window.first().tolist()[-1] == "happiness"
    chances = table.pivot_table(index="window", columns="video", values="p_happiness")
    # In the first window the smile begins, and 40 ms of it are a matter of the quantiser.
    assert (chances.std(axis=1) < [0.12, 0.03, 0.03]).all()
    boxes = table.groupby("window")[["left", "top", "right", "bottom"]]
    assert boxes.std().max(axis=None) < 3  # samples


@pytest.mark.parametrize("coding", ["ordinary", "packed"])
def test_b_vops_are_passed_over(tmp_path, frames, coding):
    path = tmp_path / "b.avi"
    if coding == "ordinary":
        write(str(path), frames, "mpeg4", {"qmin": "3", "qmax": "3", "bf": "2"})
    else:  # a packet holds a P- and a B-VOP, the next one nothing
        write(str(tmp_path / "plain.mp4"), frames)
        ffmpeg = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-i"]
        coded = ["-c:v", "libxvid", "-q:v", "4", "-bf", "2", str(path)]
        subprocess.run([*ffmpeg, str(tmp_path / "plain.mp4"), *coded], check=True)
    assert "B" in bitstream.open(path).vop_types
    video = codec.Video(path)
    source = source_of(video)
    assert source.way == "parsed"
    whole = {picture.number: picture.rgb for picture in video.pictures()}
    wanted = planned(video.times, 0.5, source.anchors)
    region, made = (120, 60, 220, 160), {}
    for moment in source.moments(wanted, lambda motion: [region]):
        if moment.pixels is not None:
            made[moment.number] = moment.pixels(region)
    assert list(made) == wanted
    assert np.abs(np.diff(video.times[wanted]) - 0.5).max() < 0.07
    # The samples are the same, their conversion to RGB rounds otherwise; of Xvid's streams
    # libavcodec also takes another IDCT.
    most = {"ordinary": 3, "packed": 6}[coding]
    for number, picture in made.items():
        expected = whole[number][60:160, 120:220].astype(int)
        assert np.abs(picture.astype(int) - expected).max() <= most
    looks = mic.predict(path, rows="look")
    assert set(looks["frame"]) <= set(source.anchors.tolist())
    assert looks["label"].tolist()[-2:] == ["happiness"] * 2
    assert source.work.decoded == 0


def test_windows_have_all_columns_and_their_true_times(folder):
    table = mic.predict(folder / "h264.mp4", window=1.0, hop=0.5)
    assert table["start"].tolist() == [0.0, 0.5, 1.0]
    assert table["end"].tolist() == [1.0, 1.5, 2.4]
    assert table["first_frame"].tolist() == [0, 15, 30]
    assert table["last_frame"].tolist() == [29, 44, 71]
    assert (table["person"] == 0).all()
    assert (table["status"] == "ok").all()
    assert (table["looks"] >= 2).all()
    chances = table[[f"p_{name}" for name in CLASSES]].to_numpy()
    assert np.allclose(chances.sum(1), 1, atol=1e-4)
    assert np.allclose(table["confidence"], chances.max(1))
    assert table[[*ACTION_UNITS, *BLENDSHAPES[1:], "yaw", "pitch", "roll"]].notna().all(axis=None)
    assert table["AU12"].iloc[-1] > 0.4 > table["AU12"].iloc[0]
    assert table.attrs["weights"].startswith("fer ")


def test_looks_and_pictures_say_how_they_were_obtained(folder):
    looks = mic.predict(folder / "h264.mp4", rows="look")
    assert (looks["box_from"] == "look").all()
    assert len(looks) == 5
    every = mic.predict(folder / "h264.mp4", rows="frame")
    assert every["frame"].tolist() == list(range(72))
    assert np.allclose(every["time"], np.arange(72) / 30, atol=1e-3)
    seen = every[every["box_from"] == "look"]
    assert seen["frame"].tolist() == looks["frame"].tolist()
    assert np.allclose(seen["p_happiness"], looks["p_happiness"])
    last = looks["frame"].iloc[-1]
    between = every[(every["box_from"] != "look") & (every["frame"] < last)]
    assert set(between["values_from"]) == {"between"}
    assert set(every[every["frame"] > last]["values_from"]) == {"carried"}
    low, high = np.minimum, np.maximum
    first, second = looks["AU12"].iloc[2], looks["AU12"].iloc[3]
    middle = every["AU12"][looks["frame"].iloc[2] : looks["frame"].iloc[3]]
    assert middle.between(low(first, second) - 1e-6, high(first, second) + 1e-6).all()


def test_looks_go_where_something_happens(tmp_path, frames):
    still = write(str(tmp_path / "still.mp4"), frames[:1] * 72)
    assert mic.predict(still, rows="look")["time"].tolist() == [0.0, 0.8, 1.6, 2.0]
    # From calm to a smile at once, after 1.3 of 2.4 seconds.
    smiles = [frames[0]] * 39 + [frames[60]] * 33
    for name, encoder in (("q.avi", "mpeg4"), ("h.mp4", "libx264")):
        looks = mic.predict(write(str(tmp_path / name), smiles, encoder), rows="look")
        assert looks["time"].round(2).tolist() == [0.0, 0.8, 1.2, 1.6, 2.0]
        assert looks["label"].tolist() == ["neutral"] * 3 + ["happiness"] * 2
        assert (looks["status"] == "ok").all()
        assert np.ptp(looks["left"]) < 12


def test_each_thread_has_networks_of_its_own_and_loads_them_once():
    here = shared_recogniser()
    assert shared_recogniser() is here
    with ThreadPoolExecutor(1) as pool:
        first, again = (pool.submit(shared_recogniser).result() for _ in range(2))
    assert first is again
    assert first is not here


def test_of_a_face_that_fills_the_picture_only_the_search_decodes_all(tmp_path):
    frames = [frame[60:340, 160:440] for frame in codec.decode(assets.path("single_face"))]
    work, labels = Work(), {}
    for name, encoder in (("q.avi", "mpeg4"), ("h.mp4", "libx264")):
        path = tmp_path / name
        write(str(path), frames, encoder, {"qmin": "2", "qmax": "2"})
        rows = list(Task(window=1.2).rows_of(path, work=work if encoder == "mpeg4" else None))
        labels[name] = [(row["status"], row["label"]) for row in rows]
    assert work.pictures == len(frames)
    assert work.decoded == 1
    assert labels["q.avi"] == labels["h.mp4"]
    assert labels["q.avi"][-1] == ("ok", "happiness")


@pytest.mark.parametrize("name", ["h264.mp4", "vp9.webm", "q5.avi", "flash.flv"])
def test_a_file_is_opened_twice(folder, monkeypatch, name):
    """Once for what it holds and when, once for its pictures or its vectors."""
    plain, opens = av.open, []

    def counted(*given, **how):
        opens.append(given)
        return plain(*given, **how)

    monkeypatch.setattr(av, "open", counted)
    rows = list(Task().rows_of(folder / name))
    assert rows[0]["label"] is not None
    assert len(opens) == 2


def test_a_window_has_looks_however_short(folder):
    table = mic.predict(folder / "h264.mp4", window=0.2, hop=0.2)
    assert (table["status"] == "ok").all()
    assert (table["looks"] >= 1).all()


def test_two_people_are_two(tmp_path, frames):
    both = [np.hstack([frame, frame[:, ::-1]]) for frame in frames[:45]]
    table = mic.predict(write(str(tmp_path / "two.mp4"), both), rows="look")
    assert table.groupby("frame")["person"].nunique().eq(2).all()
    middles = table.assign(x=(table["left"] + table["right"]) / 2).groupby("person")["x"]
    assert (middles.max() - middles.min()).max() < 60  # nobody became the other
    assert abs(middles.mean().diff().iloc[-1]) > 150


def test_a_face_is_followed_and_its_leaving_is_said(tmp_path, frames):
    wide = []
    for k, frame in enumerate(frames[:60]):
        room = np.full((180, 640, 3), 96, np.uint8)
        if k < 45:
            x = 4 * k  # across more than half a face's width from look to look
            room[:, x : x + 320] = frame
        wide.append(room)
    path = write(str(tmp_path / "walks.mp4"), wide)
    looks = mic.predict(path, rows="look")
    seen = looks[looks["person"].notna() & looks["left"].notna()]
    assert set(seen["person"]) == {0}
    assert np.corrcoef(seen["frame"], seen["left"])[0, 1] > 0.99
    assert "lost" in set(looks["status"])
    table = mic.predict(path, window=0.5, hop=0.5)
    assert table["status"].iloc[0] == "ok"
    assert table["status"].iloc[-1] == "no face"
    assert table[["label", "confidence", "left"]].iloc[-1].isna().all()
    every = mic.predict(path, rows="frame")
    assert every["frame"].nunique() == 60
    assert every["status"].iloc[-1] == "no face"
    # Carried by the encoder's vectors, the box keeps up with the face between two looks.
    carried = every[(every["box_from"] == "carried") & (every["frame"] < seen["frame"].max())]
    expected = np.interp(carried["frame"], seen["frame"], seen["left"])
    assert np.abs(carried["left"] - expected).max() < 25


def test_pictures_of_nobody_are_rows(tmp_path):
    path = write(str(tmp_path / "x.mp4"), [np.full((64, 96, 3), 90, np.uint8)] * 20)
    for kind, count in (("window", 1), ("frame", 20)):
        table = mic.predict(path, rows=kind)
        assert table["status"].tolist() == ["no face"] * count
        assert table["label"].isna().all()


def test_a_file_that_breaks_off_gives_its_rows_and_then_the_error(folder, tmp_path, capsys):
    whole = (folder / "q5.avi").read_bytes()
    path = tmp_path / "cut.avi"
    path.write_bytes(whole[: len(whole) * 2 // 3])
    out = tmp_path / "a.csv"
    assert cli.main(["predict", str(path), "--window", "0.5", "--out", str(out)]) == 1
    table = pd.read_csv(out, keep_default_na=False)
    assert len(table) >= 3
    assert set(table["error"][:-1]) == {""}
    assert "cut.avi" in table["error"].iloc[-1]
    assert "after frame" in table["error"].iloc[-1]
    (tmp_path / "none.mp4").write_bytes(b"no video" * 100)
    with pytest.raises(CodecError):
        mic.predict(tmp_path / "none.mp4")
    both = mic.predict(tmp_path, window=0.5)
    assert (both["error"] != "").sum() == 2


def test_printed_rows_are_the_saved_ones(folder, tmp_path, capsys):
    out = tmp_path / "a.csv"
    command = ["predict", str(folder / "q10.mp4"), "--rows", "look"]
    assert cli.main(command) == 0
    printed = capsys.readouterr().out
    assert cli.main([*command, "--out", str(out)]) == 0
    assert out.read_text() == printed
    assert "frames" in capsys.readouterr().err


def test_options_that_do_not_fit_are_refused(folder):
    for options in (
        {"network": "other"},
        {"rows": "second"},
        {"network": "pictures", "weights": "x.safetensors"},
        {"network": "residual", "rows": "look"},
        {"method": "bitstream"},
        {"window": 0.0},
        {"hop": 0.0},
    ):
        with pytest.raises(ConfigError):
            Task(**options)


def test_the_film_shows_the_boxes(folder, tmp_path):
    film = tmp_path / "film.mp4"
    assert cli.main(["predict", str(folder / "q2.mp4"), "--overlay", str(film)]) == 0
    assert codec.probe(film).frames == 72


def test_looks_come_at_the_same_times_at_any_rate():
    for rate in (10, 15, 25, 29.97, 60):
        times = np.arange(int(4 * rate)) / rate
        found = planned(times, 0.4)
        assert found[0] == 0
        assert np.abs(np.diff(times[found]) - 0.4).max() < 1.01 / rate
    assert planned(np.array([0.0]), 0.4) == [0]


def test_windows_cover_a_video_to_its_end():
    for duration in (0.1, 2.0, 3.0, 3.01, 4.5, 10.37):
        windows = plan_windows(np.arange(0, duration, 0.04), duration, window=2.0, hop=None)
        assert windows[0][0] == 0
        assert windows[-1][1] == duration
        for (start, end), (later, last) in itertools.pairwise(windows):
            assert start < later <= end < last + 1e-9
    assert len(plan_windows(np.arange(75) / 25, 3.0, window=2.0, hop=None)) == 1


def test_a_window_in_which_no_picture_begins_is_left_out():
    times = np.concatenate(
        [np.arange(75) / 25, [10.0, 10.04]]
    )  # three seconds, then seven of the last
    windows = plan_windows(times, 10.08, window=2.0, hop=None)
    assert windows == [(0, 2), (1, 3), (2, 4), (8, 10.08)]
    assert all(((begin <= times) & (times < end)).any() for begin, end in windows)
    assert plan_windows(times, 10.08, window=1.0, hop=4.0) == [(0, 1), (8, 9)][:1]
    gaps = plan_windows(np.arange(125) / 25, 5.0, window=2.0, hop=4.0)
    assert gaps == [(0, 2), (4, 5.0)]  # what has begun at the end is seen too
    slides = np.array([0.0, 3600.0, 7199.0])
    assert plan_windows(slides, 10799.0, window=2.0, hop=None) == [
        (0, 2),
        (3599, 3601),
        (3600, 3602),
        (7198, 7200),
        (7199, 7201),
    ]
    # What a damaged stamp claims costs no memory.
    assert len(plan_windows(np.array([0.0, 0.04, 1.7e9]), 1.7e9 + 0.04, window=2.0, hop=None)) == 2
    assert planned(np.array([0.0, 0.04, 1.7e9]), 0.4) == [0, 2]


@pytest.mark.parametrize("seed", range(20))
def test_looks_are_those_of_the_whole_grid(seed):
    rng = np.random.default_rng(seed)
    times = np.cumsum(rng.choice([0.0, 0.01, 0.04, 0.4, 0.8, 7.0], 60))
    times -= times[0]
    moments = np.arange(0.0, times[-1] + 1e-9, 0.4)
    assert set(grid(times, 0.4)) <= set(moments)
    after = np.searchsorted(times, moments - 1e-6)
    assert planned(times, 0.4) == sorted({int(k) for k in after if k < len(times)})
    anchors = np.flatnonzero(rng.random(60) < 0.3)
    if len(anchors):
        nearest = [np.abs(times[anchors] - moment).min() for moment in moments]
        found = planned(times, 0.4, anchors)
        assert set(found) <= set(anchors.tolist())
        assert len(found) <= len(nearest)


def test_a_box_moves_with_the_median_of_its_blocks():
    places = np.array([[10, 10], [20, 20], [30, 30], [200, 200]], float)
    steps = np.array([[4, 0], [4, 2], [50, 1], [-9, -9]], float)
    motion = Vectors(places, steps)
    assert motion.of(np.array([0, 0, 40, 40])).tolist() == [4, 1]
    assert motion.of(np.array([90, 90, 95, 95])).tolist() == [0, 0]


def test_a_region_that_is_known_but_for_a_rim_is_not_made_again():
    made: list[tuple[int, int, int, int]] = []

    def make(region):
        made.append(region)
        return np.full((region[3] - region[1], region[2] - region[0], 3), 9, np.uint8)

    known = ((4, 0, 320, 180), np.full((180, 316, 3), 7, np.uint8))
    parts = Parts(make, (0, 0, 320, 180), [known], rim=0.02)
    part = parts((0, 0, 300, 180))
    assert not made
    assert part.shape == (180, 300, 3)
    assert (part[:, :4] == 0).all()
    assert (part[:, 4:] == 7).all()
    assert (Parts(make, (0, 0, 320, 180), [known])((0, 0, 300, 180)) == 9).all()
    assert len(made) == 1


def test_a_region_is_even_and_inside():
    from mic.faces.landmarks import Roi

    for x, y in itertools.product((-20, 3, 150, 305, 331), (7, 90, 178)):
        found = around(Roi(x, y, 61.3, 0.2), (320, 180))
        if found is None:
            continue
        left, top, right, bottom = found
        assert not any(edge % 2 for edge in found)
        assert 0 <= left < right <= 320
        assert 0 <= top < bottom <= 180
    assert around(Roi(900, 90, 60, 0), (320, 180)) is None
    assert around(Roi(160, 90, 340, 0), (320, 180)) == (24, 0, 298, 180)  # it fills the picture
