"""Memory, signals, threads and sizes: what the parser takes, and when it gives up."""

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import peaks
import pytest
from oracles import stream
from oracles.encoders import Options, synthetic
from oracles.headers import video_object_layer
from oracles.stream import written

import mic.bitstream
from mic.errors import BitstreamError, CodecError, ConfigError, MicError
from mic_bitstream.packets import PacketStream


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    options = Options(width=64, height=48, frames=8, gop=4, quant=3, speed=0.7, noise=4)
    return stream.load(synthetic(tmp_path_factory.mktemp("clip"), options))


@pytest.mark.parametrize("method", ["bitstream", "decoded"])
def test_what_is_asked_for_is_taken_once_or_refused(clip, tmp_path, method):
    path = written(tmp_path / "clip.m4v", clip, [vop.data for vop in clip.vops])
    found = mic.bitstream.read(path, what=iter(["motion"]), method=method)
    assert len(found.motion.blocks) == 8
    for what in (None, 5, "residual", ["pictures"]):
        with pytest.raises(ConfigError, match="what is"):
            mic.bitstream.read(path, what=what, method=method)
    with pytest.raises(ConfigError, match="threads is"), mic.bitstream.open(path) as opened:
        opened.residual(threads=10**30)


def test_arguments_of_another_kind_are_refused_by_name(clip, tmp_path):
    path = written(tmp_path / "clip.m4v", clip, [vop.data for vop in clip.vops])
    with mic.bitstream.open(path) as opened:
        for wrong in (2.0, "2", 0, True, 2**40):
            with pytest.raises(ConfigError, match="count is"):
                opened.segment_sums(wrong)
            with pytest.raises(ConfigError, match="size is"):
                next(opened.blocks(size=wrong))
        for out in (5, [1, 2], "planes", [np.zeros(1).tolist()]):
            with pytest.raises(ConfigError, match="out cannot be written to"):
                mic.bitstream.residual_batch([opened], [[1]], out=out)
        planes = [np.empty(shape, np.int16) for shape in ((1, 48, 64), (1, 24, 32), (1, 24, 32))]
        assert opened.residual([1], out=planes).y is planes[0]  # a list does as well
    assert PacketStream(frame_rate=np.float32(12.5)).frame_rate == 12.5
    with pytest.raises(TypeError):
        PacketStream().append(1000)  # a size is no packet
    for rate in (float("nan"), float("inf"), 0, -25, None, "fast"):
        with pytest.raises(ConfigError, match="frame_rate is"):
            PacketStream(frame_rate=rate)


def test_blocks_go_on_while_another_thread_appends(clip):
    stream, packets = PacketStream(clip.headers), [vop.data for vop in clip.vops]
    stream.append(packets[0])
    blocks = stream.blocks(size=3)
    first = next(blocks)
    for packet in packets[1:]:
        stream.append(packet)
    assert len(first.frames) == 1
    assert list(blocks) == []


def test_the_end_of_the_memory_beside_the_arrays_is_told(clip, tmp_path, monkeypatch):
    path = written(tmp_path / "clip.m4v", clip, [vop.data for vop in clip.vops])

    def full(*_, **__):
        raise MemoryError("std::bad_alloc")

    for name in ("decode", "reconstruct", "accumulate_standard", "sum_segments"):
        monkeypatch.setattr(f"mic_bitstream._native.{name}", full)
    with mic.bitstream.open(path) as opened:
        for ask in (
            opened.residual,
            opened.pictures,
            opened.accumulated,
            lambda: opened.segment_sums(2),
            lambda: mic.bitstream.residual_batch([opened], [[1]]),
        ):
            with pytest.raises(ConfigError, match="memory that this process may have"):
                ask()


def test_arrays_that_share_their_memory_are_refused(clip, tmp_path):
    path = written(tmp_path / "clip.m4v", clip, [vop.data for vop in clip.vops])
    luma, chroma = np.empty((8, 48, 64), np.int16), np.empty((8, 24, 32), np.int16)
    with mic.bitstream.open(path) as opened:
        with pytest.raises(ConfigError, match="same memory"):
            opened.residual(out=(luma, chroma, chroma))
        opened.residual(out=(luma, chroma, chroma.copy()))


def test_every_output_asks_for_memory(clip, tmp_path, monkeypatch):
    path = written(tmp_path / "clip.m4v", clip, [vop.data for vop in clip.vops])
    monkeypatch.setattr("mic_bitstream.arrays._WORTH_A_LOOK", 1)
    monkeypatch.setattr("mic_bitstream.arrays.free_memory", lambda: 100)
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
        monkeypatch.setattr("mic_bitstream.arrays._WORTH_A_LOOK", 1)
        monkeypatch.setattr("mic_bitstream.arrays.free_memory", lambda: 100)
        with pytest.raises(ConfigError, match="process"):
            vectors.dense()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what a process may take")
def test_the_processes_own_limit_counts(tmp_path):
    script = tmp_path / "limited.py"
    script.write_text(
        "import resource\n"
        "from mic_bitstream.memory import free_memory\n"
        "size = resource.RLIMIT_AS\n"
        "used = free_memory()\n"
        "resource.setrlimit(size, (6 << 30, resource.getrlimit(size)[1]))\n"
        "assert free_memory() < min(used + 1, 6 << 30)\n"
    )
    subprocess.run([sys.executable, str(script)], check=True)


