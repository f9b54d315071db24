"""What an encoding promises: times, lengths, one size, and options that are taken or refused."""

import random
import subprocess
from fractions import Fraction

import imageio_ffmpeg
import numpy as np
import pytest
from containers import filmed

import mic.bitstream
from mic import codec
from mic.codec import Video
from mic.errors import CodecError, ConfigError

FRAMES = [np.full((64, 64, 3), 9 * number, np.uint8) for number in range(25)]
UNEVEN = {
    "a pause": [*(0.04 * k for k in range(12)), *(10 + 0.04 * k for k in range(12, 25))],
    "few": [0, 0.04, 0.08, 60, 60.04],
}


@pytest.mark.parametrize("rate", [25, 5, 1, 1 / 60])
def test_times_that_jitter_are_kept(rate, tmp_path):
    draw = random.Random(0)
    times = [0, *((k + draw.uniform(-0.14, 0.14)) / rate for k in range(1, 24)), 24 / rate]
    codec.encode_frames(FRAMES, tmp_path / "a.mp4", frame_rate=rate, times=times)
    codec.reencode(tmp_path / "a.mp4", tmp_path / "b.mp4")
    assert Video(tmp_path / "b.mp4").times == pytest.approx(times, abs=1 / 60000)


@pytest.mark.parametrize("case", UNEVEN)
@pytest.mark.parametrize("name", ["mpeg4", "h264", "av1"])
def test_the_last_picture_is_shown_as_long_as_in_the_source(case, name, tmp_path):
    times = UNEVEN[case]
    codec.encode_frames(FRAMES[: len(times)], tmp_path / "a.mkv", frame_rate=25, times=times)
    codec.reencode(tmp_path / "a.mkv", tmp_path / "b.mp4", codec=name, vop_quant=30)
    one, other = Video(tmp_path / "a.mkv"), Video(tmp_path / "b.mp4")
    assert other.times == pytest.approx(one.times, abs=1e-4)
    assert other.duration == pytest.approx(one.duration, abs=1e-3)


@pytest.mark.parametrize("rate", [0.1, 0.5, 2 / 3, 0.9, 12.5, 25, 30000 / 1001])
def test_a_raw_stream_has_the_rate_of_its_own_clock(rate, tmp_path):
    codec.encode_frames(FRAMES[:10], tmp_path / "a.m4v", frame_rate=rate)
    assert float(codec.probe(tmp_path / "a.m4v").frame_rate) == pytest.approx(rate, rel=1e-4)
    assert Video(tmp_path / "a.m4v").times[-1] == pytest.approx(9 / rate, rel=1e-4)
    with mic.bitstream.open(tmp_path / "a.m4v") as stream:
        assert float(stream.frame_rate) == pytest.approx(rate, rel=1e-4)


def test_a_raw_stream_with_b_vops_slower_than_a_second_a_picture(tmp_path):
    path = filmed(
        tmp_path / "a.m4v", FRAMES, "mpeg4", rate=Fraction(1, 4), container="m4v", bf=2, g=9
    )
    assert path.read_bytes()[:3] == b"\0\0\1"
    assert Video(path).times[-1] == pytest.approx(96)


@pytest.mark.parametrize("gop", [6, 10, 15, 100])
@pytest.mark.parametrize("rate", [24000, 30000, 60000])
def test_groups_whose_time_begins_anew_keep_the_rate(rate, gop, tmp_path):
    rate = Fraction(rate, 1001)
    frames = [frame[:16, :16] for frame in FRAMES] * 6
    codec.encode_frames(frames, tmp_path / "a.m4v", frame_rate=rate, gop=gop)
    video = Video(tmp_path / "a.m4v")
    assert float(video.frame_rate) == pytest.approx(float(rate), rel=1e-3)
    assert video.times[-1] == pytest.approx(149 / rate, rel=1e-3)


