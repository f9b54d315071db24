"""Which nodes each network becomes."""

from __future__ import annotations

import copy
from numbers import Integral
from typing import cast

import onnx
import torch
from torch import nn

from mic.errors import ConfigError
from mic.export.flow import flow_from_first, recurrent_maps
from mic.export.graph import (
    Graph,
    layers,
    linear,
    normalised_input,
    pool_to_grid,
    recurrent,
)
from mic.export.heads import HEADS, outputs
from mic.export.local_binary import local_binary
from mic.models.expression import ExpressionNetwork, FrameEncoder
from mic.models.mic import Mic
from mic.peers.c3d_gru import C3dGru
from mic.peers.compressed_fusion import CompressedFusion
from mic.peers.compressed_transformer import CompressedTransformer
from mic.peers.conv_lstm import EnhancedConvLstm, Stream, TwoStreamConvLstm
from mic.peers.frame_attention import FrameAttention
from mic.peers.local_binary import LbvCnn
from mic.peers.mode_variational import ModeVariational
from mic.peers.optical_flow import FlowCnn
from mic.peers.registry import PeerModel
from mic.peers.voting import FrameVoting

INPUTS = {"clips": 3, "motion": 2}
# Their loops over time are unrolled, or time is a dimension of their convolutions.
_UNROLLED = (ModeVariational, C3dGru, LbvCnn, TwoStreamConvLstm)
# Those with an ONNX form.
_WRITTEN = (
    *_UNROLLED,
    ExpressionNetwork,
    FrameAttention,
    FrameVoting,
    CompressedFusion,
    FlowCnn,
)


def tested_part(network: nn.Module) -> nn.Module:
    """What reads clips at test time: MIC's expression branch, the network inside a peer."""
    if isinstance(network, Mic):
        return network.expression
    return network.network if isinstance(network, PeerModel) else network


@torch.no_grad()
def build(
    network: nn.Module,
    *,
    size: tuple[int, int],
    steps: int = 16,
    motion_size: tuple[int, int] | None = None,
) -> onnx.ModelProto:
    """The ONNX form of a trained network, in evaluation.

    Inputs are the integers that `mic.bitstream` gives: `clips` (batch, T, 3, H, W) int16 and, for
    networks that read it, `motion` (batch, T, 2, h, w) int16. Outputs are `logits` and `z`, and
    what else the network says (see `outputs`). The batch may have any size; so may T, but for
    peers whose loop over time is unrolled and where all states stand side by side.

    Args:
        network: MIC, its expression branch, or a peer; left as it is.
        size: Height and width of `clips`.
        steps: T, where it is unrolled or gives shapes.
        motion_size: Height and width of `motion`, where it is read.

    Raises:
        ConfigError: A network that has no ONNX form, or other inputs than it reads.
    """
    network = copy.deepcopy(tested_part(network)).cpu().eval()
    if not isinstance(network, _WRITTEN):
        raise ConfigError(f"{type(network).__name__} has no ONNX form", remedy="export it as .pt2")
    check_inputs(network, size=size, steps=steps, motion_size=motion_size)
    graph = Graph()
    more: dict[str, str] = {}
    if isinstance(network, ExpressionNetwork):
        z, logits = _expression(graph, network, size, motion_size)
        more = {name: HEADS[name](graph, network, z) for name in outputs(network)[2:]}
    elif isinstance(network, ModeVariational):
        z, logits = _mode_variational(graph, network, size, steps)
    elif isinstance(network, FrameAttention):
        z, logits = _frame_attention(graph, network, size)
    elif isinstance(network, FrameVoting):
        z, logits = _voting(graph, network, size)
    elif isinstance(network, C3dGru):
        z, logits = _c3d_gru(graph, network, size, steps)
    elif isinstance(network, LbvCnn):
        z, logits = local_binary(graph, network, size, steps)
    elif isinstance(network, CompressedFusion):
        z, logits = _fusion(graph, network, size, motion_size)
    elif isinstance(network, FlowCnn):
        z, logits = _flow_cnn(graph, network, size)
    else:
        z, logits = _two_streams(graph, network, size, steps)
    side_by_side = isinstance(network, ExpressionNetwork) and network.pooling == "concat"
    fixed = side_by_side or isinstance(network, _UNROLLED)
    time: str | int = steps if fixed else "steps"
    inputs: dict[str, tuple[str | int, ...]] = {"clips": ("batch", time, INPUTS["clips"], *size)}
    if motion_size is not None:
        inputs["motion"] = ("batch", time, INPUTS["motion"], *motion_size)
    made: dict[str, tuple[str, int | None]] = {
        "logits": (logits, _classes(network)),
        "z": (z, network.z_size),
    }
    return graph.model(inputs, made | {name: (value, None) for name, value in more.items()})


