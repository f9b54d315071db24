"""Whole pictures as unmodified libavcodec decodes them, and regions of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

import mic.bitstream
from oracles import flat, stream

Planes = tuple[np.ndarray, np.ndarray, np.ndarray]


def pictures(path: Path) -> list[Planes]:
    """Y, Cb, Cr of every VOP, uint8; one that is not coded repeats the one before."""
    clip = stream.load(path)
    context = flat.decoder(clip.headers)
    found: list[Planes] = []
    for number, vop in enumerate(clip.vops):
        frame = flat.decode_vop(context, vop.data, number)
        if frame is None:
            found.append(found[-1])
        else:
            y, cb, cr = (plane.astype(np.uint8) for plane in flat.planes(frame))
            found.append((y, cb, cr))
    return found


def crop(planes: Planes, region: mic.bitstream.Region) -> Planes:
    """The luma samples of a region, and the chroma samples that belong to any of them."""
    left, top, width, height = region
    y, *chroma = planes
    rows = slice(top // 2, (top + height - 1) // 2 + 1)
    columns = slice(left // 2, (left + width - 1) // 2 + 1)
    cb, cr = (plane[rows, columns] for plane in chroma)
    return y[top : top + height, left : left + width], cb, cr


def compared(
    found: Sequence[mic.bitstream.Picture], right: Sequence[Planes] | Mapping[int, Planes]
) -> tuple[int, int]:
    """Samples compared, and how many of them differ."""
    samples = differing = 0
    for picture in found:
        theirs = crop(right[picture.frame], picture.region)
        for mine, other in zip((picture.y, picture.cb, picture.cr), theirs, strict=True):
            assert mine.shape == other.shape
            samples += mine.size
            differing += int((mine != other).sum())
    return samples, differing


def region(rng: np.random.Generator, width: int, height: int) -> mic.bitstream.Region:
    """A random region of a picture, of at least one sample."""
    left, top = int(rng.integers(width)), int(rng.integers(height))
    return (
        left,
        top,
        int(rng.integers(1, width - left + 1)),
        int(rng.integers(1, height - top + 1)),
    )
