"""Re-encoding: the same bits as the command line of reencode.sh, on any number of cores."""

import os
import subprocess
import sys
import wave
from fractions import Fraction

import imageio_ffmpeg
import numpy as np
import peaks
import pytest

from mic import codec
from mic.codec import reading
from mic.errors import CodecError, ConfigError
from mic.storage import assets


def moving_square(frames=12, height=48, width=64):
    """RGB frames of a bright square that moves over a textured background."""
    texture = np.random.default_rng(7).integers(60, 110, (height, width, 3), np.uint8)
    for index in range(frames):
        frame = texture.copy()
        frame[10:26, 4 + 2 * index : 20 + 2 * index] = (220, 200, 40)
        yield frame


def flat_luma(values, height=32, width=48):
    return (np.full((height, width), value, np.uint8) for value in values)


def vop_quants(path):
    """Type and vop_quant of each VOP of a stream at 25 frames/s (clauses 6.2.5 and 6.2.3)."""
    found = []
    for packet in map(bytes, codec.Video(path).packets()):
        start = packet.index(b"\x00\x00\x01\xb6") + 4
        bits = "".join(f"{byte:08b}" for byte in packet[start : start + 8])
        position = bits.index("0", 2) + 1  # modulo_time_base
        position += 1 + 5 + 1 + 1  # marker, vop_time_increment, marker, vop_coded
        position += 1 if bits[:2] == "01" else 0  # vop_rounding_type
        position += 3  # intra_dc_vlc_thr
        found.append((int(bits[:2], 2), int(bits[position : position + 5], 2)))
    return found


@pytest.mark.parametrize(
    ("options", "arguments"),
    [
        ({}, ["-q:v", "1"]),
        ({"vop_quant": 5}, ["-q:v", "5"]),
        ({"vop_quant": 1}, ["-q:v", "1", "-qmin", "1"]),
        ({"quality": 31, "gop": 12}, ["-q:v", "31", "-g", "12"]),
        ({"slices": 4, "mpeg_quant": True}, ["-q:v", "1", "-slices", "4", "-mpeg_quant", "1"]),
        (
            {"vop_quant": 3, "four_mv": True, "quarter_pel": True},
            ["-q:v", "3", "-flags", "+bitexact+mv4+qpel"],
        ),
    ],
)
def test_writes_the_same_bits_as_the_command_line_of_another_ffmpeg(tmp_path, options, arguments):
    source = assets.path("carphone")
    ours, theirs = tmp_path / "ours.m4v", tmp_path / "theirs.mp4"
    codec.reencode(source, ours, **options)
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-i", source]
    # As in reencode.sh, with one group of pictures and without the version string.
    command += ["-vf", "setsar=1:1", "-g", "600", "-c:v", "mpeg4", "-threads", "1"]
    command += ["-flags", "+bitexact", *arguments, "-f", "rawvideo", theirs]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    assert ours.read_bytes() == theirs.read_bytes()


def test_quality_1_is_vop_quant_2_and_true_1_costs_more(tmp_path):
    default = codec.encode_frames(moving_square(), tmp_path / "default.mp4", frame_rate=25)
    true_one = codec.encode_frames(
        moving_square(), tmp_path / "one.mp4", frame_rate=25, vop_quant=1
    )
    assert vop_quants(default.target) == [(0, 2)] + [(1, 2)] * 11
    assert vop_quants(true_one.target) == [(0, 1)] + [(1, 1)] * 11
    assert true_one.bits > default.bits


def test_bit_rate_is_kept_over_a_real_clip(tmp_path):
    report = codec.reencode(assets.path("carphone"), tmp_path / "rate.mp4", bit_rate=200_000)
    assert report.bit_rate == pytest.approx(200_000, rel=0.1)


@pytest.mark.parametrize("quantiser", [2, 9, 31])
def test_every_vop_has_the_quantiser_asked_for(tmp_path, quantiser):
    target = tmp_path / "clip.avi"
    codec.encode_frames(moving_square(), target, frame_rate=25, vop_quant=quantiser, gop=4)
    assert vop_quants(target) == ([(0, quantiser)] + [(1, quantiser)] * 3) * 3


def test_one_gop_even_beyond_600_frames_and_over_scene_changes(tmp_path):
    noise = np.random.default_rng(3)
    scenes = (noise.integers(0, 256, (16, 16, 3), np.uint8) for _ in range(650))
    report = codec.encode_frames(scenes, tmp_path / "long.mp4", frame_rate=25, vop_quant=8)
    assert (report.frames, report.keyframes) == (650, 1)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a process choose its cores")
