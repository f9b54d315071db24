"""Containers that do not say how long they are: what shows that their end is missing."""

from fractions import Fraction

import av
import numpy as np
import pytest
from containers import Film, gray, number, write

from mic.codec import Video
from mic.codec.scrambling import scrambled
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


LIVE = {"live": "1"}  # no element says how large it is, and nothing how long the film is


def _matroska(path, *, live=False, count=40, first=0):
    with av.open(str(path), "w", options=LIVE if live else {}) as film:
        codec = "libvpx" if path.suffix == ".webm" else "libx264"
        stream = film.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for place in range(count):
            frame = av.VideoFrame.from_ndarray(gray(first + place), "rgb24")
            frame.pts, frame.time_base = place, Fraction(1, 25)
            film.mux(stream.encode(frame))
        film.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("live", [True, False])
@pytest.mark.parametrize("name", ["a.mkv", "a.webm"])
def test_matroska_that_breaks_off_in_a_block_is_damaged(name, live, tmp_path):
    path = _matroska(tmp_path / name, live=live)
    whole = path.read_bytes()
    assert Video(path).damage is None
    assert len(list(Video(path).pictures())) == 40
    path.write_bytes(whole[: len(whole) * 2 // 3])
    video = Video(path)
    assert 0 < len(video) < 40
    assert "breaks off" in str(video.damage)
    path.write_bytes(whole + b"what follows")  # and is none of it
    assert Video(path).damage is None


@pytest.mark.parametrize("live", [True, False])
@pytest.mark.parametrize("suffix", [".mkv", ".webm"])
def test_matroska_joined_byte_by_byte_is_one_film_behind_the_other(suffix, live, tmp_path):
    parts = [
        _matroska(tmp_path / f"{first}{suffix}", live=live, count=10, first=first)
        for first in (0, 10)
    ]
    path = tmp_path / f"both{suffix}"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    video = Video(path)
    seen = list(video.pictures())
    assert [number(one.rgb) for one in seen] == list(range(20))
    assert [one.time for one in seen] == pytest.approx(
        [place / 25 for place in range(20)], abs=2e-3
    )
    assert video.duration == pytest.approx(0.8, abs=5e-3)
    assert video.damage is None


def test_key_pictures_of_one_time_are_no_joint(tmp_path):
    """Matroska rounds to a millisecond: of 2000 pictures a second two share one."""
    film = Film(stamps=range(20), time_base=Fraction(1, 2000), codec="ffv1", rate=Fraction(2000))
    video = Video(write(tmp_path / "a.mkv", film))
    assert len(video) == 20
    assert video.times == pytest.approx(np.arange(20) / 2000, abs=1.1e-3)
    assert (np.diff(video.times) >= 0).all()
    assert video.damage is None


def _scramble(data, pid, packets, *, content=True):
    """A transport stream in which some packets are marked as scrambled, and are."""
    rows = np.frombuffer(data, np.uint8).reshape(-1, 188).copy()
    own = np.flatnonzero(((rows[:, 1].astype(int) & 31) << 8 | rows[:, 2]) == pid)[packets]
    rows[own, 3] |= 0x80
    for place in own if content else ():
        begin = 4 + (1 + rows[place, 4] if rows[place, 3] & 0x20 else 0)
        rows[place, begin:] ^= 0x5A
    return rows.tobytes()


@pytest.mark.parametrize("part", [slice(None), slice(20, None), slice(0, 20), slice(10, 20)])
def test_an_encrypted_transport_stream_is_called_so(part, tmp_path):
    path = write(tmp_path / "a.ts", Film(stamps=range(40), codec="libx264"))
    with av.open(str(path)) as film:
        pid = film.streams.video[0].id
    clear = path.read_bytes()
    assert scrambled(path, pid) == 0
    path.write_bytes(_scramble(clear, pid, part, content=False))  # marked, and clear
    assert scrambled(path, pid) == 0
    assert Video(path).damage is None
    path.write_bytes(_scramble(clear, pid, part))
    assert scrambled(path, pid) > 0
    assert scrambled(path, pid + 1) == 0
    try:
        said = Video(path).damage
    except CodecError as error:  # there is nothing else
        said = error
    assert "encrypted" in str(said)


@pytest.mark.parametrize("length", [192, 204])
def test_scrambled_units_are_found_in_packets_of_every_length(length, tmp_path):
    path = write(tmp_path / "a.ts", Film(stamps=range(40), codec="libx264"))
    with av.open(str(path)) as film:
        pid = film.streams.video[0].id
    data = _scramble(path.read_bytes(), pid, slice(None))
    packets = [data[place : place + 188] for place in range(0, len(data), 188)]
    before, behind = (bytes(4), b"") if length == 192 else (b"", bytes(16))
    path.write_bytes(b"".join(before + one + behind for one in packets))
    assert scrambled(path, pid) > 0
    path.write_bytes(b"no packets " * 200)
    assert scrambled(path, pid) == 0


def _fragments(path):
    """A film of four fragments: what comes before them, and each."""
    film = Film(stamps=range(20), codec="libx264", options={"g": "5", "bf": "0"})
    muxing = {"movflags": "frag_keyframe+empty_moov+default_base_moof+skip_trailer"}
    data = write(path, film, muxing=muxing).read_bytes()
    places = [at - 4 for at in range(len(data)) if data[at : at + 4] == b"moof"]
    assert len(places) == 4
    return data[: places[0]], [data[a:b] for a, b in zip(places, [*places[1:], None], strict=True)]


def test_fragments_of_mp4_that_are_out_of_order_or_of_two_films_are_said(tmp_path):
    path = tmp_path / "a.mp4"
    head, (one, two, three, four) = _fragments(path)
    path.write_bytes(head + one + two + three + four)
    assert Video(path).damage is None
    assert [number(one.rgb) for one in Video(path).pictures()] == list(range(20))
    joined = head + one + two + three + four
    for content, whole in (
        (head + one + three + two + four, 10),
        (joined + joined, 20),
        (head + one + two + one + two, 10),
    ):
        path.write_bytes(content)
        seen = []
        with pytest.raises(CodecError, match="fragments are out of order, or films were joined"):
            seen.extend(Video(path).pictures())
        assert len(seen) == whole == len(Video(path))
        assert "ffmpeg -f concat" in str(Video(path).damage)
    path.write_bytes(head + one + two + four)  # each begins with a key picture
    shown = [number(one.rgb) for one in Video(path).pictures()]
    assert shown == [*range(10), *range(15, 20)]
