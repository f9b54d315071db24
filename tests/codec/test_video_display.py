"""Pictures are upright, square-sampled and of the right colours."""

import itertools
from fractions import Fraction

import av
import numpy as np
import pytest
from containers import COLOUR, Film, difference, gray, quarters, turned, write

from mic.codec import Video
from mic.codec.display import Display, rgb
from mic.errors import CodecError

TURNS = list(itertools.product((0, 90, 180, 270), (False, True), (False, True)))


@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
@pytest.mark.parametrize("turn", TURNS)
def test_the_display_matrix_is_obeyed(tmp_path, suffix, turn):
    film = Film(stamps=range(2), picture=quarters(), turned=turn)
    video = Video(write(tmp_path / f"a.{suffix}", film))
    (first, _) = video.pictures()
    assert difference(first.rgb, turned(quarters(), *turn)) < 8
    assert video.size == first.rgb.shape[1::-1]
    degrees, mirrored, flipped = turn
    # The words: first clockwise, then left to right.
    said = str(video.display)
    clockwise = next((d for d in (90, 180, 270) if str(d) in said), 0)
    expected = turned(quarters(), -clockwise % 360, "mirrored" in said, False)
    assert difference(expected, turned(quarters(), degrees, mirrored, flipped)) == 0


def test_filters_turn_as_arrays_do():
    picture = np.arange(12, dtype=np.uint8).reshape(3, 4, 1).repeat(3, axis=2)
    for flags in itertools.product((False, True), repeat=3):
        display = Display(transposed=flags[0], flipped=flags[1], mirrored=flags[2])
        graph = av.filter.Graph()
        frame = av.VideoFrame.from_ndarray(picture, "rgb24")
        nodes = [graph.add_buffer(width=4, height=3, format="rgb24", time_base=Fraction(1, 25))]
        nodes += [graph.add(name, text) for name, text in display.filters()]
        nodes += [graph.add("buffersink")]
        for one, other in itertools.pairwise(nodes):
            one.link_to(other)
        graph.configure()
        graph.push(frame)
        np.testing.assert_array_equal(graph.pull().to_ndarray(), display.turn(picture))


@pytest.mark.parametrize(
    ("aspect", "size"), [(Fraction(16, 15), (68, 48)), (Fraction(1, 2), (64, 96))]
)
def test_samples_become_square_and_none_is_lost(tmp_path, aspect, size):
    for suffix in ("avi", "mkv", "mp4"):
        video = Video(write(tmp_path / f"a.{suffix}", Film(aspect=aspect, picture=quarters())))
        assert video.size == size
        assert next(video.pictures()).rgb.shape == (size[1], size[0], 3)
    side = Film(aspect=aspect, picture=quarters(), turned=(90, False, False))
    assert Video(write(tmp_path / "b.mp4", side)).size == size[::-1]


@pytest.mark.parametrize("matrix", [1, 5, 9], ids=["BT.709", "BT.601", "BT.2020"])
@pytest.mark.parametrize("extent", [1, 2], ids=["limited", "full"])
def test_colours_are_those_that_were_filmed(tmp_path, matrix, extent):
    film = Film(
        codec="libx264",
        options={"qp": "1"},
        picture=COLOUR,
        stamps=range(2),
        colorspace=matrix,
        color_range=extent,
    )
    for suffix in ("mkv", "mp4"):
        first = next(Video(write(tmp_path / f"a.{suffix}", film)).pictures())
        assert first.frame.color_range == extent
        assert difference(first.rgb, COLOUR) < 3


def test_untold_colours_are_of_bt_601_and_deep_samples_are_read(tmp_path):
    for pixel_format in ("yuv420p", "yuv422p", "yuv444p", "yuv420p10le"):
        film = Film(codec="ffv1", picture=COLOUR, stamps=range(2), pixel_format=pixel_format)
        first = next(Video(write(tmp_path / "a.mkv", film)).pictures())
        assert difference(first.rgb, COLOUR) < 3


def test_a_colour_space_without_conversion_is_refused_by_name(tmp_path):
    frame = av.VideoFrame.from_ndarray(gray(0), "rgb24").reformat(format="yuv444p")
    frame.colorspace = 8
    with pytest.raises(CodecError, match="YCgCo") as caught:
        rgb(frame, Display(), tmp_path / "a.mkv")
    assert caught.value.file == tmp_path / "a.mkv"
    frame.colorspace = 10  # constant luminance: the nearest is taken
    assert rgb(frame, Display(), tmp_path / "a.mkv").shape == (48, 64, 3)


@pytest.mark.parametrize("aspect", [None, Fraction(0), Fraction(9), Fraction(1, 9)])
def test_a_strange_sample_aspect_is_a_damaged_header(aspect):
    frame = av.VideoFrame.from_ndarray(gray(0), "rgb24")
    assert Display.of(frame, aspect).as_coded