def check_inputs(
    network: nn.Module, *, size: tuple[int, int], steps: int, motion_size: tuple[int, int] | None
) -> None:
    """Refuses inputs that the network does not read, and motion that it does and is not given.

    Raises:
        ConfigError: See above.
    """
    for number in (*size, steps, *(motion_size or ())):
        if not isinstance(number, Integral) or number < 1:
            raise ConfigError(
                f"no clip has a size of {number}", remedy="give whole numbers above 0"
            )
    reads = getattr(network, "motion_encoder", None) is not None
    reads |= isinstance(network, (CompressedFusion, CompressedTransformer))
    if reads and motion_size is None:
        raise ConfigError("this network reads motion", remedy="give motion_size")
    if motion_size is not None and not reads:
        raise ConfigError("this network reads no motion", remedy="leave motion_size out")
    if isinstance(network, ExpressionNetwork) and network.pooling == "concat":
        own = network.z_size // network.lstm.hidden_size
        if steps != own:
            raise ConfigError(
                f"this network reads clips of {own} frames, not of {steps}",
                remedy=f"export it for {own} steps",
            )


def _given(size: tuple[int, int] | None) -> tuple[int, int]:
    assert size is not None, "check_inputs has seen to it"
    return size


def _classes(network: nn.Module) -> int:
    # A recogniser's layer from z_E to valence stands behind its classifier.
    part = network.classifier if isinstance(network, ExpressionNetwork) else network
    last = [module for module in part.modules() if isinstance(module, nn.Linear)][-1]
    return last.out_features


def _per_frame(graph: Graph, value: str, channels: int, size: tuple[int, int]) -> str:
    """(B, T, C, H, W) -> (B T, C, H, W)."""
    return graph.node("Reshape", [value, graph.constant([-1, channels, *size], "shape")])


def _per_clip(graph: Graph, frames: str, source: str, width: int) -> str:
    """(B T, width) -> (B, T, width), with B and T those of `source`."""
    sizes = graph.node("Shape", [source], start=0, end=2)
    shape = graph.node("Concat", [sizes, graph.constant([width], "shape")], axis=0)
    return graph.node("Reshape", [frames, shape])


def _frames(
    graph: Graph, encoder: FrameEncoder, source: str, channels: int, size: tuple[int, int]
) -> str:
    value = _per_frame(graph, source, channels, size)
    value, scale = normalised_input(graph, value, encoder.input_norm, rank=4)
    sample = torch.zeros(1, channels, *size)
    return layers(graph, value, [encoder.backbone, encoder.head], sample, scale)[0]


def _classified(graph: Graph, z: str, classifier: nn.Sequential) -> str:
    *_, last = classifier
    return linear(graph, z, cast(nn.Linear, last))


def _expression(
    graph: Graph,
    network: ExpressionNetwork,
    size: tuple[int, int],
    motion_size: tuple[int, int] | None,
) -> tuple[str, str]:
    frames = _frames(graph, network.encoder, "clips", 3, size)
    if network.motion_encoder is not None:
        other = _frames(graph, network.motion_encoder, "motion", 2, _given(motion_size))
        frames = graph.node("Add", [frames, other])
    clips = _per_clip(graph, frames, "clips", network.encoder.feature_size)
    states, last = recurrent(graph, clips, network.lstm)
    if network.pooling == "last":
        z = graph.node("Squeeze", [last, graph.constant([0])])
    elif network.pooling == "mean":
        z = graph.node("ReduceMean", [states], axes=[0, 1], keepdims=0)
    elif network.attention is not None:
        column = graph.constant(network.attention.weight.T)
        scores = graph.node("MatMul", [states, column])  # the bias is the same for all steps
        weights = graph.node("Softmax", [scores], axis=0)
        product = graph.node("Mul", [weights, states])
        z = graph.node("ReduceSum", [product, graph.constant([0, 1])], keepdims=0)
    else:
        states = graph.node("Transpose", [states], perm=[2, 0, 1, 3])
        z = graph.node("Reshape", [states, graph.constant([0, network.z_size], "shape")])
    return z, _classified(graph, z, network.classifier)


