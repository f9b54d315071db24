"""The digest of a file's content."""

from __future__ import annotations

import hashlib
from pathlib import Path


def sha256_of(file: str | Path) -> str:
    """Hexadecimal SHA-256 of a file's content, read in pieces.

    Raises:
        OSError: The file cannot be read.
    """
    with Path(file).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
