"""Weights files: what is written comes back, and nothing hostile is loaded."""

import os

import pytest
import torch
from hostile_weights import HOSTILE
from torch import nn

from mic.errors import WeightsError
from mic.storage import weights


def _network():
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))


@pytest.fixture
def good(tmp_path):
    path = tmp_path / "good.safetensors"
    weights.write(path, _network().state_dict(), metadata={"classes": "a,b"})
    return path


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_refused_with_a_remedy(tmp_path, name):
    path = tmp_path / "hostile.safetensors"
    path.write_bytes(HOSTILE[name])
    with pytest.raises(WeightsError) as caught:
        weights.read(path)
    assert caught.value.file == path
    assert caught.value.remedy


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.safetensors")
    with pytest.raises(WeightsError, match="no regular file"):
        weights.read(tmp_path / "pipe.safetensors")


def test_what_is_written_comes_back(good):
    found = weights.read(good)
    network = _network()
    weights.load_into(network, found)
    assert found.metadata == {"classes": "a,b"}
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, found.tensors[name])


def test_equal_content_gives_equal_bytes(tmp_path):
    tensors = {"b": torch.arange(5.0), "a": torch.ones(2, 3).T}
    first = weights.write(tmp_path / "1.safetensors", tensors, metadata={"y": "2", "x": "1"})
    second = weights.write(tmp_path / "2.safetensors", tensors, metadata={"x": "1", "y": "2"})
    assert first == second


def test_every_truncation_is_refused(good, tmp_path):
    data = good.read_bytes()
    path = tmp_path / "cut.safetensors"
    for end in range(0, len(data), 7):
        path.write_bytes(data[:end])
        with pytest.raises(WeightsError):
            weights.read(path)


def test_the_pin_is_checked(good):
    pin = weights.read(good).sha256
    assert weights.read(good, sha256=pin).sha256 == pin
    data = bytearray(good.read_bytes())
    data[-1] ^= 1
    good.write_bytes(data)
    with pytest.raises(WeightsError, match="pinned"):
        weights.read(good, sha256=pin)


@pytest.mark.parametrize(
    ("other", "fault"),
    [
        (nn.Linear(3, 4), "unknown"),
        (nn.Sequential(nn.Linear(3, 5), nn.BatchNorm1d(5)), "must be"),
        (nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 1)), "missing"),
    ],
)
def test_a_network_of_another_shape_stays_as_it_was(good, other, fault):
    before = {name: tensor.clone() for name, tensor in other.state_dict().items()}
    with pytest.raises(WeightsError, match=fault):
        weights.load_into(other, weights.read(good))
    for name, tensor in other.state_dict().items():
        assert torch.equal(tensor, before[name])


def test_missing_file_and_wrong_suffix(tmp_path):
    with pytest.raises(WeightsError, match="cannot be read"):
        weights.read(tmp_path / "none.safetensors")
    with pytest.raises(WeightsError, match="safetensors"):
        weights.write(tmp_path / "x.pt", {}, metadata={})


def test_a_diverged_network_is_not_written(tmp_path):
    path = tmp_path / "x.safetensors"
    with pytest.raises(WeightsError, match="diverged"):
        weights.write(path, {"w": torch.tensor([float("nan")])}, metadata={})
    assert not path.exists()


@pytest.mark.parametrize("length", [0x0280, 0x0380, 0x0480, 0x0580])
def test_a_header_whose_length_reads_as_another_format_is_read(length, tmp_path):
    path = tmp_path / "long.safetensors"
    tensors = {"a": torch.zeros(3)}
    metadata = {"text": ""}
    weights.write(path, tensors, metadata=metadata)
    short = int.from_bytes(path.read_bytes()[:8], "little")
    for more in range(length - short, length - short - 9, -1):
        weights.write(path, tensors, metadata={"text": "x" * more})
        if int.from_bytes(path.read_bytes()[:8], "little") == length:
            break
    assert int.from_bytes(path.read_bytes()[:8], "little") in (length, length + 8 - length % 8)
    assert weights.read(path).tensors["a"].tolist() == [0, 0, 0]
