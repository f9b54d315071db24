"""B-VOPs and packed bitstreams: residuals, vectors, modes and order equal the oracles'."""

import dataclasses
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from oracles import compare, matrix, stream
from oracles.encoders import Options, ffmpeg, frames, synthetic

import mic.bitstream
from mic.errors import BitstreamError, UnsupportedSyntaxError
from mic.extraction.source import coded
from mic_bitstream import PacketStream
from mic_bitstream.stream import PARTS

STREAMS = matrix.streams(
    [(16, 16), (50, 37), (96, 64)],
    frames=(9,),
    b_frames=(1, 2, 3),
    gop=(600, 5),
    packet_bytes=(0, 40, 200),
    slices=(1,),
    cut_every=(4, 0, 0, 0, 0),
)
SMALL = Options(width=64, height=48, frames=10, b_frames=2, four_mv=True, speed=0.8)
XVID = [
    ("-bf", "2"),
    ("-bf", "1", "-flags", "+mv4+qpel", "-me_quality", "6"),
    ("-bf", "3", "-mpeg_quant", "1", "-lumi_aq", "1", "-g", "9"),
]


def check(path: Path, record_property) -> compare.Counts:
    """Residuals, modes, and (mean of both predictions + residual = libavcodec's frame)."""
    assert "B" in mic.bitstream.open(path).vop_types
    total = compare.residuals(path) + compare.motion(path) + compare.reconstruction(path)
    record_property("counted residual samples compared", total.samples)
    record_property("counted motion vectors compared", total.vectors)
    assert total.differing == 0
    assert total.differing_vectors == 0
    return total


def packed(folder: Path, *, count: int = 16) -> Path:
    """Xvid's packed bitstream in an AVI."""
    pictures = frames(Options(width=64, height=48, frames=count, speed=0.8))
    return ffmpeg(folder / "packed.avi", pictures, "-c:v", "libxvid", "-q:v", "4", "-bf", "2")


def demuxed(path: Path) -> tuple[bytes, list[bytes]]:
    """Headers and packets as the container has them."""
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        return video.codec_context.extradata or b"", [
            bytes(packet) for packet in container.demux(video) if packet.size
        ]


@pytest.mark.parametrize("options", STREAMS)
def test_sizes_and_tools(options, tmp_path, record_property):
    check(synthetic(tmp_path, options), record_property)


@pytest.mark.parametrize("arguments", XVID, ids=" ".join)
@pytest.mark.parametrize("suffix", ["avi", "mp4"])
def test_a_second_encoder(arguments, suffix, tmp_path, record_property):
    # In an AVI Xvid packs; in an MP4 the VOPs stand apart.
    pictures = frames(Options(width=90, height=70, frames=16, noise=6, speed=1.3, cut_every=9))
    path = tmp_path / f"xvid.{suffix}"
    ffmpeg(path, pictures, "-c:v", "libxvid", "-q:v", "3", *arguments)
    check(path, record_property)


def test_every_mode_is_reached(tmp_path):
    # If the encoders stopped using one, the tests above would pass without testing it.
    options = Options(width=96, height=64, frames=12, b_frames=2, four_mv=True, cut_every=5)
    path = synthetic(tmp_path, options)
    clip = mic.bitstream.read(path, what=("motion", "macroblocks"))
    bidirectional = np.array(list(mic.bitstream.open(path).vop_types)) == "B"
    types = clip.motion.types[bidirectional]
    assert set(np.unique(types)) == {5, 6, 7, 8, 9}
    direct = (types == mic.bitstream.DIRECT).repeat(2, 1).repeat(2, 2)
    forward, backward = clip.motion.blocks[bidirectional], clip.motion.backward[bidirectional]
    assert forward[direct].any()
    assert backward[direct].any()
    blocks = forward.reshape(len(forward), 4, 2, 6, 2, 2)
    four = (blocks != blocks[:, :, :1, :, :1]).any((2, 4, 5))
    assert (four & (types == mic.bitstream.DIRECT)).any()
    assert not four[types != mic.bitstream.DIRECT].any()
    # dbquant: quantisers change within a B-VOP.
    changing = dataclasses.replace(options, adaptive_quant=True, noise=20)
    modes = mic.bitstream.read(synthetic(tmp_path, changing), what=("macroblocks",)).macroblocks
    rows = modes.quantiser[np.isin(modes.types, (7, 8, 9)).any((1, 2))]
    assert max(np.unique(row[row > 0]).size for row in rows) > 1


@pytest.mark.parametrize("scale", [2, 4, 8])
def test_scaled(scale, tmp_path):
    total = compare.residuals(synthetic(tmp_path, SMALL), scale=scale)
    assert total.samples > 0
    assert total.differing == 0


