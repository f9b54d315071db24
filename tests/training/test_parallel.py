"""One training in several processes: the loss curve of one process with the same batch."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
from campaigns import ranks
from test_train import SMALL, clips, training

from mic import synthface
from mic.errors import ConfigError
from mic.models.mic import Method
from mic.recognition import recogniser
from mic.training import parallel
from mic.training.train import predict

# Of every part of the loss: sums in another order, which four epochs of a game amplify.
TOLERANCE = 1e-3


@pytest.fixture
def alone(tmp_path):
    """A group of this process only."""
    store = f"file://{tmp_path}/store"
    dist.init_process_group("gloo", init_method=store, rank=0, world_size=1)
    yield
    dist.destroy_process_group()


def test_a_group_of_one_takes_the_steps_of_a_training_without_group(alone, tmp_path, monkeypatch):
    data = clips(motion=True)
    method = Method(regulariser="mine", motion=True, dropout=0.0, **SMALL)
    shared = training(data, tmp_path, method=method)
    assert shared.ranks is not None
    theirs = [next(shared.fit()), next(shared.fit())]
    monkeypatch.setattr(parallel, "ranks", lambda model: None)
    plain = training(data, method=method)
    assert plain.ranks is None
    ours = [next(plain.fit()), next(plain.fit())]
    for one, other in zip(ours, theirs, strict=True):
        assert one.train_accuracy == other.train_accuracy
        assert one.loss == pytest.approx(other.loss, rel=1e-4)
        assert one.parts == pytest.approx(other.parts, rel=TOLERANCE, abs=1e-4)
    # Not the weights: a bias in front of a normalisation has no gradient but rounding, which Adam
    # takes for one.
    answers = [predict(run.model, data, range(36)).logits for run in (plain, shared)]
    np.testing.assert_allclose(*answers, atol=0.02)
    assert (tmp_path / "state.safetensors").is_file()


def test_statistics_are_those_of_torch(alone):
    torch.manual_seed(0)
    for norm, shape in (
        (torch.nn.BatchNorm2d(5), (7, 5, 4, 3)),
        (torch.nn.BatchNorm1d(5), (9, 5)),
    ):
        values = 3 + 2 * torch.randn(shape)
        other = type(norm)(5)
        other.load_state_dict(norm.state_dict())
        other.__class__ = parallel._SharedBatchNorm
        results = []
        for module in (norm, other):
            inputs = values.clone().requires_grad_()
            output = module(inputs)
            (output**3).sum().backward()
            results.append((output, inputs.grad, module.weight.grad, *module.buffers()))
        for one, two in zip(*results, strict=True):
            torch.testing.assert_close(one, two, rtol=1e-4, atol=1e-4)


def test_a_batch_smaller_than_the_group_is_refused(alone):
    run = training(clips(), method=Method(regulariser="none", **SMALL))
    run.ranks.world = 99
    with pytest.raises(ConfigError, match="cannot be shared by 99"):
        next(run.fit())


def test_what_has_no_expression_branch_is_refused(alone):
    with pytest.raises(ConfigError, match="without torchrun"):
        parallel.ranks(torch.nn.Linear(2, 2))


@pytest.mark.long
@pytest.mark.parametrize("regulariser", ["mine", "discriminator"])
def test_two_processes_have_the_loss_curve_of_one(tmp_path, regulariser):
    script = str(Path(ranks.__file__))
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc-per-node", "2", script, str(tmp_path), regulariser]
    subprocess.run(command, check=True)
    first, second = (json.loads((tmp_path / f"rank{n}.json").read_text()) for n in range(2))
    assert first == second  # to the last bit: otherwise the ranks would drift apart
    alone = ranks.record(None, regulariser)
    assert len(first) == len(alone) == 4
    for one, other in zip(alone, first, strict=True):
        for name, value in one.items():
            assert other[name] == pytest.approx(value, rel=TOLERANCE, abs=1e-4), name
    assert (tmp_path / "state.safetensors").is_file()


@pytest.mark.long
def test_mic_train_under_torchrun_writes_one_network(tmp_path):
    made = synthface.generate("synth-ck", tmp_path / "made", subset=8, size=96)
    for number, clip in enumerate(made):
        target = (
            tmp_path / "videos" / ("calm", "moved")[number % 2] / f"{clip.subject}_{number}.mp4"
        )
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(made.path(clip), target)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc-per-node", "2", "-m", "mic", "train", str(tmp_path / "videos")]
    command += ["--out", str(tmp_path / "model"), "--epochs", "2", "--identity", "none"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout.count("accuracy ") == 1
    assert json.loads((tmp_path / "model" / "fit.json").read_text())["classes"] == [
        "calm",
        "moved",
    ]
    assert recogniser.Recogniser.load(tmp_path / "model" / "model.safetensors").card.classes
    assert not (tmp_path / "model" / "training.safetensors").exists()
