"""CoViAR's `load` and mv-extractor's `VideoCap`, as the parser has them: the same arrays."""

import itertools
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.reformatter import Interpolation
from oracles import coviar as loops
from oracles.encoders import Options, encode, ffmpeg, frames, synthetic
from oracles.stream import load, written

import mic_bitstream
from mic import codec
from mic_bitstream import coviar, videocap
from mic_bitstream.errors import CodecError, ConfigError, UnsupportedSyntaxError
from mic_bitstream.vectors import COLUMNS
from mic_bitstream.videocap import VideoCap

MOVING = {"width": 56, "height": 40, "four_mv": True, "speed": 2.5}


@pytest.mark.parametrize("accumulate", [False, True])
@pytest.mark.parametrize(("gop", "quarter"), [(1, False), (4, False), (4, True), (12, True)])
def test_load_equals_the_loops_for_every_group_and_frame(gop, quarter, accumulate, tmp_path):
    path = synthetic(tmp_path, Options(frames=7, gop=gop, quarter_pel=quarter, **MOVING))
    expected = loops.by_the_sample(path, accumulate)
    assert coviar.get_num_frames(path) == len(expected) == 6
    assert coviar.get_num_gops(path) == -(-6 // gop)
    for number, arrays in enumerate(expected):
        place = number // gop, number % gop
        for kind, array in zip((0, 2, 1), arrays, strict=True):
            found = coviar.load(path, *place, kind, accumulate)
            assert found.dtype == (np.uint8 if kind == 0 else np.int32)
            assert np.array_equal(found, array), (place, kind)
    every = list(coviar.frames(path, accumulate=accumulate))
    assert [frame.position for frame in every] == [number % gop for number in range(6)]
    for frame, (picture, residual, motion) in zip(every, expected, strict=True):
        assert np.array_equal(frame.picture, picture)
        assert np.array_equal(frame.residual, residual)
        assert np.array_equal(frame.motion, motion)
    assert gop == 1 or any(frame.motion.any() for frame in every)


def test_a_frame_without_a_vector_has_no_residual(tmp_path):
    """All of its macroblocks are intra: the original writes nothing, and zeros stay."""
    pictures = frames(Options(frames=6, **MOVING))
    noise = np.random.default_rng(3).integers(0, 255, pictures[0].shape, np.uint8)
    pictures = np.stack([*pictures[:2], noise, *pictures[3:]])
    path = encode(tmp_path / "cut.m4v", pictures, Options(gop=12, **MOVING))
    types = mic_bitstream.read(path, what=("macroblocks",)).macroblocks
    assert types.intra[2].all()
    for accumulate in (False, True):
        expected = loops.by_the_sample(path, accumulate)
        assert not expected[2][1].any()
        for number, (_, residual, motion) in enumerate(expected):
            assert np.array_equal(coviar.load(path, 0, number, 2, accumulate), residual)
            assert np.array_equal(coviar.load(path, 0, number, 1, accumulate), motion)


def test_what_load_refuses(tmp_path):
    path = synthetic(tmp_path, Options(frames=6, gop=4, **MOVING))
    for arguments, words in (
        ((2, 0, 1, True), "group"),
        ((-1, 0, 1, True), "group"),
        ((0, 4, 1, True), "frame 4 of group 0"),
        ((1, 1, 1, True), "frame 1 of group 1"),  # the last frame of the file
        ((0, 0, 3, True), "representation_type"),
        ((0, 0.5, 1, True), "no whole number"),
    ):
        with pytest.raises(ConfigError, match=words):
            coviar.load(path, *arguments)
    with pytest.raises(CodecError):
        coviar.load(tmp_path / "absent.mp4", 0, 0, 1, True)
    both = synthetic(tmp_path, Options(frames=8, b_frames=2, **MOVING))
    with pytest.raises(UnsupportedSyntaxError, match="CoViAR"):
        coviar.load(both, 0, 0, 1, True)


def by_pyav(path):
    """BGR, vectors and type of each frame, by PyAV alone."""
    found = []
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        video.codec_context.options = {"flags2": "+export_mvs"}
        video.codec_context.thread_count = 1
        for frame in container.decode(video):
            picture = frame.to_ndarray(format="bgr24", interpolation=Interpolation.BICUBIC)
            data = frame.side_data.get("MOTION_VECTORS")
            rows = [] if data is None else [[getattr(mv, n) for n in COLUMNS] for mv in data]
            vectors = np.array(rows, np.int32).reshape(-1, len(COLUMNS))
            found.append((picture, vectors, "?IPB"[int(frame.pict_type)]))
    return found


def never(*_):
    """Decoded pictures that nobody may ask for."""
    yield pytest.fail("a picture was decoded")


def by_cap(path, *, pictures=True):
    cap, found = VideoCap(), []
    assert cap.open(str(path)), cap.error
    cap.set_decode_frames(pictures)
    while True:
        success, picture, vectors, kind = cap.read()
        if not success:
            assert (picture, vectors.shape, kind, cap.error) == (None, (0, 10), "?", None)
            cap.release()
            return found
        assert vectors.dtype == np.int32
        found.append((picture, vectors, kind))


@pytest.mark.parametrize("four", [False, True])
@pytest.mark.parametrize("quarter", [False, True])
@pytest.mark.parametrize("size", [(56, 40), (96, 64), (50, 37)])
def test_video_cap_gives_pictures_and_vectors(size, quarter, four, tmp_path, monkeypatch):
    options = Options(
        width=size[0], height=size[1], frames=70, gop=9, four_mv=four, quarter_pel=quarter, speed=2
    )
    path = synthetic(tmp_path, options)
    expected = by_pyav(path)
    whole = by_cap(path)
    monkeypatch.setattr(videocap, "decoded_frames", never)
    bare = by_cap(path, pictures=False)
    assert len(expected) == len(whole) == len(bare) == options.frames
    for (picture, vectors, kind), one, other in zip(expected, whole, bare, strict=True):
        assert np.array_equal(one[0], picture)
        assert other[0] is None
        assert np.array_equal(one[1], vectors)
        assert np.array_equal(other[1], vectors)
        assert one[2] == other[2] == kind
    assert sum(len(vectors) for _, vectors, _ in expected) > 500


def test_vectors_without_pictures_where_the_bitstream_cannot_tell(tmp_path):
    """Other codecs and B-VOPs: libavcodec decodes, and what it exports is handed out."""
    moving = Options(frames=10, **MOVING)
    h264 = ffmpeg(tmp_path / "clip.mkv", frames(moving), "-c:v", "libx264", "-preset", "fast")
    both = synthetic(tmp_path, Options(frames=10, b_frames=2, **MOVING))
    for path in (h264, both):
        found, expected = by_cap(path, pictures=False), by_pyav(path)
        assert [kind for *_, kind in found] == [kind for *_, kind in expected]
        assert any(kind == "B" for *_, kind in found)
        for (_, vectors, _), (_, right, _) in zip(found, expected, strict=True):
            assert np.array_equal(vectors, right)


def test_video_cap_says_what_is_wrong(tmp_path):
    cap = VideoCap()
    assert not cap.grab()
    assert cap.retrieve()[0] is False
    assert not cap.open(tmp_path / "absent.mp4")
    assert "absent.mp4" in str(cap.error)
    path = synthetic(tmp_path, Options(frames=4, **MOVING))
    with VideoCap() as cap:
        assert cap.open(path)
        assert cap.grab()
        assert cap.retrieve()[3] == "I"
    assert not cap.grab()
    damaged = bytearray(path.read_bytes())
    damaged[-60:-40] = bytes([0xFF] * 20)
    path.write_bytes(damaged)
    assert cap.open(path)
    cap.set_decode_frames(False)
    while cap.grab():
        pass
    assert cap.error is not None


def test_vectors_before_damage_are_handed_out(tmp_path):
    clip = load(synthetic(tmp_path, Options(frames=12, gop=12, **MOVING)))
    parts = [vop.data for vop in clip.vops]
    parts[9] = parts[9][:12] + b"\xff" * 40 + parts[9][52:]
    path = written(tmp_path / "hurt.m4v", clip, parts)
    cap = VideoCap()
    assert cap.open(path)
    cap.set_decode_frames(False)
    types = "".join(kind for _ in range(12) for got, _, _, kind in [cap.read()] if got)
    assert types == "IPPPPPPPP"
    assert "packet 9" in str(cap.error)


def test_packets_by_which_divx_repeats_a_picture_are_none(tmp_path):
    plain = synthetic(tmp_path, Options(frames=12, gop=6, suffix=".avi", **MOVING))
    path = tmp_path / "repeats.avi"
    with av.open(str(plain)) as source, av.open(str(path), "w") as target:
        stream = source.streams.video[0]
        copied = target.add_stream_from_template(stream)
        number = itertools.count()
        for packet in (one for one in source.demux(stream) if one.size):
            for data in (bytes(packet), *([b"\x7f"] if packet.pts in (2, 5) else [])):
                written_now = av.Packet(data)
                written_now.stream, written_now.time_base = copied, packet.time_base
                written_now.pts = written_now.dts = next(number)
                written_now.is_keyframe = packet.is_keyframe and len(data) > 1
                target.mux(written_now)
    whole = [frame.picture for frame in coviar.frames(plain)]
    for found, wanted in zip(coviar.frames(path), whole, strict=True):
        assert np.array_equal(found.picture, wanted)
    for place, number in (((0, 4), 4), ((1, 0), 6), ((1, 3), 9)):
        assert np.array_equal(coviar.load(path, *place, 0, False), whole[number])
    video = codec.Video(path, survey=True)
    assert len(video) == mic_bitstream.open(path).frame_count == 12
    shown = [picture.rgb for picture in video.pictures()]
    for picture, wanted in zip(shown, whole, strict=False):
        assert np.abs(picture.astype(int) - wanted[..., ::-1]).max() <= 3
    # The repeated ones are shown for twice as long.
    steps = np.diff(video.times)
    assert np.allclose(steps / steps[0], [1, 1, 2, 1, 1, 2, 1, 1, 1, 1, 1])


def test_pictures_can_be_wanted_and_not_wanted_on_the_way(tmp_path):
    """As mv-extractor has it: `open` wants pictures, and later calls change that."""
    path = synthetic(tmp_path, Options(frames=9, gop=4, **MOVING))
    expected = by_pyav(path)
    for wishes in ([False] * 3 + [True] * 3 + [False] * 3, [True, *[False] * 4, *[True] * 4]):
        cap = VideoCap()
        cap.set_decode_frames(False)
        assert cap.open(path)
        assert cap.decode_frames
        for wanted, (picture, vectors, kind) in zip(wishes, expected, strict=True):
            cap.set_decode_frames(wanted)
            success, found, rows, letter = cap.read()
            assert success
            assert np.array_equal(found, picture) if wanted else found is None
            assert np.array_equal(rows, vectors)
            assert letter == kind
        assert not cap.grab()
        cap.release()


def test_files_that_are_refused_are_closed(tmp_path):
    sound = tmp_path / "sound.mka"
    with av.open(str(sound), "w") as output:
        stream = output.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame(format="s16", layout="mono", samples=800)
        frame.sample_rate = 8000
        for packet in (*stream.encode(frame), *stream.encode(None)):
            output.mux(packet)
    cap = VideoCap()
    before = opened()
    for _ in range(5):
        assert not cap.open(sound)
    assert opened() == before


def opened():
    """Files that this process has open, where the system tells."""
    told = Path("/proc/self/fd")
    return len([*told.iterdir()]) if told.is_dir() else 0


def test_damage_is_placed_in_the_group_that_was_asked_for(tmp_path):
    path = synthetic(tmp_path, Options(frames=12, gop=4, **MOVING))
    data = bytearray(path.read_bytes())
    starts = [at for at in range(len(data) - 4) if data[at : at + 4] == b"\0\0\1\xb6"]
    assert len(starts) == 12
    data[starts[6] + 8 : starts[7]] = b"\xff" * (starts[7] - starts[6] - 8)
    path.write_bytes(data)
    assert coviar.load(path, 1, 1, 0, True).any()
    with pytest.raises(CodecError, match=r"after frame 1 of group 1"):
        coviar.load(path, 1, 3, 0, True)
