"""Networks of the low-bit-rate system: valence from a face that arrived small and coarse.

B. Cheng, Z. Wang, Z. Zhang, Z. Li, D. Liu, J. Yang, S. Huang, T. S. Huang: "Robust emotion
recognition from low quality and low bit rate video: a deep learning approach", ACII 2017. The
target network regresses valence from a gray face; SR-FCN shares its three convolutions, without
pooling, and restores the sharp face. Pre-training the second initialises the first.

Where the paper and the code its authors released differ, both are options; the defaults are the
paper's, and notebook 08 measures the difference.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from mic.errors import ConfigError

Normalisation = Literal["contrast", "unit"]
Pooling = Literal["quadrant", "stride4"]


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """Sizes and open choices of both networks.

    Attributes:
        channels: Filters of the three convolutions.
        kernel: Their edge.
        hidden: Units of the fully connected layer.
        dropout: Its rate.
        pooling: After the third convolution: `quadrant`, the maximum of each quarter of the map
            (paper), or `stride4`, of each 4 x 4 block (released code).
        normalisation: `contrast`: each face to zero mean and unit deviation (paper); `unit`:
            samples divided by 255 (released code).
        skip: SR-FCN adds what it finds to the enlarged face instead of drawing it anew, as the
            paper's does; it then needs far fewer steps to be better than interpolation.
        size: Edge of the face in samples.
    """

    channels: tuple[int, int, int] = (64, 128, 256)
    kernel: int = 5
    hidden: int = 300
    dropout: float = 0.5
    pooling: Pooling = "quadrant"
    normalisation: Normalisation = "contrast"
    skip: bool = False
    size: int = 96

    def __post_init__(self) -> None:
        if self.pooling not in ("quadrant", "stride4"):
            raise ConfigError(f"unknown pooling {self.pooling!r}; known: quadrant, stride4")
        if self.normalisation not in ("contrast", "unit"):
            raise ConfigError(f"unknown normalisation {self.normalisation!r}")
        if self.kernel % 2 == 0 or self.size % 16:
            raise ConfigError("kernel must be odd and size a multiple of 16")


def normalise(images: Tensor, architecture: Architecture) -> tuple[Tensor, Tensor, Tensor]:
    """Brings faces to the scale that the networks take.

    Args:
        images: Samples 0..255, (N, S, S), any real type.
        architecture: Its `normalisation` is used.

    Returns:
        The faces (N, 1, S, S) float32, and the offset and scale (N, 1, 1, 1) that were taken out.
    """
    faces = images.to(torch.float32).unsqueeze(1)
    if architecture.normalisation == "unit":
        offset = faces.new_zeros(len(faces), 1, 1, 1)
        scale = faces.new_full((len(faces), 1, 1, 1), 255.0)
    else:
        offset = faces.mean((1, 2, 3), keepdim=True)
        # A face that a coarse quantiser made flat has no contrast to stretch.
        scale = faces.std((1, 2, 3), keepdim=True).clamp_min(1.0)
    maps = ((faces - offset) / scale).contiguous(memory_format=torch.channels_last)
    return maps, offset, scale


class TargetCNN(nn.Module):
    """Valence of one gray face (section 3, figure 3).

    Conv 5x5-64, max pool 2, conv 5x5-128, max pool 2, conv 5x5-256, quadrant pooling, fully
    connected 300 with dropout, linear 1; ReLU after each but the last.

    Args:
        architecture: Sizes and choices.
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = architecture
        self.convolutions = _convolutions(architecture)
        edge = 2 if architecture.pooling == "quadrant" else architecture.size // 16
        self.hidden = nn.Linear(architecture.channels[2] * edge * edge, architecture.hidden)
        self.dropout = nn.Dropout(architecture.dropout)
        self.output = nn.Linear(architecture.hidden, 1)
        self.pool = nn.MaxPool2d(2)
        self.last_pool = nn.AdaptiveMaxPool2d(edge)

    def features(self, images: Tensor) -> Tensor:
        """Activations of the fully connected layer, (N, hidden), of faces (N, S, S) in 0..255."""
        maps, _, _ = normalise(images, self.architecture)
        first, second, third = self.convolutions
        # The larger of two is rectified, not both: the same numbers, and fewer of them.
        maps = torch.relu(self.pool(first(maps)))
        maps = torch.relu(self.pool(second(maps)))
        maps = torch.relu(self.last_pool(third(maps)))
        return torch.relu(self.hidden(maps.flatten(1)))

    def forward(self, images: Tensor) -> Tensor:
        """Valence (N,) of faces (N, S, S), samples 0..255."""
        return self.output(self.dropout(self.features(images))).squeeze(1)

    def transferred(self) -> list[nn.Parameter]:
        """The parameters that `transfer` fills, which are then trained more slowly."""
        return list(self.convolutions.parameters())


