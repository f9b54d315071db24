"""Pictures coded and parsed one by one give what a file of them gives."""

import numpy as np
import pytest

from mic import bitstream, codec
from mic.codec import LiveEncoder
from mic.errors import BitstreamError, CodecError, ConfigError
from mic_bitstream.packets import PacketStream


@pytest.fixture(scope="module")
def frames():
    rng = np.random.default_rng(5)
    texture = rng.integers(0, 256, (16, 18, 3)).astype(np.uint8)
    picture = np.kron(texture, np.ones((6, 5, 1), np.uint8))
    return [np.roll(picture, (k, 2 * k), (0, 1))[:80, :64] for k in range(24)]


def test_packets_as_they_come_equal_the_file(frames, tmp_path):
    codec.encode_frames(frames, tmp_path / "clip.mp4", frame_rate=25, gop=9, vop_quant=3)
    stream = PacketStream()
    seen = []
    with LiveEncoder(width=64, height=80, gop=9, vop_quant=3) as encoder:
        for number, frame in enumerate(frames):
            assert stream.append(encoder.encode(frame)) == number
            seen.append(stream.residual([-1]).y[0])
    with bitstream.open(tmp_path / "clip.mp4") as file:
        assert stream.vop_types == file.vop_types == ("I" + 8 * "P") * 2 + "IPPPPP"
        assert np.array_equal(np.stack(seen), file.residual().y)
        assert np.array_equal(stream.motion().blocks, file.motion().blocks)
    assert np.abs(seen[1]).max() > 0


def test_an_intra_picture_on_demand_begins_a_group(frames):
    with LiveEncoder(width=64, height=80, gop=10, vop_quant=3) as encoder:
        packets = [encoder.encode(frame, intra=k == 4) for k, frame in enumerate(frames)]
    stream = PacketStream()
    for packet in packets:
        stream.append(packet)
    assert stream.vop_types[:15] == "IPPPIPPPPPPPPPI"
    # Its packet carries the headers, so that a reader can begin there.
    late = PacketStream()
    late.append(packets[4])
    late.append(packets[5])
    assert np.array_equal(late.residual([1]).y, stream.residual([5]).y)


def test_wrong_pictures_and_options_are_refused(frames):
    encoder = LiveEncoder(width=64, height=80)
    with pytest.raises(CodecError, match="must be uint8"):
        encoder.encode(frames[0][:40])
    with pytest.raises(CodecError, match="must be uint8"):
        encoder.encode(frames[0].astype(np.int16))
    with pytest.raises(ConfigError, match="unknown encoding option"):
        LiveEncoder(width=64, height=80, quantizer=3)


def test_packets_that_are_no_pictures_are_refused():
    stream = PacketStream()
    with pytest.raises(BitstreamError):
        stream.append(b"\x00\x00\x01\xb6\x50 a predicted picture without headers")
    assert stream.frame_count == 0
