"""Marks to reach: answers for which no network was trained on these clips.

The majority class is what somebody gets who looks at nothing. A linear probe on the embeddings of
a frozen face-recognition network (`mic.experiments.embeddings`) is what a logistic regression gets
out of knowledge of faces that anybody can download. A trained row below either is no result.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor

import pandas as pd

from mic.config import Profile
from mic.evaluation.inference import with_holm
from mic.experiments import embeddings, equal_tables
from mic.experiments.cells import Outcome
from mic.experiments.data import Dataset
from mic.experiments.tables import answers, answers_table

# The probes that tell most: where clips begin neutral, and where they do not.
PROBES = ("MobileFaceNet, linear, last minus first", "MobileFaceNet, linear, mean of the frames")

COLUMNS: Mapping[str, str] = {
    "dataset": "dataset or generated protocol",
    "row": "MIC; the most frequent class of the training people; a logistic regression on "
    "embeddings of the frozen MobileFaceNet, and of what",
    "accuracy": "share of clips of unseen people",
    "accuracy_low": "95 % bootstrap interval over people",
    "accuracy_high": "95 % bootstrap interval over people",
    "macro_recall": "mean recall of the classes",
    "difference": "accuracy less MIC's, same clips",
    "difference_low": "95 % bootstrap interval over people",
    "difference_high": "95 % bootstrap interval over people",
    "p": "of no difference to MIC, sign flips of whole people, two-sided",
    "p_holm": "p, adjusted by Holm over the table",
    "n": "predictions",
    "clips": "different clips tested",
    "people": "tested",
    "folds": "parts of the people tested",
    "seeds": "of weights; nothing else is random",
}
_CLIPS = 8  # a task: see `mic.experiments.runner`


def marks_table(
    data: Dataset,
    outcomes: Sequence[Outcome],
    config: Profile,
    *,
    reference: str = "MIC",
    executor: Executor | None = None,
) -> pd.DataFrame:
    """Trained rows of one dataset, and the marks on the same clips; columns: `COLUMNS`.

    Args:
        data: The dataset.
        outcomes: Of the trained rows; they say which folds are tested and which clips left out.
        config: Frames, parts, resamples of the bootstrap.
        reference: Row that the others are compared with.
        executor: Where faces are embedded; None: here.
    """
    absent = {one.clip for one in data.absent}
    broken = tuple(one for one in outcomes[0].left_out if one.clip not in absent)
    data = dataclasses.replace(data, left_out=broken)
    if executor is not None:
        _embed(data, config.steps, executor)
    probes = embeddings.titled(embeddings.of_dataset(data, steps=config.steps))
    chosen = {row: probes[row] for row in PROBES}
    marked = equal_tables.marks(data, chosen, parts=config.parts)
    tested = {outcome.cell.split for outcome in outcomes}
    found = pd.concat([answers(outcomes), marked[marked["split"].isin(tested)]])
    table = answers_table(found, reference=reference, resamples=config.bootstrap)
    return with_holm(table.assign(dataset=data.name))[list(COLUMNS)]


def _embed(data: Dataset, steps: int, executor: Executor) -> None:
    """Fills the store side by side."""
    clips = data.manifest.clips
    futures = []
    for first in range(0, len(clips), _CLIPS):
        some = dataclasses.replace(data.manifest, clips=clips[first : first + _CLIPS])
        part = dataclasses.replace(data, manifest=some)
        futures.append(executor.submit(embeddings.embed, part, steps))
    for future in futures:
        future.result()
