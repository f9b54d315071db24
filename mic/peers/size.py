"""How large a peer's network is, and the two parts that nearly all peers share."""

from __future__ import annotations

import dataclasses

from torch import nn

from mic.models.expression import FrameEncoder


@dataclasses.dataclass(frozen=True, kw_only=True)
class Size:
    """Sizes of a peer's network.

    Attributes:
        width: Feature maps of the first layer.
        features: Width of the frames' features, and of states or tokens made of them.
        grid: Edge of the grid that feature maps are averaged to.
        dropout: In front of the classifier and inside the encoders.
    """

    width: int
    features: int
    grid: int
    dropout: float

    def encoder(self, *, channels: int = 3) -> FrameEncoder:
        """The common frame CNN, (N, channels, H, W) -> (N, features)."""
        return FrameEncoder(
            "cnn4",
            channels=channels,
            feature_size=self.features,
            width=self.width,
            grid=self.grid,
            dropout=self.dropout,
        )

    def classifier(self, classes: int, *, inputs: int = 0) -> nn.Sequential:
        """Dropout and a linear layer, from `features` numbers unless `inputs` says otherwise."""
        return nn.Sequential(nn.Dropout(self.dropout), nn.Linear(inputs or self.features, classes))
