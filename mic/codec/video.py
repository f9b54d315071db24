"""A video, opened once: the object that travels from the file to the networks.

    video = mic.codec.Video("face.mov")
    len(video), video.duration, video.size         # shown pictures, seconds, (width, height)
    for picture in video.pictures():
        picture.number, picture.time               # from 0; seconds from the first picture
        picture.rgb                                # uint8 (H, W, 3), converted when asked for
    for picture in video.pictures([0, 25, 50]): ...  # only these are converted, others skipped

Three things hold for every container and codec:

- *Number.* Pictures are numbered as they are shown: what an edit list cuts away, VOPs that are not
  coded and covers beside the video have no number.
- *Time.* A picture's time is its time stamp, counted from the first shown picture; frame rates in
  headers are used only where a container keeps no times. `Video.start` is the first picture's time
  on the container's own clock, for whoever aligns sound.
- *Shape.* `Picture.rgb` is upright and has square samples and full-range RGB, as
  `mic.codec.display` says.

Packets and pictures belong together by time stamp: `video.index.packet_of[n]` is the packet of
picture n, counted in coding order as `mic.bitstream` counts VOPs, and
`video.index.picture_of()[k]` the picture of packet k, or -1.

A damaged file gives all whole pictures and then a `CodecError` that names file and frame;
`video.damage` tells beforehand what the index has met, and `len(video)` counts whole packets only.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Generator, Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from mic.codec.aspects import SampleAspects
from mic.codec.display import Display, displays
from mic.codec.endings import breaks_off, stated_end
from mic.codec.index import Index, index_of
from mic.codec.missing import complete
from mic.codec.picture import Picture
from mic.codec.reading import frame_rate_of, opened
from mic.codec.scrambling import scrambled
from mic.errors import CodecError, ConfigError
from mic_bitstream.containers import has_times
from mic_bitstream.decoding import JOINED, KEYED, decoded_frames, no_frames, packets

_SEEKABLE = frozenset({"mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm"})
# Decoding so many pictures costs less than jumping over them.
_WORTH_A_JUMP = 12
# Of an interval: half a millisecond, Matroska's and FLV's rounding, at 240 pictures a second.
_ROUNDING = 0.15


class Video:
    """A video file and its stream, chosen once; see the module.

    Holds no open file: every pass reads the file anew, several may run at once, and the object can
    be handed to another process.

    Args:
        path: A file of any container that libavformat reads.
        survey: Whether `index`, and of MPEG-4 Part 2 `display` too, is read at once in the pass
            that opens the file, rather than in one of its own when it is first asked for. Other
            codecs would have several pictures decoded for a `display` that only parsers need.

    Attributes:
        path: The file.
        stream: Number of the chosen stream in the file.
        streams: How many video streams it has, covers among them.
        container: libavformat's name of the container, e.g. `mov,mp4,m4a,3gp,3g2,mj2`.
        codec: libavcodec's name of the codec, e.g. `mpeg4`, `h264`.
        pixel_format: Sample format, e.g. `yuv420p`.
        width: Coded width in samples, before any turn.
        height: Coded height in samples.
        extradata: Headers that the container keeps apart from the packets; may be empty.
        time_base: Seconds a unit of time stamps.
        sample_aspect: Width of a coded sample in its heights.
        header_rate: Pictures a second as the headers say, which may be anything.

    Raises:
        CodecError: Not a readable video, no video stream, or gigantic dimensions; with `survey`,
            also no whole picture.
    """

    def __init__(self, path: str | Path, *, survey: bool = False) -> None:
        self.path = Path(path)
        with opened(self.path) as (container, stream):
            context = stream.codec_context
            self.stream = stream.index
            self.streams = len(container.streams.video)
            self.container = container.format.name
            self.codec = context.name
            self.pixel_format = context.pix_fmt or "unknown"
            self.width, self.height = context.width, context.height
            self.extradata = bytes(context.extradata or b"")
            self.time_base = Fraction(stream.time_base or Fraction(1, 25))
            self.sample_aspect = Fraction(stream.sample_aspect_ratio or 1)
            self.header_rate = frame_rate_of(container, stream)
            self._timed = has_times(container)
            self._reordered = bool(context.has_b_frames)
            self._stated_end = stated_end(container, stream)
            self._pid = stream.id
            if survey:
                found = packets(container, stream, self.path)
                if self.codec == "mpeg4":
                    found = self._shown_first(found)
                vars(self)["index"] = self._indexed(found)

    def __len__(self) -> int:
        """The number of pictures that are shown, counted without decoding."""
        return len(self.index)

    def __repr__(self) -> str:
        return f"Video({str(self.path)!r}: {self.codec}, {self.width} x {self.height})"

    @functools.cached_property
    def index(self) -> Index:
        """What each packet holds and when each picture is shown; read once, without decoding.

        Raises:
            CodecError: There is no whole picture.
        """
        with opened(self.path, number=self.stream) as (container, stream):
            return self._indexed(packets(container, stream, self.path))

    def _indexed(self, found: Iterator[av.Packet[av.VideoStream]]) -> Index:
        index = index_of(
            found,
            codec=self.codec,
            extradata=self.extradata,
            rate=self.header_rate,
            timed=self._timed,
            ordered=self.container != "avi",  # AVI keeps decoding times only
            reordered=self._reordered,
            joined=self.container in JOINED,
            keyed=self.container in KEYED,
            time_base=self.time_base,
        )
        if len(index) == 0:
            raise self._encrypted() or index.damage or no_frames(self.path)
        return index

    def _encrypted(self) -> CodecError | None:
        """The error for a stream that needs a key, or a part of which does."""
        if self.container != "mpegts" or not scrambled(self.path, self._pid):
            return None
        return CodecError(
            "is encrypted, all of it or in part",
            file=self.path,
            remedy="decrypt it first, or record it again with its key",
        )

    def _shown_first(
        self, found: Iterator[av.Packet[av.VideoStream]]
    ) -> Iterator[av.Packet[av.VideoStream]]:
        """Packets that pass, decoded until a picture tells how all of them are shown."""
        begun = False
        for packet in found:
            if "display" not in vars(self) and not begun:
                try:
                    for frame in packet.decode():
                        vars(self)["display"] = Display.of(frame, self.sample_aspect)
                        break
                except (av.FFmpegError, OSError, ValueError):
                    begun = packet.is_keyframe  # whoever asks for `display` is told
            yield packet

    @functools.cached_property
    def display(self) -> Display:
        """How coded pictures are turned and stretched for showing, by the first one.

        Raises:
            CodecError: The first picture cannot be decoded.
        """
        with opened(self.path, number=self.stream) as (container, stream):
            first = next(decoded_frames(container, stream, self.path))
            return Display.of(first, self.sample_aspect)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of shown pictures."""
        return self.display.size(self.width, self.height)

    @property
    def times(self) -> NDArray[np.float64]:
        """float64 (len(self),): seconds of each picture from the first, never decreasing."""
        return self.index.times

    @property
    def duration(self) -> float:
        """Seconds from the first picture's beginning to the last one's end."""
        return self.index.duration

    @property
    def start(self) -> float:
        """Seconds of the first picture on the container's clock."""
        return self.index.start

    @functools.cached_property
    def frame_rate(self) -> Fraction:
        """Pictures a second: what the headers say where the time stamps agree, else their mean."""
        times = self.index.times
        if len(times) < 2 or times[-1] == 0:
            return self.header_rate
        mean = (len(times) - 1) / float(times[-1])
        if abs(float(self.header_rate) / mean - 1) < 0.01:
            return self.header_rate
        # Below a picture in a quarter of an hour the nearest such fraction would be none at all.
        rounded = Fraction(mean).limit_denominator(1001)
        return rounded or 1 / Fraction(1 / mean).limit_denominator(1)

    @property
    def steady(self) -> bool:
        """Whether pictures follow one another evenly, up to the rounding of time stamps."""
        times = self.index.times
        even = np.arange(len(times)) / float(self.frame_rate)
        return bool(np.abs(times - even).max() < _ROUNDING / float(self.frame_rate))

    @functools.cached_property
    def damage(self) -> CodecError | None:
        """Why the file cannot be read to its end, as far as that shows without decoding."""
        index = self.index
        if encrypted := self._encrypted():
            return encrypted
        if index.damage is not None:
            return self.placed(index.damage, len(index))
        missing = self._stated_end - (index.start + index.duration)
        if self._stated_end > 0 and missing > max(
            0.1, 2.5 * index.interval, 0.03 * self._stated_end
        ):
            why = f"its header promises {self._stated_end:.2f} s"
        elif not (why := breaks_off(self.path, self.container)):
            return None
        remedy = "the file is damaged; get another copy"
        error = CodecError(f"breaks off: {why}", file=self.path, remedy=remedy)
        return self.placed(error, len(index))

    def placed(self, error: CodecError, pictures: int) -> CodecError:
        """An error of decoding, with this file's name and the last whole picture as its place.

        Args:
            error: What was met.
            pictures: How many whole pictures came before it.
        """
        times = self.index.times
        place = "at the first frame"
        if pictures:
            time = times[min(pictures, len(times)) - 1]
            place = f"after frame {pictures - 1} ({time:.2f} s)"
        return CodecError(error.message, file=self.path, place=place, remedy=error.remedy)

    def packets(self) -> Generator[av.Packet[av.VideoStream], None, None]:
        """The stream's packets in coding order, empty ones left out; one pass over the file.

        Raises:
            CodecError: The file is damaged here.
        """
        with opened(self.path, number=self.stream) as (container, stream):
            yield from packets(container, stream, self.path)

    def pictures(self, wanted: Iterable[int] | None = None) -> Iterator[Picture]:
        """Decodes the video; memory is flat in its length.

        Args:
            wanted: Numbers of pictures, in any order; None: all. Others are passed over, by
                jumping to key frames where the container has an index of them.

        Yields:
            Pictures in the order in which they are shown. One is left out where the container
            promised more pictures than there are, and where the decoder hands it out too late,
            after pictures that are shown behind it; of MPEG-4 this happens to a reference picture
            that a VOP marked as not coded follows.

        Raises:
            CodecError: It is damaged; all whole pictures have been yielded before.
            ConfigError: A wanted number is not in the video.
        """
        chosen = None if wanted is None else sorted(set(wanted))
        if chosen is not None:
            if chosen and not 0 <= chosen[0] <= chosen[-1] < len(self):
                raise ConfigError(
                    f"has pictures 0 to {len(self) - 1}, asked for {chosen[0]} to {chosen[-1]}",
                    file=self.path,
                )
            yield from self._some(chosen)
            return
        done = 0
        try:
            for picture in self._decoded():
                done = picture.number + 1
                yield picture
        except CodecError as error:
            raise self.placed(error, done) from error
        if self.damage is not None:
            raise self.placed(self.damage, done)

    def _decoded(self, key: int = 0) -> Iterator[Picture]:
        """The pictures from one on that `ways` names."""
        index, number = self.index, -1
        with opened(self.path, number=self.stream) as (container, stream):
            if key:
                stamp = int(index.stamps[index.packet_of[key]])
                with contextlib.suppress(av.FFmpegError, OSError):
                    container.seek(stamp, stream=stream)
            aspects = SampleAspects(stream.codec_context, self.sample_aspect)
            found = decoded_frames(
                container,
                stream,
                self.path,
                first=0 if key else index.begin,
                without=() if key else index.leading,
                before=aspects.note,
                jumped=bool(key),
            )
            shown = displays(found, self.sample_aspect, aspects)
            for frame, display in complete(shown, index, codec=self.codec, path=self.path):
                known = index.number(frame.pts)
                if index.by_stamp and (known is None or known <= number):
                    continue  # handed out too late, behind what is shown after it
                number = number + 1 if known is None else known
                yield self._picture(number, frame, display)

    def _some(self, wanted: list[int]) -> Iterator[Picture]:
        for first, group in self.ways(wanted):
            left = list(group)
            for start in (first, 0) if first else (0,):
                # Where a jump fails, the way from the beginning tells whether the file is damaged.
                with contextlib.suppress(*[CodecError] * bool(start)):
                    for picture in self._decoded(start):
                        if start and picture.number > left[0]:
                            break  # the decoder kept it back, as while blocks are refreshed
                        came = False
                        while left and left[0] <= picture.number:  # lower ones never came
                            came = left.pop(0) == picture.number
                        if came:
                            yield picture
                        if not left:
                            break
                if not left:
                    break

    def ways(self, wanted: list[int], *, seekable: bool = True) -> Iterator[tuple[int, list[int]]]:
        """Groups wanted pictures by the key frame from which they are reached.

        Args:
            wanted: Numbers of pictures, ascending.
            seekable: Only key frames that the container's own index finds.

        Yields:
            (first, group): the number of the picture to begin decoding with, and the wanted ones
            that are reached from there.
        """
        group: list[int] = []
        for number in wanted:
            if group and self._key_before(number, seekable) > group[-1] + _WORTH_A_JUMP:
                yield self._key_before(group[0], seekable), group
                group = []
            group.append(number)
        if group:
            yield self._key_before(group[0], seekable) if len(group) < len(self) else 0, group

    @property
    def is_seekable(self) -> bool:
        """Whether the container's own index finds a key frame by its time stamp."""
        return self.container in _SEEKABLE

    def _key_before(self, number: int, seekable: bool) -> int:
        """The last picture at or before one from which decoding can start; 0 where none can be."""
        index = self.index
        if seekable > self.is_seekable or not index.by_stamp or index.discarded.any():
            return 0
        keys = self._keys
        return int(keys[max(0, int(np.searchsorted(keys, number, "right")) - 1)])

    @functools.cached_property
    def _keys(self) -> NDArray[np.int64]:
        index = self.index
        # Pictures coded before a key frame and shown after it would refer over it: none is
        # offered from which something shown later was coded earlier.
        later = np.minimum.accumulate(index.packet_of[::-1])[::-1]
        keys = np.flatnonzero(index.keyframes[index.packet_of] & (index.packet_of == later))
        return keys if len(keys) and keys[0] == 0 else np.concatenate([[0], keys])

    def _picture(self, number: int, frame: av.VideoFrame, display: Display) -> Picture:
        index = self.index
        if number < len(index):
            time = float(index.times[number])
        else:  # more than the packets told of
            time = index.duration + (number - len(index)) * index.interval
        return Picture(number, time, frame, display, self.path)
