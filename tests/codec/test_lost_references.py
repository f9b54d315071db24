"""A reference picture that never came: libavcodec makes pictures nevertheless, and mic says so."""

import av
import numpy as np
import pytest
from containers import filmed
from oracles.field_coded import Bits, parameter_sets, unit

from mic.codec.picture_headers import mpeg_type
from mic.codec.references import AvcReferences
from mic.codec.video import Video
from mic.errors import CodecError
from mic.extraction import extract

COUNT, GROUP = 45, 15
RATE = 2_000_000
WAYS = {
    "mp4": ("mp4", "libx264", {}),
    "matroska": ("mkv", "libx264", {}),
    "transport": ("ts", "libx264", {}),
    "no b-pictures": ("mp4", "libx264", {"bf": 0}),
    "one reference": ("mp4", "libx264", {"bf": 0, "x264_params": "ref=1"}),
    "open groups": ("mkv", "libx264", {"x264_params": "open-gop=1:scenecut=0"}),
    "avi": ("avi", "libx264", {"bf": 0}),
    "mpeg2": ("ts", "mpeg2video", {"b": RATE}),
    "mpeg2 b": ("mkv", "mpeg2video", {"b": RATE, "bf": 2}),
    "mpeg2 program": ("mpg", "mpeg2video", {"b": RATE, "bf": 2}),
    "mpeg1": ("mpg", "mpeg1video", {"b": RATE}),
    "mpeg1 b": ("mpg", "mpeg1video", {"b": RATE, "bf": 2}),
}


@pytest.fixture(scope="module", params=WAYS)
def whole(request, tmp_path_factory):
    suffix, encoder, options = WAYS[request.param]
    texture = np.random.default_rng(0).integers(0, 255, (40, 40, 3), np.uint8)
    texture = texture.repeat(4, 0).repeat(4, 1)
    pictures = [np.roll(texture, 3 * k, (0, 1))[:64, :96].copy() for k in range(COUNT)]
    folder = tmp_path_factory.mktemp("whole")
    return filmed(folder / f"a.{suffix}", pictures, encoder, rate=25, g=GROUP, **options)


def _without(film, lost, target):
    """The film less one packet, and what it was: a reference picture or not."""
    told = None
    with av.open(str(film)) as source, av.open(str(target), "w") as copy:
        stream = copy.add_stream_from_template(source.streams.video[0])
        lengths = bytes(stream.codec_context.extradata or b"")[:1] == b"\1"
        for number, packet in enumerate(source.demux(video=0)):
            if not packet.size:
                continue
            if number == lost:
                told = _is_reference(bytes(packet), source, lengths)
                continue
            packet.stream = stream
            copy.mux(packet)
    return told


def _is_reference(data, source, lengths):
    if source.streams.video[0].codec_context.name != "h264":
        return mpeg_type(data) != "B"
    units = _units(data, lengths)
    return any(one[0] & 31 in (1, 5) and one[0] >> 5 & 3 for one in units)


def _units(data, lengths):
    if lengths:  # of four bytes
        at = 0
        while at < len(data):
            length = int.from_bytes(data[at : at + 4])
            yield data[at + 4 : at + 4 + length]
            at += 4 + length
    else:
        yield from (piece for piece in data.split(b"\0\0\1")[1:] if piece)


def _seen(video, wanted=None):
    """What pictures show: where a picture is lost, AVI tells other times of those behind it."""
    return [one.rgb.tobytes() for one in video.pictures(wanted)]


@pytest.mark.parametrize("lost", [1, 4, 7, GROUP, 17, 19, 22])
def test_no_picture_is_shown_that_refers_to_one_that_is_lost(whole, lost, tmp_path):
    right, film = set(_seen(Video(whole))), tmp_path / f"b{whole.suffix}"
    reference = _without(whole, lost, film)
    video, found, error = Video(film), [], None
    try:
        for picture in video.pictures():
            found.append(picture.rgb.tobytes())
    except CodecError as met:
        error = met
    assert right.issuperset(found)
    assert (error is not None) == reference
    if error is not None:
        assert "what is referred to is missing" in str(error)
    if error is not None and video.is_seekable and video.index.by_stamp:
        behind = [n for n, lost in enumerate(video.index.unsound) if lost][-1] + 1
        later = _seen(video, range(behind, len(video)))
        assert len(later) == len(video) - behind > 0
        assert right.issuperset(later)
        with pytest.raises(CodecError, match="is missing"):
            _seen(video, [behind - 1])


def test_nothing_is_written_of_such_a_film(whole, tmp_path):
    film = tmp_path / f"b{whole.suffix}"
    assert _without(whole, 1, film)
    for method, space in (("decoded", "ycbcr"), ("reencoded", "rgb")):
        target = tmp_path / f"{method}.npz"
        with pytest.raises(CodecError, match=r"is missing|cannot be decoded"):
            extract(film, target, method=method, space=space)
        assert not target.exists()


@pytest.mark.parametrize("gaps", [False, True])
def test_layers_of_time_that_were_taken_away_are_not_missed(gaps):
    """gaps_in_frame_num_value_allowed_flag (7.4.2.1.1)."""
    sequence = Bits().put(8, 77).put(16, 40).golomb(0, 0, 0, 4, 1).put(1, gaps)
    sequence.golomb(3, 3).put(1, 1).put(1, 1).put(2, 0)
    picture = parameter_sets(64, 64, fields=False).split(b"\0\0\0\1")[-1]
    numbers = AvcReferences(b"")
    sets = unit(7, sequence.bytes(stop=True)) + b"\0\0\0\1" + picture

    def slice_of(number, kind=1, *, reference=True):
        bits = Bits().golomb(0, 5, 0).put(4, number).put(40, 1)
        return unit(kind, bits.bytes(stop=True), reference=reference)

    def lost(data):
        numbers.add(data)
        return numbers.lost[-1]

    assert not lost(sets + slice_of(0, 5))
    assert not lost(slice_of(1))
    assert not lost(slice_of(2, reference=False))
    assert not lost(slice_of(2, reference=False))
    assert not lost(slice_of(2))
    assert lost(slice_of(4)) != gaps
    assert not lost(slice_of(5))
    for number in (6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1):  # of four bits
        assert not lost(slice_of(number))
    assert lost(slice_of(3)) != gaps
    assert not lost(slice_of(0, 5))
    assert not lost(slice_of(1))


def test_a_slice_whose_parameters_never_came_says_nothing():
    numbers = AvcReferences(b"")
    for data in (unit(1, b"\xe0" + bytes(8)), b"", unit(7, b"\x4d"), unit(8, b"\xff")):
        numbers.add(data)
    assert numbers.lost == [False] * 4
