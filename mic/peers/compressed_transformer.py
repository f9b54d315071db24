"""Transformer over what the stream carries: I-picture, residuals and motion as tokens.

Source: J. Chen, C. M. Ho, "MM-ViT: multi-modal video transformer for compressed video action
recognition", WACV 2022: tokens of I-pictures, motion and residuals attend to each other, so that
what moved and what changed are read against what there was.

Left open, or reduced: MM-ViT cuts pictures into patches and starts from ImageNet; here each frame
of each kind is one token, made by the common frame CNN from random weights.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mic.errors import ConfigError
from mic.models.expression import Expression
from mic.peers.compressed_fusion import KINDS, encoders
from mic.peers.frame_transformer import LONGEST, layers
from mic.peers.padding import encode_valid, lengths_of, mask_of
from mic.peers.size import Size


class CompressedTransformer(nn.Module):
    """Tokens of three kinds, transformer, classifier; z is the mean of the tokens.

    Args:
        classes: Number of expressions.
        size: Of each frame CNN; a token is as wide as its features.
    """

    def __init__(self, classes: int, size: Size) -> None:
        super().__init__()
        self.z_size = size.features
        self.encoders = encoders(size)
        self.kind = nn.ParameterDict(
            {kind: nn.Parameter(0.02 * torch.randn(size.features)) for kind in KINDS}
        )
        self.step = nn.Parameter(0.02 * torch.randn(LONGEST, size.features))
        self.attend = layers(size.features, depth=2, heads=4, dropout=size.dropout / 3)
        self.norm = nn.LayerNorm(size.features)
        self.classifier = size.classifier(classes)

    def forward(
        self, clips: Tensor, lengths: Tensor | None = None, motion: Tensor | None = None
    ) -> Expression:
        """One forward pass.

        Args:
            clips: (B, 1 + T, 3, H, W): the I-picture, then residuals.
            lengths: (B,) valid rows of each, the I-picture counted.
            motion: (B, 1 + T, 2, h, w): motion vectors, the first row (the I-picture's) unread.
        """
        if motion is None:
            raise ConfigError("the compressed-video transformer needs motion")
        lengths = None if lengths is None else lengths - 1
        tokens = torch.cat(
            [
                self.encoders["picture"](clips[:, 0])[:, None] + self.kind["picture"],
                self._frames("residual", clips[:, 1:], lengths),
                self._frames("motion", motion[:, 1:], lengths),
            ],
            1,
        )
        there = mask_of(lengths_of(clips[:, 1:], lengths), clips.shape[1] - 1).to(clips.device)
        valid = torch.cat([torch.ones_like(there[:, :1]), there, there], 1)
        states = self.norm(self.attend(tokens, src_key_padding_mask=~valid))
        z = (states * valid[..., None]).sum(1) / valid.sum(1, keepdim=True)
        return Expression(z=z, logits=self.classifier(z))

    def _frames(self, kind: str, frames: Tensor, lengths: Tensor | None) -> Tensor:
        features = encode_valid(self.encoders[kind], frames, lengths)
        return features + self.step[: frames.shape[1]] + self.kind[kind]
