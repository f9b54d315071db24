"""Faces: found on real video, aligned, followed, and absent without an exception."""

from itertools import islice

import numpy as np
import pytest
import torch
from facenet_pytorch import MTCNN
from hypothesis import given, settings
from hypothesis import strategies as st

from mic import codec, faces
from mic.errors import FaceError
from mic.faces import NOTHING, REFERENCE_POINTS, Status, tracking
from mic.faces.cascade import Cascade
from mic.storage import assets

# MTCNN's points move by a few samples with the phase of its pyramid: 8 % of this face's width.
JITTER = 13


@pytest.fixture(scope="module")
def face_frames():
    return list(islice(codec.decode(assets.path("single_face")), 30))


def test_a_face_is_found_where_it_is(face_frames):
    (found,) = faces.detector().detect(face_frames[:1])
    assert found.status is Status.OK
    assert found.score > 0.99
    left, top, right, bottom = found.box
    assert left < found.points[:, 0].min() < found.points[:, 0].max() < right
    assert top < found.points[:, 1].min() < found.points[:, 1].max() < bottom
    eyes, mouth = found.points[:2].mean(0), found.points[3:].mean(0)
    assert eyes[1] < found.points[2, 1] < mouth[1]


def test_a_batch_gives_what_single_pictures_give(face_frames):
    small = face_frames[0][40:340, 150:450]
    mixed = [face_frames[0], small, np.zeros((9, 40, 3), np.uint8), face_frames[10]]
    together = faces.detector().detect(mixed)
    assert [found.status for found in together] == [0, 0, 1, 0]
    for picture, found in zip(mixed, together, strict=True):
        (alone,) = faces.detector().detect([picture])
        np.testing.assert_allclose(alone.points, found.points, atol=0.05)
    shift = together[0].points - together[1].points
    np.testing.assert_allclose(shift, np.broadcast_to([150, 40], (5, 2)), atol=JITTER)


@pytest.mark.parametrize("shape", [(480, 640), (24, 24), (23, 23), (1, 1), (12, 300)])
@pytest.mark.parametrize("kind", ["black", "white", "noise"])
def test_no_face_is_a_status(shape, kind):
    picture = {
        "black": np.zeros((*shape, 3), np.uint8),
        "white": np.full((*shape, 3), 255, np.uint8),
        "noise": np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8),
    }[kind]
    (found,) = faces.detector().detect([picture])
    assert found.status is Status.NO_FACE
    assert np.isnan(found.points).all()


def test_the_cascade_finds_what_facenet_pytorch_finds(face_frames):
    frame = np.asarray(face_frames[0])
    canvas = np.zeros((360, 1000, 3), np.uint8)
    canvas[:, 180:820] = frame
    canvas[:180, :320] = frame[::2, ::2]
    canvas[200:, 850:] = np.random.default_rng(0).integers(0, 256, (160, 150, 3), np.uint8)
    pictures = np.stack([canvas, canvas[::-1], np.zeros_like(canvas)])
    thresholds = (0.6, 0.7, 0.8)
    ours = Cascade(smallest=24, thresholds=thresholds, device=torch.device("cpu"))
    theirs = MTCNN(min_face_size=24, thresholds=thresholds, keep_all=True).eval()
    counts = []
    for found, boxes, scores, points in zip(
        ours.detect(pictures), *theirs.detect(pictures, landmarks=True), strict=True
    ):
        counts.append(len(found.boxes))
        if boxes is None:
            assert not counts[-1]
            continue
        order = np.argsort(-scores.astype(float))
        np.testing.assert_allclose(found.scores, scores[order].astype(float), atol=1e-5)
        np.testing.assert_allclose(found.boxes, boxes[order].astype(float), atol=1e-2)
        np.testing.assert_allclose(found.points, points[order].astype(float), atol=1e-2)
    assert counts[0] == 2
    assert counts[2] == 0


def test_of_several_faces_the_large_and_central_one_is_taken(face_frames):
    frame = face_frames[0]
    half = np.asarray(frame)[::2, ::2]
    canvas = np.zeros((360, 1000, 3), np.uint8)
    canvas[:, 180:820] = frame
    canvas[:180, :320] = half  # a smaller copy, at the edge
    (found,) = faces.detector().detect([canvas])
    assert found.status is Status.SEVERAL
    (alone,) = faces.detector().detect([frame])
    np.testing.assert_allclose(found.points - alone.points, [[180, 0]] * 5, atol=JITTER)


def test_tracking_agrees_with_detection_on_every_frame(face_frames):
    track = faces.track(face_frames)
    assert track.status is Status.OK
    assert track.points.shape == (30, 5, 2)
    detected = faces.detector().detect(face_frames)
    truth = np.stack([found.points for found in detected])
    width = np.nanmean(track.boxes[:, 2] - track.boxes[:, 0])
    error = np.linalg.norm(track.points - truth, axis=2) / width
    assert np.median(error) < 0.02
    assert error.max() < 0.08


