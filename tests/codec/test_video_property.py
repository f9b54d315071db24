"""Random containers: times lie in the video, every picture is in a row, content decides."""

import dataclasses
from fractions import Fraction

import numpy as np
import pytest
from containers import Film, difference, number, quarters, turned, with_edit, write
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from mic.codec import Video, reencode
from mic.recognition.windows import Options, plan

# What each container can hold: encoders, whether uneven times and offsets, and display matrices.
CONTAINERS = {
    "avi": (("mpeg4", "libx264"), False, False),
    "flv": (("flv", "libx264"), True, False),
    "mkv": (("mpeg4", "libx264", "libvpx"), True, True),
    "mov": (("mpeg4", "libx264"), True, True),
    "mp4": (("mpeg4", "libx264"), True, True),
    "ts": (("mpeg4", "libx264"), True, False),
    "webm": (("libvpx",), True, False),
    "nut": (("mpeg4", "libx264"), True, False),
}
ENCODING = {
    "libvpx": {"deadline": "realtime", "cpu-used": "8"},
    "libx264": {"preset": "ultrafast", "qp": "4"},
}


@dataclasses.dataclass(frozen=True)
class Case:
    """A film in a container, and when its pictures are to be seen."""

    suffix: str
    film: Film
    times: tuple[float, ...]
    cover: bool


@st.composite
def cases(draw):
    suffix = draw(st.sampled_from(sorted(CONTAINERS)))
    encoders, uneven, matrices = CONTAINERS[suffix]
    codec = draw(st.sampled_from(encoders))
    rate = draw(st.sampled_from([Fraction(10), Fraction(25), Fraction(30000, 1001), Fraction(60)]))
    # A transport stream of fewer packets is not recognised as one.
    count = draw(st.integers(8 if suffix == "ts" else 2, 18))
    gaps = st.integers(1, 6) if uneven else st.just(1)
    steps = draw(st.lists(gaps, min_size=count - 1, max_size=count - 1))
    offset = draw(st.integers(0, 90)) if uneven else 0
    stamps = tuple(offset + int(sum(steps[:k])) for k in range(count))
    options = dict(ENCODING.get(codec, {}))
    if draw(st.booleans()):
        options["g"] = str(draw(st.integers(1, 8)))
    if codec in ("mpeg4", "libx264") and draw(st.booleans()):
        options["bf"] = "2"
        options.pop("preset", None)
    turn = (0, False, False)
    if matrices:
        turn = draw(st.tuples(st.sampled_from([0, 90, 180, 270]), st.booleans(), st.booleans()))
    film = Film(
        stamps=stamps, time_base=1 / rate, rate=rate, codec=codec, options=options, turned=turn
    )
    times = tuple(float((stamp - stamps[0]) / rate) for stamp in stamps)
    return Case(suffix, film, times, matrices and suffix == "mkv" and draw(st.booleans()))


FEW = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@FEW
@given(case=cases())
def test_numbers_times_and_rows_hold_in_any_container(tmp_path, case):
    video = Video(write(tmp_path / f"a.{case.suffix}", case.film, cover=case.cover))
    pictures = list(video.pictures())
    # As many as were filmed, in that order, at their times: milliseconds in some containers.
    assert [number(p.rgb) for p in pictures] == [k % 20 for k in range(len(case.times))]
    assert len(video) == len(pictures)
    assert [p.number for p in pictures] == list(range(len(pictures)))
    times = np.array([p.time for p in pictures])
    np.testing.assert_allclose(times, case.times, atol=1.1e-3)
    np.testing.assert_array_equal(times, video.times)
    assert video.damage is None
    # They lie within the video, whose end is behind the last.
    assert times[0] == 0
    assert (np.diff(times) > 0).all()
    assert times[-1] < video.duration
    # What is read in the first pass is what each pass of its own would have found.
    surveyed = Video(video.path, survey=True)
    parsed = {"display"} if surveyed.codec == "mpeg4" else set()
    assert {"index"} | parsed <= vars(surveyed).keys()
    assert surveyed.display == video.display
    np.testing.assert_array_equal(surveyed.times, times)
    np.testing.assert_array_equal(surveyed.index.packet_of, video.index.packet_of)
    # Packets and pictures are paired one to one.
    shown = video.index.picture_of()
    assert sorted(shown[shown >= 0]) == list(range(len(pictures)))
    # Every picture belongs to a row, and rows lie within the video.
    for window, hop in ((0.2, None), (0.5, 0.1), (2.0, None)):
        rows = plan(video.times, video.duration, Options(window=window, hop=hop))
        covered = {k for first, last in rows for k in range(first, last + 1)}
        assert covered == set(range(len(pictures)))
        assert all(first <= last for first, last in rows)


