"""Shapes, masks and invariances of the networks, and what the closed-form erasure promises."""

from typing import get_args

import pytest
import torch

from mic.errors import ConfigError
from mic.experiments.privacy.erasure import fit_erasure
from mic.inputs.batch import Batch
from mic.models.adversary import Discriminator, GradientReversal
from mic.models.decoder import ApexDecoder
from mic.models.expression import ExpressionNetwork, FrameEncoder
from mic.models.mic import Identity, Method, Mic, Regulariser


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


@pytest.mark.parametrize("backbone", ["cnn4", "resnet6", "resnet18", "resnet50"])
def test_frame_encoder_has_the_papers_width(backbone):
    encoder = FrameEncoder(backbone).eval()
    assert encoder(torch.randn(2, 3, 64, 64)).shape == (2, 512)


def test_resnet6_has_six_weighted_layers_in_its_main_path():
    encoder = FrameEncoder("resnet6")
    weighted = [
        name
        for name, module in encoder.named_modules()
        if isinstance(module, torch.nn.Conv2d | torch.nn.Linear) and "downsample" not in name
    ]
    assert len(weighted) == 6


@pytest.mark.parametrize("size", [28, 56, 112])
def test_any_input_size_gives_the_same_feature_width(size):
    network = ExpressionNetwork(7, width=4).eval()
    answer = network(torch.randn(2, 3, 3, size, size))
    assert answer.z.shape == (2, 512)
    assert answer.logits.shape == (2, 7)


@pytest.mark.parametrize("pooling", ["last", "mean"])
@pytest.mark.parametrize("training", [True, False])
def test_padding_changes_nothing(pooling, training):
    network = ExpressionNetwork(5, width=4, z_size=16, pooling=pooling, dropout=0.0)
    network.train(training)
    clips = torch.randn(3, 6, 3, 32, 32)
    lengths = torch.tensor([6, 2, 4])
    garbage = clips.clone()
    for row, length in enumerate(lengths):
        garbage[row, length:] = 1e4
    torch.testing.assert_close(network(clips, lengths).z, network(garbage, lengths).z)
    if not training:
        alone = network(clips[1:2, :2]).z
        torch.testing.assert_close(network(clips, lengths).z[1:2], alone, rtol=1e-4, atol=1e-5)


def test_tiny_planes_stay_finite_in_mixed_precision():
    # The fault this guards against shows in about half of the attempts.
    for _ in range(20):
        junk = [torch.full((count,), float("nan")) for count in (64, 512, 4096, 20_000)]
        del junk
        encoder = FrameEncoder("cnn4", channels=2, width=8, feature_size=16)
        with torch.autocast("cpu", torch.bfloat16):
            encoder(torch.randn(27, 2, 6, 6)).float().square().sum().backward()
        assert all(torch.isfinite(p.grad).all() for p in encoder.parameters())


def test_order_of_the_frames_matters():
    network = ExpressionNetwork(5, width=4, z_size=16).eval()
    clip = torch.randn(1, 6, 3, 32, 32)
    assert not torch.allclose(network(clip).z, network(clip.flip(1)).z, atol=1e-4)


def test_replication_form_concatenates_all_states():
    network = ExpressionNetwork(
        7, width=2, feature_size=32, z_size=2048, pooling="concat", steps=16
    ).eval()
    assert network(torch.randn(1, 16, 3, 32, 32)).z.shape == (1, 32768)
    with pytest.raises(ConfigError, match="different lengths"):
        network(torch.randn(2, 16, 3, 32, 32), torch.tensor([16, 9]))


def test_motion_branch_contributes_and_is_demanded():
    network = ExpressionNetwork(5, width=4, z_size=16, motion=True).eval()
    clip, motion = torch.randn(2, 4, 3, 32, 32), torch.randn(2, 4, 2, 16, 16)
    assert not torch.allclose(network(clip, None, motion).z, network(clip, None, -motion).z)
    with pytest.raises(ConfigError, match="motion"):
        network(clip)
    with pytest.raises(ConfigError, match="motion"):
        ExpressionNetwork(5, width=4)(clip, None, motion)


@pytest.mark.parametrize(("size", "channels"), [(16, 1), (64, 3)])
def test_decoder_draws_the_size_asked_for(size, channels):
    decoder = ApexDecoder(8, 16, size=size, channels=channels, width=4)
    assert decoder(torch.randn(2, 8), torch.randn(2, 16)).shape == (2, channels, size, size)
    with pytest.raises(ConfigError, match="cannot draw 48"):
        ApexDecoder(8, 16, size=48)


def batch_of(count, *, classes=3, apex=True, identity=5):
    return Batch(
        residual=torch.randn(count, 4, 3, 32, 32),
        lengths=torch.full((count,), 4),
        labels=torch.arange(count) % classes,
        identity=torch.randn(count, identity),
        apex=torch.rand(count, 1, 16, 16) if apex else None,
    )


SMALL = {"width": 4, "feature_size": 16, "z_size": 16, "identity_size": 4, "critic_hidden": 16}
REGULARISERS = get_args(Regulariser)


@pytest.mark.parametrize("name", REGULARISERS)
def test_every_regulariser_reaches_the_encoder_and_no_critic_weight(name):
    batch = batch_of(12)
    model = Mic(Method(regulariser=name, **SMALL), classes=3, identity=batch.identity)
    loss, parts, logits = model.losses(batch, progress=1.0)
    loss.backward()
    assert logits.shape == (12, 3)
    assert torch.isfinite(loss)
    assert ("dependence" in parts) == (name != "none")
    first = next(model.expression.encoder.backbone.parameters())
    assert first.grad is not None
    assert first.grad.abs().sum() > 0
    owned = {id(p) for p in model.parameters_of_encoder()}
    critic = model.regulariser
    if critic is not None and critic.optimizer is not None:
        assert not owned & {id(p) for p in critic.parameters()}
    elif critic is not None:
        assert owned >= {id(p) for p in critic.parameters()}


