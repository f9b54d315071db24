"""What a parsed clip consists of: frozen records of NumPy arrays, one row a frame."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

import numpy as np

from mic_bitstream.arrays import check_memory
from mic_bitstream.errors import BitstreamError, ConfigError

INTER, INTER_Q, INTER4V, INTRA, INTRA_Q, NOT_CODED, MISSING = 0, 1, 2, 3, 4, 5, 255
"""Macroblock types: Table B.1 of ISO/IEC 14496-2, then skipped and lost macroblocks."""

DIRECT, INTERPOLATED, BACKWARD, FORWARD = 6, 7, 8, 9
"""Macroblock types of B-VOPs: Table B.2 of ISO/IEC 14496-2."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Rows:
    """What every record has: which frames its rows are, and the state of their macroblocks.

    Attributes:
        frames: Frame numbers of the rows, int64 (T,): places in coding order.
        shown: Their places in display order, int64 (T,). They differ only in streams with B-VOPs:
            `numpy.argsort(record.shown)` sorts the rows of a whole clip as they are shown.
        types: Macroblock types, uint8 (T, h, w) for h x w macroblocks of 16x16 luma samples:
            `INTER`, `INTER_Q`, `INTER4V`, `INTRA`, `INTRA_Q`, `NOT_CODED`, `MISSING`, and in
            B-VOPs `DIRECT`, `INTERPOLATED`, `BACKWARD`, `FORWARD`.
        errors: With `on_error="mask"`, what was wrong, at most one a frame.
    """

    frames: np.ndarray
    shown: np.ndarray
    types: np.ndarray
    errors: tuple[BitstreamError, ...] = ()

    @property
    def intra(self) -> np.ndarray:
        """Macroblocks coded without prediction, bool (T, h, w): they have no residual."""
        return (self.types == INTRA) | (self.types == INTRA_Q)

    @property
    def skipped(self) -> np.ndarray:
        """Macroblocks that are not coded, bool (T, h, w): zero vector, zero residual.

        In B-VOPs these are the ones that the next reference VOP skips.
        """
        return self.types == NOT_CODED

    @property
    def missing(self) -> np.ndarray:
        """Macroblocks lost to damage, bool (T, h, w): what stands there is zero, not data."""
        return self.types == MISSING


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Samples:
    """What records of samples share: planes, or pixels, as `space` was asked for.

    Attributes:
        scale: Planes are 1/scale of the picture: 1, 2, 4 or 8.
        space: "planes", "ycbcr" or "rgb".
        samples: The arrays by name: y, cb and cr, or pixels.
    """

    scale: int
    space: str
    samples: Mapping[str, np.ndarray]

    @property
    def y(self) -> np.ndarray:
        """The luma plane; with `space="planes"`."""
        return self._array("y")

    @property
    def cb(self) -> np.ndarray:
        """The first chroma plane; with `space="planes"`."""
        return self._array("cb")

    @property
    def cr(self) -> np.ndarray:
        """The second chroma plane; with `space="planes"`."""
        return self._array("cr")

    @property
    def pixels(self) -> np.ndarray:
        """All three of every sample, chroma repeated over 2x2; with another space."""
        return self._array("pixels")

    def _array(self, name: str) -> np.ndarray:
        if name not in self.samples:
            other = "'ycbcr' or 'rgb'" if name == "pixels" else "'planes'"
            raise ConfigError(
                f"read in space {self.space!r}, has no {name}", remedy=f"use {other}"
            )
        return self.samples[name]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Residuals(Rows, Samples):
    """What inter-coded macroblocks add to their prediction, before clipping (clause 7.4.5).

    Units are sample steps of 8-bit video, signed. Intra macroblocks, I-VOPs and VOPs that are
    not coded are zero. All arrays are int16: `y` (T, ceil(H / scale), ceil(W / scale)), `cb` and
    `cr` (T, ceil(H' / scale), ceil(W' / scale)) with H' = ceil(H / 2), W' = ceil(W / 2), or
    `pixels` (T, ceil(H / scale), ceil(W / scale), 3).
    """


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Motion(Rows):
    """Motion vectors (clauses 7.6.3 and 7.6.5).

    Attributes:
        blocks: int16 (T, 2 h, 2 w, 2): (x, y) of each 8x8 luma block in quarter samples, from
            the block to its prediction. Zero where nothing is predicted. In B-VOPs the prediction
            in the reference that is shown before (zero in `BACKWARD` macroblocks).
        backward: As `blocks`, into the reference that is shown after: not zero only in `DIRECT`,
            `INTERPOLATED` and `BACKWARD` macroblocks of B-VOPs. None where the stream has none.
    """

    blocks: np.ndarray
    backward: np.ndarray | None = None
    width: int
    height: int

    def dense(self) -> np.ndarray:
        """The vectors at every luma sample, int16 (T, H, W, 2), quarter samples.

        Raises:
            ConfigError: The memory does not suffice.
        """
        count, rows, columns, _ = self.blocks.shape
        check_memory([((count, 8 * rows, 8 * columns, 2), np.int16)] * 2)
        field = self.blocks.repeat(8, axis=1).repeat(8, axis=2)
        return np.ascontiguousarray(field[:, : self.height, : self.width])


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Macroblocks(Rows):
    """Modes and cost of macroblocks (clause 6.2.6).

    Attributes:
        quantiser: uint8 (T, h, w), 1 to 31; 0 where nothing is coded.
        bits: uint32 (T, h, w): bits from the macroblock's first to its last.
    """

    quantiser: np.ndarray
    bits: np.ndarray


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Accumulated(Samples):
    """Residuals accumulated along the motion since the I-VOP: A_t = MC_t(A_{t-1}) + residual_t.

    The decoded frame is MC_t(... MC_1(I-VOP)) + A_t, up to the rounding and clipping of each
    step, wherever `broken` and `broken_chroma` are False. Arrays have the shapes of `Residuals`.

    Attributes:
        frames: Frame numbers of the rows, int64 (T,).
        definition: "standard" (float32) or "coviar" (int16); see `Stream.accumulated`.
        displacement: (T, ceil(H / scale), ceil(W / scale), 2): (x, y) from each luma sample to
            where its chain starts in the I-VOP, in samples of this plane.
        broken: bool (T, ceil(H / scale), ceil(W / scale)): luma samples whose chain meets an intra
            or a missing macroblock, and so does not reach the I-VOP.
        broken_chroma: bool, the same for the chroma planes, whose vectors are rounded differently.
        errors: With `on_error="mask"`, what was wrong on the way.
    """

    frames: np.ndarray
    definition: str
    broken: np.ndarray
    broken_chroma: np.ndarray
    displacement: np.ndarray | None = None
    errors: tuple[BitstreamError, ...] = ()


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class SegmentSums(Samples):
    """Plain sums of residuals over consecutive segments of a clip, int32, shaped as `Residuals`.

    Attributes:
        bounds: int64 (count + 1,): segment k sums frames bounds[k] to bounds[k + 1] - 1.
        errors: With `on_error="mask"`, what was wrong on the way.
    """

    bounds: np.ndarray
    errors: tuple[BitstreamError, ...] = ()


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class IFrame:
    """An I-VOP, parsed with DC and AC prediction (clauses 7.4.1 to 7.4.5).

    Attributes:
        frame: Its number.
        coefficients: Dequantised DCT coefficients F[v][u], int16 (h, w, 6, 8, 8): blocks Y0 to Y3,
            Cb, Cr of h x w macroblocks.
        y: uint8 (H, W).
        cb: uint8 (ceil(H / 2), ceil(W / 2)).
        cr: As `cb`.
    """

    frame: int
    coefficients: np.ndarray
    y: np.ndarray
    cb: np.ndarray
    cr: np.ndarray


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Clip:
    """What `mic_bitstream.read` returns; parts that were not asked for are None."""

    path: Path
    width: int
    height: int
    frame_rate: Fraction
    frame_count: int
    residual: Residuals | None = None
    motion: Motion | None = None
    macroblocks: Macroblocks | None = None
