"""The line of a notebook that says how long it ran, and the README's table of them."""

import nbformat
import pytest
from nbformat.v4 import new_markdown_cell, new_notebook

from mic.publishing import run_times

FIRST = "# Title\n\n**Run time:** not measured\n\nText with a \\backslash."


def _said(text, seconds, *, empty, profile="default"):
    return run_times.written(text, seconds, profile=profile, empty=empty)


def test_the_line_says_what_was_measured_and_the_rest_stays():
    text = _said(FIRST, 61.6, empty=True)
    assert "**Run time:** 62 s (default profile, " in text
    assert text.endswith("empty store)\n\nText with a \\backslash.")
    assert "filled store" in _said(FIRST, 3, empty=False)


@pytest.mark.parametrize(
    ("second", "stays"),
    [
        ({"empty": False}, True),
        ({"empty": True}, False),
        ({"empty": False, "profile": "smoke"}, False),
    ],
)
def test_a_time_from_an_empty_store_outlives_shorter_ones(second, stays):
    first = _said(FIRST, 900, empty=True)
    assert ("900 s" in _said(first, 20, **second)) is stays


def test_the_table_has_each_notebook_and_the_sum(tmp_path):
    for number, seconds in enumerate((10, 20)):
        cell = new_markdown_cell(_said(FIRST, seconds, empty=bool(number)))
        nbformat.write(new_notebook(cells=[cell]), tmp_path / f"0{number}_one.ipynb")
    table = run_times.table(tmp_path)
    assert list(table["notebook"]) == ["00_one", "01_one", "all"]
    assert list(table["seconds"]) == [10, 20, 30]
    assert list(table["store"]) == ["filled", "empty", ""]


def test_a_store_is_empty_until_something_was_computed(tmp_path, monkeypatch):
    monkeypatch.setenv("MIC_HOME", str(tmp_path / "home"))
    assert run_times.store_is_empty()
    (tmp_path / "home" / "assets").mkdir(parents=True)  # unpacked from the package index's files
    assert run_times.store_is_empty()
    (tmp_path / "home" / "cache").mkdir()
    assert not run_times.store_is_empty()
