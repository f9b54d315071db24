"""One hurt bit, one VOP moved: what a stream's syntax or clock can tell is never passed over."""

import itertools

import numpy as np
import pytest
from oracles import stream
from oracles.encoders import Options, synthetic

import mic.bitstream
from mic.errors import BitstreamError

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
