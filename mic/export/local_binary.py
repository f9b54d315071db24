"""The ONNX form of local binary volumes: fixed filters as convolutions, mixed by learned ones."""

from __future__ import annotations

import torch
from onnx import TensorProto
from torch import nn

from mic.export.graph import Graph, convolution, layers, linear, pool_to_grid, scale_and_shift
from mic.peers.local_binary import LbvCnn, LocalBinaryVolume


def local_binary(
    graph: Graph, network: LbvCnn, size: tuple[int, int], steps: int
) -> tuple[str, str]:
    """Adds the network behind the input `clips`; returns the values z and logits."""
    floats = graph.node("Cast", ["clips"], to=TensorProto.FLOAT)
    value = graph.node("Transpose", [floats], perm=[0, 2, 1, 3, 4])
    sample, mask = torch.zeros(1, 3, steps, *size), torch.ones(1, 1, steps, 1, 1)
    for number, layer in enumerate(network.layers):
        assert isinstance(layer, LocalBinaryVolume)
        value, sample = _volume(graph, value, layer), layer(sample, mask)
        if number < len(network.layers) - 1:
            value, sample = layers(graph, value, [network.pool], sample, None)
    height, width = sample.shape[-2:]
    value = pool_to_grid(graph, value, (height, width), network.grid)
    mean = graph.node("ReduceMean", [value], axes=[2], keepdims=0)
    z = graph.node("Relu", [linear(graph, graph.node("Flatten", [mean]), network.features)])
    *_, last = network.classifier
    assert isinstance(last, nn.Linear)
    return z, linear(graph, z, last)


def _volume(graph: Graph, value: str, layer: LocalBinaryVolume) -> str:
    # The normalisation stays in front: a shift folded into the filters would be missing where the
    # convolution pads with zeros.
    gain, shift = (part.view(-1, 1, 1, 1) for part in scale_and_shift(layer.norm))
    scaled = graph.node("Mul", [value, graph.constant(gain, "gain")])
    value = graph.node("Add", [scaled, graph.constant(shift, "shift")])
    compared = graph.node(
        "Conv",
        [value, graph.constant(layer.filters * layer.gain, "signs")],
        strides=list(layer.stride),
        pads=[1] * 6,
    )
    return convolution(graph, graph.node("Relu", [compared]), layer.mixture, None)
