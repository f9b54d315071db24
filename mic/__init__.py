"""Facial-expression recognition straight from compressed video.

In a notebook:

    import mic

    mic.predict("face.mp4")                 # expressions of everybody in it, a row a window
    mic.extract("face.mp4", "face.npz")     # its residuals as arrays
    mic.extract("face.mp4", "face.npz", what=("residual", "motion", "iframe"))
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mic.extraction.extract import extract
    from mic.recognition.table import predict

__version__ = "0.1.0"
__all__ = ["extract", "predict"]

# Imported on first use: `import mic` must not wait for torch or PyAV.
_HOMES = {"extract": "mic.extraction", "predict": "mic.recognition"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'mic' has no attribute {name!r}")
    from mic import extras

    with extras.needed():
        return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
