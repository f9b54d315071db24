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
    # The picture before may have waited for its turn, which then does not come.
    assert found in (list(range(HIT)), list(range(HIT - 1)))
    assert told.value.place.startswith(f"after frame {found[-1]} ")


def test_nothing_is_written_of_a_damaged_film(films, tmp_path):
    with pytest.raises(CodecError, match="cannot be decoded"):
        codec.reencode(films[1], tmp_path / "t.mp4")
    with pytest.raises(MicError):
        extract(films[1], tmp_path / "t.npz")
    assert not list(tmp_path.iterdir())


def damaged_at(path, target, number):
    """A copy of a film whose packet `number` has other bytes in its second half."""
    with av.open(str(path)) as container:
        wanted = [bytes(p) for p in container.demux(video=0) if p.size][number]
    content = bytearray(path.read_bytes())
    at = content.index(wanted) + len(wanted) // 2
    size = len(wanted) // 2 - 32
    content[at : at + size] = np.random.default_rng(1).integers(1, 255, size, np.uint8).tobytes()
    target.write_bytes(content)
    return target


def moving(count):
    """Pictures of a texture that moves."""
    texture = np.random.default_rng(0).integers(0, 255, (24, 40, 3), np.uint8)
    texture = texture.repeat(4, 0).repeat(4, 1)
    return [np.roll(texture, 3 * k, (0, 1))[:96, :128].copy() for k in range(count)]


@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
@pytest.mark.parametrize(
    ("codec_name", "hit"), [("libx264", 18), ("mpeg2video", 18), ("mpeg2video", 30)]
)
def test_a_picture_that_is_reached_by_a_jump_is_whole_or_refused(
    codec_name, hit, suffix, tmp_path
):
    options = {"g": 15, "bf": 0, "sc_threshold": 1_000_000_000}
    sound = filmed(tmp_path / f"a.{suffix}", moving(60), codec_name, rate=25, **options)
    reference = {picture.number: picture.rgb for picture in Video(sound).pictures()}
    film = Video(damaged_at(sound, tmp_path / f"b.{suffix}", hit))
    refused = set()
    for number in range(60):
        try:
            (picture,) = film.pictures([number])
        except CodecError:
            refused.add(number)
        else:
            assert np.array_equal(picture.rgb, reference[number]), number
    # From the damage, or the picture that waited for it, to where one can jump behind it.
    last = hit - hit % 15 + 14 if film.index.by_stamp else 59
    assert refused in ({*range(hit, last + 1)}, {*range(hit - 1, last + 1)})


def test_a_damaged_first_picture_begins_no_film(tmp_path):
    sound = filmed(tmp_path / "a.mp4", moving(12), "libx264", rate=25, bf=0)
    film = damaged_at(sound, tmp_path / "b.mp4", 0)
    with pytest.raises(CodecError, match="at the first frame: cannot be decoded"):
        list(Video(film).pictures())


def test_recordings_of_hevc_are_joined_in_the_middle_of_a_group(tmp_path):
    parameters = "log-level=none:keyint=20:min-keyint=20:open-gop=1:bframes=3:scenecut=0"
    whole = filmed(tmp_path / "a.ts", moving(60), "libx265", rate=25, x265_params=parameters)
    later = tmp_path / "b.ts"
    with av.open(str(whole)) as source, av.open(str(later), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for number, packet in enumerate(source.demux(video=0)):
            if packet.size and number >= 25:
                packet.stream = stream
                target.mux(packet)
    alone = [picture.rgb for picture in Video(later).pictures()]
    joined = tmp_path / "c.ts"
    joined.write_bytes(whole.read_bytes() + later.read_bytes())
    pictures = [picture.rgb for picture in Video(joined).pictures()]
    assert len(pictures) == 60 + len(alone)
    assert np.array_equal(pictures[-1], alone[-1])


def test_a_recording_that_cannot_be_decoded_behind_another_is_said(tmp_path):
    first = filmed(tmp_path / "a.ts", moving(30), "libx264", rate=25)
    second = filmed(
        tmp_path / "b.ts", moving(30), "libx265", rate=25, x265_params="log-level=none"
    )
    joined = tmp_path / "c.ts"
    joined.write_bytes(first.read_bytes() + second.read_bytes())
    found = []
    with pytest.raises(CodecError, match="the recording that begins here cannot be decoded"):
        found.extend(picture.number for picture in Video(joined).pictures())
    assert found in (list(range(30)), list(range(29)))  # the last may wait for its turn
