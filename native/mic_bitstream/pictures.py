"""Exact pictures of a region: the half of `Stream` that reconstructs samples.

Every vector on the way is parsed, the dependency of the wanted blocks is followed backwards to
intra macroblocks and I-VOPs, and exactly those macroblocks are reconstructed, forwards.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from typing import overload

import numpy as np

from mic_bitstream import _native
from mic_bitstream.arrays import (
    Frames,
    check_choice,
    check_memory,
    check_whole,
    enough_memory,
    frame_numbers,
)
from mic_bitstream.errors import BitstreamError, ConfigError
from mic_bitstream.sums import Sums

# No side of a picture is so long.
_LONGEST = 1 << 20

Region = tuple[int, int, int, int]
"""(left, top, width, height) in luma samples of the coded picture."""
Boxes = Region | Sequence[int] | Sequence[Sequence[int]] | np.ndarray
"""One such box for all frames, or one a frame."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Picture:
    """A rectangle of one decoded frame, 4:2:0, uint8.

    Attributes:
        frame: Its frame number.
        region: (left, top, width, height) in luma samples, as coded: a rotation that the
            container asks for is not applied.
        y: uint8 (height, width).
        cb: uint8 (h, w): the chroma samples that belong to any luma sample of the region, so
            columns left // 2 to (left + width - 1) // 2 of the plane, and rows likewise.
        cr: As `cb`.
        broken: bool (height, width): True where damage, or a picture that is gone from the stream,
            may have changed a sample; see `Pictures.errors`.
    """

    frame: int
    region: Region
    y: np.ndarray
    cb: np.ndarray
    cr: np.ndarray
    broken: np.ndarray

    def rgb(self) -> np.ndarray:
        """The picture as uint8 (height, width, 3).

        ITU-R BT.601 with luma in 16 to 235 and chroma in 16 to 240, each chroma sample repeated
        over its 2x2 luma samples; sums with 13 fractional bits, rounded, clipped to 0 to 255.
        """
        out = np.empty((*self.y.shape, 3), np.uint8)
        left, top, _, _ = self.region
        _native.picture_to_rgb(self.y, self.cb, self.cr, left=left, top=top, pixels=out)
        return out


def resampled(pixels: np.ndarray, matrix: np.ndarray, size: int) -> np.ndarray:
    """A square of an RGB picture, turned and brought to the size of a network's input.

    Args:
        pixels: uint8 (H, W, 3).
        matrix: float64 (2, 3), from coordinates of the picture to those of the result; a
            similarity. Middles of samples lie at halves.
        size: Side of the result.

    Returns:
        float32 (size, size, 3), 0 to 1: bilinear; where the result is less than half as large, of
        means over whole squares of samples, as bilinear samples alone would alias. 0 outside the
        picture.
    """
    step = min(max(1, int(1 / math.hypot(matrix[0, 0], matrix[1, 0]))), 256)
    reduced = matrix @ np.diag([step, step, 1.0])
    inverse = np.linalg.inv(np.vstack([reduced, [0, 0, 1]]))[:2]
    corners = inverse @ [[0, 0, size, size], [0, size, 0, size], [1, 1, 1, 1]]
    # Only what is under the result is converted; a sample more, between which it lies.
    left, top = np.maximum(np.floor(corners.min(1)) - 1, 0).astype(int)
    right, bottom = np.maximum(np.ceil(corners.max(1)) + 1, 0).astype(int)
    part = pixels[step * top : step * bottom, step * left : step * right]
    out = np.zeros((size, size, 3), np.float32)
    if part.size:
        affine = (inverse - [[0, 0, left], [0, 0, top]]).ravel().tolist()
        _native.resample(np.ascontiguousarray(part), step=step, map=affine, out=out)
    return out


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Pictures(Sequence[Picture]):
    """What `Stream.pictures` returns: one `Picture` a frame asked for, in that order.

    Attributes:
        frames: Frame numbers, int64 (T,).
        regions: int64 (T, 4): (left, top, width, height) of each in luma samples, as coded.
        items: The pictures.
        reconstructed: Macroblocks of which at least a block was reconstructed.
        total: Macroblocks that a decoder reconstructs for the same: all of every coded VOP from
            the I-VOP before the first frame wanted of a group of pictures to the last one.
        errors: What was wrong on the way, at most one a frame; without `on_error="mask"` only
            frames that come late.
    """

    frames: np.ndarray
    regions: np.ndarray
    items: tuple[Picture, ...]
    reconstructed: int
    total: int
    errors: tuple[BitstreamError, ...] = ()

    @property
    def share(self) -> float:
        """`reconstructed` of `total`; 0 where there is nothing."""
        return self.reconstructed / self.total if self.total else 0.0

    def __len__(self) -> int:
        return len(self.items)

    @overload
    def __getitem__(self, row: int) -> Picture: ...
    @overload
    def __getitem__(self, row: slice) -> Sequence[Picture]: ...
    def __getitem__(self, row: int | slice) -> Picture | Sequence[Picture]:
        return self.items[row]

    def __iter__(self) -> Iterator[Picture]:
        return iter(self.items)


