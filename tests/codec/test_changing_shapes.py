"""Streams whose pictures or samples change their shape: what is round stays round."""

from fractions import Fraction

import av
import numpy as np
import pytest
from containers import Film, write

from mic import codec
from mic.codec.filtering import fitted
from mic.codec.video import Video


def disc(width, height, *, across=24, down=24):
    """A white ellipse in the middle of a gray picture, uint8 (H, W, 3)."""
    y, x = np.mgrid[:height, :width] + 0.5
    inside = ((x - width / 2) / (across / 2)) ** 2 + ((y - height / 2) / (down / 2)) ** 2 < 1
    return np.where(inside, 255, 90).astype(np.uint8)[..., None].repeat(3, 2)


def extent(picture):
    """Width and height of what is white."""
    inside = picture[..., 1] > 190
    return int(inside.any(0).sum()), int(inside.any(1).sum())


def joined(path, films):
    """Raw streams one after the other in one file."""
    parts = [
        write(path.with_name(f"{number}{path.suffix}"), film).read_bytes()
        for number, film in enumerate(films)
    ]
    path.write_bytes(b"".join(parts))
    return path


@pytest.fixture
def turned(tmp_path):
    """Six landscape pictures, then six portrait ones."""
    options = {"b": "4000000"}
    films = [
        Film(stamps=range(6), codec="mpeg2video", options=options, picture=disc(*size))
        for size in ((64, 48), (48, 64))
    ]
    return joined(tmp_path / "turned.m2v", films)


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv422p10le", "gray", "rgb24"])
def test_a_picture_is_fitted_in_its_own_shape(pixel_format):
    frame = av.VideoFrame.from_ndarray(disc(48, 64), "rgb24").reformat(format=pixel_format)
    frame.pts, frame.time_base = 7, Fraction(1, 25)
    found = fitted(frame, 64, 48)
    assert (found.width, found.height, found.pts) == (64, 48, 7)
    picture = found.to_ndarray(format="rgb24")
    wide, high = extent(picture)
    assert abs(wide - 18) <= 2
    assert abs(high - 18) <= 2
    assert picture[:, :8].max() < 40  # the bars
    assert picture[24, 16].min() > 60


def test_what_turns_upright_keeps_its_shape_in_the_file_that_is_written(turned, tmp_path):
    assert {p.rgb.shape[:2] for p in Video(turned).pictures()} == {(48, 64), (64, 48)}
    codec.reencode(turned, tmp_path / "t.mp4", vop_quant=2)
    pictures = list(codec.decode(tmp_path / "t.mp4"))
    assert len(pictures) >= 11  # at the change the decoder may keep one back
    assert {picture.shape for picture in pictures} == {(48, 64, 3)}
    assert np.abs(np.subtract(extent(pictures[2]), (24, 24))).max() <= 2
    assert np.abs(np.subtract(extent(pictures[-1]), (18, 18))).max() <= 2


def test_a_size_that_is_asked_for_is_that_of_the_first_shape(turned, tmp_path):
    codec.reencode(turned, tmp_path / "t.mp4", vop_quant=2, size=(128, 96))
    last = list(codec.decode(tmp_path / "t.mp4"))[-1]
    assert last.shape == (96, 128, 3)
    assert np.abs(np.subtract(extent(last), (36, 36))).max() <= 3


def wider(path, **film):
    """4:3, then 16:9 of the same 64x48 samples, as broadcasts go from one to the other."""
    aspects = Fraction(1), Fraction(4, 3)
    pictures = [disc(64, 48, across=round(24 / aspect)) for aspect in aspects]
    both = zip(aspects, pictures, strict=True)
    return joined(path, [Film(aspect=a, picture=p, stamps=range(12), **film) for a, p in both])


def test_samples_that_become_wider_are_shown_wider(tmp_path):
    path = wider(tmp_path / "wider.m2v", codec="mpeg2video", options={"b": "4000000"})
    for picture in list(Video(path).pictures())[2::8]:
        width, height = extent(picture.rgb)
        assert abs(width - height) <= 2, picture.number
    codec.reencode(path, tmp_path / "t.mp4", vop_quant=2)
    width, height = extent(list(codec.decode(tmp_path / "t.mp4"))[-1])
    assert abs(width - height) <= 2


def test_the_shape_of_a_picture_is_the_same_however_it_is_reached(tmp_path):
    options = {"g": "12", "bf": "0", "qp": "10"}
    raw = wider(tmp_path / "wider.h264", codec="libx264", options=options)
    path = tmp_path / "wider.mkv"
    with av.open(str(raw)) as source, av.open(str(path), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        packets = [packet for packet in source.demux(video=0) if packet.size]
        for number, packet in enumerate(packets):
            packet.pts = packet.dts = number
            packet.time_base, packet.stream = Fraction(1, 25), stream
            target.mux(packet)
    video = Video(path)
    shapes = [picture.rgb.shape for picture in video.pictures()]
    assert set(shapes) == {(48, 64, 3), (48, 86, 3)}
    assert shapes == sorted(shapes)
    for wanted in (3, len(shapes) - 2):
        assert [p.rgb.shape for p in video.pictures([wanted])] == [shapes[wanted]]
    assert [p.rgb.shape for p in video.pictures([0, len(shapes) - 1])] == [shapes[0], shapes[-1]]


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv411p", "yuv420p10le", "gray"])
def test_a_size_of_odd_edges_is_met(pixel_format):
    frame = av.VideoFrame.from_ndarray(disc(48, 64), "rgb24").reformat(format=pixel_format)
    for size in ((65, 49), (426, 241)):
        found = fitted(frame, *size)
        assert (found.width, found.height) == size
