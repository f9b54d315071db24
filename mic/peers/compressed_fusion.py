"""CoViAR-style fusion: networks for the I-picture, motion and residual, their scores added.

Source: C.-Y. Wu, M. Zaheer, H. Hu, R. Manmatha, A. J. Smola, P. Kraehenbuehl, "Compressed video
action recognition", CVPR 2018 (CoViAR). Motion vectors and residuals are accumulated back to the
I-picture, each kind has a network of its own, trained by itself, and their class scores are added.

Left open by MIC, which only cites it: how it would do on faces. CoViAR's I-picture network is a
ResNet-152 and the others are ResNet-18, all started from ImageNet; here all three are the common
frame CNN and start at random, as all peers of this package do. Scores are added in training, too:
the loss is that of their normalised sum (a geometric mean), so that the three are trained
together, where CoViAR trains each by itself; what two of them know the third learns less of.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mic.errors import ConfigError
from mic.models.expression import Expression
from mic.peers.padding import encode_valid, masked_mean
from mic.peers.size import Size

KINDS = {"picture": 3, "residual": 3, "motion": 2}  # what a stream carries, and its planes


def encoders(size: Size) -> nn.ModuleDict:
    """A frame CNN for each kind of what a stream carries."""
    return nn.ModuleDict({kind: size.encoder(channels=planes) for kind, planes in KINDS.items()})


class CompressedFusion(nn.Module):
    """Three frame networks and the sum of their scores.

    Args:
        classes: Number of expressions.
        size: Of each of the three networks; z holds the features of all.
    """

    def __init__(self, classes: int, size: Size) -> None:
        super().__init__()
        self.z_size = len(KINDS) * size.features
        self.encoders = encoders(size)
        self.classifiers = nn.ModuleDict({kind: size.classifier(classes) for kind in KINDS})

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
            raise ConfigError("the fusion of I-picture, motion and residual needs motion")
        lengths = None if lengths is None else lengths - 1
        features = {
            "picture": self.encoders["picture"](clips[:, 0]),
            "residual": self._mean("residual", clips[:, 1:], lengths),
            "motion": self._mean("motion", motion[:, 1:], lengths),
        }
        scores = [
            self.classifiers[kind](feature).float().log_softmax(1)
            for kind, feature in features.items()
        ]
        z = torch.cat(list(features.values()), 1)
        return Expression(z=z, logits=torch.stack(scores).sum(0))

    def _mean(self, kind: str, clips: Tensor, lengths: Tensor | None) -> Tensor:
        return masked_mean(encode_valid(self.encoders[kind], clips, lengths), lengths)
