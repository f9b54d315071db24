"""One hurt bit, one VOP moved: what a stream's syntax or clock can tell is never passed over."""

import itertools
import signal
import subprocess
import sys
import threading
import time
from fractions import Fraction

import av
import numpy as np
import pytest
from oracles import stream
from oracles.encoders import Options, frames, synthetic
from oracles.headers import video_object_layer

import mic.bitstream
import mic.codec
import mic.decoded.coviar
from mic.bitstream.packets import PacketStream
from mic.errors import BitstreamError, CodecError, ConfigError, MicError

PARTS = ("residual", "motion", "macroblocks")
# Every choice of outputs: what is asked for must not decide what is seen.
CHOICES = [chosen for count in (1, 2, 3) for chosen in itertools.combinations(PARTS, count)]


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    options = Options(width=64, height=48, frames=8, gop=4, quant=3, speed=0.7, noise=4)
    return stream.load(synthetic(tmp_path_factory.mktemp("clip"), options))


def written(path, clip, vops):
    """An elementary stream of these VOPs behind the clip's headers."""
    path.write_bytes(clip.headers + b"".join(vops))
    return path


def not_coded(vop, vol):
    """The VOP with vop_coded flipped to 0 and all its data left behind it."""
    bits = stream.Bits(vop.data)
    bits.read(32 + 2)
    while bits.read(1):
        pass
    bits.read(1 + vol.time_bits + 1)
    bits.patch(bits.position, 1, 0)
    return bits.to_bytes()


def of_type(vop, kind):
    """The VOP with another vop_coding_type."""
    ruined = bytearray(vop.data)
    ruined[4] = ruined[4] & 0x3F | "IPBS".index(kind) << 6
    return bytes(ruined)


@pytest.mark.parametrize("what", CHOICES, ids="+".join)
@pytest.mark.parametrize("hurt", ["vop_coded", "type of a P-VOP", "type of an I-VOP"])
def test_a_hurt_header_bit_is_seen_whatever_is_asked_for(hurt, what, clip, tmp_path):
    number = 4 if hurt == "type of an I-VOP" else 5
    vop = clip.vops[number]
    ruined = {
        "vop_coded": not_coded(vop, clip.vol),
        "type of a P-VOP": of_type(vop, "I"),
        "type of an I-VOP": of_type(vop, "P"),
    }[hurt]
    vops = [vop.data for vop in clip.vops]
    path = written(tmp_path / "hurt.m4v", clip, [*vops[:number], ruined, *vops[number + 1 :]])
    with mic.bitstream.open(path) as opened:
        with pytest.raises(BitstreamError, match=rf"packet {number}\b"):
            opened.read(what=what)
        found = opened.read(what=what, on_error="mask")
    for part in what:
        record = getattr(found, part)
        assert record.missing[number].all()
        assert not np.delete(record.missing, number, 0).any()
        (error,) = record.errors
        assert f"packet {number}," in error.place


def test_streams_stuffed_with_zeros_are_read(clip, tmp_path):
    # libavcodec does not look at what ends a VOP; some encoders write zeros, or nothing at all.
    vops = [vop.data for vop in clip.vops]
    right = mic.bitstream.read(written(tmp_path / "right.m4v", clip, vops), what=PARTS)
    zeroed = []
    for vop in vops:
        value = int.from_bytes(vop, "big")
        ones = (~value & (value + 1)).bit_length() - 1  # the stuffing is a zero and these
        zeroed.append((value >> ones << ones).to_bytes(len(vop), "big"))
    assert zeroed != vops
    for fill in (b"", bytes(3)):
        path = written(tmp_path / "zeroed.m4v", clip, [vop + fill for vop in zeroed])
        found = mic.bitstream.read(path, what=PARTS)
        assert (found.residual.y == right.residual.y).all()
        assert (found.macroblocks.bits == right.macroblocks.bits).all()
    whole_byte = [vop[:-1] if vop.endswith(b"\x7f") else vop for vop in vops]
    found = mic.bitstream.read(written(tmp_path / "zeroed.m4v", clip, whole_byte), what=PARTS)
    assert (found.residual.y == right.residual.y).all()


