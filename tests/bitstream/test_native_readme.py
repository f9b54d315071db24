"""native/README.md says what the sources and the measured tables say."""

import sys
from pathlib import Path

import pandas as pd
import pytest

import mic.publishing.report.markdown

NATIVE = Path(__file__).resolve().parents[2] / "native"


def test_the_map_of_clauses_is_that_of_the_sources(monkeypatch):
    monkeypatch.setattr(sys, "path", [str(NATIVE), *sys.path])
    import clauses

    text = (NATIVE / "README.md").read_text()
    assert clauses.filled(text) == text, "run native/clauses.py"
    assert len(clauses.functions()) > 50


@pytest.mark.parametrize("page", ["native/README.md", "docs/guide/speed.md"])
def test_speeds_are_the_measured_ones(page):
    text = (NATIVE.parent / page).read_text()
    assert "<!-- table: speed_bitstream" in text
    assert mic.publishing.report.markdown.filled(text, NATIVE.parent / "results") == text


def test_tables_are_those_of_the_grid(monkeypatch):
    monkeypatch.setattr(sys, "path", [str(NATIVE.parent / "tests" / "bench"), *sys.path])
    import ratios

    folder = NATIVE.parent / "results" / "bitstream_speed"
    grid = pd.read_csv(folder / "speed_bitstream.csv")
    for name, made in (
        ("summary", ratios.summary(grid)),
        ("sizes", ratios.by_size(grid)),
        ("targets", ratios.targets(grid)),
    ):
        committed = pd.read_csv(folder / f"speed_bitstream_{name}.csv")
        # The grid itself is rounded to four digits.
        pd.testing.assert_frame_equal(committed, made, rtol=2e-3)


def test_targets_name_the_worst_cell(monkeypatch):
    monkeypatch.setattr(sys, "path", [str(NATIVE.parent / "tests" / "bench"), *sys.path])
    import ratios

    cells = [(176, 144, 2.5), (640, 480, 1.4), (1280, 720, 0.9), (1920, 1080, 1.1)]
    grid = pd.DataFrame(
        [
            {"clip": "face", "width": w, "height": h, "vop_quant": 5, "ratio": ratio}
            for w, h, ratio in cells
        ]
    ).assign(reader="mic accumulated", frames=60, wall_ratio=1.0)
    small, large = ratios.targets(grid).to_dict("records")
    assert (small["target"], small["worst_in"]) == (1.5, "face 640x480, quantiser 5")
    assert (small["below"], small["n"]) == (1, 2)
    assert (large["target"], large["worst"], large["below"]) == (1.0, 0.9, 1)
    assert ratios.summary(grid)["worst_in"].item() == "face 1280x720, quantiser 5"
    assert ratios.by_size(grid)["1920x1080_high"].item() == 1.1


def test_files_named_exist():
    text = (NATIVE / "README.md").read_text()
    for name in ("idct.cpp", "idct_avx2.cpp", "motion.hpp", "clauses.py", "fuzz"):
        assert f"`{name}" in text
        assert (NATIVE / name).exists()
