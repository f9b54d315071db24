"""`mic extract` gives a frame for each shown picture, at its time, and says how it is turned."""

import json
from fractions import Fraction

import numpy as np
import pytest
from containers import (
    UNEVEN,
    Film,
    difference,
    filmed,
    number,
    quarters,
    turned,
    with_edit,
    write,
)
from oracles.encoders import ffmpeg
from PIL import Image

import mic
import mic.decoded
from mic import bitstream, codec
from mic.codec import Video
from mic.codec.display import Display
from mic.errors import CodecError
from mic.extraction.pictures import turned_vectors

EVERYTHING = ("residual", "motion", "iframe")


@pytest.mark.parametrize(("first", "count"), [(5, 7), (0, 6)])
@pytest.mark.parametrize("gop", ["6", "100"])
def test_frames_are_those_that_an_edit_list_shows(tmp_path, first, count, gop):
    path = write(tmp_path / "a.mp4", Film(options={"g": gop}))
    whole = bitstream.read(path, space="rgb").residual.pixels
    path.write_bytes(with_edit(path.read_bytes(), first, count))
    report = mic.extract(path, tmp_path / "a.npz", what=EVERYTHING)
    keys = [k for k in range(12) if k % int(gop) == 0 and first <= k < first + count]
    assert (report.method, report.frames, report.iframes) == ("bitstream", count, len(keys))
    with np.load(tmp_path / "a.npz") as data:
        np.testing.assert_array_equal(data["residual"], whole[first : first + count])
        np.testing.assert_allclose(data["time"], np.arange(count) / 25)
        assert data["iframe_number"].tolist() == [key - first for key in keys]
        assert [number(picture) for picture in data["iframe"]] == keys
        assert data["iframe"].shape[1:] == (48, 64, 3)
    assert mic.extract(path, tmp_path / "film.mp4", what=EVERYTHING).frames == count
    assert len(Video(tmp_path / "film.mp4")) == count


def test_arrays_in_coded_orientation_say_so_and_pictures_are_upright(tmp_path):
    turn = (90, False, False)
    film = Film(stamps=range(3), picture=quarters(), turned=turn, options={"g": "1"})
    path = write(tmp_path / "a.mp4", film)
    report = mic.extract(path, tmp_path / "a.npz", what=EVERYTHING)
    with np.load(tmp_path / "a.npz") as data:
        assert json.loads(str(data["about"]))["orientation"] == "turned by 270 degrees"
        assert data["residual"].shape == (3, 48, 64, 3)
        assert difference(data["iframe"][0], turned(quarters(), *turn)) < 8
    assert report.method == "bitstream"
    mic.extract(path, tmp_path / "pictures", what=EVERYTHING)
    for name in EVERYTHING:
        with Image.open(tmp_path / "pictures" / f"{name}_000001.png") as picture:
            assert picture.size == (48, 64)
    mic.extract(path, tmp_path / "film.mp4", what=EVERYTHING)
    assert Video(tmp_path / "film.mp4").size == (3 * 48, 64)


def test_vectors_turn_with_their_picture():
    vectors = np.array([3, -5], np.int16).reshape(1, 1, 1, 2)
    for display in (Display(mirrored=True), Display(flipped=True), Display(transposed=True)):
        x, y = turned_vectors(vectors, display).ravel().tolist()
        # The picture of a step of (3, -5) from the middle, turned as pictures are.
        steps = np.zeros((11, 11))
        steps[5 - 5, 5 + 3] = 1
        (row,), (column,) = np.nonzero(display.turn(steps))
        assert (column - 5, row - 5) == (x, y)


