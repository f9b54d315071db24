"""Random access, threads, reused outputs and containers all give the same samples."""

import concurrent.futures
import shutil
import subprocess
import sys
from fractions import Fraction

import av
import numpy as np
import peaks
import pytest
from oracles import material, stream
from oracles.encoders import Options, encode, synthetic

import mic.bitstream
import mic.storage.assets
from mic.errors import BitstreamError, CodecError, ConfigError, MicError, UnsupportedSyntaxError

PARTS = ("residual", "motion", "macroblocks")


@pytest.fixture(scope="module")
def face(tmp_path_factory):
    pictures = material.frames("carphone", 60, 144, 176)
    options = Options(quant=3, four_mv=True, gop=25, packet_bytes=500)
    return encode(tmp_path_factory.mktemp("face") / "face.mp4", pictures, options)


@pytest.fixture(scope="module")
def whole(face):
    return mic.bitstream.read(face, what=PARTS)


def arrays(clip) -> dict[str, np.ndarray]:
    """Everything a clip holds."""
    residual, motion, macroblocks = clip.residual, clip.motion, clip.macroblocks
    return {
        "y": residual.y,
        "cb": residual.cb,
        "cr": residual.cr,
        "types": residual.types,
        "blocks": motion.blocks,
        "quantiser": macroblocks.quantiser,
        "bits": macroblocks.bits,
    }


@pytest.mark.parametrize(
    "frames",
    [[7], [59, 0, 7, 7, 31], range(50, 10, -13), slice(3, 40, 9), [-1, -60], [], np.array([5, 2])],
    ids=str,
)
@pytest.mark.parametrize("threads", [1, 3])
def test_any_frames_in_any_order(frames, threads, face, whole):
    part = mic.bitstream.read(face, what=PARTS, frames=frames, threads=threads)
    numbers = np.arange(60)[frames if isinstance(frames, slice) else list(frames)]
    assert (part.residual.frames == numbers).all()
    for name, array in arrays(part).items():
        assert (array == arrays(whole)[name][numbers]).all(), name


def test_other_frames_are_not_touched(face, whole, tmp_path):
    # Ruin every VOP but the chosen ones: their residual needs none of them.
    clip = stream.load(face)
    data = bytearray(face.read_bytes())
    chosen = [11, 26, 44]
    for number, vop in enumerate(clip.vops):
        if number not in chosen:
            at = data.find(vop.data)
            middle = len(vop.data) // 2
            data[at + middle : at + len(vop.data)] = bytes(len(vop.data) - middle)
    ruined = tmp_path / "ruined.mp4"
    ruined.write_bytes(data)
    part = mic.bitstream.read(ruined, what=PARTS, frames=chosen)
    for name, array in arrays(part).items():
        assert (array == arrays(whole)[name][chosen]).all(), name
    with pytest.raises(BitstreamError):
        mic.bitstream.read(ruined, frames=[12])


@pytest.mark.parametrize("threads", [2, 5])
@pytest.mark.parametrize("scale", [1, 2, 4, 8])
def test_threads_do_not_change_a_sample(threads, scale, face):
    one = mic.bitstream.read(face, what=PARTS, scale=scale)
    many = mic.bitstream.read(face, what=PARTS, scale=scale, threads=threads)
    for name, array in arrays(one).items():
        assert (array == arrays(many)[name]).all(), name


def test_one_stream_serves_several_python_threads(face, whole):
    with (
        mic.bitstream.open(face) as opened,
        concurrent.futures.ThreadPoolExecutor(4) as pool,
    ):
        found = list(pool.map(lambda n: opened.residual([n]).y[0], range(60)))
    assert (np.stack(found) == whole.residual.y).all()


def test_fills_the_callers_arrays(face, whole):
    with mic.bitstream.open(face) as opened:
        out = tuple(np.full_like(plane, 99)[:20] for plane in (whole.residual.y, whole.residual.cb,
                                                               whole.residual.cr))  # fmt: skip
        found = opened.residual(range(20), out=out)
        assert found.y is out[0]
        assert found.cr is out[2]
        assert (out[0] == whole.residual.y[:20]).all()
        assert (out[1] == whole.residual.cb[:20]).all()
        pixels = np.full((2, 18, 22, 3), 99, np.int16)
        assert opened.residual([4, 5], scale=8, space="rgb", out=pixels).pixels is pixels
        assert (pixels != 99).all()
        for wrong in (out[:2], (out[0], out[1], out[1][:, ::2]), out[0].astype(np.int32)):
            with pytest.raises(ConfigError):
                opened.residual(range(20), out=wrong)


