"""A picture's number and time are those of its time stamp, in every container."""

import itertools
import pickle
from fractions import Fraction

import numpy as np
import pytest
from containers import UNEVEN, Film, gray, number, with_edit, write

from mic import bitstream, codec
from mic.codec import Video
from mic.errors import CodecError, ConfigError

B_FRAMES = {"bf": "2", "g": "6"}


def seen(video):
    """(number by its content, number, time) of every picture."""
    return [(number(p.rgb), p.number, p.time) for p in video.pictures()]


@pytest.mark.parametrize("suffix", ["avi", "flv", "mkv", "mov", "mp4", "nut", "ts"])
@pytest.mark.parametrize("options", [{}, B_FRAMES], ids=["P", "B"])
def test_pictures_of_every_container_come_in_order_at_their_times(tmp_path, suffix, options):
    name = "flv" if suffix == "flv" else "mpeg4"
    if name == "flv" and options:
        pytest.skip("Sorenson's codec has no B-pictures")
    video = Video(write(tmp_path / f"a.{suffix}", Film(codec=name, options=options)))
    assert [(k, k) for k in range(12)] == [(shown, n) for shown, n, _ in seen(video)]
    np.testing.assert_allclose([t for _, _, t in seen(video)], np.arange(12) / 25, atol=1e-3)
    assert len(video) == 12 == codec.probe(video.path).frames
    assert video.duration == pytest.approx(12 / 25, abs=2e-3)
    assert video.steady
    assert video.frame_rate == 25


@pytest.mark.parametrize("suffix", ["mkv", "mov", "mp4", "webm"])
def test_uneven_times_are_kept_and_the_last_picture_lasts_as_those_before(tmp_path, suffix):
    name = "libvpx" if suffix == "webm" else "mpeg4"
    options = {"deadline": "realtime"} if suffix == "webm" else {}
    film = Film(stamps=UNEVEN, time_base=Fraction(1, 1000), codec=name, options=options)
    video = Video(write(tmp_path / f"a.{suffix}", film))
    assert video.times.tolist() == pytest.approx([t / 1000 for t in UNEVEN], abs=1e-3)
    assert [t for _, _, t in seen(video)] == video.times.tolist()
    assert video.duration == pytest.approx(0.633, abs=2e-3)
    assert not video.steady
    assert float(video.frame_rate) == pytest.approx(8 / 0.533, rel=1e-2)


def test_an_offset_is_no_part_of_the_times_but_is_told(tmp_path):
    for suffix in ("mkv", "mp4", "ts"):
        stamps = range(100, 112)
        video = Video(write(tmp_path / f"a.{suffix}", Film(stamps=stamps)))
        assert video.times[0] == 0
        assert video.start == pytest.approx(4.0)
        assert video.duration == pytest.approx(12 / 25)


def test_empty_chunks_of_avi_repeat_a_picture_and_end_nothing(tmp_path):
    stamps = (0, 1, 2, 5, 6, 9, 10)
    video = Video(write(tmp_path / "a.avi", Film(stamps=stamps)))
    assert seen(video) == [(k, k, pytest.approx(t / 25)) for k, t in enumerate(stamps)]


def test_a_header_rate_of_600_is_not_believed(tmp_path):
    film = Film(stamps=range(0, 240, 24), time_base=Fraction(1, 600), rate=Fraction(600))
    video = Video(write(tmp_path / "a.avi", film))
    assert video.times.tolist() == pytest.approx([k / 25 for k in range(10)])
    assert video.duration == pytest.approx(0.4)
    assert video.frame_rate == 25


@pytest.mark.parametrize(("first", "count"), [(5, 7), (0, 6), (4, 4)])
def test_an_edit_list_decides_what_is_shown(tmp_path, first, count):
    path = write(tmp_path / "a.mp4", Film())
    path.write_bytes(with_edit(path.read_bytes(), first, count))
    video = Video(path)
    assert seen(video) == [(first + k, k, pytest.approx(k / 25)) for k in range(count)]
    assert len(video) == count == codec.probe(path).frames
    assert video.duration == pytest.approx(count / 25)
    # Packets are those that the parser counts, and the pairing says which are shown.
    with bitstream.open(path) as stream:
        assert stream.frame_count == len(video.index.sizes)
        assert stream.vop_types == video.index.kinds
    shown = video.index.picture_of()
    assert [number(gray(first + n)) for n in shown[shown >= 0]] == list(
        range(first, first + count)
    )


