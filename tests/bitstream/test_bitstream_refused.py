"""What is outside the supported profile is refused by name, with clause, packet and remedy."""

import re

import numpy as np
import pytest
from oracles import stream
from oracles.encoders import Options, encode, ffmpeg, frames, synthetic
from oracles.headers import video_object_layer

import mic.bitstream
from mic.errors import BitstreamError, UnsupportedSyntaxError

SMALL = Options(width=64, height=48, frames=8, quant=4, speed=0.7)
ENCODED = {
    "xvid gmc": ("avi", "global motion compensation", "-c:v libxvid -q:v 4 -gmc 1"),
    "xvid gmc mp4": ("mp4", "global motion compensation", "-c:v libxvid -q:v 4 -gmc 1"),
    "interlaced": ("mp4", "interlaced", "-c:v mpeg4 -q:v 4 -flags +ildct+ilme"),
    "data partitioning": ("m4v", "data partitioning", "-c:v mpeg4 -q:v 4 -data_partitioning 1"),
    "msmpeg4v2": ("avi", "msmpeg4v2", "-c:v msmpeg4v2 -q:v 4"),
    "msmpeg4v3": ("avi", "msmpeg4", "-c:v msmpeg4 -q:v 4"),
    "wmv1": ("avi", "wmv1", "-c:v wmv1 -q:v 4"),
    "h263": ("3gp", "h263", "-c:v h263 -s 176x144 -q:v 4"),
    "h263 elementary": ("h263", "h263|short video header", "-c:v h263 -s 176x144 -q:v 4"),
    "mjpeg": ("avi", "mjpeg", "-c:v mjpeg -q:v 4"),
    "mpeg2": ("mkv", "mpeg2video", "-c:v mpeg2video -q:v 4"),
}
FIELDS = {
    "arbitrary shape": {"shape": 1},
    "arbitrary shape.*": {"shape": 2},
    "interlaced": {"interlaced": 1},
    "static sprite": {"sprite_enable": 1},
    "global motion compensation": {"sprite_enable": 2},
    "8 bits": {"not_8_bit": 1},
    "complexity estimation": {"complexity_estimation_disable": 0},
    "data partitioning": {"data_partitioned": 1},
    "reversible|RVLC": {"data_partitioned": 1, "reversible_vlc": 1},
    "NEWPRED": {"newpred_enable": 1},
    "reduced resolution": {"reduced_resolution_vop_enable": 1},
    "scalab": {"scalability": 1},
    "4:2:0": {"chroma_format": 2},
    "fine granularity": {"type": 18},
}


def read_all(path) -> None:
    with mic.bitstream.open(path) as opened:
        opened.residual()


def check(error: UnsupportedSyntaxError, path) -> None:
    assert error.file == path
    assert "mic.codec.reencode" in error.remedy


@pytest.mark.parametrize("case", ENCODED)
def test_refuses_what_encoders_write(case, tmp_path):
    suffix, words, arguments = ENCODED[case]
    path = ffmpeg(tmp_path / f"refused.{suffix}", frames(SMALL), *arguments.split())
    with pytest.raises(UnsupportedSyntaxError, match=words) as caught:
        read_all(path)
    check(caught.value, path)
    if "mpeg4" in arguments.split() or "libxvid" in arguments:
        assert re.search(r"packet \d+.*bit \d+.*clause \d", caught.value.place)


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return stream.load(synthetic(tmp_path_factory.mktemp("plain"), SMALL))


@pytest.mark.parametrize("words", FIELDS)
def test_refuses_each_feature_of_a_layer(words, plain, tmp_path):
    path = tmp_path / "feature.m4v"
    layer = video_object_layer(plain.vol, resolution=25, **FIELDS[words])
    path.write_bytes(layer + b"".join(vop.data for vop in plain.vops))
    with pytest.raises(UnsupportedSyntaxError, match=words) as caught:
        read_all(path)
    check(caught.value, path)
    assert "clause 6.2.3" in caught.value.place


@pytest.mark.parametrize("verid", [1, 2, 5])
def test_the_same_layer_without_the_feature_is_read(verid, plain, tmp_path):
    # The refusals above are not of the layers as such.
    path = tmp_path / "feature.m4v"
    layer = video_object_layer(plain.vol, resolution=25, verid=verid)
    path.write_bytes(layer + b"".join(vop.data for vop in plain.vops))
    clip = mic.bitstream.read(path)
    (tmp_path / "original.m4v").write_bytes(plain.headers + b"".join(v.data for v in plain.vops))
    original = mic.bitstream.read(tmp_path / "original.m4v")
    assert (clip.residual.y == original.residual.y).all()
    assert clip.residual.y.any()


