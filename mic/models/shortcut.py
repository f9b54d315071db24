"""The shortcut of a residual block that changes size: a 1x1 convolution with a stride."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

# Of fewer input channels the gradient of the weights is not asked of oneDNN.
_ONE_VECTOR = 8


class Shortcut(nn.Conv2d):
    """A 1x1 convolution with a stride and without a bias.

    The same as `nn.Conv2d`, and its parameters have the same names. oneDNN 3.12, which computes
    convolutions for PyTorch 2.14, has a fault in the backward pass of this layer in the layout
    `channels_last` where there are fewer input channels than one vector of the processor holds
    (uxlfoundation/oneDNN, issue 6035): with AVX2 it writes behind a buffer, and the process ends
    by "free(): invalid pointer", gets wrong gradients, or waits for ever. Such narrow layers are
    given every `stride`-th sample and no stride.

    Args:
        inputs: Feature maps in.
        outputs: Feature maps out.
        stride: In both directions.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__(inputs, outputs, 1, stride=stride, bias=False)

    def forward(self, input: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, ceil(H / stride), ceil(W / stride))."""
        if self.in_channels >= _ONE_VECTOR:
            return super().forward(input)
        down, across = self.stride
        return functional.conv2d(input[:, :, ::down, ::across], self.weight)