def test_vops_that_are_not_coded_show_nothing_new(tmp_path):
    path = write(tmp_path / "whole.m4v", Film(), container="m4v")
    data = path.read_bytes()
    starts = [at for at in range(len(data)) if data[at : at + 4] == b"\0\0\1\xb6"]
    # vop_coding_type P, modulo_time_base 0, marker, vop_time_increment of 5 bits, marker,
    # vop_coded 0, stuffing.
    skipped = b"\0\0\1\xb6" + int("0101001011001111", 2).to_bytes(2, "big")
    path.write_bytes(data[: starts[5]] + skipped + data[starts[6] :])
    video = Video(path)
    assert video.index.kinds == "IPPPPN" + "P" * 6
    pictures = [n for n, _, _ in seen(video)]
    assert len(pictures) == len(video) == 11
    assert 5 not in video.index.packet_of


def test_wanted_pictures_are_those_of_the_whole_pass(tmp_path):
    film = Film(stamps=range(60), options={"bf": "2", "g": "12"})
    for suffix in ("avi", "mkv", "mp4", "ts"):
        video = Video(write(tmp_path / f"a.{suffix}", film))
        every = {p.number: (p.time, p.rgb) for p in video.pictures()}
        wanted = [59, 3, 31, 30, 47]
        found = list(video.pictures(wanted))
        assert [p.number for p in found] == sorted(wanted)
        for picture in found:
            assert picture.time == every[picture.number][0]
            np.testing.assert_array_equal(picture.rgb, every[picture.number][1])
        with pytest.raises(ConfigError, match="0 to 59"):
            next(video.pictures([60]))


@pytest.mark.parametrize("suffix", ["avi", "flv", "mkv", "mov", "mp4"])
def test_what_is_whole_of_a_broken_file_comes_before_the_error(tmp_path, suffix):
    noise = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)
    name = "flv" if suffix == "flv" else "mpeg4"
    film = Film(stamps=range(50), codec=name, picture=noise, options={"g": "1"})
    muxing = {"movflags": "faststart"} if suffix in ("mov", "mp4") else {}
    path = write(tmp_path / f"a.{suffix}", film, muxing=muxing)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 6 // 10])
    video = Video(path)
    pictures = video.pictures()
    whole = len(list(itertools.islice(pictures, len(video))))
    with pytest.raises(CodecError, match="breaks off") as caught:
        next(pictures)
    assert 20 <= whole == len(video) < 40
    assert caught.value.file == path
    assert caught.value.place.startswith(f"after frame {whole - 1} ")
    assert str(video.damage) == str(caught.value)


@pytest.mark.parametrize("suffix", ["m4v", "h264", "hevc"])
@pytest.mark.parametrize("rate", ["25", "30000/1001", "100/3", "25/2"])
def test_raw_streams_go_by_the_rate_in_their_headers(tmp_path, suffix, rate):
    codec = {"m4v": "mpeg4", "h264": "libx264", "hevc": "libx265"}[suffix]
    options = {"x265-params": "log-level=none"} if suffix == "hevc" else {}
    rate = Fraction(rate)
    film = Film(time_base=1 / rate, rate=rate, codec=codec, options=options)
    video = Video(write(tmp_path / f"a.{suffix}", film, container=suffix))
    assert video.frame_rate == rate
    np.testing.assert_allclose(video.times, np.arange(12) / float(rate))
    assert [shown for shown, _, _ in seen(video)] == list(range(12))


def test_a_video_can_be_handed_to_another_process(tmp_path):
    video = Video(write(tmp_path / "a.mp4", Film()))
    again = pickle.loads(pickle.dumps(video))
    assert seen(again) == seen(video)


def test_slides_of_hours_have_a_rate_above_zero(tmp_path):
    stamps = (0, 3_600_000, 7_200_000)
    path = write(tmp_path / "slides.mkv", Film(stamps=stamps, time_base=Fraction(1, 1000)))
    video = Video(path)
    assert float(video.frame_rate) == pytest.approx(1 / 3600, rel=1e-3)


def test_pictures_that_a_decoder_keeps_back_after_a_jump_come_all_the_same(tmp_path):
    options = {"x264-params": "intra-refresh=1:keyint=30:bframes=0"}
    film = Film(stamps=range(0, 120), codec="libx264", options=options)
    video = Video(write(tmp_path / "refreshed.mkv", film))
    whole = {picture.number: picture.rgb for picture in video.pictures()}
    for wanted in ([35], [63, 64], [5, 91, 98], [119]):
        got = list(video.pictures(wanted))
        assert [picture.number for picture in got] == wanted
        assert all(np.array_equal(one.rgb, whole[one.number]) for one in got)
