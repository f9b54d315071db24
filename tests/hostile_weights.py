"""Bytes that somebody might call weights or a checkpoint: none of them may be loaded."""

import io
import json
import pickle
import struct
import zipfile

import pytest
import torch


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
