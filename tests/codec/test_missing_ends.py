"""Containers that do not say how long they are: what shows that their end is missing."""

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
