"""What a parsed clip consists of: frozen records of NumPy arrays, one row a frame."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from pathlib import Path

import numpy as np

from mic.errors import BitstreamError

INTER, INTER_Q, INTER4V, INTRA, INTRA_Q, NOT_CODED, MISSING = 0, 1, 2, 3, 4, 5, 255
"""Macroblock types: Table B.1 of ISO/IEC 14496-2, then skipped and lost macroblocks."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rows:
    """What every record has: which frames its rows are, and the state of their macroblocks.

    Attributes:
        frames: Frame numbers of the rows, int64 (T,).
        types: Macroblock types, uint8 (T, h, w) for h x w macroblocks of 16x16 luma samples:
            `INTER`, `INTER_Q`, `INTER4V`, `INTRA`, `INTRA_Q`, `NOT_CODED`, `MISSING`.
        errors: With `on_error="mask"`, what was wrong, at most one a frame.
    """

    frames: np.ndarray
    types: np.ndarray
    errors: tuple[BitstreamError, ...] = ()

    @property
    def intra(self) -> np.ndarray:
        """Macroblocks coded without prediction, bool (T, h, w): they have no residual."""
        return (self.types == INTRA) | (self.types == INTRA_Q)

    @property
    def skipped(self) -> np.ndarray:
        """Macroblocks that are not coded, bool (T, h, w): zero vector, zero residual."""
        return self.types == NOT_CODED

    @property
    def missing(self) -> np.ndarray:
        """Macroblocks lost to damage, bool (T, h, w): what stands there is zero, not data."""
        return self.types == MISSING


@dataclasses.dataclass(frozen=True, kw_only=True)
class Residuals(Rows):
    """What inter-coded macroblocks add to their prediction, before clipping (clause 7.4.5).

    Units are sample steps of 8-bit video, signed. Intra macroblocks, I-VOPs and VOPs that are
    not coded are zero. With `space="planes"` the samples are in `y`, `cb`, `cr`, otherwise in
    `pixels`.

    Attributes:
        scale: Planes are 1/scale of the picture: 1, 2, 4 or 8.
        space: "planes", "ycbcr" or "rgb".
        y: int16 (T, ceil(H / scale), ceil(W / scale)).
        cb: int16 (T, ceil(H' / scale), ceil(W' / scale)) with H' = ceil(H / 2), W' = ceil(W / 2).
        cr: As `cb`.
        pixels: int16 (T, ceil(H / scale), ceil(W / scale), 3); chroma is repeated over 2x2.
    """

    scale: int
    space: str
    y: np.ndarray | None = None
    cb: np.ndarray | None = None
    cr: np.ndarray | None = None
    pixels: np.ndarray | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Motion(Rows):
    """Motion vectors (clauses 7.6.3 and 7.6.5).

    Attributes:
        blocks: int16 (T, 2 h, 2 w, 2): (x, y) of each 8x8 luma block in quarter samples, from
            the block to its prediction. Zero where nothing is predicted.
    """

    blocks: np.ndarray
    width: int
    height: int

    def dense(self) -> np.ndarray:
        """The vectors at every luma sample, int16 (T, H, W, 2), quarter samples."""
        field = self.blocks.repeat(8, axis=1).repeat(8, axis=2)
        return np.ascontiguousarray(field[:, : self.height, : self.width])


@dataclasses.dataclass(frozen=True, kw_only=True)
class Macroblocks(Rows):
    """Modes and cost of macroblocks (clause 6.2.6).

    Attributes:
        quantiser: uint8 (T, h, w), 1 to 31; 0 where nothing is coded.
        bits: uint32 (T, h, w): bits from the macroblock's first to its last.
    """

    quantiser: np.ndarray
    bits: np.ndarray


@dataclasses.dataclass(frozen=True, kw_only=True)
class Clip:
    """What `mic.bitstream.read` returns; parts that were not asked for are None."""

    path: Path
    width: int
    height: int
    frame_rate: Fraction
    frame_count: int
    residual: Residuals | None = None
    motion: Motion | None = None
    macroblocks: Macroblocks | None = None
