"""Videos from anywhere: each codec is read or refused by name; none hangs or fills the memory."""

import contextlib
import os
import subprocess
import sys
import textwrap

import av
import numpy as np
import peaks
import pytest
from oracles import stream
from oracles.encoders import Options, synthetic
from oracles.headers import video_object_layer

import mic
import mic.decoded
from mic import bitstream, codec
from mic.errors import CodecError, ConfigError, DatasetError, MicError
from mic.storage import cache
from mic_bitstream import arrays, containers, coviar, sample_table

READERS = {
    "probe": codec.probe,
    "decode": lambda path: list(codec.decode(path)),
    "bitstream": lambda path: bitstream.read(path),
    "decoded": lambda path: list(mic.decoded.open(path).frames()),
    "coviar": lambda path: list(coviar.frames(path)),
    "reencode": lambda path: codec.reencode(path, path.parent / "out" / "target.mp4"),
    "extract": lambda path: mic.extract(path, path.parent / "out" / "target.npz"),
}
CONTAINERS = ("nut", "matroska", "mov", "avi", "flv", "gif", "mxf", "dv")


def outcomes(path):
    """What each reader makes of a file: "read", or the name of the typed error."""
    found = {}
    for name, reader in READERS.items():
        try:
            reader(path)
            found[name] = "read"
        except MicError as error:
            found[name] = type(error).__name__ if error.file == path else "no file named"
    return found


