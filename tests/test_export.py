"""ONNX files say what torch says, at any batch and length; eight bits cost little."""

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from mic import export
from mic.errors import ConfigError, WeightsError
from mic.export.graph import Graph, layers, pool_to_grid
from mic.models import baselines
from mic.models.expression import ExpressionNetwork

CLASSES, STEPS, EDGE = 7, 5, 40
UNROLLED = ("mode-vlstm", "c3d-gru")
EXPORTED = ("cnn-lstm", "mode-vlstm", "fan", "c3d-gru", "coviar", "voting")


def _disturb(network):
    """Trained-looking normalisations: fresh ones would hide a wrong folding."""
    generator = torch.Generator().manual_seed(5)
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            with torch.no_grad():
                for tensor, low, high in (
                    (module.weight, 0.5, 1.5),
                    (module.bias, -0.5, 0.5),
                    (module.running_mean, -0.5, 0.5),
                    (module.running_var, 0.5, 2.0),
                ):
                    tensor.copy_(
                        low + (high - low) * torch.rand(tensor.shape, generator=generator)
                    )
    norms = [m for m in network.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    with torch.no_grad():  # integers of the size of residuals come in
        norms[0].running_var.mul_(400)
    return network.eval()


def _input(count, steps=STEPS, *, motion=False, seed=0):
    random = np.random.default_rng(seed)
    clips = random.integers(-60, 60, (count, steps, 3, EDGE, EDGE), dtype=np.int16)
    moved = random.integers(-9, 9, (count, steps, 2, 8, 8), dtype=np.int16) if motion else None
    return clips, moved


def _network(kind):
    torch.manual_seed(0)
    if kind in baselines.PEERS:
        return _disturb(
            baselines.PeerModel(baselines.PeerMethod(peer=kind, width=4), classes=CLASSES)
        )
    options = {
        "mic": {},
        "mic-mean": {"pooling": "mean"},
        "mic-concat": {"pooling": "concat", "steps": STEPS},
        "mic+T": {"motion": True},
        "mic+resnet6": {"backbone": "resnet6"},
    }[kind]
    return _disturb(ExpressionNetwork(CLASSES, width=4, feature_size=24, z_size=20, **options))


MIC = ("mic", "mic-mean", "mic-concat", "mic+T", "mic+resnet6")


@pytest.mark.parametrize("kind", [*MIC, *EXPORTED])
def test_onnx_says_what_torch_says(kind, tmp_path):
    network = _network(kind)
    motion = kind in ("mic+T", "coviar")
    path = export.export(
        network,
        tmp_path / "network.onnx",
        size=(EDGE, EDGE),
        steps=STEPS,
        motion_size=(8, 8) if motion else None,
    )
    session = export.Session(path)
    assert session.reads_motion == motion
    lengths = [STEPS] if kind in (*UNROLLED, "mic-concat") else [STEPS, 1 + motion, 9]
    batches = [
        _input(count, steps, motion=motion, seed=count + steps)
        for steps in lengths
        for count in (1, 4)
    ]
    found = export.parity(network, session, batches)
    assert found.difference < 1e-4
    assert found.same == found.clips == 5 * len(lengths)
    clips, moved = batches[0]
    with torch.no_grad():
        z = network(
            torch.from_numpy(clips).float(),
            None,
            None if moved is None else torch.from_numpy(moved).float(),
        ).z
    np.testing.assert_allclose(session(clips, moved).z, z.numpy(), atol=1e-4)


def test_a_change_of_one_weight_shows_in_the_parity(tmp_path):
    network = _network("mic")
    session = export.Session(export.export(network, tmp_path / "network.onnx", size=(EDGE, EDGE)))
    with torch.no_grad():
        network.encoder.input_norm.bias[0] += 2.0
    assert export.parity(network, session, [_input(2)]).difference > 1e-4


def test_no_normalisation_is_left_in_the_graph():
    model = export.build(_network("mic+resnet6"), size=(EDGE, EDGE))
    kinds = {node.op_type for node in model.graph.node}
    assert "BatchNormalization" not in kinds
    assert {"Conv", "LSTM"} <= kinds
    assert model.graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.INT16


@pytest.mark.parametrize("peer", ["flow-cnn", "e-convlstm"])
def test_networks_that_compute_flow_are_refused(peer):
    with pytest.raises(ConfigError, match="no ONNX form"):
        export.build(_network(peer), size=(EDGE, EDGE))


def test_an_unknown_layer_is_refused():
    with pytest.raises(ConfigError, match="GELU"):
        layers(Graph(), "x", [nn.GELU()], torch.zeros(1, 2), None)


def test_motion_needs_a_size():
    with pytest.raises(ConfigError, match="motion"):
        export.build(_network("mic+T"), size=(EDGE, EDGE))


@pytest.mark.parametrize("size", [(4, 4), (7, 5), (8, 12), (1, 1)])
def test_pooling_to_a_grid_is_torchs(size):
    graph = Graph()
    cast = graph.node("Cast", ["x"], to=onnx.TensorProto.FLOAT)
    flat = graph.node("Flatten", [pool_to_grid(graph, cast, size, 4)])
    model = graph.model({"x": ("batch", 2, *size)}, {"y": (flat, 32)})
    values = np.random.default_rng(0).integers(-9, 9, (3, 2, *size), dtype=np.int16)
    import onnxruntime

    session = onnxruntime.InferenceSession(model.SerializeToString())
    wanted = nn.functional.adaptive_avg_pool2d(torch.from_numpy(values).float(), 4).flatten(1)
    np.testing.assert_allclose(session.run(None, {"x": values})[0], wanted.numpy(), atol=1e-5)


def test_eight_bits_are_smaller_and_near(tmp_path):
    network = _network("mic")
    path = export.export(network, tmp_path / "network.onnx", size=(EDGE, EDGE))
    small = export.quantise(path, tmp_path / "int8.onnx", [_input(4, seed=n) for n in range(3)])
    assert small.stat().st_size < path.stat().st_size
    clips, _ = _input(16, seed=9)
    full, eight = export.Session(path)(clips), export.Session(small)(clips)
    assert not np.array_equal(full.logits, eight.logits)
    spread = full.logits.std()
    assert np.abs(full.logits - eight.logits).max() < 0.5 * spread


def test_a_damaged_file_is_refused(tmp_path):
    path = tmp_path / "network.onnx"
    path.write_bytes(b"not a network")
    with pytest.raises(WeightsError, match="export it again"):
        export.Session(path)