def test_a_pause_that_a_container_cannot_keep_is_refused(tmp_path):
    times = [*(0.04 * k for k in range(12)), *(36000 + 0.04 * k for k in range(12, 25))]
    codec.encode_frames(FRAMES, tmp_path / "a.mkv", frame_rate=25, times=times)
    codec.reencode(tmp_path / "a.mkv", tmp_path / "b.mkv")
    assert Video(tmp_path / "b.mkv").times == pytest.approx(times, abs=1e-3)
    with pytest.raises(CodecError, match="a pause of 36000 s is longer than MP4 keeps") as caught:
        codec.reencode(tmp_path / "a.mkv", tmp_path / "b.mp4")
    assert caught.value.remedy == "write .mkv"
    with pytest.raises(ConfigError, match="25 pictures are shown for 36001 s"):
        codec.reencode(tmp_path / "a.mkv", tmp_path / "b.avi")
    assert not (tmp_path / "b.mp4").exists()


DAYS = [*(0.04 * k for k in range(12)), *(400_000 + 0.04 * k for k in range(12, 25))]


def test_a_pause_of_days_is_the_coders_refusal_and_its_remedy_holds(tmp_path):
    source = tmp_path / "a.mkv"
    codec.encode_frames(FRAMES, source, frame_rate=25, times=DAYS, codec="h264", vop_quant=22)
    for name, words in (("b.mkv", "longer than MPEG-4 Part 2"), ("b.mp4", "longer than MP4")):
        with pytest.raises(CodecError, match=words) as caught:
            codec.reencode(source, tmp_path / name)
        assert caught.value.file == tmp_path / name
        assert caught.value.place == "at 0.44 s"
        assert "write .mkv with another codec (codec='h264', vop_quant=22)" in caught.value.remedy
    codec.reencode(source, tmp_path / "b.mkv", codec="h264", vop_quant=22)
    assert Video(tmp_path / "b.mkv").times == pytest.approx(DAYS, abs=1e-3)


def test_what_an_encoder_refuses_is_no_fault_of_the_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(codec.timing, "_DAY", 2**62)  # libavcodec answers -1, "not permitted"
    with pytest.raises(CodecError, match="the encoder, mpeg4, refuses it") as caught:
        codec.encode_frames(FRAMES, tmp_path / "a.mkv", frame_rate=25, times=DAYS)
    assert (caught.value.file, caught.value.place) == (tmp_path / "a.mkv", "at frame 12")
    assert list(tmp_path.iterdir()) == []


def test_what_a_container_refuses_is_no_fault_of_the_disk(tmp_path):
    with pytest.raises(CodecError, match="the container, matroska, does not take") as caught:
        codec.encode_frames(
            FRAMES, tmp_path / "a.mkv", frame_rate=25, times=DAYS, codec="av1", vop_quant=40
        )
    assert str(tmp_path) not in caught.value.message  # the file's temporary name tells nobody much
    assert caught.value.place.startswith("at frame ")
    assert "longest pause" in caught.value.remedy
    assert list(tmp_path.iterdir()) == []


def test_what_the_source_of_frames_raises_is_handed_on(tmp_path):
    def frames():
        yield FRAMES[0]
        yield np.load(tmp_path / "no such picture.npy")

    with pytest.raises(FileNotFoundError, match="no such picture"):
        codec.encode_frames(frames(), tmp_path / "a.mp4", frame_rate=25)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("times", "place"),
    [
        ([0, 1, 2], "frame 3"),
        ([0, 0.1, 0.2, 0.15, 0.3], "frame 3"),
        ([-2, -1, 0, 1, 2], "frame 0"),
        ([0, float("nan"), 1, 2, 3], "frame 1"),
        ([0, 1, 2, 3, float("inf")], "frame 4"),
        ([0, 1e15, 2e15, 3e15, 4e15], "frame 1"),
        (["a", 1, 2, 3, 4], "frame 0"),
        (5, "frame 0"),
    ],
)
def test_times_that_are_none_are_refused_by_frame(times, place, tmp_path):
    with pytest.raises(ConfigError) as caught:
        codec.encode_frames(FRAMES[:5], tmp_path / "a.mp4", frame_rate=25, times=times)
    assert caught.value.place == place
    assert not (tmp_path / "a.mp4").exists()


