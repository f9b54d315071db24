"""Random access to vectors and residuals of a clip that has to be decoded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import DTypeLike

from mic.codec.video import Video
from mic.decoded.residuals import DecodedFrame, FrameVectors, residual, vectors
from mic.decoded.source import Picture, check_codec, check_cropping, pictures
from mic.errors import CodecError, ConfigError, UnsupportedSyntaxError
from mic_bitstream.arrays import (
    SPACES,
    Frames,
    Out,
    check_choice,
    check_memory,
    frame_numbers,
    parts_of,
    sample_arrays,
)
from mic_bitstream.records import INTER, INTRA, Clip, Motion, Residuals

PARTS = ("residual", "motion")
# 13 fractional bits, as native/colour.cpp has it.
_RGB = np.array([[9539, 0, 13075], [9539, -3209, -6660], [9539, 16525, 0]], np.int32)
_BLOCK_BYTES = 1 << 24


class Decoded:
    """A clip of a codec whose decoder exports motion vectors, with the face of `Stream`.

    Frame number t is the t-th picture as it is shown; what an edit list cuts away has no number.
    Nothing is kept but the index of the packets. Reading decodes from the key frame before the
    first frame wanted to the last one, once, and where many frames lie between two of them, from
    the key frame before the second again. Memory grows with the frames asked for, not with the
    video: `frames` and `blocks` take what a few frames take.

    Args:
        path: The file: H.264, MPEG-1, MPEG-2, H.263 or a relative, 8 bits, 4:2:0, progressive.

    Attributes:
        path: The file.
        codec: libavcodec's name of the codec.
        width: Luma samples a row.
        height: Luma rows.
        frame_count: Pictures that are shown.
        frame_rate: Frames a second, as the headers say.

    Raises:
        CodecError: The file cannot be opened, or holds no picture.
        UnsupportedSyntaxError: The codec exports no vectors, or the pictures are cropped at their
            left or upper edge.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._video = Video(self.path, survey=True)
        check_codec(self._video)
        check_cropping(self._video)
        self.codec = self._video.codec
        self.width, self.height = self._video.width, self._video.height
        self.frame_rate: Fraction = self._video.header_rate
        self.frame_count = len(self._video)

    def __enter__(self) -> Decoded:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Does nothing: no file stays open between two readings."""

    def __len__(self) -> int:
        return self.frame_count

    def frames(self, frames: Frames = None) -> Iterator[DecodedFrame]:
        """Residuals and vectors, frame by frame as they are shown, in memory that does not grow.

        Args:
            frames: As for `residual`; each once, ascending.

        Raises:
            CodecError: The file cannot be decoded, or (when all are read) breaks off; all whole
                frames before have been yielded.
            UnsupportedSyntaxError: It is interlaced, not 8-bit 4:2:0, or MPEG-4 with B-VOPs.
            ConfigError: There is no such frame.
        """
        for picture, past, future in self._chosen(frames, samples=True):
            yield residual(picture, past, future, video=self._video)

    def vectors(self, frames: Frames = None) -> Iterator[FrameVectors]:
        """As `frames`, without samples: loop filter and inverse transform are skipped."""
        for picture, _, _ in self._chosen(frames, samples=False):
            yield vectors(picture, (self.width, self.height))

    def residual(
        self, frames: Frames = None, *, space: str = "planes", out: Out | None = None
    ) -> Residuals:
        """Decodes frames and subtracts their predictions.

        Args:
            frames: Frame numbers in any order (negative ones count from the end), a slice, or
                None for all.
            space: "planes", "ycbcr" or "rgb", as for `mic.bitstream.Stream.residual`.
            out: Arrays to fill.

        Raises:
            CodecError: The file cannot be decoded, or (when all are read) breaks off.
            UnsupportedSyntaxError: It is interlaced, not 8-bit 4:2:0, or MPEG-4 with B-VOPs.
            ConfigError: An argument is out of its range, or the memory does not suffice.
        """
        clip = self.read(what=("residual",), frames=frames, space=space, out=out)
        assert clip.residual is not None
        return clip.residual

    def motion(self, frames: Frames = None) -> Motion:
        """Vectors per 8x8 block, in quarter samples; arguments and errors as `residual`."""
        clip = self.read(what=("motion",), frames=frames)
        assert clip.motion is not None
        return clip.motion

    def blocks(self, *, size: int | None = None, space: str = "planes") -> Iterator[Residuals]:
        """All residuals in order, some frames at a time, decoded once.

        Args:
            size: Frames in a block; None for some 16 MB.
            space: As for `residual`, and so are the errors.
        """
        check_choice("space", (space,), SPACES)
        if size is None:
            size = max(1, _BLOCK_BYTES // (6 * self.width * self.height))
        if size < 1:
            raise ConfigError(f"size is {size}", remedy="use 1 or more")
        found = self.frames()
        for start in range(0, self.frame_count, size):
            rows = np.arange(start, min(start + size, self.frame_count))
            clip = self._filled(found, rows, ("residual",), space, None)
            assert clip.residual is not None
            yield clip.residual

    def read(
        self,
        *,
        what: Sequence[str] = ("residual",),
        frames: Frames = None,
        space: str = "planes",
        out: Out | None = None,
    ) -> Clip:
        """Reads residuals, vectors or both in one pass.

        Args:
            what: "residual", "motion" or both.
            frames: As for `residual`, and so are the other arguments and errors.
            space: Of the residual.
            out: For the residual.

        Returns:
            A clip whose macroblock types are only `INTER` and `INTRA` (no vector in it).
        """
        what = parts_of(what, ("residual", "motion", "macroblocks"))
        if "macroblocks" in what:
            raise ConfigError(
                "quantisers and bits need the bitstream", remedy='use method="bitstream"'
            )
        check_choice("space", (space,), SPACES)
        rows = frame_numbers(frames, self.frame_count)
        found = self.frames(rows) if "residual" in what else self.vectors(rows)
        return self._filled(found, rows, what, space, out)

    def _chosen(
        self, frames: Frames, *, samples: bool
    ) -> Iterator[tuple[Picture, Picture | None, Picture | None]]:
        """Chosen pictures with their past and, of B-pictures, their future reference."""
        wanted = sorted(set(frame_numbers(frames, self.frame_count).tolist()))
        for first, group in self._video.ways(wanted, seekable=False):
            left = set(group)
            try:
                yield from self._from(first, left, samples=samples)
            except CodecError:
                if first == 0:
                    raise
                # Some "key frames" are none: pictures behind them refer to others before.
                yield from self._from(0, left, samples=samples)
        if len(wanted) == self.frame_count and self._video.damage is not None:
            raise self._video.damage

    def _from(
        self, first: int, left: set[int], *, samples: bool
    ) -> Iterator[tuple[Picture, Picture | None, Picture | None]]:
        """Decodes from one picture on; `left` shrinks by what is yielded."""
        past: Picture | None = None
        waiting: list[Picture] = []
        for picture in pictures(self._video, first, samples=samples):
            if picture.kind == "B" and past is not None:
                if self.codec == "mpeg4":
                    raise UnsupportedSyntaxError(
                        "B-VOPs are not read from decoded pictures",
                        file=self.path,
                        remedy="mic.bitstream.open reads what is coded of them",
                    )
                waiting.append(picture)
                continue
            for bidirectional in waiting:
                if bidirectional.number in left:
                    left.remove(bidirectional.number)
                    yield bidirectional, past, picture
            waiting.clear()
            if picture.number in left:
                left.remove(picture.number)
                yield picture, past, None
            if not left:
                return
            past = picture
        for bidirectional in waiting:
            if bidirectional.number in left:
                left.remove(bidirectional.number)
                yield bidirectional, past, None
        if left:
            raise CodecError(
                "ends before its last picture",
                file=self.path,
                place=f"frame {min(left)}",
                remedy="the file is damaged; get another copy",
            )

    def _filled(
        self,
        found: Iterator[FrameVectors],
        rows: np.ndarray,
        what: Sequence[str],
        space: str,
        out: Out | None,
    ) -> Clip:
        """The next frames of an iterator, as many as differ among `rows`, in one record."""
        count, lines, columns = len(rows), -(-self.height // 16), -(-self.width // 16)
        wanted: dict[str, tuple[tuple[int, ...], DTypeLike]] = {
            "types": ((count, lines, columns), np.uint8)
        }
        if "motion" in what:
            for name in ("blocks", "backward"):
                wanted[name] = ((count, 2 * lines, 2 * columns, 2), np.int16)
        samples: dict[str, np.ndarray] = {}
        if "residual" in what:
            samples = sample_arrays(
                (self.width, self.height), count, 1, space, out=out, beside=wanted.values()
            )
        else:
            check_memory(wanted.values())
        arrays = {name: np.zeros(shape, dtype) for name, (shape, dtype) in wanted.items()}
        bidirectional = False
        for number in np.unique(rows).tolist():
            frame = next(found)
            assert frame.number == number
            here = rows == number
            whole = frame.intra.reshape(lines, 2, columns, 2).all((1, 3))
            arrays["types"][here] = np.where(whole, INTRA, INTER)
            if "motion" in what:
                arrays["blocks"][here] = frame.motion
                arrays["backward"][here] = frame.backward
                bidirectional |= frame.kind == "B"
            if isinstance(frame, DecodedFrame):
                for name, array in samples.items():
                    array[here] = (
                        _interleaved(frame, space) if name == "pixels" else getattr(frame, name)
                    )
        types = arrays["types"]
        return Clip(
            path=self.path,
            width=self.width,
            height=self.height,
            frame_rate=self.frame_rate,
            frame_count=self.frame_count,
            residual=Residuals(
                scale=1, space=space, samples=samples, frames=rows, shown=rows, types=types
            )
            if "residual" in what
            else None,
            motion=Motion(
                blocks=arrays["blocks"],
                backward=arrays["backward"] if bidirectional else None,
                width=self.width,
                height=self.height,
                frames=rows,
                shown=rows,
                types=types,
            )
            if "motion" in what
            else None,
        )


def _interleaved(frame: DecodedFrame, space: str) -> np.ndarray:
    """The residual as (H, W, 3), chroma repeated."""
    height, width = frame.y.shape
    chroma = [c.repeat(2, 0).repeat(2, 1)[:height, :width] for c in (frame.cb, frame.cr)]
    pixels = np.stack([frame.y, *chroma], axis=-1)
    if space == "ycbcr":
        return pixels
    fixed = pixels.astype(np.int32) @ _RGB.T
    return np.clip((fixed + (1 << 12)) >> 13, -32768, 32767).astype(np.int16)