@pytest.mark.parametrize("slices", [1, 3])
def test_bytes_do_not_depend_on_the_cores(tmp_path, slices):
    source = assets.path("carphone")
    program = (
        "import os, sys\n"
        "os.sched_setaffinity(0, [int(core) for core in sys.argv[4].split(',')])\n"
        "from mic import codec\n"
        "codec.reencode(sys.argv[1], sys.argv[2], slices=int(sys.argv[3]))\n"
    )
    cores = [str(core) for core in sorted(os.sched_getaffinity(0))]
    written = []
    for chosen in (cores[:1], cores):
        target = tmp_path / f"{len(chosen)}.mp4"
        arguments = [str(source), str(target), str(slices), ",".join(chosen)]
        subprocess.run([sys.executable, "-c", program, *arguments], check=True)
        written.append(target.read_bytes())
    assert written[0] == written[-1]


def test_crop_and_size_take_the_part_asked_for(tmp_path):
    picture = np.zeros((60, 80), np.uint8)
    picture[20:40, 30:60] = 200
    report = codec.encode_frames(
        (picture for _ in range(3)),
        tmp_path / "crop.mp4",
        frame_rate=25,
        crop=(28, 18, 34, 24),
        size=(68, 48),
        vop_quant=1,
    )
    (first, *_) = codec.decode(report.target, pixel_format="luma")
    assert first.shape == (48, 68)
    assert first[8:40, 8:60].min() > 180, "the bright box, enlarged by two, without its border"
    assert max(first[0].max(), first[-1].max(), first[:, 0].max(), first[:, -1].max()) < 20


def test_crop_outside_the_picture_is_refused(tmp_path):
    target = tmp_path / "crop.mp4"
    with pytest.raises(ConfigError, match="leaves the picture of 64 x 48"):
        codec.encode_frames(moving_square(), target, frame_rate=25, crop=(40, 0, 32, 32))
    assert not target.exists()


@pytest.mark.parametrize(("suffix", "rate"), [("mp4", 10), ("m4v", 10), ("mp4", 60)])
def test_frame_rate_keeps_the_nearest_frames(tmp_path, suffix, rate):
    source = tmp_path / f"source.{suffix}"
    levels = range(20, 200, 6)  # 30 frames at 30 frames/s, each of its own grey
    codec.encode_frames(flat_luma(levels), source, frame_rate=30, vop_quant=1)
    report = codec.reencode(source, tmp_path / "target.mp4", frame_rate=rate, vop_quant=1)
    shown = [frame.mean() for frame in codec.decode(report.target, pixel_format="luma")]
    expected = [levels[min(round(index * 30 / rate), 29)] for index in range(len(shown))]
    assert report.frames == rate, "the clip lasts one second"
    # An output frame halfway between two source frames may show either.
    assert np.abs(np.subtract(shown, expected)).max() <= (2 if rate == 10 else 8)


@pytest.mark.parametrize("rate", [Fraction(30000, 1001), 12.5, Fraction(123457, 4567)])
def test_odd_frame_rates_survive(tmp_path, rate):
    report = codec.encode_frames(moving_square(4), tmp_path / "odd.mp4", frame_rate=rate)
    assert float(codec.probe(report.target).frame_rate) == pytest.approx(float(rate), rel=1e-4)


@pytest.mark.parametrize("name", ["clip.mp4", "clip.avi", "clip.mkv", "clip.m4v"])
def test_every_container_holds_the_same_pictures(tmp_path, name):
    report = codec.encode_frames(moving_square(), tmp_path / name, frame_rate=25)
    info = codec.probe(report.target)
    assert (info.codec, info.frames, info.frame_rate) == ("mpeg4", 12, 25)
    assert (info.width, info.height) == (64, 48)
    reference = codec.encode_frames(moving_square(), tmp_path / "reference.mp4", frame_rate=25)
    both = zip(codec.decode(report.target), codec.decode(reference.target), strict=True)
    assert all(np.array_equal(first, second) for first, second in both)


def test_reads_a_raw_stream_misnamed_mp4_as_the_script_writes_it(tmp_path):
    raw = codec.encode_frames(moving_square(), tmp_path / "raw.m4v", frame_rate=25).target
    misnamed = raw.rename(tmp_path / "misnamed.mp4")
    assert codec.probe(misnamed).container == "m4v"
    assert len(list(codec.Video(misnamed).packets())) == 12