def test_order(tmp_path):
    path = synthetic(tmp_path, Options(frames=9, b_frames=2, suffix=".mp4"))
    with av.open(str(path)) as container:
        stamps = [packet.pts for packet in container.demux(video=0) if packet.size]
    with mic.bitstream.open(path) as opened:
        assert opened.vop_types == "IPBBPBBPB"
        assert not opened.low_delay
        assert opened.display_order.tolist() == np.argsort(stamps).tolist()
        shown = opened.residual(opened.display_order)
        coding = opened.residual()
    assert shown.shown.tolist() == list(range(9))
    assert (coding.y[np.argsort(coding.shown)] == shown.y).all()
    plain = synthetic(tmp_path, Options(frames=4, suffix=".mp4"))
    with mic.bitstream.open(plain) as opened:
        assert opened.low_delay
        assert opened.display_order.tolist() == [0, 1, 2, 3]
        found = opened.motion([2, 0])
    assert found.shown.tolist() == [2, 0]
    assert found.backward is None


def test_any_frame_alone(tmp_path):
    path = synthetic(tmp_path, SMALL)
    with mic.bitstream.open(path) as opened:
        whole = opened.read(what=PARTS, threads=2)
        for number in reversed(range(opened.frame_count)):
            one = opened.read(what=PARTS, frames=[number])
            assert (one.residual.y[0] == whole.residual.y[number]).all()
            assert (one.motion.blocks[0] == whole.motion.blocks[number]).all()
            assert (one.motion.backward[0] == whole.motion.backward[number]).all()
            assert (one.macroblocks.bits[0] == whole.macroblocks.bits[number]).all()
        sums = opened.segment_sums(1)
    assert (sums.y[0] == whole.residual.y.astype(np.int32).sum(0)).all()


def test_b_vops_are_no_part_of_a_chain(tmp_path):
    path = synthetic(tmp_path, SMALL)
    clip = stream.load(path)
    kept = [number for number, vop in enumerate(clip.vops) if vop.kind != "B"]
    bare = tmp_path / "bare.m4v"
    bare.write_bytes(clip.headers + b"".join(clip.vops[number].data for number in kept))
    with mic.bitstream.open(path) as opened, mic.bitstream.open(bare) as without:
        for definition in ("standard", "coviar"):
            ours = opened.accumulated(kept, definition=definition)
            assert (ours.y == without.accumulated(definition=definition).y).all()
            assert ours.y.any()
        with pytest.raises(UnsupportedSyntaxError, match="pass it by") as caught:
            opened.accumulated()
    assert "frame 2 and" in caught.value.place
    assert "vop_types" in caught.value.remedy


def test_times_beyond_a_second_and_groups(tmp_path, record_property):
    # Seconds count from reference to reference, and each group of VOPs starts them anew.
    options = Options(width=32, height=32, frames=80, b_frames=3, gop=30, speed=0.9)
    path = synthetic(tmp_path, options)
    assert path.read_bytes().count(b"\0\0\1\xb3") == 3
    check(path, record_property)


def test_packed_bitstreams(tmp_path, record_property):
    path = packed(tmp_path)
    headers, packets = demuxed(path)
    assert any(packet.count(b"\0\0\1\xb6") == 2 for packet in packets)
    placeholders = [packet for packet in packets if len(packet) < 10]
    assert placeholders
    check(path, record_property)
    found = mic.bitstream.read(path)
    with av.open(str(path)) as container:
        shown = sum(1 for _ in container.decode(video=0))
    # libavcodec waits for a packet that never comes before it decodes the last B-VOP.
    assert shown <= found.frame_count <= shown + 1
    # The same from memory, as an elementary stream, and in an MP4.
    grown = PacketStream(headers)
    for packet in packets:
        grown.append(packet)
    elementary = tmp_path / "packed.m4v"
    elementary.write_bytes(headers + b"".join(packets))
    assert (grown.residual().y == found.residual.y).all()
    assert (mic.bitstream.read(elementary).residual.y == found.residual.y).all()


def test_packed_bitstreams_in_a_sample_table(tmp_path):
    # The table of an MP4 is indexed by the first bytes of each packet, which do not tell.
    path = packed(tmp_path)
    with av.open(str(path)) as source, av.open(str(tmp_path / "p.mp4"), "w") as target:
        video = target.add_stream_from_template(source.streams.video[0])
        for time, packet in enumerate(source.demux(video=0)):
            if packet.size:
                packet.pts = packet.dts = time
                packet.time_base = Fraction(1, 25)
                packet.stream = video
                target.mux(packet)
    assert any(packet.count(b"\0\0\1\xb6") == 2 for packet in demuxed(tmp_path / "p.mp4")[1])
    expected, found = mic.bitstream.read(path), mic.bitstream.read(tmp_path / "p.mp4")
    assert found.frame_count == expected.frame_count
    assert (found.residual.y == expected.residual.y).all()


