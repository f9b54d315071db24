"""Recordings of broadcasts: clocks that begin anew, times that are not told, lost pictures."""

import contextlib
import types
from fractions import Fraction
from pathlib import Path

import av
import containers
import numpy as np
import pytest

import mic
from mic import codec
from mic.codec import Video
from mic.codec.missing import complete
from mic.errors import CodecError
from mic.recognition.decoded import Decoded

_WRAP = Fraction(2**33, 90_000)  # seconds after which clocks of transport streams begin anew
_COUNT = 40
_MPEG2 = ("mpeg2video", {"bf": 2, "g": 12, "qmin": 2, "qmax": 3})
_H264 = ("libx264", {"bf": 2, "g": 20, "crf": 10})
_H264_P = ("libx264", {"bf": 0, "g": 30, "crf": 20})


def _film(path, kind, count=_COUNT):
    """A film whose pictures tell their numbers, modulo 20; whole macroblocks in both fields."""
    name, options = kind
    pictures = [np.resize(containers.gray(number), (64, 64, 3)) for number in range(count)]
    return containers.filmed(path, pictures, name, rate=25, **options)


def _packets(path):
    """(bytes, presentation time, decoding time, key picture?) of each packet, in seconds."""
    with av.open(str(path)) as film:
        found = [packet for packet in film.demux(video=0) if packet.size]
        return [
            (bytes(one), one.pts * one.time_base, one.dts * one.time_base, one.is_keyframe)
            for one in found
        ]


def _muxed(source, target, packets, container=None):
    """Packets in a file of their own, with a source's parameters."""
    base = Fraction(1, 90_000)
    with (
        av.open(str(source)) as film,
        av.open(str(target), "w", format=container, options={"muxpreload": "0"}) as output,
    ):
        video = output.add_stream_from_template(film.streams.video[0])
        for data, shown, decoded, key in packets:
            packet = av.Packet(data)
            packet.stream, packet.time_base = video, base
            packet.pts, packet.dts = (round(time / base) for time in (shown, decoded))
            packet.is_keyframe = key
            output.mux(packet)
    return target


def _moved(packets, seconds):
    return [(data, shown + seconds, dts + seconds, key) for data, shown, dts, key in packets]


def _numbers(path):
    return [containers.number(one.rgb) for one in Video(path).pictures()]


def _without_times(path, chosen):
    """Takes the time stamps out of some packets of a transport stream, counted from 0."""
    data, number = bytearray(path.read_bytes()), -1
    for at in range(0, len(data), 188):
        header = data.find(b"\0\0\1\xe0", at, at + 188)
        if data[at + 1] & 0x40 and header > 0:
            number += 1
            if number in chosen:
                data[header + 7] &= 0x3F
                length = data[header + 8]
                data[header + 9 : header + 9 + length] = b"\xff" * length  # stuffing
    path.write_bytes(data)
    assert number >= max(chosen)
    return path


@pytest.mark.parametrize("kind", [_MPEG2, _H264], ids=["mpeg2video", "h264"])
@pytest.mark.parametrize("chosen", [{20}, {0}, {_COUNT - 1}, {7, 8, 21}], ids=str)
def test_one_packet_without_a_time_changes_no_other(kind, chosen, tmp_path):
    source = _film(tmp_path / "a.ts", kind)
    slow = [
        (data, *(time if time < 3 else 3 + 4 * (time - 3) for time in times), key)
        for data, *times, key in _moved(_packets(source), 2)
    ]
    path = _muxed(source, tmp_path / "b.ts", slow)
    told, numbers = Video(path).times, _numbers(path)
    video = Video(_without_times(path, chosen))
    assert _numbers(path) == numbers
    # By decoding times, which run ahead by two pictures where the rate changes.
    assert np.abs(video.times - told).max() <= 2 * 0.16 + 0.05
    assert video.duration == pytest.approx(told[-1] + 0.16, abs=0.4)


