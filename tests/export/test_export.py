"""Exported files say what torch says, at any batch, and alone; eight bits cost little."""

import json
import subprocess
import sys

import export_networks as networks
import numpy as np
import onnx
import onnxruntime
import pytest
import recogniser_factory
import torch
from export_networks import EDGE, MIC, STEPS, WITH_FIRST, WITH_MOTION
from torch import nn

from mic import bitstream, cli, config, export, peers
from mic.errors import ConfigError, WeightsError
from mic.experiments import plan
from mic.export.flow import flow_from_first
from mic.export.graph import Graph, layers, pool_to_grid
from mic.peers.optical_flow import LucasKanade
from mic.peers.optical_flow import flow_from_first as torchs_flow_from_first
from mic.recognition.recogniser import Recogniser
from mic.speed import clips, parity

UNROLLED = ("mode-vlstm", "c3d-gru", "lbvcnn", "e-convlstm")
# No graph of theirs is written: they are refused by name, and run as torch programs.
WITHOUT_ONNX = ("frame-transformer", "residual-transformer", "compressed-transformer")


@pytest.mark.parametrize("kind", WITHOUT_ONNX)
def test_networks_without_onnx_form_are_refused_by_name(kind, tmp_path):
    network = networks.network(kind)
    with pytest.raises(ConfigError, match="has no ONNX form"):
        export.build(network, size=(EDGE, EDGE), steps=STEPS)


@pytest.mark.parametrize("kind", [*MIC, *sorted(set(peers.PEERS) - set(WITHOUT_ONNX))])
def test_onnx_says_what_torch_says(kind, tmp_path):
    network = networks.network(kind)
    motion = kind in WITH_MOTION
    path = export.export(
        network,
        tmp_path / "network.onnx",
        size=(EDGE, EDGE),
        steps=STEPS,
        motion_size=(8, 8) if motion else None,
    )
    session = export.Session(path)
    assert session.reads_motion == motion
    least = 1 + (kind in WITH_FIRST)
    lengths = [STEPS] if kind in (*UNROLLED, "mic-concat") else [STEPS, least, 9]
    batches = networks.batches(kind, lengths)
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
    network = networks.network("mic")
    session = export.Session(export.export(network, tmp_path / "network.onnx", size=(EDGE, EDGE)))
    with torch.no_grad():
        network.encoder.input_norm.bias[0] += 2.0
    assert export.parity(network, session, [networks.clips(2)]).difference > 1e-4


def test_no_normalisation_is_left_in_the_graph():
    model = export.build(networks.network("mic+resnet6"), size=(EDGE, EDGE))
    kinds = {node.op_type for node in model.graph.node}
    assert "BatchNormalization" not in kinds
    assert {"Conv", "LSTM"} <= kinds
    assert model.graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.INT16


@pytest.mark.parametrize("size", [(33, 40), (28, 27)])
def test_flow_is_torchs_at_sizes_that_halve_unevenly(size):
    """Smooth pictures that move: noise would be damped away."""
    method = LucasKanade(iterations=2)
    graph = Graph()
    flow = flow_from_first(graph, method, "x", size)
    flat = graph.node("Flatten", [flow])
    count = STEPS * 2 * size[0] * size[1]
    model = graph.model({"x": ("batch", STEPS, 3, *size)}, {"y": (flat, count)})
    generator = torch.Generator().manual_seed(2)
    coarse = torch.rand(2, 3, 12, 12, generator=generator) * 200
    big = nn.functional.interpolate(coarse, 60, mode="bicubic", align_corners=False)
    steps = [big[..., t : t + size[0], 2 * t : 2 * t + size[1]] for t in range(STEPS)]
    clips = torch.stack(steps, 1).round().short()
    wanted = torchs_flow_from_first(method, clips.float())
    assert wanted[:, -1].abs().mean() > 1
    session = onnxruntime.InferenceSession(model.SerializeToString())
    answer = session.run(None, {"x": clips.numpy()})[0].reshape(wanted.shape)
    np.testing.assert_allclose(answer, wanted.numpy(), atol=2e-3)


def test_a_network_without_an_onnx_form_is_refused():
    with pytest.raises(ConfigError, match="Linear has no ONNX form"):
        export.build(nn.Linear(2, 2), size=(EDGE, EDGE))


