"""Network weights on disk: safetensors only, checked before a tensor exists, pinned by SHA-256.

A checkpoint from somewhere else is hostile until proven otherwise: pickles run code when they are
read, headers promise terabytes, tensors hold NaN. So nothing here unpickles, sizes are bounded
before anything is allocated, and names, shapes and values are compared with what the network
expects.

    weights.write("mine.safetensors", network.state_dict(), metadata={"classes": "anger,..."})
    weights.load_into(network, weights.read("mine.safetensors"))
"""

from __future__ import annotations

import hashlib
import json
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load as parse
from safetensors.torch import save as serialise

from mic.errors import WeightsError
from mic.storage import atomic
from mic.storage.header import split

SUFFIX = ".safetensors"
MAX_FILE_BYTES = 1 << 30
# A header is about 100 bytes a tensor; the format itself would allow 100 MB of JSON.
MAX_HEADER_BYTES = 1 << 20
# Everything else (complex, 8-bit floats, sub-byte integers) has no use in our networks.
_DTYPES = frozenset({"F64", "F32", "F16", "BF16", "I64", "I32", "U8", "BOOL"})
_FOREIGN = {
    b"PK\x03\x04": "a zip archive, probably a PyTorch checkpoint",
    b"\x80\x02": "a pickle",
    b"\x80\x03": "a pickle",
    b"\x80\x04": "a pickle",
    b"\x80\x05": "a pickle",
    b"\x1f\x8b": "a gzip file",
    b"\x89HDF": "an HDF5 file",
    b"TFL3": "a TensorFlow Lite model",
}
_CONVERT = (
    "convert it where you trust it: safetensors.torch.save_file(network.state_dict(), "
    "'weights.safetensors')"
)
# The version of its format, then who wrote it: the beginning of what `mic export` writes.
_ONNX = b"\x08\x08\x12\x03mic"
_EXPORTED = "name the .safetensors file that it was made of"


@dataclass(frozen=True)
class Weights:
    """What a weights file holds.

    Attributes:
        path: The file.
        sha256: Digest of its bytes.
        tensors: Tensors by name, all finite.
        metadata: Text by name, as the writer gave it.
    """

    path: Path
    sha256: str
    tensors: dict[str, torch.Tensor]
    metadata: dict[str, str]


def read(
    path: str | Path, *, sha256: str | None = None, max_header_bytes: int = MAX_HEADER_BYTES
) -> Weights:
    """Reads and checks a weights file; nothing in it is executed.

    Args:
        path: A `.safetensors` file of at most `MAX_FILE_BYTES`.
        sha256: The digest that its bytes must have, where it is known.
        max_header_bytes: Names, shapes and metadata together.

    Raises:
        WeightsError: No such file, another format, damage, other bytes than the pinned ones, a
            type that our networks do not use, or a value that is not finite.
    """
    path = Path(path)
    data = _bytes_of(path)
    digest = hashlib.sha256(data).hexdigest()
    if sha256 is not None and digest != sha256:
        raise WeightsError(
            f"is not the pinned file: SHA-256 is {digest}, expected {sha256}",
            file=path,
            remedy="restore it (`git checkout` for the shipped one) or download it again",
        )
    metadata = _checked_header(path, data, max_header_bytes)
    try:
        tensors = parse(data)
    except (SafetensorError, ValueError, KeyError) as error:
        raise _damaged(path, str(error)) from error
    for name, tensor in tensors.items():
        if not torch.isfinite(tensor).all():
            raise WeightsError(
                "holds values that are not finite",
                file=path,
                place=f"tensor {name}",
                remedy="the training that wrote it diverged: take an earlier checkpoint",
            )
    return Weights(path, digest, tensors, metadata)


