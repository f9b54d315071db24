"""A picture that lies is followed and cut out as the same picture upright."""

import itertools
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from mic.codec import Video
from mic.codec.display import Display, rgb
from mic.recognition.decoded import Decoded, _converter

SIZE = (64, 48)
TURNS = [
    Display(transposed=a, flipped=b, mirrored=c)
    for a, b, c in itertools.product((False, True), repeat=3)
]


@pytest.mark.parametrize("display", TURNS, ids=str)
def test_places_boxes_and_steps_turn_as_samples_do(display):
    marked = np.zeros(SIZE[::-1], bool)
    marked[10:14, 20:28] = True
    rows, columns = np.nonzero(display.turn(marked))
    shown = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    assert display.coded(tuple(map(int, shown)), *SIZE) == (20, 10, 28, 14)
    corners = display.places(np.array([(20, 10), (28, 14)]), *SIZE)
    assert (*corners.min(0), *corners.max(0)) == shown
    difference = corners[1] - corners[0]
    np.testing.assert_array_equal(display.steps(np.array([(8, 4)]))[0], difference)


def test_places_stretch_with_their_samples():
    wide = Display(transposed=True, sample_aspect=Fraction(2))
    np.testing.assert_array_equal(wide.places(np.array([(10, 20)]), *SIZE), [(20, 20)])
    high = Display(sample_aspect=Fraction(1, 2), flipped=True)
    np.testing.assert_array_equal(high.places(np.array([(10, 20)]), *SIZE), [(10, 56)])


@pytest.mark.parametrize("display", TURNS, ids=str)
def test_a_region_of_a_turned_picture_is_that_part_of_it(display):
    values = np.random.default_rng(0).integers(40, 200, (6, 8, 3), np.uint8)
    pixels = values.repeat(8, 0).repeat(8, 1)
    frame = av.VideoFrame.from_ndarray(pixels, "rgb24").reformat(format="yuv420p")
    whole = rgb(frame, display, Path("a"))
    make, everything = _converter(frame, display, Path("a"))
    assert everything == (0, 0, whole.shape[1], whole.shape[0])
    for left, top, right, bottom in ((8, 16, 40, 32), (9, 15, 39, 33)):
        part = make((left, top, right, bottom))
        expected = whole[top:bottom, left:right].astype(int)
        # The chroma of a region's edge has no neighbours.
        assert np.abs(part - expected)[2:-2, 2:-2].max() <= 2


@pytest.mark.parametrize("turn", [(0, False, False), (90, False, False), (270, True, False)])
def test_motion_of_a_turned_picture_is_as_it_is_seen(tmp_path, turn):
    """A still of noise, coded with a pan: the decoder's vectors, seen in the shown picture."""
    scene = np.random.default_rng(1).integers(30, 220, (96, 160, 3), np.uint8)
    scene = scene.repeat(2, 0).repeat(2, 1)
    path = tmp_path / "pan.mp4"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=25, options={"bf": "0", "refs": "1"})
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        stream.set_display_rotation(*turn)
        for number in range(4):
            part = np.ascontiguousarray(scene[32:128, 32 - 4 * number : 160 - 4 * number])
            frame = av.VideoFrame.from_ndarray(part, "rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            output.mux(stream.encode(frame))
        output.mux(stream.encode())
    video = Video(path)
    moments = list(Decoded(video).moments([3], lambda _: []))
    wide, high = video.size
    box = np.array([16, 16, wide - 16, high - 16])
    expected = video.display.steps(np.array([(4, 0)]))[0]
    assert moments[0].motion is None
    np.testing.assert_allclose(moments[-1].motion.of(box), expected, atol=0.5)
