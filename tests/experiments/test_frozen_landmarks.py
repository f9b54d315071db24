"""Frozen landmarks of generated clips: upright, without a gap, and they see what a face does."""

import numpy as np
import pytest

from mic.experiments import landmarks
from mic.experiments.cells import Dataset
from mic.faces.landmarks import BLENDSHAPES


def test_place_size_and_tilt_are_taken_out():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(478, 2))
    turn = 1.7 * np.array([[np.cos(0.6), -np.sin(0.6)], [np.sin(0.6), np.cos(0.6)]])
    first = landmarks.upright(points)
    np.testing.assert_allclose(first[[33, 263]], [[-0.5, 0], [0.5, 0]], atol=1e-12)
    np.testing.assert_allclose(landmarks.upright(points @ turn + (90, -4)), first, atol=1e-9)


@pytest.fixture(scope="module")
def data(generated, tmp_path_factory):
    return Dataset(manifest=generated, folder=tmp_path_factory.mktemp("store"))


def test_a_smile_is_seen_to_grow(data):
    smile = BLENDSHAPES.index("mouthSmileLeft")
    smiles = [clip for clip in data.manifest if clip.label == "happiness"]
    assert smiles
    for clip in smiles:
        path = data.manifest.path(clip)
        found = landmarks.of_frames(path, steps=3, folder=data.folder)
        assert found["points"].shape == (4, 478, 2)
        assert found["blendshapes"].shape == (4, len(BLENDSHAPES))
        width = found["points"][:, 291, 0] - found["points"][:, 61, 0]
        assert width[-1] > width[0]
        assert found["blendshapes"][-1, smile] > found["blendshapes"][0, smile] + 0.1
        again = landmarks.of_frames(path, steps=3, folder=data.folder)
        np.testing.assert_array_equal(again["points"], found["points"])


def test_probes_have_a_line_a_clip_and_no_gap(data):
    found = landmarks.probes(data, steps=3)
    assert "478 landmarks, linear, last minus first" in found
    assert "52 blendshapes, linear, mean of the frames" in found
    for table in found.values():
        assert len(table) == len(data.manifest.clips)
        assert np.isfinite(table).all()
