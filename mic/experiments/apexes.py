"""How well the apex is found where nobody annotated it, on generated clips, where it is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from mic.experiments.data import Dataset
from mic.inputs import apex
from mic.manifest import side_files
from mic.storage import cache

STAGE = cache.Stage(name="apexes", version=1)

RULES = (
    "differs most from the first frame",
    "differs most from the first and the last",
    "the middle (the paper, for MMI)",
    "the last (CK+)",
)
COLUMNS: Mapping[str, str] = {
    "dataset": "generated protocol, whose apex is known",
    "clips": "clips",
    "people": "seen in them",
    "rule": "which frame is taken",
    "distance": "frames between it and the true apex, median",
    "within_two": "share of clips where that is at most two frames",
    "expression": "share of the clip's full expression that it shows, mean",
    "worst_tenth": "the share at the 10 % quantile of the clips",
}


def table(data: Sequence[Dataset]) -> pd.DataFrame:
    """A row a generated dataset and rule; columns: `COLUMNS`.

    Where the expression is held, many frames show all of it, so the share of the full expression
    says more than the distance to the one frame that is called the apex.

    Raises:
        DatasetError: A clip has no frame.
        StorageError: A clip's side file cannot be read.
    """
    lines = []
    for one in data:
        measured = np.array([_measured(one, number) for number in range(len(one.manifest))])
        for rule, (distance, share) in zip(RULES, measured.transpose(1, 2, 0), strict=True):
            lines.append(
                {
                    "dataset": one.name,
                    "clips": len(one.manifest),
                    "people": len(set(one.manifest.column("subject"))),
                    "rule": rule,
                    "distance": float(np.median(distance)),
                    "within_two": float((distance <= 2).mean()),
                    "expression": share.mean(),
                    "worst_tenth": float(np.quantile(share, 0.1)),
                }
            )
    return pd.DataFrame(lines, columns=list(COLUMNS))


def _measured(data: Dataset, number: int) -> np.ndarray:
    """(rules, 2) of one clip: distance in frames, share of the full expression."""
    clip = data.manifest.clips[number]
    path = data.manifest.path(clip)

    def compute() -> dict[str, np.ndarray]:
        return {"apexes": np.array([apex.find(path, returns=one) for one in (False, True)])}

    found = cache.fetch(
        STAGE,
        inputs=[cache.digest(path)],
        parameters={},
        compute=compute,
        folder=data.folder,
    )["apexes"]
    truth = side_files.arrays(data.manifest.annotation_path(clip))
    intensity, true = truth["intensity"].astype(float), int(truth["apex"])
    last = len(intensity) - 1
    places = [*(int(place) for place in found), len(intensity) // 2, last]
    return np.array([[abs(p - true), intensity[p] / intensity.max()] for p in places])