def write(
    path: str | Path, tensors: Mapping[str, torch.Tensor], *, metadata: Mapping[str, str]
) -> str:
    """Writes a weights file atomically, the same bytes for the same content.

    Args:
        path: Ends in `.safetensors`.
        tensors: Tensors by name, from any device.
        metadata: Text by name.

    Returns:
        The SHA-256 of the bytes.

    Raises:
        WeightsError: The name has another suffix, or a value is not finite.
        StorageError: It cannot be written.
    """
    path = Path(path)
    if path.suffix != SUFFIX:
        raise WeightsError("weights are written as safetensors", file=path, remedy=f"use {SUFFIX}")
    ready = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    wrong = [name for name, tensor in ready.items() if not torch.isfinite(tensor).all()]
    if wrong:
        raise WeightsError(
            "would hold values that are not finite",
            file=path,
            place=f"tensor {wrong[0]}",
            remedy="the training diverged: lower the learning rate",
        )
    data = _canonical(serialise(ready, metadata=dict(metadata)))
    atomic.write_bytes(path, data)
    return hashlib.sha256(data).hexdigest()


def _canonical(data: bytes) -> bytes:
    """The same file with its header's keys in order, which the library leaves to chance."""
    header, payload = split(data)
    text = json.dumps(header, sort_keys=True, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # tensors start at a multiple of eight bytes
    return b"".join([len(text).to_bytes(8, "little"), text, payload])


def load_into(network: torch.nn.Module, weights: Weights) -> None:
    """Copies weights into a network that must have exactly their names and shapes.

    Raises:
        WeightsError: A tensor is missing, unknown or of another shape; the network is unchanged.
    """
    wanted = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    given = {name: tuple(tensor.shape) for name, tensor in weights.tensors.items()}
    faults = [f"{name} is missing" for name in wanted.keys() - given.keys()]
    faults += [f"{name} is unknown" for name in given.keys() - wanted.keys()]
    faults += [
        f"{name} is {given[name]}, must be {wanted[name]}"
        for name in wanted.keys() & given.keys()
        if given[name] != wanted[name]
    ]
    if faults:
        shown = "; ".join(sorted(faults)[:3])
        more = f" and {len(faults) - 3} more faults" if len(faults) > 3 else ""
        raise WeightsError(
            f"does not fit {type(network).__name__}: {shown}{more}",
            file=weights.path,
            remedy="use the weights with the network and options they were trained with",
        )
    network.load_state_dict(weights.tensors)


def _bytes_of(path: Path) -> bytes:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise WeightsError("is no regular file", file=path, remedy="name a file")
        with path.open("rb") as stream:
            data = stream.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise WeightsError(
            f"cannot be read: {error.strerror}", file=path, remedy="check the path"
        ) from error
    # The length of a safetensors header, which comes first, may begin as one of the others does.
    own = len(data) > 8 and 2 <= int.from_bytes(data[:8], "little") <= len(data) - 8
    if data.startswith(b"PK\x03\x04") and b"/archive_format" in data:
        raise WeightsError("is an exported network", file=path, remedy=_EXPORTED)
    for magic, what in _FOREIGN.items() if not (own and data[8:9] == b"{") else ():
        if data.startswith(magic) or data[4:8] == magic:
            raise WeightsError(
                f"is {what}, which is not loaded because it could run code or is not checkable",
                file=path,
                remedy=_CONVERT,
            )
    if data.startswith(_ONNX):
        raise WeightsError("is an exported network", file=path, remedy=_EXPORTED)
    if len(data) > MAX_FILE_BYTES:
        raise WeightsError(f"is larger than {MAX_FILE_BYTES} bytes", file=path, remedy=_CONVERT)
    return data


def _checked_header(path: Path, data: bytes, most: int) -> dict[str, str]:
    """The metadata, after checking that the header describes exactly the bytes that follow it."""
    try:
        header, _ = split(data, most=most)
        metadata = header.pop("__metadata__", {})
        types = {name: entry["dtype"] for name, entry in header.items()}
    except ValueError as error:
        raise _damaged(path, str(error)) from error
    except (TypeError, KeyError) as error:
        raise _damaged(path, "its header is not the format's JSON") from error
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise _damaged(path, "its metadata is not text")
    for name, kind in types.items():
        if not isinstance(kind, str) or kind not in _DTYPES:
            raise WeightsError(
                f"type {kind} is not among {', '.join(sorted(_DTYPES))}",
                file=path,
                place=f"tensor {name}",
                remedy="store the network in float32",
            )
    return metadata


def _damaged(path: Path, reason: str) -> WeightsError:
    return WeightsError(
        f"is not a whole safetensors file: {reason}", file=path, remedy="get another copy"
    )