def test_refuses_sprite_vops(plain, tmp_path):
    ruined = bytearray(plain.vops[3].data)
    ruined[4] = ruined[4] & 0x3F | 3 << 6
    path = tmp_path / "kind.m4v"
    vops = [vop.data for vop in plain.vops]
    path.write_bytes(plain.headers + b"".join([*vops[:3], ruined, *vops[4:]]))
    with pytest.raises(UnsupportedSyntaxError, match="S-VOP"):
        read_all(path)
    # One VOP of such a type may be a hurt bit, so that the others can be had.
    residual = mic.bitstream.read(path, on_error="mask").residual
    assert residual.missing[3].all()
    assert not np.delete(residual.missing, 3, 0).any()
    (error,) = residual.errors
    assert isinstance(error, UnsupportedSyntaxError)
    check(error, path)


def test_short_headers_inside_an_mp4(plain, tmp_path):
    # An H.263 picture where a VOP should be, as some 3GP writers label it.
    path = encode(tmp_path / "short.mp4", frames(SMALL), SMALL)
    data = bytearray(path.read_bytes())
    vop = stream.load(path).vops[2].data
    at = data.find(vop)
    data[at : at + 5] = b"\x00\x00\x80\x02\x08"
    path.write_bytes(data)
    with pytest.raises(UnsupportedSyntaxError, match="short"):
        mic.bitstream.read(path)


def test_accepts_what_else_may_stand_in_a_stream(plain, tmp_path):
    # User data, groups of VOPs, stuffing, a sequence end; none of it changes a sample.
    extras = [b"\0\0\1\xb2mic\xff", b"\0\0\1\xb3\x00\x10\x07", b"\0\0\1\xc3\xff\xff"]
    path = tmp_path / "extras.m4v"
    data = plain.headers
    for number, vop in enumerate(plain.vops):
        data += (extras[number % 3] if number else b"") + vop.data + bytes(number % 3)
    path.write_bytes(data + b"\0\0\1\xb1")
    (tmp_path / "original.m4v").write_bytes(plain.headers + b"".join(v.data for v in plain.vops))
    found = mic.bitstream.read(path)
    assert (found.residual.y == mic.bitstream.read(tmp_path / "original.m4v").residual.y).all()


def test_vops_that_are_not_coded(plain, tmp_path):
    bits = f"{0x1B6:032b}" + "01" + "0" + "1" + "0" * plain.vol.time_bits + "1" + "0"
    bits += "0" + "1" * ((-len(bits) - 1) % 8)
    skipped = int(bits, 2).to_bytes(len(bits) // 8, "big")
    path = tmp_path / "skipped.m4v"
    vops = [vop.data for vop in plain.vops]
    path.write_bytes(plain.headers + b"".join([*vops[:3], skipped, skipped, *vops[3:]]))
    with mic.bitstream.open(path) as opened:
        assert opened.vop_types == "IPPNN" + "P" * (len(vops) - 3)
        clip = opened.read(what=("residual", "motion"))
    assert clip.residual.skipped[3:5].all()
    assert not clip.residual.y[3:5].any()
    assert not clip.motion.blocks[3:5].any()
    (tmp_path / "original.m4v").write_bytes(plain.headers + b"".join(vops))
    original = mic.bitstream.read(tmp_path / "original.m4v")
    assert (np.delete(clip.residual.y, [3, 4], 0) == original.residual.y).all()


def test_sizes_from_the_smallest_to_the_largest(plain, tmp_path):
    path = tmp_path / "size.m4v"
    for width, height in ((8191, 1), (1, 8191)):
        layer = video_object_layer(plain.vol, resolution=25, width=width, height=height)
        macroblocks = -(-width // 16) * -(-height // 16)
        # Every macroblock is skipped: one bit each.
        bits = f"{0x1B6:032b}" + "01" + "0" + "1" + "0" * 5 + "1" + "1"
        bits += "0" + "000" + f"{2:05b}" + "001" + "1" * macroblocks
        bits += "0" + "1" * ((-len(bits) - 1) % 8)
        path.write_bytes(layer + int(bits, 2).to_bytes(len(bits) // 8, "big"))
        clip = mic.bitstream.read(path)
        assert clip.residual.y.shape == (1, height, width)
        assert clip.residual.skipped.all()
    for width, height in ((0, 16), (16, 0)):
        layer = video_object_layer(plain.vol, resolution=25, width=width, height=height)
        path.write_bytes(layer + plain.vops[0].data)
        with pytest.raises(BitstreamError, match="0"):
            read_all(path)