@pytest.mark.parametrize("definition", ["standard", "coviar"])
def test_the_layer_belongs_to_the_vop(definition, tmp_path):
    # A half-sample stream and a quarter-sample one of its size, one behind the other.
    parts, alone = [], []
    for number, quarter in enumerate((False, True)):
        options = Options(frames=5, quarter_pel=quarter, seed=number, speed=0.9)
        folder = tmp_path / str(number)
        folder.mkdir()
        path = synthetic(folder, options)
        parts.append(path.read_bytes())
        with mic.bitstream.open(path) as opened:
            alone.append(opened.accumulated(definition=definition, displacement=True))
    both = tmp_path / "both.m4v"
    for order in ((0, 1), (1, 0)):
        both.write_bytes(b"".join(parts[number] for number in order))
        with mic.bitstream.open(both) as opened:
            assert opened.errors == ()
            found = opened.accumulated(definition=definition, displacement=True, threads=2)
        for name in ("y", "cb", "cr", "broken", "displacement"):
            right = np.concatenate([getattr(alone[number], name) for number in order])
            assert (getattr(found, name) == right).all(), name


@pytest.fixture(scope="module")
def regular(tmp_path_factory):
    options = Options(width=48, height=32, frames=12, gop=600, noise=4)
    return stream.load(synthetic(tmp_path_factory.mktemp("regular"), options))


MOVED = {
    "swapped": ([0, 1, 2, 3, 5, 4, 6, 7, 8], [5], 4),
    "doubled": ([0, 1, 2, 3, 3, 4, 5, 6, 7], [4], 4),
    "dropped": ([0, 1, 2, 3, 5, 6, 7, 8, 9], [], 4),
}


@pytest.mark.parametrize("case", MOVED)
def test_time_that_runs_backwards_or_jumps_is_told(case, regular, tmp_path):
    order, backwards, first = MOVED[case]
    vops = [regular.vops[number].data for number in order]
    with mic.bitstream.open(written(tmp_path / "moved.m4v", regular, vops)) as opened:
        assert opened.errors
        assert all("packet" in error.place for error in opened.errors)
        assert opened.clock.backwards.tolist() == backwards
        assert opened.clock.breaks[0] == first
        marked = opened.accumulated(on_error="mask")
        assert not marked.broken[:first].any()
        assert marked.broken[first:].all()
        assert len(marked.errors) == len(opened.clock.breaks)
        before = opened.accumulated(range(first))
        assert before.errors == ()
        assert not before.broken.any()
        if backwards:
            for read in (opened.residual, opened.motion, opened.accumulated, opened.macroblocks):
                with pytest.raises(BitstreamError, match="time runs backwards"):
                    read()
            with pytest.raises(BitstreamError, match="time runs backwards"):
                opened.segment_sums(2)
            with pytest.raises(BitstreamError, match="time runs backwards"):
                mic.bitstream.residual_batch([opened], [None])
            opened.residual([*range(first), *range(backwards[0] + 1, opened.frame_count)])
        masked = opened.residual(on_error="mask")
        assert not masked.missing.any()  # each picture has the samples that are coded for it
        assert len(masked.errors) == len(backwards)


