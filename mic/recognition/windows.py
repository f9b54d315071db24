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

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from mic import bitstream, codec, faces
from mic.errors import BitstreamError, CodecError, UnsupportedSyntaxError
from mic.faces import NOTHING, SEEN, Detection, Status
from mic.recognition.framing import Framing
from mic.recognition.recogniser import Answer, Recogniser
from mic.recognition.spans import check_cut, plan_windows
from mic_bitstream.arrays import check_choice
from mic_bitstream.packets import PacketStream

Method = Literal["auto", "bitstream", "reencoded"]
METHODS = ("auto", "bitstream", "reencoded")
Progress = Callable[[int, int], None]
# A window with fewer frames of a face says nothing.
_FEWEST = 6
# Frames between two looks at a face, and between two searches while there is none.
_LOOK, _SEARCH = 5, 12
# Faces are looked for in pictures of about this size; more costs time and finds bystanders.
_SOUGHT = 640
# In parts of the crop's edge: a face that has moved so far is not in it any more. Far less already
# changes answers: of 28 generated clips that were panned within a second, the label stayed for 22
# where the face had moved by 0.15 at the end, for 19 at 0.2, for 16 at 0.25 and at 0.34. A man who
# talks at rest (carphone) reaches 0.2.
_DRIFT = 0.35
# Seconds; time stamps are rounded to milliseconds in many containers.
_ROUNDING = 1e-3
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
        check_cut(self.window, self.hop)
        check_choice("method", (self.method,), METHODS)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Window:
    """One window and what was recognised in it.

    Attributes:
        first: Its first frame.
        last: Its last frame.
        start: Seconds of the first frame from the video's first, by time stamps.
        end: Seconds at which its last frame ends.
        face: OK, SEVERAL (the largest in the middle was taken), LOST (gone, or out of the crop,
            before the end; what was seen until then counts) or NO_FACE.
        outline: Corners of the crop, float64 (4, 2) as (x, y) in samples; None without a face.
        answer: What the network says; None if the face was not there long enough.
        method: "bitstream" or "reencoded".
    """

    first: int
    last: int
    start: float
    end: float
    face: Status
    outline: np.ndarray | None
    answer: Answer | None
    method: str


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
        CodecError: The video cannot be opened or decoded; or it is damaged, after the windows of
            what is whole.
        BitstreamError: It is damaged (method "bitstream").
        UnsupportedSyntaxError: Method "bitstream", and it is not MPEG-4 that can be parsed.
    """
    video, options = codec.Video(path, survey=True), options or Options()
    planned = plan(video.times, video.duration, options)
    method = _method(video, recogniser, options, min(last - first for first, last in planned) + 1)
    tracker = _Tracker(detector or faces.detector())
    waiting = iter(planned)
    following = next(waiting, None)
    opened_now: list[_Open] = []
    count, damage = 0, None
    pictures = _coded_and_decoded(video, method)
    while True:
        try:
            packet, picture = next(pictures)
        except StopIteration:
            break
        except CodecError as error:  # what was seen until here comes before it
            damage = error
            break
        number, count = picture.number, picture.number + 1
        while following is not None and following[0] <= number:
            opened_now.append(_Open(following, recogniser, method, video))
            following = next(waiting, None)
        try:
            for window in opened_now:
                window.take(picture, packet, tracker)
        except CodecError as error:  # nobody could look at this picture
            damage, count = error, number
            opened_now = [window for window in opened_now if window.first < number]
            break
        while opened_now and opened_now[0].last <= number:
            yield opened_now.pop(0).closed(number)
        if progress and number % 25 == 24:
            progress(count, max(count, len(video)))
    # The container promised more pictures than there were.
    for window in opened_now:
        yield window.closed(count - 1)
    if damage is not None:
        raise damage
    if progress:
        progress(count, count)


def plan(times: np.ndarray, duration: float, options: Options) -> list[tuple[int, int]]:
    """First and last picture of each window, in order.

    Every picture is in at least one, unless windows are further apart than they are long. A
    window in which no picture begins is left out.

    Args:
        times: float (N,), seconds of each picture from the first, never decreasing.
        duration: Seconds to the end of the last.
        options: Window and hop.
    """
    spans = plan_windows(
        times, duration, window=options.window, hop=options.hop, rounding=_ROUNDING
    )
    planned: list[tuple[int, int]] = []
    for start, end in spans:
        first = int(np.searchsorted(times, start - _ROUNDING))
        stop = int(np.searchsorted(times, end - _ROUNDING)) if end < duration else len(times)
        if first < stop and (not planned or stop - 1 > planned[-1][1]):
            planned.append((first, stop - 1))
    return planned


def _method(video: codec.Video, recogniser: Recogniser, options: Options, needed: int) -> str:
    if options.method == "reencoded":
        return "reencoded"
    try:
        with bitstream.open(video.path) as stream:
            stream.expect_low_delay("recognition from the residuals as they come")
    except UnsupportedSyntaxError:
        if options.method == "bitstream":
            raise
        return "reencoded"
    index = video.index
    kinds = "".join(index.kinds[packet] for packet in index.packet_of)
    # The first group ends before the first "I", the last one where the video does.
    long_enough = all(len(group) + 1 >= needed for group in kinds.split("I")[1:-1])
    reasons = {
        "its groups of pictures are shorter than a window": not long_enough,
        "the network wants vectors": recogniser.network.motion_encoder is not None,
        f"its pictures are {video.display}": not video.display.as_coded,
        "it has B-VOPs": "B" in kinds,
    }
    if not any(reasons.values()):
        return "bitstream"
    if options.method == "bitstream":
        raise UnsupportedSyntaxError(
            next(reason for reason, holds in reasons.items() if holds),
            file=video.path,
            remedy="use a shorter window, or method='reencoded'",
        )
    return "reencoded"


def _coded_and_decoded(video: codec.Video, method: str) -> Iterator[tuple[_Packet, codec.Picture]]:
    """Pictures and the packets they were coded in; empty packets where nobody parses them."""
    if method == "reencoded":
        yield from ((_Packet(b"", b""), picture) for picture in video.pictures())
        return
    shown = video.index.picture_of()
    headers = video.extradata
    with contextlib.closing(video.packets()) as packets:
        numbered = enumerate(packets)
        for picture in video.pictures():
            # Packets between hold nothing that is shown.
            for number, packet in numbered:
                data = bytes(packet)
                if not headers:  # then they stand before the first picture
                    headers = data[: max(0, data.find(_VOP_START))]
                if number < len(shown) and shown[number] >= picture.number:
                    break
            yield _Packet(headers, data), picture


@dataclasses.dataclass(frozen=True)
class _Packet:
    headers: bytes
    data: bytes


class _Tracker:
    """Where the face is, asked by several windows and answered once a frame."""

    def __init__(self, detector: faces.Detector) -> None:
        self._detector = detector
        self._last: tuple[int, Detection] | None = None

    def look(self, picture: codec.Picture) -> Detection:
        """The face in a picture, by a short look where it was or by a search for it."""
        if self._last is not None and self._last[0] == picture.number:
            return self._last[1]
        height, width = picture.rgb.shape[:2]
        step = max(1, round(max(height, width) / _SOUGHT))
        small = picture.rgb
        if step > 1:
            small = np.asarray(Image.fromarray(small).reduce(step))
        last = NOTHING if self._last is None else self._last[1]
        found = _scaled(self._detector.keep(small, _scaled(last, 1 / step)), step)
        self._last = picture.number, found
        return found


def _scaled(found: Detection, by: float) -> Detection:
    return dataclasses.replace(found, box=found.box * by, points=found.points * by)


class _Open:
    """A window while its frames pass: nothing is kept but the coded crop."""

    def __init__(
        self, planned: tuple[int, int], recogniser: Recogniser, method: str, video: codec.Video
    ) -> None:
        self.first, self.last = planned
        self._recogniser, self._method, self._video = recogniser, method, video
        self._status = Status.NO_FACE
        self._framing: Framing | None = None
        self._stream = PacketStream()
        self._encoder: codec.LiveEncoder | None = None

    def take(self, picture: codec.Picture, packet: _Packet, tracker: _Tracker) -> None:
        """Adds a frame, unless there is no face or it was lost."""
        number = picture.number - self.first
        if self._framing is None and number % _SEARCH == 0:
            self._begin(tracker.look(picture), packet)
        elif self._framing is not None and self._status in SEEN and number % _LOOK == 0:
            now = tracker.look(picture)
            self._status = now.status
            if now.status not in SEEN or self._framing.drift(now.points) > _DRIFT:
                self._status = Status.LOST
        if self._framing is None or self._status not in SEEN:
            return
        if self._method == "bitstream":
            self._stream.append(packet.data)
        elif self._encoder is not None:
            first = self._stream.frame_count == 0
            crop = self._framing.crop(picture.rgb)
            self._stream.append(self._encoder.encode(crop, intra=first))

    def _begin(self, found: Detection, packet: _Packet) -> None:
        if found.status not in SEEN:
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
        answer, times = None, self._video.times
        if self._framing is not None and self._stream.frame_count >= _FEWEST:
            try:
                arrays = self._recogniser.read(
                    self._stream, framing=self._framing if self._method == "bitstream" else None
                )
            except BitstreamError as error:
                raise type(error)(
                    error.message,
                    file=self._video.path,
                    place=f"frames {self.first} to {last}, {error.place}",
                    remedy=error.remedy,
                ) from error
            (answer,) = self._recogniser.answers([arrays])
        return Window(
            first=self.first,
            last=last,
            start=float(times[self.first]),
            end=float(times[last + 1]) if last + 1 < len(times) else self._video.duration,
            face=self._status,
            outline=None if self._framing is None else self._framing.outline(),
            answer=answer,
            method=self._method,
        )
