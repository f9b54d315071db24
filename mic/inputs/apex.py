"""The apex: where it is, and the small picture of it that the game's decoder has to draw."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from mic import codec
from mic.errors import DatasetError
from mic.storage import cache

STAGE = cache.Stage(name="apex", version=1)
EDGE = 32
_SMOOTH = 5  # frames
_HELD = 0.9  # of the largest change still counts as the held expression


def find(path: str | Path, *, returns: bool = False) -> int:
    """The frame that differs most from the first, where nobody has annotated the apex.

    For clips that begin neutral. Luma is averaged to small pictures, so that grain does not count;
    the mean difference is smoothed, and of a held expression the middle is taken: of the frames
    next to the largest difference that reach nine tenths of it.

    A head that drifts differs from the first frame most at the end. Where the face is known to
    come back to neutral, the last frame is a second witness: the smaller of the two differences
    counts. `mic.experiments.apexes` measures both.

    Args:
        path: The clip.
        returns: Whether the clip ends neutral, too.

    Raises:
        CodecError: The clip cannot be decoded.
        DatasetError: It has no frame.
    """
    from scipy.ndimage import uniform_filter1d  # here, because `mic predict` must not wait for it

    frames = [
        _resized(frame[None, :, :, None], EDGE)[0, :, :, 0].astype(np.float32)
        for frame in codec.decode(path, pixel_format="luma")
    ]
    if not frames:
        raise DatasetError("has no frame", file=path, remedy="get the clip again")
    ends = (frames[0], frames[-1]) if returns else (frames[0],)
    changes = np.array([[np.abs(frame - end).mean() for frame in frames] for end in ends])
    change = uniform_filter1d(changes, _SMOOTH, axis=1, mode="nearest").min(0)
    peak = int(change.argmax())
    held = change >= _HELD * change[peak]
    first = peak - int(np.argmin(np.append(held[peak::-1], False))) + 1
    last = peak + int(np.argmin(np.append(held[peak:], False))) - 1
    return (first + last) // 2


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
