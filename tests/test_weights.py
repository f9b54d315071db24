"""Weights files: what is written comes back, and nothing hostile is loaded."""

import io
import json
import pickle
import struct
import zipfile

import pytest
import torch
from torch import nn

from mic import weights
from mic.errors import WeightsError


def _network():
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))


@pytest.fixture
def good(tmp_path):
    path = tmp_path / "good.safetensors"
    weights.write(path, _network().state_dict(), metadata={"classes": "a,b"})
    return path


def _raw(header, body=b"", *, length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + body


def _entry(dtype="F32", shape=(1,), offsets=(0, 4)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


class _Bomb:
    def __reduce__(self):
        return (pytest.fail, ("the pickle was executed",))


def _zip():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(_Bomb()))
    return buffer.getvalue()


def _torch_checkpoint():
    buffer = io.BytesIO()
    torch.save({"weight": torch.zeros(2)}, buffer)
    return buffer.getvalue()


FOUR = b"\0\0\0\0"
NAN = struct.pack("<f", float("nan"))
HOSTILE = {
    "empty": b"",
    "short": b"1234",
    "text": b"not a tensor in sight, only prose",
    "pickle 2": pickle.dumps(_Bomb(), protocol=2),
    "pickle 4": pickle.dumps(_Bomb(), protocol=4),
    "pickle 5": pickle.dumps(_Bomb(), protocol=5),
    "zip": _zip(),
    "torch.save": _torch_checkpoint(),
    "gzip": b"\x1f\x8b\x08\0" + bytes(20),
    "tflite": b"\x1c\0\0\0TFL3" + bytes(40),
    "header larger than the file": _raw({"a": _entry()}, FOUR, length=1 << 40),
    "header beyond the limit": _raw(b" " * (2 << 20), FOUR),
    "header not JSON": _raw(b"{'a': 1}", FOUR),
    "header a list": _raw([1, 2, 3], FOUR),
    "header deeply nested": _raw(b"[" * 200_000 + b"]" * 200_000, FOUR),
    "entry without type": _raw({"a": {"shape": [1], "data_offsets": [0, 4]}}, FOUR),
    "entry not an object": _raw({"a": 7}, FOUR),
    "metadata not text": _raw({"__metadata__": {"n": 1}, "a": _entry()}, FOUR),
    "odd type": _raw({"a": _entry("F8_E4M3", (4,))}, FOUR),
    "type not text": _raw({"a": _entry(["F32"])}, FOUR),
    "beyond the end": _raw({"a": _entry(shape=(100,), offsets=(0, 400))}, FOUR),
    "shape and bytes disagree": _raw({"a": _entry(shape=(2,))}, FOUR),
    "overlap": _raw({"a": _entry(), "b": _entry()}, FOUR),
    "bytes that no tensor owns": _raw({"a": _entry()}, FOUR + b"\x80\x04 polyglot tail"),
    "negative shape": _raw({"a": _entry(shape=(-1,))}, FOUR),
    "NaN": _raw({"a": _entry()}, NAN),
    "infinity": _raw({"a": _entry()}, struct.pack("<f", float("inf"))),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_refused_with_a_remedy(tmp_path, name):
    path = tmp_path / "hostile.safetensors"
    path.write_bytes(HOSTILE[name])
    with pytest.raises(WeightsError) as caught:
        weights.read(path)
    assert caught.value.file == path
    assert caught.value.remedy


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
