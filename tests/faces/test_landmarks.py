"""The pinned pictures networks: points, blendshapes, pose and expressions of real faces."""

import itertools

import numpy as np
import pytest
from PIL import Image

from mic import codec, faces
from mic.faces.blazeface import BlazeFace
from mic.faces.fer import FRAMINGS, LABELS, Fer, crop
from mic.faces.landmarks import (
    ACTION_UNITS,
    BLENDSHAPES,
    Landmarker,
    Roi,
    _canonical_face,
    action_units,
    roi_of_box,
)
from mic.storage import assets


@pytest.fixture(scope="module")
def landmarker():
    return Landmarker()


@pytest.fixture(scope="module")
def smiling():
    """The last picture of a face that smiles in the end."""
    return list(itertools.islice(codec.decode(assets.path("single_face")), 70))[-1]


def looked(landmarker, picture):
    found = faces.detector().detect([picture])[0]
    first = landmarker.look(picture, roi_of_box(found.box, found.points))
    return landmarker.look(picture, first.roi)


def test_the_canonical_face_is_read_from_the_bundle():
    face = _canonical_face()
    assert face.shape == (468, 3)
    nose, left_eye, right_eye, chin = face[[4, 33, 263, 152]]
    assert nose[2] == face[:, 2].max()  # nearest to the camera
    assert left_eye[0] == -right_eye[0] < 0
    assert chin[1] < nose[1] < left_eye[1]


def test_a_smile_has_points_a_pose_and_action_units(landmarker, smiling):
    mesh = looked(landmarker, smiling)
    assert mesh.points.shape == (478, 3)
    assert mesh.presence > 0.95
    found = faces.detector().detect([smiling])[0]
    # The five points of MTCNN and the mesh: pupils, nose, corners of the mouth.
    edge = max(found.box[2:] - found.box[:2])
    near = mesh.points[[468, 473, 4, 61, 291], :2]
    assert np.abs(near - found.points).max() < 0.12 * edge
    assert max(map(abs, mesh.pose)) < 25
    shapes = dict(zip(BLENDSHAPES, landmarker.blendshapes(mesh), strict=True))
    assert min(shapes["mouthSmileLeft"], shapes["mouthSmileRight"]) > 0.4
    assert max(shapes.values()) <= 1
    units = action_units(landmarker.blendshapes(mesh))
    assert list(units) == list(ACTION_UNITS)
    assert units["AU12"] > 0.4 > units["AU15"]


def test_a_mirrored_face_turns_and_tilts_the_other_way(landmarker, smiling):
    mesh = looked(landmarker, smiling)
    mirrored = looked(landmarker, np.ascontiguousarray(smiling[:, ::-1]))
    assert mirrored.pose.yaw == pytest.approx(-mesh.pose.yaw, abs=3)
    assert mirrored.pose.roll == pytest.approx(-mesh.pose.roll, abs=3)
    assert mirrored.pose.pitch == pytest.approx(mesh.pose.pitch, abs=3)


@pytest.mark.parametrize("turn", [1, 3])
def test_a_lying_face_is_a_rolled_one(landmarker, smiling, turn):
    mesh = looked(landmarker, smiling)
    x, y, side, angle = mesh.roi
    width, height = smiling.shape[1], smiling.shape[0]
    lying = np.ascontiguousarray(np.rot90(smiling, turn))
    x, y = (y, width - x) if turn == 1 else (height - y, x)
    found = landmarker.look(lying, Roi(x, y, side, angle - turn * np.pi / 2))
    assert found.presence > 0.95
    rolled = (found.pose.roll - mesh.pose.roll - 90 * turn + 180) % 360 - 180
    assert abs(rolled) < 3


def test_where_there_is_no_face_it_says_so(landmarker):
    picture = next(codec.decode(assets.path("no_face")))
    height, width = picture.shape[:2]
    places = [Roi(x * width, 0.5 * height, 0.4 * height, 0) for x in (0.2, 0.5, 0.8)]
    assert max(landmarker.look(picture, place).presence for place in places) < 0.5


