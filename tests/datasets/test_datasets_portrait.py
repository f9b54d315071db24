"""Published clips cut to the face, so that they look as generated ones do."""

import dataset_trees as trees
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mic import codec, datasets, faces
from mic.datasets.readers import portrait
from mic.errors import FaceError
from mic.fitting.clips import Recipe
from mic.storage import assets


def test_clips_are_cut_to_the_face(tmp_path, monkeypatch):
    root = trees.afew(tmp_path / "data")
    real = root / "Val_AFEW" / "Happy" / "000000530.avi"
    codec.reencode(assets.path("single_face"), real, container="avi", frame_rate=5)
    monkeypatch.setenv("MIC_HOME", str(tmp_path / "home"))
    report = datasets.fetch("afew", path=root, size=96)
    noted = {fault.file for fault in report.faults if "no face" in fault.message}
    assert real.relative_to(root).as_posix() not in noted
    assert len(noted) == 15  # the discs
    assert report.sound
    (clip,) = [clip for clip in report.manifest if clip.clip_id == "val-000000530"]
    _, found = faces.detect_clip(report.manifest.path(clip))
    matrix = faces.similarity(found.points)
    scale = np.hypot(matrix[0, 0], matrix[1, 0])
    margin = (96 * scale / faces.CROP_SIZE - 1) / 2
    assert abs(margin - faces.MARGIN) < 0.05
    middle = np.linalg.solve(matrix[:, :2], np.full(2, 56) - matrix[:, 2])
    np.testing.assert_allclose(middle, [48, 48 - 96 * faces.DROP], atol=4)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((60, 100), (20, 0, 60, 60)), ((101, 51), (0, 26, 50, 50)), ((2, 2), (0, 0, 2, 2))],
)
def test_without_a_face_the_middle_is_taken(shape, expected):
    crop, face = portrait.box([np.zeros((*shape, 3), np.uint8)])
    assert (crop, face) == (expected, False)


@settings(max_examples=200, deadline=None)
@given(
    middle=st.tuples(st.floats(-50, 250), st.floats(-50, 250)),
    edge=st.floats(1, 500),
    shape=st.tuples(st.integers(2, 200), st.integers(2, 200)),
)
def test_the_square_is_even_and_inside_the_picture(middle, edge, shape):
    x, y, width, height = portrait._square(*middle, edge, shape)
    assert all(number % 2 == 0 for number in (x, y, width, height))
    assert width == height >= 2
    assert 0 <= x <= shape[1] - width
    assert 0 <= y <= shape[0] - height


def test_a_clip_without_frames_is_refused():
    with pytest.raises(FaceError, match="no frame"):
        portrait.box([])


def test_a_fit_sees_faces_where_every_reader_puts_them():
    recipe = Recipe()
    assert (recipe.margin, recipe.drop) == (faces.MARGIN, faces.DROP)
