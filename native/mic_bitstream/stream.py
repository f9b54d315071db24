"""Random access to the residuals, vectors and modes of one clip."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from mic_bitstream import _native
from mic_bitstream.arrays import (
    SPACES,
    Frames,
    Out,
    check_choice,
    check_common,
    check_memory,
    check_whole,
    enough_memory,
    frame_numbers,
    parts_of,
    sample_arrays,
)
from mic_bitstream.clock import read_clock
from mic_bitstream.errors import BitstreamError, ConfigError, UnsupportedSyntaxError
from mic_bitstream.pictures import Reconstruction
from mic_bitstream.records import (
    Clip,
    Macroblocks,
    Motion,
    Residuals,
)
from mic_bitstream.source import open_index
from mic_bitstream.vop_index import REMEDY

PARTS = ("residual", "motion", "macroblocks")
_CACHED_BYTES = 1 << 19  # about half of what a core has to itself


class Stream(Reconstruction):
    """An MPEG-4 Part 2 clip, opened for random access; see `mic_bitstream.open`.

    Only an index is kept: some 24 bytes a frame. Methods may be called from several threads.

    Frame number t is the t-th VOP in coding order. Without B-VOPs that is display order too; with
    them, `stream.residual(stream.display_order)` gives the rows as they are shown, and every
    record says where its rows belong (`Rows.shown`). The VOPs that fill up the packets of packed
    bitstreams stand for no picture and have no number.

    Args:
        path: The file.
        on_error: As for `mic_bitstream.open`.

    Attributes:
        path: The file.
        width: Luma samples a row.
        height: Luma rows.
        frame_count: VOPs in the clip.
        frame_rate: Frames a second.
        vop_types: One letter a frame: "I", "P", "B", "N" (not coded: the frame before is shown
            again) or "?" (its header is damaged, or the container promises it and does not hold
            it).
        errors: What was wrong with the file at large: headers, pictures that the container
            promises and does not hold, time that runs backwards or jumps. Reading what it
            concerns raises or marks it, as `on_error` of the reading says.
    """

    _shown: tuple[int, np.ndarray] = (0, np.empty(0, np.int64))

    def __init__(self, path: str | os.PathLike[str], *, on_error: str = "raise") -> None:
        check_choice("on_error", (on_error,), ("raise", "mask"))
        self.path = Path(path)
        index = open_index(self.path, on_error=on_error)
        self._native: _native.Stream | None = index.native
        self.frame_rate = index.frame_rate
        self.width, self.height = index.native.size
        self.frame_count = len(index.native)
        self.vop_types: str = index.native.coding_types
        self.clock = read_clock(index.native, self.vop_types, index.stamps)
        self.errors: tuple[BitstreamError, ...] = self.errors_at_large(
            index.native.faults, index.errors
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __len__(self) -> int:
        return self.frame_count

    @property
    def low_delay(self) -> bool:
        """Whether no VOP is a B-VOP: then frames are shown in coding order."""
        return self.native.low_delay

    @property
    def display_order(self) -> np.ndarray:
        """Frame numbers in the order in which the frames are shown, int64 (frame_count,).

        An I- or P-VOP is shown when the next one comes, a B-VOP at once (clause 7.6.7).
        """
        if self.low_delay:
            return np.arange(self.frame_count)
        return np.array(self.native.display_order, np.int64)

    def _places(self) -> np.ndarray | None:
        """Where each frame is shown; None without B-VOPs, where that is its number."""
        if self.low_delay:
            return None
        count, places = self._shown
        if count != self.frame_count:
            places = np.argsort(self.display_order)
            self._shown = len(places), places
        return places

    def expect_low_delay(self, purpose: str) -> None:
        """Raises UnsupportedSyntaxError if there are B-VOPs.

        Args:
            purpose: What cannot be done with them, for the message.
        """
        if not self.low_delay:
            raise UnsupportedSyntaxError(
                f"{purpose} is not defined for B-VOPs", file=self.path, remedy=REMEDY
            )

    def close(self) -> None:
        """Closes the file; what is read afterwards raises ConfigError."""
        self._native = None

    def residual(
        self,
        frames: Frames = None,
        *,
        scale: int = 1,
        space: str = "planes",
        out: Out | None = None,
        threads: int = 1,
        on_error: str = "raise",
    ) -> Residuals:
        """Parses residuals: the IDCT output of inter blocks before it is added and clipped.

        Args:
            frames: Frame numbers in any order (negative ones count from the end), a slice, or
                None for all. Other frames are not touched.
            scale: 1, 2, 4 or 8: planes of 1/scale size, from the lowest 8/scale x 8/scale DCT
                coefficients of each block (8: their mean). See native/idct.cpp for the rounding.
            space: "planes" (4:2:0), "ycbcr" or "rgb" (interleaved, chroma repeated; RGB by the
                linear part of ITU-R BT.601, no offset).
            out: Arrays to fill, C-contiguous int16: (y, cb, cr) or pixels, shapes as in
                `Residuals`.
            threads: Frames are parsed in parallel with the GIL released, on as many threads as
                this, or as the machine has processors. They are kept for the next call, and
                sent home before the process forks.
            on_error: "raise", or "mask" to get the whole video packets before any damage, zeros
                after it, and `Residuals.missing`. Time that runs backwards is damage, too, but
                hides no sample.

        Raises:
            BitstreamError: A frame is damaged (with on_error="raise").
            UnsupportedSyntaxError: A frame uses a feature outside the supported profile.
            ConfigError: An argument is out of its range.
        """
        clip = self.read(
            what=("residual",),
            frames=frames,
            scale=scale,
            space=space,
            out=out,
            threads=threads,
            on_error=on_error,
        )
        assert clip.residual is not None
        return clip.residual

    def blocks(
        self,
        *,
        size: int | None = None,
        scale: int = 1,
        space: str = "planes",
        threads: int = 1,
        on_error: str = "raise",
    ) -> Iterator[Residuals]:
        """Parses all residuals in order, some frames at a time, in memory that does not grow.

        Every block is written into the arrays of the one before, so copy what you keep.

        Args:
            size: Frames in a block; None for as many as fit a processor's cache.
            scale: As for `residual`, and so are the other arguments and errors.
            space: As for `residual`.
            threads: Frames of a block are parsed in parallel.
            on_error: "raise" or "mask".
        """
        check_common(scale, space, threads, on_error)
        shape = (self.width, self.height)
        if size is None:
            arrays = sample_arrays(shape, 1, scale, space).values()
            size = max(threads, _CACHED_BYTES // max(1, sum(array.nbytes for array in arrays)))
        check_whole("size", size)
        count = self.frame_count  # taken once: another thread may append
        whole = sample_arrays(shape, min(size, count), scale, space)
        for start in range(0, count, size):
            frames = range(start, min(start + size, count))
            out = tuple(array[: len(frames)] for array in whole.values())
            yield self.residual(
                frames, scale=scale, space=space, out=out, threads=threads, on_error=on_error
            )

    def motion(
        self,
        frames: Frames = None,
        *,
        threads: int = 1,
        on_error: str = "raise",
    ) -> Motion:
        """Parses motion vectors per 8x8 block, in quarter samples; arguments as `residual`."""
        clip = self.read(what=("motion",), frames=frames, threads=threads, on_error=on_error)
        assert clip.motion is not None
        return clip.motion

    def macroblocks(
        self,
        frames: Frames = None,
        *,
        threads: int = 1,
        on_error: str = "raise",
    ) -> Macroblocks:
        """Parses types, quantisers and bits of macroblocks; arguments as `residual`."""
        clip = self.read(what=("macroblocks",), frames=frames, threads=threads, on_error=on_error)
        assert clip.macroblocks is not None
        return clip.macroblocks

    @enough_memory()
    def read(
        self,
        *,
        what: Iterable[str] = ("residual",),
        frames: Frames = None,
        scale: int = 1,
        space: str = "planes",
        out: Out | None = None,
        threads: int = 1,
        on_error: str = "raise",
    ) -> Clip:
        """Parses several parts in one pass.

        Args:
            what: Any of "residual", "motion", "macroblocks".
            frames: As for `residual`, and so are the other arguments and errors.
            scale: Of the residual.
            space: Of the residual.
            out: For the residual.
            threads: Threads to parse with.
            on_error: "raise" or "mask".
        """
        what = parts_of(what, PARTS)
        check_common(scale, space, threads, on_error)
        # Taken once: another thread may append, or close the stream, meanwhile.
        native, shown = self.native, self._places()
        rows = frame_numbers(frames, self.frame_count)
        count = len(rows)
        columns, lines = -(-self.width // 16), -(-self.height // 16)
        grid = (count, lines, columns)
        wanted: dict[str, tuple[tuple[int, ...], Any]] = {"type": (grid, np.uint8)}
        if "motion" in what:
            wanted["motion"] = ((count, 2 * lines, 2 * columns, 2), np.int16)
            if shown is not None:
                wanted["backward"] = wanted["motion"]
        if "macroblocks" in what:
            wanted |= {"quantiser": (grid, np.uint8), "bits": (grid, np.uint32)}
        arrays: dict[str, Any] = {}
        if "residual" in what:
            arrays |= sample_arrays(
                (self.width, self.height), count, scale, space, out=out, beside=wanted.values()
            )
        else:
            check_memory(wanted.values())
        arrays |= {name: np.empty(shape, dtype) for name, (shape, dtype) in wanted.items()}
        types = arrays["type"]
        records = _native.decode(
            [(native, rows.tolist())],
            scale=scale,
            space=SPACES.index(space),
            threads=threads,
            keep_going=on_error == "mask",
            **arrays,
        )
        errors = tuple(self.errors_of(records, on_error, frames=rows))
        common = {
            "frames": rows,
            "shown": rows if shown is None else shown[rows],
            "types": types,
            "errors": errors,
        }
        residual = motion = macroblocks = None
        if "residual" in what:
            names = ("y", "cb", "cr", "pixels")
            samples: dict[str, np.ndarray] = {n: arrays[n] for n in names if n in arrays}
            residual = Residuals(scale=scale, space=space, samples=samples, **common)
        if "motion" in what:
            motion = Motion(
                blocks=arrays["motion"],
                backward=arrays.get("backward"),
                width=self.width,
                height=self.height,
                **common,
            )
        if "macroblocks" in what:
            macroblocks = Macroblocks(quantiser=arrays["quantiser"], bits=arrays["bits"], **common)
        return Clip(
            path=self.path,
            width=self.width,
            height=self.height,
            frame_rate=Fraction(self.frame_rate),
            frame_count=self.frame_count,
            residual=residual,
            motion=motion,
            macroblocks=macroblocks,
        )

    @property
    def native(self) -> _native.Stream:
        """The parser's own index, for the other modules of this package.

        Raises:
            ConfigError: The stream is closed.
        """
        if self._native is None:
            raise ConfigError("the stream is closed", file=self.path, remedy="open it again")
        return self._native
