"""Re-encoding keeps when pictures are shown, which side is up, and their colours."""

from fractions import Fraction

import numpy as np
import pytest
from containers import COLOUR, Film, difference, number, quarters, turned, write

from mic import bitstream
from mic.codec import Video, reencode

# 30 Hz, then 10 Hz.
UNEVEN = (*range(0, 12000, 1000), *range(12000, 30000, 3000))
UNEVEN_FILM = Film(stamps=UNEVEN, time_base=Fraction(1, 30000))


@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
def test_uneven_times_are_kept_to_a_millisecond(tmp_path, suffix):
    source = Video(write(tmp_path / "a.mp4", UNEVEN_FILM))
    report = reencode(source.path, tmp_path / f"b.{suffix}")
    again = Video(report.target)
    assert report.frames == len(again) == len(source)
    np.testing.assert_allclose(again.times, source.times, atol=1e-3)
    assert again.duration == pytest.approx(source.duration, abs=2e-3)
    with bitstream.open(again.path) as stream:
        assert len(stream) == len(source)
        stream.residual()


@pytest.mark.parametrize("suffix", ["avi", "m4v"])
def test_where_a_container_has_one_rate_pictures_are_repeated(tmp_path, suffix):
    source = Video(write(tmp_path / "a.mp4", UNEVEN_FILM))
    report = reencode(source.path, tmp_path / f"b.{suffix}")
    assert report.frame_rate == 30
    again = Video(report.target)
    assert again.duration == pytest.approx(source.duration, abs=0.05)
    shown = [number(picture.rgb) for picture in again.pictures()]
    for picture, time in zip(shown, again.times, strict=True):
        assert picture == np.abs(source.times - time).argmin()


def test_resampling_goes_by_time_stamps(tmp_path):
    source = Video(write(tmp_path / "a.mp4", UNEVEN_FILM))
    again = Video(reencode(source.path, tmp_path / "b.mp4", frame_rate=10).target)
    assert again.frame_rate == 10
    assert again.duration == pytest.approx(source.duration, abs=0.05)
    shown = [number(picture.rgb) for picture in again.pictures()]
    for picture, time in zip(shown, again.times, strict=True):
        assert abs(source.times[picture] - time) <= np.abs(source.times - time).min() + 1e-3


def test_what_an_edit_list_cuts_away_is_not_encoded(tmp_path):
    # A picture before time 0 makes PyAV write an edit list.
    film = Film(stamps=range(-4, 8))
    source = Video(write(tmp_path / "a.mp4", film))
    report = reencode(source.path, tmp_path / "b.mp4")
    shown = [number(picture.rgb) for picture in Video(report.target).pictures()]
    assert shown == [number(picture.rgb) for picture in source.pictures()]
    assert len(shown) == report.frames == len(source)


@pytest.mark.parametrize("turn", [(90, False, False), (180, False, False), (270, True, False)])
def test_pictures_are_turned_and_the_target_says_nothing_of_it(tmp_path, turn):
    film = Film(stamps=range(2), picture=quarters(), turned=turn)
    source = write(tmp_path / "a.mp4", film)
    again = Video(reencode(source, tmp_path / "b.mp4").target)
    assert again.display.as_coded
    assert difference(next(again.pictures()).rgb, turned(quarters(), *turn)) < 8


def test_samples_that_are_not_square_stay_so_or_are_cut_as_shown(tmp_path):
    aspect = Fraction(3, 2)
    source = write(tmp_path / "a.mp4", Film(stamps=range(2), picture=quarters(), aspect=aspect))
    for suffix in ("avi", "mkv", "mp4"):
        again = Video(reencode(source, tmp_path / f"b.{suffix}").target)
        assert (again.width, again.sample_aspect) == (64, aspect)
        assert again.size == Video(source).size == (96, 48)
    # A crop is a box of the shown picture: its right half is x = 48 to 96.
    cut = Video(reencode(source, tmp_path / "c.mp4", crop=(48, 0, 48, 48)).target)
    assert cut.size == (48, 48)
    assert (
        difference(next(cut.pictures()).rgb[4:20, 4:44], np.full((16, 40, 3), (30, 200, 30))) < 8
    )


@pytest.mark.parametrize("matrix", [1, 5, 9])
@pytest.mark.parametrize("extent", [1, 2])
def test_colours_survive_whatever_matrix_they_are_coded_by(tmp_path, matrix, extent):
    film = Film(
        codec="libx264",
        options={"qp": "1"},
        picture=COLOUR,
        stamps=range(2),
        colorspace=matrix,
        color_range=extent,
    )
    source = write(tmp_path / "a.mp4", film)
    again = Video(reencode(source, tmp_path / "b.mp4").target)
    # Rounded twice to integers; a wrong matrix or range is off by ten and more.
    assert difference(next(again.pictures()).rgb, COLOUR) < 6


def test_another_matrix_costs_no_light(tmp_path):
    """Of many colours, coded by other matrices, the mean is that of BT.601's within rounding."""
    colours = np.random.default_rng(0).integers(30, 220, (3, 4, 3))
    picture = np.kron(colours, np.ones((16, 16, 1))).astype(np.uint8)
    means = {}
    for matrix in (5, 1, 9):
        film = Film(
            codec="libx264",
            options={"qp": "1"},
            picture=picture,
            stamps=range(2),
            colorspace=matrix,
            color_range=1,
        )
        source = write(tmp_path / f"{matrix}.mp4", film)
        again = Video(reencode(source, tmp_path / f"{matrix}-b.mp4", vop_quant=1).target)
        means[matrix] = next(again.pictures()).rgb.mean()
    assert means[1] == pytest.approx(means[5], abs=0.7)
    assert means[9] == pytest.approx(means[5], abs=0.7)
