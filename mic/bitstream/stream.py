"""Random access to the residuals, vectors and modes of one clip."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from mic import _native
from mic.bitstream.records import Clip, Macroblocks, Motion, Residuals
from mic.bitstream.source import open_index, syntax_error
from mic.errors import BitstreamError, ConfigError

SPACES = ("planes", "ycbcr", "rgb")
SCALES = (1, 2, 4, 8)
PARTS = ("residual", "motion", "macroblocks")

Out = np.ndarray | tuple[np.ndarray, np.ndarray, np.ndarray]


class Stream:
    """An MPEG-4 Part 2 clip, opened for random access; see `mic.bitstream.open`.

    Only an index is kept: some 24 bytes a frame. Frame number t is the t-th VOP; there are no
    B-VOPs, so coding order is display order. Methods may be called from several threads.

    Attributes:
        path: The file.
        width: Luma samples a row.
        height: Luma rows.
        frame_count: VOPs in the clip.
        frame_rate: Frames a second.
        vop_types: One letter a frame: "I", "P", "N" (not coded: the frame before is shown again)
            or "?" (damaged header).
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._native, self.frame_rate = open_index(self.path)
        self.width, self.height = self._native.size
        self.frame_count = len(self._native)
        self.vop_types: str = self._native.coding_types

    def __enter__(self) -> Stream:
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

    def close(self) -> None:
        """Closes the file; the stream is of no use afterwards."""
        self._native = None

    def residual(
        self,
        frames: Iterable[int] | slice | None = None,
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
            threads: Frames are parsed in parallel with the GIL released.
            on_error: "raise", or "mask" to get the whole video packets before any damage, zeros
                after it, and `Residuals.missing`.

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

    def motion(
        self,
        frames: Iterable[int] | slice | None = None,
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
        frames: Iterable[int] | slice | None = None,
        *,
        threads: int = 1,
        on_error: str = "raise",
    ) -> Macroblocks:
        """Parses types, quantisers and bits of macroblocks; arguments as `residual`."""
        clip = self.read(what=("macroblocks",), frames=frames, threads=threads, on_error=on_error)
        assert clip.macroblocks is not None
        return clip.macroblocks

    def read(
        self,
        *,
        what: Sequence[str] = ("residual",),
        frames: Iterable[int] | slice | None = None,
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
        _check_choice("what", tuple(what), PARTS)
        _check_choice("scale", (scale,), SCALES)
        _check_choice("space", (space,), SPACES)
        _check_choice("on_error", (on_error,), ("raise", "mask"))
        if threads < 1:
            raise ConfigError(f"threads is {threads}", remedy="use 1 or more")
        rows = frame_numbers(frames, self.frame_count)
        count = len(rows)
        columns, lines = -(-self.width // 16), -(-self.height // 16)
        types = np.empty((count, lines, columns), np.uint8)
        arrays: dict[str, Any] = {"type": types}
        if "residual" in what:
            arrays |= _residual_arrays(self.width, self.height, count, scale, space, out)
        if "motion" in what:
            arrays["motion"] = np.empty((count, 2 * lines, 2 * columns, 2), np.int16)
        if "macroblocks" in what:
            arrays["quantiser"] = np.empty(types.shape, np.uint8)
            arrays["bits"] = np.empty(types.shape, np.uint32)
        records = _native.decode(
            [(self._native, rows.tolist())],
            scale=scale,
            space=SPACES.index(space),
            threads=threads,
            keep_going=on_error == "mask",
            **arrays,
        )
        errors = tuple(self._errors(records, on_error))
        common = {"frames": rows, "types": types, "errors": errors}
        residual = motion = macroblocks = None
        if "residual" in what:
            samples = {
                name: arrays[name] for name in ("y", "cb", "cr", "pixels") if name in arrays
            }
            residual = Residuals(scale=scale, space=space, **samples, **common)
        if "motion" in what:
            motion = Motion(
                blocks=arrays["motion"], width=self.width, height=self.height, **common
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

    def _errors(self, records: Sequence[tuple], on_error: str) -> Iterable[BitstreamError]:
        for _, packet, _, *details in records:
            error = syntax_error(*details, path=self.path, packet=packet)
            if on_error == "raise":
                raise error
            yield error


def frame_numbers(frames: Iterable[int] | slice | None, count: int) -> np.ndarray:
    """The frames meant, int64 (T,), each in [0, count).

    Raises:
        ConfigError: There is no such frame.
    """
    if frames is None:
        return np.arange(count)
    if isinstance(frames, slice):
        return np.arange(count)[frames]
    numbers = np.array([operator.index(number) for number in frames], np.int64)
    if ((numbers < -count) | (numbers >= count)).any():
        raise ConfigError(
            f"there is no such frame in a clip of {count}",
            place=f"frames {numbers.tolist()}",
            remedy=f"choose from 0 to {count - 1}",
        )
    return numbers % count


def _residual_arrays(
    width: int, height: int, count: int, scale: int, space: str, out: Out | None
) -> dict[str, np.ndarray]:
    luma = (count, -(-height // scale), -(-width // scale))
    chroma = (count, -(-((height + 1) // 2) // scale), -(-((width + 1) // 2) // scale))
    if space == "planes":
        shapes = {"y": luma, "cb": chroma, "cr": chroma}
    else:
        shapes = {"pixels": (*luma, 3)}
    if out is None:
        return {name: np.empty(shape, np.int16) for name, shape in shapes.items()}
    given = out if isinstance(out, tuple) else (out,)
    if len(given) != len(shapes):
        raise ConfigError(f"out has {len(given)} arrays", remedy=f"give {len(shapes)}")
    for array, (name, shape) in zip(given, shapes.items(), strict=True):
        if array.shape != shape or array.dtype != np.int16 or not array.flags.c_contiguous:
            raise ConfigError(
                f"out for {name} is {array.dtype} {array.shape}",
                remedy=f"give a C-contiguous int16 array of shape {shape}",
            )
    return dict(zip(shapes, given, strict=True))


def _check_choice(name: str, values: tuple, allowed: tuple) -> None:
    for value in values:
        if value not in allowed:
            raise ConfigError(
                f"{name} is {value!r}", remedy=f"choose from {', '.join(map(repr, allowed))}"
            )
