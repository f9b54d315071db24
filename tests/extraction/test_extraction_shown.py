"""`mic extract` gives a frame for each shown picture, at its time, and says how it is turned."""

import json
from fractions import Fraction

import numpy as np
import pytest
from containers import UNEVEN, Film, difference, number, quarters, turned, with_edit, write
from PIL import Image

import mic
from mic import bitstream
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
