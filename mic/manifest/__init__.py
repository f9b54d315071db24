"""What a dataset is to `mic`: one row a clip, and who trains and who tests.

As in:

    manifest = Manifest.load("clips/manifest.csv")
    for split in subject_folds(manifest): ...
"""

from mic.manifest.manifest import Clip, Fault, Manifest
from mic.manifest.protocols import (
    Split,
    assign_folds,
    given_split,
    hold_out,
    leave_one_subject_out,
    subject_folds,
)

__all__ = [
    "Clip",
    "Fault",
    "Manifest",
    "Split",
    "assign_folds",
    "given_split",
    "hold_out",
    "leave_one_subject_out",
    "subject_folds",
]
