"""Pictures that are coded as two fields count once, however a container holds them."""

from fractions import Fraction

import av
import numpy as np
import pytest
from oracles import field_coded

import mic
from mic.codec import Video
from mic.codec.fields import FieldPairs
from mic.recognition.decoded import Decoded

LEVELS = [20 + 8 * number for number in range(24)]


def muxed(path, pairs, *, apart):
    """Writes the fields, each in a packet of its own or two in one, 25 pictures a second."""
    raw = path.with_suffix(".h264")
    raw.write_bytes(b"".join(b"".join(pair) for pair in pairs))
    if path.suffix == ".h264":
        return path
    with av.open(str(raw), format="h264") as read, av.open(str(path), "w") as written:
        stream = written.add_stream_from_template(read.streams.video[0])
        for number, pair in enumerate(pairs):
            for half, data in enumerate(pair if apart else [b"".join(pair)]):
                packet = av.Packet(data)
                packet.pts = packet.dts = 3600 * number + 1800 * half
                packet.duration = 1800 if apart else 3600
                packet.time_base, packet.stream = Fraction(1, 90000), stream
                packet.is_keyframe = number % 10 == 0 and half == 0
                written.mux(packet)
    return path


@pytest.mark.parametrize("apart", [True, False], ids=["a field a packet", "two a packet"])
@pytest.mark.parametrize("suffix", [".h264", ".mp4", ".mkv", ".ts", ".avi"])
def test_a_pair_of_fields_is_one_picture(suffix, apart, tmp_path):
    if suffix == ".avi" and apart:
        pytest.skip("AVI counts packets: each is a picture's time there")
    path = muxed(tmp_path / f"film{suffix}", field_coded.film(LEVELS), apart=apart)
    video = Video(path)
    pictures = list(video.pictures())
    assert len(video) == len(pictures) == len(LEVELS)
    assert [picture.number for picture in pictures] == list(range(len(LEVELS)))
    assert video.times == pytest.approx(np.arange(len(LEVELS)) / 25, abs=2e-3)
    assert video.duration == pytest.approx(len(LEVELS) / 25, abs=3e-3)
    # Full range or limited, each picture is brighter than the one before.
    levels = [picture.rgb.mean() for picture in pictures]
    assert (np.diff(levels) > 4).all()
    some = list(Video(path).pictures([3, 11, 23]))
    assert [one.rgb.mean() for one in some] == [levels[3], levels[11], levels[23]]
    assert mic.predict(path, rows="frame")["frame"].tolist() == list(range(len(LEVELS)))


@pytest.mark.parametrize("apart", [True, False], ids=["a field a packet", "two a packet"])
@pytest.mark.parametrize("suffix", [".h264", ".mp4", ".mkv", ".ts"])
def test_whoever_looks_at_a_picture_of_fields_that_nothing_refers_to_sees_it(
    suffix, apart, tmp_path
):
    odd = [number for number in range(24) if number % 10 % 3]
    pairs = field_coded.film(LEVELS, unreferred=odd)
    path = muxed(tmp_path / f"film{suffix}", pairs, apart=apart)
    pictures = {one.number: one.rgb for one in Video(path).pictures()}
    assert list(pictures) == list(range(24))
    for number in (0, 1, 2, 3, 11, 22, 23):
        found = Decoded(Video(path, survey=True)).moments([number], lambda motion: [])
        (seen,) = [one for one in found if one.pixels is not None]
        assert seen.number == number
        assert np.array_equal(seen.pixels(None), pictures[number])


def test_a_recording_of_fields_that_begins_in_its_middle(tmp_path):
    pairs = field_coded.film(LEVELS)
    sets = field_coded.parameter_sets(64, 64, fields=True)
    cut = [[sets + pairs[5][0], pairs[5][1]], *pairs[6:]]
    path = muxed(tmp_path / "film.ts", cut, apart=True)
    with av.open(str(path)) as container:
        decoded = sum(1 for _ in container.decode(video=0))
    assert len(Video(path)) == len(list(Video(path).pictures())) == decoded


def test_pairs_are_told_by_number_and_parity():
    first, second = field_coded.film([50])[0]
    pairs = FieldPairs(b"")
    assert [pairs.second(data) for data in (first, second)] == [False, True]
    assert pairs.expected
    # Two of one parity, or of two numbers, are two pictures, and so is what a whole one parts.
    luma = np.full((32, 64), 50, np.uint8)
    top, bottom, later = (
        field_coded.coded(luma, number, parity=parity)
        for number, parity in ((1, 0), (1, 1), (2, 1))
    )
    whole = field_coded.coded(np.full((64, 64), 50, np.uint8), 1)
    assert [pairs.second(data) for data in (top, top, bottom)] == [False, False, True]
    assert [pairs.second(data) for data in (top, later)] == [False, False]
    assert [pairs.second(data) for data in (top, whole, bottom)] == [False, False, False]
    assert [pairs.second(data) for data in (top + bottom, bottom)] == [False, False]


def test_parameter_sets_with_scaling_lists_are_read():
    first, second = field_coded.film([50], scaling=True)[0]
    pairs = FieldPairs(b"")
    assert [pairs.second(data) for data in (first, second)] == [False, True]


def test_frames_of_a_stream_that_may_have_fields_are_pictures():
    luma = np.full((64, 64), 50, np.uint8)
    frames = [field_coded.coded(luma, number) for number in range(4)]
    frames[0] = field_coded.parameter_sets(64, 64, fields=True) + frames[0]
    pairs = FieldPairs(b"")
    assert not any(pairs.second(data) for data in frames)


def test_a_field_that_nobody_refers_to_is_no_half_of_one_that_others_refer_to():
    luma = np.full((32, 64), 50, np.uint8)
    pairs = FieldPairs(field_coded.parameter_sets(64, 64, fields=True))
    alone = field_coded.coded(luma, 5, parity=1, reference=False)
    first, second = (field_coded.coded(luma, 5, parity=parity) for parity in (0, 1))
    assert [pairs.second(data) for data in (alone, first, second)] == [False, False, True]
    # Units without a slice between two fields part nothing.
    assert [pairs.second(data) for data in (first, b"\0\0\1\x09\xf0", second)][2]


def test_damaged_parameter_sets_are_not_believed():
    sets = field_coded.parameter_sets(64, 64, fields=True)
    first, second = field_coded.film([50])[0]
    random = np.random.default_rng(0)
    for _ in range(400):
        broken = bytearray(sets)
        for place in random.integers(5, len(broken), 3):
            broken[place] = random.integers(256)
        pairs = FieldPairs(b"")
        pairs.second(bytes(broken) + first)
        pairs.second(second)
    for zeros in range(1, 12):
        pairs = FieldPairs(b"\0\0\1\x67" + b"\x4d\x00\x28" + bytes(zeros) + b"\0\0\1\x68\xff")
        assert not pairs.expected
        pairs.second(first)


def test_recordings_of_fields_that_are_joined_follow_one_another(tmp_path):
    path = muxed(tmp_path / "one.ts", field_coded.film(LEVELS), apart=False)
    both = tmp_path / "both.ts"
    both.write_bytes(2 * path.read_bytes())
    times = Video(both).times
    assert np.diff(times) == pytest.approx(np.full(len(times) - 1, 0.04), abs=2e-3)
