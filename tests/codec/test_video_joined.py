"""Files that are several recordings, or begin in the middle of one: pictures and times go on."""

from fractions import Fraction

import av
import containers
import numpy as np
import pytest
from containers import Film

from mic import codec
from mic.codec import Video
from mic.errors import printable
from mic.extraction import extract


def told(path):
    """Numbers of the gray pictures as decoded, and what `Video` calls them."""
    pictures = list(Video(path).pictures())
    return [containers.number(one.rgb) for one in pictures], [one.number for one in pictures]


def repacked(source, path, stamps, rate=25):
    """Packets of a file with other time stamps; None leaves one out."""
    with av.open(str(source)) as given, av.open(str(path), "w") as target:
        video = target.add_stream_from_template(given.streams.video[0])
        packets = [packet for packet in given.demux(given.streams.video[0]) if packet.size]
        for packet, stamp in zip(packets, stamps, strict=True):
            if stamp is not None:
                copy = av.Packet(bytes(packet))
                copy.stream, copy.time_base = video, Fraction(1, rate)
                copy.pts = copy.dts = stamp
                copy.is_keyframe = packet.is_keyframe
                target.mux(copy)
    return path


@pytest.mark.parametrize("container", ["mpeg", "mpegts", "vob"])
def test_program_streams_in_a_row_follow_one_another(container, tmp_path):
    film = Film(codec="mpeg2video", options={"bf": "2", "g": "6"})
    one = containers.write(tmp_path / "one", film, container=container)
    whole = tmp_path / "two.mpg"
    whole.write_bytes(one.read_bytes() * 2)
    video = Video(whole)
    assert len(video) == 24
    gray, numbers = told(whole)
    assert gray == 2 * list(range(12))
    assert numbers == list(range(24))
    assert np.diff(video.times) == pytest.approx(np.full(23, 0.04), abs=1e-3)
    assert video.duration == pytest.approx(0.96, abs=1e-3)


@pytest.mark.parametrize("suffix", ["m4v", "mkv"])
def test_a_layer_that_changes_in_the_middle_hides_no_picture(suffix, tmp_path):
    parts = [
        containers.write(tmp_path / f"{k}", Film(rate=rate, time_base=1 / rate), container="m4v")
        for k, rate in enumerate((Fraction(25), Fraction(30000, 1001)))
    ]
    raw = tmp_path / "both.m4v"
    raw.write_bytes(b"".join(part.read_bytes() for part in parts))
    path = raw
    if suffix == "mkv":
        path = repacked(raw, tmp_path / "both.mkv", range(24))
    video = Video(path)
    assert len(video) == 24
    assert "N" not in video.index.kinds
    assert told(path) == (2 * list(range(12)), list(range(24)))
    assert video.duration == pytest.approx(0.96, abs=0.01)


def test_user_data_behind_a_vop_that_is_not_coded_makes_it_no_picture(tmp_path):
    path = containers.write(tmp_path / "a.m4v", Film(), container="m4v")
    data = path.read_bytes()
    at = data.rindex(b"\0\0\1\xb6")
    # Its time, as of the VOP before it, does not matter; vop_coded is 0.
    stand = b"\0\0\1\xb6\x50\x01\x7f" + b"\0\0\1\xb2" + bytes(range(48, 128))
    path.write_bytes(data[:at] + stand + data[at:])
    assert len(Video(path)) == 12


@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
def test_decoding_times_that_are_called_presentation_times_order_nothing(suffix, tmp_path):
    film = Film(codec="libx264", options={"bf": "3", "g": "12", "x264-params": "b-pyramid=0"})
    source = containers.write(tmp_path / "a.mp4", film)
    path = repacked(source, tmp_path / f"b.{suffix}", range(12))
    assert told(path) == (list(range(12)), list(range(12)))
    video = Video(path)
    assert video.times == pytest.approx(np.arange(12) / 25, abs=1e-3)
    assert [containers.number(one.rgb) for one in video.pictures([5, 7])] == [5, 7]


@pytest.mark.parametrize(
    ("name", "suffix"),
    [("mpeg4", "mkv"), ("msmpeg4v3", "mkv"), ("wmv2", "avi"), ("flv", "flv")],
)
def test_what_comes_before_the_first_key_picture_is_passed_over(name, suffix, tmp_path):
    film = Film(codec=name, options={"g": "6", "sc_threshold": "1000000000"})
    source = containers.write(tmp_path / f"a.{'avi' if suffix == 'mkv' else suffix}", film)
    kept = [None if number < 2 else number for number in range(12)]
    path = repacked(source, tmp_path / f"b.{suffix}", kept)
    video = Video(path)
    assert len(video) == 6
    assert video.times[0] == 0
    assert told(path) == (list(range(6, 12)), list(range(6)))
    report = codec.reencode(path, tmp_path / "c.mp4")
    assert report.frames == 6


def test_packets_of_headers_alone_are_no_frames(tmp_path):
    source = containers.write(tmp_path / "a.mkv", Film())
    path = tmp_path / "b.mkv"
    with av.open(str(source)) as given, av.open(str(path), "w") as target:
        video = target.add_stream_from_template(given.streams.video[0])
        number = 0
        for packet in given.demux(given.streams.video[0]):
            if not packet.size:
                continue
            parts = [bytes(packet)] if number != 4 else [b"\0\0\1\xb2hello", bytes(packet)]
            for data in parts:
                copy = av.Packet(data)
                copy.stream, copy.time_base = video, Fraction(1, 25)
                copy.pts = copy.dts = number
                copy.is_keyframe = number == 0
                target.mux(copy)
                number += 1
    assert len(Video(path)) == 12
    extract(source, tmp_path / "whole.npz")
    assert extract(path, tmp_path / "parts.npz").frames == 12
    with np.load(tmp_path / "whole.npz") as whole, np.load(tmp_path / "parts.npz") as parts:
        assert (whole["residual"] == parts["residual"]).all()


def test_pictures_all_at_one_time_can_be_coded_at_one_rate(tmp_path):
    source = containers.write(tmp_path / "a.mkv", Film(stamps=(0,), codec="ffv1"))
    same = repacked_same(source, tmp_path / "b.mkv")
    report = codec.reencode(same, tmp_path / "c.avi")
    assert report.frames >= 1


def repacked_same(source, path):
    """A picture three times, at one time."""
    with av.open(str(source)) as given, av.open(str(path), "w") as target:
        video = target.add_stream_from_template(given.streams.video[0])
        packet = next(packet for packet in given.demux(video=0) if packet.size)
        for _ in range(3):
            copy = av.Packet(bytes(packet))
            copy.stream, copy.time_base, copy.is_keyframe = video, Fraction(1, 25), True
            copy.pts = copy.dts = 0
            target.mux(copy)
    return path


def test_jpegs_in_a_row_are_a_video(tmp_path):
    film = Film(codec="mjpeg", pixel_format="yuvj420p")
    path = containers.write(tmp_path / "a.mjpeg", film, container="mjpeg")
    assert len(Video(path)) == 12
    assert told(path)[1] == list(range(12))


def test_names_cannot_command_a_terminal():
    assert printable("a\x1b[2J\n\u202e.mp4") == "a\\x1b[2J\\n\\u202e.mp4"
    assert printable("jos\u00e9 \u7b11\u9854.mp4") == "jos\u00e9 \u7b11\u9854.mp4"