def _voting(graph: Graph, network: FrameVoting, size: tuple[int, int]) -> tuple[str, str]:
    frames = _frames(graph, network.encoder, "clips", 3, size)
    scores = graph.node("Softmax", [_classified(graph, frames, network.classifier)], axis=1)
    votes = _per_clip(graph, scores, "clips", _classes(network))
    logits = graph.node("Log", [graph.node("ReduceMean", [votes], axes=[1], keepdims=0)])
    clips = _per_clip(graph, frames, "clips", network.z_size)
    return graph.node("ReduceMean", [clips], axes=[1], keepdims=0), logits


def _frame_attention(
    graph: Graph, network: FrameAttention, size: tuple[int, int]
) -> tuple[str, str]:
    first, *backbone = network.encoder
    norm = cast(nn.BatchNorm2d, first)
    value, scale = normalised_input(graph, _per_frame(graph, "clips", 3, size), norm, rank=4)
    flat, sample = layers(graph, value, backbone, torch.zeros(1, 3, *size), scale)
    width = sample.shape[1]
    frames = _per_clip(graph, flat, "clips", width)

    def attention(features: str, inputs: int, layer: nn.Linear) -> str:
        rows = graph.node("Reshape", [features, graph.constant([-1, inputs], "shape")])
        weights = graph.node("Sigmoid", [linear(graph, rows, layer)])
        return _per_clip(graph, weights, "clips", 1)

    def weighted(weights: str, features: str, keep: int) -> str:
        total = graph.node("ReduceSum", [weights, graph.constant([1])], keepdims=keep)
        product = graph.node("Mul", [weights, features])
        return graph.node(
            "Div",
            [graph.node("ReduceSum", [product, graph.constant([1])], keepdims=keep), total],
        )

    weights = attention(frames, width, network.self_attention)
    anchor = weighted(weights, frames, 1)
    spread = graph.node("Expand", [anchor, graph.node("Shape", [frames])])
    pairs = graph.node("Concat", [frames, spread], axis=2)
    relation = attention(pairs, 2 * width, network.relation_attention)
    z = weighted(graph.node("Mul", [weights, relation]), pairs, 0)
    return z, _classified(graph, z, network.classifier)


def _mode_variational(
    graph: Graph, network: ModeVariational, size: tuple[int, int], steps: int
) -> tuple[str, str]:
    frames = _frames(graph, network.encoder, "clips", 3, size)
    layer = network.lstm
    gates = _per_clip(graph, linear(graph, frames, layer.from_input), "clips", 8 * layer.size)
    split = graph.constant([1] * steps, "split")
    graph_steps = graph.node("Split", [gates, split], outputs=steps, axis=1)
    weight = graph.constant(layer.from_state.weight.T.contiguous(), "r")
    state = cell = mode = ""
    for step in range(steps):
        name = graph_steps if step == 0 else f"{graph_steps}.{step}"
        now = graph.node("Squeeze", [name, graph.constant([1])])
        if state:
            now = graph.node("Add", [now, graph.node("MatMul", [state, weight])])
        sizes = graph.constant([6 * layer.size, 2 * layer.size], "split")
        smooth = graph.node("Split", [now, sizes], outputs=2, axis=1)
        parts = graph.constant([layer.size] * 6, "split")
        open_ = graph.node("Split", [graph.node("Sigmoid", [smooth]), parts], outputs=6, axis=1)
        halves = graph.constant([layer.size] * 2, "split")
        new = graph.node("Split", [graph.node("Tanh", [f"{smooth}.1"]), halves], outputs=2, axis=1)
        i, f, o, j, m, k = open_, *(f"{open_}.{n}" for n in range(1, 6))
        mode = _cell(graph, mode, keep=k, gate=j, new=f"{new}.1")
        cell = _cell(graph, cell, keep=f, gate=i, new=new)
        rest = graph.node("Sub", [cell, graph.node("Mul", [m, mode])])
        state = graph.node("Mul", [o, graph.node("Tanh", [rest])])
    return state, _classified(graph, state, network.classifier)


def _cell(graph: Graph, before: str, *, keep: str, gate: str, new: str) -> str:
    added = graph.node("Mul", [gate, new])
    if not before:
        return added
    return graph.node("Add", [graph.node("Mul", [keep, before]), added])


