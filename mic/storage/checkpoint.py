"""Training state in one safetensors file with a digest: no pickle, whole or refused.

Tensors (weights, optimiser moments, random generators) are stored as they are; everything else
(epoch, records, optimiser groups) as JSON in the header, with a SHA-256 over both.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from mic.errors import WeightsError
from mic.storage import weights
from mic.storage.atomic import write_bytes

_VERSION = 1
# The facts list rows and predictions of each clip, for a hundred thousand of them.
_MAX_HEADER_BYTES = 64 << 20


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """Tensors and JSON-like facts under one digest.

    Attributes:
        tensors: By name.
        facts: Anything JSON holds.
    """

    tensors: dict[str, Tensor]
    facts: dict[str, Any]

    def save(self, path: str | Path) -> None:
        """Writes the file atomically.

        Raises:
            StorageError: The disk refuses; what stood there before is untouched.
        """
        tensors = {name: value.detach().cpu().contiguous() for name, value in self.tensors.items()}
        text = json.dumps({"version": _VERSION, "facts": self.facts}, sort_keys=True)
        header = json.dumps({"text": text, "sha256": _digest(tensors, text)}, sort_keys=True)
        write_bytes(path, save(tensors, metadata={"mic": header}))

    @classmethod
    def load(cls, path: str | Path) -> Checkpoint:
        """Reads a file that `save` wrote.

        Raises:
            WeightsError: It is missing, damaged, from another version of this format, or none.
        """
        path = Path(path)
        remedy = "delete the file; the training starts again"
        try:
            found = weights.read(path, max_header_bytes=_MAX_HEADER_BYTES)
            header = json.loads(found.metadata["mic"])
            text, digest = header["text"], header["sha256"]
            content = json.loads(text)
            version, facts = content["version"], content["facts"]
        except WeightsError as error:
            raise WeightsError(
                f"is not a whole checkpoint: {error.message}",
                file=path,
                place=error.place,
                remedy=remedy,
            ) from error
        except (KeyError, ValueError, TypeError, RecursionError) as error:
            raise WeightsError(
                f"is not a whole checkpoint: {error}", file=path, remedy=remedy
            ) from error
        if digest != _digest(found.tensors, text):
            raise WeightsError("does not match its own digest", file=path, remedy=remedy)
        if version != _VERSION:
            raise WeightsError(
                f"has format version {version}, not {_VERSION}", file=path, remedy=remedy
            )
        return cls(tensors=found.tensors, facts=facts)


def _digest(tensors: dict[str, Tensor], text: str) -> str:
    sha = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        value = tensors[name].contiguous()
        sha.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        sha.update(value.flatten().view(torch.uint8).numpy().tobytes())
    return sha.hexdigest()


def pack_optimizer(
    optimizer: torch.optim.Optimizer, prefix: str
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """An optimiser's state as tensors named `prefix/...` and JSON-like facts."""
    state = optimizer.state_dict()
    tensors: dict[str, Tensor] = {}
    numbers: dict[str, dict[str, Any]] = {}
    for index, entries in state["state"].items():
        numbers[str(index)] = {}
        for name, value in entries.items():
            if isinstance(value, Tensor):
                tensors[f"{prefix}/{index}/{name}"] = value
            else:
                numbers[str(index)][name] = value
    return tensors, {"groups": state["param_groups"], "numbers": numbers}


def unpack_optimizer(
    optimizer: torch.optim.Optimizer,
    prefix: str,
    tensors: dict[str, Tensor],
    facts: dict[str, Any],
) -> None:
    """Restores what `pack_optimizer` took.

    Raises:
        KeyError, ValueError, IndexError, TypeError: It is not this optimiser's.
    """
    state: dict[int, dict[str, Any]] = {
        int(index): dict(entries) for index, entries in facts["numbers"].items()
    }
    for name, value in tensors.items():
        head, _, rest = name.partition("/")
        if head == prefix:
            index, _, key = rest.partition("/")
            state[int(index)][key] = value
    owners = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    for number, entries in state.items():
        for name, value in entries.items():
            # PyTorch itself would take a moment of any shape, and fail at some later step.
            if not isinstance(value, Tensor) or value.ndim == 0:
                continue
            if value.shape != owners[number].shape:
                raise ValueError(f"{name} of parameter {number} is {tuple(value.shape)}")
            # A fused step walks through both in the order of memory, which files do not keep.
            entries[name] = torch.empty_like(owners[number]).copy_(value)
    groups = [
        {k: tuple(v) if k == "betas" else v for k, v in group.items()} for group in facts["groups"]
    ]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
