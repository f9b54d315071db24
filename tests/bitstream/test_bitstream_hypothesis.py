"""Encoder options that nobody chose: Hypothesis looks for a stream that is not read exactly."""

import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings, target
from hypothesis import strategies as st
from oracles import compare, matrix
from oracles.encoders import synthetic

OPTIONS = matrix.drawn(
    b_frames=st.integers(0, 3), suffix=st.sampled_from([".m4v", ".mp4", ".avi", ".mkv"])
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