LARGE = """
import sys
import mic.bitstream
with mic.bitstream.open(sys.argv[1]) as opened:
    sums = opened.segment_sums(opened.frame_count // 1000)
    assert opened.vop_types.count("N") > 6000
    assert not sums.y[0, ::64].any()
print(peak())
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
    script.write_text(peaks.SOURCE + LARGE)
    done = subprocess.run(
        [sys.executable, str(script), str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 1 << 30  # six rows of sums would be 1.2 GB


INTERRUPTED = """
import signal
import sys
import numpy as np
import mic.bitstream
opened = mic.bitstream.open(sys.argv[1])
accumulated = sys.argv[2] == "accumulated"
rows = [0, -1] if accumulated else range(opened.frame_count)
dtype = np.float32 if accumulated else np.int16
out = tuple(np.full((len(rows), *sides), 99, dtype) for sides in ((30, 40), (15, 20), (15, 20)))
def interrupt(number, frame):
    if (out[0][0] != 99).any():
        signal.setitimer(signal.ITIMER_PROF, 0)
        raise KeyboardInterrupt
# By this process's own time, of which no other can take any: once the first row is there, and
# long before the last.
signal.signal(signal.SIGPROF, interrupt)
signal.setitimer(signal.ITIMER_PROF, 0.004, 0.004)
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
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    assert done.stdout == "in the middle\n"


def test_one_thread_appends_while_others_read(clip):
    # Under a thread sanitiser this is the race of an index that moves while it is read.
    vops = [vop.data for vop in clip.vops]
    packets = PacketStream(clip.headers)
    packets.append(vops[0])
    right = []
    for vop in vops[1:4]:
        packets.append(vop)
    right = packets.residual(range(4)).y
    reads, ended = [0, 0], threading.Event()

    def read(reader):
        while not ended.is_set():
            assert (packets.residual(range(4)).y == right).all()
            packets.accumulated([packets.frame_count - 1], on_error="mask")
            reads[reader] += 1

    with ThreadPoolExecutor(2) as pool:
        readers = [pool.submit(read, number) for number in range(2)]
        # At least so long that both have read in between, whatever else the machine does.
        while packets.frame_count < 4 * len(vops) * 10 or min(reads) < 5:
            packets.append(vops[packets.frame_count % len(vops)])
            if any(reader.done() for reader in readers):
                break
        ended.set()
        for reader in readers:
            reader.result()
    assert min(reads) >= 5


def test_limits_of_the_picture(clip, tmp_path):
    path = tmp_path / "large.m4v"
    layer = video_object_layer(clip.vol, resolution=25, width=8191, height=4097)
    path.write_bytes(layer + clip.vops[0].data)
    with pytest.raises(MicError, match="33554432"):
        mic.bitstream.open(path)


# Calls that last: NumPy's own functions between them crash so, some of them.
@pytest.mark.parametrize(
    "call", ["residual([39] * 30000, scale=8)", "motion([39] * 3000)", "pictures([39] * 300)"]
)
def test_a_thread_that_still_parses_at_the_end_does_not_crash_the_process(call, tmp_path):
    path = synthetic(tmp_path, Options(width=320, height=240, frames=40, gop=40))
    program = f"""
import sys, threading, mic_bitstream
stream, begun = mic_bitstream.open(sys.argv[1]), threading.Event()
def work():
    while True:
        begun.set()
        stream.{call}
threading.Thread(target=work, daemon=True).start()
begun.wait()
print("over")
"""
    command = [sys.executable, "-c", program, str(path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "over\n", "")


def test_nothing_but_zeros_is_refused_whatever_its_size(tmp_path):
    """A download that failed: tens of gigabytes of a hole."""
    path = tmp_path / "film.m4v"
    for size in (5000, 3 << 20, 1 << 36):
        with path.open("wb") as file:
            file.truncate(size)
        with pytest.raises(CodecError, match="nothing but zeros"):
            mic.bitstream.open(path)


def test_zeros_before_a_stream_are_stuffing(clip, tmp_path):
    path = tmp_path / "film.m4v"
    data = clip.headers + b"".join(vop.data for vop in clip.vops)
    for zeros in (10, 5000, 2 << 20):
        path.write_bytes(bytes(zeros) + data)
        assert len(mic.bitstream.open(path)) == len(clip.vops)


def test_old_bytes_behind_zeros_are_no_data_of_a_picture(clip, tmp_path):
    """Some writers hand on their whole buffer."""
    plain = tmp_path / "plain.m4v"
    plain.write_bytes(clip.headers + b"".join(vop.data for vop in clip.vops))
    whole = mic.bitstream.read(plain)
    slack = bytes(900) + b"\x6f\0\0\x37\0"
    stream = PacketStream(clip.headers)
    for vop in clip.vops:
        stream.append(vop.data + slack)
    assert np.array_equal(stream.residual().y, whole.residual.y)
    for hurt in (b"\x6f\0\0\x37", bytes(2) + b"\x6f\x37"):
        again = PacketStream(clip.headers)
        again.append(clip.vops[0].data + hurt)
        with pytest.raises(BitstreamError, match="data follow"):
            again.residual()


def test_packets_say_what_is_wrong_with_them(clip):
    stream = PacketStream(clip.headers)
    assert list(stream.blocks()) == []
    for number in (0, 1, 3, 2, 4):
        stream.append(clip.vops[number].data)
    assert stream.errors
    assert {error.place.split(",")[0] for error in stream.errors} >= {"packet 3"}
    large = video_object_layer(clip.vol, resolution=25, width=4000, height=4000)
    whole = PacketStream(clip.headers)
    with pytest.raises(BitstreamError):
        whole.append(clip.vops[0].data + large + clip.vops[1].data)
    assert whole.frame_count == len(whole.native)
    assert whole.append(clip.vops[1].data) == whole.frame_count - 1
    gigantic = video_object_layer(clip.vol, resolution=25, width=8191, height=8191)
    with pytest.raises(CodecError, match="8191"):
        PacketStream().append(gigantic + clip.vops[0].data)
