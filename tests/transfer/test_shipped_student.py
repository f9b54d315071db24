"""The student that ships is whole, and does on real people what its tables say."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch
from environment_file import ROOT

from mic.errors import WeightsError
from mic.storage import weights
from mic.transfer import examples, scores, shipped, student, study


def test_it_is_the_pinned_file_and_reads_what_was_chosen():
    assert shipped.load().inputs == study.CHOSEN
    assert not shipped.load().training


def test_it_knows_more_of_a_smile_than_no_change(home):
    """As the committed table says of this clip; in its first second nothing has moved yet."""
    real = examples.real({"single_face": "single_face"})
    said = student.predict(shipped.load(), real)
    found = scores.explained(real.shapes, said.shapes, real.group).value
    table = pd.read_csv(ROOT / "results" / "transfer" / "transfer_real.csv").set_index("clip")
    assert found > 0.3
    assert found == pytest.approx(table.loc["single_face", "r2"], abs=0.1)


def test_a_student_comes_back_as_it_was(tmp_path):
    made = student.Student(("residual", "look")).eval()
    digest = shipped.save(made, tmp_path / "mine.safetensors", about="nobody")
    back = shipped.load(tmp_path / "mine.safetensors", sha256=digest)
    assert back.inputs == made.inputs
    for name, value in made.state_dict().items():
        assert torch.equal(value, back.state_dict()[name])


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "mine.safetensors"
    shipped.save(student.Student(("residual",)), path, about="nobody")
    with pytest.raises(WeightsError, match="pinned"):
        shipped.load(path)
    weights.write(path, {"a": torch.zeros(1)}, metadata={})
    with pytest.raises(WeightsError, match="what its network reads"):
        shipped.load(path, sha256=None)
    weights.write(path, {"a": torch.zeros(1)}, metadata={"inputs": "residual"})
    with pytest.raises(WeightsError, match="does not fit"):
        shipped.load(path, sha256=None)


def test_its_answers_are_finite_for_any_residual():
    real = dataclasses.replace(_one(), residual=np.full((1, 64, 64), 32_767, np.int16))
    assert np.isfinite(student.predict(shipped.load(), real).units).all()


def _one():
    return examples.Examples(
        residual=np.zeros((1, 64, 64), np.int16),
        motion=np.zeros((1, 2, 64, 64), np.int16),
        iframe=np.zeros((1, 64, 64), np.uint8),
        look=np.zeros((1, 51), np.float32),
        shapes=np.zeros((1, 51), np.float32),
        units=np.zeros((1, 24), np.float32),
        group=np.zeros(1, np.int64),
        seconds=np.zeros(1, np.float32),
        clips=("a",),
        people=("a",),
    )