@pytest.mark.parametrize("space", ["planes", "ycbcr", "rgb"])
def test_a_batch_of_clips_is_one_array(space, tmp_path):
    paths = []
    for number in range(4):
        options = Options(frames=9, gop=4, seed=number, quarter_pel=number == 2, speed=0.7)
        paths.append(synthetic(tmp_path, options).rename(tmp_path / f"{number}.m4v"))
    frames = [[1, 5, 8], range(0, 9, 4), slice(2, 5), [-1, -2, -3]]
    streams = [mic.bitstream.open(path) for path in paths]
    for scale, threads in ((1, 1), (2, 3), (8, 2)):
        found = mic.bitstream.residual_batch(
            streams, frames, scale=scale, space=space, threads=threads
        )
        for clip, (opened, chosen) in enumerate(zip(streams, frames, strict=True)):
            single = opened.residual(chosen, scale=scale, space=space)
            if space == "planes":
                assert (found[0][clip] == single.y).all()
                assert (found[1][clip] == single.cb).all()
                assert (found[2][clip] == single.cr).all()
            else:
                assert (found[clip] == single.pixels).all()
    with pytest.raises(ConfigError):
        mic.bitstream.residual_batch(streams, [[1], [1], [1], [1, 2]])
    other = mic.bitstream.open(synthetic(tmp_path, Options(width=80, frames=3)))
    with pytest.raises(ConfigError):
        mic.bitstream.residual_batch([streams[0], other], [[1], [1]])
    for opened in (*streams, other):
        opened.close()


def test_containers_and_elementary_streams_agree(tmp_path):
    found = {}
    for suffix in (".m4v", ".avi", ".mp4", ".mkv", ".mov"):
        path = synthetic(tmp_path, Options(frames=7, gop=3, suffix=suffix))
        disguised = tmp_path / "no_suffix"
        shutil.copy(path, disguised)
        for file in (path, disguised):
            clip = mic.bitstream.read(file, what=PARTS)
            assert clip.frame_count == 7
            assert clip.frame_rate == 25
            found[file.name + suffix] = arrays(clip)
    first = next(iter(found.values()))
    for others in found.values():
        for name, array in others.items():
            assert (array == first[name]).all(), name


@pytest.mark.parametrize("rate", [6, 10, Fraction(30000, 1001), 50])
@pytest.mark.parametrize("b_frames", [0, 2])
def test_pictures_a_second_are_those_of_the_clock(rate, b_frames, tmp_path):
    for suffix in (".m4v", ".mp4", ".mkv"):
        path = tmp_path / f"clip{suffix}"
        with av.open(str(path), "w", format={".m4v": "m4v"}.get(suffix)) as container:
            options = {"bf": str(b_frames), "g": "12"}
            video = container.add_stream("mpeg4", rate=rate, options=options)
            video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
            for number in range(14):
                picture = np.full((48, 64, 3), 90 + number, np.uint8)
                container.mux(video.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
            container.mux(video.encode(None))
        with mic.bitstream.open(path) as opened:
            assert float(opened.frame_rate) == pytest.approx(float(rate), rel=2e-3), suffix


def test_a_container_that_tells_its_ticks_for_a_rate_is_not_believed(tmp_path):
    source = synthetic(tmp_path, Options(frames=9, suffix=".mp4"))
    path = tmp_path / "copied.avi"
    with av.open(str(source)) as given, av.open(str(path), "w") as target:
        stream = target.add_stream_from_template(given.streams.video[0])
        stream.time_base = Fraction(1, 600)
        for packet in given.demux(video=0):
            if packet.size:
                packet.stream = stream
                target.mux(packet)
    with mic.bitstream.open(path) as opened:
        assert opened.frame_rate == 25


def test_mpeg_1_is_another_codec_and_not_damaged(tmp_path):
    path = tmp_path / "clip.m1v"
    with av.open(str(path), "w", format="mpeg1video") as container:
        video = container.add_stream("mpeg1video", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        picture = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 90, np.uint8), "rgb24")
        container.mux(video.encode(picture))
        container.mux(video.encode(None))
    with pytest.raises(UnsupportedSyntaxError, match="mpeg1video"):
        mic.bitstream.open(path)


