"""E-ConvLSTM: convolutional LSTMs with spatial and temporal skips and temporal gates.

Source: R. Miyoshi, N. Nagata, M. Hashimoto, "Facial-expression recognition from video using
enhanced convolutional LSTM", DICTA 2019, and its longer form in Neural Computing and
Applications, 2020, doi 10.1007/s00521-020-05557-4 (95.72 % on CK+; MIC quotes 45.29 % on AFEW,
with optical flow, at 4 frames per second). What the abstract fixes: a ConvLSTM (Shi et al.,
NeurIPS 2015), skip connections in space and in time, a temporal gate that lets in what is older
than the previous frame, and two streams.

Left open, and our reading: what the streams see (pictures, and optical flow, which MIC's table
mentions), depth and width, and the gate's equation. Here, with * a convolution:

    g_t = sigmoid(W_g * [x_t : h_{t-1} : h_{t-2}])
    H   = h_{t-1} + g_t h_{t-2}                      temporal skip, gated
    i, f, o, u from W * [x_t : H], then c_t and h_t as in any LSTM
    output = h_t + x_t                               spatial skip
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mic.models.expression import Expression
from mic.peers.optical_flow import LucasKanade, flow_from_first
from mic.peers.padding import at_last, encode_valid
from mic.peers.size import Size


class EnhancedConvLstm(nn.Module):
    """One recurrent layer on feature maps.

    Args:
        channels: Feature maps of input, states and output.
        temporal_gate: Whether states older than the previous one are let in.
    """

    def __init__(self, channels: int, *, temporal_gate: bool = True) -> None:
        super().__init__()
        self.channels = channels
        self.gates = nn.Conv2d(2 * channels, 4 * channels, 3, padding=1)
        self.older = nn.Conv2d(3 * channels, channels, 3, padding=1) if temporal_gate else None
        with torch.no_grad():
            # Remembers at the start.
            self.gates.get_parameter("bias")[channels : 2 * channels] = 1.0

    def forward(self, frames: Tensor) -> Tensor:
        """(B, T, channels, h, w) -> the same."""
        before = older = cell = torch.zeros_like(frames[:, 0])
        outputs = []
        for step in range(frames.shape[1]):
            now = frames[:, step]
            state = before
            if self.older is not None:
                gate = torch.sigmoid(self.older(torch.cat([now, before, older], 1)))
                state = before + gate * older
            i, f, o, u = self.gates(torch.cat([now, state], 1)).chunk(4, 1)
            cell = torch.sigmoid(f) * cell + torch.sigmoid(i) * torch.tanh(u)
            older, before = before, torch.sigmoid(o) * torch.tanh(cell)
            outputs.append(before + now)
        return torch.stack(outputs, 1)


class Stream(nn.Module):
    """Strided convolutions to 1/8 of the size, then two recurrent layers.

    Args:
        channels: Planes of the input.
        width: Feature maps of each convolution and of the states.
    """

    def __init__(self, channels: int, *, width: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.BatchNorm2d(channels)]
        for _ in range(3):
            layers += [
                nn.Conv2d(channels, width, 3, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(),
            ]
            channels = width
        self.stem = nn.Sequential(*layers)
        self.recurrent = nn.Sequential(EnhancedConvLstm(channels), EnhancedConvLstm(channels))

    def forward(self, clips: Tensor, lengths: Tensor | None) -> Tensor:
        """(B, T, channels, H, W) -> (B, width, h, w) after each clip's last frame."""
        return at_last(self.recurrent(encode_valid(self.stem, clips, lengths)), lengths)


class TwoStreamConvLstm(nn.Module):
    """A stream of pictures and a stream of flow, joined before the classifier.

    Args:
        classes: Number of expressions.
        size: Its width is that of each `Stream`; the last states are averaged to its grid.
    """

    def __init__(self, classes: int, size: Size) -> None:
        super().__init__()
        self.z_size = size.features
        self.flow = LucasKanade()
        self.pictures = Stream(3, width=size.width)
        self.motion = Stream(2, width=size.width)
        self.joint = nn.Sequential(
            nn.AdaptiveAvgPool2d(size.grid),
            nn.Flatten(),
            nn.Dropout(size.dropout),
            nn.Linear(2 * size.width * size.grid**2, size.features),
            nn.BatchNorm1d(size.features),
            nn.ReLU(),
        )
        self.classifier = size.classifier(classes)

    def forward(
        self, clips: Tensor, lengths: Tensor | None = None, motion: Tensor | None = None
    ) -> Expression:
        """(B, T, 3, H, W) pictures, (B,) lengths -> z (B, z_size), logits."""
        del motion
        flow = flow_from_first(self.flow, clips)
        states = [self.pictures(clips, lengths), self.motion(flow, lengths)]
        z = self.joint(torch.cat(states, 1))
        return Expression(z=z, logits=self.classifier(z))
