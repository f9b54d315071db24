"""Test people of other seeds: the whole video's labels and pictures, fewer of them."""

import numpy as np
import pytest

from mic import config
from mic.errors import ConfigError
from mic.lowrate import crowd
from mic.lowrate.sequences import gray_faces
from mic.synthface import generate
from mic.synthface.protocols import protocol

SMALL = config.load("smoke", avec_seconds=1, size=64)


def test_thinned_people_are_those_of_the_whole_video(tmp_path, monkeypatch):
    monkeypatch.setenv("MIC_HOME", str(tmp_path / "home"))
    plan = protocol("synth-avec").plan(3, 1.0)[0]
    found = crowd.sequence(plan, "3-S000", 96, 5)
    generate("synth-avec", tmp_path, seed=3, size=96, subset=1, seconds=1.0)
    with np.load(tmp_path / "S000.npz") as whole:
        assert found.valence.tolist() == whole["valence"][::5].tolist()
        faces = gray_faces(tmp_path / "S000.mp4", whole["landmarks"])[::5]
    assert found.frames.shape == faces.shape == (5, 96, 96)
    assert found.frame_rate == 5
    assert np.abs(found.frames.astype(float) - faces).mean() < 0.2 * faces.std()
    again = crowd.sequence(plan, "3-S000", 96, 5)
    assert np.array_equal(again.frames, found.frames)


def test_nobody_of_another_seed_was_trained_on():
    persons = [
        {plan.person for plan in protocol("synth-avec").plan(seed, 1.0)} for seed in range(9)
    ]
    assert len(set.union(*persons)) == 9 * 18


def test_the_training_seed_is_refused():
    with pytest.raises(ConfigError, match="training people"):
        crowd.people(SMALL, [1, SMALL.seed])
