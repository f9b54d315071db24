"""Every frame by itself, then a vote: what does time add at all?

Source: the image-based methods that MIC sets itself apart from (its section 2), in their common
form: the clip's label is given to each frame, and a clip's probabilities are the mean over its
frames.

Left open: which frames count. Image-based work on CK+ trains and tests on the last three frames of
each sequence, a choice that uses the annotation of the apex; here all sampled frames vote, neutral
ones too, since nothing in a film says where the apex is.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mic.models.expression import Expression
from mic.peers.padding import encode_valid, lengths_of, mask_of, masked_mean
from mic.peers.size import Size


class FrameVoting(nn.Module):
    """Frame CNN and classifier, and the mean of the frames' probabilities.

    Args:
        classes: Number of expressions.
        size: Of the frame CNN.
    """

    def __init__(self, classes: int, size: Size) -> None:
        super().__init__()
        self.z_size = size.features
        self.encoder = size.encoder()
        self.classifier = size.classifier(classes)

    def forward(
        self, clips: Tensor, lengths: Tensor | None = None, motion: Tensor | None = None
    ) -> Expression:
        """(B, T, 3, H, W) pictures, (B,) lengths -> z (B, z_size), log-probabilities.

        In training the frames' log-probabilities are averaged, and the loss is that of their
        geometric mean, normalised: frames that are sure count more. In testing their
        probabilities are.
        """
        del motion
        frames = encode_valid(self.encoder, clips, lengths)
        scores = self.classifier(frames).float().log_softmax(2)
        count = lengths_of(clips, lengths)
        mask = mask_of(count, clips.shape[1]).to(scores.device)[..., None]
        if self.training:
            logits = masked_mean(scores.masked_fill(~mask, 0), lengths)
        else:
            total = scores.masked_fill(~mask, -torch.inf).logsumexp(1)
            logits = total - count.to(scores)[:, None].log()
        return Expression(z=masked_mean(frames, lengths), logits=logits)
