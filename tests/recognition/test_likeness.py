"""Numbers of people over cuts, and over leaps that a decoder tells nothing of."""

import numpy as np
import pytest
from PIL import Image
from test_depth import looked, painted
from test_people import write

import mic
from mic import codec
from mic.faces.landmarks import Landmarker
from mic.recognition.likeness import OTHER, SAME, Likeness, Portrait
from mic.storage import assets


def film(name, count, box=None):
    """Pictures of an asset, or a part of them, of 240x240."""
    pictures = []
    for frame in codec.decode(assets.path(name)):
        part = Image.fromarray(frame).crop(box or (0, 0, frame.shape[1], frame.shape[0]))
        pictures.append(np.asarray(part.resize((240, 240))))
        if len(pictures) == count:
            return pictures
    raise AssertionError(name)


@pytest.fixture(scope="module")
def one():
    return film("cremad_neu", 45, (60, 0, 420, 360))


@pytest.fixture(scope="module")
def other():
    return film("single_face", 45, (140, 0, 500, 360))


def portrait(picture):
    return Portrait(picture, looked(Landmarker(), picture))


def test_one_person_is_like_themselves_and_not_like_another(one, other):
    likeness = Likeness()
    first, later, else_ = (portrait(p) for p in (one[0], one[40], other[0]))
    assert likeness.cosine(first, later) > SAME + 0.1
    assert likeness.cosine(first, else_) < OTHER - 0.1
    assert likeness.differ([later, first], else_)
    assert not likeness.differ([else_, first], later)


@pytest.mark.parametrize("name", ["cut.mp4", "cut.avi"])
def test_a_number_ends_at_a_cut(tmp_path, one, other, name):
    codec_of = {"cut.mp4": "libx264", "cut.avi": "mpeg4"}
    looks = mic.predict(write(str(tmp_path / name), one + other, codec_of[name], {}), rows="look")
    seen = looks[looks["left"].notna()]
    assert set(seen.loc[seen["frame"] < 45, "person"]) == {0}
    assert set(seen.loc[seen["frame"] >= 45, "person"]) == {1}
    assert (looks["status"] == "lost").sum() == 1


def test_a_number_ends_at_a_cut_behind_a_hand(tmp_path, one, other):
    landmarker = Landmarker()
    hidden = [painted(picture, looked(landmarker, picture), "half") for picture in one[15:35]]
    path = write(str(tmp_path / "hand.mp4"), one[:15] + hidden + other)
    looks = mic.predict(path, rows="look")
    assert "covered" in set(looks["status"])
    seen = looks[looks["left"].notna()]
    assert set(seen.loc[seen["frame"] < 35, "person"]) == {0}
    assert set(seen.loc[seen["frame"] >= 35, "person"]) == {1}


@pytest.mark.parametrize("after", ["one", "other"])
def test_who_was_hidden_for_long_is_the_same_or_another(tmp_path, one, other, after):
    landmarker = Landmarker()
    there = {"one": one, "other": other}[after]
    mesh = looked(landmarker, there[0])
    hidden = [painted(picture, mesh, "half") for picture in there] * 3
    path = write(str(tmp_path / "long.mp4"), one + hidden + there)
    looks = mic.predict(path, rows="look")
    assert (looks["status"] == "covered").sum() > 3
    seen = looks[looks["status"] == "ok"]
    numbers = [
        set(seen.loc[where, "person"]) for where in (seen["frame"] < 45, seen["frame"] > 180)
    ]
    assert (numbers[0] == numbers[1]) == (after == "one")
    assert not numbers[0] & numbers[1] or after == "one"


@pytest.mark.parametrize("encoder", ["libx264", "mpeg4"])
def test_two_who_change_places_at_a_cut_keep_their_numbers(tmp_path, one, other, encoder):
    pairs = list(zip(one, other, strict=True))
    both = [np.hstack(pair) for pair in pairs] + [np.hstack(pair[::-1]) for pair in pairs]
    looks = mic.predict(write(str(tmp_path / "two.mp4"), both, encoder, {}), rows="look")
    seen = looks[looks["left"].notna()]
    assert set(seen["person"]) == {0, 1}
    before, after = seen[seen["frame"] < 45], seen[seen["frame"] >= 45]
    sides = [part.groupby("person")["left"].max() < 240 for part in (before, after)]
    assert (sides[0] != sides[1]).all()


