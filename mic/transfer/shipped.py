"""The student that ships: trained on the films and datasets of the campaign, on nobody real.

    found = shipped.load()
    student.predict(found, examples.real({"clip.mp4": "somebody"}))

Written by `python -m campaigns.transfer publish` (from `tests/`), whose tables in
`results/transfer/` are of this very student.
"""

from __future__ import annotations

from pathlib import Path
from typing import cast

from mic.errors import WeightsError
from mic.storage import weights
from mic.transfer.student import INPUTS, Input, Student

PATH = Path(__file__).parents[1] / "weights" / "transfer.safetensors"
SHA256 = "c6d7bb2f749095ded62c1c43f823d68a69366c710cca69b9fa958deae0398a99"


def load(path: str | Path = PATH, *, sha256: str | None = SHA256) -> Student:
    """A student from a file.

    Args:
        path: Of `save`.
        sha256: The digest that the file must have; None accepts any.

    Raises:
        WeightsError: The file is damaged, another one, or no student's.
    """
    stored = weights.read(path, sha256=sha256)
    inputs = tuple(stored.metadata.get("inputs", "").split("+"))
    if not set(inputs) <= set(INPUTS):
        raise WeightsError(
            "does not say what its network reads",
            file=path,
            remedy="use a file of `mic.transfer.shipped.save`",
        )
    found = Student(cast(tuple[Input, ...], inputs))
    weights.load_into(found, stored)
    return found.eval()


def save(found: Student, path: str | Path, *, about: str) -> str:
    """Writes a student.

    Args:
        found: Whom.
        path: Ends in `.safetensors`.
        about: What it was trained on.

    Returns:
        The SHA-256 of the file.

    Raises:
        WeightsError: Another suffix, or values that are not finite.
        StorageError: It cannot be written.
    """
    metadata = {"inputs": "+".join(found.inputs), "about": about}
    return weights.write(path, found.state_dict(), metadata=metadata)
