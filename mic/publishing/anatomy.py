"""The residuals of one clip over time, and how exact parsed residuals are: tables of notebook 02.

Each table's columns are described beside the function that makes it, for
`mic.publishing.results.Run.table`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from mic import bitstream, codec, decoded
from mic.bitstream import Accumulated, Macroblocks, Residuals

ENERGY_COLUMNS: Mapping[str, str] = {
    "frame": "index, 0 is the I-frame",
    "residual_energy": "mean squared luma residual",
    "upper_half": "the same over the upper half of the picture",
    "lower_half": "the same over the lower half",
    "accumulated_energy": "mean squared accumulated luma residual",
    "intensity": "true intensity of the expression, 0 to 1 (generated clips)",
    "bits": "bits of the frame's macroblocks",
}


def energy_table(
    residuals: Residuals,
    accumulated: Accumulated,
    macroblocks: Macroblocks,
    *,
    intensity: np.ndarray | None = None,
) -> pd.DataFrame:
    """Energy and bits of each frame of a clip.

    Args:
        residuals: Of all T frames.
        accumulated: Of the same frames, as planes.
        macroblocks: Of the same frames.
        intensity: (T,) true intensity of the expression, where it is known.

    Returns:
        T rows, columns of `ENERGY_COLUMNS`; `intensity` is NaN where it is not known.
    """
    squared = residuals.y.astype(np.float64) ** 2
    upper, lower = np.split(squared, [squared.shape[1] // 2], axis=1)
    table = pd.DataFrame(
        {
            "frame": np.arange(len(squared)),
            "residual_energy": squared.mean((1, 2)),
            "upper_half": upper.mean((1, 2)),
            "lower_half": lower.mean((1, 2)),
            "accumulated_energy": (accumulated.y.astype(np.float64) ** 2).mean((1, 2)),
            "intensity": np.full(len(squared), np.nan) if intensity is None else intensity,
            "bits": macroblocks.bits.sum((1, 2)),
        }
    )
    return table[list(ENERGY_COLUMNS)]


EXACTNESS_COLUMNS: Mapping[str, str] = {
    "clip": "real clip from the package index, 176x144",
    "samples": "luma samples compared",
    "equal": "share that is equal",
    "largest": "largest difference, in sample steps",
}
_EXACTNESS_SIZE = (176, 144)


def exactness_table(
    clips: Mapping[str, str | Path], folder: str | Path, *, frames: int = 60
) -> pd.DataFrame:
    """Parsed residuals against decoded frames minus their prediction, on inter macroblocks.

    Args:
        clips: Videos by name; each is re-encoded to MPEG-4 Part 2 at 176x144 first.
        folder: Takes `exactness-NAME.mp4` of each.
        frames: How many frames are compared, from the first.

    Returns:
        One row a clip, columns of `EXACTNESS_COLUMNS`.

    Raises:
        CodecError: As `mic.codec.reencode`.
    """
    rows = []
    for name, source in clips.items():
        target = Path(folder) / f"exactness-{name}.mp4"
        codec.reencode(source, target, size=_EXACTNESS_SIZE)
        with bitstream.open(target) as stream:
            parsed = stream.residual(range(frames))
        differences = []
        for frame in decoded.open(target).frames():
            if 0 < frame.number < frames:
                height, width = frame.y.shape
                inter = ~frame.intra.repeat(8, 0).repeat(8, 1)[:height, :width]
                differences.append(np.abs(frame.y - parsed.y[frame.number])[inter])
        found = np.concatenate(differences)
        rows.append((name, found.size, float((found == 0).mean()), int(found.max())))
    return pd.DataFrame(rows, columns=list(EXACTNESS_COLUMNS))
