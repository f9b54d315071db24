"""Containers that do not say how long they are: what shows that their end is missing."""

from fractions import Fraction

import pytest
from containers import Film, write

from mic.codec import Video
from mic.errors import CodecError


@pytest.fixture
def gif(tmp_path):
    film = Film(stamps=range(0, 48, 4), codec="gif", pixel_format="rgb8")
    return write(tmp_path / "a.gif", film)


def _blocks_of_pictures(data):
    """Where a GIF's pictures begin: its graphic control extensions."""
    mark, places, place = b"\x21\xf9\x04", [], data.find(b"\x21\xf9\x04")
    while place >= 0:
        places.append(place)
        place = data.find(mark, place + 1)
    return places


def test_a_gif_cut_between_pictures_is_damaged_after_them(gif):
    whole = gif.read_bytes()
    assert Video(gif).damage is None
    assert len(Video(gif)) == 12
    gif.write_bytes(whole[: _blocks_of_pictures(whole)[7]])
    video = Video(gif)
    seen = []
    with pytest.raises(CodecError, match=r"a\.gif, after frame 6 .*trailer is missing"):
        seen.extend(video.pictures())
    assert len(seen) == 7


@pytest.mark.parametrize("padding", [b"\0", b"\r\n", b"\0" * 300])
def test_padding_after_a_trailer_is_no_damage(gif, padding):
    gif.write_bytes(gif.read_bytes() + padding)
    assert Video(gif).damage is None


def test_a_transport_stream_ends_with_a_whole_packet(tmp_path):
    path = write(tmp_path / "a.ts", Film())
    whole = path.read_bytes()
    assert len(whole) % 188 == 0
    assert Video(path).damage is None
    path.write_bytes(whole[:-100])
    assert Video(path).damage is not None


KINDS = [
    ("a.flv", "flv1"),
    ("a.wmv", "wmv2"),
    ("a.mxf", "mpeg2video"),
    ("a.mpg", "mpeg2video"),
    ("a.vob", "mpeg2video"),
    ("b.mpg", "mpeg1video"),
]


@pytest.fixture(params=KINDS, ids=[f"{name} {codec}" for name, codec in KINDS])
def whole(request, tmp_path):
    name, codec = request.param
    return write(tmp_path / name, Film(stamps=range(150), codec=codec))


def test_a_file_that_lost_its_end_is_damaged_wherever_it_was_cut(whole):
    data = whole.read_bytes()
    count = len(Video(whole))
    assert Video(whole).damage is None
    # A program stream that ends between packets may be all that was sent.
    codes = [k for k in range(len(data)) if data[k : k + 3] == b"\0\0\1" and data[k + 3] > 0xB8]
    between = {code + more for code in codes for more in range(4)}  # a code begun says nothing
    for end in range(int(0.3 * len(data)), int(0.8 * len(data)), max(1, len(data) // 200)):
        if whole.suffix in (".mpg", ".vob") and end in between:
            continue
        whole.write_bytes(data[:end])
        try:
            is_told = Video(whole).damage is not None
        except CodecError:
            is_told = True
        assert is_told or len(Video(whole)) == count, end


@pytest.mark.parametrize("stamps", [(0,), (0, 30), (0, 1, 2, 90), (0, *range(200, 220))])
def test_an_flv_whose_pictures_are_held_is_whole(stamps, tmp_path):
    film = Film(stamps=stamps, codec="flv1", time_base=Fraction(1, 10), rate=Fraction(1, 2))
    video = Video(write(tmp_path / "a.flv", film))
    assert video.damage is None
    assert len(video) == len(stamps)


@pytest.mark.parametrize("tail", [b"\0" * 50, b"junk"])
def test_what_follows_the_last_tag_of_an_flv_is_no_damage(tail, tmp_path):
    path = write(tmp_path / "a.flv", Film(codec="flv1"))
    data = path.read_bytes()
    for bytes_ in (data + tail, data[:-4]):
        path.write_bytes(bytes_)
        assert Video(path).damage is None
        assert len(Video(path)) == 12
