"""The two parts of a safetensors file in memory; the library reads headers of files only."""

from __future__ import annotations

import json
import mmap
from typing import Any


def split(
    content: bytes | mmap.mmap | memoryview, *, most: int | None = None
) -> tuple[dict[str, Any], memoryview]:
    """The header, its metadata under `__metadata__`, and the bytes of the tensors behind it.

    Args:
        content: The file: the header's length (8 bytes, little endian), the header, the tensors.
        most: Bytes that a header may have at most; None: what the file has.

    Raises:
        ValueError: It is no such file, or claims a longer header.
    """
    view = memoryview(content)
    if len(view) < 10:
        raise ValueError(f"is {len(view)} bytes long")
    length = int.from_bytes(view[:8], "little")
    there = len(view) - 8
    if length > (there if most is None else min(most, there)):
        raise ValueError(f"claims a header of {length} bytes")
    try:
        header = json.loads(bytes(view[8 : 8 + length]))
    except (ValueError, RecursionError) as error:
        raise ValueError("its header is not the format's JSON") from error
    if not isinstance(header, dict):
        raise ValueError("its header is not the format's JSON")
    return header, view[8 + length :]
