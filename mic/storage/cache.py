"""Features by content: what a stage made of an input is computed once and found again.

An entry's key is the SHA-256 of what decides its value: the inputs' own digests, the stage's name
and version, and its parameters in canonical form. Nothing else is consulted, so a file may move
and two runs, users or machines may share a folder. An entry is one safetensors file (no pickle):
its header carries the recipe and the payload's SHA-256, which is verified at every read, and an
entry that is damaged in any way is computed again and replaced.

    STAGE = Stage(name="iframe", version=1)
    arrays = fetch(STAGE, inputs=[digest(video)], parameters={"scale": 2},
                   compute=lambda: {"luma": decode(video)})

Files lie at `<folder>/<stage>/<first two digits>/<key>.safetensors`: 256 folders a stage keep a
directory of a hundred thousand entries at four hundred files.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import logging
import math
import mmap
import re
import stat
from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save

from mic.errors import ConfigError, DatasetError
from mic.storage.atomic import write_bytes
from mic.storage.digest import sha256_of
from mic.storage.header import split
from mic.storage.home import home, locked

_LOGGER = logging.getLogger(__name__)

# Larger entries are mapped instead of read, so that processes share their pages. Not all of them,
# because each map holds a file descriptor and a process has about a thousand.
MAP_FROM_BYTES = 16 << 20

_DTYPES = {
    "BOOL": np.bool_,
    "U8": np.uint8,
    "I8": np.int8,
    "U16": np.uint16,
    "I16": np.int16,
    "U32": np.uint32,
    "I32": np.int32,
    "U64": np.uint64,
    "I64": np.int64,
    "F16": np.float16,
    "F32": np.float32,
    "F64": np.float64,
}

Arrays = dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Stage:
    """A step of the pipeline as the cache sees it.

    Attributes:
        name: Lower-case letters, digits and hyphens; names the folder too.
        version: Raised whenever the same input and parameters give other values.
    """

    name: str
    version: int

    def __post_init__(self) -> None:
        """Refuses names that are no folder name."""
        if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", self.name):
            raise ConfigError(
                f"{self.name!r} cannot name a cache stage",
                remedy="use lower-case letters, digits and hyphens",
            )


def digest(path: str | Path) -> str:
    """SHA-256 of a file, remembered for as long as its size and time stamp stay the same.

    Raises:
        DatasetError: The file cannot be read.
    """
    path = Path(path)
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise OSError("it is a folder, a pipe or a device")
        return _digest(path, status.st_size, status.st_mtime_ns)
    except OSError as error:
        raise DatasetError(
            f"cannot be read: {error.strerror or error}",
            file=path,
            remedy="check that the dataset is where its manifest says",
        ) from error


@functools.lru_cache(maxsize=1 << 16)
def _digest(path: Path, size: int, mtime_ns: int) -> str:  # the latter two are part of the key
    return sha256_of(path)


def entry_path(
    stage: Stage,
    *,
    inputs: Iterable[str],
    parameters: Mapping[str, Any] | None = None,
    folder: str | Path | None = None,
) -> Path:
    """Where the entry for this stage, these inputs and these parameters lies or would lie.

    Args:
        stage: The step.
        inputs: Digests of everything the step reads, in order.
        parameters: JSON-like values, fractions and dataclasses of such.
        folder: The cache; by default `MIC_HOME/cache`.

    Raises:
        ConfigError: A parameter has no canonical form (NaN, an array, a path, an object).
    """
    key = hashlib.sha256(_recipe(stage, inputs, parameters).encode()).hexdigest()
    return _path_of(key, stage, folder)


def _path_of(key: str, stage: Stage, folder: str | Path | None) -> Path:
    root = home() / "cache" if folder is None else Path(folder)
    return root / stage.name / key[:2] / f"{key}.safetensors"


def fetch(
    stage: Stage,
    *,
    inputs: Iterable[str],
    compute: Callable[[], Mapping[str, np.ndarray]],
    parameters: Mapping[str, Any] | None = None,
    folder: str | Path | None = None,
) -> Arrays:
    """The arrays that `stage` makes of `inputs`: from the cache, or computed and kept.

    Processes that ask for the same missing entry wait for the first of them to compute it.

    Args:
        stage: The step.
        inputs: Digests of everything the step reads, in order.
        compute: Makes the arrays; called only on a miss or a damaged entry.
        parameters: As in `entry_path`.
        folder: As in `entry_path`.

    Returns:
        Read-only arrays by name, the same whether they were just computed or read.

    Raises:
        ConfigError: As in `entry_path`, or an array of a type that cannot be stored.
        StorageError: The cache cannot be written.
    """
    recipe = _recipe(stage, inputs, parameters)
    path = _path_of(hashlib.sha256(recipe.encode()).hexdigest(), stage, folder)
    found = read(path)
    if found is not None:
        return found
    with locked(path.with_suffix(".lock")):
        found = read(path)
        if found is not None:  # another process was faster
            return found
        if path.exists():
            _LOGGER.warning("cache entry %s is damaged and computed again", path)
        content = _pack(compute(), recipe)
        write_bytes(path, content, durable=False)
    return _unpack(content)


def read(path: str | Path) -> Arrays | None:
    """The arrays of the entry at `path`, or None if it is absent or damaged in any way."""
    try:
        with Path(path).open("rb") as file:
            size = file.seek(0, 2)
            file.seek(0)
            if size < MAP_FROM_BYTES:
                return _unpack(file.read())
            return _unpack(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _pack(arrays: Mapping[str, np.ndarray], recipe: str) -> bytes:
    arrays = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    for name, array in arrays.items():
        if array.dtype not in [np.dtype(kind) for kind in _DTYPES.values()]:
            raise ConfigError(
                f"array {name!r} of type {array.dtype} cannot be cached",
                remedy="use booleans, integers or floats",
            )
    # The checksum stands in the header and covers header and payload, so the file is laid out
    # once to learn both. One metadata key only: safetensors writes several in random order.
    header, payload = split(save(arrays))
    label = {"recipe": recipe, "sha256": _checksum(recipe, header, payload)}
    return save(arrays, metadata={"mic": json.dumps(label)})


def _checksum(recipe: str, header: Mapping[str, Any], payload: memoryview) -> str:
    text = json.dumps([recipe, header], sort_keys=True)
    hasher = hashlib.sha256(text.encode())
    hasher.update(payload)
    return hasher.hexdigest()


def _unpack(content: bytes | mmap.mmap) -> Arrays:
    """Verified read-only views of a safetensors file's arrays.

    Raises:
        ValueError, KeyError, TypeError, AttributeError: It is damaged.
    """
    header, payload = split(content)
    label = json.loads(header.pop("__metadata__")["mic"])
    if _checksum(label["recipe"], header, payload) != label["sha256"]:
        raise ValueError("the content is not what its checksum says")
    arrays = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        flat: np.ndarray = np.frombuffer(payload[begin:end], dtype=_DTYPES[entry["dtype"]])
        arrays[name] = flat.reshape(entry["shape"])
        arrays[name].flags.writeable = False
    return arrays


def _recipe(stage: Stage, inputs: Iterable[str], parameters: Mapping[str, Any] | None) -> str:
    return json.dumps(
        {
            "stage": stage.name,
            "version": stage.version,
            "inputs": [str(item) for item in inputs],
            "parameters": _canonical(parameters or {}),
        },
        sort_keys=True,
        separators=(",", ":"),
    )


def _canonical(value: Any) -> Any:
    """`value` as JSON that is the same for equal values, or a ConfigError if there is no such."""
    match value:
        case None | bool() | str() | int():
            return value
        case float() if math.isfinite(value):
            # 2 and 2.0 are equal in Python and must not make two entries.
            return int(value) if value.is_integer() else value
        case Fraction():
            return f"{value.numerator}/{value.denominator}"
        case Mapping() if all(isinstance(key, str) for key in value):
            return {key: _canonical(item) for key, item in value.items()}
        case list() | tuple():
            return [_canonical(item) for item in value]
        case np.integer() | np.floating() | np.bool_():
            return _canonical(value.item())
        case _ if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return _canonical(dataclasses.asdict(value))
    raise ConfigError(
        f"{value!r} cannot be part of a cache key",
        remedy="pass numbers, strings, fractions, or lists, mappings and dataclasses of them",
    )