@contextlib.contextmanager
def usual_priority():
    """SVT-AV1 gives the process that starts it real-time priority, if it may, and leaves it so."""
    try:
        yield
    finally:
        if os.sched_getscheduler(0) != os.SCHED_OTHER:
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def encoded(name, folder):
    """A file of one codec in the first container that takes it, or None: it cannot be written."""
    chosen = av.Codec(name, "w")
    pixels = np.random.default_rng(0).integers(0, 256, (6, 144, 176, 3), np.uint8)
    formats = [f.name for f in chosen.video_formats or ()]
    for container in CONTAINERS:
        path = folder / f"{name}.{container}"
        try:
            with av.open(str(path), "w", format=container) as output:
                video = output.add_stream(name, rate=25)
                video.width, video.height = 176, 144
                video.pix_fmt = "yuv420p" if "yuv420p" in formats else (formats or ["yuv420p"])[0]
                video.codec_context.thread_count = 1
                for picture in pixels:
                    output.mux(video.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
                output.mux(video.encode())
        except (av.FFmpegError, ValueError, OSError, NotImplementedError):
            continue
        return path
    return None


def test_every_codec_that_can_be_written_here_is_read_or_refused(tmp_path):
    names = []
    for name in sorted(av.codecs_available):
        # Encoders of hardware that is not here, and one that is another's second name.
        if name.endswith(("_amf", "_nvenc", "_qsv", "_v4l2m2m")) or name == "vnull":
            continue
        try:
            if av.Codec(name, "w").type == "video":
                names.append(name)
        except ValueError:  # a decoder only
            continue
    found = {}
    for name in names:
        with usual_priority():
            path = encoded(name, tmp_path)
        if path is not None:
            found[name] = outcomes(path)
    assert os.sched_getscheduler(0) == os.SCHED_OTHER
    assert len(found) > 50, sorted(found)
    assert set(found["mpeg4"].values()) == {"read"}
    parsed = {name for name, outcome in found.items() if outcome["bitstream"] == "read"}
    assert parsed == {"mpeg4"}
    assert {found[n]["bitstream"] for n in found} == {"read", "UnsupportedSyntaxError"}
    for name in ("libx264", "mpeg2video", "msmpeg4", "h263", "wmv2", "libvpx-vp9", "ffv1"):
        if name in found:
            assert found[name]["reencode"] == found[name]["extract"] == "read", name


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    options = Options(width=64, height=48, frames=8, quant=4, speed=0.7)
    return stream.load(synthetic(tmp_path_factory.mktemp("plain"), options))


def test_gigantic_pictures_are_refused_before_they_take_memory(plain, tmp_path):
    path = tmp_path / "giant.m4v"
    layer = video_object_layer(plain.vol, resolution=25, width=8191, height=8191)
    path.write_bytes(layer + b"".join(vop.data for vop in plain.vops))
    program = """
        import sys
        from pathlib import Path
        from mic import bitstream, codec, extract
        from mic_bitstream import coviar
        from mic import decoded
        from mic.errors import CodecError
        path, before = Path(sys.argv[1]), peak()
        for reader in (codec.probe, bitstream.read, lambda p: next(decoded.open(p).frames()),
                       lambda p: next(coviar.frames(p)), lambda p: next(codec.decode(p)),
                       lambda p: extract(p, p.with_suffix(".npz")),
                       lambda p: codec.reencode(p, p.with_suffix(".mp4"))):
            try:
                reader(path)
            except CodecError as error:
                assert "8191 x 8191" in str(error) and error.remedy, error
            else:
                raise AssertionError("not refused")
        # libavformat decodes one picture to learn its format: 8191 * 8191 * 1.5 bytes.
        assert peak() - before < 250_000 * 1024, peak() - before
    """
    command = [sys.executable, "-c", peaks.SOURCE + textwrap.dedent(program), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["giant.m4v"]


def test_more_than_the_free_memory_is_not_tried(plain, tmp_path, monkeypatch):
    # A macroblock that is skipped costs one bit and stands for 768 bytes of zeros.
    layer = video_object_layer(plain.vol, resolution=25, width=4096, height=4096)
    bits = f"{0x1B6:032b}" + "01" + "0" + "1" + "0" * 5 + "1" + "1" + "0" + "000"
    bits += f"{2:05b}" + "001" + "1" * 256**2
    bits += "0" + "1" * ((-len(bits) - 1) % 8)
    path = tmp_path / "skipped.m4v"
    path.write_bytes(layer + int(bits, 2).to_bytes(len(bits) // 8, "big") * 40)
    monkeypatch.setattr(arrays, "free_memory", lambda: 2_000_000_000)
    with pytest.raises(ConfigError, match=r"would take 2\.02 GB, and .* 2\.00 GB more.*frames"):
        bitstream.read(path)
    assert bitstream.read(path, frames=[39]).residual.skipped.all()


@pytest.mark.parametrize("name", ["list.m3u8", "list.mp4", "list.txt"])
@pytest.mark.parametrize("kind", ["live playlist", "concatenation", "network stream"])
def test_playlists_and_addresses_are_not_followed(tmp_path, name, kind):
    codec.encode_frames([np.zeros((48, 64, 3), np.uint8)] * 3, tmp_path / "a.avi", frame_rate=25)
    text = {
        # Without an end mark it is asked for again and again.
        "live playlist": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:0.1,\na.avi\n",
        "concatenation": "ffconcat version 1.0\n" + "file a.avi\n" * 3,
        "network stream": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
        "m=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n",
    }[kind]
    path = tmp_path / name
    path.write_text(text)
    assert set(outcomes(path).values()) == {"CodecError"}


def test_pipes_and_devices_are_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "zero.mp4").symlink_to("/dev/zero")
    for name in ("pipe.mp4", "zero.mp4"):
        assert set(outcomes(tmp_path / name).values()) == {"CodecError"}
        with pytest.raises(CodecError, match=r"may never end.*Remedy: save"):
            codec.probe(tmp_path / name)
        with pytest.raises(DatasetError, match="pipe or a device"):
            cache.digest(tmp_path / name)
    with pytest.raises(CodecError, match="No such file"):
        codec.probe("pipe:0")


def test_a_file_that_grows_while_it_is_read_comes_to_an_end(tmp_path, monkeypatch):
    noise = np.random.default_rng(0).integers(0, 256, (6, 64, 64, 3), np.uint8)
    path = codec.encode_frames(noise, tmp_path / "a.m4v", frame_rate=25).target
    whole = path.read_bytes()
    body = whole[whole.index(b"\0\0\1\xb6") :]
    monkeypatch.setattr(containers.Volume, "_SLACK", 0)
    with path.open("ab") as file:

        def grown(frames):
            for _ in frames:
                file.write(body)
                file.flush()

        with pytest.raises(CodecError, match="grows while it is read"):
            grown(codec.decode(path))


def rebuilt(data, leaves):
    """MP4 boxes with the payloads of some leaves replaced."""
    made, position = b"", 0
    while position < len(data):
        size, kind = int.from_bytes(data[position : position + 4], "big"), data[position + 4 :][:4]
        payload = data[position + 8 : position + size]
        if kind in (b"moov", b"trak", b"mdia", b"minf", b"stbl"):
            payload = rebuilt(payload, leaves)
        payload = leaves.get(kind, payload)
        made += (8 + len(payload)).to_bytes(4, "big") + kind + payload
        position += size
    return made


def test_a_table_that_names_the_same_bytes_again_and_again(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (2, 48, 64, 3), np.uint8)
    path = codec.encode_frames(noise, tmp_path / "a.mp4", frame_rate=25, gop=1).target
    data = path.read_bytes()
    start, size, count = data.index(b"mdat") + 4, data.index(b"moov") - data.index(b"mdat"), 9_000

    def table(*numbers):
        return b"".join(number.to_bytes(4, "big") for number in numbers)

    leaves = {
        b"stsz": table(0, size // 2, count),
        b"stco": table(0, count) + table(start) * count,
        b"stsc": table(0, 1, 1, 1, 1),
        b"stts": table(0, 1, count, 1),
    }
    path.write_bytes(rebuilt(data, leaves))
    assert set(outcomes(path).values()) <= {"CodecError"}, outcomes(path)
    with pytest.raises(CodecError, match="again and again"):
        codec.probe(path)


def test_boxes_in_boxes_in_boxes(tmp_path):
    depth = 100_000
    sizes = [8 * (depth - level) for level in range(depth)]
    moov = b"".join(size.to_bytes(4, "big") + b"moov" for size in sizes)
    path = tmp_path / "deep.mp4"
    path.write_bytes(b"\0\0\0\x10ftypisom\0\0\0\0" + moov)
    with path.open("rb") as file:
        assert sample_table.read_sample_table(file) is None
    assert set(outcomes(path).values()) == {"CodecError"}


@pytest.mark.parametrize("keep", [0, 1, 7, 8, 40])
def test_headers_without_a_frame(plain, tmp_path, keep):
    path = tmp_path / "none.m4v"
    path.write_bytes(plain.headers[:keep] if keep < 40 else plain.headers)
    found = outcomes(path)
    found.pop("probe")  # without decoding it cannot tell headers from a picture
    assert "read" not in found.values(), found


@pytest.mark.parametrize(
    "name", ["file:b.avi", "12:30.avi", "http:x.avi", "pipe:0.avi", "a:b:c.avi"]
)
def test_a_name_with_a_colon_is_a_name(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    for path, light in (("b.avi", 200), (f"./{name}", 50)):
        picture = np.full((48, 64, 3), light, np.uint8)
        codec.encode_frames([picture] * 3, path if path == "b.avi" else name, frame_rate=25)
        if path != "b.avi":
            assert {one.name for one in tmp_path.iterdir()} == {"b.avi", name}
    for path, light in (("b.avi", 200), (name, 50)):
        assert all(abs(int(one.mean()) - light) < 4 for one in codec.decode(path))
    assert bitstream.read(name).residual is not None
    assert len(list(coviar.frames(name))) > 0


def test_a_folder_above_a_link_is_the_one_that_the_system_means(tmp_path):
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "deep" / "er", target_is_directory=True)
    for folder, light in ((tmp_path, 50), (tmp_path / "deep", 200)):
        picture = np.full((48, 64, 3), light, np.uint8)
        codec.encode_frames([picture] * 3, folder / "a.avi", frame_rate=25)
    seen = [int(one.mean()) for one in codec.decode(tmp_path / "link" / ".." / "a.avi")]
    assert all(abs(light - 200) < 4 for light in seen)