@FEW
@given(
    suffix=st.sampled_from(["mov", "mp4"]),
    encoder=st.sampled_from(["mpeg4", "libx264"]),
    gop=st.integers(1, 12),
    b_frames=st.booleans(),
    cut=st.tuples(st.integers(0, 15), st.integers(1, 16)),
)
def test_what_an_edit_list_shows_is_the_video(tmp_path, suffix, encoder, gop, b_frames, cut):
    first, count = cut[0], min(cut[1], 16 - cut[0])
    options = {"g": str(gop)} | ({"bf": "2"} if b_frames else {"bf": "0"})
    film = Film(stamps=range(16), codec=encoder, options=options | {"x264-params": "log-level=0"})
    path = write(tmp_path / f"a.{suffix}", film)
    path.write_bytes(with_edit(path.read_bytes(), first, count))
    video = Video(path)
    pictures = list(video.pictures())
    assert [number(p.rgb) for p in pictures] == list(range(first, first + count))
    np.testing.assert_allclose(video.times, np.arange(count) / 25, atol=1e-3)
    assert [p.time for p in pictures] == video.times.tolist()
    assert video.duration == pytest.approx(count / 25, abs=2e-3)


@FEW
@given(case=cases(), data=st.data())
def test_any_pictures_can_be_had_alone(tmp_path, case, data):
    video = Video(write(tmp_path / f"a.{case.suffix}", case.film, cover=case.cover))
    every = {p.number: p for p in video.pictures()}
    wanted = data.draw(st.lists(st.sampled_from(sorted(every)), min_size=1, max_size=4))
    found = list(video.pictures(wanted))
    assert [p.number for p in found] == sorted(set(wanted))
    for picture in found:
        assert picture.time == every[picture.number].time
        np.testing.assert_array_equal(picture.rgb, every[picture.number].rgb)


@FEW
@given(case=cases())
def test_the_same_content_looks_the_same_however_it_is_stored(tmp_path, case):
    """Labels are functions of what is seen: so the pictures have to be the same, turned or not."""
    assume(case.film.codec != "libvpx")
    film = dataclasses.replace(case.film, picture=quarters())
    video = Video(write(tmp_path / f"a.{case.suffix}", film, cover=case.cover))
    upright = turned(quarters(), *film.turned)
    for picture in video.pictures():
        assert difference(picture.rgb, upright) < 12


@settings(parent=FEW, max_examples=15)
@given(case=cases(), target=st.sampled_from(["mp4", "mkv"]))
def test_a_second_encoding_has_the_same_times_and_pictures(tmp_path, case, target):
    source = Video(write(tmp_path / f"a.{case.suffix}", case.film, cover=case.cover))
    again = Video(reencode(source.path, tmp_path / f"b.{target}").target)
    # An even video of rounded stamps is coded at its even rate.
    tolerance = 1.1e-3 + (0.15 / float(source.frame_rate) if source.steady else 0)
    np.testing.assert_allclose(again.times, source.times, atol=tolerance)
    assert [number(p.rgb) for p in again.pictures()] == [k % 20 for k in range(len(source))]
    assert again.display.as_coded


@pytest.mark.parametrize("window", [0.2, 1.0])
def test_windows_without_a_picture_are_left_out(window):
    times = np.array([0.0, 0.1, 5.0, 5.1])
    rows = plan(times, 5.2, Options(window=window))
    assert rows[0] == (0, 1)
    assert rows[-1][1] == 3
    assert {k for first, last in rows for k in range(first, last + 1)} == {0, 1, 2, 3}
