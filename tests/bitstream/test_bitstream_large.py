"""Arrays larger than a processor's caches are written past them: the same samples."""

import numpy as np
import pytest
from oracles import stream
from oracles.encoders import Options, synthetic

import mic.bitstream
from mic.errors import BitstreamError

BYTES = 25 << 20  # more than native/batch.cpp takes for the caches' size
SHAPES = {
    "odd": Options(width=50, height=37, frames=6, quant=2, packet_bytes=80, noise=6),
    "whole macroblocks": Options(width=64, height=48, frames=7, quant=3, four_mv=True),
    "one column": Options(width=15, height=130, frames=5, quant=2, noise=6),
    "bidirectional": Options(width=81, height=34, frames=7, b_frames=2, packet_bytes=90),
}


def check(path, scale, threads=1, on_error="raise"):
    """Every frame of a clip many times over, against every frame once."""
    with mic.bitstream.open(path, on_error=on_error) as opened:
        few = opened.residual(scale=scale, on_error=on_error)
        planes = (few.y, few.cb, few.cr)
        count = opened.frame_count
        times = 1 + BYTES // sum(plane.nbytes for plane in planes)
        # Memory that starts anywhere, with something in it.
        out = tuple(
            np.full(times * plane.size + 3, 99, np.int16)[3:].reshape(-1, *plane.shape[1:])
            for plane in planes
        )
        rows = np.tile(np.arange(count), times)
        many = opened.residual(rows, scale=scale, threads=threads, on_error=on_error, out=out)
    assert sum(plane.nbytes for plane in out) > BYTES - (1 << 20)
    for found, once in zip(out, planes, strict=True):
        assert (found.reshape(times, *once.shape) == once).all()
    assert (many.types.reshape(times, *few.types.shape) == few.types).all()
    assert few.y.any()
    return few


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("scale", "threads"), [(1, 1), (1, 2), (2, 1)])
def test_many_rows_are_the_few(shape, scale, threads, tmp_path):
    check(synthetic(tmp_path, SHAPES[shape]), scale, threads)


@pytest.mark.parametrize("shape", ["odd", "whole macroblocks", "bidirectional"])
def test_damage_leaves_zeros(shape, tmp_path):
    coded = stream.load(synthetic(tmp_path, SHAPES[shape]))
    vops = [vop.data for vop in coded.vops]
    # In the middle of a row of macroblocks for one, at the start for another.
    vops[2] = vops[2][: len(vops[2]) * 2 // 3]
    vops[4] = vops[4][:12]
    path = stream.written(tmp_path / "hurt.m4v", coded, vops)
    with pytest.raises(BitstreamError):
        mic.bitstream.read(path)
    few = check(path, 1, on_error="mask")
    assert few.missing[2].any()
    assert few.missing[4].all()
