"""When each written picture is shown: at even steps, at the times of a source, or repeated."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from fractions import Fraction
from numbers import Real
from pathlib import Path

import av
import numpy as np

from mic.codec.options import FASTEST, SLOWEST
from mic.codec.picture import Picture
from mic.codec.video import Video
from mic.errors import CodecError, ConfigError

# Of uneven times: divisible by all usual rates and by milliseconds, and it fits the 16 bits of
# vop_time_increment_resolution.
TICK = Fraction(1, 60000)
# Half a unit of QuickTime's usual clock: how far even times are off where a container rounds them.
_ROUNDED = 0.00084
# Ticks from one picture to the next that MP4 keeps (ISO/IEC 14496-12, 8.6.1.2, as libavformat
# writes it).
_LONGEST = 2**31 - 1
# And that libavcodec codes of MPEG-4 Part 2, where each second of a pause is a bit: a day.
_DAY = int(86400 / TICK)
_LATEST = 1e12  # seconds, of which ticks still fit 64 bits
# Pictures that a container of one rate gets for each of the source, at most.
_REPEATED = 100


def is_even(video: Video) -> bool:
    """Whether a video's times are those of one rate, up to what containers round."""
    even = np.arange(len(video)) / float(video.frame_rate)
    return video.steady and bool(np.abs(video.times - even).max() < _ROUNDED)


def pace(video: Video) -> tuple[Fraction, bool]:
    """How the pictures of a film that is made of a video follow one another.

    Returns:
        A rate that `encode_frames` takes, and whether each picture needs its time besides: then
        the rate tells how long the last one is shown.
    """
    rate = video.frame_rate
    if video.steady and SLOWEST <= rate <= FASTEST:
        return rate, False
    shown = min(max(Fraction(video.index.interval), 1 / FASTEST), 1 / SLOWEST)
    return 1 / shown, True


def check_pauses(times: Iterable[float], target: Path, *, container: str, codec: str) -> None:
    """Refuses times that a film could not keep, before it is made; see `stamped`.

    Raises:
        CodecError: A pause is longer than the container keeps, or the encoder codes.
    """
    at = None
    for seconds in times:
        stamp = _stamp(seconds, at)
        if at is not None:
            _check_pause(at, stamp - at, target, container, codec)
        at = stamp


def checked(
    times: Iterable[float], frames: Iterable[av.VideoFrame], path: Path
) -> Iterator[tuple[float, av.VideoFrame]]:
    """Frames with the times that a caller gave.

    Raises:
        ConfigError: A frame has no time, or its time is no number, out of range, or earlier than
            that of the frame before.
    """
    before = -math.inf
    given = iter(times) if isinstance(times, Iterable) else iter(())
    for number, frame in enumerate(frames):
        time = next(given, None)
        wrong = ""
        if time is None:
            wrong = "has no time"
        elif not isinstance(time, Real | np.number) or not 0 <= time <= _LATEST:
            wrong = f"has the time {time!r}"
        elif time < before:
            wrong = f"has the time {time}, after one of {before}"
        if time is None or wrong:
            raise ConfigError(
                wrong,
                file=path,
                place=f"frame {number}",
                remedy="give as many times as frames, in seconds from 0 on, none below the last",
            )
        before = time
        yield time, frame


def stamped(
    timed: Iterable[tuple[float, av.VideoFrame]],
    last: float,
    target: Path,
    *,
    container: str,
    codec: str,
) -> Iterator[av.VideoFrame]:
    """Frames that bear their times, and how long each is shown, in ticks.

    Args:
        timed: Seconds and frames.
        last: Seconds that the last one is shown.
        target: Named in errors.
        container: Of the target, by libavformat's name.
        codec: Of `EncodeOptions`.

    Raises:
        CodecError: A pause is longer than the container keeps, or the encoder codes.
    """
    at, held = None, None
    for seconds, frame in timed:
        stamp = _stamp(seconds, at)
        if held is not None and at is not None:
            length = stamp - at
            _check_pause(at, length, target, container, codec)
            held.duration = length
            yield held
        frame.pts, frame.time_base = stamp, TICK
        at, held = stamp, frame
    if held is not None:
        held.duration = max(1, round(last / TICK))
        yield held


def _stamp(seconds: float, before: int | None) -> int:
    """A time in ticks, behind the one before."""
    return max(0 if before is None else before + 1, round(seconds / TICK))


def _check_pause(at: int, length: int, target: Path, container: str, codec: str) -> None:
    if container == "mp4" and length > _LONGEST:
        keeps, most = "MP4 keeps", _LONGEST
    elif codec == "mpeg4" and length > _DAY:
        keeps, most = "MPEG-4 Part 2 is coded with", _DAY
    else:
        return
    # libsvtav1 gives packets of such times an order that Matroska refuses, sooner or later.
    mkv = codec in ("h264", "hevc") or (codec == "mpeg4" and length <= _DAY)
    other = "cut the video there, or write .mkv with another codec (codec='h264', vop_quant=22)"
    raise CodecError(
        f"a pause of {float(length * TICK):.0f} s is longer than {keeps}, "
        f"{float(most * TICK):.0f} s",
        file=target,
        place=f"at {float(at * TICK):.2f} s",
        remedy="write .mkv" if mkv else other,
    )


def closest(video: Video) -> Fraction:
    """The rate at which the closest pictures of an uneven video follow one another.

    Raises:
        ConfigError: At that rate pictures would be repeated without end.
    """
    intervals = np.diff(video.times)
    intervals = intervals[intervals > 0]
    if not len(intervals):  # all at one time
        return video.header_rate
    interval = float(np.quantile(intervals, 0.1))
    rate = Fraction(min(1 / interval, 120.0)).limit_denominator(1001)
    rate = rate or 1 / Fraction(interval).limit_denominator(1)
    if video.duration * float(rate) > _REPEATED * max(len(video), 100):
        raise ConfigError(
            f"its {len(video)} pictures are shown for {video.duration:.0f} s; at their closest, "
            f"{float(rate):.1f} a second, that would be {video.duration * float(rate):.0f}",
            file=video.path,
            remedy="write .mp4 or .mkv, which keep times, or give frame_rate",
        )
    return rate


def resampled(
    pictures: Iterable[Picture], duration: float, rate: Fraction
) -> Iterator[av.VideoFrame]:
    """Pictures at an even rate: output n shows the one that is nearest in time."""
    written, held, before = 0, None, 0.0
    for picture in pictures:
        while held is not None and written < (before + picture.time) / 2 * float(rate):
            yield held
            written += 1
        held, before = picture.frame, picture.time
    while held is not None and written < max(1, round(duration * float(rate))):
        yield held
        written += 1


def with_lengths(
    packets: Iterable[av.Packet[av.VideoStream]], lengths: dict[int, int]
) -> Iterator[av.Packet[av.VideoStream]]:
    """Packets that say how long their picture is shown, as containers keep of the last one.

    Args:
        packets: In the time base of their frames.
        lengths: Durations by presentation time stamp; used up.
    """
    for packet in packets:
        packet.duration = lengths.pop(packet.pts or 0, packet.duration)
        yield packet
