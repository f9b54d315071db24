"""FAN: frame features weighed by two attentions.

Source: D. Meng, X. Peng, K. Wang, Y. Qiao, "Frame attention networks for facial expression
recognition in videos", ICIP 2019, arXiv:1907.00193 (99.69 % on CK+, 51.18 % on AFEW). With f_i the
feature of frame i:

    alpha_i = sigmoid(q0 . f_i)                       self-attention
    F       = sum alpha_i f_i / sum alpha_i           the clip's global anchor
    beta_i  = sigmoid(q1 . [f_i : F])                 relation-attention
    z       = sum alpha_i beta_i [f_i : F] / sum alpha_i beta_i

In training a clip is cut into three snippets of equal length and one frame is drawn from each; in
testing all frames count.

Left open: the share of dropout (0.3 here, as in all peers). The authors start from a ResNet-18
trained on MS-Celeb-1M and FER+, which explains much of their 99.69 %; here it starts at random,
as all peers of this package do. `width=64` is their ResNet-18.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from mic.models.expression import Expression
from mic.models.shortcut import Shortcut
from mic.peers.padding import encode_valid, lengths_of, mask_of
from mic.peers.size import Size

SNIPPETS = 3


def resnet18(channels: int, *, width: int = 64, grid: int = 1) -> nn.Sequential:
    """ResNet-18 (He et al. 2016) of any width; at 64 it is torchvision's.

    Args:
        channels: Planes of the input.
        width: Feature maps of the first stage; doubled by each of the three others.
        grid: Edge of the grid that any input size is averaged to.

    Returns:
        (N, channels, H, W) -> (N, 8 * width * grid**2).
    """
    # Imported where it is needed: it takes as long as torch.
    from torchvision.models.resnet import BasicBlock

    layers: list[nn.Module] = [
        nn.Conv2d(channels, width, 7, stride=2, padding=3, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.MaxPool2d(3, stride=2, padding=1),
    ]
    inputs = width
    for stage in range(4):
        outputs, stride = width * 2**stage, 1 if stage == 0 else 2
        shortcut = None
        if stride > 1:
            shortcut = nn.Sequential(Shortcut(inputs, outputs, stride), nn.BatchNorm2d(outputs))
        layers += [
            BasicBlock(inputs, outputs, stride=stride, downsample=shortcut),
            BasicBlock(outputs, outputs),
        ]
        inputs = outputs
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(grid), nn.Flatten())


def draw_snippets(lengths: Tensor, *, count: int = SNIPPETS) -> Tensor:
    """One random frame of each of `count` equal parts of each clip, in order.

    Args:
        lengths: (B,) valid frames.
        count: Parts; a clip shorter than that repeats frames.

    Returns:
        (B, count) frame numbers, drawn from torch's generator.
    """
    place = (torch.arange(count) + torch.rand(len(lengths), count)) / count
    # The largest draw below one rounds to the clip's end.
    return (place * lengths[:, None]).long().minimum(lengths[:, None] - 1)


class FrameAttention(nn.Module):
    """ResNet-18, self-attention, relation-attention, classifier.

    Args:
        classes: Number of expressions.
        size: Width and grid are those of the ResNet, which decide how wide its features are.
    """

    def __init__(self, classes: int, size: Size) -> None:
        super().__init__()
        features = 8 * size.width * size.grid**2
        self.z_size = 2 * features
        network = resnet18(3, width=size.width, grid=size.grid)
        self.encoder = nn.Sequential(nn.BatchNorm2d(3), network)
        self.encoder.to(memory_format=torch.channels_last)
        self.drop = nn.Dropout(size.dropout)
        self.self_attention = nn.Linear(features, 1)
        self.relation_attention = nn.Linear(2 * features, 1)
        self.classifier = size.classifier(classes, inputs=2 * features)

    def forward(
        self, clips: Tensor, lengths: Tensor | None = None, motion: Tensor | None = None
    ) -> Expression:
        """(B, T, 3, H, W) pictures, (B,) lengths -> z (B, 16 width), logits."""
        del motion
        if self.training:
            drawn = draw_snippets(lengths_of(clips, lengths))
            clips, lengths = clips[torch.arange(len(clips))[:, None], drawn], None
        frames = encode_valid(self.encoder, clips, lengths)
        valid = mask_of(lengths_of(clips, lengths), clips.shape[1])
        return self.aggregate(frames, valid.to(frames.device))

    def aggregate(self, frames: Tensor, mask: Tensor) -> Expression:
        """Frame features (B, T, 8 width), valid frames (B, T) -> the clip's feature and logits."""
        score = self.self_attention(self.drop(frames))
        weight = torch.sigmoid(score) * mask[..., None]
        share = logsigmoid(score).masked_fill(~mask[..., None], -torch.inf)
        anchor = _mean(frames, weight, share)
        pairs = torch.cat([frames, anchor.expand_as(frames)], 2)
        score = self.relation_attention(self.drop(pairs))
        weight, share = weight * torch.sigmoid(score), share + logsigmoid(score)
        z = _mean(pairs, weight, share).squeeze(1)
        return Expression(z=z, logits=self.classifier(z))


def _mean(features: Tensor, weight: Tensor, share: Tensor) -> Tensor:
    """(B, T, C) features, weighted by (B, T, 1) -> (B, 1, C).

    Args:
        features: Of frames.
        weight: Not negative.
        share: Its logarithm, which tells frames apart where all weights of a clip vanish: below
            e^-103 float32 has none, and their mean would be no number.
    """
    vanished = weight.sum(1, keepdim=True) < torch.finfo(weight.dtype).tiny
    weight = torch.where(vanished, share.softmax(1), weight)
    return (weight * features).sum(1, keepdim=True) / weight.sum(1, keepdim=True)