def test_no_look_between_goes_to_whom_another_has_passed(tmp_path, one, other):
    """Without vectors a look between two looks is where its owner was before."""
    small = [
        [np.asarray(Image.fromarray(picture).resize((140, 140))) for picture in pictures]
        for pictures in (one, other)
    ]
    film = []
    for k in range(85):
        room = np.full((180, 500, 3), 120, np.uint8)
        step = 12 * max(0, k - 15)
        for who, left in ((0, min(360, 10 + step)), (1, max(10, 360 - step))):
            room[20:160, left : left + 140] = small[who][k % 45]
        film.append(room)
    path = write(str(tmp_path / "pass.mp4"), film, "libx265", {"x265-params": "log-level=none"})
    looks = mic.predict(path, rows="look")
    seen = looks[looks["left"].notna()]
    owners: dict[int, set[bool]] = {}
    for row in seen.itertuples():
        step = 12 * max(0, row.frame - 15)
        places = np.array([min(360, 10 + step), max(10, 360 - step)]) + 70
        away = np.abs((row.left + row.right) / 2 - places)
        if np.ptp(places) > 60:
            owners.setdefault(row.person, set()).add(bool(away[0] < away[1]))
    assert len(owners) >= 2
    assert all(len(whose) == 1 for whose in owners.values()), owners


@pytest.mark.parametrize(("name", "encoder"), [("v.webm", "libvpx-vp9"), ("h.mp4", "libx265")])
def test_a_leap_without_vectors_ends_no_number(tmp_path, one, name, encoder):
    pictures = []
    for k, face in enumerate(one):
        room = np.full((240, 720, 3), 120, np.uint8)
        left = min(480, 12 * k)  # three times a face's width a second
        room[:, left : left + 240] = face
        pictures.append(room)
    quick = {"cpu-used": "8", "deadline": "realtime"}
    options = {"x265-params": "log-level=none"} if encoder == "libx265" else quick
    looks = mic.predict(write(str(tmp_path / name), pictures, encoder, options), rows="look")
    seen = looks[looks["left"].notna()]
    assert set(seen["person"]) == {0}
    assert np.ptp(seen["left"]) > 300


@pytest.mark.parametrize(("size", "side"), [((1920, 1080), 110), ((3840, 2160), 130)])
def test_a_small_face_in_a_large_picture_is_found_by_the_second_search(tmp_path, one, size, side):
    small = np.asarray(Image.fromarray(one[0]).resize((side, side)))
    room = np.full((size[1], size[0], 3), 120, np.uint8)
    room[300 : 300 + side, 500 : 500 + side] = small
    path = tmp_path / "large.avi"
    codec.encode_frames([room] * 3, path, frame_rate=1, vop_quant=3)
    looks = mic.predict(path, rows="look")
    assert looks["status"].tolist()[-1] == "ok"
    assert 500 < looks["left"].iloc[-1] < looks["right"].iloc[-1] < 500 + side


def test_small_faces_are_also_found_beside_a_large_one(tmp_path, one):
    room = np.full((720, 1280, 3), 120, np.uint8)
    room[200:680, 700:1180] = np.asarray(Image.fromarray(one[0]).resize((480, 480)))
    for left in (60, 300):
        room[60:150, left : left + 90] = np.asarray(Image.fromarray(one[0]).resize((90, 90)))
    path = tmp_path / "beside.avi"
    codec.encode_frames([room] * 12, path, frame_rate=2, vop_quant=3)
    looks = mic.predict(path, rows="look")
    small = looks[looks["right"] - looks["left"] < 100]
    assert small["person"].nunique() == 2
    assert small["time"].min() <= 4.1


def test_only_who_met_are_in_doubt_of_each_other(one, other):
    likeness = Likeness()
    before = {0: [portrait(one[0])], 1: [portrait(other[0])]}
    now = {0: portrait(one[20]), 1: portrait(other[20])}
    pair, far = frozenset({0, 1}), frozenset({2, 3})  # of whom nobody has a portrait
    assert likeness.changed(before, now, {pair, far}) == ({2, 3}, set())
    swapped = {0: now[1], 1: now[0]}
    assert likeness.changed(before, swapped, {pair})[1] == {0, 1}
    # Who met somebody that nobody knows may be that one.
    assert likeness.changed(before, now, {frozenset({1, 2})})[0] == {1, 2}