def test_what_a_stream_says_of_itself(face):
    with mic.bitstream.open(face) as opened:
        assert (opened.width, opened.height, opened.frame_count) == (176, 144, 60)
        assert len(opened) == 60
        assert opened.vop_types == ("I" + "P" * 24) * 2 + "I" + "P" * 9
        assert opened.frame_rate == 25
        sizes = opened.macroblocks().bits.sum((1, 2))
    coded = [8 * len(vop.data) for vop in stream.load(face).vops]
    # Headers and stuffing are all that macroblocks do not account for.
    assert ((np.array(coded) - sizes > 0) & (np.array(coded) - sizes < 3000)).all()


@pytest.mark.parametrize(("space", "other"), [("planes", "pixels"), ("rgb", "y")])
def test_arrays_of_another_space_are_refused_and_not_none(face, space, other):
    with mic.bitstream.open(face) as opened:
        found = (
            opened.residual([1], space=space),
            opened.accumulated([1], space=space),
            opened.segment_sums(1, space=space),
        )
    for record in found:
        with pytest.raises(ConfigError, match=f"has no {other}"):
            getattr(record, other)
        assert all(array.size for array in record.samples.values())


def test_refuses_wrong_arguments(face, tmp_path):
    with mic.bitstream.open(face) as opened:
        for wrong in (
            {"frames": [60]},
            {"frames": [-61]},
            {"scale": 3},
            {"space": "bgr"},
            {"threads": 0},
            {"on_error": "ignore"},
            {"frames": 5},
            {"frames": slice(None, None, 0)},
            {"frames": range(10**15)},
            {"threads": 2.0},
            {"scale": 2.0},
            {"scale": True},
            {"out": ([1], [2], [3])},
        ):
            with pytest.raises(ConfigError):
                opened.residual(**wrong)
        with pytest.raises(ConfigError):
            opened.read(what=("residuals",))
        for region in ((2**63 - 1, 0, 1, 1), [(0, 0, 8, 8), (0, 0, 8)], (-1, 0, 8, 8)):
            with pytest.raises(ConfigError):
                opened.pictures([1, 2], region=region)
        planes = opened.residual([1])
        fixed = tuple(plane.copy() for plane in (planes.y, planes.cb, planes.cr))
        for plane in fixed:
            plane.flags.writeable = False
        with pytest.raises(ConfigError, match="written to"):
            opened.residual([1], out=fixed)
        with pytest.raises(ConfigError):
            mic.bitstream.residual_batch([opened, opened], [[1]])
        assert opened.read(what=(part for part in ["motion"])).motion is not None
        assert planes in [planes]
        assert planes != opened.residual([1])
    with pytest.raises(CodecError):
        mic.bitstream.open(tmp_path / "absent.mp4")
    with pytest.raises(UnsupportedSyntaxError, match="h264"):
        mic.bitstream.open(mic.storage.assets.path("carphone"))
    text = tmp_path / "text.mp4"
    text.write_text("no video at all " * 100)
    for content in (b"", b"\0\0\1", b"\0\0\1\xb0", text.read_bytes()):
        text.write_bytes(content)
        with pytest.raises(MicError):
            mic.bitstream.open(text)


READ_IN_PARTS = """
import sys
from fractions import Fraction
import mic.bitstream
def parts(opened, until):
    for start in range(0, until, 16):
        opened.residual(range(start, min(start + 16, until)), threads=2)
with mic.bitstream.open(sys.argv[1]) as opened:
    parts(opened, 64)
    before = peak()
    parts(opened, len(opened))
print(peak() - before)
"""


def test_memory_is_flat_in_clip_length(tmp_path):
    pictures = material.frames("carphone", 120, 144, 176)
    options = Options(quant=2)
    path = encode(tmp_path / "long.avi", np.concatenate([pictures] * 8), options)
    assert path.stat().st_size > 2_000_000
    command = [sys.executable, "-c", peaks.SOURCE + READ_IN_PARTS, str(path)]
    grown = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert grown < 4096 * 1024  # all residuals would be 73 MB


@pytest.mark.parametrize("frames", [[True, False, True], np.array([True, False]), [2**70], [0.5]])
def test_what_is_no_number_of_a_frame_is_refused(frames, face):
    with mic.bitstream.open(face) as clip, pytest.raises(ConfigError, match="named by number"):
        clip.residual(frames)
