"""LBVCNN: volumes compared with themselves by fixed sparse signs; what is learned are mixtures.

Source: Kumawat, Verma and Raman, "LBVCNN: Local Binary Volume Convolutional Neural Network for
Facial Expression Recognition from Image Sequences", CVPR workshops 2019 (97.38 % on CK+ in MIC's
table 1). A layer's 3x3x3 filters are drawn once, -1, 0 or +1, and never learned; after a rectifier
a 1x1x1 convolution mixes them, so that a layer has 27 times fewer parameters than one that learns
its 3x3x3 filters. The filters are Juefei-Xu et al.'s (CVPR 2017), with time as a third axis.

Left open, as only its abstract and tables were at hand: filters a layer, their sparsity, the
number of layers and what the classifier reads. Here: four layers, half of the weights zero, as
many filters as maps, batch normalisation before each, pooled in space after each and never in
time, from random weights; the classifier reads the mean over time.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mic.models.expression import Expression
from mic.peers.padding import lengths_of, mask_of
from mic.peers.size import Size

SPARSITY = 0.5  # share of the filters' weights that are zero


class LocalBinaryVolume(nn.Module):
    """Fixed filters of -1, 0 and +1, a rectifier, and a learned mixture.

    Args:
        channels: Maps that come in.
        filters: Fixed filters, and maps that go out.
        stride: Of the fixed filters in space.
    """

    filters: Tensor

    def __init__(self, channels: int, filters: int, *, stride: int = 1) -> None:
        super().__init__()
        self.norm = nn.BatchNorm3d(channels)
        shape = (filters, channels, 3, 3, 3)
        signs = torch.randint(0, 2, shape) * 2.0 - 1.0
        # Kept with the weights: a network that draws its filters anew is another network.
        self.register_buffer("filters", signs * (torch.rand(shape) >= SPARSITY))
        self.stride = (1, stride, stride)
        # What comes out varies as what came in: sums of signs over all maps would grow by layer.
        self.gain = (channels * 27 * (1 - SPARSITY)) ** -0.5
        self.mixture = nn.Conv3d(filters, filters, 1)

    def forward(self, volume: Tensor, mask: Tensor) -> Tensor:
        """(B, C, T, H, W), (B, 1, T, 1, 1) 0 behind a clip's end -> (B, filters, T, H', W')."""
        # A normalised zero is no zero: behind a clip's end would be light.
        compared = nn.functional.conv3d(
            self.norm(volume) * mask, self.filters, stride=self.stride, padding=1
        )
        mixed: Tensor = self.mixture(compared.relu() * self.gain)
        return mixed


class LbvCnn(nn.Module):
    """Four local binary volume layers, mean over time, classifier.

    Args:
        classes: Number of expressions.
        size: The feature vector is as long as its features; each step is averaged to its grid.
    """

    def __init__(self, classes: int, size: Size) -> None:
        super().__init__()
        self.z_size, self.grid = size.features, size.grid
        self.layers = nn.ModuleList()
        channels = 3
        for layer in range(4):
            wide = size.width * 2**layer
            self.layers.append(LocalBinaryVolume(channels, wide, stride=2 if layer == 0 else 1))
            channels = wide
        self.pool = nn.MaxPool3d((1, 2, 2), ceil_mode=True)
        self.drop = nn.Dropout(size.dropout)
        self.features = nn.Linear(channels * size.grid**2, size.features)
        self.classifier = size.classifier(classes)

    def forward(
        self, clips: Tensor, lengths: Tensor | None = None, motion: Tensor | None = None
    ) -> Expression:
        """(B, T, 3, H, W) pictures, (B,) lengths -> z (B, z_size), logits."""
        del motion
        valid = mask_of(lengths_of(clips, lengths), clips.shape[1]).to(clips.device)
        mask = valid[:, None, :, None, None].to(clips.dtype)
        volume = clips.transpose(1, 2)
        for number, layer in enumerate(self.layers):
            volume = layer(volume, mask)
            if number < len(self.layers) - 1:
                volume = self.pool(volume)
        steps = nn.functional.adaptive_avg_pool3d(volume * mask, (None, self.grid, self.grid))
        steps = steps.sum(2) / mask.sum(2)
        z = self.features(self.drop(steps.flatten(1))).relu()
        return Expression(z=z, logits=self.classifier(z))
