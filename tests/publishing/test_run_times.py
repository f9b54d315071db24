"""The line of a notebook that says how long it ran, and the README's table of them."""

import nbformat
import pytest
from nbformat.v4 import new_markdown_cell, new_notebook

from mic.config import load
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


def _notebook(folder, line=FIRST):
    path = folder / "05_one.ipynb"
    nbformat.write(new_notebook(cells=[new_markdown_cell(line)]), path)
    return path


@pytest.fixture
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("MIC_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_a_committed_time_is_expected_of_its_own_profile_on_generated_data_only(
    own_home, tmp_path
):
    path = _notebook(tmp_path, _said(FIRST, 1250, empty=True))
    (one,) = run_times.expected([path], load("default"))
    assert (one.seconds, one.store, one.here) == (1250, "empty", False)
    assert "21 min" in str(one)
    for profile, data in (
        (load("default", epochs=90), {}),
        (load("paper"), {}),
        (load("default"), {"ckplus": "ab"}),
    ):
        (one,) = run_times.expected([path], profile, data=data)
        assert one.seconds is None
        assert "never measured" in str(one)


def test_a_run_here_is_expected_again_with_the_same_data_and_settings(own_home, tmp_path):
    path, paper, data = _notebook(tmp_path), load("paper"), {"ckplus": "ab"}
    run_times.note("05_one", paper, data, 90_000, empty=True)
    run_times.note("05_one", paper, data, 30, empty=False)  # all stored: tells nothing
    (one,) = run_times.expected([path], paper, data=data)
    assert (one.seconds, one.store, one.here) == (90_000, "empty", True)
    (other,) = run_times.expected([path], paper, data={"ckplus": "cd"})
    assert other.seconds is None


def test_spoilt_notes_are_written_again(own_home, tmp_path):
    own_home.mkdir()
    (own_home / "run_times.json").write_text("{")
    path, smoke = _notebook(tmp_path), load("smoke")
    assert run_times.expected([path], smoke)[0].seconds is None
    run_times.note("05_one", smoke, {}, 5, empty=False)
    assert run_times.expected([path], smoke)[0].seconds == 5


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(40, "40 s"), (1500, "25 min"), (27_000, "7.5 h"), (40_000, "11 h"), (1_036_800, "12 days")],
)
def test_times_are_told_as_people_say_them(seconds, words):
    assert run_times.in_words(seconds) == words
