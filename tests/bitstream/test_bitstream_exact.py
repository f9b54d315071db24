"""Residuals, vectors and modes equal the oracles', every sample: the matrix of the syntax."""

from pathlib import Path

import numpy as np
import pytest
from oracles import compare, material, matrix, stream
from oracles.encoders import Options, encode, ffmpeg, frames, synthetic

import mic.storage.assets

STREAMS = matrix.streams(
    [(1, 1), (16, 16), (17, 33), (96, 64), (131, 75), (8, 240), (350, 18)],
    frames=(8,),
    gop=(600, 5),
)


def check(path: Path, record_property, *, reconstruct: bool = True) -> compare.Counts:
    """Residual, vectors and (MC + residual = libavcodec's frame), all samples of a file."""
    total = compare.residuals(path) + compare.motion(path)
    if reconstruct:
        total += compare.reconstruction(path)
    record_property("counted residual samples compared", total.samples)
    record_property("counted motion vectors compared", total.vectors)
    assert total.differing == 0
    assert total.differing_vectors == 0
    return total


@pytest.mark.parametrize("options", STREAMS)
def test_sizes_and_tools(options, tmp_path, record_property):
    check(synthetic(tmp_path, options), record_property)


def test_the_matrix_reaches_every_mode(tmp_path):
    # If the encoder stopped using a tool, the tests above would pass without testing it.
    seen = set()
    for options in (
        Options(four_mv=True, frames=12, cut_every=5, speed=0.6),
        Options(adaptive_quant=True, frames=12, cut_every=4, noise=20, speed=0.6),
    ):
        path = synthetic(tmp_path, options)
        clip = mic.bitstream.read(path, what=("macroblocks",))
        seen |= set(clip.macroblocks.types.ravel().tolist())
    assert seen == {0, 1, 2, 3, 4, 5}


@pytest.mark.parametrize("quant", [1, 2, 5, 12])
@pytest.mark.parametrize(
    "tools", matrix.TOOLS[::3], ids=lambda t: "".join("FT"[flag] for flag in t)
)
def test_a_talking_face(quant, tools, tmp_path, record_property):
    four, quarter, mpeg = tools
    pictures = material.frames("carphone", 120, 144, 176)
    options = Options(
        width=176,
        height=144,
        quant=quant,
        four_mv=four,
        quarter_pel=quarter,
        mpeg_quant=mpeg,
        packet_bytes=0 if quant % 2 else 300,
        adaptive_quant=quant == 5,
    )
    path = encode(tmp_path / "carphone.mp4", pictures, options)
    total = check(path, record_property, reconstruct=quant == 2)
    assert total.intra < total.macroblocks / 4


def test_a_close_up_of_odd_size(tmp_path, record_property):
    pictures = material.frames("langer", 60, 355, 437, 3, 101)
    options = Options(width=437, height=355, quant=3, four_mv=True, quarter_pel=True)
    check(encode(tmp_path / "odd.mp4", pictures, options), record_property)


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("-mpeg_quant", "1"),
        ("-flags", "+mv4"),
        ("-flags", "+mv4+qpel", "-me_quality", "6"),
        ("-lumi_aq", "1", "-g", "7"),
        ("-mpeg_quant", "1", "-flags", "+qpel", "-variance_aq", "1"),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("suffix", ["avi", "mp4"])
def test_a_second_encoder(arguments, suffix, tmp_path, record_property):
    pictures = material.frames("carphone", 40, 142, 170, 1, 3)
    path = tmp_path / f"xvid.{suffix}"
    ffmpeg(path, pictures, "-c:v", "libxvid", "-q:v", "3", "-bf", "0", *arguments)
    check(path, record_property)


def test_custom_matrices(tmp_path, record_property):
    # Weights of a third encoder's: rising along the zigzag, another for intra and inter.
    intra = ",".join(str(8 + 2 * k) for k in range(64))
    inter = ",".join(str(200 - 3 * k) for k in range(64))
    for matrices in (("-inter_matrix", inter), ("-intra_matrix", intra, "-inter_matrix", inter)):
        path = tmp_path / "matrix.avi"
        pictures = frames(Options(width=100, height=60, frames=8, noise=12, speed=0.7))
        ffmpeg(
            path, pictures, "-c:v", "mpeg4", "-q:v", "2", "-mpeg_quant", "1", "-g", "5", *matrices
        )
        assert b"\x00\x00\x01\x20" in path.read_bytes()
        check(path, record_property)


def test_a_third_partys_file(record_property):
    total = check(mic.storage.assets.path("psychopy"), record_property, reconstruct=False)
    assert total.samples > 36_000_000
    assert total.intra > 0


def with_stuffing(clip: stream.Clip, ends: np.ndarray) -> bytes:
    """The clip with mcbpc stuffing (Tables B.6 and B.7) before every third macroblock.

    Args:
        clip: A clip without video packets.
        ends: Bits of each macroblock, (T, h * w).
    """
    out = clip.headers
    for vop, sizes in zip(clip.vops, ends, strict=True):
        text = "".join(f"{byte:08b}" for byte in vop.data)
        # Stuffing ends the VOP (one 0, then ones), so the macroblocks end before the last 0.
        position = text.rindex("0") - int(sizes.sum())
        bits = text[:position]
        code = "000000001" if vop.kind == "I" else "0" + "000000001"
        for number, size in enumerate(sizes):
            bits += code * (number % 3 + number % 2 if number % 3 else 0)
            bits += text[position : position + size]
            position += size
        bits += "0" + "1" * ((-len(bits) - 1) % 8)
        out += int(bits, 2).to_bytes(len(bits) // 8, "big")
    return out


@pytest.mark.parametrize("four", [False, True])
def test_macroblock_stuffing(four, tmp_path, record_property):
    options = Options(width=80, height=64, frames=6, four_mv=four, cut_every=4, speed=0.3, noise=1)
    path = synthetic(tmp_path, options)
    parsed = mic.bitstream.read(path, what=("residual", "macroblocks"))
    assert parsed.residual.skipped.any()
    stuffed = tmp_path / "stuffed.m4v"
    bits = parsed.macroblocks.bits.reshape(options.frames, -1)
    stuffed.write_bytes(with_stuffing(stream.load(path), bits))
    assert stuffed.stat().st_size > path.stat().st_size + 50
    check(stuffed, record_property)
    found = mic.bitstream.read(stuffed)
    assert (found.residual.y == parsed.residual.y).all()
    assert (found.residual.types == parsed.residual.types).all()