def test_times_of_key_pictures_alone_are_those_of_all(tmp_path):
    source = _film(tmp_path / "a.ts", _MPEG2)
    packets = _packets(source)
    others = {number for number, packet in enumerate(packets) if not packet[3]}
    video = Video(_without_times(source, others))
    assert [one.number for one in video.pictures()] == list(range(_COUNT))
    assert _numbers(source) == [number % 20 for number in range(_COUNT)]
    assert video.times == pytest.approx(np.arange(_COUNT) / 25, abs=0.005)


@pytest.mark.parametrize("container", ["mpegts", "vob"])
def test_a_clock_that_falls_by_more_than_a_minute_begins_anew(container, tmp_path):
    source = _film(tmp_path / "a.ts", _MPEG2)
    parts = [
        _muxed(source, tmp_path / str(at), _moved(_packets(source), at), container)
        for at in (100, 0)
    ]
    both = tmp_path / "both"
    both.write_bytes(b"".join(part.read_bytes() for part in parts))
    video = Video(both)
    assert video.damage is None
    assert video.duration == pytest.approx(2 * _COUNT / 25, abs=0.01)
    assert _numbers(both) == 2 * [number % 20 for number in range(_COUNT)]


def test_a_film_that_ends_just_before_the_clock_wraps_is_whole(tmp_path):
    source = _film(tmp_path / "a.ts", _H264)
    path = _muxed(source, tmp_path / "b.ts", _moved(_packets(source), _WRAP - 30))
    video = Video(path)
    assert video.damage is None
    assert _numbers(path) == [number % 20 for number in range(_COUNT)]
    assert video.duration == pytest.approx(_COUNT / 25, abs=0.01)


@pytest.mark.parametrize("spare", [1, 100, 187])
def test_a_recording_may_begin_in_the_middle_of_a_packet(spare, tmp_path):
    path = _film(tmp_path / "a.ts", _H264)
    whole = path.read_bytes()
    path.write_bytes(bytes(spare) + whole)
    assert _numbers(path) == [number % 20 for number in range(_COUNT)]
    path.write_bytes(bytes(spare) + whole[:-50])
    assert Video(path).damage is not None


def _repeating(data, number):
    """An MPEG-2 picture that is shown for three fields, or two, in turn (13818-2, 6.3.10)."""
    found = bytearray(data)
    at = found.find(b"\0\0\1\xb5")
    while at >= 0:
        if found[at + 4] >> 4 == 8:  # picture_coding_extension
            first, repeat = number % 4 in (0, 3), number % 2 == 0
            found[at + 7] = found[at + 7] & 0x7D | first << 7 | repeat << 1
            found[at + 8] |= 0x80  # progressive_frame
        elif found[at + 4] >> 4 == 1:
            found[at + 5] &= 0xF7  # progressive_sequence
        at = found.find(b"\0\0\1\xb5", at + 4)
    return bytes(found)


