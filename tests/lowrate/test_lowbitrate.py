"""The low-bit-rate networks and the channel, against hand-made and independent references."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mic.errors import ConfigError
from mic.lowrate import networks, transmission
from mic.lowrate.networks import SRFCN, Architecture, TargetCNN, TemporalHead, ccc_loss, transfer
from mic.lowrate.transmission import Channel, downsample, send, upsample

SMALL = Architecture(channels=(3, 4, 5), hidden=7, size=32)


def faces(count, size=96, seed=0):
    """Smooth moving pictures, which codecs and interpolation treat as they treat faces."""
    rng = np.random.default_rng(seed)
    waves = rng.uniform(0.5, 3.0, (6, 2)) * 2 * np.pi / size
    y, x = np.mgrid[0:size, 0:size]
    frames = [
        sum(np.sin(fx * (x + 0.7 * t) + fy * y + index) for index, (fx, fy) in enumerate(waves))
        for t in range(count)
    ]
    return np.rint(128 + 18 * np.array(frames)).clip(0, 255).astype(np.uint8)


def test_paper_sizes():
    network = TargetCNN(Architecture())
    shapes = [tuple(layer.weight.shape) for layer in network.convolutions]
    assert shapes == [(64, 1, 5, 5), (128, 64, 5, 5), (256, 128, 5, 5)]
    assert network.hidden.weight.shape == (300, 256 * 4), "one maximum a quadrant and map"
    assert TargetCNN(Architecture(pooling="stride4")).hidden.weight.shape == (300, 256 * 36)
    restorer = SRFCN(Architecture())
    assert restorer.output.weight.shape == (1, 256, 5, 5)
    assert network.features(torch.zeros(2, 96, 96, dtype=torch.uint8)).shape == (2, 300)


def test_quadrant_pooling_sees_each_quarter_alone():
    network = TargetCNN(SMALL).eval()
    for convolution in network.convolutions:  # pass the first map on unchanged
        torch.nn.init.zeros_(convolution.weight)
        torch.nn.init.zeros_(convolution.bias)
        convolution.weight.data[0, 0, 2, 2] = 1
    seen = {}
    network.last_pool.register_forward_hook(lambda _, __, output: seen.update(maps=output))
    image = torch.zeros(1, 32, 32)
    image[0, 20, 5] = 200.0  # lower left
    network(image)
    quarters = seen["maps"][0, 0]
    assert quarters.argmax() == 2
    assert quarters[1, 0] > 10 * quarters[[0, 0, 1], [0, 1, 1]].max()


@pytest.mark.parametrize("kind", ["contrast", "unit"])
def test_normalisation_ignores_light_or_not(kind):
    architecture = Architecture(channels=(3, 4, 5), hidden=7, size=32, normalisation=kind)
    image = torch.from_numpy(faces(1, 32)).float()
    plain, offset, scale = networks.normalise(image, architecture)
    brighter, _, _ = networks.normalise(0.5 * image + 60, architecture)
    assert torch.allclose(plain, brighter, atol=1e-5) == (kind == "contrast")
    assert torch.allclose(plain * scale + offset, image.unsqueeze(1), atol=1e-3)


def test_a_flat_face_gives_finite_gradients():
    network = TargetCNN(SMALL)
    network(torch.full((2, 32, 32), 90.0)).sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in network.parameters())


def test_restoration_is_in_samples_and_its_loss_in_the_faces_scale():
    restorer = SRFCN(SMALL)
    torch.nn.init.zeros_(restorer.output.weight)
    torch.nn.init.zeros_(restorer.output.bias)
    image = torch.from_numpy(faces(2, 32)).float()
    restored = restorer(image)
    assert torch.allclose(restored, image.mean((1, 2), keepdim=True).expand_as(image), atol=1e-3)
    # Against the face itself, the mean face leaves its whole variance: one, in its own scale.
    assert restorer.loss(image, image).item() == pytest.approx(1.0, abs=2e-3)


def test_transfer_copies_the_convolutions_and_nothing_else():
    restorer, network = SRFCN(SMALL), TargetCNN(SMALL)
    before = network.hidden.weight.detach().clone()
    transfer(restorer, network)
    for source, target in zip(restorer.convolutions, network.convolutions, strict=True):
        assert torch.equal(source.weight, target.weight)
        assert source.weight.data_ptr() != target.weight.data_ptr()
    assert torch.equal(before, network.hidden.weight)
    other = TargetCNN(Architecture(channels=(3, 4, 6), hidden=7, size=32))
    with pytest.raises(ConfigError, match="share one architecture"):
        transfer(restorer, other)


def test_temporal_head_looks_back_only_unless_told():
    sequence = torch.randn(1, 10, 7)
    changed = sequence.clone()
    changed[0, 6:] += 1
    forward = TemporalHead(7)
    assert torch.equal(forward(sequence)[0, :6], forward(changed)[0, :6])
    both = TemporalHead(7, bidirectional=True)
    assert not torch.allclose(both(sequence)[0, :6], both(changed)[0, :6])


@given(st.integers(2, 40), st.integers(0, 10**6))
@settings(max_examples=30, deadline=None)
def test_ccc_loss_is_one_minus_the_coefficient_of_its_definition(count, seed):
    x, y = np.random.default_rng(seed).normal(size=(2, count))
    covariance = np.cov(x, y, bias=True)
    expected = 2 * covariance[0, 1] / (np.trace(covariance) + (x.mean() - y.mean()) ** 2)
    assert ccc_loss(torch.from_numpy(x), torch.from_numpy(y)).item() == pytest.approx(1 - expected)


def test_ccc_loss_of_equal_and_of_constant_sequences():
    x = torch.linspace(-1, 1, 9)
    assert ccc_loss(x, x).item() == pytest.approx(0, abs=1e-6)
    assert ccc_loss(-x, x).item() == pytest.approx(2, abs=1e-6)
    constant = torch.zeros(9, requires_grad=True)
    loss = ccc_loss(constant, x)
    loss.backward()
    assert loss.item() == pytest.approx(1)
    assert torch.isfinite(constant.grad).all()


@pytest.mark.parametrize("factor", [1, 2, 3, 4, 6, 8, 12, 16])
def test_down_and_up_again_as_pillow_does(factor):
    frames = faces(2)
    small = downsample(frames, factor)
    assert small.shape == (2, 96 // factor, 96 // factor)
    box = np.asarray(Image.fromarray(frames[0]).resize(small.shape[1:], Image.Resampling.BOX))
    assert np.abs(box.astype(int) - small[0]).max() <= 1  # means of .5 are rounded otherwise
    large = upsample(small, 96)
    cubic = np.asarray(Image.fromarray(small[0]).resize((96, 96), Image.Resampling.BICUBIC))
    assert np.abs(cubic.astype(int) - large[0]).max() <= 1
    assert large.shape == frames.shape


def test_a_factor_that_does_not_divide_is_refused():
    with pytest.raises(ConfigError, match="does not divide"):
        downsample(faces(1), 5)


@pytest.mark.parametrize("codec", ["mpeg4", "h264", "hevc", "av1"])
@pytest.mark.parametrize("factor", [1, 4, 16])
def test_sending_costs_fewer_bits_the_coarser(codec, factor):
    frames = faces(6)
    fine = send(frames, Channel(factor=factor, codec=codec, quantiser=4))
    coarse = send(frames, Channel(factor=factor, codec=codec, quantiser=30))
    intra = send(frames, Channel(factor=factor, codec=codec, quantiser=4, intra=True))
    assert fine.frames.shape == coarse.frames.shape == frames.shape
    assert coarse.bits < fine.bits < intra.bits
    plain = send(frames, Channel(factor=factor))
    near, far = (np.abs(r.frames.astype(int) - plain.frames).mean() for r in (fine, coarse))
    assert near < far
    assert near < 4
    assert fine.bits_per_pixel == pytest.approx(fine.bits / (6 * 96 * 96))


def test_uncoded_transmission_costs_eight_bits_a_sample_sent():
    received = send(faces(3), Channel(factor=4))
    assert received.bits == 3 * 24 * 24 * 8
    assert send(faces(3), Channel()).frames.tolist() == faces(3).tolist()


def test_h264_bits_are_pictures_and_headers_only():
    """x264's account of its own options, 700 bytes, would outweigh the smallest pictures."""
    received = send(faces(2), Channel(factor=16, codec="h264", quantiser=40))
    assert received.bits < 8 * 200


def test_bad_channels_and_architectures_are_refused():
    with pytest.raises(ConfigError, match="go together"):
        Channel(codec="h264")
    with pytest.raises(ConfigError, match="factor is 0"):
        Channel(factor=0)
    with pytest.raises(ConfigError, match="unknown pooling"):
        networks.Architecture(pooling="max")
    with pytest.raises(ConfigError, match="multiple of 16"):
        networks.Architecture(size=90)


def test_interpolation_weights_sum_to_one_everywhere():
    for source in (6, 12, 32, 48):
        matrix = transmission._cubic_matrix(source, 96)
        assert np.allclose(matrix.sum(1), 1)
    constant = np.full((1, 6, 6), 77, np.uint8)
    assert (upsample(constant, 96) == 77).all()
