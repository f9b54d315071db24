"""Random valid syntax, read by libavcodec and by us: every sample, vector and mode."""

import random

import pytest
from oracles import compare, syntax


def test_random_syntax_is_read_as_libavcodec_reads_it(tmp_path, record_property):
    total, bidirectional = compare.Counts(), 0
    for seed in range(40):
        rng = random.Random(seed)
        shape = syntax.shape(rng)
        path = tmp_path / "random.m4v"
        found = compare.random_syntax(path, shape, rng)
        bidirectional += shape.b_vops
        assert found.differing == 0, (seed, shape)
        assert found.differing_vectors == 0, (seed, shape)
        total += found
    record_property("counted samples of random syntax", total.samples)
    assert total.samples > 300_000
    assert total.vectors > 2_000
    assert total.intra > 100
    assert bidirectional > 10


@pytest.mark.parametrize("fcode", range(1, 8))
@pytest.mark.parametrize("quarter", [False, True])
def test_vectors_of_every_range(fcode, quarter, tmp_path):
    rng = random.Random(fcode)
    shape = syntax.Shape(fcode=fcode, quarter_sample=quarter, rich=0.3, packets=True)
    found = compare.random_syntax(tmp_path / "random.m4v", shape, rng)
    assert found.differing == found.differing_vectors == 0


@pytest.mark.parametrize("fcode", range(1, 8))
@pytest.mark.parametrize("quarter", [False, True])
def test_vectors_of_every_range_in_both_directions(fcode, quarter, tmp_path):
    rng = random.Random(fcode)
    shape = syntax.Shape(
        fcode=fcode, backward_fcode=8 - fcode, quarter_sample=quarter, rich=0.3, b_vops=2
    )
    found = compare.random_syntax(tmp_path / "random.m4v", shape, rng)
    assert found.differing == found.differing_vectors == 0