@pytest.mark.parametrize("container", ["mpeg", "vob", "svcd", "dvd"])
@pytest.mark.parametrize("count", [59, 60, 73])
def test_repeated_fields_end_no_recording(container, count, tmp_path):
    source = _film(tmp_path / "a.ts", _MPEG2, count)
    packets = _packets(source)
    shown = {time: number for number, time in enumerate(sorted(one[1] for one in packets))}
    field = Fraction(1001, 60_000)
    telecined = []
    for number, (data, time, _, key) in enumerate(packets):
        place = shown[time]
        start = (place // 2 * 5 + place % 2 * 3) * field + Fraction(1, 2)
        decoded = number * field * 5 / 2 + Fraction(1, 4)
        telecined.append((_repeating(data, place), start, decoded, key))
    path = _muxed(source, tmp_path / "b", telecined, container)
    assert _numbers(path) == [number % 20 for number in range(count)]


def _cut(source, target, first, behind):
    """A film without some packets, its times even: cut and joined without coding anew."""
    packets = [one for n, one in enumerate(_packets(source)) if not first <= n < behind]
    rank = {time: n for n, time in enumerate(sorted(one[1] for one in packets))}
    even = [
        (data, Fraction(rank[time] + 2, 25), Fraction(number, 25), key)
        for number, (data, time, _, key) in enumerate(packets)
    ]
    return _muxed(source, target, even)


@pytest.mark.parametrize("suffix", [".mp4", ".ts", ".mkv"])
def test_pictures_whose_reference_was_cut_away_end_the_film(suffix, tmp_path):
    source = _film(tmp_path / "a.mp4", _H264_P, 50)
    path = _cut(source, tmp_path / f"b{suffix}", 30, 35)
    video, seen = Video(path), []
    assert len(video) == 45
    with pytest.raises(CodecError, match=r"after frame 29 \(1\.16 s\): pictures 30 to") as caught:
        seen.extend(one.number for one in video.pictures())
    assert seen == list(range(30))
    assert "key pictures" in str(caught.value)
    with pytest.raises(CodecError, match="after frame 29"):
        list(video.pictures([3, 32]))
    with pytest.raises(CodecError, match="after frame"):
        list(Decoded(video).moments([0, 10, 32, 44], lambda _: []))
    with pytest.raises(CodecError, match="after frame 29"):
        codec.reencode(path, tmp_path / "c.mp4")
    assert not (tmp_path / "c.mp4").exists()


@pytest.mark.parametrize("suffix", [".mp4", ".ts"])
def test_pictures_that_are_missing_to_the_end_are_missed(suffix, tmp_path):
    source = _film(tmp_path / "a.mp4", _H264_P, 50)
    video, seen = Video(_cut(source, tmp_path / f"b{suffix}", 30, 48)), []
    assert len(video) == 32
    with pytest.raises(CodecError, match=r"after frame 29 .* pictures 30 to 31 cannot be decoded"):
        seen.extend(one.number for one in video.pictures())
    assert seen == list(range(30))
    with pytest.raises(CodecError, match="pictures 30 to 31 cannot be decoded"):
        list(Decoded(video).moments([0, 10, 31], lambda _: []))


class _Ten:
    """The index of ten pictures, which have their numbers for time stamps."""

    by_stamp, times, unsound = True, np.arange(10) / 25, np.zeros(10, bool)

    def number(self, stamp):
        return stamp

    def __len__(self):
        return 10


@pytest.mark.parametrize(
    ("order", "missing"),
    [
        ([0, 1, 3, 2, *range(4, 10)], None),
        ([0, 1, 4, 2, 3, *range(5, 10)], None),
        ([0, 1, 4, 2, *range(5, 10)], "picture 3 "),
        ([*range(3, 10)], None),
        ([*range(8)], "pictures 8 to 9 "),
    ],
)
def test_what_is_handed_out_late_is_there(order, missing):
    handed = [(types.SimpleNamespace(pts=number), None) for number in order]
    seen = []
    with pytest.raises(CodecError, match=missing) if missing else contextlib.nullcontext():
        ready = complete(handed, _Ten(), codec="h264", path=Path("film"))
        seen.extend(frame.pts for frame, _ in ready)
    assert seen == (order if missing is None else order[: len(seen)])
    assert missing is None or len(seen) >= 2


def test_a_prediction_says_that_pictures_are_missing(tmp_path):
    source = _film(tmp_path / "a.mp4", _H264_P, 75)
    found = mic.predict(_cut(source, tmp_path / "b.mp4", 30, 35))
    assert "cannot be decoded" in found["error"].iloc[-1]
    assert found["end"].max() == pytest.approx(1.2)


def test_a_picture_that_is_handed_out_late_is_not_missed(tmp_path):
    # The clock leaps within a group: by their times pictures belong in another order.
    source = _film(tmp_path / "a.ts", _H264)
    packets = _packets(source)
    path = _muxed(source, tmp_path / "b.ts", packets[:30] + _moved(packets[30:], 10))
    video = Video(path)
    assert video.damage is None
    assert len(list(video.pictures())) >= _COUNT - 2
