"""Transformer over space, then over time: the kind of network that leads on films since 2021.

Source: Z. Zhao, Q. Liu, "Former-DFER: dynamic facial expression recognition transformer", ACM
Multimedia 2021 (convolutional stem, self-attention over the places of a frame's last feature map,
then over the frames, each with a class token's worth of averaging).

Left open, or reduced: Former-DFER puts attention between the stages of a ResNet-18 (four spatial
blocks) and has three temporal blocks of 512 numbers, trained on twelve thousand clips; here one
spatial and two temporal layers of 128 stand on the small CNN, for a few hundred. Layers are
normalised first (pre-norm), which trains from random weights without a warm-up of its own.

The same network reads accumulated residuals where it is named "residual transformer".
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mic.models.expression import Expression, cnn4
from mic.peers.padding import encode_valid, lengths_of, mask_of, masked_mean
from mic.peers.size import Size

LONGEST = 128  # frames that there are learnt places for


def layers(size: int, *, depth: int, heads: int, dropout: float) -> nn.TransformerEncoder:
    """Pre-norm transformer layers, (B, T, size) -> the same."""
    layer = nn.TransformerEncoderLayer(
        size, heads, 2 * size, dropout, batch_first=True, norm_first=True
    )
    return nn.TransformerEncoder(layer, depth, enable_nested_tensor=False)


class FrameFeatures(nn.Module):
    """A frame's places attend to each other: (N, channels, H, W) -> (N, size).

    Args:
        channels: Planes of the input.
        width: Feature maps of the CNN's first layer.
        size: Width of a token.
        grid: Edge of the grid of places.
        dropout: In the layer.
    """

    def __init__(self, channels: int, *, width: int, size: int, grid: int, dropout: float) -> None:
        super().__init__()
        self.input_norm = nn.BatchNorm2d(channels)
        self.places = grid**2
        self.convolutions = cnn4(channels, width=width, grid=grid)
        self.embed = nn.Linear(8 * width, size)
        self.place = nn.Parameter(0.02 * torch.randn(self.places, size))
        self.attend = layers(size, depth=1, heads=4, dropout=dropout)

    def forward(self, frames: Tensor) -> Tensor:
        """(N, channels, H, W) -> (N, size)."""
        maps = self.convolutions(self.input_norm(frames))
        tokens = maps.unflatten(1, (-1, self.places)).transpose(1, 2)
        return self.attend(self.embed(tokens) + self.place).mean(1)


class FrameTransformer(nn.Module):
    """Frame features, transformer over time, classifier.

    Args:
        classes: Number of expressions.
        size: A token is as wide as its features; its grid is that of a frame's places.
    """

    def __init__(self, classes: int, size: Size) -> None:
        super().__init__()
        self.z_size = size.features
        self.frame = FrameFeatures(
            3,
            width=size.width,
            size=size.features,
            grid=size.grid,
            dropout=size.dropout / 3,
        )
        self.step = nn.Parameter(0.02 * torch.randn(LONGEST, size.features))
        self.attend = layers(size.features, depth=2, heads=4, dropout=size.dropout / 3)
        self.norm = nn.LayerNorm(size.features)
        self.classifier = size.classifier(classes)

    def forward(
        self, clips: Tensor, lengths: Tensor | None = None, motion: Tensor | None = None
    ) -> Expression:
        """(B, T, 3, H, W) frames or residuals, (B,) lengths -> z (B, z_size), logits."""
        del motion
        tokens = encode_valid(self.frame, clips, lengths) + self.step[: clips.shape[1]]
        valid = mask_of(lengths_of(clips, lengths), clips.shape[1]).to(clips.device)
        states = self.norm(self.attend(tokens, src_key_padding_mask=~valid))
        z = masked_mean(states * valid[..., None], lengths)
        return Expression(z=z, logits=self.classifier(z))
