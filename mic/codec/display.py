"""How a decoded picture is shown: which side is up, how wide a sample is, what its colours mean.

The one place in `mic` that obeys a video's display matrix, sample aspect ratio, colour matrix and
range. What comes out is upright, has square samples, and is full-range RGB.

- The display matrix (ISO/IEC 14496-12, 6.2.2) turns by quarters of a circle and mirrors; a matrix
  of another angle is taken for the nearest of the eight.
- A sample aspect ratio makes one side longer, so that no sample is lost.
- The colour matrix is BT.601, BT.709, SMPTE 240M, FCC or BT.2020 as the video says, BT.601 where
  it says nothing; the range is limited unless it says full. HDR (PQ, HLG) is mapped to the range
  of an ordinary screen, as `mic.codec.hdr` says. Transparency is ignored.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
from numpy.typing import NDArray

from mic.codec.aspects import SampleAspects
from mic.codec.hdr import is_hdr, mapped
from mic.errors import CodecError
from mic_bitstream.files import check_size
from mic_bitstream.side_data import attached

# AVColorSpace (ISO/IEC 23091-2, MatrixCoefficients): what libswscale converts, and what it would
# refuse although it means the same (constant luminance differs by less than the eye sees) or
# nothing at all (reserved).
_CONVERTED = frozenset({0, 1, 2, 4, 5, 6, 7, 9})
_UNSPECIFIED = 2
_NEAREST = {10: 9, 3: _UNSPECIFIED}
_NAMES = {8: "YCgCo", 11: "SMPTE 2085", 12: "derived from primaries", 13: "derived from primaries"}
_NAMES |= {14: "ICtCp", 15: "IPT", 16: "YCgCo-Re", 17: "YCgCo-Ro"}
# Matrices of BT.601, and of what says nothing; full range is 2 (AVColorRange).
_BT601, _FULL = frozenset({_UNSPECIFIED, 5, 6}), 2
# A stranger ratio is a damaged header, not a lens.
_WIDEST = 8

Box = tuple[int, int, int, int]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Display:
    """From coded to shown pictures.

    Attributes:
        transposed: Rows become columns, before the two below.
        flipped: Upside down.
        mirrored: Left becomes right.
        sample_aspect: Width of a coded sample in its heights.
        plain_colours: Whether colours are BT.601's in limited range, as where a video does not
            say; displays are equal without it.
    """

    transposed: bool = False
    flipped: bool = False
    mirrored: bool = False
    sample_aspect: Fraction = Fraction(1)
    plain_colours: bool = dataclasses.field(default=True, compare=False)

    @classmethod
    def of(
        cls,
        frame: av.VideoFrame,
        sample_aspect: Fraction | None = None,
        *,
        before: Display | None = None,
    ) -> Display:
        """How a decoded picture is to be shown.

        Args:
            frame: With the display matrix that libavcodec attached, if there is one.
            sample_aspect: Of the stream; None, zero or a ratio beyond 8 counts as square.
            before: Of the picture before, whose turn holds up to the next key picture where a
                stream itself tells it (ITU-T H.264, D.2.27; other repetition periods are not
                told apart), for libavcodec does not repeat it.
        """
        square = not sample_aspect or not Fraction(1, _WIDEST) <= sample_aspect <= _WIDEST
        aspect = Fraction(1) if square or sample_aspect is None else Fraction(sample_aspect)
        plain = frame.colorspace in _BT601 and frame.color_range != _FULL
        try:
            data = attached(frame, "DISPLAYMATRIX")
        except ValueError:  # beside it is something that PyAV has no name for
            turns = round(-frame.rotation / 90) % 4  # clockwise
            return cls(
                transposed=turns in (1, 3),
                flipped=turns in (2, 3),
                mirrored=turns in (1, 2),
                sample_aspect=aspect,
                plain_colours=plain,
            )
        if data is None:
            held = cls() if before is None or frame.key_frame else before
            return dataclasses.replace(held, sample_aspect=aspect, plain_colours=plain)
        # Rows (a, b, u), (c, d, v), (x, y, w): a step to the right in the coded picture goes by
        # (a, b) in the shown one, a step down by (c, d).
        a, b, _, c, d = np.frombuffer(cast(Any, data), np.int32)[:5].tolist()
        transposed = abs(b) + abs(c) > abs(a) + abs(d)
        right, down = (c, b) if transposed else (a, d)
        return cls(
            transposed=transposed,
            flipped=down < 0,
            mirrored=right < 0,
            sample_aspect=aspect,
            plain_colours=plain,
        )

    @property
    def as_coded(self) -> bool:
        """Whether shown pictures are the coded ones, sample for sample."""
        return self == Display()

    @property
    def turned(self) -> bool:
        """Whether they are turned or mirrored."""
        return self.transposed or self.flipped or self.mirrored

    def __str__(self) -> str:
        """In words: "as coded", or for instance "turned by 90 degrees, samples 16:15"."""
        # Clockwise, after which a mirrored picture is mirrored left to right.
        turn = {
            (False, False, False): "",
            (True, False, True): "turned by 90 degrees",
            (False, True, True): "turned by 180 degrees",
            (True, True, False): "turned by 270 degrees",
            (False, False, True): "mirrored",
            (True, False, False): "turned by 90 degrees and mirrored",
            (False, True, False): "turned by 180 degrees and mirrored",
            (True, True, True): "turned by 270 degrees and mirrored",
        }[self.transposed, self.flipped, self.mirrored]
        ratio = self.sample_aspect
        wide = "" if ratio == 1 else f"samples {ratio.numerator}:{ratio.denominator}"
        return ", ".join(filter(None, (turn, wide))) or "as coded"

    def square(self, width: int, height: int) -> tuple[int, int]:
        """Width and height of a coded picture once its samples are square, before any turn."""
        if self.sample_aspect >= 1:
            return round(width * self.sample_aspect), height
        return width, round(height / self.sample_aspect)

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height of the shown picture."""
        wide, high = self.square(width, height)
        return (high, wide) if self.transposed else (wide, high)

    @property
    def shown_aspect(self) -> Fraction:
        """Width of a sample in its heights after the turn, where it is not made square."""
        return 1 / self.sample_aspect if self.transposed else self.sample_aspect

    def turn(self, picture: NDArray[Any]) -> NDArray[Any]:
        """A coded picture (H, W, ...) turned and mirrored, a view."""
        picture = picture.swapaxes(0, 1) if self.transposed else picture
        return picture[:: -1 if self.flipped else 1, :: -1 if self.mirrored else 1]

    def places(self, places: NDArray[Any], width: int, height: int) -> NDArray[np.float64]:
        """Where places of a coded picture are in the shown one.

        Args:
            places: (N, 2), (x, y) in samples from the corner of the coded picture.
            width: Of the coded picture.
            height: Of the coded picture.
        """
        size = np.array(self.size(width, height), np.float64)
        return np.add(self.steps(places), size * (self.mirrored, self.flipped))

    def steps(self, steps: NDArray[Any]) -> NDArray[np.float64]:
        """Motion (N, 2) of a coded picture, (x, y) in samples, as it is seen in the shown one."""
        stretch = max(self.sample_aspect, Fraction(1)), max(1 / self.sample_aspect, Fraction(1))
        seen = np.asarray(steps, np.float64) * (float(stretch[0]), float(stretch[1]))
        seen = seen[:, ::-1] if self.transposed else seen
        return seen * (-1 if self.mirrored else 1, -1 if self.flipped else 1)

    def coded(self, box: Box, width: int, height: int) -> Box:
        """Where a box of the shown picture lies in the coded one; samples must be square.

        Args:
            box: left, top, right, bottom in samples of the shown picture.
            width: Of the coded picture.
            height: Of the coded picture.
        """
        left, top, right, bottom = box
        wide, high = self.size(width, height)
        if self.mirrored:
            left, right = wide - right, wide - left
        if self.flipped:
            top, bottom = high - bottom, high - top
        return (top, left, bottom, right) if self.transposed else (left, top, right, bottom)

    def filters(self) -> list[tuple[str, str]]:
        """`turn` in the names of libavfilter."""
        steps = [("transpose", "cclock_flip")] if self.transposed else []  # plainly transposes
        steps += [("vflip", "")] if self.flipped else []
        return steps + ([("hflip", "")] if self.mirrored else [])


