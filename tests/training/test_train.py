"""Training learns, stops anywhere, resumes to the same bytes, and refuses foreign states."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from hostile_weights import HOSTILE

from mic.errors import ConfigError, WeightsError
from mic.inputs.tensors import ClipTensors, Representation, padded, sampled
from mic.models.mic import Method, Mic
from mic.storage import weights
from mic.storage.checkpoint import Checkpoint
from mic.training.augmentation import augment, drawn_frames
from mic.training.schedules import PRESETS, Schedule, learning_rate
from mic.training.train import Training, predict

SMALL = {"width": 4, "feature_size": 16, "z_size": 16, "identity_size": 4, "critic_hidden": 16}
FAST = Schedule(epochs=4, batch=12, learning_rate=5e-3, flip=False, shift=0.0, frames=0)


def clips(count=36, *, classes=3, motion=False, seed=0):
    """Clips whose class is the place of a growing bright bar; lengths differ."""
    g = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % classes
    lengths = 3 + torch.arange(count) % 3
    residual = torch.randint(-8, 9, (count, 5, 3, 24, 24), generator=g, dtype=torch.int16)
    for row in range(count):
        top = 2 + 7 * int(labels[row])
        for step in range(5):
            residual[row, step, :, top : top + 4] += 12 * (step + 1)
        residual[row, lengths[row] :] = 0
    return ClipTensors(
        names=tuple(f"clip{n}" for n in range(count)),
        subjects=tuple(f"s{n // 3}" for n in range(count)),
        labels=labels,
        classes=tuple("abcdefg"[:classes]),
        residual=residual,
        lengths=lengths,
        identity=torch.randn(count, 8, generator=g),
        apex=torch.randint(0, 256, (count, 1, 16, 16), generator=g, dtype=torch.uint8),
        motion=torch.randint(-9, 9, (count, 5, 2, 12, 12), generator=g, dtype=torch.int16)
        if motion
        else None,
    )


def training(data, folder=None, *, method=None, schedule=FAST, seed=3, evaluate=None):
    torch.manual_seed(seed)
    method = method or Method(regulariser="mine", **SMALL)
    model = Mic(
        method, classes=3, identity=data.identity[:24], apex_size=(1, 16), steps=5, seed=seed
    )
    path = None if folder is None else folder / "state.safetensors"
    return Training(
        model,
        data,
        range(24),
        schedule=schedule,
        seed=seed,
        checkpoint=path,
        evaluate=evaluate,
    )


def test_it_trains_in_float32_also_where_the_processor_multiplies_bfloat16(monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    run = training(clips())
    seen = set()
    run.model.expression.encoder.register_forward_hook(
        lambda module, inputs, output: seen.add(output.dtype)
    )
    next(run.fit())
    predict(run.model, run.data, range(4))
    assert seen == {torch.float32}


def test_it_learns_and_generalises():
    data = clips()
    run = training(data, schedule=dataclasses.replace(FAST, epochs=20))
    records = list(run.fit())
    assert [record.epoch for record in records] == list(range(1, 21))
    assert records[-1].loss < records[0].loss
    answers = predict(run.model, data, range(24, 36))
    assert answers.z.shape == (12, 16)
    assert (answers.logits.argmax(1) == data.labels[24:].numpy()).mean() > 0.9


@pytest.mark.parametrize("regulariser", ["mine", "vclub", "reversal", "nhsic"])
@pytest.mark.parametrize("stop", [1, 3])
def test_stopped_and_resumed_gives_the_same_bytes(tmp_path, regulariser, stop):
    data = clips(motion=True)
    method = Method(regulariser=regulariser, motion=True, **SMALL)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    for _ in training(data, whole, method=method).fit():
        pass
    for record in training(data, parts, method=method).fit():
        if record.epoch == stop:
            break
    torch.rand(7)  # whatever else the process did must not matter
    resumed = training(data, parts, method=method)
    assert len(resumed.records) == stop
    for _ in resumed.fit():
        pass
    names = "state.safetensors"
    assert (whole / names).read_bytes() == (parts / names).read_bytes()


def test_the_global_generator_is_left_as_it_was():
    run = training(clips())
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    next(run.fit())
    assert torch.equal(torch.rand(3), expected)


def test_a_state_of_another_run_or_a_damaged_one_is_refused(tmp_path):
    data = clips()
    next(training(data, tmp_path).fit())
    with pytest.raises(WeightsError, match="another"):
        training(data, tmp_path, seed=4)
    path = tmp_path / "state.safetensors"
    content = bytearray(path.read_bytes())
    content[-20] ^= 1
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="digest"):
        training(data, tmp_path)
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(WeightsError, match="whole checkpoint"):
        training(data, tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        lambda data: {"labels": data.labels.flip(0)},
        lambda data: {"classes": ("x", "y", "z")},
        lambda data: {"subjects": tuple(reversed(data.subjects))},
        lambda data: {"residual": data.residual + 1},
        lambda data: {"identity": -data.identity},
    ],
)
def test_a_training_does_not_go_on_with_other_clips(tmp_path, change):
    data = clips()
    next(training(data, tmp_path).fit())
    with pytest.raises(WeightsError, match="other clips"):
        training(dataclasses.replace(data, **change(data)), tmp_path)
    # Nor does it matter where they lie, or what stands in rows that are not trained on.
    residual = data.residual.clone()
    residual[24:] = 0
    moved = tuple(f"elsewhere/{name}" for name in data.names)
    moved = dataclasses.replace(data, names=moved, residual=residual)
    assert len(training(moved, tmp_path).records) == 1


def test_what_diverged_is_no_state_to_go_on_from(tmp_path):
    data = clips()
    run = training(data, tmp_path)
    steps = run.fit()
    next(steps)
    state = (tmp_path / "state.safetensors").read_bytes()
    with torch.no_grad():
        next(iter(run.model.parameters())).fill_(math.nan)
    assert math.isnan(next(steps).loss)
    assert (tmp_path / "state.safetensors").read_bytes() == state
    assert len(training(data, tmp_path).records) == 1


@pytest.mark.parametrize(
    "wrong", [{"epochs": 0}, {"epochs": -3}, {"batch": 0}, {"frames": -1}, {"learning_rate": 0.0}]
)
def test_a_schedule_that_trains_nothing_is_refused(wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        dataclasses.replace(FAST, **wrong)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_in_the_checkpoints_place_is_refused(tmp_path, name):
    path = tmp_path / "state.safetensors"
    path.write_bytes(HOSTILE[name])
    with pytest.raises(WeightsError, match=r"whole checkpoint.*Remedy: delete") as caught:
        training(clips(), tmp_path)
    assert caught.value.file == path


@pytest.mark.parametrize("header", ["[]", "{}", '{"text": 3, "sha256": "x"}', "[" * 100_000])
def test_a_checkpoint_without_its_facts_is_refused(tmp_path, header):
    path = tmp_path / "state.safetensors"
    weights.write(path, {"a": torch.zeros(2)}, metadata={"mic": header})
    with pytest.raises(WeightsError, match="whole checkpoint"):
        Checkpoint.load(path)


def _larger(value):
    return torch.zeros(*value.shape, 2, dtype=value.dtype) if value.ndim else value


@pytest.mark.parametrize(
    "forged",
    [
        lambda tensors, facts: ({n: _larger(v) for n, v in tensors.items()}, facts),
        lambda tensors, facts: (
            {n: _larger(v) if n.startswith("encoder/") else v for n, v in tensors.items()},
            facts,
        ),
        lambda tensors, facts: ({}, facts),
        lambda tensors, facts: (tensors | {"encoder/99999/exp_avg": torch.zeros(1)}, facts),
        lambda tensors, facts: (tensors, facts | {"records": [{"epoch": 1}]}),
        lambda tensors, facts: (tensors, facts | {"encoder": None}),
        lambda tensors, facts: (tensors, {"identity": facts["identity"]}),
        lambda tensors, facts: (tensors | {"critic-generator": torch.zeros(3)}, facts),
        lambda tensors, facts: (tensors, [1, 2]),
    ],
)
def test_a_forged_checkpoint_whose_digest_is_right_is_refused(tmp_path, forged):
    data, path = clips(), tmp_path / "state.safetensors"
    next(training(data, tmp_path).fit())
    state = Checkpoint.load(path)
    tensors, facts = forged(state.tensors, state.facts)
    Checkpoint(tensors=tensors, facts=facts).save(path)
    with pytest.raises(WeightsError, match=r"does not fit|belongs to a run of other") as caught:
        training(data, tmp_path)
    assert "delete the file" in caught.value.remedy


def test_a_checkpoint_gives_back_what_it_was_given(tmp_path):
    tensors = {"a": torch.arange(6).reshape(2, 3), "b": torch.tensor(1.5, dtype=torch.bfloat16)}
    Checkpoint(tensors=tensors, facts={"x": [1, "two"]}).save(tmp_path / "c.safetensors")
    back = Checkpoint.load(tmp_path / "c.safetensors")
    assert back.facts == {"x": [1, "two"]}
    for name, value in tensors.items():
        assert torch.equal(back.tensors[name], value)
        assert back.tensors[name].dtype == value.dtype


def test_evaluation_is_recorded_each_epoch():
    run = training(clips(), evaluate=lambda model: {"training": model.training})
    assert [r.evaluation for r in run.fit()] == [{"training": True}] * 4


def test_evaluation_can_be_rarer_but_never_misses_the_last_epoch():
    data = clips()
    torch.manual_seed(0)
    model = Mic(Method(regulariser="none", **SMALL), classes=3, identity=data.identity)
    schedule = dataclasses.replace(FAST, epochs=5)
    run = Training(
        model, data, range(9), schedule=schedule, evaluate=lambda _: {"x": 1}, evaluate_every=2
    )
    assert [bool(record.evaluation) for record in run.fit()] == [False, True, False, True, True]


def test_paper_schedules_step_where_the_paper_says():
    afew = PRESETS["paper-afew"]
    rates = [learning_rate(afew, epoch / afew.epochs) for epoch in (0, 29, 30, 59, 60, 99)]
    assert rates == [1e-4, 1e-4, 8e-6, 8e-6, 1e-7, 1e-7]
    assert learning_rate(PRESETS["paper-ck"], 0.3) == 1e-2
    cosine = PRESETS["default"]
    values = [learning_rate(cosine, share) for share in np.linspace(0, 1, 50)]
    assert max(values) == pytest.approx(cosine.learning_rate, rel=0.02)
    assert values[-1] < 1e-8


def test_mirroring_a_clip_negates_horizontal_motion_only():
    data = clips(motion=True)
    batch = data.batch([0, 1, 2, 3])
    schedule = dataclasses.replace(FAST, flip=True, shift=0.0, gain=0.0)
    g = torch.Generator().manual_seed(0)
    out = augment(batch, schedule, g)
    flipped = [not torch.equal(out.residual[i], batch.residual[i]) for i in range(4)]
    assert any(flipped)
    for i, was in enumerate(flipped):
        if was:
            torch.testing.assert_close(out.residual[i], batch.residual[i].flip(-1))
            torch.testing.assert_close(out.motion[i, :, 0], -batch.motion[i, :, 0].flip(-1))
            torch.testing.assert_close(out.motion[i, :, 1], batch.motion[i, :, 1].flip(-1))
            torch.testing.assert_close(out.apex[i], batch.apex[i].flip(-1))


def test_mirrored_vectors_stay_the_motion_of_a_face():
    # Mouth corners that go apart: mirrored, they still do.
    residual = torch.zeros(8, 3, 3, 8, 8, dtype=torch.int16)
    residual[:, :, 0, :, :4], residual[:, :, 0, :, 4:] = -4, 4
    data = dataclasses.replace(clips(8), residual=residual, lengths=torch.full((8,), 3),
                               vectors=True)  # fmt: skip
    batch = data.batch(range(8))
    schedule = dataclasses.replace(FAST, flip=True, shift=0.0, gain=0.0)
    out = augment(batch, schedule, torch.Generator().manual_seed(0))
    assert torch.equal(out.residual, batch.residual)
    light = dataclasses.replace(batch, vectors=False)
    seen = augment(light, schedule, torch.Generator().manual_seed(0)).residual
    assert not torch.equal(seen, batch.residual)


def test_displacement_moves_content_and_lets_zeros_in():
    data = clips()
    batch = data.batch(range(8))
    schedule = dataclasses.replace(FAST, flip=False, shift=0.25, gain=0.0)
    out = augment(batch, schedule, torch.Generator().manual_seed(1))
    assert not torch.equal(out.residual, batch.residual)
    for i in range(8):
        # Every value that is left was there before, and the border that came in is zero.
        assert set(out.residual[i].unique().tolist()) <= {
            0.0,
            *batch.residual[i].unique().tolist(),
        }
    assert torch.equal(batch.residual, data.batch(range(8)).residual)


def test_drawn_frames_are_valid_ordered_and_one_from_each_part():
    data = clips(motion=True)
    rows = torch.arange(12)
    lengths = data.lengths[rows]
    seen = set()
    for seed in range(20):
        frames = drawn_frames(lengths, 4, torch.Generator().manual_seed(seed))
        assert frames.shape == (12, 4)
        assert (frames.diff(dim=1) >= 0).all()
        for i, length in enumerate(lengths.tolist()):
            valid = frames[i, : min(4, length)]
            assert valid.max() < length
            if length <= 4:
                assert valid.tolist() == list(range(length))
            seen.add(tuple(valid.tolist()))
        batch = data.batch(rows, frames=frames)
        assert batch.lengths.tolist() == lengths.clamp_max(4).tolist()
        assert torch.equal(batch.residual[5, 2], data.residual[5, frames[5, 2]].float())
        assert torch.equal(batch.motion[5, 2], data.motion[5, frames[5, 2]].float())
    assert len(seen) > 5


def test_sampling_takes_the_last_frame_and_never_the_first():
    for frames in (2, 5, 17, 46):
        index = sampled(frames, 16)
        assert len(index) == 16
        assert index[0] >= 1
        assert index[-1] == frames - 1
        assert (np.diff(index) >= 0).all()
    with pytest.raises(ConfigError, match="no residual"):
        sampled(1, 4)


def test_padding_of_unequal_clips():
    stacked, lengths = padded(
        [np.ones((2, 1, 3, 3), np.int16), np.full((4, 1, 3, 3), 2, np.int16)]
    )
    assert stacked.shape == (2, 4, 1, 3, 3)
    assert stacked.dtype == torch.int16
    assert lengths.tolist() == [2, 4]
    assert stacked[0, 2:].abs().sum() == 0


def test_impossible_requests_are_refused():
    with pytest.raises(ConfigError, match="scale"):
        Representation(scale=3)
    with pytest.raises(ConfigError, match="no clips"):
        Training(training(clips()).model, clips(), [], schedule=FAST)
    with pytest.raises(ConfigError, match="rows of labels"):
        dataclasses.replace(clips(), labels=torch.zeros(3, dtype=torch.int64))