@pytest.mark.parametrize(("name", "lowest"), [("h264", 0), ("hevc", 0), ("av1", 1)])
def test_other_codecs_intra_and_predicted(tmp_path, name, lowest):
    target = tmp_path / "clip.mp4"
    chosen = {"frame_rate": 25, "codec": name}
    intra = codec.encode_frames(moving_square(), target, vop_quant=30, gop=1, **chosen)
    predicted = codec.encode_frames(moving_square(), target, vop_quant=30, **chosen)
    assert (intra.keyframes, predicted.keyframes) == (12, 1)
    assert predicted.bits < intra.bits
    finest = codec.encode_frames(moving_square(), target, vop_quant=lowest, **chosen)
    assert finest.bits > intra.bits


@pytest.mark.parametrize("size", [(32, 32), (64, 64), (32, 64), (128, 64)])
def test_hevc_of_a_picture_one_coding_tree_wide_or_high_gives_the_same_bytes(tmp_path, size):
    """With libx265's own choice of the tree no two of these are equal."""
    y, x = np.mgrid[: size[1], : size[0]]
    waves = [60 * np.sin((x + time) / 5) + 50 * np.cos((y - time) / 7) for time in range(40)]
    targets = [tmp_path / f"{number}.hevc" for number in range(4)]
    for target in targets:
        frames = (np.uint8(128 + wave)[..., None].repeat(3, 2) for wave in waves)
        codec.encode_frames(frames, target, frame_rate=25, codec="hevc", vop_quant=32)
    assert len({target.read_bytes() for target in targets}) == 1


def test_hevc_of_the_smallest_picture_is_refused(tmp_path):
    frames = np.zeros((3, 16, 16, 3), np.uint8)
    chosen = {"frame_rate": 25, "codec": "hevc", "vop_quant": 32}
    with pytest.raises(ConfigError, match="differently each time"):
        codec.encode_frames(frames, tmp_path / "a.hevc", **chosen)
    report = codec.encode_frames(frames, tmp_path / "a.hevc", gop=1, **chosen)
    assert report.keyframes == 3


def test_flat_memory_while_encoding_and_decoding(tmp_path):
    program = peaks.SOURCE + (
        "import gc, sys, numpy as np\n"
        "from mic import codec\n"
        "frame = np.random.default_rng(0).integers(0, 255, (480, 640, 3), np.uint8)\n"
        "def frames(count):\n"
        "    for index in range(count): yield np.roll(frame, 3 * index, 1)\n"
        "gc.disable()\n"  # what needs it waits for it, and that is memory
        "codec.encode_frames(frames(20), sys.argv[1], frame_rate=25, vop_quant=31)\n"
        "assert sum(1 for _ in codec.decode(sys.argv[1])) == 20\n"
        "before = peak()\n"
        "codec.encode_frames(frames(200), sys.argv[1], frame_rate=25, vop_quant=31)\n"
        "assert sum(1 for _ in codec.decode(sys.argv[1])) == 200\n"
        "print(peak() - before)\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "clip.mp4")]
    grown = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert grown < 30 * 480 * 640 * 3, "200 frames passed, 180 more than before"


def write_wave(path):
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(16000))


@pytest.mark.parametrize("reader", [codec.probe, lambda path: list(codec.decode(path))])
def test_unreadable_files_are_named_with_the_reason(tmp_path, reader):
    text, empty, sound = tmp_path / "text.avi", tmp_path / "empty.mp4", tmp_path / "sound.avi"
    text.write_text("not a video\n" * 50)
    empty.touch()
    write_wave(sound)
    for path, message in (
        (text, "cannot be opened"),
        (empty, "cannot be opened"),
        (sound, "it is sound"),
        (tmp_path / "absent.mp4", "No such file"),
        (tmp_path, "cannot be opened"),
    ):
        with pytest.raises(CodecError, match=message) as caught:
            reader(path)
        assert caught.value.file == path


def test_a_video_without_a_frame_is_refused(tmp_path):
    whole = codec.encode_frames(moving_square(1), tmp_path / "one.avi", frame_rate=25).target
    content = whole.read_bytes()
    # Rename the only chunk of pictures, in the data and in the index: the headers stay.
    emptied = tmp_path / "none.avi"
    emptied.write_bytes(content.replace(b"00dc", b"JUNK"))
    with pytest.raises(CodecError, match=r"no video frame|cannot be opened"):
        codec.probe(emptied)
    with pytest.raises(CodecError, match=r"no video frame|cannot be opened"):
        codec.reencode(emptied, tmp_path / "target.mp4")
    assert not (tmp_path / "target.mp4").exists()


