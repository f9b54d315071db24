"""A video that libavcodec decodes, as moments.

Pictures that no other refers to and at which nobody looks are passed over; vectors are exported;
only regions of looks are converted to RGB.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import av
import numpy as np
from av.video.frame import PictureType

from mic.codec import Video
from mic.codec.aspects import SampleAspects
from mic.codec.display import Display, displays, ordinary, rgb
from mic.codec.filtering import fitted
from mic.codec.missing import complete
from mic.codec.reading import opened
from mic.decoded.source import vectors_of
from mic.errors import CodecError
from mic.recognition.moments import Moment, Parts, Work
from mic.recognition.motion import Motion, Region, Vectors, median
from mic_bitstream.decoding import decoded_frames

_PLANAR = ("yuv420p", "yuvj420p")


class Decoded:
    """A video that libavcodec decodes.

    Args:
        video: Of any codec.
        work: Filled with what reading it costs; None: a new one.
    """

    way = "decoded"

    def __init__(self, video: Video, work: Work | None = None) -> None:
        self.video, self.work = video, work or Work()
        self.anchors = np.arange(len(video))

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
            aspects = SampleAspects(context, video.sample_aspect)
            index = video.index
            looked_for = index.packet_of[waiting]
            behind = np.minimum(looked_for + 1, len(index.sizes) - 1)
            both = np.union1d(looked_for, behind[index.second_fields[behind]])
            stamps = set(index.stamps[both].tolist())
            # Where pictures are counted, none may be missing; dav1d asks when it is opened only.
            all_needed = not index.by_stamp or video.codec == "libdav1d"

            def allow(packet: av.Packet[av.VideoStream]) -> None:
                """Lets the decoder pass over what nobody looks at and nothing refers to."""
                aspects.note(packet)
                if packet.pts is None and not all_needed:
                    return  # the second field of a picture goes with the first
                needed = all_needed or packet.pts in stamps
                context.skip_frame = "DEFAULT" if needed else "NONREF"

            try:
                begin, leading = index.begin, index.leading
                frames = decoded_frames(
                    container, stream, video.path, first=begin, without=leading, before=allow
                )
                shown = displays(frames, video.sample_aspect, aspects)
                ready = complete(
                    shown, index, codec=video.codec, path=video.path, wanted=set(wanted)
                )
                for frame, display in ready:
                    known = index.number(frame.pts)
                    if index.by_stamp and (known is None or known <= number):
                        continue  # cut away by an edit list, or handed out late: see Video
                    number = number + 1 if known is None else known
                    self.work.decoded += 1
                    if number >= len(video):
                        break
                    looked_at = bool(waiting) and number >= waiting[0]
                    while waiting and number >= waiting[0]:
                        waiting.pop(0)
                    steps = _exported(frame, display)
                    if (frame.width, frame.height) != (video.width, video.height):
                        # Faces are followed in pictures of one size; what moved is not known.
                        steps = None
                        frame = fitted(frame, video.width, video.height)
                    time, pixels = float(video.times[number]), None
                    if looked_at:
                        place = f"frame {number} ({time:.2f} s)"
                        pixels = Parts(*_converter(frame, display, video.path, place=place))
                    yield Moment(
                        number, time, display.size(frame.width, frame.height), steps, pixels
                    )
                    if not waiting:
                        break
            except CodecError as error:
                raise video.placed(error, number + 1) from error
        self.work.pictures = len(video)


@dataclasses.dataclass(frozen=True)
class _Exported(Motion):
    """What the decoder says of the past of a picture, as it is shown.

    Attributes:
        blocks: libavcodec's vectors into the past.
        display: From the coded picture to the shown one.
        size: Width and height of the coded picture.
    """

    blocks: np.ndarray
    display: Display
    size: tuple[int, int]

    def of(self, box: np.ndarray) -> np.ndarray:
        """As `Vectors.of`."""
        past, display = self.blocks, self.display
        if display.as_coded:  # then only what is inside needs to be looked at
            (x, y), (left, top, right, bottom) = (past["dst_x"], past["dst_y"]), box
            inside = (x >= left) & (x <= right) & (y >= top) & (y <= bottom)
            past = past[inside]
        scale = np.maximum(past["motion_scale"], 1)[:, None]
        steps = -np.stack([past["motion_x"], past["motion_y"]], 1) / scale
        if display.as_coded:
            return median(steps)
        places = np.stack([past["dst_x"], past["dst_y"]], 1)
        return Vectors(display.places(places, *self.size), display.steps(steps)).of(box)


def _exported(frame: av.VideoFrame, display: Display) -> Motion | None:
    """What the decoder says of the past, as it is shown; None where it exports nothing.

    Only of P-pictures, whose past is the P- or I-picture before: steps of B-pictures lead from
    the same place again.
    """
    if PictureType(frame.pict_type) is not PictureType.P:
        return None
    vectors = vectors_of(frame)
    past = vectors[vectors["source"] < 0]
    return _Exported(past, display, (frame.width, frame.height)) if len(past) else None


def _converter(
    frame: av.VideoFrame, display: Display, path: Path, *, place: str | None = None
) -> tuple[Callable[[Region], np.ndarray], Region]:
    """What makes parts of a decoded picture, and the region that is all of it."""
    width, height = display.size(frame.width, frame.height)
    whole: list[np.ndarray] = []
    plain = display.sample_aspect == 1 and frame.format.name in _PLANAR

    def make(region: Region) -> np.ndarray:
        if plain and region != (0, 0, width, height):
            coded = display.coded(region, frame.width, frame.height)
            if coded[0] % 2 == coded[1] % 2 == 0:  # as chroma samples lie
                return np.ascontiguousarray(display.turn(_converted(frame, coded, path, place)))
        if not whole:
            whole.append(rgb(frame, display, path, place=place))
        left, top, right, bottom = region
        return whole[0][top:bottom, left:right]

    return make, (0, 0, width, height)


def _converted(frame: av.VideoFrame, region: Region, path: Path, place: str | None) -> np.ndarray:
    """A region of a 4:2:0 picture as RGB; its edges are even but for the picture's own."""
    left, top, right, bottom = region
    width, height = right - left, bottom - top
    if width % 2 or height % 2:  # libswscale and from_ndarray want whole chroma samples
        return rgb(frame, Display(), path, place=place)[top:bottom, left:right]
    planes = []
    for plane, half in zip(frame.planes, (0, 1, 1), strict=True):
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
        part = rows[top >> half : (top + height) >> half, left >> half : (left + width) >> half]
        planes.append(part.reshape(-1))
    samples = np.concatenate(planes).reshape(height * 3 // 2, width)
    small = av.VideoFrame.from_ndarray(samples, format=frame.format.name)
    small.colorspace, small.color_range = frame.colorspace, frame.color_range
    small.color_trc, small.color_primaries = frame.color_trc, frame.color_primaries
    return ordinary(small, path, place=place).to_ndarray(format="rgb24")
