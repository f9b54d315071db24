"""From a video to its windows, each recognised as a clip of its own; memory is flat.

A window is to the network what a clip of training was: a first picture and the change since.
Two ways lead there, and both look at the face in the window's first picture and crop by it:

`bitstream`: the residuals are those of the MPEG-4 video itself, cropped and brought to the
    network's size. Needs groups of pictures as long as a window, since an I-frame inside would
    interrupt the chain of residuals.
`reencoded`: decoded pictures are cropped and coded as MPEG-4 as the training clips were, then
    parsed.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import av
import numpy as np
from PIL import Image

from mic import bitstream, codec, faces
from mic.bitstream.packets import PacketStream
from mic.codec.reading import decoded_frames, opened
from mic.errors import ConfigError, UnsupportedSyntaxError
from mic.faces import Detection, Status
from mic.recognition.framing import Framing
from mic.recognition.recogniser import Recogniser

Method = Literal["auto", "bitstream", "reencoded"]
METHODS = ("auto", "bitstream", "reencoded")
Progress = Callable[[int, int], None]
# A window with fewer frames of a face says nothing.
_FEWEST = 6
# Frames between two looks at a face, and between two searches while there is none.
_LOOK, _SEARCH = 5, 12
# Faces are looked for in pictures of about this size; more costs time and finds bystanders.
_SOUGHT = 640
_SEEN = (Status.OK, Status.SEVERAL)
_VOP_START = b"\x00\x00\x01\xb6"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """How a video is cut and read.

    Attributes:
        window: Length of a window in seconds. A video of at most one and a half is one window.
        hop: Seconds from one window's start to the next; None: half a window.
        method: "auto" parses MPEG-4 whose groups of pictures are long enough, else re-encodes.
    """

    window: float = 2.0
    hop: float | None = None
    method: Method = "auto"

    def __post_init__(self) -> None:
        """Refuses impossible numbers."""
        if not 0.2 <= self.window <= 60:
            raise ConfigError(f"window is {self.window} s, must be 0.2 to 60")
        if self.hop is not None and not 0.04 <= self.hop <= 600:
            raise ConfigError(f"hop is {self.hop} s, must be 0.04 to 600")
        if self.method not in METHODS:
            raise ConfigError(
                f"method is {self.method!r}", remedy=f"choose of {', '.join(METHODS)}"
            )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Window:
    """One window and what was recognised in it.

    Attributes:
        first: Its first frame.
        last: Its last frame.
        start: Seconds of the first frame.
        end: Seconds at which its last frame ends.
        face: OK, SEVERAL (the largest in the middle was taken), LOST (gone before the end; what
            was seen until then counts) or NO_FACE.
        outline: Corners of the crop, float64 (4, 2) as (x, y) in samples; None without a face.
        probabilities: float32 (classes,); None if the face was not there long enough.
        valence: -1 to 1; None then, and where the network was not trained with ratings.
        method: "bitstream" or "reencoded".
    """

    first: int
    last: int
    start: float
    end: float
    face: Status
    outline: np.ndarray | None
    probabilities: np.ndarray | None
    method: str
    valence: float | None = None


def windows(
    path: str | Path,
    recogniser: Recogniser,
    *,
    options: Options | None = None,
    detector: faces.Detector | None = None,
    progress: Progress | None = None,
) -> Iterator[Window]:
    """Recognises a video window by window.

    Args:
        path: Any video.
        recogniser: The network.
        options: How to cut and read it.
        detector: Of faces; the default one if None.
        progress: Called with frames done and frames in all, now and then.

    Raises:
        CodecError: The video cannot be opened or decoded.
        BitstreamError: It is damaged (method "bitstream").
        UnsupportedSyntaxError: Method "bitstream", and it is not MPEG-4 that can be parsed.
    """
    path, options = Path(path), options or Options()
    info = codec.probe(path)
    planned = plan(info.frames, float(info.frame_rate), options)
    method = _method(path, recogniser, options, min(last - first for first, last in planned) + 1)
    tracker = _Tracker(detector or faces.detector())
    waiting = iter(planned)
    following = next(waiting, None)
    opened_now: list[_Open] = []
    count = 0
    for number, (packet, frame) in enumerate(_coded_and_decoded(path, method)):
        count = number + 1
        while following is not None and following[0] == number:
            opened_now.append(_Open(following, recogniser, method, float(info.frame_rate)))
            following = next(waiting, None)
        picture = _Picture(number, frame)
        for window in opened_now:
            window.take(picture, packet, tracker)
        while opened_now and opened_now[0].last == number:
            yield opened_now.pop(0).closed(number)
        if progress and number % 25 == 24:
            progress(count, info.frames)
    # The container promised more pictures than there were.
    for window in opened_now:
        yield window.closed(count - 1)
    if progress:
        progress(count, count)


def plan(frames: int, rate: float, options: Options) -> list[tuple[int, int]]:
    """First and last frame of each window, in order; every frame is in at least one.

    Args:
        frames: Of the video.
        rate: Frames a second.
        options: Window and hop.
    """
    length = max(2, round(options.window * rate))
    hop = max(1, round((options.hop or options.window / 2) * rate))
    if frames <= 1.5 * length:
        return [(0, frames - 1)]
    starts = range(0, frames - length + 1, hop)
    ends = [first + length - 1 for first in starts[:-1]]
    # The last window takes in what is left, which is less than a hop.
    return list(zip(starts, [*ends, frames - 1], strict=True))


def _method(path: Path, recogniser: Recogniser, options: Options, needed: int) -> str:
    if options.method == "reencoded":
        return "reencoded"
    try:
        with bitstream.open(path) as stream:
            # The first group ends before the first "I", the last one where the video does.
            groups = stream.vop_types.split("I")[1:-1]
    except UnsupportedSyntaxError:
        if options.method == "bitstream":
            raise
        return "reencoded"
    long_enough = all(len(group) + 1 >= needed for group in groups)
    if long_enough and recogniser.network.motion_encoder is None:
        return "bitstream"
    if options.method == "bitstream":
        raise UnsupportedSyntaxError(
            "its groups of pictures are shorter than a window, or the network wants vectors",
            file=path,
            remedy="use a shorter window, or method='reencoded'",
        )
    return "reencoded"


def _coded_and_decoded(path: Path, method: str) -> Iterator[tuple[_Packet, av.VideoFrame]]:
    """Packets and decoded frames side by side; empty packets where nobody parses them."""
    with opened(path) as (container, stream):
        frames = decoded_frames(container, stream, path)
        if method == "reencoded":
            yield from ((_Packet(b"", b""), frame) for frame in frames)
            return
        with codec.demux(path) as video:
            headers = video.extradata
            for packet, frame in zip(video.packets, frames, strict=False):
                if not headers:  # then they stand before the first picture
                    headers = packet.data[: max(0, packet.data.find(_VOP_START))]
                yield _Packet(headers, packet.data), frame


@dataclasses.dataclass(frozen=True)
class _Packet:
    headers: bytes
    data: bytes


class _Picture:
    """A decoded frame that becomes an array only when somebody looks."""

    def __init__(self, number: int, frame: av.VideoFrame) -> None:
        self.number = number
        self._frame = frame

    @functools.cached_property
    def pixels(self) -> np.ndarray:
        """uint8 (H, W, 3)."""
        return self._frame.to_ndarray(format="rgb24")


class _Tracker:
    """Where the face is, asked by several windows and answered once a frame."""

    def __init__(self, detector: faces.Detector) -> None:
        self._detector = detector
        self._last: tuple[int, Detection] | None = None

    def look(self, picture: _Picture) -> Detection:
        """The face in a picture, by a short look where it was or by a search for it."""
        if self._last is not None and self._last[0] == picture.number:
            return self._last[1]
        height, width = picture.pixels.shape[:2]
        step = max(1, round(max(height, width) / _SOUGHT))
        small = picture.pixels
        if step > 1:
            small = np.asarray(Image.fromarray(small).reduce(step))
        found = None
        if self._last is not None and self._last[1].status in _SEEN:
            found = self._detector.follow(small, _scaled(self._last[1], 1 / step))
        if found is None or found.status not in _SEEN:
            found = self._detector.detect([small])[0]
        found = _scaled(found, step)
        self._last = picture.number, found
        return found


def _scaled(found: Detection, by: float) -> Detection:
    return dataclasses.replace(found, box=found.box * by, points=found.points * by)


class _Open:
    """A window while its frames pass: nothing is kept but the coded crop."""

    def __init__(
        self, planned: tuple[int, int], recogniser: Recogniser, method: str, rate: float
    ) -> None:
        self.first, self.last = planned
        self._recogniser, self._method, self._rate = recogniser, method, rate
        self._status = Status.NO_FACE
        self._framing: Framing | None = None
        self._stream = PacketStream()
        self._encoder: codec.LiveEncoder | None = None

    def take(self, picture: _Picture, packet: _Packet, tracker: _Tracker) -> None:
        """Adds a frame, unless there is no face or it was lost."""
        number = picture.number - self.first
        if self._framing is None and number % _SEARCH == 0:
            self._begin(tracker.look(picture), packet)
        elif self._framing is not None and self._status in _SEEN and number % _LOOK == 0:
            self._status = tracker.look(picture).status
            if self._status not in _SEEN:
                self._status = Status.LOST
        if self._framing is None or self._status not in _SEEN:
            return
        if self._method == "bitstream":
            self._stream.append(packet.data)
        else:
            first = self._stream.frame_count == 0
            crop = self._framing.crop(picture.pixels)
            self._stream.append(self._encoder.encode(crop, intra=first))

    def _begin(self, found: Detection, packet: _Packet) -> None:
        if found.status not in _SEEN:
            return
        card = self._recogniser.card
        self._status, self._framing = found.status, self._recogniser.frame(found.points)
        if self._method == "bitstream":
            self._stream = PacketStream(packet.headers)
        else:
            self._encoder = codec.LiveEncoder(
                width=card.edge, height=card.edge, vop_quant=card.vop_quant
            )

    def closed(self, last: int) -> Window:
        """The window with its answer."""
        answer = None
        if self._framing is not None and self._stream.frame_count >= _FEWEST:
            arrays = self._recogniser.read(
                self._stream, framing=self._framing if self._method == "bitstream" else None
            )
            (answer,) = self._recogniser.answers([arrays])
        return Window(
            first=self.first,
            last=last,
            start=self.first / self._rate,
            end=(last + 1) / self._rate,
            face=self._status,
            outline=None if self._framing is None else self._framing.outline(),
            probabilities=None if answer is None else answer.probabilities,
            valence=None if answer is None else answer.valence,
            method=self._method,
        )
