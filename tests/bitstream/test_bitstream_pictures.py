"""Pictures of a region are libavcodec's, to the last bit, and no more than needed is done."""

import itertools
import tempfile
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.frame import PictureType
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oracles import decoding, flat, material, matrix, stream
from oracles.encoders import Options, encode, ffmpeg, frames, synthetic

import mic.bitstream
from mic.errors import BitstreamError, ConfigError, UnsupportedSyntaxError

REGRESSIONS = Path(__file__).parents[2] / "native" / "fuzz" / "regressions" / "clips"
STREAMS = matrix.streams(
    [(1, 1), (16, 16), (17, 33), (96, 64), (131, 75), (8, 120), (250, 18)],
    frames=(7,),
    gop=(600, 4),
)


def check(path: Path, record_property, *, seed: int = 0) -> None:
    """Whole pictures, then random regions of random frames, against libavcodec."""
    right = decoding.pictures(path)
    rng = np.random.default_rng(seed)
    with mic.bitstream.open(path) as opened:
        whole = opened.pictures()
        assert whole.frames.tolist() == list(range(len(right)))
        samples, differing = decoding.compared(whole, right)
        for _ in range(4):
            chosen = rng.integers(opened.frame_count, size=int(rng.integers(1, 5))).tolist()
            regions = [decoding.region(rng, opened.width, opened.height) for _ in chosen]
            found = opened.pictures(chosen, region=regions)
            assert found.frames.tolist() == chosen
            assert found.regions.tolist() == [list(region) for region in regions]
            assert 0 <= found.reconstructed <= found.total
            more, wrong = decoding.compared(found, right)
            samples, differing = samples + more, differing + wrong
    record_property("counted picture samples compared", samples)
    assert differing == 0


@pytest.mark.parametrize("options", STREAMS)
def test_sizes_and_tools(options, tmp_path, record_property):
    check(synthetic(tmp_path, options), record_property, seed=options.seed)


@given(options=matrix.drawn(), seed=st.integers(0, 1 << 20))
@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
def test_every_encoding_is_decoded_exactly(options, seed):
    with tempfile.TemporaryDirectory() as folder:
        check(synthetic(Path(folder), options), lambda name, value: None, seed=seed)


def test_a_talking_face(tmp_path, record_property):
    pictures = material.frames("carphone", 60, 144, 176)
    for number, (four, quarter, mpeg) in enumerate(matrix.TOOLS[::2] + matrix.TOOLS[7:]):
        options = Options(
            width=176,
            height=144,
            quant=(2, 5, 12)[number % 3],
            four_mv=four,
            quarter_pel=quarter,
            mpeg_quant=mpeg,
        )
        path = encode(tmp_path / "carphone.mp4", pictures, options)
        check(path, record_property, seed=number)


def test_bright_pictures_at_coarse_quantisers(tmp_path, record_property):
    # The DC coefficients of white blocks reach the end of their range.
    rng = np.random.default_rng(0)
    pictures = rng.integers(225, 256, (3, 48, 64, 3), np.uint8)
    for quant in (8, 21, 29, 30, 31):
        options = Options(quant=quant, noise=0, gop=2)
        check(encode(tmp_path / "white.m4v", pictures, options), record_property)


@pytest.mark.parametrize("arguments", [(), ("-flags", "+mv4+qpel", "-me_quality", "6")])
def test_a_second_encoder(arguments, tmp_path, record_property):
    # Intra macroblocks refresh the picture here and there.
    pictures = material.frames("carphone", 40, 142, 170, 1, 3)
    path = tmp_path / "xvid.avi"
    ffmpeg(path, pictures, "-c:v", "libxvid", "-q:v", "3", "-bf", "0", *arguments)
    check(path, record_property)


