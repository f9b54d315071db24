"""A video as moments: when each picture is, how it moved, and the parts of it that are wanted.

Two kinds of files, one face to the outside:

- *parsed*: MPEG-4 Part 2 that `mic.bitstream` reads. Vectors come from the bitstream, and the
  looks' regions are reconstructed exactly, with nothing that they do not depend on. Whole
  pictures are reconstructed for searches only.
- *decoded*: everything else. libavcodec decodes; pictures that no other refers to and at which
  nobody looks are passed over; vectors are the decoder's own where it exports them. Only the
  regions at which somebody looks are converted to RGB.

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

from mic import bitstream
from mic.bitstream.records import INTRA, INTRA_Q
from mic.codec import Video
from mic.codec.display import Display, declare_colours, rgb
from mic.codec.reading import decoded_frames, opened
from mic.decoded.residuals import vectors_of
from mic.errors import BitstreamError, CodecError, UnsupportedSyntaxError
from mic.recognition.follower import Motion, Pixels, Region

_PLANAR = ("yuv420p", "yuvj420p")
# Pictures of a parsed video that are planned, and reconstructed, together.
_PLANNED_SECONDS = 10.0
# How much larger than the carried square a planned region is, in parts of its sides.
_MARGIN = 0.12


@dataclasses.dataclass
class Moment:
    """One picture that passes.

    Attributes:
        number: Among the shown pictures.
        time: Seconds from the first.
        motion: Since the moment before; None where nobody knows.
        pixels: Gives its parts; None unless it is one of the wanted.
    """

    number: int
    time: float
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
                        _exported(frame) if display.as_coded else None,
                        _pixels(frame, display, video.path) if looked_at else None,
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
            steps = self._steps(start, end)
            looks = [number for number in wanted if start <= number < end]
            made = self._made(looks, start, steps, regions)
            for number in range(start, end):
                pixels = _Regions(self, number, made.get(number, [])) if number in looks else None
                yield Moment(number, float(times[number]), steps[number - start], pixels)
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
        rows, columns = found.blocks.shape[1:3]
        x, y = np.meshgrid(np.arange(columns) * 8 + 4.0, np.arange(rows) * 8 + 4.0)
        places = np.stack([x, y], -1)
        for blocks, known in zip(found.blocks, coded, strict=True):
            mask = known.repeat(2, 0).repeat(2, 1)
            # A vector points to where the block came from.
            yield Motion(places[mask], -blocks[mask] / 4)

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
                boxes += [self._wider(box) for box in planned]
        made: dict[int, list[tuple[Region, np.ndarray]]] = {}
        for number, box, picture in zip(frames, boxes, self.make(frames, boxes), strict=True):
            made.setdefault(number, []).append((box, picture))
        return made

    def _wider(self, box: Region) -> Region:
        left, top, right, bottom = box
        x, y = round(_MARGIN * (right - left)) & ~1, round(_MARGIN * (bottom - top)) & ~1
        width, height = self.video.width, self.video.height
        return max(0, left - x), max(0, top - y), min(width, right + x), min(height, bottom + y)

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


class _Regions:
    """Parts of one picture, out of what was made beforehand where it suffices."""

    def __init__(self, source: Parsed, number: int, made: list[tuple[Region, np.ndarray]]) -> None:
        self._source, self._number, self._made = source, number, list(made)

    def __call__(self, region: Region | None) -> np.ndarray:
        left, top, right, bottom = region = region or self._source.whole
        for box, picture in self._made:
            if box[0] <= left and box[1] <= top and box[2] >= right and box[3] >= bottom:
                part = picture[top - box[1] : bottom - box[1], left - box[0] : right - box[0]]
                return np.ascontiguousarray(part)
        (picture,) = self._source.make([self._number], [region])
        self._made.append((region, picture))
        return picture


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
        if whole and size == (video.width, video.height) and video.display.as_coded:
            return Parsed(video, stream)
    return Decoded(video)


def _exported(frame: av.VideoFrame) -> Motion | None:
    """What the decoder says of the past; None where it exports nothing."""
    vectors = vectors_of(frame)
    past = vectors[vectors["source"] < 0]
    if not len(past):
        return None
    scale = np.maximum(past["motion_scale"], 1)[:, None]
    steps = -np.stack([past["motion_x"], past["motion_y"]], 1) / scale
    return Motion(np.stack([past["dst_x"], past["dst_y"]], 1).astype(float), steps)


def _pixels(frame: av.VideoFrame, display: Display, path: Path) -> Pixels:
    whole: list[np.ndarray] = []

    def pixels(region: Region | None) -> np.ndarray:
        if region is not None and display.as_coded and frame.format.name in _PLANAR:
            return _converted(frame, region, path)
        if not whole:
            whole.append(rgb(frame, display, path))
        if region is None:
            return whole[0]
        left, top, right, bottom = region
        return np.ascontiguousarray(whole[0][top:bottom, left:right])

    return pixels


def _converted(frame: av.VideoFrame, region: Region, path: Path) -> np.ndarray:
    """A region of a 4:2:0 picture as RGB; its edges are even but for the picture's own."""
    left, top, right, bottom = region
    width, height = (right - left) & ~1, (bottom - top) & ~1
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