def not_coded(vop: bytes) -> bytes:
    """A VOP of the same type and time as `vop`, with vop_coded = 0; 5 bits of increment."""
    bits = f"{int.from_bytes(vop[:12], 'big'):096b}"
    end = bits.index("0", 34) + 1 + 1 + 5 + 1
    bits = bits[:end] + "0"
    bits += "0" + "1" * ((-len(bits) - 1) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big")


def test_a_b_vop_that_is_not_coded(tmp_path):
    clip = stream.load(synthetic(tmp_path, SMALL))
    assert clip.vol.time_bits == 5
    assert "".join(vop.kind for vop in clip.vops[:5]) == "IPBBP"
    vops = [vop.data for vop in clip.vops]
    vops[2] = not_coded(vops[2])
    path = tmp_path / "empty.m4v"
    path.write_bytes(clip.headers + b"".join(vops))
    whole = mic.bitstream.read(tmp_path / "synthetic.m4v")
    with mic.bitstream.open(path) as opened:
        assert opened.vop_types[:5] == "IPNBP"
        assert opened.display_order[:4].tolist() == [0, 2, 3, 1]
        found = opened.residual()
        with pytest.raises(UnsupportedSyntaxError):
            opened.accumulated([2])
    assert found.skipped[2].all()
    assert (np.delete(found.y, 2, 0) == np.delete(whole.residual.y, 2, 0)).all()


@pytest.mark.parametrize("gone", [0, 1])
def test_without_a_reference(gone, tmp_path):
    # Which macroblocks a B-VOP holds is known from its reference alone: never guessed.
    clip = stream.load(synthetic(tmp_path, SMALL))
    path = tmp_path / "open.m4v"
    vops = [vop.data for number, vop in enumerate(clip.vops) if number != gone]
    path.write_bytes(clip.headers + b"".join(vops))
    with pytest.raises(BitstreamError, match="reference"):
        mic.bitstream.read(path)
    masked = mic.bitstream.read(path, on_error="mask").residual
    types = mic.bitstream.open(path).vop_types
    first = types.index("B")
    assert masked.missing[first : first + 2].all()
    assert len(masked.errors) == 2
    whole = mic.bitstream.read(tmp_path / "synthetic.m4v").residual
    assert (masked.y[first + 2 :] == whole.y[first + 3 :]).all()


def test_behind_a_damaged_reference(tmp_path):
    options = Options(width=64, height=48, frames=4, b_frames=2, quant=2, packet_bytes=70)
    clip = stream.load(synthetic(tmp_path, options))
    whole = mic.bitstream.read(tmp_path / "synthetic.m4v", what=("residual", "motion"))
    vops = [bytearray(vop.data) for vop in clip.vops]
    middle = len(vops[1]) // 2
    vops[1][middle : middle + 30] = bytes(30)
    path = tmp_path / "damaged.m4v"
    path.write_bytes(clip.headers + b"".join(vops))
    found = mic.bitstream.read(path, what=("residual", "motion"), on_error="mask")
    assert found.residual.missing[1:].any((1, 2)).all()
    assert not found.residual.missing.all((1, 2)).any() or found.residual.missing[2:].any()
    for row in range(4):
        kept = ~found.residual.missing[row]
        samples = kept.repeat(16, 0).repeat(16, 1)
        blocks = kept.repeat(2, 0).repeat(2, 1)
        assert (found.residual.y[row] == whole.residual.y[row])[samples].all()
        assert (found.motion.backward[row] == whole.motion.backward[row])[blocks].all()
    assert any("next reference VOP is damaged" in str(error) for error in found.residual.errors)


def test_a_b_vop_outside_its_references_in_time(tmp_path):
    clip = stream.load(synthetic(tmp_path, SMALL))
    vops = [vop.data for vop in clip.vops]
    vops[2], vops[5] = vops[5], vops[2]
    assert clip.vops[2].kind == clip.vops[5].kind == "B"
    path = tmp_path / "swapped.m4v"
    path.write_bytes(clip.headers + b"".join(vops))
    masked = mic.bitstream.read(path, on_error="mask").residual
    assert masked.missing.all((1, 2)).nonzero()[0].tolist() == [2, 5]


def test_extraction_reads_such_videos_as_they_are_shown(tmp_path):
    path = synthetic(tmp_path, Options(width=64, height=48, frames=6, b_frames=2, suffix=".mp4"))
    with coded(path) as video, mic.bitstream.open(path) as stream:
        assert video.method == "bitstream"
        assert video.rows.tolist() == stream.display_order.tolist()
        assert "".join(video.kinds()).count("B") == 3