def displays(
    frames: Iterable[av.VideoFrame],
    sample_aspect: Fraction | None,
    aspects: SampleAspects | None = None,
) -> Iterator[tuple[av.VideoFrame, Display]]:
    """Decoded pictures of a stream, each with how it is shown; see `Display.of`.

    Args:
        frames: Decoded.
        sample_aspect: Of the stream, as its container or its first header says.
        aspects: Pictures of another sample aspect are scaled to samples of the first.
    """
    display: Display | None = None
    for frame in frames:
        display = Display.of(frame, sample_aspect, before=display)
        stretch = Fraction(1) if aspects is None else aspects.stretch(frame)
        if stretch != 1 and Fraction(1, _WIDEST) <= stretch <= _WIDEST:
            wide = dataclasses.replace(display, sample_aspect=stretch)
            width, height = wide.square(frame.width, frame.height)
            yield resized(frame, (width + 1) & ~1, (height + 1) & ~1), display
        else:
            yield frame, display


def resized(frame: av.VideoFrame, width: int, height: int) -> av.VideoFrame:
    """A picture at another size, its colours and its time meant as before."""
    found = frame.reformat(width, height, interpolation="BICUBIC")
    return like(frame, found)


def like(frame: av.VideoFrame, found: av.VideoFrame) -> av.VideoFrame:
    """The second picture, marked with the colours and the time stamp of the first."""
    found.colorspace, found.color_range = frame.colorspace, frame.color_range
    found.color_trc, found.color_primaries = frame.color_trc, frame.color_primaries
    found.pts = frame.pts
    if frame.time_base is not None:
        found.time_base = frame.time_base
    return found


