"""One hurt bit, one VOP moved: what a stream's syntax or clock can tell is never passed over."""

import itertools

import av
import numpy as np
import pytest
from oracles import stream
from oracles.encoders import Options, synthetic
from oracles.stream import written

import mic.bitstream
import mic.codec
import mic_bitstream.coviar
from mic.errors import BitstreamError, CodecError

PARTS = ("residual", "motion", "macroblocks")
# Every choice of outputs: what is asked for must not decide what is seen.
CHOICES = [chosen for count in (1, 2, 3) for chosen in itertools.combinations(PARTS, count)]


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    options = Options(width=64, height=48, frames=8, gop=4, quant=3, speed=0.7, noise=4)
    return stream.load(synthetic(tmp_path_factory.mktemp("clip"), options))


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
        lambda path: list(mic_bitstream.coviar.frames(path)),
    ):
        with pytest.raises(CodecError, match=r"damaged|complete"):
            read(path)