def test_pictures_that_are_not_coded_repeat_the_one_before(tmp_path, record_property):
    clip = stream.load(synthetic(tmp_path, Options(frames=4, speed=3.0)))
    bits = "00000000000000000000000110110110" + "01" + "0" + "1" + "0" * clip.vol.time_bits
    bits += "1" + "0"  # marker, vop_coded
    bits += "0" + "1" * ((-len(bits) - 1) % 8)
    empty = int(bits, 2).to_bytes(len(bits) // 8, "big")
    path = tmp_path / "repeats.m4v"
    vops = [vop.data for vop in clip.vops]
    path.write_bytes(clip.headers + b"".join([*vops[:2], empty, empty, *vops[2:], empty]))
    with mic.bitstream.open(path) as opened:
        assert opened.vop_types == "IPNNPPN"
        found = opened.pictures([6, 3, 1, 2, 5], region=(3, 5, 40, 30))
    assert (found[1].y == found[2].y).all()
    assert (found[1].y == found[3].y).all()
    assert (found[0].cb == found[4].cb).all()
    check(path, record_property)


def test_only_what_is_needed_is_reconstructed(tmp_path):
    # One corner never changes: nothing else is needed for it.
    options = Options(width=160, height=128, frames=30, noise=0, speed=2.0)
    path = synthetic(tmp_path, options)
    with mic.bitstream.open(path) as opened:
        corner = opened.pictures([29], region=(0, 0, 16, 16))
        whole = opened.pictures([29])
    assert corner.total == whole.total == 30 * 80
    assert corner.reconstructed == 30
    assert whole.reconstructed > 0.9 * whole.total
    assert corner.share == pytest.approx(1 / 80)


def test_an_intra_picture_ends_the_walk(tmp_path):
    path = synthetic(tmp_path, Options(frames=12, gop=5))
    with mic.bitstream.open(path) as opened:
        assert opened.vop_types == "IPPPPIPPPPIP"
        assert opened.pictures([10, 5, 0]).total == 3 * 12
        assert opened.pictures([7]).total == 3 * 12
        assert opened.pictures([]).total == 0
        one, two = opened.pictures(threads=1), opened.pictures(threads=3)
    assert all((a.y == b.y).all() for a, b in zip(one, two, strict=True))


def test_rgb(tmp_path):
    path = synthetic(tmp_path, Options(width=53, height=37, frames=2, noise=30))
    with mic.bitstream.open(path) as opened:
        whole = opened.pictures([1])[0]
        y, cb, cr = (plane.astype(float) for plane in (whole.y, whole.cb, whole.cr))
        cb, cr = (c.repeat(2, 0).repeat(2, 1)[:37, :53] - 128 for c in (cb, cr))
        luma = 255 / 219 * (y - 16)
        red, blue = 1.402 * 255 / 224 * cr, 1.772 * 255 / 224 * cb
        green = (0.299 * red + 0.114 * blue) / 0.587
        right = np.stack([luma + red, luma - green, luma + blue], -1)
        assert np.abs(whole.rgb() - right.clip(0, 255)).max() < 0.52
        for left, top in itertools.product((10, 11), (4, 7)):
            part = opened.pictures([1], region=(left, top, 21, 17))[0]
            assert (part.rgb() == whole.rgb()[top : top + 17, left : left + 21]).all()


@pytest.mark.parametrize(
    "region",
    [(0, 0, 65, 48), (-1, 0, 8, 8), (0, 0, 0, 8), (60, 0, 5, 8), (1.5, 0, 8, 8), (0, 0, 8)],
)
def test_regions_that_do_not_exist(region, tmp_path):
    path = synthetic(tmp_path, Options())
    with mic.bitstream.open(path) as opened, pytest.raises(ConfigError, match="region"):
        opened.pictures([0], region=region)


def test_frames_and_regions_must_be_equally_many(tmp_path):
    path = synthetic(tmp_path, Options())
    with mic.bitstream.open(path) as opened:
        with pytest.raises(ConfigError, match="region"):
            opened.pictures([0, 1, 2], region=[(0, 0, 8, 8)] * 2)
        with pytest.raises(ConfigError, match="no such frame"):
            opened.pictures([6])
    with pytest.raises(ConfigError, match="closed"):
        opened.pictures([0])


@pytest.mark.parametrize("tools", ["+bitexact", "+bitexact+mv4+qpel"])
def test_bidirectional_pictures_are_passed_by_or_refused_by_name(tools, tmp_path, record_property):
    path = tmp_path / "b.m4v"
    pictures = frames(Options(width=83, height=60, frames=14, speed=2.3))
    ffmpeg(path, pictures, "-c:v", "mpeg4", "-q:v", "3", "-g", "9", "-bf", "2", "-flags", tools)
    with av.open(str(path)) as container:
        context = container.streams.video[0].codec_context
        context.options = {"flags": "+bitexact", "idct": "simple"}
        shown = list(container.decode(video=0))
    # References are shown in the order in which they are coded.
    right = [flat.planes(frame) for frame in shown if frame.pict_type != PictureType.B]
    with mic.bitstream.open(path) as opened:
        kinds = np.array(list(opened.vop_types))
        assert set(kinds) == set("IPB")
        with pytest.raises(UnsupportedSyntaxError, match="B-VOP"):
            opened.pictures([0, int(np.flatnonzero(kinds == "B")[0])])
        references = np.flatnonzero(kinds != "B").tolist()
        assert len(references) == len(right)
        by_number = dict(zip(references, right, strict=True))
        found = [
            *opened.pictures(references),
            *opened.pictures(references[::-1], region=(9, 7, 50, 31)),
        ]
    samples, differing = decoding.compared(found, by_number)
    record_property("counted picture samples compared", samples)
    assert differing == 0


def test_damage(tmp_path):
    options = Options(width=64, height=64, frames=8, quant=2, packet_bytes=90, noise=6, gop=6)
    path = synthetic(tmp_path, options)
    right = decoding.pictures(path)
    clip = stream.load(path)
    sizes = [len(vop.data) for vop in clip.vops]
    start = len(clip.headers) + sum(sizes[:2])
    data = bytearray(path.read_bytes())
    middle = start + sizes[2] // 2
    data[middle : middle + 40] = b"\0" * 40
    path.write_bytes(data)
    with mic.bitstream.open(path) as opened:
        with pytest.raises(BitstreamError, match="packet 2"):
            opened.pictures([4])
        # What lies before the damage, or behind the next I-VOP, does not depend on it.
        for frame in (0, 1, 6, 7):
            assert decoding.compared(opened.pictures([frame]), right)[1] == 0
        found = opened.pictures(on_error="mask")
        assert [error.place.split(",")[0] for error in found.errors] == ["packet 2"]
    broken = np.stack([picture.broken for picture in found])
    assert broken[2].any()
    assert not broken[2].all()
    assert not broken[[0, 1, 6, 7]].any()
    assert broken[5].sum() >= broken[2].sum()
    for picture in found:
        wrong = picture.y != right[picture.frame][0]
        assert not (wrong & ~picture.broken).any()
    # What was lost repeats the picture before.
    assert (found[2].y == found[1].y)[broken[2]].all()


def test_a_stream_that_starts_in_the_middle(tmp_path):
    path = synthetic(tmp_path, Options(frames=4, gop=2))
    clip = stream.load(path)
    path.write_bytes(clip.headers + b"".join(vop.data for vop in clip.vops[1:]))
    with mic.bitstream.open(path) as opened:
        assert opened.vop_types == "PIP"
        with pytest.raises(BitstreamError, match="I-VOP"):
            opened.pictures([0])
        assert opened.pictures([2]).total == 2 * 12
        found = opened.pictures(on_error="mask")
    assert found[0].broken.any()
    assert not found[1].broken.any()
    assert len(found.errors) == 1


def test_a_picture_that_is_gone_from_the_stream(tmp_path):
    path = synthetic(tmp_path, Options(frames=30, gop=10))
    clip = stream.load(path)
    vops = [vop.data for number, vop in enumerate(clip.vops) if number != 14]
    path.write_bytes(clip.headers + b"".join(vops))
    with mic.bitstream.open(path) as opened:
        assert opened.clock.breaks.tolist() == [14]
        found = opened.pictures()
        assert [error.place.split(",")[0] for error in found.errors] == ["packet 14"]
        assert not opened.pictures([13, 19]).errors
    marked = [bool(picture.broken.any()) for picture in found]
    assert marked == [14 <= frame < 19 for frame in range(29)]


def test_a_group_whose_header_is_lost_shows_nothing_of_another(tmp_path):
    """Found by a fuzzer: what had been reconstructed before stood in for what was lost."""
    found = REGRESSIONS / "a-group-whose-first-header-is-lost"
    path = tmp_path / "a.m4v"
    path.write_bytes(found.read_bytes()[1:])  # the first byte chooses what the fuzzer asks for
    with mic.bitstream.open(path, on_error="mask") as opened:
        whole = opened.pictures(on_error="mask")
        region = opened.pictures(region=(1, 5, 4, 3), on_error="mask")
        alone = opened.pictures([opened.frame_count - 1], on_error="mask")[0]
    for one, part in zip(whole, region, strict=True):
        assert one.broken.all()
        assert (one.y[5:8, 1:5] == part.y).all()
    assert (alone.y == whole[-1].y).all()
