"""One film coded in several ways: whether the answer follows the file, and what it costs.

Each table's columns are described beside the function that makes it, for
`mic.publishing.results.Run.table`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from mic import codec, recognition
from mic.codec.options import CodecName
from mic.recognition.moments import Work

Ways = Mapping[str, tuple[CodecName, int]]

FILES_COLUMNS: Mapping[str, str] = {
    "file": "how the same film was coded",
    "method": "parsed: regions only; decoded: by libavcodec",
    "window": "of 0.8 s, from 0",
    "label": "answer",
    "p_happiness": "probability of happiness",
}
_WINDOW = 0.8


def files_table(frames: Sequence[np.ndarray], ways: Ways, *, frame_rate: float) -> pd.DataFrame:
    """What `mic predict` says of a film, window by window, however it is coded.

    Args:
        frames: uint8 (H, W, 3) RGB.
        ways: Codec and constant quantiser by what that is called.
        frame_rate: Frames a second.

    Returns:
        One row a way and window, columns of `FILES_COLUMNS`; probabilities to two digits.
    """
    parts = []
    for way, path in _coded(frames, ways, frame_rate):
        windows = recognition.predict(path, window=_WINDOW, hop=_WINDOW)
        parts.append(windows.assign(file=way)[list(FILES_COLUMNS)])
    return pd.concat(parts, ignore_index=True).round(2)


COST_COLUMNS: Mapping[str, str] = {
    "file": "how the film was coded",
    "pictures": "in the film",
    "decoded": "whole pictures decoded",
    "regions": "regions reconstructed alone",
}


def cost_table(frames: Sequence[np.ndarray], ways: Ways, *, frame_rate: float) -> pd.DataFrame:
    """Which pictures `mic predict` touches for that.

    Args:
        frames: As for `files_table`.
        ways: As for `files_table`.
        frame_rate: Frames a second.

    Returns:
        One row a way, columns of `COST_COLUMNS`.
    """
    rows = []
    for way, path in _coded(frames, ways, frame_rate):
        work = Work()
        list(recognition.Task().rows_of(path, work=work))
        rows.append((way, work.pictures, work.decoded, work.regions))
    return pd.DataFrame(rows, columns=list(COST_COLUMNS))


def _coded(
    frames: Sequence[np.ndarray], ways: Ways, frame_rate: float
) -> Iterator[tuple[str, Path]]:
    with TemporaryDirectory() as folder:
        for way, (name, quantiser) in ways.items():
            path = Path(folder) / f"{name}-{quantiser}.mp4"
            codec.encode_frames(
                frames, path, frame_rate=frame_rate, codec=name, vop_quant=quantiser
            )
            yield way, path
