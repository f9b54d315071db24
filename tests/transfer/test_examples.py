"""Examples: films of generated people and clips of real ones, made once."""

import dataclasses

import numpy as np
import pytest

from mic import codec
from mic.errors import DatasetError
from mic.synthface.action_units import CODES
from mic.transfer import crops, examples
from mic.transfer.examples import Examples
from mic.transfer.scenes import Randomisation, scene
from mic.transfer.teacher import SHAPES, Teacher

FRAMES = 9


@pytest.fixture
def made(home):
    return examples.generated(examples.people(2, split="train"), frames=FRAMES)


def test_nobody_is_in_both_splits():
    train, test = (examples.people(50, split=split) for split in ("train", "test"))
    assert not set(train) & set(test)
    assert examples.people(4, split="train") == train[:4]


def test_examples_carry_what_has_changed(made):
    assert made.residual.shape[1:] == (crops.EDGE, crops.EDGE)
    assert made.shapes.shape == (len(made), len(SHAPES))
    assert set(made.group) <= {0, 1}
    first = made.group == 0
    person = int(made.people[0])
    planned = scene(person, 0, Randomisation(), frames=FRAMES)
    rows = np.rint(made.seconds[first] * planned.rate).astype(int)
    truth = planned.activation[rows] - planned.activation[0]
    np.testing.assert_allclose(made.units[first], truth, atol=1e-6)
    assert made.units.shape[1] == len(CODES)


def test_what_was_made_is_not_made_again(made, monkeypatch):
    def never(*_, **__):
        raise AssertionError("drawn again")

    monkeypatch.setattr(examples, "scene", never)
    again = examples.generated(examples.people(2, split="train"), frames=FRAMES)
    np.testing.assert_array_equal(again.residual, made.residual)
    jitterless = Randomisation().without("jitter")  # happens while training: the same films
    examples.generated(examples.people(2, split="train"), randomisation=jitterless, frames=FRAMES)
    with pytest.raises(AssertionError, match="drawn again"):
        examples.generated(
            examples.people(2, split="train"),
            randomisation=Randomisation().without("light"),
            frames=FRAMES,
        )


def test_a_clip_has_a_group_each_keyframe_and_no_action_units(home, tmp_path):
    planned = scene(5, 0, Randomisation().without("camera").without("occlusion"), frames=8)
    video = tmp_path / "somebody.mp4"
    codec.encode_frames(planned.frames(), video, frame_rate=25)
    found = examples.real({str(video): "somebody"}, most=6)
    assert found.clips == ("somebody",)
    assert set(found.subjects) == {"somebody"}
    assert len(found) == 5
    assert np.isnan(found.units).all()
    np.testing.assert_allclose(found.seconds, np.arange(1, 6) / 25, rtol=1e-5)


def test_the_changes_are_the_teachers(home, tmp_path):
    planned = scene(5, 0, Randomisation().without("camera").without("occlusion"), frames=6)
    video = tmp_path / "somebody.mp4"
    codec.encode_frames(planned.frames(), video, frame_rate=25, vop_quant=2)
    found = examples.real({str(video): "somebody"})
    taught = Teacher().watch(list(codec.decode(video)))
    # The copy was coded a second time: nearly the same pictures.
    expected = taught.shapes[1:] - taught.shapes[0]
    assert np.abs(found.shapes - expected).mean() < 0.02
    assert np.abs(found.look[0] - taught.shapes[0]).mean() < 0.02


def test_films_without_a_face_are_refused(home, tmp_path):
    video = tmp_path / "nobody.mp4"
    codec.encode_frames([np.full((96, 96), 90, np.uint8)] * 4, video, frame_rate=25)
    with pytest.raises(DatasetError, match="no face"):
        examples.real({str(video): "nobody"})


def test_joined_groups_do_not_mix(made):
    both = Examples.joined([made, made])
    assert len(both) == 2 * len(made)
    np.testing.assert_array_equal(both.iframe[both.group[len(made) :]], made.iframe[made.group])


def test_clips_of_a_generated_dataset_are_examples_too(home, generated):
    few = dataclasses.replace(generated, clips=generated.clips[:2])
    found = examples.protocol(few)
    assert set(found.clips) == {clip.clip_id for clip in few}
    with np.load(few.annotation_path(few.clips[0])) as side:
        truth = side["action_units"]
    rows = np.arange(3, len(truth), 3)
    own = found.files == few.clips[0].clip_id
    np.testing.assert_allclose(found.units[own], truth[rows] - truth[0], atol=1e-6)
