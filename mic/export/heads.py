"""What a recogniser's file may say of z_E besides the class, and its nodes."""

from __future__ import annotations

from typing import cast

import numpy as np
from torch import nn

from mic.export.graph import Graph, linear
from mic.models.expression import ExpressionNetwork
from mic.models.novelty import Novelty


def _valence(graph: Graph, network: nn.Module, z: str) -> str:
    value = linear(graph, z, cast(nn.Linear, network.get_submodule("valence")))
    ends = [graph.constant(np.float32(end)) for end in (-1, 1)]
    return graph.node("Squeeze", [graph.node("Clip", [value, *ends]), graph.constant([1])])


def _novelty(graph: Graph, network: nn.Module, z: str) -> str:
    layer = cast(Novelty, network.get_submodule("novelty"))
    apart = graph.node("Unsqueeze", [z, graph.constant([1])])
    apart = graph.node("Sub", [apart, graph.constant(layer.means[None], "means")])
    apart = graph.node("MatMul", [apart, graph.constant(layer.whitening, "whitening")])
    squares = graph.node("Mul", [apart, apart])
    sums = graph.node("ReduceSum", [squares, graph.constant([2])], keepdims=0)
    nearest = graph.node("Sqrt", [graph.node("ReduceMin", [sums], axes=[1], keepdims=0)])
    return graph.node("Div", [nearest, graph.constant(layer.limit, "limit")])


HEADS = {"valence": _valence, "novelty": _novelty}


def outputs(network: nn.Module) -> tuple[str, ...]:
    """What an exported network says, in order.

    Args:
        network: The part that is tested.

    Returns:
        `logits` (B, classes) and `z` (B, z_size); of a recogniser that was trained with ratings,
        `valence` (B,) in -1 to 1; and where its weights tell how unlike its training a clip is,
        `novelty` (B,), see `mic.models.novelty`.
    """
    known = dict(network.named_children()) if isinstance(network, ExpressionNetwork) else {}
    return ("logits", "z", *(name for name in HEADS if name in known))
