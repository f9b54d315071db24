"""A video as moments: when each picture is, how it moved, and the parts of it that are wanted.

Two kinds of files, one face to the outside:

- *parsed*: MPEG-4 Part 2. Vectors come from the bitstream; the regions of looks are reconstructed
  exactly, with nothing that they do not depend on, and whole pictures for searches only.
- *decoded*: everything else, by libavcodec. Pictures that no other refers to and at which nobody
  looks are passed over; vectors are exported; only regions of looks are converted to RGB.

The samples of both are the same to the last bit, so the answers are the same.
"""

from __future__ import annotations

import bisect
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import av
import numpy as np
from av.video.frame import PictureType

from mic import bitstream
from mic.codec import Video
from mic.codec.display import Display, declare_colours, rgb
from mic.codec.reading import opened
from mic.decoded.residuals import vectors_of
from mic.errors import BitstreamError, CodecError, UnsupportedSyntaxError
from mic.recognition.follower import Motion, Pixels, Region, Vectors
from mic_bitstream.decoding import decoded_frames
from mic_bitstream.records import INTRA, INTRA_Q

_PLANAR = ("yuv420p", "yuvj420p")
_PLANNED_SECONDS = 10.0  # of a parsed video are planned, and reconstructed, together
_MARGIN = 0.12  # a planned region is larger than the carried square by this part of its sides


@dataclasses.dataclass
class Moment:
    """One picture that passes.

    Attributes:
        number: Among the shown pictures.
        time: Seconds from the first.
        size: Width and height of the shown picture.
        motion: Since the moment before; None where nobody knows.
        pixels: Gives its parts; None unless it is one of the wanted.
    """

    number: int
    time: float
    size: tuple[int, int]
    motion: Motion | None
    pixels: Pixels | None


@dataclasses.dataclass
class Work:
    """What reading a video has cost so far.

    Attributes:
        pictures: Shown pictures that have passed.
        decoded: Of those, decoded whole.
        regions: Parts of pictures reconstructed alone.
    """

    pictures: int = 0
    decoded: int = 0
    regions: int = 0

    def take(self, other: Work) -> None:
        """Becomes equal to another."""
        self.pictures, self.decoded, self.regions = other.pictures, other.decoded, other.regions


class Source(Protocol):
    """A video whose moments can be asked for, once."""

    way: str
    video: Video
    work: Work

    def moments(self, wanted: Sequence[int], regions: Callable[[Motion | None], list[Region]]
                ) -> Iterator[Moment]:  # fmt: skip
        """See `Decoded.moments`."""


class Decoded:
    """A video that libavcodec decodes.

    Args:
        video: Of any codec.
    """

    way = "decoded"

    def __init__(self, video: Video) -> None:
        self.video = video
        self.work = Work()

    def moments(
        self, wanted: Sequence[int], regions: Callable[[Motion | None], list[Region]]
    ) -> Iterator[Moment]:
        """Passes over the video up to the last wanted picture.

        Args:
            wanted: Numbers of pictures at which somebody will look, ascending.
            regions: Not needed here; `Parsed` plans by it.

        Raises:
            CodecError: The video is damaged here; `place` names the picture.
        """
        video, waiting, number = self.video, list(wanted), -1
        with opened(video.path, number=video.stream) as (container, stream):
            context = stream.codec_context
            context.options = {**context.options, "flags2": "+export_mvs"}
            stamps = set(video.index.stamps[video.index.packet_of[waiting]].tolist())

            def allow(packet: av.Packet) -> None:
                """Lets the decoder pass over what nobody looks at and nothing refers to."""
                # Where pictures are counted, none may be missing.
                needed = not video.index.by_stamp or packet.pts in stamps
                context.skip_frame = "DEFAULT" if needed else "NONREF"

            try:
                for frame in decoded_frames(container, stream, video.path, before=allow):
                    known = video.index.number(frame.pts)
                    if known is None and video.index.by_stamp:
                        continue  # cut away by an edit list
                    number = number + 1 if known is None else known
                    self.work.decoded += 1
                    if number >= len(video):
                        break
                    looked_at = bool(waiting) and number >= waiting[0]
                    while waiting and number >= waiting[0]:
                        waiting.pop(0)
                    display = Display.of(frame, video.sample_aspect)
                    yield Moment(
                        number,
                        float(video.times[number]),
                        display.size(frame.width, frame.height),
                        _exported(frame) if display.as_coded else None,
                        _Parts(*_converter(frame, display, video.path)) if looked_at else None,
                    )
                    if not waiting:
                        break
            except CodecError as error:
                time = float(video.times[max(number, 0)])
                raise CodecError(
                    error.message,
                    file=video.path,
                    place=f"after frame {number} ({time:.2f} s)",
                    remedy=error.remedy,
                ) from error
        self.work.pictures = len(video)