class SRFCN(nn.Module):
    """Restores the sharp face: the target network's convolutions, unpooled, and one 5x5-1 more.

    Args:
        architecture: Sizes and choices, those of the target network.
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = architecture
        self.convolutions = _convolutions(architecture)
        kernel = architecture.kernel
        self.output = nn.Conv2d(architecture.channels[2], 1, kernel, padding=kernel // 2)
        if architecture.skip:  # begin with the face as it came
            for parameter in self.output.parameters():
                nn.init.zeros_(parameter)

    def forward(self, images: Tensor) -> Tensor:
        """Restored faces (N, S, S) in 0..255, not clipped, of faces enlarged to the full size."""
        faces, offset, scale = normalise(images, self.architecture)
        maps = faces
        for convolution in self.convolutions:
            maps = torch.relu(convolution(maps))
        restored = self.output(maps)
        if self.architecture.skip:
            restored = restored + faces
        return (restored * scale + offset).squeeze(1)

    def loss(self, images: Tensor, sharp: Tensor) -> Tensor:
        """Mean squared error in units of each enlarged face's own scale (the paper's MSE)."""
        _, _, scale = normalise(images, self.architecture)
        error = (self(images) - sharp.to(torch.float32)) / scale.squeeze(1)
        return error.square().mean()


class TemporalHead(nn.Module):
    """Valence over time from the target network's features: the paper's future work.

    Args:
        inputs: Features a frame.
        hidden: Units of the LSTM, in each direction.
        bidirectional: Whether frames to come are used; False suits live video.
    """

    def __init__(self, inputs: int, *, hidden: int = 64, bidirectional: bool = False) -> None:
        super().__init__()
        self.lstm = nn.LSTM(inputs, hidden, batch_first=True, bidirectional=bidirectional)
        self.output = nn.Linear(hidden * (2 if bidirectional else 1), 1)

    def forward(self, features: Tensor) -> Tensor:
        """Valence (N, T) of feature sequences (N, T, inputs)."""
        return self.output(self.lstm(features)[0]).squeeze(-1)


def transfer(source: SRFCN, target: TargetCNN) -> None:
    """Initialises the target network's convolutions from SR-FCN's (section 3).

    Raises:
        ConfigError: The two are of different architectures.
    """
    if source.architecture != target.architecture:
        raise ConfigError("SR-FCN and target network must share one architecture")
    target.convolutions.load_state_dict(source.convolutions.state_dict())


def ccc_loss(prediction: Tensor, truth: Tensor) -> Tensor:
    """One minus the concordance correlation coefficient, over all elements.

    The paper's conclusion suggests it in place of the squared error. CCC = 2 s_xy / (s_x^2 +
    s_y^2 + (m_x - m_y)^2) with population moments (L. Lin, Biometrics 45, 1989).

    Args:
        prediction: Any shape, at least two elements.
        truth: Same shape.
    """
    prediction, truth = prediction.flatten(), truth.flatten()
    shift = prediction.mean() - truth.mean()
    covariance = ((prediction - prediction.mean()) * (truth - truth.mean())).mean()
    spread = prediction.var(correction=0) + truth.var(correction=0) + shift.square()
    # Constant sequences have no concordance; without the floor their gradient is NaN.
    return 1 - 2 * covariance / spread.clamp_min(1e-8)


def _convolutions(architecture: Architecture) -> nn.ModuleList:
    widths = (1, *architecture.channels)
    return nn.ModuleList(
        nn.Conv2d(before, after, architecture.kernel, padding=architecture.kernel // 2)
        for before, after in itertools.pairwise(widths)
    )
