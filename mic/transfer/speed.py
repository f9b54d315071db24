"""How fast the student is, beside its teacher: medians of interleaved runs on one thread."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
import torch

from mic.faces.landmarks import EDGE, Landmarker, Roi
from mic.processes.workers import torch_threads
from mic.transfer import student
from mic.transfer.examples import Examples
from mic.transfer.student import Student

BATCH = 32
_LOOKS = 4  # of the teacher in a repetition
COLUMNS: Mapping[str, str] = {
    "network": "the student on crops; the teacher on a decoded crop: mesh and blendshapes",
    "fps": "frames a second on one thread, median of interleaved repetitions",
    "ratio": "to the teacher's, median of ratios of neighbouring repetitions",
    "repeats": "repetitions",
}


def table(found: Student, examples: Examples, *, repeats: int) -> pd.DataFrame:
    """Frames a second of a student on examples as they lie in memory; columns `COLUMNS`.

    Args:
        found: Whom to time.
        examples: What it reads; the first `BATCH` of them, repeated where there are fewer.
        repeats: Interleaved repetitions.

    Raises:
        AssetError: The teacher's networks cannot be fetched.
    """
    landmarker = Landmarker()
    picture = np.full((EDGE, EDGE, 3), 128, np.uint8)
    rows = np.resize(np.arange(len(examples)), BATCH)

    def asked() -> int:
        planes, look = student.read(examples, rows, found.inputs)
        found(planes, look)
        return BATCH

    def taught() -> int:
        for _ in range(_LOOKS):
            mesh = landmarker.look(picture, Roi(EDGE / 2, EDGE / 2, EDGE, 0.0))
            landmarker.blendshapes(mesh)
        return _LOOKS

    with torch.no_grad(), torch_threads(1):
        asked()  # the first calls are slower
        taught()
        pairs = np.array([[_rate(asked), _rate(taught)] for _ in range(repeats)])
    ratio = float(np.median(pairs[:, 0] / pairs[:, 1]))
    rates = np.median(pairs, axis=0)
    return pd.DataFrame(
        {
            "network": ["student", "teacher"],
            "fps": rates.round(),
            "ratio": [ratio, 1.0],
            "repeats": repeats,
        }
    )[list(COLUMNS)]


def _rate(work: Callable[[], int]) -> float:
    start = time.perf_counter()
    count = work()
    return count / (time.perf_counter() - start)
