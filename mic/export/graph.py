"""Writing ONNX graphs: trained layers in, nodes with folded weights out.

Graphs are written node by node rather than traced by torch's exporter. That of torch 2.14.1, with
onnxscript, gives the same logits and about the same run time, but an LSTM takes clips of any
length only in the first export of a process, a GRU is refused, and an export takes seconds where
this one takes milliseconds: `results/exporter` has the table, a network a row. Here every
normalisation is folded into the weights beside it, and nothing but the `onnx` package is needed.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock

import mic
from mic.errors import ConfigError

OPSET = 17
IR_VERSION = 8  # what came with opset 17, so that runtimes of that age read the files too

_DOCUMENTATION = (
    "An expression network of mic. clips: residuals of R, G, B of the frames of a clip, int16, as "
    "the bitstream gives them; motion: vectors x, y a block in quarter samples. logits: one a "
    "class, before softmax. What `card` and the outputs mean: docs/guide/export.md."
)

_Norm = nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d
_Conv = nn.Conv2d | nn.Conv3d


class Graph:
    """A graph under construction. Values are known by their names, as in ONNX itself."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, np.ndarray] = {}
        self._number = itertools.count()

    def constant(
        self, values: Tensor | np.ndarray | np.floating | Sequence[int], name: str = "c"
    ) -> str:
        """Adds an initialiser; plain sequences become int64, as shapes and axes want it."""
        array = np.asarray(values.detach().cpu() if isinstance(values, Tensor) else values)
        name = f"{name}{next(self._number)}"
        self._constants[name] = array
        return name

    def node(self, kind: str, inputs: Sequence[str], *, outputs: int = 1, **options: Any) -> str:
        """Adds a node and returns its first output's name; the others end in .1, .2, ..."""
        first = f"{kind.lower()}{next(self._number)}"
        names = [first, *(f"{first}.{i}" for i in range(1, outputs))]
        self._nodes.append(helper.make_node(kind, list(inputs), names, name=first, **options))
        return first

    def model(
        self,
        inputs: Mapping[str, Sequence[str | int]],
        outputs: Mapping[str, tuple[str, int | None]],
    ) -> onnx.ModelProto:
        """The finished, checked model.

        Args:
            inputs: Shape of each input, int16; names stand for sizes that may vary.
            outputs: For each output the value it is made of, and its size: (batch, size) float32,
                or (batch,) where it has none.
        """
        for name, (value, _) in outputs.items():
            self._nodes.append(helper.make_node("Identity", [value], [name]))
        graph = helper.make_graph(
            self._nodes,
            "mic",
            [
                helper.make_tensor_value_info(name, TensorProto.INT16, list(shape))
                for name, shape in inputs.items()
            ],
            [
                helper.make_tensor_value_info(
                    name, TensorProto.FLOAT, ["batch"] if size is None else ["batch", size]
                )
                for name, (_, size) in outputs.items()
            ],
            [numpy_helper.from_array(array, name) for name, array in self._constants.items()],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
        model.ir_version = IR_VERSION
        model.producer_name, model.producer_version = "mic", mic.__version__
        model.doc_string = _DOCUMENTATION
        onnx.checker.check_model(model, full_check=True)
        return model


def scale_and_shift(norm: _Norm) -> tuple[Tensor, Tensor]:
    """What a batch normalisation does in evaluation: x -> scale x + shift, per channel."""
    mean, variance = norm.get_buffer("running_mean"), norm.get_buffer("running_var")
    scale = norm.weight / torch.sqrt(variance + norm.eps)
    return scale.detach(), (norm.bias - mean * scale).detach()


def normalised_input(graph: Graph, value: str, norm: _Norm, *, rank: int) -> tuple[str, Tensor]:
    """Integers to floats, less the value that the normalisation maps to zero.

    The rest of the normalisation, a scale, belongs into the first convolution's weights. This is
    exact at the borders too, where the convolution pads with zeros.

    Args:
        graph: Where to add it.
        value: (N, C, ...) int16.
        norm: The normalisation in front of the first convolution.
        rank: Number of dimensions of `value`.

    Returns:
        The float value, and the scale (C,).
    """
    scale, shift = scale_and_shift(norm)
    if bool((scale.abs() < 1e-8).any()):
        raise ConfigError(
            "a channel is scaled to zero: the network does not read all of its input",
            remedy="export it as .pt2, which folds nothing",
        )
    zero = (-shift / scale).view(-1, *[1] * (rank - 2))
    floats = graph.node("Cast", [value], to=TensorProto.FLOAT)
    return graph.node("Sub", [floats, graph.constant(zero, "zero")]), scale


def convolution(
    graph: Graph, value: str, layer: _Conv, norm: _Norm | None, scale: Tensor | None = None
) -> str:
    """A convolution with the normalisation behind it, and the input's scale, in its weights."""
    weight: Tensor = layer.weight
    bias = torch.zeros(len(weight)) if layer.bias is None else layer.bias
    ones = [1] * (weight.dim() - 2)
    if scale is not None:
        weight = weight * scale.view(1, -1, *ones)
    if norm is not None:
        gain, shift = scale_and_shift(norm)
        weight, bias = weight * gain.view(-1, 1, *ones), bias * gain + shift
    return graph.node(
        "Conv",
        [value, graph.constant(weight, "w"), graph.constant(bias, "b")],
        strides=list(layer.stride),
        pads=[*layer.padding, *layer.padding],
    )


def linear(graph: Graph, value: str, layer: nn.Linear, norm: _Norm | None = None) -> str:
    """(N, inputs) -> (N, outputs), with the normalisation behind it in the weights."""
    weight: Tensor = layer.weight
    bias: Tensor = torch.zeros(len(weight)) if layer.bias is None else layer.bias
    if norm is not None:
        gain, shift = scale_and_shift(norm)
        weight, bias = weight * gain[:, None], bias * gain + shift
    inputs = [value, graph.constant(weight, "w"), graph.constant(bias, "b")]
    return graph.node("Gemm", inputs, transB=1)


def pool_to_grid(graph: Graph, value: str, size: tuple[int, int], grid: int) -> str:
    """Adaptive average pooling of the last two dimensions, of any size, as two products."""
    if size == (grid, grid):
        return value
    rows, columns = (graph.constant(_pooling_matrix(edge, grid), "pool") for edge in size)
    left = graph.node("MatMul", [rows, value])
    return graph.node("MatMul", [left, graph.node("Transpose", [columns], perm=[1, 0])])


def _pooling_matrix(edge: int, grid: int) -> Tensor:
    eye = torch.eye(edge)[:, None]
    return nn.functional.adaptive_avg_pool1d(eye, grid)[:, 0].T.contiguous()


def layers(
    graph: Graph, value: str, modules: Iterable[nn.Module], sample: Tensor, scale: Tensor | None
) -> tuple[str, Tensor]:
    """A chain of layers; normalisations disappear into the weights in front of them.

    Args:
        graph: Where to add them.
        value: What enters.
        modules: The layers, in evaluation mode; `nn.Sequential` within is opened.
        sample: A tensor of the shape that enters, for the sizes on the way.
        scale: Still to be applied to what enters; see `normalised_input`.

    Returns:
        What leaves, and a tensor of its shape.

    Raises:
        ConfigError: A layer of another kind.
    """
    chain = _flat(modules)
    for place, layer in enumerate(chain):
        before = sample
        sample = layer(sample)
        behind = chain[place + 1] if place + 1 < len(chain) else None
        norm = behind if isinstance(behind, _Norm) else None
        if isinstance(layer, _Conv):
            value = convolution(graph, value, layer, norm, scale)
            scale = None
        elif isinstance(layer, nn.Linear):
            value = linear(graph, value, layer, norm)
        elif isinstance(layer, _Norm):
            if not (place and isinstance(chain[place - 1], (_Conv, nn.Linear))):
                raise ConfigError("a normalisation stands behind no convolution or linear layer")
        elif isinstance(layer, nn.ReLU):
            value = graph.node("Relu", [value])
        elif isinstance(layer, BasicBlock):
            value = _residual_block(graph, value, layer)
        elif isinstance(layer, (nn.MaxPool2d, nn.MaxPool3d)):
            value = _max_pool(graph, value, layer, before.dim() - 2)
        elif isinstance(layer, nn.AdaptiveAvgPool2d):
            height, width = before.shape[-2:]
            grid = sample.shape[-1]  # always a square
            value = pool_to_grid(graph, value, (height, width), grid)
        elif isinstance(layer, nn.Flatten):
            value = graph.node("Flatten", [value])
        elif not isinstance(layer, (nn.Dropout, nn.Identity)):
            raise ConfigError(
                f"no ONNX form is written for {type(layer).__name__}",
                remedy="export it as .pt2",
            )
    return value, sample


def _flat(modules: Iterable[nn.Module]) -> list[nn.Module]:
    chain: list[nn.Module] = []
    for module in modules:
        chain += _flat(list(module)) if isinstance(module, nn.Sequential) else [module]
    return chain


def _residual_block(graph: Graph, value: str, block: BasicBlock) -> str:
    main = convolution(graph, value, block.conv1, block.bn1)
    main = convolution(graph, graph.node("Relu", [main]), block.conv2, block.bn2)
    if block.downsample is not None:
        value = convolution(graph, value, block.downsample[0], block.downsample[1])
    return graph.node("Relu", [graph.node("Add", [main, value])])


def _max_pool(graph: Graph, value: str, layer: nn.MaxPool2d | nn.MaxPool3d, rank: int) -> str:
    def each(size: int | tuple[int, ...]) -> list[int]:
        return [size] * rank if isinstance(size, int) else list(size)

    return graph.node(
        "MaxPool",
        [value],
        kernel_shape=each(layer.kernel_size),
        strides=each(layer.stride),
        pads=each(layer.padding) * 2,
        ceil_mode=int(layer.ceil_mode),
    )


def recurrent(graph: Graph, value: str, layer: nn.LSTM | nn.GRU) -> tuple[str, str]:
    """One recurrent layer over clips of any length.

    Args:
        graph: Where to add it.
        value: (B, T, inputs).
        layer: One layer, one direction.

    Returns:
        All states (T, 1, B, size) and the last (1, B, size).
    """
    if isinstance(layer, nn.LSTM):
        kind, order, options = "LSTM", [0, 3, 1, 2], {}  # torch has i f g o, ONNX i o f c
    else:
        # torch has r z n, ONNX z r h; torch multiplies by r behind the recurrent bias.
        kind, order, options = "GRU", [1, 0, 2], {"linear_before_reset": 1}

    def gates(name: str) -> Tensor:
        parts = layer.get_parameter(name).chunk(len(order))
        return torch.cat([parts[n] for n in order])

    bias = torch.cat([gates("bias_ih_l0"), gates("bias_hh_l0")])[None]
    inputs = [
        graph.node("Transpose", [value], perm=[1, 0, 2]),
        graph.constant(gates("weight_ih_l0")[None], "w"),
        graph.constant(gates("weight_hh_l0")[None], "r"),
        graph.constant(bias, "b"),
    ]
    outputs = 3 if kind == "LSTM" else 2
    states = graph.node(kind, inputs, outputs=outputs, hidden_size=layer.hidden_size, **options)
    return states, f"{states}.1"
