"""native/README.md says what the sources and the measured tables say."""

import sys
from pathlib import Path

import mic.publishing.report.markdown

NATIVE = Path(__file__).resolve().parents[2] / "native"


def test_the_map_of_clauses_is_that_of_the_sources(monkeypatch):
    monkeypatch.setattr(sys, "path", [str(NATIVE), *sys.path])
    import clauses

    text = (NATIVE / "README.md").read_text()
    assert clauses.filled(text) == text, "run native/clauses.py"
    assert len(clauses.functions()) > 50


def test_speeds_are_the_measured_ones():
    text = (NATIVE / "README.md").read_text()
    assert mic.publishing.report.markdown.filled(text, NATIVE.parent / "results") == text


def test_files_named_exist():
    text = (NATIVE / "README.md").read_text()
    for name in ("idct.cpp", "idct_avx2.cpp", "motion.hpp", "clauses.py", "fuzz"):
        assert f"`{name}" in text
        assert (NATIVE / name).exists()
