"""The strided 1x1 convolution of residual blocks, whatever its width and the processor."""

import pytest
import torch
from torch import nn

from mic.models.shortcut import Shortcut


@pytest.mark.parametrize("inputs", [1, 3, 4, 6, 7, 8, 12, 16])
@pytest.mark.parametrize(("stride", "edge"), [(2, 8), (2, 9), (3, 8)])
def test_output_and_gradients_are_those_of_a_convolution(inputs, stride, edge):
    torch.manual_seed(inputs)
    ours = Shortcut(inputs, 8, stride).to(memory_format=torch.channels_last)
    # No library of kernels takes part in double precision.
    exact = nn.Conv2d(inputs, 8, 1, stride=stride, bias=False).double()
    assert list(ours.state_dict()) == list(exact.state_dict())
    exact.load_state_dict(ours.state_dict())
    maps = torch.randn(12, inputs, edge, edge).contiguous(memory_format=torch.channels_last)
    for layer, x in ((ours, maps.requires_grad_()), (exact, maps.detach().double())):
        layer(x.requires_grad_()).square().sum().backward()
        if layer is exact:
            torch.testing.assert_close(maps.grad.double(), x.grad, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(ours(maps).double(), exact(maps.double()), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(ours.weight.grad.double(), exact.weight.grad, rtol=1e-4, atol=1e-4)
