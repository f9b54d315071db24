"""The apex decoder Dec(z_I, z_E): the complementary constraint of the paper's section 3.3."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mic.errors import ConfigError


class ApexDecoder(nn.Module):
    """Draws the apex frame from who it is and what is expressed.

    Args:
        identity_size: Width of z_I.
        expression_size: Width of z_E.
        channels: Planes of the drawn frame: 1 (luma) or 3.
        size: Edge of the drawn frame, 4 times a power of two.
        width: Feature maps at full size; doubled by each step towards 4x4.
    """

    def __init__(
        self,
        identity_size: int,
        expression_size: int,
        *,
        channels: int = 1,
        size: int = 32,
        width: int = 16,
    ) -> None:
        super().__init__()
        doublings = (size // 4).bit_length() - 1
        if 4 << doublings != size:
            raise ConfigError(
                f"the decoder cannot draw {size} pixels", remedy="choose 8, 16, 32, 64 or 128"
            )
        maps = width << doublings
        self.seed_maps = maps
        self.project = nn.Sequential(
            nn.Linear(identity_size + expression_size, maps * 16), nn.ReLU()
        )
        layers: list[nn.Module] = []
        for _ in range(doublings):
            layers += [
                nn.Upsample(scale_factor=2, mode="nearest"),
                nn.Conv2d(maps, maps // 2, 3, padding=1),
                nn.BatchNorm2d(maps // 2),
                nn.ReLU(),
            ]
            maps //= 2
        self.draw = nn.Sequential(*layers, nn.Conv2d(maps, channels, 3, padding=1))

    def forward(self, z_i: Tensor, z_e: Tensor) -> Tensor:
        """(B, identity_size), (B, expression_size) -> (B, channels, size, size), about [0, 1]."""
        seed = self.project(torch.cat([z_i, z_e], 1))
        return self.draw(seed.view(len(seed), self.seed_maps, 4, 4))