def test_pauses_of_a_camera_are_no_damage(tmp_path):
    # The container's time stamps tell of the same pause, or pictures are late all the time.
    pictures = frames(Options(width=48, height=32, frames=16))
    for name, late in (("rare.mp4", {5}), ("rare.mkv", {5}), ("often.m4v", {3, 5, 6, 9, 12})):
        path = tmp_path / name
        with av.open(str(path), "w", format="m4v" if name.endswith("m4v") else None) as container:
            video = container.add_stream("mpeg4", rate=25)
            video.width, video.height, video.pix_fmt = 48, 32, "yuv420p"
            video.codec_context.options = {"g": "600"}
            time = -1
            for number, picture in enumerate(pictures):
                frame = av.VideoFrame.from_ndarray(picture, "rgb24")
                time += 3 if number in late else 1
                frame.pts, frame.time_base = time, Fraction(1, 25)
                container.mux(video.encode(frame))
            container.mux(video.encode(None))
        with mic.bitstream.open(path) as opened:
            assert opened.errors == (), name
            assert opened.frame_count == 16
            assert not opened.accumulated().broken[1].any()


@pytest.mark.parametrize("suffix", [".mp4", ".avi", ".mkv"])
def test_a_container_cut_in_half_says_what_is_gone(suffix, tmp_path):
    options = Options(width=64, height=48, frames=20, noise=6, suffix=suffix)
    path = synthetic(tmp_path, options)
    with mic.bitstream.open(path) as opened:
        assert opened.errors == ()
        right = opened.residual().y
    data = path.read_bytes()
    if suffix == ".mp4":  # with its table in front, as for the web
        with (
            av.open(str(path)) as source,
            av.open(
                str(tmp_path / "front.mp4"), "w", options={"movflags": "+faststart"}
            ) as target,
        ):
            video = target.add_stream_from_template(source.streams.video[0])
            for packet in source.demux(source.streams.video[0]):
                if packet.size:
                    packet.stream = video
                    target.mux(packet)
        data = (tmp_path / "front.mp4").read_bytes()
    cut = tmp_path / f"cut{suffix}"
    cut.write_bytes(data[: len(data) * 6 // 10])
    with mic.bitstream.open(cut) as opened:
        assert abs(opened.frame_count - 20) <= (suffix == ".mkv")
        whole = opened.vop_types.index("?")
        assert 5 < whole < 18
        assert set(opened.vop_types[whole:]) == {"?"}
        assert any("promises" in str(error) for error in opened.errors)
        assert (opened.residual(range(whole - 1)).y == right[: whole - 1]).all()
        with pytest.raises(BitstreamError):
            opened.residual()
        masked = opened.residual(on_error="mask")
        assert masked.missing[whole:].all()
        assert opened.accumulated(on_error="mask").broken[whole:].all()


@pytest.mark.parametrize("place", ["inside a VOP", "first headers", "type"])
def test_mask_opens_what_is_hurt(place, tmp_path):
    options = Options(width=64, height=48, frames=9, gop=3, quant=2, noise=6)
    data = bytearray(synthetic(tmp_path, options).read_bytes())
    right = mic.bitstream.read(tmp_path / "synthetic.m4v").residual
    vops = [at for at, code in stream.start_codes(bytes(data)) if code == 0xB6]
    if place == "inside a VOP":
        middle = (vops[4] + vops[5]) // 2
        data[middle : middle + 6] = b"\0\0\1\x21\x5a\xa5"
        hurt = {4}
    elif place == "first headers":
        (first, *_) = (at for at, code in stream.start_codes(bytes(data)) if code in range(32, 48))
        data[first + 7 : first + 14] = bytes(7)
        hurt = {0, 1, 2}
    else:
        data[vops[4] + 4] |= 0xC0
        hurt = {4}
    path = tmp_path / "hurt.m4v"
    path.write_bytes(data)
    with pytest.raises(BitstreamError) as caught:
        mic.bitstream.open(path)
    assert "on_error" in caught.value.remedy or "reencode" in caught.value.remedy
    with mic.bitstream.open(path, on_error="mask") as opened:
        assert opened.frame_count == 9
        assert opened.errors
        found = opened.residual(on_error="mask")
    assert set(np.flatnonzero(found.missing.any((1, 2)))) == hurt
    others = [number for number in range(9) if number not in hurt]
    assert (found.y[others] == right.y[others]).all()
    for error in (*opened.errors, *found.errors):
        assert "mask" not in error.remedy
    assert (mic.bitstream.read(path, on_error="mask").residual.y == found.y).all()


def test_no_layer_that_can_be_read_is_an_error_even_masked(clip, tmp_path):
    path = tmp_path / "headless.m4v"
    path.write_bytes(b"\0\0\1\xb0\1" + b"".join(vop.data for vop in clip.vops))
    with pytest.raises(BitstreamError, match="before any video object layer") as caught:
        mic.bitstream.open(path, on_error="mask")
    assert "mask" not in caught.value.remedy


def test_zeros_before_the_first_start_code(clip, tmp_path):
    vops = [vop.data for vop in clip.vops]
    right = mic.bitstream.read(written(tmp_path / "right.m4v", clip, vops))
    path = tmp_path / "zeros.m4v"
    path.write_bytes(bytes(5) + (tmp_path / "right.m4v").read_bytes())
    assert (mic.bitstream.read(path).residual.y == right.residual.y).all()


def test_what_pyav_fails_over_is_a_typed_error(tmp_path, monkeypatch):
    # PyAV looks up streams that a damaged transport stream brings too late: an IndexError.
    path = synthetic(tmp_path, Options(frames=4, suffix=".avi"))

    class Container:
        """A container whose demuxer fails so."""

        def __init__(self, container):
            self._container = container

        def __enter__(self):
            self._container.__enter__()
            return self

        def __exit__(self, *details):
            self._container.__exit__(*details)

        def __getattr__(self, name):
            return getattr(self._container, name)

        def demux(self, *_):
            raise IndexError("list index out of range")
            yield

    real = av.open
    monkeypatch.setattr(av, "open", lambda *a, **k: Container(real(*a, **k)))
    for read in (
        mic.bitstream.read,
        lambda path: mic.bitstream.read(path, method="decoded"),
        lambda path: list(mic.codec.decode(path)),
        mic.codec.probe,
        lambda path: list(mic.decoded.coviar.frames(path)),
    ):
        with pytest.raises(CodecError, match=r"damaged|complete"):
            read(path)


def test_every_output_asks_for_memory(clip, tmp_path, monkeypatch):
    path = written(tmp_path / "clip.m4v", clip, [vop.data for vop in clip.vops])
    monkeypatch.setattr("mic.bitstream.arrays._WORTH_A_LOOK", 1)
    monkeypatch.setattr("mic.bitstream.arrays.free_memory", lambda: 100)
    with mic.bitstream.open(path) as opened:
        for ask in (
            opened.residual,
            lambda: opened.residual(scale=8),
            opened.motion,
            opened.macroblocks,
            opened.accumulated,
            lambda: opened.accumulated(scale=8, displacement=True),
            lambda: opened.segment_sums(2),
            lambda: next(opened.blocks()),
            opened.iframe,
        ):
            with pytest.raises(ConfigError, match="process"):
                ask()
        monkeypatch.undo()
        vectors = opened.motion()
        monkeypatch.setattr("mic.bitstream.arrays._WORTH_A_LOOK", 1)
        monkeypatch.setattr("mic.bitstream.arrays.free_memory", lambda: 100)
        with pytest.raises(ConfigError, match="process"):
            vectors.dense()


def test_the_processes_own_limit_counts(tmp_path):
    resource = pytest.importorskip("resource")
    script = tmp_path / "limited.py"
    script.write_text(
        "import resource\n"
        "from mic.bitstream.memory import free_memory\n"
        "size = resource.RLIMIT_AS\n"
        "used = free_memory()\n"
        "resource.setrlimit(size, (6 << 30, resource.getrlimit(size)[1]))\n"
        "assert free_memory() < min(used + 1, 6 << 30)\n"
    )
    assert resource.RLIMIT_AS is not None
    subprocess.run([sys.executable, str(script)], check=True)


LARGE = """
import resource
import sys
import mic.bitstream
with mic.bitstream.open(sys.argv[1]) as opened:
    sums = opened.segment_sums(opened.frame_count // 100)
    assert opened.vop_types.count("N") > 6000
    assert not sums.y[0, ::64].any()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_large_pictures_that_are_never_coded_cost_nothing(clip, tmp_path):
    # 48 kB that stand for 6,900 pictures of 8191 x 4096.
    layer = video_object_layer(clip.vol, resolution=25, width=8191, height=4096)
    vops = b""
    for number in range(6900):
        bits = f"{0x1B6:032b}" + "01" + "0" + "1" + f"{number % 25:05b}" + "1" + "0"
        bits += "0" + "1" * ((-len(bits) - 1) % 8)
        vops += int(bits, 2).to_bytes(len(bits) // 8, "big")
    path = tmp_path / "large.m4v"
    path.write_bytes(layer + vops)
    assert path.stat().st_size < 50_000
    script = tmp_path / "large.py"
    script.write_text(LARGE)
    done = subprocess.run(
        [sys.executable, str(script), str(path)], capture_output=True, text=True, timeout=100
    )
    if "ConfigError" in done.stderr:  # a machine that could not hold the sums were they coded
        return
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 2_000_000  # KiB; 69 rows of sums would be 13 GB


INTERRUPTED = """
import sys
import numpy as np
import mic.bitstream
opened = mic.bitstream.open(sys.argv[1])
accumulated = sys.argv[2] == "accumulated"
rows = [0, -1] if accumulated else range(opened.frame_count)
dtype = np.float32 if accumulated else np.int16
out = tuple(np.full((len(rows), *sides), 99, dtype) for sides in ((30, 40), (15, 20), (15, 20)))
print("ready", flush=True)
try:
    getattr(opened, sys.argv[2])(rows, scale=8, threads=int(sys.argv[3]), out=out)
except KeyboardInterrupt:
    # Without a look at signals the exception comes as well, once everything is done.
    print("in the middle" if (out[0][-1] == 99).all() else "at the end", flush=True)
else:
    print("never", flush=True)
"""


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("method", ["residual", "accumulated"])
def test_native_loops_answer_a_signal(method, threads, tmp_path):
    # Ctrl-C waits for a VOP, not for all of them.
    options = Options(width=320, height=240, frames=12, gop=600, quant=3, noise=12)
    coded = stream.load(synthetic(tmp_path, options))
    vops = [vop.data for vop in coded.vops]
    path = written(tmp_path / "long.m4v", coded, [vops[0], *vops[1:] * 250])
    script = tmp_path / "interrupted.py"
    script.write_text(INTERRUPTED)
    command = [sys.executable, str(script), str(path), method, str(threads)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "in the middle\n"


def test_one_thread_appends_while_others_read(clip):
    # Under a thread sanitiser this is the race of an index that moves while it is read.
    vops = [vop.data for vop in clip.vops]
    packets = PacketStream(clip.headers)
    packets.append(vops[0])
    right = []
    for vop in vops[1:4]:
        packets.append(vop)
    right = packets.residual(range(4)).y
    wrong = []

    def read():
        while packets.frame_count < 4 * len(vops) * 10:
            found = packets.residual(range(4)).y
            packets.accumulated([packets.frame_count - 1], on_error="mask")
            wrong.append((found != right).any())

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    while packets.frame_count < 4 * len(vops) * 10:
        packets.append(vops[packets.frame_count % len(vops)])
    for reader in readers:
        reader.join()
    assert wrong
    assert not any(wrong)


def test_limits_of_the_picture(clip, tmp_path):
    path = tmp_path / "large.m4v"
    layer = video_object_layer(clip.vol, resolution=25, width=8191, height=4097)
    path.write_bytes(layer + clip.vops[0].data)
    with pytest.raises(MicError, match="33554432"):
        mic.bitstream.open(path)
