"""Every committed table says under itself how much was asked, how often, and in which profile."""

import json
import re
from pathlib import Path

import pytest

RESULTS = Path(__file__).parents[2] / "results"
RUNS = {"smoke", "full", "paper", "own"}
COUNTED = re.compile(r"\bn \d|\b\d+ (clips?|frames|people|draws|distributions|rounds?|methods)\b")
REPEATED = re.compile(r"seeds?\b|nothing random|one thread")


def captions():
    found = []
    for path in sorted(RESULTS.rglob("provenance.json")):
        if path.relative_to(RESULTS).parts[0] in RUNS:
            continue  # what somebody ran here, of whatever day
        for name, table in json.loads(path.read_text("utf-8"))["tables"].items():
            place = path.parent.relative_to(RESULTS)
            found.append(pytest.param(table["caption"], id=f"{place}-{name}"))
    return found


@pytest.mark.parametrize("caption", captions())
def test_a_caption_says_what_stands_behind_its_table(caption):
    assert COUNTED.search(caption), caption
    assert REPEATED.search(caption), caption
    assert "rofile " in caption, caption
