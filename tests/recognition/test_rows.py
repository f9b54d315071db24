"""Rows from looks: everybody in each picture, a face in each window."""

import numpy as np
import pytest

from mic.recognition.people import INTERVAL, Look, Passed, _spare, planned
from mic.recognition.rows import rows
from mic.recognition.spans import plan_windows

BOX = np.array([10, 10, 90, 90], np.float32)
SURE = np.eye(7, dtype=np.float32)


def look(frame, person=0, rate=25.0, status="ok", kind=3):
    nobody = status in ("no face", "lost")
    return Look(
        frame=frame,
        time=frame / rate,
        person=None if status == "no face" else person,
        status=status,
        box=None if nobody else BOX + person,
        probabilities=SURE[kind] if status == "ok" else None,
    )


def film(count, looks, rate=25.0):
    """Pictures that pass, with looks by number."""
    boxes = {}
    for frame in range(count):
        seen = looks.get(frame, ())
        boxes = {one.person: one.box for one in seen if one.box is not None} | boxes
        yield Passed(frame=frame, time=frame / rate, boxes=dict(boxes), looks=tuple(seen))


def told(kind, count, looks, rate=25.0, window=2.0, hop=None):
    times = np.arange(count) / rate
    ends = plan_windows(times, count / rate, window=window, hop=hop)
    return list(rows(film(count, looks, rate), kind, times=times, ends=ends))


def test_who_was_not_looked_at_between_keeps_a_row_in_each_picture():
    """Of two people only one changed, so the look between two looks was at that one."""
    looks = {n: (look(n, 0), look(n, 1, kind=n // 20)) for n in (0, 20, 40)}
    looks[10] = (look(10, 1, kind=5),)
    found = told("frame", 50, looks)
    assert [(row["frame"], row["person"]) for row in found] == [
        (frame, person) for frame in range(50) for person in (0, 1)
    ]
    how = {(row["frame"], row["person"]): row["values_from"] for row in found}
    assert how[10, 1] == "look"
    assert how[10, 0] == how[5, 1] == how[15, 0] == "between"
    assert how[45, 0] == "carried"
    kept = {row["frame"]: row for row in found if row["person"] == 1}
    assert kept[10]["label"] == kept[9]["label"] == kept[11]["label"]


def test_a_person_who_is_lost_has_rows_until_then():
    looks = {0: (look(0), look(0, 1)), 5: (look(5),), 10: (look(10), look(10, 1, status="lost"))}
    found = told("frame", 14, looks)
    assert [row["frame"] for row in found if row["person"] == 1] == list(range(11))
    assert [row["frame"] for row in found if row["person"] == 0] == list(range(14))
    # As long as for windows: until the middle of the two looks.
    last = {row["frame"]: row for row in found if row["person"] == 1}
    assert [last[n]["status"] for n in range(11)] == ["ok"] * 6 + ["lost"] * 5
    assert all("label" not in last[n] and "left" not in last[n] for n in range(6, 11))


def test_windows_shorter_than_from_look_to_look_keep_the_last_one():
    looks = {n: (look(n, rate=10.0),) for n in (0, 3, 6, 9)}
    found = told("window", 10, looks, rate=10.0, window=0.2, hop=0.2)
    assert [row["status"] for row in found] == ["ok"] * 5
    assert [row["looks"] for row in found] == [1, 1, 0, 1, 1]
    assert [row["values_from"] for row in found] == ["look", "look", "carried", "look", "look"]


def test_a_window_begins_late_for_whom_the_look_before_it_did_not_see():
    looks = {n: (look(n, rate=10.0),) for n in (0, 8)}
    looks[16] = (look(16, 1, rate=10.0), look(16, 0, rate=10.0, status="lost"))
    looks[24] = (look(24, 2, rate=10.0), look(24, 1, rate=10.0, status="lost"))
    found = told("window", 40, looks, rate=10.0, window=2.0, hop=1.0)
    statuses = {row["person"]: row["status"] for row in found if row["start"] == 1.0}
    assert statuses[1] == "lost"  # there from 1.2 to 2.0, of 1.0 to 3.0


def test_who_comes_late_gives_a_window_no_name():
    nobody = [(n, (look(n, rate=10.0, status="no face"),)) for n in (0, 8, 16, 24)]
    here = [(n, (look(n, rate=10.0),)) for n in (32, 40)]
    (row,) = told("window", 41, dict(nobody + here), rate=10.0, window=5.0)
    assert (row["status"], row["looks"], "label" in row) == ("late", 2, False)
    assert row["left"] == BOX[0]
    here = [(n, (look(n, rate=10.0),)) for n in (16, 24, 32, 40)]
    (row,) = told("window", 41, dict(nobody[:2] + here), rate=10.0, window=5.0)
    assert (row["status"], row["looks"]) == ("ok", 4)


def test_who_was_lost_is_not_kept():
    looks = {0: (look(0, rate=10.0),), 2: (look(2, rate=10.0, status="lost"),)}
    found = told("window", 10, looks, rate=10.0, window=0.2, hop=0.2)
    assert [row["status"] for row in found] == ["ok"] + ["no face"] * 4


@pytest.mark.parametrize(
    ("window", "rate"),
    [(0.2, 25.0), (0.2, 30.0), (0.3, 30.0), (0.4, 25.0), (0.4, 30.0), (0.6, 25.0), (0.6, 30.0)],
)
def test_a_look_counts_for_the_window_that_begins_with_its_picture(window, rate):
    step = round(window * rate)
    count = 20 * step
    looks = {n: (look(n, rate=rate),) for n in range(0, count, step)}
    found = told("window", count, looks, rate=rate, window=window, hop=window)
    assert [row["looks"] for row in found] == [1] * len(found)
    assert [row["first_frame"] for row in found] == list(range(0, count, step))[: len(found)]


@pytest.mark.parametrize("rate", [0.5, 1.0, 2.0, 3.0, 5.0, 25.0])
def test_every_second_look_may_be_left_out_only_where_pictures_are_dense(rate):
    times = np.arange(60) / rate
    wanted = planned(times, INTERVAL / 2)
    spare = _spare(times[wanted], wanted, INTERVAL)
    sure = times[[number for number in wanted if number not in spare]]
    assert np.diff(sure).max() <= max(1.25 * INTERVAL, 1 / rate) + 1e-9
    assert bool(spare) == (rate >= 2)
