"""Apex targets: a small picture of the strongest frame, which the game's decoder has to draw."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from mic import codec
from mic.errors import DatasetError
from mic.storage import cache

STAGE = cache.Stage(name="apex", version=1)
EDGE = 32


def target(
    path: Path, apex: int, *, edge: int = EDGE, folder: str | Path | None = None
) -> np.ndarray:
    """Luma of the apex frame, averaged to (1, edge, edge) uint8; decoded for training only."""

    def compute() -> dict[str, np.ndarray]:
        for number, frame in enumerate(codec.decode(path, pixel_format="luma")):
            if number == apex:
                return {"apex": _resized(frame[None, :, :, None], edge)[:, :, :, 0]}
        raise DatasetError(
            f"has no frame {apex}", file=path, remedy="mend the manifest's apex column"
        )

    return cache.fetch(
        STAGE,
        inputs=[cache.digest(path)],
        parameters={"apex": apex, "edge": edge},
        compute=compute,
        folder=folder,
    )["apex"]


def _resized(frames: np.ndarray, edge: int) -> np.ndarray:
    """(T, H, W, C) uint8 -> (T, edge, edge, C) uint8 by area averaging."""
    planes = torch.from_numpy(frames).permute(0, 3, 1, 2).float()
    small = torch.nn.functional.adaptive_avg_pool2d(planes, edge)
    return small.round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