class Parsed:
    """An MPEG-4 Part 2 video whose regions are reconstructed.

    Args:
        video: As coded, without B-VOPs.
        stream: The same, opened.
    """

    way = "parsed"

    def __init__(self, video: Video, stream: bitstream.Stream) -> None:
        self.video, self._stream = video, stream
        self.work = Work()

    def moments(
        self, wanted: Sequence[int], regions: Callable[[Motion | None], list[Region]]
    ) -> Iterator[Moment]:
        """As `Decoded.moments`, but regions are planned from the vectors and made together.

        Args:
            wanted: Numbers of pictures at which somebody will look, ascending.
            regions: Told the vectors from one picture to a later one, it says which regions will
                be wanted of that one, as far as can be foreseen.
        """
        video, times = self.video, self.video.times
        start = 0
        while start <= (wanted[-1] if wanted else -1):
            end = min(bisect.bisect_left(times, times[start] + _PLANNED_SECONDS), len(video))
            end = max(min(end, self._group_end(start)), start + 1)
            if not regions(None):  # nobody is followed yet: plan when somebody has been found
                end = min(end, wanted[bisect.bisect_left(wanted, start)] + 1)
            steps = self._steps(start, end)
            looks = [number for number in wanted if start <= number < end]
            made = self._made(looks, start, steps, regions)
            for number in range(start, end):
                pixels = self._parts(number, made.get(number, [])) if number in looks else None
                yield Moment(
                    number, float(times[number]), self.whole[2:], steps[number - start], pixels
                )
                if number == wanted[-1]:
                    break
            start = end
        self.work.pictures = len(video)

    def _group_end(self, start: int) -> int:
        packets = self.video.index.packet_of
        for number in range(start + 1, len(packets)):
            if self._stream.vop_types[packets[number]] == "I":
                return number
        return len(packets)

    def _steps(self, start: int, end: int) -> list[Motion | None]:
        packets = self.video.index.packet_of[start:end]
        types = self._stream.vop_types
        moving = [int(p) for p in packets if types[p] == "P"]
        blocks = dict(zip(moving, self._moved(moving), strict=True)) if moving else {}
        return [blocks.get(int(packet)) for packet in packets]

    def _moved(self, packets: list[int]) -> Iterator[Motion]:
        found = self._stream.motion(packets)
        coded = ~np.isin(found.types, (INTRA, INTRA_Q))
        for blocks, known in zip(found.blocks, coded, strict=True):
            yield _Grid(blocks, known)

    def _made(
        self,
        looks: list[int],
        start: int,
        steps: list[Motion | None],
        regions: Callable[[Motion | None], list[Region]],
    ) -> dict[int, list[tuple[Region, np.ndarray]]]:
        """The planned regions of each picture, made in one pass."""
        frames: list[int] = []
        boxes: list[Region] = []
        for number in range(start, start + len(steps)):
            planned = regions(steps[number - start])
            if number in looks:
                frames += [number] * len(planned)
                boxes += [_wider(box, self.whole[2:]) for box in planned]
        made: dict[int, list[tuple[Region, np.ndarray]]] = {}
        for number, box, picture in zip(frames, boxes, self.make(frames, boxes), strict=True):
            made.setdefault(number, []).append((box, picture))
        return made

    def _parts(self, number: int, made: list[tuple[Region, np.ndarray]]) -> _Parts:
        return _Parts(lambda region: self.make([number], [region])[0], self.whole, made)

    def make(self, numbers: list[int], boxes: list[Region]) -> list[np.ndarray]:
        """Regions of pictures as RGB; the work is counted."""
        if not numbers:
            return []
        packets = [int(self.video.index.packet_of[number]) for number in numbers]
        wanted = [(left, top, right - left, bottom - top) for left, top, right, bottom in boxes]
        size = (self.video.width, self.video.height)
        for box in wanted:
            self.work.decoded += box[2:] == size
            self.work.regions += box[2:] != size
        try:
            return [one.rgb() for one in self._stream.pictures(packets, region=wanted)]
        except BitstreamError as error:
            raise CodecError(
                error.message,
                file=self.video.path,
                place=f"before frame {numbers[-1]}, {error.place}",
                remedy=error.remedy,
            ) from error

    @property
    def whole(self) -> Region:
        """All of a picture."""
        return 0, 0, self.video.width, self.video.height