# The others differ from these in the network alone; each takes seconds to trace.
TRACED = ("mic+T", "mic-attention")


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(kind, marks=[] if kind in TRACED else [pytest.mark.long])
        for kind in (*MIC, *peers.PEERS)
    ],
)
def test_a_program_says_what_torch_says(kind, tmp_path):
    network = networks.network(kind)
    motion = kind in WITH_MOTION
    path = export.export(
        network,
        tmp_path / "network.pt2",
        size=(EDGE, EDGE),
        steps=STEPS,
        motion_size=(8, 8) if motion else None,
    )
    program = export.Program(path)
    batches = [networks.clips(count, motion=motion, seed=count) for count in (1, 4)]
    found = export.parity(network, program, batches)
    assert found.difference < 1e-4
    assert found.same == found.clips == 5


def test_another_suffix_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"onnx or \.pt2"):
        export.export(networks.network("mic"), tmp_path / "network.tflite", size=(EDGE, EDGE))


ALONE = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {absent}:
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Absent())
import json
import numpy as np
clips = np.load(sys.argv[2])
{run}
print(json.dumps({{"classes": json.loads(card)["classes"], "logits": logits.tolist()}}))
"""
WITH_ONNX = """
import onnxruntime
session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
card = session.get_modelmeta().custom_metadata_map["card"]
logits = session.run(["logits"], {"clips": clips})[0]
"""
WITH_TORCH = """
import torch
facts = {"card": ""}
program = torch.export.load(sys.argv[1], extra_files=facts).module()
card = facts["card"]
logits = program(torch.from_numpy(clips))[0].detach()
"""


@pytest.mark.parametrize(
    ("suffix", "absent", "run"),
    [
        (".onnx", ("torch", "mic", "onnx"), WITH_ONNX),
        pytest.param(".pt2", ("mic",), WITH_TORCH, marks=pytest.mark.long),
    ],
)
def test_an_exported_recogniser_runs_by_itself(suffix, absent, run, tmp_path):
    """A process that cannot import what made the file answers as `mic predict` does."""
    recogniser = Recogniser.load(recogniser_factory.write(tmp_path), device="cpu")
    path = tmp_path / f"mic{suffix}"
    assert cli.main(["export", str(tmp_path / "random.safetensors"), "--out", str(path)]) == 0
    if suffix == ".onnx":
        onnx.checker.check_model(onnx.load(path), full_check=True)
    clip = clips.make(tmp_path, width=128, height=128, frames=24, source="carphone")
    with bitstream.open(clip.path) as stream:
        arrays = recogniser.read(stream)
    np.save(tmp_path / "clip.npy", arrays["residual"][None])
    answer = subprocess.run(
        [sys.executable, "-c", ALONE.format(absent=absent, run=run), path, tmp_path / "clip.npy"],
        capture_output=True,
        text=True,
        check=True,
    )
    said = json.loads(answer.stdout)
    assert said["classes"] == list(recogniser.card.classes)
    logits = np.array(said["logits"])
    odds = np.exp(logits - logits.max(1, keepdims=True))
    np.testing.assert_allclose(
        odds / odds.sum(1, keepdims=True), recogniser.probabilities([arrays]), atol=1e-5
    )


def test_the_command_tells_how_far_the_file_is_from_torch(tmp_path, capsys):
    model = recogniser_factory.write(tmp_path, motion=True)
    assert cli.main(["export", str(model), "--out", str(tmp_path / "mic.onnx")]) == 0
    assert "4 of 4 labels" in capsys.readouterr().out
    assert export.Session(tmp_path / "mic.onnx").reads_motion
    assert cli.main(["export", str(model), "--out", str(tmp_path / "mic.tflite")]) == 1
    assert not (tmp_path / "mic.tflite").exists()


def test_an_unknown_layer_is_refused():
    with pytest.raises(ConfigError, match="GELU"):
        layers(Graph(), "x", [nn.GELU()], torch.zeros(1, 2), None)


def test_motion_needs_a_size():
    with pytest.raises(ConfigError, match="motion"):
        export.build(networks.network("mic+T"), size=(EDGE, EDGE))


@pytest.mark.parametrize("size", [(4, 4), (7, 5), (8, 12), (1, 1)])
def test_pooling_to_a_grid_is_torchs(size):
    graph = Graph()
    cast = graph.node("Cast", ["x"], to=onnx.TensorProto.FLOAT)
    flat = graph.node("Flatten", [pool_to_grid(graph, cast, size, 4)])
    model = graph.model({"x": ("batch", 2, *size)}, {"y": (flat, 32)})
    values = np.random.default_rng(0).integers(-9, 9, (3, 2, *size), dtype=np.int16)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    wanted = nn.functional.adaptive_avg_pool2d(torch.from_numpy(values).float(), 4).flatten(1)
    np.testing.assert_allclose(session.run(None, {"x": values})[0], wanted.numpy(), atol=1e-5)


def test_eight_bits_are_smaller_and_near(tmp_path):
    network = networks.network("mic")
    path = export.export(network, tmp_path / "network.onnx", size=(EDGE, EDGE))
    small = export.quantise(
        path, tmp_path / "int8.onnx", [networks.clips(4, seed=n) for n in range(3)]
    )
    assert small.stat().st_size < path.stat().st_size
    clips, _ = networks.clips(16, seed=9)
    full, eight = export.Session(path)(clips), export.Session(small)(clips)
    assert not np.array_equal(full.logits, eight.logits)
    spread = full.logits.std()
    assert np.abs(full.logits - eight.logits).max() < 0.5 * spread


@pytest.mark.parametrize("load", [export.Session, export.Program])
def test_a_damaged_file_is_refused(load, tmp_path):
    path = tmp_path / "network"
    path.write_bytes(b"not a network")
    with pytest.raises(WeightsError, match="export it again"):
        load(path)


@pytest.mark.parametrize(
    ("profile", "rows", "epochs"),
    [("smoke", ["MIC-fast"], 1), pytest.param("default", parity.ROWS, 6, marks=pytest.mark.long)],
)
def test_a_whole_test_fold_is_labelled_alike(profile, rows, epochs, tmp_path):
    chosen = config.load(profile)
    data = plan.dataset("synth-ck", chosen)
    table = parity.parity_table(data, chosen, tmp_path, rows=rows, epochs=epochs)
    assert len(table) == 3 * len(rows)
    full = table[table["engine"] != parity.EIGHT_BITS]
    assert (full["difference"] < 1e-4).all()
    assert (full["same"] == full["n"]).all()
    assert (table["n"] >= (12 if profile == "smoke" else 100)).all()
    assert profile == "smoke" or (table["classes"] >= 4).all()
    small = table[table["engine"] == parity.EIGHT_BITS]
    assert (small["same"] >= 0.9 * small["n"]).all()


@pytest.mark.parametrize("suffix", [".onnx", ".pt2"])
def test_what_a_file_cannot_be_asked_is_refused_and_byte_orders_do_not_matter(suffix, tmp_path):
    network = networks.network("mic")
    path = export.export(network, tmp_path / f"x{suffix}", size=(EDGE, EDGE), steps=STEPS)
    run = (export.Session if suffix == ".onnx" else export.Program)(path)
    clips, motion = networks.clips(2, motion=True)
    wanted = run(clips).logits
    for same in (clips.astype(">i2"), clips[..., ::-1].copy()[..., ::-1]):
        np.testing.assert_array_equal(run(same).logits, wanted)
    for wrong in (
        clips.astype(np.int32),
        clips.astype(np.float32),
        clips[0],
        clips[:0],
        clips[:, :0],
        clips[:, :, :2],
        clips[..., :-1],
        "clips",
    ):
        with pytest.raises(ConfigError):
            run(wrong)
    with pytest.raises(ConfigError):
        run(clips, motion)  # it reads none


def test_a_network_is_not_quantised_by_nothing(tmp_path):
    with pytest.raises(ConfigError, match="calibrate"):
        export.quantise(tmp_path / "x.onnx", tmp_path / "y.onnx", [])
    with pytest.raises(WeightsError, match="ONNX"):
        export.quantise(tmp_path / "x.onnx", tmp_path / "y.onnx", [networks.clips(1)])
