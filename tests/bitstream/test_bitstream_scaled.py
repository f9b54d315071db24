"""Residuals at 1/2, 1/4 and 1/8 equal their definition on the DCT coefficients."""

import numpy as np
import pytest
from oracles import compare, material, transform
from oracles.encoders import Options, encode, synthetic

import mic.bitstream
import mic.storage.assets

# How far fixed-point arithmetic may be from the exact transform, on top of rounding: the 4x4
# transform has 13-bit cosines; 2x2 and 1x1 need none.
SLACK = {1: 0.06, 2: 0.1, 4: 1e-9, 8: 1e-9}


@pytest.mark.parametrize("quant", [3, 5, 8, 12, 31])
@pytest.mark.parametrize("scale", [1, 2, 4, 8])
def test_equals_the_inverse_transform_of_the_low_coefficients(scale, quant, tmp_path):
    options = Options(width=96, height=80, frames=10, quant=quant, noise=10, speed=0.7)
    path = synthetic(tmp_path, options)
    full, small = (mic.bitstream.read(path, scale=s).residual for s in (1, scale))
    compared = 0
    for row in range(1, options.frames):
        for name in ("y", "cb", "cr"):
            exact = transform.scaled(getattr(full, name)[row], quant, scale)
            ours = getattr(small, name)[row]
            assert np.abs(ours - exact).max() <= 0.5 + SLACK[scale]
            compared += ours.size
    assert compared == 9 * 96 * 80 * 3 // 2 // scale**2
    assert np.abs(small.y).max() > 3


@pytest.mark.parametrize("scale", [4, 8])
@pytest.mark.parametrize("mpeg", [False, True])
def test_equals_libavcodecs_reduced_decoding(scale, mpeg, tmp_path, record_property):
    total = compare.residuals(mic.storage.assets.path("psychopy"), scale=scale)
    pictures = material.frames("carphone", 60, 139, 165, 2, 5)
    options = Options(width=165, height=139, quant=2, mpeg_quant=mpeg, four_mv=True)
    total += compare.residuals(encode(tmp_path / "face.mp4", pictures, options), scale=scale)
    record_property("counted scaled residual samples compared", total.samples)
    assert total.samples > 500_000
    assert total.differing == 0


def test_half_size_differs_from_libavcodecs_by_its_rounding_alone(tmp_path, record_property):
    # libavcodec's 4x4 transform rounds its row pass to 2 bits and has other constants: a sample
    # in ten thousand is one step off. Ours is the closer one to the definition, tested above.
    pictures = material.frames("carphone", 60, 144, 176)
    path = encode(tmp_path / "face.mp4", pictures, Options(quant=2))
    total = compare.residuals(path, scale=2, tolerance=1)
    strict = compare.residuals(path, scale=2)
    record_property("counted scaled residual samples compared", total.samples)
    assert total.differing == 0
    assert strict.differing < strict.samples / 5000


@pytest.mark.parametrize("scale", [1, 2, 4, 8])
@pytest.mark.parametrize("size", [(1, 1), (17, 33), (50, 22)])
def test_shapes_and_colours(size, scale, tmp_path):
    width, height = size
    path = synthetic(tmp_path, Options(width=width, height=height, frames=3, noise=20))
    planes = mic.bitstream.read(path, scale=scale).residual
    ycbcr = mic.bitstream.read(path, scale=scale, space="ycbcr").residual.pixels
    rgb = mic.bitstream.read(path, scale=scale, space="rgb").residual.pixels
    shape = (3, -(-height // scale), -(-width // scale))
    assert planes.y.shape == shape
    assert planes.cb.shape == (
        3,
        -(-((height + 1) // 2) // scale),
        -(-((width + 1) // 2) // scale),
    )
    assert ycbcr.shape == rgb.shape == (*shape, 3)
    assert (ycbcr[..., 0] == planes.y).all()
    chroma = [plane.repeat(2, 1).repeat(2, 2)[:, : shape[1], : shape[2]] for plane in
              (planes.cb, planes.cr)]  # fmt: skip
    assert (ycbcr[..., 1] == chroma[0]).all()
    assert (ycbcr[..., 2] == chroma[1]).all()
    # ITU-R BT.601, 8-bit limited range: 255/219 for luma, 255/112 (1 - k) for chroma.
    y, cb, cr = planes.y.astype(float), chroma[0].astype(float), chroma[1].astype(float)
    red, blue = 2 * (1 - 0.299), 2 * (1 - 0.114)
    green = -np.array([blue * 0.114, red * 0.299]) / 0.587
    luma, colour = 255 / 219, 255 / 224
    exact = np.stack(
        [
            luma * y + colour * red * cr,
            luma * y + colour * (green[0] * cb + green[1] * cr),
            luma * y + colour * blue * cb,
        ],
        -1,
    )
    assert np.abs(rgb - exact).max() <= 0.51
