"""`--overlay`: a film of any video that `mic predict` reads, or a refusal before the work."""

import dataclasses
from fractions import Fraction

import containers
import numpy as np
import pytest

from mic import cli, codec
from mic import recognition as prediction
from mic.errors import CodecError
from mic.publishing.film import Caption, overlay

# A picture each twentieth of a second, and a pause of days in the middle.
PAUSE = [*range(0, 1000, 50), *range(6_000_000_000, 6_000_001_000, 50)]


def caption(first, last, start, end):
    return Caption(
        first=first,
        last=last,
        start=start,
        end=end,
        outline=None,
        probabilities=None,
        status="no face",
    )


def film(path, stamps, unit=Fraction(1, 1000)):
    made = containers.Film(stamps=stamps, time_base=unit, codec="libx264")
    return containers.write(path, made)


def test_a_film_of_a_video_with_a_pause_of_days_keeps_its_times(tmp_path, capsys):
    video = film(tmp_path / "a.mkv", PAUSE)
    target = tmp_path / "shown.mkv"
    rows = tmp_path / "rows.csv"
    command = ["predict", str(video), "--out", str(rows), "--overlay", str(target)]
    assert cli.main(command) == 0
    assert codec.Video(target).times == pytest.approx(codec.Video(video).times, abs=1e-3)
    assert codec.Video(target).duration == pytest.approx(codec.Video(video).duration, abs=0.01)


def test_a_pause_that_the_film_would_not_keep_is_refused_before_the_work(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(prediction.Task, "load", lambda _: pytest.fail("work has begun"))
    video, target = film(tmp_path / "a.mkv", PAUSE), tmp_path / "shown.mp4"
    assert cli.main(["predict", str(video), "--overlay", str(target)]) == 1
    said = capsys.readouterr().err
    assert f"{target}, at 0.95 s: a pause of 5999999 s is longer than MP4 keeps" in said
    assert "write .mkv" in said


@pytest.mark.parametrize(
    ("name", "stamps", "unit"),
    [
        ("slow.mkv", range(0, 120_000_000, 20_000_000), Fraction(1, 1000)),
        ("fast.mp4", range(40), Fraction(1, 3000)),
    ],
)
def test_a_film_has_the_times_of_rates_that_no_encoder_takes(name, stamps, unit, tmp_path):
    video = codec.Video(film(tmp_path / name, list(stamps), unit))
    assert video.steady
    target = tmp_path / f"shown_{name}"
    captions = [caption(0, len(video) - 1, 0.0, video.duration)]
    overlay(video.path, target, captions, classes=("a", "b"))
    assert codec.Video(target).times == pytest.approx(video.times, abs=1e-3)


def test_pictures_of_a_film_are_of_one_size_whatever_stands_above_the_bars(tmp_path):
    video = film(tmp_path / "a.mkv", list(range(0, 2000, 50)))
    short = caption(0, 19, 0.0, 1.0)
    long = dataclasses.replace(caption(20, 39, 1.0, 2.0), status="what is said of it is long")
    widths = {}
    for name, captions in (("short", [short]), ("both", [short, long])):
        overlay(video, tmp_path / f"{name}.mkv", captions, classes=("a", "b"))
        shown = codec.Video(tmp_path / f"{name}.mkv")
        assert len(shown) == 40
        widths[name] = shown.size[0]
    assert widths["both"] > widths["short"]


def test_the_refusal_names_the_film_where_no_command_asked_before(tmp_path):
    video, target = film(tmp_path / "a.mkv", PAUSE), tmp_path / "shown.mp4"
    with pytest.raises(CodecError, match="longer than MP4 keeps") as caught:
        overlay(video, target, [caption(0, 39, 0.0, 2.0)], classes=("a",))
    assert caught.value.file == target
    assert np.isclose(float(caught.value.place.split()[1]), 0.95)
