"""A picture whose samples are damaged ends the film there, in every codec that can be told."""

import av
import numpy as np
import pytest
from containers import filmed

from mic import codec
from mic.codec.video import Video
from mic.errors import CodecError, MicError
from mic.extraction import extract

CODED = {
    "h264": ("mp4", "libx264", {"bf": 0, "g": 30}),
    "hevc": ("mp4", "libx265", {"x265_params": "log-level=none:bframes=0"}),
    "mpeg1": ("mkv", "mpeg1video", {"g": 30, "b": 2_000_000}),
    "mpeg2": ("ts", "mpeg2video", {"g": 30, "b": 2_000_000}),
    "mpeg4": ("avi", "mpeg4", {"g": 30, "b": 2_000_000}),
    "flv1": ("flv", "flv", {"g": 30, "b": 2_000_000}),
    "mjpeg": ("avi", "mjpeg", {"strict": "unofficial"}),
}
COUNT, HIT = 24, 10


@pytest.fixture(scope="module", params=CODED)
def films(request, tmp_path_factory):
    """A sound film, and the same whose packet `HIT` has other bytes in it."""
    suffix, encoder, options = CODED[request.param]
    folder = tmp_path_factory.mktemp(request.param)
    rng = np.random.default_rng(0)
    texture = rng.integers(0, 255, (96 // 4, 160 // 4, 3), np.uint8).repeat(4, 0).repeat(4, 1)
    pictures = [np.roll(texture, 3 * k, (0, 1))[:96, :128].copy() for k in range(COUNT)]
    sound = filmed(folder / f"sound.{suffix}", pictures, encoder, rate=25, **options)
    with av.open(str(sound)) as container:
        packets = [bytes(p) for p in container.demux(video=0) if p.size]
    content, wanted = bytearray(sound.read_bytes()), packets[HIT]
    # HEVC's arithmetic decoder makes pixels of any bytes behind a sound header of a slice.
    first = 12 if request.param == "hevc" else len(wanted) // 2
    for begin in range(first, len(wanted) - 64, 24):
        piece = wanted[begin : begin + 24]
        at = bytes(content).find(piece)  # transport packets cut pieces in two: those stay
        if at >= 0 and content.count(piece) == 1:
            content[at : at + 24] = rng.integers(1, 255, 24, np.uint8).tobytes()
    damaged = folder / f"damaged.{suffix}"
    damaged.write_bytes(content)
    assert content != sound.read_bytes()
    return sound, damaged


def test_a_sound_film_is_whole(films):
    assert [picture.number for picture in Video(films[0]).pictures()] == list(range(COUNT))


def test_what_is_whole_comes_and_then_the_damage_is_said(films):
    found = []
    with pytest.raises(CodecError, match=r"damaged\..*cannot be decoded") as told:
        found.extend(picture.number for picture in Video(films[1]).pictures())
    assert found == list(range(HIT))
    assert told.value.place.startswith(f"after frame {HIT - 1} ")


def test_nothing_is_written_of_a_damaged_film(films, tmp_path):
    with pytest.raises(CodecError, match="cannot be decoded"):
        codec.reencode(films[1], tmp_path / "t.mp4")
    with pytest.raises(MicError):
        extract(films[1], tmp_path / "t.npz")
    assert not list(tmp_path.iterdir())
