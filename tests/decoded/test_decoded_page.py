"""docs/guide/decoded.md says what was measured."""

from pathlib import Path

import mic.publishing.report.markdown

REPOSITORY = Path(__file__).resolve().parents[2]


def test_distances_are_the_measured_ones():
    text = (REPOSITORY / "docs" / "guide" / "decoded.md").read_text()
    assert mic.publishing.report.markdown.filled(text, REPOSITORY / "results") == text
    assert "carphone | h264" in text