@pytest.mark.parametrize(("first", "then"), [("160x120", "320x240"), ("320x240", "160x120")])
def test_a_crop_shows_the_same_part_after_a_change_of_size(first, then, tmp_path):
    # VP8 pictures of two sizes in one IVF file, as of a call over a bad line.
    parts = []
    for number, size in enumerate((first, then)):
        path = tmp_path / f"{number}.ivf"
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-f", "lavfi", "-i"]
        command += [f"smptebars=size={size}:rate=25:duration=0.4", "-c:v", "libvpx"]
        subprocess.run([*command, "-b:v", "2M", str(path)], check=True)
        parts.append(path.read_bytes())
    shifted, rest, number = b"", parts[1][32:], 10
    while rest:
        length = 12 + int.from_bytes(rest[:4], "little")
        shifted += rest[:4] + number.to_bytes(8, "little") + rest[12:length]
        rest, number = rest[length:], number + 1
    (tmp_path / "both.ivf").write_bytes(parts[0] + shifted)
    wide = int(first.split("x")[0])
    box = (wide // 2, wide // 4, wide // 4, wide // 4)
    codec.reencode(tmp_path / "both.ivf", tmp_path / "both.mp4", crop=box)
    with mic.bitstream.open(tmp_path / "both.mp4") as stream:
        before, after = stream.pictures([9, 10])
    assert np.abs(before.y.astype(int) - after.y).mean() < 6


REFUSED = [
    {"size": (100,)},
    {"size": 100},
    {"size": (100.5, 80)},
    {"crop": (0, 0, 10)},
    {"max_frames": 2.5},
    {"max_frames": 2**70},
    {"gop": "3"},
    {"gop": 2.9},
    {"slices": None},
    {"codec": ["mpeg4"]},
    {"vop_quant": 2.5},
    {"bit_rate": float("nan")},
    {"bit_rate": 2**70},
    {"quality": "best"},
    {"quarter_pel": "no"},
    {"four_mv": 2},
    {"size": (True, True)},
    {"gop": np.array([1, 2])},
    {"container": ["mp4"]},
    {"codec": "av1", "bit_rate": 100000},
]


@pytest.mark.parametrize("options", REFUSED, ids=str)
def test_options_of_another_kind_are_refused(options, tmp_path):
    with pytest.raises(ConfigError):
        codec.encode_frames(FRAMES[:2], tmp_path / "a.mp4", frame_rate=25, **options)


@pytest.mark.parametrize("rate", [0, -1, 1e-300, 1e300, float("nan"), "25", None, True])
def test_rates_that_are_none_are_refused(rate, tmp_path):
    with pytest.raises(ConfigError, match="frame_rate is"):
        codec.encode_frames(FRAMES[:2], tmp_path / "a.mp4", frame_rate=rate)
    with pytest.raises(ConfigError, match="frame_rate is"):
        codec.LiveEncoder(width=64, height=64, frame_rate=rate)


@pytest.mark.parametrize(
    ("shape", "options", "remedy"),
    [
        ((33, 35), {"codec": "h264", "vop_quant": 30}, "(34, 32)"),
        ((33, 35), {"codec": "hevc", "vop_quant": 30}, "(34, 32)"),
        ((16, 8200), {}, "smaller sides"),
        ((8200, 16), {}, "smaller sides"),
    ],
)
def test_sizes_that_an_encoder_does_not_take_come_with_a_remedy(shape, options, remedy, tmp_path):
    with pytest.raises(CodecError) as caught:
        codec.encode_frames(
            [np.zeros((*shape, 3), np.uint8)], tmp_path / "a.mp4", frame_rate=25, **options
        )
    assert remedy in caught.value.remedy


@pytest.mark.parametrize(
    "options",
    [{"codec": "h264", "vop_quant": 10}, {"bit_rate": 20000}, {"size": (8, 8)}, {"max_frames": 2}],
    ids=str,
)
def test_what_says_nothing_to_a_live_encoder_is_refused(options):
    with pytest.raises(ConfigError, match="no option of what is encoded as it comes"):
        codec.LiveEncoder(width=64, height=64, **options)


def test_a_live_encoder_can_be_closed_twice():
    with codec.LiveEncoder(width=16, height=16) as encoder:
        encoder.encode(np.zeros((16, 16, 3), np.uint8))
        encoder.close()


def test_equal_options_are_equal_records():
    plain = codec.EncodeOptions(gop=3, size=(32, 48), vop_quant=2, quarter_pel=True)
    other = codec.EncodeOptions(
        gop=np.int64(3), size=np.array([32, 48]), vop_quant=np.uint8(2), quarter_pel=np.bool_(True)
    )
    assert plain == other
    assert plain.fingerprint() == other.fingerprint()
