"""The peers: shapes, padding, gradients, learning, and what makes each of them itself."""

import inspect
import os

import numpy as np
import pytest
import torch
import torchvision

from mic import peers
from mic.errors import ConfigError
from mic.experiments.vote import vote
from mic.faces.fer import Fer, crop
from mic.inputs.batch import Batch
from mic.peers.conv_lstm import EnhancedConvLstm
from mic.peers.frame_attention import draw_snippets, resnet18
from mic.peers.local_binary import LocalBinaryVolume
from mic.peers.mode_variational import ModeVariationalLstm
from mic.peers.optical_flow import LucasKanade, luma, warp

CLASSES, STEPS, EDGE = 7, 6, 32


@pytest.fixture(params=sorted(peers.PEERS))
def name(request):
    return request.param


def _model(name, *, width=4, seed=0):
    torch.manual_seed(seed)
    method = peers.PeerMethod(peer=name, width=width)
    return peers.PeerModel(method, classes=CLASSES)


def _clips(name, count, *, seed=1):
    """Pictures whose brightness pattern moves, and motion for those that read it."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, 10, 10, generator=generator)
    big = torch.nn.functional.interpolate(coarse, 48, mode="bicubic", align_corners=False)
    steps = [big[..., t : t + EDGE, 2 * t : 2 * t + EDGE] for t in range(STEPS)]
    motion = None
    if peers.PEERS[name].reads == "compressed":
        motion = torch.randn(count, STEPS, 2, EDGE // 8, EDGE // 8, generator=generator)
    return torch.stack(steps, 1), motion


def test_every_peer_says_where_it_is_from_and_what_that_leaves_open(name):
    peer = peers.PEERS[name]
    told = inspect.getmodule(peer.network).__doc__
    assert "Source: " in told
    assert "Left open" in told
    assert peer.source
    assert peer.differs
    assert "random" in peer.differs or "random" in told or "without weights" in told


def test_shapes(name):
    model = _model(name).eval()
    clips, motion = _clips(name, 3)
    z, logits = model(clips, None, motion)
    assert z.shape == (3, model.network.z_size)
    assert logits.shape == (3, CLASSES)
    assert torch.isfinite(z).all()


def test_padding_changes_nothing(name):
    model = _model(name).eval()
    clips, motion = _clips(name, 3)
    lengths = torch.tensor([STEPS, 3, 4])
    padded, other = clips.clone(), clips.clone()
    for row, length in enumerate(lengths):
        padded[row, length:] = 0
        other[row, length:] = 5 * torch.randn(STEPS - length, 3, EDGE, EDGE)
    z, logits = model(padded, lengths, motion)
    if motion is not None:
        motion = motion.clone()
        motion[1, 3:] = 99
    again = model(other, lengths, motion)
    torch.testing.assert_close(again.z, z)
    torch.testing.assert_close(again.logits, logits)
    alone = model(clips[1:2, :3], torch.tensor([3]), None if motion is None else motion[1:2, :3])
    torch.testing.assert_close(alone.z, z[1:2], rtol=1e-4, atol=1e-5)


def test_a_clip_answers_alike_alone_and_in_a_batch(name):
    model = _model(name).eval()
    clips, motion = _clips(name, 3)
    together = model(clips, None, motion).logits
    alone = model(clips[2:], None, None if motion is None else motion[2:]).logits
    torch.testing.assert_close(alone, together[2:], rtol=1e-4, atol=1e-5)


def test_every_parameter_gets_a_gradient(name):
    model = _model(name).train()
    clips, motion = _clips(name, 4)
    labels = torch.tensor([0, 1, 2, 3])
    batch = Batch(
        residual=clips,
        lengths=torch.full((4,), STEPS),
        labels=labels,
        identity=torch.zeros(4, 1),
        motion=motion,
    )
    loss, parts, _ = model.losses(batch, progress=0.5)
    loss.backward()
    assert parts["expression"] == pytest.approx(loss.item())
    dead = [key for key, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert dead == []


def test_gradients_do_not_depend_on_the_library_of_kernels(name):
    clips, motion = _clips(name, 4)
    batch = Batch(
        residual=clips,
        lengths=torch.full((4,), STEPS),
        labels=torch.tensor([0, 1, 2, 3]),
        identity=torch.zeros(4, 1),
        motion=motion,
    )
    found = []
    for enabled in (True, False):
        model = _model(name).train()
        torch.manual_seed(2)  # of dropout, and of the frames that are drawn
        with torch.backends.mkldnn.flags(enabled=enabled):
            model.losses(batch, progress=0.5)[0].backward()
        found.append([parameter.grad for parameter in model.parameters()])
    largest = max(gradient.abs().max().item() for gradient in found[1])
    for ours, others in zip(*found, strict=True):
        torch.testing.assert_close(ours, others, rtol=0, atol=1e-3 * largest)


def test_learns_a_handful_of_clips_by_heart(name):
    model = _model(name).train()
    clips, motion = _clips(name, 8)
    labels = torch.arange(8) % 4
    lengths = torch.full((8,), STEPS)
    batch = Batch(
        residual=clips, lengths=lengths, labels=labels, identity=torch.zeros(8, 1), motion=motion
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    for _ in range(40):
        loss, _, _ = model.losses(batch, progress=0.0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.eval()
    answers = model(clips, lengths, motion).logits.argmax(1)
    assert (answers == labels).float().mean() >= 0.875


def test_same_seed_same_weights_and_answers(name):
    clips, motion = _clips(name, 2)
    one, two = (_model(name, seed=3).eval()(clips, None, motion).logits for _ in range(2))
    assert torch.equal(one, two)


def test_local_binary_filters_are_signs_and_stay_what_they_are():
    model = _model("lbvcnn").train()
    layers = [part for part in model.modules() if isinstance(part, LocalBinaryVolume)]
    drawn = [layer.filters.clone() for layer in layers]
    assert set(torch.cat([one.flatten() for one in drawn]).tolist()) == {-1.0, 0.0, 1.0}
    assert (drawn[-1] == 0).float().mean() == pytest.approx(0.5, abs=0.05)
    clips, _ = _clips("lbvcnn", 4)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, weight_decay=0.1)
    model(clips).logits.square().sum().backward()
    optimizer.step()
    assert all(torch.equal(one, layer.filters) for one, layer in zip(drawn, layers, strict=True))
    # A network that is loaded compares as the one that was saved.
    assert [key for key in model.state_dict() if key.endswith("filters")]


def test_a_local_binary_layer_learns_a_27th_of_a_convolution():
    layer = LocalBinaryVolume(16, 16)
    learned = layer.mixture.weight.numel()
    assert torch.nn.Conv3d(16, 16, 3, bias=False).weight.numel() == 27 * learned


def test_unknown_peer_is_refused():
    with pytest.raises(ConfigError, match="there is no peer 'fann'"):
        peers.PeerMethod(peer="fann")


def test_the_fusion_refuses_to_run_without_motion():
    with pytest.raises(ConfigError, match="needs motion"):
        _model("coviar")(torch.zeros(1, 3, 3, EDGE, EDGE))


def test_resnet18_at_width_64_is_torchvisions():
    ours, theirs = resnet18(3), torchvision.models.resnet18(num_classes=1)
    theirs.fc = torch.nn.Identity()
    assert peers.parameter_count(ours) == peers.parameter_count(theirs) == 11_176_512
    state = theirs.state_dict()
    ours.load_state_dict(dict(zip(ours.state_dict(), state.values(), strict=True)))
    picture = torch.randn(2, 3, 64, 64)
    torch.testing.assert_close(ours.eval()(picture), theirs.eval()(picture))


def test_attention_of_equal_frames_is_their_mean():
    fan = _model("fan").network.eval()
    with torch.no_grad():
        for attention in (fan.self_attention, fan.relation_attention):
            attention.weight.zero_()
    frames = torch.randn(2, STEPS, fan.self_attention.in_features)
    z = fan.aggregate(frames, torch.ones(2, STEPS, dtype=torch.bool)).z
    torch.testing.assert_close(z, torch.cat([frames.mean(1), frames.mean(1)], 1))


def test_a_strongly_attended_frame_decides():
    fan = _model("fan").network.eval()
    frames = torch.zeros(1, 4, fan.self_attention.in_features)
    frames[0, 2, 0], frames[0, 1, 1] = 1.0, 1.0
    with torch.no_grad():
        fan.self_attention.weight.zero_()
        fan.self_attention.weight[0, 0] = 40.0
        fan.self_attention.bias.fill_(-20.0)
    z = fan.aggregate(frames, torch.ones(1, 4, dtype=torch.bool)).z
    torch.testing.assert_close(z[0, : frames.shape[2]], frames[0, 2], atol=1e-4, rtol=0)


def test_attention_that_vanishes_for_all_frames_still_tells_them_apart():
    fan = _model("fan").network.eval()
    frames = torch.zeros(2, 4, fan.self_attention.in_features)
    frames[0, 2, 0], frames[0, 1, 1], frames[1, 3, 0] = 1.0, 1.0, 1.0
    frames.requires_grad_(True)
    mask = torch.tensor([[True, True, True, False], [True, True, False, False]])
    with torch.no_grad():
        fan.self_attention.weight.zero_()
        fan.self_attention.weight[0, 0] = 40.0
        fan.self_attention.bias.fill_(-200.0)  # its sigmoid is zero in float32
    z = fan.aggregate(frames, mask).z
    torch.testing.assert_close(z[0, : frames.shape[2]], frames[0, 2], atol=1e-4, rtol=0)
    assert not z[1, : frames.shape[2]].any()  # what is no frame of the clip does not count
    z.square().sum().backward()
    assert frames.grad.isfinite().all()
    assert frames.grad[0, 2].any()


def test_snippets_are_in_order_and_inside():
    torch.manual_seed(0)
    lengths = torch.tensor([3, 9, 30]).repeat(200)
    drawn = draw_snippets(lengths)
    part = lengths[:, None] / 3
    number = torch.arange(3)
    assert (drawn >= torch.floor(number * part)).all()
    assert (drawn < torch.ceil((number + 1) * part)).all()
    assert len(drawn[lengths == 30].unique()) == 30


def test_the_largest_draw_is_the_last_frame(monkeypatch):
    largest = torch.nextafter(torch.tensor(1.0), torch.tensor(0.0))
    monkeypatch.setattr(torch, "rand", lambda *shape: largest.expand(*shape))
    assert draw_snippets(torch.tensor([16])).tolist() == [[5, 10, 15]]


def test_the_mode_cell_without_its_gate_is_an_lstm():
    torch.manual_seed(0)
    layer, lstm = ModeVariationalLstm(5, 4), torch.nn.LSTM(5, 4, batch_first=True)
    with torch.no_grad():
        # Gate order of torch: i, f, g, o; ours: i, f, o, j, m, k, g, u.
        for ours, theirs in ((0, 0), (1, 1), (2, 3), (6, 2)):
            mine, his = slice(4 * ours, 4 * ours + 4), slice(4 * theirs, 4 * theirs + 4)
            layer.from_input.weight[mine] = lstm.weight_ih_l0[his]
            layer.from_state.weight[mine] = lstm.weight_hh_l0[his]
            layer.from_input.bias[mine] = (lstm.bias_ih_l0 + lstm.bias_hh_l0)[his]
        layer.from_input.bias[16:20] = -1e4  # m = 0: nothing of the mode is taken away
    frames = torch.randn(3, 6, 5)
    torch.testing.assert_close(layer(frames), lstm(frames)[0])
    with torch.no_grad():
        layer.from_input.bias[16:20] = 1e4
    assert not torch.allclose(layer(frames), lstm(frames)[0], atol=1e-2)


def test_the_temporal_gate_reaches_two_frames_back():
    torch.manual_seed(0)
    layer = EnhancedConvLstm(3)
    with torch.no_grad():
        layer.older.weight.zero_()
        layer.older.bias.fill_(-1e4)  # shut
    frames = torch.randn(1, 5, 3, 4, 4)
    shut = layer(frames)
    plain = EnhancedConvLstm(3, temporal_gate=False)
    plain.gates.load_state_dict(layer.gates.state_dict())
    torch.testing.assert_close(plain(frames), shut)
    with torch.no_grad():
        layer.older.bias.fill_(1e4)  # open
    opened = layer(frames)
    torch.testing.assert_close(opened[:, :2], shut[:, :2])
    assert not torch.allclose(opened[:, 2:], shut[:, 2:], atol=1e-3)


@pytest.mark.parametrize("iterations", [1, 12])
@pytest.mark.parametrize("shift", [(0.0, 0.0), (1.5, -0.75), (-4.0, 3.0)])
def test_flow_finds_a_known_translation(shift, iterations):
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(1, 1, 16, 16, generator=generator)
    big = torch.nn.functional.interpolate(coarse, 96, mode="bicubic", align_corners=False)
    first = big[..., 16:80, 16:80]
    back = torch.tensor(shift).view(1, 2, 1, 1).expand(1, 2, 96, 96)
    second = warp(big, -back)[..., 16:80, 16:80]
    flow = LucasKanade(iterations=iterations)(first, second)[0, :, 12:-12, 12:-12]
    error = flow - torch.tensor(shift).view(2, 1, 1)
    assert error.abs().mean() < 0.1


def test_flow_does_not_depend_on_brightness_scale_and_is_still_where_nothing_is():
    picture = torch.rand(1, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    moved = picture.roll(1, -1)
    method = LucasKanade()
    torch.testing.assert_close(
        method(picture, moved), method(100 * picture, 100 * moved), rtol=1e-3, atol=1e-3
    )
    assert not method(torch.zeros(1, 1, 32, 32), torch.zeros(1, 1, 32, 32)).any()


def test_luma_of_white_is_white():
    torch.testing.assert_close(luma(torch.ones(2, 3, 4, 4)), torch.ones(2, 1, 4, 4))


def test_the_outsiders_vote_is_over_the_classes_asked_for():
    probabilities = np.zeros((2, 7), np.float32)
    probabilities[0, [3, 6]] = 0.4, 0.6  # happiness, neutral
    probabilities[1, [3, 0]] = 0.2, 0.8  # happiness, anger
    scores = np.exp(vote(probabilities, ["happiness", "contempt", "anger"]))
    np.testing.assert_allclose(scores, [0.6 / 1.4, 0, 0.8 / 1.4], rtol=1e-5)
    with pytest.raises(ConfigError, match="knows none of contempt"):
        vote(probabilities, ["contempt"])


def test_the_outsider_tells_frames_apart_and_repeats_itself(capfd):
    random = np.random.default_rng(0)
    faces = [random.integers(0, 255, (90, 70, 3), np.uint8), np.full((20, 20, 3), 80, np.uint8)]
    first, again = (Fer().probabilities(faces) for _ in range(2))
    assert first.shape == (2, 7)
    np.testing.assert_allclose(first.sum(1), 1, atol=1e-3)
    np.testing.assert_array_equal(first, again)
    assert np.abs(first[0] - first[1]).max() > 0.01
    os.write(2, b"still open")
    assert capfd.readouterr().err == "still open"


def test_boxes_that_leave_the_picture_are_cut():
    picture = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)
    assert crop(picture, np.array([-3.0, 1.2, 2.5, 9.0])).shape == (3, 3, 3)
    assert crop(picture, np.array([7.0, 7.0, 9.0, 9.0])).shape == (1, 1, 3)