def test_alpha_rises_over_the_warm_up():
    batch = batch_of(12)
    model = Mic(
        Method(regulariser="nhsic", alpha=1.0, beta=0.0, dropout=0.0, **SMALL),
        classes=3,
        identity=batch.identity,
    )
    start, parts, _ = model.losses(batch, progress=0.0)
    end, _, _ = model.losses(batch, progress=0.5)
    assert float(start.detach()) == pytest.approx(parts["expression"], abs=1e-6)
    assert float((end - start).detach()) == pytest.approx(parts["dependence"], rel=0.05)


def test_apex_term_needs_annotation_and_beta():
    batch = batch_of(6)
    method = Method(regulariser="none", beta=1.0, **SMALL)
    model = Mic(method, classes=3, identity=batch.identity, apex_size=(1, 16))
    assert "apex" in model.losses(batch, progress=1.0)[1]
    assert "apex" not in model.losses(batch_of(6, apex=False), progress=1.0)[1]
    without = Mic(Method(beta=0.0, **SMALL), classes=3, identity=batch.identity, apex_size=(1, 16))
    assert without.decoder is None


def test_identity_is_reduced_to_white_components_with_settled_signs():
    features = torch.randn(40, 10) @ torch.randn(10, 10)
    reduced = Identity(features, size=3)(features)
    torch.testing.assert_close(torch.cov(reduced.T), torch.eye(3), rtol=1e-3, atol=1e-3)
    again = Identity(features[torch.randperm(40)], size=3)(features)
    torch.testing.assert_close(reduced, again, rtol=1e-3, atol=1e-3)
    assert Identity(features[:3], size=16).size == 2  # three clips span two directions
    with pytest.raises(ConfigError, match="do not vary"):
        Identity(torch.ones(5, 4), size=2)


def test_gradient_reversal_flips_the_sign_for_the_encoder_only():
    x, y = torch.randn(20, 6, requires_grad=True), torch.randn(20, 2)
    adversary = GradientReversal(6, 2, hidden=8)
    adversary.penalty(x, y).backward()
    reversed_gradient, own = x.grad.clone(), adversary.network[0].weight.grad.clone()
    x.grad = None
    adversary.zero_grad()
    prediction = adversary.network(adversary.x_norm(x))
    ((prediction - adversary.y_norm(y)) ** 2).mean().backward()
    torch.testing.assert_close(reversed_gradient, -x.grad, rtol=1e-3, atol=1e-6)
    torch.testing.assert_close(own, adversary.network[0].weight.grad, rtol=1e-3, atol=1e-6)


def test_discriminator_tells_dependent_pairs_apart_and_independent_ones_not():
    adversary = Discriminator(2, 2, hidden=32)
    x = torch.randn(200, 2)
    y = x + 0.1 * torch.randn(200, 2)
    for _ in range(200):
        adversary.update(x, y)
    assert adversary.estimate(x, y) > 0.5
    assert abs(adversary.estimate(x, torch.randn(200, 2))) < 0.35


def test_erasure_leaves_nothing_for_a_linear_probe_and_is_a_projection():
    z_i = torch.randn(300, 4)
    z_e = z_i @ torch.randn(4, 20) + torch.randn(300, 20)
    z_i, z_e = z_i.double(), z_e.double()
    erasure = fit_erasure(z_e, z_i, shrinkage=0.0)
    erased = erasure(z_e)
    cross = (erased - erased.mean(0)).T @ (z_i - z_i.mean(0)) / 300
    assert cross.abs().max() < 1e-5
    assert erasure.rank == 4
    torch.testing.assert_close(erasure(erased), erased, rtol=1e-4, atol=1e-4)
    fit = torch.linalg.pinv(erased - erased.mean(0), rtol=1e-9) @ (z_i - z_i.mean(0))
    centred = z_i - z_i.mean(0)
    residual = centred - (erased - erased.mean(0)) @ fit
    assert 1 - residual.var() / centred.var() < 1e-3


def test_erasure_within_classes_keeps_what_separates_the_classes():
    labels = torch.arange(300) % 2
    # Identity and class are confounded: erasing across classes would erase the class.
    z_i = torch.randn(300, 1) + 2.0 * labels[:, None]
    z_e = torch.randn(300, 6)
    z_e[:, 0] += 3.0 * labels
    z_e[:, 1] += z_i[:, 0] - 2.0 * labels

    def gap(z):
        return float((z[labels == 1].mean(0) - z[labels == 0].mean(0)).norm())

    assert gap(fit_erasure(z_e, z_i, within=labels)(z_e)) > 2 * gap(fit_erasure(z_e, z_i)(z_e))
    with pytest.raises(ConfigError, match="cannot be erased"):
        fit_erasure(z_e[:10], torch.randn(10, 6))


def test_options_out_of_range_are_refused():
    with pytest.raises(ConfigError, match="alpha"):
        Method(alpha=1.5)
    with pytest.raises(ConfigError, match="min-min"):
        Method(regulariser="smile", literal_min_min=True)
    with pytest.raises(ConfigError, match="backbone"):
        FrameEncoder("vgg")
    with pytest.raises(ConfigError, match="pooling"):
        ExpressionNetwork(3, pooling="max")
