"""Sums over a clip, and the I-VOPs they start from: the half of `Stream` that follows chains."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
    plane_shapes,
    sample_arrays,
)
from mic_bitstream.clock import Clock
from mic_bitstream.errors import BitstreamError, ConfigError, UnsupportedSyntaxError
from mic_bitstream.records import Accumulated, IFrame, SegmentSums
from mic_bitstream.vop_index import LOST, MASK, syntax_error


class Sums(ABC):
    """What `Stream` does with chains of frames; it provides the attributes declared here."""

    path: Path
    width: int
    height: int
    frame_count: int
    vop_types: str
    clock: Clock

    @property
    @abstractmethod
    def native(self) -> _native.Stream:
        """The parser's own index."""

    @enough_memory()
    def accumulated(
        self,
        frames: Frames = None,
        *,
        scale: int = 1,
        definition: str = "standard",
        space: str = "planes",
        displacement: bool = False,
        with_iframe: bool = False,
        out: Out | None = None,
        threads: int = 1,
        on_error: str = "raise",
    ) -> Accumulated:
        """Accumulates residuals along the motion since the I-VOP before each frame.

        No pixel is decoded: residual planes are motion-compensated and the next residual added.
        Chains run from one I- or P-VOP to the next; B-VOPs are no part of them, because nothing is
        predicted from a B-VOP, and have no accumulated residual of their own.

        Args:
            frames: As for `residual`, but no B-VOPs; all I- and P-VOPs from an I-VOP to the last
                frame wanted are parsed.
            scale: As for `residual`. Motion vectors are divided by it.
            definition: Which motion compensation is carried along:

                - "standard": half- and quarter-sample interpolation of clause 7.6.2 with the
                  chroma vectors of 7.6.5, as exact linear maps, nothing rounded; float32. Reduced
                  sizes interpolate bilinearly, chroma at the macroblock's mean vector.
                - "coviar": vectors truncated towards zero to whole samples of each plane, so that
                  one look-up leads from any frame into the I-VOP; chroma at the macroblock's mean
                  vector; int16, saturating. CoViAR's loader does this with decoded frames.
            space: As for `residual`.
            displacement: Also carry where in the I-VOP each chain starts.
            with_iframe: Start from the I-VOP's samples instead of zero: the sums are then the
                decoded frames but for rounding and clipping. Full size only.
            out: Arrays to fill, as for `residual` but float32 with the standard's definition.
            threads: Groups of pictures are processed in parallel.
            on_error: "raise", or "mask": missing macroblocks break the chain, and so does a
                P-VOP that is not later than the picture before it. One that comes late in a
                stream of regular pictures breaks it with either, and is told in `errors`.

        Raises:
            BitstreamError: A frame on the way is damaged (with on_error="raise").
            UnsupportedSyntaxError: A frame on the way is outside the profile, or predicted
                with overlapping blocks (clause 7.6.6), or a frame that is wanted is a B-VOP.
            ConfigError: An argument is out of its range.
        """
        check_common(scale, space, threads, on_error)
        check_choice("definition", (definition,), ("standard", "coviar"))
        if with_iframe and scale != 1:
            raise ConfigError("with_iframe needs scale=1", place=f"scale={scale}")
        rows = frame_numbers(frames, self.frame_count)
        self._expect_references(rows, "accumulated residual")
        standard = definition == "standard"
        dtype = np.float32 if standard else np.int16
        luma, chroma = plane_shapes(self.width, self.height, scale)
        count = len(rows)
        samples = sample_arrays(
            (self.width, self.height),
            count,
            scale,
            space,
            dtype=dtype,
            out=out,
            beside=[
                ((count, *luma), np.bool_),
                ((count, *chroma), np.bool_),
                *([((count, *luma, 2), dtype)] if displacement else []),
            ],
        )
        broken = np.empty((count, *luma), np.bool_)
        broken_chroma = np.empty((count, *chroma), np.bool_)
        field: NDArray[Any] | None = np.empty((count, *luma, 2), dtype) if displacement else None
        run = _native.accumulate_standard if standard else _native.accumulate_coviar
        records = run(
            self.native,
            rows.tolist(),
            scale=scale,
            space=SPACES.index(space),
            displacement=field,
            broken=broken.view(np.uint8),
            broken_chroma=broken_chroma.view(np.uint8),
            breaks=self.clock.breaks.tolist(),
            with_intra_vop=with_iframe,
            threads=threads,
            keep_going=on_error == "mask",
            **samples,
        )
        return Accumulated(
            frames=rows,
            definition=definition,
            scale=scale,
            space=space,
            broken=broken,
            broken_chroma=broken_chroma,
            displacement=field,
            errors=tuple(self.errors_of(records, on_error, frames=self._way_to(rows), gaps=True)),
            samples=samples,
        )

    def _way_to(self, rows: np.ndarray) -> np.ndarray:
        """Frames whose chains lead through a break of the clock: those breaks, ascending."""
        breaks = self.clock.breaks
        if not len(breaks) or not len(rows):
            return breaks[:0]
        types = np.frombuffer(self.vop_types.encode(), np.uint8)
        starts = np.append(np.flatnonzero(types == ord("I")), len(types))
        ends = starts[np.searchsorted(starts, breaks, side="right")]  # of the groups of breaks
        wanted = np.sort(rows)
        after = np.append(wanted, len(types))[np.searchsorted(wanted, breaks)]
        return breaks[after < ends]

    @enough_memory()
    def segment_sums(
        self,
        count: int,
        *,
        scale: int = 1,
        space: str = "planes",
        threads: int = 1,
        on_error: str = "raise",
    ) -> SegmentSums:
        """Sums residuals over `count` segments of equal length (to one frame), without motion.

        Segments are of frames in coding order; B-VOPs count like others.

        Args:
            count: Segments, 1 to the number of frames.
            scale: As for `residual`, and so are the other arguments and errors.
            space: As for `residual`.
            threads: Segments are parsed in parallel.
            on_error: "raise" or "mask".
        """
        check_common(scale, space, threads, on_error)
        check_whole("count", count)
        if count > self.frame_count:
            raise ConfigError(
                f"count is {count}", remedy=f"choose from 1 to {self.frame_count} segments"
            )
        bounds = np.arange(count + 1) * self.frame_count // count
        samples = sample_arrays(
            (self.width, self.height), count, scale, space, dtype=np.int32, zeros=True
        )
        records = _native.sum_segments(
            self.native,
            bounds.tolist(),
            scale=scale,
            space=SPACES.index(space),
            threads=threads,
            keep_going=on_error == "mask",
            **samples,
        )
        errors = tuple(self.errors_of(records, on_error, frames=np.arange(self.frame_count)))
        return SegmentSums(bounds=bounds, scale=scale, space=space, errors=errors, samples=samples)

    def _expect_references(self, rows: np.ndarray, what: str) -> None:
        """Raises UnsupportedSyntaxError if one of the frames `rows` is a B-VOP."""
        if self.native.low_delay:
            return
        found = [int(row) for row in rows if self.native.is_bidirectional(int(row))]
        if found:
            raise UnsupportedSyntaxError(
                f"a B-VOP has no {what}: chains of predictions pass it by",
                file=self.path,
                place=f"frame {found[0]}" + f" and {len(found) - 1} more" * (len(found) > 1),
                remedy='ask for the frames whose letter in `vop_types` is not "B", or re-encode '
                "the video with `mic.codec.reencode` of mic-faces, which writes none",
            )

    def iframe(self, frame: int = 0) -> IFrame:
        """Parses an I-VOP: its coefficients, and, for convenience, its samples.

        Args:
            frame: Number of a frame of type "I".

        Raises:
            BitstreamError: It is damaged.
            ConfigError: There is no such frame, or it is of another type.
        """
        number = int(frame_numbers((frame,), self.frame_count)[0])
        if self.vop_types[number] not in "I?":
            raise ConfigError(
                f"frame {number} is of type {self.vop_types[number]}",
                remedy='choose one where `vop_types` has "I"',
            )
        luma, chroma = plane_shapes(self.width, self.height, 1)
        columns, lines = -(-self.width // 16), -(-self.height // 16)
        grid = (lines, columns, 6, 8, 8)
        check_memory([(grid, np.int16), (luma, np.uint8), (chroma, np.uint8), (chroma, np.uint8)])
        coefficients = np.empty(grid, np.int16)
        y, cb, cr = (np.empty(shape, np.uint8) for shape in (luma, chroma, chroma))
        try:
            _native.decode_intra(self.native, number, coefficients=coefficients, y=y, cb=cb, cr=cr)
        except _native.SyntaxError as error:
            raise syntax_error(*error.args, path=self.path, packet=number, remedy=LOST) from None
        return IFrame(frame=number, coefficients=coefficients, y=y, cb=cb, cr=cr)

    def errors_of(
        self,
        records: Sequence[tuple[Any, ...]],
        on_error: str,
        *,
        frames: np.ndarray | None = None,
        gaps: bool = False,
    ) -> Iterator[BitstreamError]:
        """The typed errors of what the parser and the clock tell; raises the first unless masked.

        Args:
            records: Of the parser.
            on_error: "raise" or "mask".
            frames: Those whose clock counts. A frame has one error, of the parser if there is one.
            gaps: Whether frames that come late count as well; that is never raised.
        """
        remedy = MASK if on_error == "raise" else LOST
        hurt = set()
        for _, packet, _, *details in records:
            hurt.add(packet)
            error = syntax_error(*details, path=self.path, packet=packet, remedy=remedy)
            if on_error == "raise":
                raise error
            yield error
        if frames is None or not len(self.clock.breaks):
            return
        for frame in dict.fromkeys(frames[np.isin(frames, self.clock.breaks)].tolist()):
            backwards = frame in self.clock.backwards
            if frame in hurt or not (backwards or gaps):
                continue
            if backwards and on_error == "raise":
                raise self.clock_error(frame, remedy)
            yield self.clock_error(frame, LOST)

    def errors_at_large(
        self, faults: Sequence[tuple[Any, ...]], promised: Sequence[BitstreamError] = ()
    ) -> tuple[BitstreamError, ...]:
        """What is wrong with a stream before anything is read: headers, promises, time.

        Args:
            faults: Of the native index.
            promised: What the container promises and does not hold.
        """
        headers = [
            syntax_error(*details, path=self.path, packet=packet, remedy=LOST)
            for _, packet, _, *details in faults
        ]
        clock = [self.clock_error(int(frame), LOST) for frame in self.clock.breaks]
        return (*headers, *promised, *clock)

    def clock_error(self, frame: int, remedy: str) -> BitstreamError:
        """What is wrong with the time of a frame."""
        return BitstreamError(
            self.clock.text(frame),
            file=self.path,
            place=f"packet {frame}, clause 6.3.5 vop_time_increment",
            remedy=remedy,
        )