class _Grid(Motion):
    """The vectors of a parsed picture, one a block of 8x8 samples.

    Args:
        blocks: int16 (rows, columns, 2), where each block came from in quarter samples.
        coded: bool (rows / 2, columns / 2), the macroblocks that have vectors.
    """

    def __init__(self, blocks: np.ndarray, coded: np.ndarray) -> None:
        self._blocks, self._coded = blocks, coded

    def of(self, box: np.ndarray) -> np.ndarray:
        """The median step of the blocks in a box, as `Vectors.of`."""
        left, top, right, bottom = (max(0, int(edge)) // 16 for edge in box)
        rows, columns = slice(top, bottom + 1), slice(left, right + 1)
        known = self._coded[rows, columns]
        if not known.any():
            return np.zeros(2)
        inside = self._blocks[2 * top : 2 * bottom + 2, 2 * left : 2 * right + 2]
        inside = inside[known.repeat(2, 0).repeat(2, 1)[: inside.shape[0], : inside.shape[1]]]
        return -np.median(inside, axis=0) / 4


class _Parts:
    """Parts of one picture: each a little larger than asked for, and used again where it can be.

    Args:
        make: Makes a part.
        whole: All of the picture.
        made: What is there already.
    """

    def __init__(
        self,
        make: Callable[[Region], np.ndarray],
        whole: Region,
        made: list[tuple[Region, np.ndarray]] | None = None,
    ) -> None:
        self._make, self._whole, self._made = make, whole, list(made or [])

    def __call__(self, region: Region | None) -> np.ndarray:
        left, top, right, bottom = region or self._whole
        for box, picture in self._made:
            if box[0] <= left and box[1] <= top and box[2] >= right and box[3] >= bottom:
                part = picture[top - box[1] : bottom - box[1], left - box[0] : right - box[0]]
                return np.ascontiguousarray(part)
        box = _wider((left, top, right, bottom), self._whole[2:])
        self._made.append((box, self._make(box)))
        return self((left, top, right, bottom))


def _wider(box: Region, size: tuple[int, int]) -> Region:
    left, top, right, bottom = box
    x, y = round(_MARGIN * (right - left)) & ~1, round(_MARGIN * (bottom - top)) & ~1
    return max(0, left - x), max(0, top - y), min(size[0], right + x), min(size[1], bottom + y)


def source_of(video: Video) -> Source:
    """How a video is read: parsed where that can be done exactly, else decoded.

    Raises:
        CodecError: It has no picture that can be decoded.
    """
    if video.codec == "mpeg4" and not set(video.index.kinds) & set("BS"):
        try:
            stream = bitstream.open(video.path)
        except (UnsupportedSyntaxError, BitstreamError):
            return Decoded(video)
        size = (stream.width, stream.height)
        whole = stream.frame_count == len(video.index.sizes) and "?" not in stream.vop_types
        whole = whole and stream.low_delay  # a packed bitstream's index does not show its B-VOPs
        if whole and size == (video.width, video.height) and video.display.as_coded:
            return Parsed(video, stream)
    return Decoded(video)


def _exported(frame: av.VideoFrame) -> Motion | None:
    """What the decoder says of the past; None where it exports nothing.

    Only of P-pictures, whose past is the P- or I-picture before: steps of B-pictures lead from
    the same place again.
    """
    if PictureType(frame.pict_type) is not PictureType.P:
        return None
    vectors = vectors_of(frame)
    past = vectors[vectors["source"] < 0]
    if not len(past):
        return None
    scale = np.maximum(past["motion_scale"], 1)[:, None]
    steps = -np.stack([past["motion_x"], past["motion_y"]], 1) / scale
    return Vectors(np.stack([past["dst_x"], past["dst_y"]], 1).astype(float), steps)


def _converter(
    frame: av.VideoFrame, display: Display, path: Path
) -> tuple[Callable[[Region], np.ndarray], Region]:
    """What makes parts of a decoded picture, and the region that is all of it."""
    width, height = display.size(frame.width, frame.height)
    whole: list[np.ndarray] = []

    def make(region: Region) -> np.ndarray:
        planar = display.as_coded and frame.format.name in _PLANAR
        if planar and region != (0, 0, width, height):
            return _converted(frame, region, path)
        if not whole:
            whole.append(rgb(frame, display, path))
        left, top, right, bottom = region
        return whole[0][top:bottom, left:right]

    return make, (0, 0, width, height)


def _converted(frame: av.VideoFrame, region: Region, path: Path) -> np.ndarray:
    """A region of a 4:2:0 picture as RGB; its edges are even but for the picture's own."""
    left, top, right, bottom = region
    width, height = right - left, bottom - top
    if width % 2 or height % 2:  # libswscale and from_ndarray want whole chroma samples
        return rgb(frame, Display(), path)[top:bottom, left:right]
    planes = []
    for plane, half in zip(frame.planes, (0, 1, 1), strict=True):
        rows = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)
        part = rows[top >> half : (top + height) >> half, left >> half : (left + width) >> half]
        planes.append(part.reshape(-1))
    samples = np.concatenate(planes).reshape(height * 3 // 2, width)
    small = av.VideoFrame.from_ndarray(samples, format=frame.format.name)
    small.colorspace, small.color_range = frame.colorspace, frame.color_range
    declare_colours(small, path)
    return small.to_ndarray(format="rgb24")
