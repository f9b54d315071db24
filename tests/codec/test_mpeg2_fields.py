"""MPEG-2 pictures that are coded as two fields, and such whose size changes: none is lost."""

from fractions import Fraction

import av
import containers
import numpy as np
import pytest

import mic
from mic import decoded
from mic.codec import Video
from mic.codec.fields import Mpeg2FieldPairs
from mic.errors import CodecError, UnsupportedSyntaxError
from mic_bitstream.decoding import field_structures

SIDE, COUNT = 128, 16


def _with(data, place, bits, value):
    """Bytes with `bits` bits at bit `place` of them set to a value."""
    number, length = int.from_bytes(data, "big"), 8 * len(data)
    shift = length - place - bits
    mask = ((1 << bits) - 1) << shift
    return (number & ~mask | value << shift).to_bytes(length // 8, "big")


def _coded(pictures):
    """Intra pictures of MPEG-2, each in bytes of its own."""
    context = av.CodecContext.create("mpeg2video", "w")
    height, context.width = pictures[0].shape[0], pictures[0].shape[1]
    context.height, context.pix_fmt, context.thread_count = height, "yuv420p", 1
    context.time_base = Fraction(1, 25)
    context.options = {"g": "1", "qmin": "2", "qmax": "3", "bf": "0"}
    found = []
    for number, picture in enumerate(pictures):
        frame = av.VideoFrame.from_ndarray(picture, "rgb24").reformat(format="yuv420p")
        frame.pts = number
        found += [bytes(packet) for packet in context.encode(frame)]
    return found + [bytes(packet) for packet in context.encode(None)]


def fields(pictures, *, top_first):
    """Pictures as (first field, second field), each coded as a picture of half the height."""
    order = (0, 1) if top_first else (1, 0)
    halves = [np.ascontiguousarray(one[half::2]) for one in pictures for half in order]
    coded = []
    for number, data in enumerate(_coded(halves)):
        at = data.find(b"\0\0\1\0")
        head, body = data[:at], _with(data[at:], 32, 10, 0)  # temporal_reference
        at = 8 * (body.find(b"\0\0\1\xb5") + 4)
        structure = 1 + order[number % 2]
        # picture_structure; top_field_first and progressive_frame are 0 in fields.
        for place, bits, value in ((22, 2, structure), (24, 1, 0), (25, 1, 0), (32, 1, 0)):
            body = _with(body, at + place, bits, value)
        if number % 2:
            coded.append(body)
            continue
        at = 8 * (head.find(b"\0\0\1\xb3") + 4)
        head = _with(head, at + 12, 12, pictures[0].shape[0])  # the height of both
        at = 8 * (head.find(b"\0\0\1\xb5") + 4)
        coded.append(_with(head, at + 12, 1, 0) + body)  # progressive_sequence
    return list(zip(coded[::2], coded[1::2], strict=True))


def muxed(path, pairs, *, apart=False):
    """The fields of each picture in one packet, or each in one of its own."""
    if path.suffix == ".m2v":
        path.write_bytes(b"".join(b"".join(pair) for pair in pairs))
        return path
    with av.open(str(path), "w") as written:
        stream = written.add_stream("mpeg2video", rate=25)
        stream.width = stream.height = SIDE
        stream.pix_fmt = "yuv420p"
        for number, pair in enumerate(pairs):
            for half, data in enumerate(pair if apart else [b"".join(pair)]):
                packet = av.Packet(data)
                packet.stream, packet.time_base = stream, Fraction(1, 90_000)
                packet.pts = packet.dts = 3600 * number + 1800 * half
                packet.duration = 1800 if apart else 3600
                packet.is_keyframe = half == 0
                written.mux(packet)
    return path


@pytest.fixture(scope="module")
def pictures():
    """Brighter from one to the next, and a field that is none of the other."""
    rows = np.arange(SIDE)[:, None, None] % 2 * 20
    return [
        np.broadcast_to(rows + 40 + 10 * number, (SIDE, SIDE, 3)).astype(np.uint8)
        for number in range(COUNT)
    ]


@pytest.mark.parametrize("top_first", [True, False])
@pytest.mark.parametrize(
    ("suffix", "apart"),
    [
        (".m2v", False),
        *((suffix, False) for suffix in (".ts", ".mpg", ".mp4", ".mkv", ".mxf", ".avi")),
        *((suffix, True) for suffix in (".mp4", ".mkv", ".ts")),
    ],
)
def test_two_fields_are_one_picture(suffix, apart, top_first, pictures, tmp_path):
    path = tmp_path / f"film{suffix}"
    muxed(path, fields(pictures, top_first=top_first), apart=apart)
    video = Video(path)
    seen = list(video.pictures())
    assert len(video) == len(seen) == COUNT
    assert video.damage is None
    assert [one.time for one in seen] == pytest.approx(np.arange(COUNT) / 25, abs=2e-3)
    for one, picture in zip(seen, pictures, strict=True):
        assert np.abs(one.rgb.astype(int) - picture).mean() < 2
    assert len(mic.predict(path, rows="frame")) == COUNT


def test_arrays_of_decoded_residuals_refuse_fields_by_name(pictures, tmp_path):
    path = muxed(tmp_path / "film.ts", fields(pictures, top_first=True))
    with pytest.raises(UnsupportedSyntaxError, match="interlaced"):
        list(decoded.source.pictures(Video(path)))


def test_what_a_packet_holds_is_read_from_its_headers(pictures):
    first, second = fields(pictures[:2], top_first=True)[0]
    assert field_structures(first) == [1]
    assert field_structures(first + second) == [1, 2]
    assert field_structures(_coded(pictures[:1])[0]) == [3]
    assert field_structures(first[: first.find(b"\0\0\1\xb5") + 6]) == []
    pairs = Mpeg2FieldPairs()
    assert [pairs.second(data) for data in (first, second, first, first, second)] == [
        *(False, True),
        *(False, False, True),
    ]
    assert not pairs.second(first + second)
    assert not pairs.second(second)


def test_damage_of_whole_pictures_is_still_told(pictures, tmp_path):
    path = tmp_path / "film.m2v"
    coded = _coded([np.random.default_rng(0).integers(0, 255, (SIDE, SIDE, 3), np.uint8)] * 9)
    coded[5] = coded[5][:200] + bytes(400) + coded[5][600:]
    path.write_bytes(b"".join(coded))
    with pytest.raises(CodecError, match=r"after frame [34]"):
        list(Video(path).pictures())


@pytest.mark.parametrize("bidirectional", [0, 2])
@pytest.mark.parametrize("codec", ["mpeg2video", "mpeg1video"])
@pytest.mark.parametrize("suffix", [".ts", ".mpg", ".mkv"])
def test_the_picture_before_a_change_of_size_is_shown(suffix, codec, bidirectional, tmp_path):
    packets = []
    for turn, side in enumerate((64, 32)):
        part = tmp_path / f"part{turn}.mkv"
        noise = np.random.default_rng(0).integers(-20, 21, (12, side, side, 1))  # no small packets
        levels = 40 + 8 * (12 * turn + np.arange(12).reshape(-1, 1, 1, 1))
        shown = list(np.broadcast_to(levels + noise, (12, side, side, 3)).astype(np.uint8))
        containers.filmed(part, shown, codec, rate=25, bf=bidirectional, g=12, qmin=2, qmax=3)
        with av.open(str(part)) as film:
            headers = bytes(film.streams.video[0].codec_context.extradata or b"")
            for packet in film.demux(video=0):
                if packet.size:
                    data = bytes(packet)
                    own = packet.is_keyframe and headers not in data
                    packets.append((headers * own + data, packet.pts * packet.time_base, turn))
    with av.open(str(tmp_path / f"film{suffix}"), "w") as written:
        stream = written.add_stream(codec, rate=25)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        for number, (data, time, turn) in enumerate(packets):
            packet = av.Packet(data)
            packet.stream, packet.time_base = stream, Fraction(1, 90_000)
            packet.pts = round((time + Fraction(12 * turn + 4, 25)) * 90_000)
            packet.dts = 3600 * number
            packet.is_keyframe = number % 12 == 0
            written.mux(packet)
    video = Video(tmp_path / f"film{suffix}")
    seen = list(video.pictures())
    assert len(seen) == len(video) == 24
    assert [one.number for one in seen] == list(range(24))
    if suffix != ".mpg":  # not every packet has a time there
        assert [one.time for one in seen] == pytest.approx(np.arange(24) / 25, abs=2e-3)
    levels = [one.rgb[24:40, 24:40].mean() for one in seen]
    assert levels == pytest.approx(40 + 8 * np.arange(24), abs=4)