def rgb(
    frame: av.VideoFrame, display: Display, path: Path, *, place: str | None = None
) -> NDArray[np.uint8]:
    """A decoded picture as it is shown, uint8 (H, W, 3) RGB.

    Args:
        frame: Decoded.
        display: Of its video.
        path: Named in errors.
        place: Which picture it is, named in errors too.

    Raises:
        CodecError: It is of a colour space that is not converted, or grows gigantic.
    """
    frame = ordinary(frame, path, place=place)
    width, height = display.square(frame.width, frame.height)
    if (width, height) == (frame.width, frame.height):
        picture = frame.to_ndarray(format="rgb24")
    else:
        check_size(width, height, path)
        picture = frame.reformat(width, height, "rgb24", interpolation="BICUBIC").to_ndarray()
    if display.turned:
        picture = np.ascontiguousarray(display.turn(picture))
    return cast(NDArray[np.uint8], picture)


def ordinary(frame: av.VideoFrame, path: Path, *, place: str | None = None) -> av.VideoFrame:
    """A picture whose colours libswscale converts and an ordinary screen shows.

    Args:
        frame: Decoded; marked with the nearest colour matrix that libswscale knows.
        path: Named in errors.
        place: Which picture it is, named in errors too.

    Returns:
        The frame itself; of HDR one in RGB, without its display matrix.

    Raises:
        CodecError: libswscale knows no colour matrix that is near enough to the picture's.
    """
    if frame.colorspace not in _CONVERTED:
        _declare_nearest(frame, path, place)
    return mapped(frame) if is_hdr(frame) else frame


def _declare_nearest(frame: av.VideoFrame, path: Path, place: str | None) -> None:
    if frame.colorspace not in _NEAREST:
        name = _NAMES.get(frame.colorspace, f"number {frame.colorspace}")
        raise CodecError(
            f"its colours are {name}, which are not converted",
            file=path,
            place=place,
            remedy="convert it to BT.709 with the tool that made it",
        )
    frame.colorspace = _NEAREST[frame.colorspace]
