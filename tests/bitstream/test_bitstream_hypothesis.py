"""Encoder options that nobody chose: Hypothesis looks for a stream that is not read exactly."""

import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings, target
from hypothesis import strategies as st
from oracles import compare
from oracles.encoders import Options, synthetic

OPTIONS = st.builds(
    Options,
    width=st.integers(17, 90),
    height=st.integers(1, 70),
    frames=st.integers(2, 5),
    quant=st.integers(1, 31),
    gop=st.sampled_from([1, 2, 600]),
    b_frames=st.integers(0, 3),
    four_mv=st.booleans(),
    quarter_pel=st.booleans(),
    mpeg_quant=st.booleans(),
    slices=st.integers(1, 3),
    packet_bytes=st.sampled_from([0, 0, 20, 90, 300]),
    cut_every=st.sampled_from([0, 0, 2, 3]),
    adaptive_quant=st.booleans(),
    noise=st.floats(0, 60),
    speed=st.floats(0, 12),
    seed=st.integers(0, 1 << 20),
    suffix=st.sampled_from([".m4v", ".mp4", ".avi", ".mkv"]),
)


@given(options=OPTIONS, threads=st.integers(1, 3))
@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
def test_every_encoding_is_read_exactly(options, threads):
    with tempfile.TemporaryDirectory() as folder:
        path = synthetic(Path(folder), options)
        total = compare.residuals(path, threads=threads) + compare.motion(path)
        total += compare.reconstruction(path)
    target(float(total.macroblocks - total.intra), label="inter macroblocks")
    assert total.differing == 0
    assert total.differing_vectors == 0
