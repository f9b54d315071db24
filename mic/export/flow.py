"""Optical flow as nodes: `LucasKanade`, and E-ConvLSTM's recurrent maps, which read its flow."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from onnx import TensorProto

from mic.export.graph import Graph, convolution
from mic.peers.conv_lstm import EnhancedConvLstm
from mic.peers.optical_flow import LUMA, LucasKanade

_END = 2**31
Size = tuple[int, int]


def flow_from_first(graph: Graph, method: LucasKanade, clips: str, size: Size) -> str:
    """(B, T, 3, H, W) integers -> (B, T, 2, H, W), the first frame's flow to each; 0 to itself.

    Args:
        graph: Where to add it.
        method: Its settings; it has no weights.
        clips: The pictures.
        size: Height and width.
    """
    floats = graph.node("Cast", [clips], to=TensorProto.FLOAT)
    weights = graph.constant(np.array(LUMA, np.float32).reshape(3, 1, 1), "luma")
    weighed = graph.node("Mul", [floats, weights])
    gray = graph.node("ReduceSum", [weighed, graph.constant([2])], keepdims=1)
    others = _part(graph, gray, 1, _END, axis=1)
    first = _part(graph, gray, 0, 1, axis=1)
    first = graph.node("Expand", [first, graph.node("Shape", [others])])
    flat = graph.constant([-1, 1, *size], "shape")
    one, two = (graph.node("Reshape", [picture, flat]) for picture in (first, others))
    flow = _coarse_to_fine(graph, method, one, two, size)
    clips_and_steps = graph.node("Shape", [others], start=0, end=2)
    shape = graph.node("Concat", [clips_and_steps, graph.constant([2, *size], "shape")], axis=0)
    itself = graph.constant([0, 1, 0, 0, 0, 0, 0, 0, 0, 0], "pads")
    return graph.node("Pad", [graph.node("Reshape", [flow, shape]), itself])


def recurrent_maps(graph: Graph, steps: Sequence[str], layer: EnhancedConvLstm) -> list[str]:
    """One E-ConvLSTM layer, unrolled: (B, channels, h, w) a step -> the same."""
    zero = graph.node("Mul", [steps[0], graph.constant(np.float32(0), "zero")])
    before = older = cell = zero
    outputs = []
    for now in steps:
        state = before
        if layer.older is not None:
            seen = graph.node("Concat", [now, before, older], axis=1)
            gate = graph.node("Sigmoid", [convolution(graph, seen, layer.older, None)])
            state = graph.node("Add", [before, graph.node("Mul", [gate, older])])
        seen = graph.node("Concat", [now, state], axis=1)
        parts = [
            convolution(graph, seen, layer.gates, None),
            graph.constant([layer.channels] * 4, "split"),
        ]
        gates = graph.node("Split", parts, outputs=4, axis=1)
        i, f, o = (graph.node("Sigmoid", [g]) for g in (gates, f"{gates}.1", f"{gates}.2"))
        new = graph.node("Mul", [i, graph.node("Tanh", [f"{gates}.3"])])
        cell = graph.node("Add", [graph.node("Mul", [f, cell]), new])
        older, before = before, graph.node("Mul", [o, graph.node("Tanh", [cell])])
        outputs.append(graph.node("Add", [before, now]))
    return outputs


def _coarse_to_fine(graph: Graph, method: LucasKanade, one: str, two: str, size: Size) -> str:
    pyramid = [(one, two, size)]
    for _ in range(method.levels - 1):
        *pictures, (height, width) = pyramid[-1]
        half = [
            graph.node("AveragePool", [picture], kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1)
            for picture in pictures
        ]
        pyramid.append((half[0], half[1], (-(-height // 2), -(-width // 2))))
    flow = ""
    for one, two, size in reversed(pyramid):
        if flow:
            planes = graph.node("Shape", [flow], start=0, end=2)
            wanted = graph.node("Concat", [planes, graph.constant(size, "size")], axis=0)
            larger = graph.node("Resize", [flow, "", "", wanted], mode="linear")
            flow = graph.node("Mul", [larger, graph.constant(np.float32(2), "two")])
        for _ in range(method.iterations):
            # The search starts from no flow at all: nothing is warped yet.
            warped = _warp(graph, two, flow, size) if flow else two
            flow = _improved(graph, method, flow, one, warped)
    return flow


def _improved(graph: Graph, method: LucasKanade, flow: str, one: str, two: str) -> str:
    def number(value: float) -> str:
        return graph.constant(np.float32(value), "n")

    def product(left: str, right: str) -> str:
        return graph.node("Mul", [left, right])

    both = product(number(0.5), graph.node("Add", [one, two]))
    x, y = _gradients(graph, both)
    t = graph.node("Sub", [two, one])
    if flow:
        moved = (_part(graph, flow, 0, 1, axis=1), _part(graph, flow, 1, 2, axis=1))
        for slope, way in zip((x, y), moved, strict=True):
            t = graph.node("Sub", [t, product(slope, way)])
    pairs = ((x, x), (x, y), (y, y), (x, t), (y, t))
    products = graph.node("Concat", [product(*pair) for pair in pairs], axis=1)
    sums = _window_sums(graph, products, method.window, len(pairs))
    xx, xy, yy, xt, yt = (_part(graph, sums, n, n + 1, axis=1) for n in range(len(pairs)))
    trace = graph.node("ReduceMean", [graph.node("Add", [xx, yy])], axes=[1, 2, 3], keepdims=1)
    damping = graph.node("Add", [product(number(method.damping), trace), number(1e-12)])
    xx, yy = (graph.node("Add", [moment, damping]) for moment in (xx, yy))

    def cross(a: str, b: str, c: str, d: str) -> str:
        return graph.node("Sub", [product(a, b), product(c, d)])

    above = graph.node("Concat", [cross(xy, yt, yy, xt), cross(xy, xt, xx, yt)], axis=1)
    best = graph.node("Div", [above, cross(xx, yy, xy, xy)])
    step = graph.node("Sub", [best, flow]) if flow else best
    step = graph.node("Clip", [step, number(-1), number(1)])
    return graph.node("Add", [flow, step]) if flow else step


def _gradients(graph: Graph, pictures: str) -> tuple[str, str]:
    pads = graph.constant([0, 0, 1, 1, 0, 0, 1, 1], "pads")
    padded = graph.node("Pad", [pictures, pads], mode="edge")
    half = graph.constant(np.float32(0.5), "half")
    slopes = []
    for axis, other in ((3, 2), (2, 3)):
        inner = _part(graph, padded, 1, -1, axis=other)
        ahead, behind = (
            _part(graph, inner, 2, _END, axis=axis),
            _part(graph, inner, 0, -2, axis=axis),
        )
        slopes.append(graph.node("Mul", [half, graph.node("Sub", [ahead, behind])]))
    return slopes[0], slopes[1]


def _window_sums(graph: Graph, planes: str, window: int, channels: int) -> str:
    """Sums over the square around each sample, cut at the edges: rows, then columns."""
    edge = window // 2
    for shape, pads in (((window, 1), [edge, 0]), ((1, window), [0, edge])):
        ones = graph.constant(torch.ones(channels, 1, *shape), "ones")
        planes = graph.node("Conv", [planes, ones], group=channels, pads=pads * 2)
    return planes


def _warp(graph: Graph, pictures: str, flow: str, size: Size) -> str:
    """Reads `pictures` (N, 1, H, W) at p + flow(p), bilinearly; edges are repeated."""
    height, width = size
    y, x = np.mgrid[:height, :width].astype(np.float32)
    here = graph.constant(np.stack([x, y], -1)[None], "here")
    place = graph.node("Add", [here, graph.node("Transpose", [flow], perm=[0, 2, 3, 1])])
    two, one = (graph.constant(np.float32(value), "n") for value in (2, 1))
    scaled = graph.node("Add", [graph.node("Mul", [two, place]), one])
    edges = graph.constant(np.array([width, height], np.float32), "edges")
    grid = graph.node("Sub", [graph.node("Div", [scaled, edges]), one])
    return graph.node(
        "GridSample", [pictures, grid], mode="bilinear", padding_mode="border", align_corners=0
    )


def _part(graph: Graph, value: str, first: int, last: int, *, axis: int) -> str:
    places = (graph.constant([number]) for number in (first, last, axis))
    return graph.node("Slice", [value, *places])
