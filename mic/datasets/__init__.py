"""Datasets: one file each, from its published folder layout to one manifest schema.

    from mic import config, datasets

    manifest = datasets.load("synth-ck", config.load())       # generated at the first call
    manifest = datasets.load("ckplus", config.load(), path="/data/CK+")
    for split in datasets.subject_folds(manifest): ...
    for line in datasets.fetch("mmi", path="/data/MMI").lines(): ...

The schema is in `manifest`, folds and splits in `protocols`, tensors of clips in `tensors`. The
submodules are imported on first use, so that the generator, which writes manifests too, can
import the schema without importing itself.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOME = {
    "Clip": "manifest",
    "Fault": "manifest",
    "Manifest": "manifest",
    "Split": "protocols",
    "assign_folds": "protocols",
    "given_split": "protocols",
    "hold_out": "protocols",
    "leave_one_subject_out": "protocols",
    "subject_folds": "protocols",
    "DATASETS": "published",
    "Report": "published",
    "available": "published",
    "fetch": "published",
    "load": "published",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