def test_looking_at_one_frame_in_five_interpolates(face_frames):
    every = faces.track(face_frames)
    sparse = faces.track(face_frames, every=5)
    np.testing.assert_allclose(sparse.points[::5], faces.track(face_frames[::5]).points, atol=1e-3)
    assert np.isfinite(sparse.points).all()
    width = np.mean(every.boxes[:, 2] - every.boxes[:, 0])
    assert np.linalg.norm(sparse.points - every.points, axis=2).max() < 0.1 * width


def test_a_clip_without_a_face_and_one_that_loses_it():
    none = faces.track(islice(codec.decode(assets.path("no_face")), 33), every=8)
    assert none.status is Status.NO_FACE
    assert (none.statuses == Status.NO_FACE).all()
    assert np.isnan(none.points).all()
    leaving = faces.track(codec.decode(assets.path("face_noface")), every=8)
    assert leaving.status is Status.LOST
    assert leaving.statuses[0] == Status.OK
    assert leaving.statuses[-1] == Status.LOST
    assert np.isnan(leaving.points[-1]).all()
    assert np.isfinite(leaving.points[0]).all()


def test_a_face_that_enters_late_is_taken_up():
    entering = faces.track(codec.decode(assets.path("noface_face")), every=8)
    found = np.isfinite(entering.points).all((1, 2))
    assert not found[0]
    assert found[-9]
    assert ((entering.statuses == Status.OK) == found).all()


def test_a_track_is_cached_by_content(tmp_path, monkeypatch):
    first = faces.track_clip(assets.path("carphone"), every=20, folder=tmp_path)
    monkeypatch.setattr(tracking, "track", None)  # a second computation would fail
    again = faces.track_clip(assets.path("carphone"), every=20, folder=tmp_path)
    assert first.status is again.status is Status.OK
    for name in ("statuses", "boxes", "points", "scores"):
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))


def test_alignment_puts_the_points_where_they_belong(face_frames):
    (found,) = faces.detector().detect(face_frames[:1])
    crop = faces.align(face_frames[0], found.points)
    assert crop.shape == (112, 112, 3)
    (again,) = faces.detector().detect([faces.align(face_frames[0], found.points, size=224)])
    assert np.abs(again.points / 2 - REFERENCE_POINTS).mean() < 3
    wide = faces.similarity(found.points, size=112, margin=0.25)
    tight = faces.similarity(found.points)
    np.testing.assert_allclose(wide[:, :2] * 1.5, tight[:, :2], atol=1e-9)


@settings(max_examples=100, deadline=None)
@given(
    angle=st.floats(-3.1, 3.1),
    scale=st.floats(0.1, 20),
    shift=st.tuples(st.floats(-500, 500), st.floats(-500, 500)),
    seed=st.integers(0, 99),
)
def test_the_similarity_is_umeyamas(angle, scale, shift, seed):
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    noise = np.random.default_rng(seed).normal(0, 2, (5, 2))
    points = scale * (REFERENCE_POINTS + noise) @ turn.T + shift
    # Umeyama 1991, by singular values: an independent way to the same least squares.
    here, there = points - points.mean(0), REFERENCE_POINTS - REFERENCE_POINTS.mean(0)
    left, values, right = np.linalg.svd(there.T @ here)
    sign = np.array([1, np.sign(np.linalg.det(left @ right))])
    linear = (values * sign).sum() / (here**2).sum() * (left * sign) @ right
    offset = REFERENCE_POINTS.mean(0) - linear @ points.mean(0)
    expected = np.column_stack([linear, offset])
    np.testing.assert_allclose(faces.similarity(points), expected, atol=1e-3, rtol=1e-3)


def test_a_large_face_is_averaged_not_subsampled():
    stripes = np.zeros((1120, 1120, 3), np.uint8)
    stripes[:, ::2] = 255
    crop = faces.align(stripes, REFERENCE_POINTS * 10)
    assert np.abs(crop[5:-5, 5:-5].astype(int) - 127).max() <= 2


@pytest.mark.parametrize(
    "frame", [np.zeros((5, 5), np.uint8), np.zeros((5, 5, 3)), np.zeros((0, 5, 3), np.uint8)]
)
def test_what_is_no_picture_is_refused(frame):
    with pytest.raises(FaceError, match="RGB"):
        faces.detector().detect([frame])


@pytest.mark.parametrize("points", [np.full((5, 2), np.nan), np.zeros((5, 2)), np.zeros((4, 2))])
def test_points_that_cannot_be_aligned_are_refused(points):
    with pytest.raises(FaceError):
        faces.similarity(points)


def test_an_empty_clip_is_refused():
    with pytest.raises(FaceError, match="no frame"):
        faces.track([])


def test_what_stands_for_no_face_cannot_be_changed():
    for array in (NOTHING.box, NOTHING.points):
        with pytest.raises(ValueError, match="read-only"):
            array[:] = 7
