"""Crops of a face from a bitstream: carried along, and in the units that they say."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from mic import bitstream, codec
from mic.errors import ConfigError
from mic.faces.landmarks import Roi
from mic.transfer import crops

SIZE, STEP = 160, np.array([2, -1])
ROI = Roi(80.0, 76.0, 100.0, 0.0)


def _texture(side):
    noise = gaussian_filter(np.random.default_rng(0).normal(0, 1, (side, side)), 2)
    return np.clip(128 + 60 * noise / noise.std(), 16, 235).astype(np.uint8)


def _film(path, frames, **options):
    codec.encode_frames(frames, path, frame_rate=25, vop_quant=2, **options)
    return bitstream.open(path)


@pytest.fixture
def panned(tmp_path):
    """A textured plane that moves by `STEP` each frame."""
    plane = _texture(SIZE + 64)
    frames = []
    for number in range(6):
        x, y = 32 - number * STEP
        frames.append(plane[y : y + SIZE, x : x + SIZE])
    with _film(tmp_path / "panned.mp4", frames) as stream:
        yield stream


def test_the_crop_follows_what_moves(panned):
    found = crops.cut(panned, 0, range(1, 6), ROI)
    side = crops.KEPT * ROI.side
    expected = np.arange(1, 6)[:, None] * STEP / side
    np.testing.assert_allclose(found.shift, expected, atol=0.6 / side)
    middle = found.motion[:, :, 16:48, 16:48] / crops.STEPS
    assert np.abs(np.median(middle, axis=(2, 3))).max() <= 0.25


def test_a_change_is_where_and_as_large_as_it_is(tmp_path):
    """A square beside the middle becomes lighter by 40, nothing moves.

    Strongly textured: of an even square the encoder makes an intra macroblock, which has no
    residual.
    """
    still = np.minimum(_texture(SIZE), 190)
    lighter = still.copy()
    lighter[76:96, 88:108] += 40
    with _film(tmp_path / "change.mp4", [still, lighter]) as stream:
        found = crops.cut(stream, 0, [1], ROI)
    assert not found.shift.any()
    scale = crops.EDGE / (crops.KEPT * ROI.side)
    left, right = (int(crops.EDGE / 2 + scale * (x - ROI.x)) for x in (88, 108))
    top, bottom = (int(crops.EDGE / 2 + scale * (y - ROI.y)) for y in (76, 96))
    inside = found.residual[0, top + 2 : bottom - 2, left + 2 : right - 2]
    assert np.abs(inside.mean() - 40) < 3
    outside = found.residual[0].astype(int)
    outside[top - 2 : bottom + 2, left - 2 : right + 2] = 0
    assert np.abs(outside).mean() < 2


def test_the_crop_of_the_iframe_shows_the_square(tmp_path):
    picture = np.full((SIZE, SIZE), 40, np.uint8)
    picture[:, : int(ROI.x)] = 200
    with _film(tmp_path / "halves.mp4", [picture, picture]) as stream:
        found = crops.cut(stream, 0, [1], ROI)
    assert np.abs(found.iframe[:, :28].astype(int) - 200).max() < 8
    assert np.abs(found.iframe[:, 36:].astype(int) - 40).max() < 8


def test_a_square_at_the_border_is_empty_outside(tmp_path):
    picture = np.full((SIZE, SIZE), 120, np.uint8)
    with _film(tmp_path / "border.mp4", [picture, picture]) as stream:
        found = crops.cut(stream, 0, [1], Roi(0.0, 80.0, 100.0, 0.0))
    assert not found.iframe[:, :30].any()
    assert np.abs(found.iframe[:, 34:].astype(int) - 120).max() < 5


def test_large_faces_are_read_smaller():
    assert [crops.scale_of(side) for side in (50, 127, 128, 300, 2000)] == [1, 1, 2, 4, 8]


@pytest.mark.parametrize("frames", [[], [3, 2], [0, 1], [2, 2]])
def test_frames_out_of_order_are_refused(panned, frames):
    with pytest.raises(ConfigError, match="ascending P-frames"):
        crops.cut(panned, 0, frames, ROI)


def test_another_group_of_pictures_is_refused(tmp_path):
    frames = [_texture(SIZE)] * 6
    with (
        _film(tmp_path / "groups.mp4", frames, gop=3) as stream,
        pytest.raises(ConfigError, match="one group"),
    ):
        crops.cut(stream, 0, [1, 4], ROI)