class Reconstruction(Sums):
    """What `Stream` does with samples; it provides the attributes that `Sums` declares."""

    @enough_memory()
    def pictures(
        self,
        frames: Frames = None,
        *,
        region: Boxes | None = None,
        threads: int = 1,
        on_error: str = "raise",
    ) -> Pictures:
        """Reconstructs frames, or a region of them, and nothing that they do not depend on.

        Inside the region the samples are those of libavcodec (`idct=simple`, `flags=bitexact`),
        to the last bit.

        Args:
            frames: Frame numbers in any order, also repeated (negative ones count from the end),
                a slice, or None for all; no B-VOPs.
            region: (left, top, width, height) in luma samples of the coded picture, for all
                frames or one for each; None for the whole picture.
            threads: Groups of pictures are processed in parallel with the GIL released.
            on_error: "raise", or "mask": macroblocks lost to damage repeat the frame before (in
                an I-VOP they are mid-grey), and `Picture.broken` marks them and whatever is
                predicted from them. So does a P-VOP that is not later than the picture before it;
                one that comes late in a stream of regular pictures is marked with either, and
                told in `errors`.

        Raises:
            BitstreamError: A frame on the way is damaged, or there is no I-VOP before it (with
                on_error="raise").
            UnsupportedSyntaxError: A frame on the way is outside the profile, or predicted
                with overlapping blocks (clause 7.6.6), or a frame that is wanted is a B-VOP.
            ConfigError: An argument is out of its range, or the memory does not suffice.
        """
        check_choice("on_error", (on_error,), ("raise", "mask"))
        check_whole("threads", threads)
        rows = frame_numbers(frames, self.frame_count)
        self._expect_references(rows, "reconstructed picture")
        boxes = self._boxes(region, len(rows))
        left, top, width, height = boxes.T
        chroma_width = (left + width - 1) // 2 - left // 2 + 1
        chroma_height = (top + height - 1) // 2 - top // 2 + 1
        luma, chroma = int((width * height).sum()), int((chroma_width * chroma_height).sum())
        breaks = self.clock.breaks
        masked = on_error == "mask" or len(breaks) > 0
        samples = luma + 2 * chroma + luma * masked
        check_memory([((samples,), np.uint8)])
        y, cb, cr = (np.empty(size, np.uint8) for size in (luma, chroma, chroma))
        broken = np.zeros(luma, np.bool_) if masked else None
        records, reconstructed, total = _native.reconstruct(
            self.native,
            rows.tolist(),
            # In the order that the native part reads: it would call Python to bring it there.
            boxes=np.ascontiguousarray(boxes, np.int32),
            y=y,
            cb=cb,
            cr=cr,
            broken=None if broken is None else broken.view(np.uint8),
            breaks=breaks.tolist(),
            threads=threads,
            keep_going=on_error == "mask",
        )
        errors = tuple(self.errors_of(records, on_error, frames=self._way_to(rows), gaps=True))
        items = []
        at = chroma_at = 0
        for row, box in enumerate(boxes.tolist()):
            shape = box[3], box[2]
            chroma_shape = int(chroma_height[row]), int(chroma_width[row])
            here = slice(at, at + math.prod(shape))
            there = slice(chroma_at, chroma_at + math.prod(chroma_shape))
            at, chroma_at = here.stop, there.stop
            items.append(
                Picture(
                    frame=int(rows[row]),
                    region=(box[0], box[1], box[2], box[3]),
                    y=y[here].reshape(shape),
                    cb=cb[there].reshape(chroma_shape),
                    cr=cr[there].reshape(chroma_shape),
                    # One zero for all of them: they are as many as the samples.
                    broken=np.broadcast_to(np.False_, shape)
                    if broken is None
                    else broken[here].reshape(shape),
                )
            )
        return Pictures(
            frames=rows,
            regions=boxes,
            items=tuple(items),
            reconstructed=reconstructed,
            total=total,
            errors=errors,
        )

    def _boxes(self, region: Boxes | None, count: int) -> np.ndarray:
        """One checked box a frame, int64 (count, 4)."""
        whole = (0, 0, self.width, self.height)
        try:
            given = np.array(whole if region is None else region)
        except ValueError:  # boxes of several lengths
            given = np.empty(0, object)
        if given.dtype.kind not in "iu" or given.shape not in ((4,), (count, 4)):
            raise ConfigError(
                f"region is {region!r}",
                remedy="give (left, top, width, height), whole numbers, or one such a frame",
            )
        boxes = np.broadcast_to(given.astype(np.int64), (count, 4))
        left, top, width, height = boxes.T
        outside = (boxes < 0).any(1) | (boxes > _LONGEST).any(1) | (width < 1) | (height < 1)
        outside |= (left + width > self.width) | (top + height > self.height)
        if outside.any():
            raise ConfigError(
                f"region {boxes[outside][0].tolist()} does not lie in a picture of "
                f"{self.width}x{self.height}",
                file=self.path,
                remedy="clip it to the picture: left, top, width and height of at least a sample",
            )
        return boxes
