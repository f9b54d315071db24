"""The expression branch: residuals -> f_E, a small CNN per frame -> LSTM -> z_E.

"MIC" of the paper is `cnn4` with `steps=16`; "+ResNet6" and the replication's ResNet-50 are the
other backbones; "+T" adds a second, smaller CNN on the motion vectors, whose frame features are
summed with those of the residuals before the LSTM.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from mic.errors import ConfigError
from mic.models.shortcut import Shortcut

Backbone = Literal["cnn4", "resnet6", "resnet18", "resnet50"]
Pooling = Literal["last", "mean", "concat", "attention"]


class Expression(NamedTuple):
    """What the expression branch makes of a batch.

    Attributes:
        z: (B, z_size), the expression feature z_E.
        logits: (B, classes).
    """

    z: Tensor
    logits: Tensor


def cnn4(channels: int, *, width: int = 16, grid: int = 1) -> nn.Sequential:
    """Four strided 3x3 convolutions, then averages over the cells of a coarse grid.

    Args:
        channels: Planes of the input.
        width: Feature maps of the first layer; doubled by each next one.
        grid: Edge of the grid that any input size is averaged to. With 1, where something moved
            must be told from how it looks, which makes features robust to displaced faces.

    Returns:
        (N, channels, H, W) -> (N, 8 * width * grid**2).
    """
    layers: list[nn.Module] = []
    for layer in range(4):
        wide = width * 2**layer
        layers += [
            nn.Conv2d(channels, wide, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(wide),
            nn.ReLU(),
        ]
        channels = wide
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(grid), nn.Flatten())


def resnet6(channels: int, *, width: int = 16, grid: int = 1) -> nn.Sequential:
    """Stem, two basic residual blocks, and the frame layer that `FrameEncoder` adds: six layers.

    Args:
        channels: Planes of the input.
        width: Feature maps of the stem; the blocks have 2 and 4 times as many.
        grid: See `cnn4`.

    Returns:
        (N, channels, H, W) -> (N, 4 * width * grid**2).
    """
    # Imported where it is needed: it takes as long as torch, and the shipped network has none.
    from torchvision.models.resnet import BasicBlock

    def stage(inputs: int, outputs: int) -> nn.Module:
        shortcut = nn.Sequential(Shortcut(inputs, outputs, 2), nn.BatchNorm2d(outputs))
        return BasicBlock(inputs, outputs, stride=2, downsample=shortcut)

    return nn.Sequential(
        nn.Conv2d(channels, width, 5, stride=2, padding=2, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        stage(width, 2 * width),
        stage(2 * width, 4 * width),
        nn.AdaptiveAvgPool2d(grid),
        nn.Flatten(),
    )


def _torchvision_resnet(name: str, channels: int) -> nn.Sequential:
    from torchvision import models

    network = models.get_model(name, weights=None)
    if channels != 3:
        network.conv1 = nn.Conv2d(channels, 64, 7, stride=2, padding=3, bias=False)
    return nn.Sequential(*list(network.children())[:-1], nn.Flatten())


class FrameEncoder(nn.Module):
    """f_E: one frame of residuals to a feature.

    Args:
        backbone: `cnn4`, `resnet6`, `resnet18` or `resnet50`.
        channels: Planes of the input: 3 for residuals, 2 for motion.
        feature_size: Width of the frame feature; the paper's is 512. 0 keeps the backbone's own.
        width: Feature maps of the first layer of `cnn4` and `resnet6`.
        grid: Their last averaging; see `cnn4`.
        dropout: Share of the backbone's outputs that is dropped in training.
    """

    def __init__(
        self,
        backbone: Backbone = "cnn4",
        *,
        channels: int = 3,
        feature_size: int = 512,
        width: int = 16,
        grid: int = 1,
        dropout: float = 0.3,
    ) -> None:
        super().__init__()
        # The scale of residuals depends on quantiser, scale and representation: learnt, as in
        # CoViAR, instead of fixed.
        self.input_norm = nn.BatchNorm2d(channels)
        if backbone == "cnn4":
            self.backbone, size = cnn4(channels, width=width, grid=grid), 8 * width * grid**2
        elif backbone == "resnet6":
            self.backbone, size = resnet6(channels, width=width, grid=grid), 4 * width * grid**2
        elif backbone in ("resnet18", "resnet50"):
            self.backbone = _torchvision_resnet(backbone, channels)
            size = 512 if backbone == "resnet18" else 2048
        else:
            raise ConfigError(
                f"unknown backbone {backbone!r}",
                remedy="choose cnn4, resnet6, resnet18 or resnet50",
            )
        # Below this edge some layer sees 1x1 planes, whose bfloat16 convolution reads
        # uninitialised memory on CPUs (oneDNN as of torch 2.14.1): NaN every few batches.
        self.least_edge = 16 if backbone in ("cnn4", "resnet6") else 64
        self.feature_size = feature_size or size
        self.head: nn.Module = nn.Identity()
        if feature_size:
            self.head = nn.Sequential(
                nn.Dropout(dropout),
                nn.Linear(size, feature_size),
                nn.BatchNorm1d(feature_size),
                nn.ReLU(),
            )
        self.to(memory_format=torch.channels_last)

    def forward(self, frames: Tensor) -> Tensor:
        """(N, channels, H, W) -> (N, feature_size)."""
        if min(frames.shape[-2:]) >= self.least_edge:
            return self._features(frames)
        with torch.autocast(frames.device.type, enabled=False):
            return self._features(frames)

    def _features(self, frames: Tensor) -> Tensor:
        # Three channels are normalised fastest plane by plane, convolved fastest side by side.
        normalised = self.input_norm(frames.contiguous())
        return self.head(self.backbone(normalised.contiguous(memory_format=torch.channels_last)))


class ExpressionNetwork(nn.Module):
    """Residual frames of a clip to z_E and class scores.

    Padding never matters: only the valid frames of a batch enter the CNN (so that they alone make
    its batch statistics), and the LSTM runs on packed sequences.

    Args:
        classes: Number of expressions.
        backbone: See `FrameEncoder`.
        width: See `FrameEncoder`.
        grid: See `FrameEncoder`.
        feature_size: Width of the frame feature.
        z_size: Width of z_E, the LSTM's state.
        pooling: z_E is the state after the last frame (`last`), the mean over frames (`mean`) or,
            as in the replication, all states side by side (`concat`; clips of equal length only),
            or their mean weighted by a learnt score of each (`attention`).
        dropout: In front of the classifier and inside the frame encoder.
        motion: Whether there is a motion branch ("+T").
        steps: Frames a clip; needed by `concat` only.
    """

    def __init__(
        self,
        classes: int,
        *,
        backbone: Backbone = "cnn4",
        width: int = 16,
        grid: int = 1,
        feature_size: int = 512,
        z_size: int = 512,
        pooling: Pooling = "last",
        dropout: float = 0.3,
        motion: bool = False,
        steps: int = 16,
    ) -> None:
        super().__init__()
        self.encoder = FrameEncoder(
            backbone, feature_size=feature_size, width=width, grid=grid, dropout=dropout
        )
        size = self.encoder.feature_size
        self.motion_encoder = (
            FrameEncoder(
                "cnn4",
                channels=2,
                feature_size=size,
                width=width // 2,
                grid=grid,
                dropout=dropout,
            )
            if motion
            else None
        )
        self.lstm = nn.LSTM(size, z_size, batch_first=True)
        if pooling not in get_args(Pooling):
            raise ConfigError(
                f"unknown pooling {pooling!r}",
                remedy=f"choose one of {', '.join(get_args(Pooling))}",
            )
        self.pooling = pooling
        self.attention = nn.Linear(z_size, 1) if pooling == "attention" else None
        self.z_size = z_size * steps if pooling == "concat" else z_size
        self.classifier = nn.Sequential(nn.Dropout(dropout), nn.Linear(self.z_size, classes))

    def forward(
        self, residual: Tensor, lengths: Tensor | None = None, motion: Tensor | None = None
    ) -> Expression:
        """One forward pass.

        Args:
            residual: (B, T, 3, H, W), floating point, padded at the end.
            lengths: (B,) valid frames of each clip, on the CPU; all T by default.
            motion: (B, T, 2, h, w); required exactly if the network has a motion branch.
        """
        batch, steps = residual.shape[:2]
        if lengths is None:
            lengths = torch.full((batch,), steps)
        if (motion is None) != (self.motion_encoder is None):
            raise ConfigError("motion must be given if, and only if, there is a motion branch")
        index = None
        if int(lengths.min()) < steps:
            valid = torch.arange(steps)[None] < lengths[:, None]
            index = valid.flatten().nonzero().squeeze(1).to(residual.device)
        frames = self.encoder(_rows(residual, index))
        if motion is not None and self.motion_encoder is not None:
            frames = frames + self.motion_encoder(_rows(motion, index))
        if index is not None:
            padded = frames.new_zeros(batch * steps, frames.shape[1])
            frames = padded.index_copy(0, index, frames)
        z = self._summary(frames.view(batch, steps, -1), lengths)
        return Expression(z=z, logits=self.classifier(z))

    def _summary(self, frames: Tensor, lengths: Tensor) -> Tensor:
        packed = pack_padded_sequence(frames, lengths, batch_first=True, enforce_sorted=False)
        states, (last, _) = self.lstm(packed)
        if self.pooling == "last":
            return last[-1]
        states, _ = pad_packed_sequence(states, batch_first=True, total_length=frames.shape[1])
        if self.attention is not None:
            valid = torch.arange(frames.shape[1])[None] < lengths[:, None]
            scores = self.attention(states).squeeze(2).masked_fill(~valid.to(frames.device), -1e9)
            return (scores.softmax(1)[..., None] * states).sum(1)
        if self.pooling == "mean":
            return states.sum(1) / lengths.to(states)[:, None]
        if not bool((lengths == frames.shape[1]).all()):
            raise ConfigError(
                "clips of different lengths cannot be concatenated",
                remedy="sample the same number of frames, or choose another pooling",
            )
        return states.flatten(1)


def _rows(planes: Tensor, index: Tensor | None) -> Tensor:
    """(B, T, ...) to the (N, ...) frames that are valid; no copy where all are."""
    frames = planes.flatten(0, 1)
    return frames if index is None else frames[index]
