"""`mic predict` and the tables of names and places that people have."""

import os

import pandas as pd
import pytest
from containers import Film, write

from mic import cli
from mic.recognition import people


@pytest.fixture
def odd(tmp_path):
    """A video with a name that is no UTF-8, and one that is no video."""
    folder = tmp_path / "films"
    folder.mkdir()
    film = Film(stamps=range(8))
    write(folder / "plain.mp4", film).rename(folder / os.fsdecode(b"caf\xe9.mp4"))
    (folder / os.fsdecode(b"no\xe9.mp4")).write_bytes(b"no video")
    return folder


@pytest.mark.parametrize("suffix", ["csv", "json", "parquet"])
def test_names_are_escaped_in_every_table(odd, tmp_path, suffix, capsys):
    out = tmp_path / f"t.{suffix}"
    assert cli.main(["predict", str(odd), "--out", str(out)]) == 1
    read = {"csv": pd.read_csv, "json": pd.read_json, "parquet": pd.read_parquet}[suffix]
    table = read(out)
    names = [name.rsplit("/", 1)[1] for name in table["video"]]
    assert names == [r"caf\xe9.mp4", r"no\xe9.mp4"]
    assert r"no\xe9.mp4" in table["error"].iloc[-1]
    capsys.readouterr().err.encode()


def test_rows_are_printed_as_they_come(odd, capfd):
    assert cli.main(["predict", str(odd)]) == 1
    assert r"caf\xe9.mp4," in capfd.readouterr().out


def test_the_places_of_results_are_tried_first(odd, tmp_path, monkeypatch, capsys):
    (tmp_path / "file").touch()

    def work(*arguments, **options):
        raise AssertionError("work began")

    monkeypatch.setattr(people.PeopleRecogniser, "__init__", work)
    video = str(next(odd.glob("caf*")))
    assert cli.main(["predict", video, "--out", str(tmp_path / "file" / "x.csv")]) == 1
    assert "cannot write" in capsys.readouterr().err
    arguments = ["predict", video, "--overlay", str(tmp_path / "file" / "x.mp4")]
    assert cli.main(arguments) == 1
    assert "cannot write" in capsys.readouterr().err
