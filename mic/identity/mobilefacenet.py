"""MobileFaceNet (Chen et al. 2018, "MobileFaceNets", table 1), 0.99 million parameters, 128-D.

Written from the paper's table; the names of the parts are those of the published weights that it
loads (see `mic.storage.assets`, "mobilefacenet"), which use ReLU6 for the paper's PReLU and a 7 x
7 depthwise convolution followed by a 1 x 1 one as the global layer.
"""

from __future__ import annotations

import torch
from torch import nn

# Table 1: expansion, output channels, repetitions, stride of the first repetition.
BOTTLENECKS = ((2, 64, 5, 2), (4, 128, 1, 2), (2, 128, 6, 1), (4, 128, 1, 2), (2, 128, 2, 1))
STEM_CHANNELS = 64
LAST_CHANNELS = 512
DIMENSIONS = 128


def _convolution(
    inputs: int, outputs: int, kernel: int, *, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU6(),
    )


class Bottleneck(nn.Module):
    """Inverted residual: widen, filter each channel, narrow without a nonlinearity."""

    def __init__(self, inputs: int, outputs: int, *, expansion: int, stride: int) -> None:
        super().__init__()
        wide = inputs * expansion
        self.residual = stride == 1 and inputs == outputs
        self.conv = nn.Sequential(
            _convolution(inputs, wide, 1),
            _convolution(wide, wide, 3, stride=stride, groups=wide),
            nn.Conv2d(wide, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(N, inputs, H, W) to (N, outputs, H / stride, W / stride)."""
        narrowed = self.conv(features)
        return features + narrowed if self.residual else narrowed


class MobileFaceNet(nn.Module):
    """Maps aligned faces, (N, 3, 112, 112), to (N, 128) vectors that are not normalised."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = _convolution(3, STEM_CHANNELS, 3, stride=2)
        self.dw_conv = nn.ModuleDict(
            {
                "depthwise": nn.Conv2d(
                    STEM_CHANNELS, STEM_CHANNELS, 3, padding=1, groups=STEM_CHANNELS, bias=False
                ),
                "bn1": nn.BatchNorm2d(STEM_CHANNELS),
                "pointwise": nn.Conv2d(STEM_CHANNELS, STEM_CHANNELS, 1, bias=False),
                "bn2": nn.BatchNorm2d(STEM_CHANNELS),
            }
        )
        blocks: list[nn.Module] = []
        channels = STEM_CHANNELS
        for expansion, outputs, repetitions, stride in BOTTLENECKS:
            for repetition in range(repetitions):
                step = stride if repetition == 0 else 1
                blocks.append(Bottleneck(channels, outputs, expansion=expansion, stride=step))
                channels = outputs
        self.features = nn.Sequential(*blocks)
        self.conv2 = _convolution(channels, LAST_CHANNELS, 1)
        self.gdconv = nn.ModuleDict(
            {
                "depthwise": nn.Conv2d(
                    LAST_CHANNELS, LAST_CHANNELS, 7, groups=LAST_CHANNELS, bias=False
                ),
                "bn": nn.BatchNorm2d(LAST_CHANNELS),
            }
        )
        self.conv3 = nn.Conv2d(LAST_CHANNELS, DIMENSIONS, 1)
        self.bn = nn.BatchNorm2d(DIMENSIONS)

    def forward(self, faces: torch.Tensor) -> torch.Tensor:
        """(N, 3, 112, 112) to (N, 128)."""
        features = self.conv1(faces)
        stem = self.dw_conv
        features = torch.relu(stem["bn1"](stem["depthwise"](features)))
        features = torch.relu(stem["bn2"](stem["pointwise"](features)))
        features = self.conv2(self.features(features))
        # Each channel is summed with a learned weight a place, instead of being averaged.
        features = self.gdconv["bn"](self.gdconv["depthwise"](features))
        return self.bn(self.conv3(features)).flatten(1)