@pytest.mark.parametrize("codec", ["mpeg4", "libx264"])
def test_uneven_times_reach_arrays_and_films(tmp_path, codec):
    film = Film(stamps=UNEVEN, time_base=Fraction(1, 1000), codec=codec)
    video = Video(write(tmp_path / "a.mp4", film))
    mic.extract(video.path, tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz") as data:
        np.testing.assert_allclose(data["time"], video.times, atol=1e-3)
    mic.extract(video.path, tmp_path / "film.mp4")
    np.testing.assert_allclose(Video(tmp_path / "film.mp4").times, video.times, atol=1e-3)


def test_a_pause_that_cannot_be_coded_names_the_film_and_its_place(tmp_path):
    film = Film(stamps=(0, 1, 10_000_000), codec="libx264")  # more than four days
    path = write(tmp_path / "a.mkv", film)
    with pytest.raises(CodecError, match=r"pause of .* cut the video there") as told:
        mic.extract(path, tmp_path / "t.npz")
    assert (told.value.file, told.value.place) == (path, "at 0.04 s")


def test_what_breaks_off_is_refused_or_masked(tmp_path):
    film = Film(stamps=range(50), picture=quarters())
    path = write(tmp_path / "a.mp4", film, muxing={"movflags": "faststart"})
    data = path.read_bytes()
    path.write_bytes(data[: len(data) - 300])
    with pytest.raises(CodecError, match="breaks off") as caught:
        mic.extract(path, tmp_path / "a.npz")
    assert caught.value.file == path
    assert not (tmp_path / "a.npz").exists()
    report = mic.extract(path, tmp_path / "a.npz", on_error="mask")
    assert 0 < report.frames == len(Video(path)) < 50


def test_a_cover_is_no_frame(tmp_path):
    path = write(tmp_path / "a.mkv", Film(), cover=True)
    assert Video(path).streams == 2
    report = mic.extract(path, tmp_path / "a.npz", what=EVERYTHING)
    assert (report.method, report.frames) == ("bitstream", 12)


@pytest.fixture(params=[".mp4", ".mkv", ".avi", ".m4v", "packed"])
def bidirectional(request, tmp_path):
    """MPEG-4 with two B-VOPs between references, also two VOPs in a packet of an AVI."""
    texture = np.random.default_rng(5).integers(0, 256, (12, 16, 3)).repeat(8, 0).repeat(8, 1)
    pictures = [np.roll(texture, (k, 2 * k), (0, 1)).astype(np.uint8) for k in range(20)]
    if request.param == "packed":
        options = ("-c:v", "libxvid", "-q:v", "4", "-bf", "2", "-g", "9")
        return ffmpeg(tmp_path / "b.avi", np.stack(pictures), *options)
    path, container = tmp_path / f"b{request.param}", "m4v" if request.param == ".m4v" else None
    return filmed(path, pictures, "mpeg4", rate=25, container=container, bf=2, g=9)


def test_b_vops_come_as_they_are_shown_with_both_vectors(bidirectional, tmp_path):
    what = ("residual", "motion", "backward", "iframe")
    report = mic.extract(bidirectional, tmp_path / "x.npz", what=what, space="ycbcr")
    assert report.method == "bitstream"
    with bitstream.open(bidirectional) as stream:
        order = stream.display_order
        shown = stream.read(what=("residual", "motion"), frames=order.tolist(), space="ycbcr")
        kinds = "".join(stream.vop_types[row] for row in order)
    assert kinds.count("B") >= 8
    with np.load(tmp_path / "x.npz") as data:
        assert bytes(data["kind"]).decode() == kinds
        assert np.array_equal(data["residual"], shown.residual.pixels)
        assert np.array_equal(data["motion"], shown.motion.blocks)
        assert np.array_equal(data["backward"], shown.motion.backward)
        back = data["backward"].any((1, 2, 3))
        assert back.any()
        assert all(kinds[row] == "B" for row in np.flatnonzero(back))
        assert np.array_equal(data["time"], Video(bidirectional).index.row_times)
        pictures = list(codec.decode(bidirectional))
        assert data["iframe_number"].tolist() == [k for k, kind in enumerate(kinds) if kind == "I"]
        for number, picture in zip(data["iframe_number"], data["iframe"], strict=True):
            # Of packed streams libavcodec never shows the last B-VOP, before the last reference.
            assert np.array_equal(picture, pictures[min(number, len(pictures) - 1)])


def test_where_no_b_vop_is_no_vector_leads_backwards(tmp_path):
    film = write(tmp_path / "plain.mp4", Film(stamps=range(5)))
    for method in ("bitstream", "decoded"):
        mic.extract(film, tmp_path / "x.npz", what="backward", method=method, space="ycbcr")
        with np.load(tmp_path / "x.npz") as data:
            assert data["backward"].shape == (5, 6, 8, 2)
            assert not data["backward"].any()


def test_decoded_b_frames_have_vectors_into_both_directions(tmp_path):
    texture = np.random.default_rng(5).integers(0, 256, (12, 16, 3)).repeat(8, 0).repeat(8, 1)
    pictures = [np.roll(texture, (k, 2 * k), (0, 1)).astype(np.uint8) for k in range(20)]
    film = filmed(tmp_path / "b.mp4", pictures, crf=20, bf=2, g=9)
    what = ("motion", "backward")
    mic.extract(film, tmp_path / "x.npz", what=what, method="decoded", space="ycbcr")
    frames = list(mic.decoded.Decoded(film).frames())
    with np.load(tmp_path / "x.npz") as data:
        for name in what:
            assert np.array_equal(data[name], np.stack([getattr(one, name) for one in frames]))
        assert data["backward"].any()
    mic.extract(film, tmp_path / "pictures", what=what, method="decoded", space="ycbcr")
    assert len(list((tmp_path / "pictures").glob("backward_*.png"))) == 20
