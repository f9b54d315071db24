"""The clips that are timed: one real face at any size and length, encoded as the paper does."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

from mic import codec
from mic.manifest import Manifest
from mic.storage import assets


@dataclass(frozen=True, kw_only=True)
class TimedClip:
    """A clip and what was coded.

    Attributes:
        path: MPEG-4 Part 2, one group of pictures, `-q:v 1` unless said otherwise.
        width: In samples.
        height: In samples.
        frames: Their number.
        frame_rate: Frames a second.
        bits: Coded bits.
    """

    path: Path
    width: int
    height: int
    frames: int
    frame_rate: float
    bits: int


def make(
    folder: str | Path,
    *,
    width: int,
    height: int,
    frames: int,
    vop_quant: int | None = None,
    source: str = "langer",
) -> TimedClip:
    """Encodes part of a real video at the wanted size; a clip that is already there is kept.

    The picture is cut to the wanted proportions around its middle, then scaled. Videos that are
    too short run back and forth.

    Args:
        folder: Where clips go.
        width: Of the clip.
        height: Of the clip.
        frames: Of the clip.
        vop_quant: True quantiser; None for the paper's `-q:v 1`.
        source: A video of `mic.storage.assets`.
    """
    name = f"{source}-{width}x{height}-{frames}-q{vop_quant or 'v1'}.mp4"
    path = Path(folder) / name
    original = assets.path(source)
    if not path.is_file():
        pictures = list(itertools.islice(codec.decode(original), frames))
        codec.encode_frames(
            (_fitted(pictures[n], width, height) for n in _back_and_forth(len(pictures), frames)),
            path,
            frame_rate=codec.probe(original).frame_rate,
            vop_quant=vop_quant,
        )
    return existing(path)


def existing(path: str | Path) -> TimedClip:
    """A clip that is there already, of a dataset for instance."""
    info = codec.probe(path)
    return TimedClip(
        path=Path(path),
        width=info.width,
        height=info.height,
        frames=info.frames,
        frame_rate=float(info.frame_rate),
        bits=info.bits,
    )


def median_of(manifest: Manifest) -> TimedClip:
    """The clip of median length of a dataset."""
    by_length = sorted(manifest.clips, key=lambda clip: (clip.frames, clip.clip_id))
    return existing(manifest.path(by_length[len(by_length) // 2]))


def _back_and_forth(count: int, wanted: int) -> Iterator[int]:
    order: Sequence[int] = [*range(count), *range(count - 2, 0, -1)]
    return itertools.islice(itertools.cycle(order), wanted)


def _fitted(picture: np.ndarray, width: int, height: int) -> np.ndarray:
    rows, columns = picture.shape[:2]
    if columns * height > rows * width:
        cut = (rows, rows * width // height)
    else:
        cut = (columns * height // width, columns)
    top, left = (rows - cut[0]) // 2, (columns - cut[1]) // 2
    part = np.ascontiguousarray(picture[top : top + cut[0], left : left + cut[1]])
    frame = av.VideoFrame.from_ndarray(part, "rgb24")
    return frame.reformat(width=width, height=height, format="rgb24").to_ndarray()