def _c3d_gru(graph: Graph, network: C3dGru, size: tuple[int, int], steps: int) -> tuple[str, str]:
    value = graph.node("Transpose", ["clips"], perm=[0, 2, 1, 3, 4])
    value, scale = normalised_input(graph, value, network.input_norm, rank=5)
    sample = torch.zeros(1, 3, steps, *size)
    value, sample = layers(graph, value, network.layers, sample, scale)
    height, width = sample.shape[-2:]
    value = pool_to_grid(graph, value, (height, width), network.grid)
    value = graph.node("Transpose", [value], perm=[0, 2, 1, 3, 4])
    width = sample.shape[1] * network.grid**2
    value = graph.node("Reshape", [value, graph.constant([0, 0, width], "shape")])
    z = graph.node("Squeeze", [recurrent(graph, value, network.gru)[1], graph.constant([0])])
    return z, _classified(graph, z, network.classifier)


def _fusion(
    graph: Graph,
    network: CompressedFusion,
    size: tuple[int, int],
    motion_size: tuple[int, int] | None,
) -> tuple[str, str]:
    def part(name: str, first: int, last: int) -> str:
        places = (graph.constant([number]) for number in (first, last, 1))
        return graph.node("Slice", [name, *places])

    behind = 2**31
    sources = {
        "picture": (part("clips", 0, 1), 3, size),
        "residual": (part("clips", 1, behind), 3, size),
        "motion": (part("motion", 1, behind), 2, _given(motion_size)),
    }
    features, scores = [], []
    for kind, (source, channels, edge) in sources.items():
        encoder = cast(FrameEncoder, network.encoders[kind])
        frames = _frames(graph, encoder, source, channels, edge)
        clips = _per_clip(graph, frames, source, encoder.feature_size)
        feature = graph.node("ReduceMean", [clips], axes=[1], keepdims=0)
        features.append(feature)
        classifier = cast(nn.Sequential, network.classifiers[kind])
        logits = _classified(graph, feature, classifier)
        scores.append(graph.node("LogSoftmax", [logits], axis=1))
    return graph.node("Concat", features, axis=1), graph.node("Sum", scores)


def _flow_cnn(graph: Graph, network: FlowCnn, size: tuple[int, int]) -> tuple[str, str]:
    flow = flow_from_first(graph, network.flow, "clips", size)
    frames = _frames(graph, network.encoder, flow, 2, size)
    clips = _per_clip(graph, frames, "clips", network.z_size)
    z = graph.node("ReduceMean", [clips], axes=[1], keepdims=0)
    return z, _classified(graph, z, network.classifier)


def _two_streams(
    graph: Graph, network: TwoStreamConvLstm, size: tuple[int, int], steps: int
) -> tuple[str, str]:
    flow = flow_from_first(graph, network.flow, "clips", size)
    states, sample = [], torch.empty(0)
    for stream, source, channels in ((network.pictures, "clips", 3), (network.motion, flow, 2)):
        last, sample = _stream(graph, stream, source, channels, size, steps)
        states.append(last)
    both = graph.node("Concat", states, axis=1)
    z, _ = layers(graph, both, network.joint, torch.cat([sample, sample], 1), None)
    return z, _classified(graph, z, network.classifier)


def _stream(
    graph: Graph, stream: Stream, source: str, channels: int, size: tuple[int, int], steps: int
) -> tuple[str, torch.Tensor]:
    norm, *convolutions = stream.stem
    value = _per_frame(graph, source, channels, size)
    value, scale = normalised_input(graph, value, cast(nn.BatchNorm2d, norm), rank=4)
    maps, sample = layers(graph, value, convolutions, torch.zeros(1, channels, *size), scale)
    shape = graph.constant([-1, steps, *sample.shape[1:]], "shape")
    clips = graph.node("Reshape", [maps, shape])
    ones = graph.constant([1] * steps, "split")
    first = graph.node("Split", [clips, ones], outputs=steps, axis=1)
    names = [first, *(f"{first}.{n}" for n in range(1, steps))]
    frames = [graph.node("Squeeze", [name, graph.constant([1])]) for name in names]
    for layer in stream.recurrent:
        frames = recurrent_maps(graph, frames, cast(EnhancedConvLstm, layer))
    return frames[-1], sample
