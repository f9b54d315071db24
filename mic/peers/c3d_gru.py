"""C3D-GRU: spatio-temporal convolutions, then a gated recurrent unit.

Source: the row C3D-GRU (2019) of MIC's tables, its [51] (97.25 % on CK+, 49.87 % on AFEW); the
parts are C3D (Tran et al., ICCV 2015: 3x3x3 convolutions, the first pooling over space only) and
the GRU (Cho et al. 2014).

Left open: which of C3D's eight layers remain and where the GRU reads. Here: four 3x3x3 layers with
batch normalisation, pooled in space after each and never in time, so that clips of a dozen frames
keep their steps; the GRU reads one feature a step. C3D is usually started from Sports-1M; here
everything starts at random, as all peers of this package do.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

from mic.models.expression import Expression
from mic.peers.padding import lengths_of, mask_of
from mic.peers.size import Size


class C3dGru(nn.Module):
    """Four 3-D convolutions, GRU, classifier.

    Args:
        classes: Number of expressions.
        size: Its features are the GRU's state; each step is averaged to its grid.
    """

    def __init__(self, classes: int, size: Size) -> None:
        super().__init__()
        self.z_size, self.grid = size.features, size.grid
        self.input_norm = nn.BatchNorm3d(3)
        self.layers = nn.ModuleList()
        channels = 3
        for layer in range(4):
            wide = size.width * 2**layer
            # C3D pools after a full-size first layer; a stride there saves most of its cost.
            stride = (1, 2, 2) if layer == 0 else 1
            self.layers.append(
                nn.Sequential(
                    nn.Conv3d(channels, wide, 3, stride=stride, padding=1, bias=False),
                    nn.BatchNorm3d(wide),
                    nn.ReLU(),
                    nn.MaxPool3d((1, 2, 2), ceil_mode=True) if layer < 3 else nn.Identity(),
                )
            )
            channels = wide
        self.drop = nn.Dropout(size.dropout)
        self.gru = nn.GRU(channels * size.grid**2, size.features, batch_first=True)
        self.classifier = size.classifier(classes)

    def forward(
        self, clips: Tensor, lengths: Tensor | None = None, motion: Tensor | None = None
    ) -> Expression:
        """(B, T, 3, H, W) pictures, (B,) lengths -> z (B, z_size), logits."""
        del motion
        valid = mask_of(lengths_of(clips, lengths), clips.shape[1])
        mask = valid.to(clips.device)[:, None, :, None, None]
        volume = self.input_norm(clips.transpose(1, 2)) * mask
        for layer in self.layers:
            # A convolution over time would carry the padding's bias into the last valid frames.
            volume = layer(volume) * mask
        steps = nn.functional.adaptive_avg_pool3d(volume, (None, self.grid, self.grid))
        steps = self.drop(steps.transpose(1, 2).flatten(2))
        read: Tensor | PackedSequence = steps
        if lengths is not None:
            read = pack_padded_sequence(
                steps, lengths.cpu(), batch_first=True, enforce_sorted=False
            )
        z = self.gru(read)[1][-1]
        return Expression(z=z, logits=self.classifier(z))
