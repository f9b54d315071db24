"""Side files of clips: what an annotation holds beside the pictures, as arrays."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np

from mic.errors import DatasetError

# What numpy raises of a file that is cut, overwritten or no archive at all.
DAMAGED = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error)


def arrays(path: Path) -> dict[str, np.ndarray]:
    """All arrays of a side file (.npz), by name.

    Raises:
        DatasetError: It cannot be read whole.
    """
    try:
        with np.load(path) as stored:
            return {name: stored[name] for name in stored.files}
    except DAMAGED as error:
        raise _unusable(path, f"is damaged: {error}") from error


def array(path: Path, name: str) -> np.ndarray:
    """One array of a side file.

    Raises:
        DatasetError: It is not there, or cannot be read.
    """
    try:
        with np.load(path) as stored:
            found: np.ndarray = stored[name]
            return found
    except DAMAGED as error:
        raise _unusable(path, f"holds no {name}: {error}") from error


def _unusable(path: Path, what: str) -> DatasetError:
    return DatasetError(what, file=path, remedy="make the clips again")