def test_gigantic_dimensions_are_refused(tmp_path):
    giant = tmp_path / "giant.y4m"
    header = b"YUV4MPEG2 W9000 H8000 F25:1 Ip A1:1 Cmono\nFRAME\n"
    giant.write_bytes(header)
    os.truncate(giant, len(header) + 9000 * 8000)  # sparse: takes no disk
    with pytest.raises(CodecError, match="9000 x 8000"):
        codec.reencode(giant, tmp_path / "target.mp4")
    assert not (tmp_path / "target.mp4").exists()


def test_a_truncated_source_leaves_the_old_target(tmp_path):
    source = codec.encode_frames(moving_square(40), tmp_path / "s.mp4", frame_rate=25).target
    target = codec.encode_frames(moving_square(3), tmp_path / "t.mp4", frame_rate=25).target
    before = target.read_bytes()
    source.write_bytes(source.read_bytes()[:1000])
    with pytest.raises(CodecError):
        codec.reencode(source, target)
    assert target.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["s.mp4", "t.mp4"]


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        ([], "no frame"),
        ([np.zeros((8, 8, 3), np.float32)], "must be uint8"),
        ([np.zeros((8, 8, 4), np.uint8)], "must be uint8"),
        ([np.zeros((8, 8, 3), np.uint8), np.zeros((8, 9, 3), np.uint8)], "after frames of"),
    ],
)
def test_bad_frames_are_refused_and_write_nothing(tmp_path, frames, message):
    with pytest.raises(CodecError, match=message):
        codec.encode_frames(iter(frames), tmp_path / "bad.mp4", frame_rate=25)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"vop_quantiser": 3}, "unknown encoding option vop_quantiser"),
        ({"vop_quant": 0}, "vop_quant is 0"),
        ({"vop_quant": 32}, "vop_quant is 32"),
        ({"quality": 0.5}, "quality is 0.5"),
        ({"gop": 0}, "gop is 0"),
        ({"slices": 0}, "slices is 0"),
        ({"max_frames": 0}, "max_frames is 0"),
        ({"size": (0, 16)}, "size is"),
        ({"crop": (-1, 0, 16, 16)}, "crop is"),
        ({"bit_rate": 1000, "vop_quant": 3}, "excludes vop_quant"),
        ({"codec": "vp9"}, "unknown codec"),
        ({"codec": "h264"}, "needs vop_quant or bit_rate"),
        ({"codec": "hevc", "vop_quant": 20, "four_mv": True}, "not options of hevc"),
        ({"container": "zip"}, "unknown container"),
    ],
)
def test_bad_options_are_refused(tmp_path, options, message):
    with pytest.raises((ConfigError, CodecError), match=message):
        codec.encode_frames(moving_square(2), tmp_path / "x.mp4", frame_rate=25, **options)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_suffix_asks_for_a_container(tmp_path):
    with pytest.raises(ConfigError, match="no container known"):
        codec.encode_frames(moving_square(2), tmp_path / "x.bin", frame_rate=25)
    report = codec.encode_frames(
        moving_square(2), tmp_path / "x.bin", frame_rate=25, container="avi"
    )
    assert codec.probe(report.target).container == "avi"


def test_only_the_first_frames_are_taken(tmp_path):
    source = assets.path("carphone")
    report = codec.reencode(source, tmp_path / "short.mp4", max_frames=7)
    assert report.frames == codec.probe(report.target).frames == 7


@pytest.mark.parametrize("codec_name", ["mpeg4", "h264"])
def test_a_video_is_read_once_for_its_index_and_once_for_its_pictures(
    tmp_path, monkeypatch, codec_name
):
    source = tmp_path / "s.mp4"
    codec.encode_frames(moving_square(6), source, frame_rate=25, codec=codec_name, vop_quant=10)
    read = []
    real = reading.open_container
    monkeypatch.setattr(reading, "open_container", lambda path: [read.append(path), real(path)][1])
    assert len(list(codec.decode(source))) == 6
    assert read == [source, source]
    if codec_name == "mpeg4":  # of others a picture is decoded for how all of them are shown
        codec.reencode(source, tmp_path / "t.mp4")
        assert read == [source] * 4