def test_three_framings_agree_with_the_box_of_the_detector(landmarker, smiling):
    fer = Fer()
    mesh = looked(landmarker, smiling)
    mean = fer.of_square(smiling, mesh.square)
    box = faces.detector().detect([smiling])[0].box
    plain = fer.probabilities([crop(smiling, box)])[0]
    assert mean.sum() == pytest.approx(1, abs=1e-4)
    assert LABELS[mean.argmax()] == LABELS[plain.argmax()] == "happiness"
    assert len(FRAMINGS) == 3
    # A face that the picture cuts off, or that lies outside, is still an answer and no error.
    for x, y in ((0, 0), (10_000, -500)):
        assert fer.of_square(smiling, (x, y, 200.0)).sum() == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("degrees", [-60, -25, 12, 40])
def test_a_tilted_head_is_asked_about_upright(landmarker, smiling, degrees):
    fer, mesh = Fer(), looked(landmarker, smiling)
    expected = fer.of_square(smiling, mesh.square, mesh.roi.angle)
    turned = Image.fromarray(smiling).rotate(degrees, Image.Resampling.BICUBIC, expand=True)
    tilted = looked(landmarker, np.asarray(turned))
    assert np.degrees(tilted.roi.angle - mesh.roi.angle) == pytest.approx(-degrees, abs=4)
    picture = np.asarray(turned)
    found = fer.of_square(picture, tilted.square, tilted.roi.angle)
    assert LABELS[found.argmax()] == "happiness"
    plain = fer.of_square(picture, tilted.square)
    assert np.abs(found - expected).sum() < min(0.25, np.abs(plain - expected).sum())
    # A tilted face that the picture cuts off, or that lies outside, is an answer and no error.
    for x, y in ((0, 0), (10_000, -500)):
        assert fer.of_square(smiling, (x, y, 200.0), 0.5).sum() == pytest.approx(1, abs=1e-4)


def test_framings_see_nothing_but_the_face(landmarker, smiling):
    fer, mesh = Fer(), looked(landmarker, smiling)
    x, y, side = mesh.square
    left, right, top, bottom = (
        int(edge) for edge in (x - 0.4 * side, x + 0.4 * side, y - 0.5 * side, y + 0.4 * side)
    )
    elsewhere = np.full_like(smiling, 255)
    elsewhere[top:bottom, left:right] = smiling[top:bottom, left:right]
    expected = fer.of_square(smiling, mesh.square)
    np.testing.assert_allclose(fer.of_square(elsewhere, mesh.square), expected, atol=1e-6)
    alone = np.ascontiguousarray(smiling[top:bottom, left:right])
    found = fer.of_square(alone, (x - left, y - top, side))
    np.testing.assert_allclose(found, expected, atol=2e-3)  # the box has other last bits


def test_blazeface_squares_are_where_the_landmarks_end(landmarker, smiling):
    (found,) = BlazeFace().detect(smiling)
    own = looked(landmarker, smiling).roi
    assert np.hypot(found.roi.x - own.x, found.roi.y - own.y) < 0.05 * own.side
    assert found.roi.side == pytest.approx(own.side, rel=0.12)
    assert found.roi.angle == pytest.approx(own.angle, abs=0.1)


def test_blazeface_finds_what_mtcnn_finds():
    finder, detector = BlazeFace(), faces.detector()
    for name, steps in (("langer", 90), ("carphone", 30), ("noface_face", 80)):
        for picture in itertools.islice(codec.decode(assets.path(name)), 0, None, steps):
            found, expected = finder.detect(picture), detector.detect([picture])[0]
            assert len(found) == (expected.status is not faces.Status.NO_FACE)
            for one in found:
                edge = max(one.box[2:] - one.box[:2])
                assert np.abs(one.eyes - expected.points[:2]).max() < 0.15 * edge
                assert (one.box[:2] < one.eyes.min(0)).all()
                assert (one.box[2:] > one.eyes.max(0)).all()


def test_blazeface_finds_small_and_several_faces(smiling):
    finder = BlazeFace()
    small = np.asarray(Image.fromarray(smiling).resize((214, 120), Image.Resampling.BOX))
    room = np.full((720, 1280, 3), 96, np.uint8)
    places = [(40, 60), (1020, 500), (540, 300)]  # left and top of each
    for left, top in places:
        room[top : top + 120, left : left + 214] = small
    found = finder.detect(room)
    assert len(found) == len(places)  # each a twentieth of the picture's width, and once
    for left, top in places:
        assert any(
            left < one.box[0] < one.box[2] < left + 214
            and top < one.box[1] < one.box[3] < top + 120
            for one in found
        )
    assert finder.detect(np.full((300, 400, 3), 90, np.uint8)) == []
    assert len(finder.detect(smiling[::4, ::4])) == 1
