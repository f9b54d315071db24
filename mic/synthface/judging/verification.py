"""How well embeddings tell people apart: all pairs, AUC and EER, with bootstrap intervals.

A pair is scored by its cosine; what AUC and EER are, and how people are drawn, is in
`mic.evaluation.verification`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mic.errors import FaceError
from mic.evaluation.metrics import drawn
from mic.evaluation.verification import RocCurve, curve, over_draws

COVERAGE = 0.95


def roc_curve(embeddings: np.ndarray, subjects: Sequence[object]) -> RocCurve:
    """The exact ROC curve of all pairs.

    Args:
        embeddings: float (N, D); rows with NaN (no face) are left out.
        subjects: Who each row is.

    Raises:
        FaceError: There is no pair of one person, or none of two.
    """
    scores, same, _, _ = _pairs(embeddings, subjects)
    return curve(scores, same)


def verification(
    embeddings: np.ndarray,
    subjects: Sequence[object],
    *,
    seed: int,
    resamples: int = 2000,
) -> pd.DataFrame:
    """Verification quality as a table of one row.

    Args:
        embeddings: float (N, D); rows with NaN (no face) are left out and counted.
        subjects: Who each row is.
        seed: Of the bootstrap.
        resamples: Bootstrap resamples of subjects.

    Returns:
        Columns faces, without_face, subjects, pairs_same, pairs_different, auc, auc_low,
        auc_high, eer, eer_low, eer_high; low and high bound 95 %.

    Raises:
        FaceError: As `roc_curve`.
    """
    scores, same, first, second = _pairs(embeddings, subjects)
    whole = curve(scores, same)
    usable = np.isfinite(np.asarray(embeddings)).all(1)
    count = int(max(first.max(), second.max())) + 1
    counts = drawn(count, resamples=resamples, seed=seed)[1:]
    statistics = np.concatenate(
        [np.stack([one.auc, one.eer], 1) for one in over_draws(scores, first, second, counts)]
    )
    tail = (1 - COVERAGE) / 2
    (auc_low, eer_low), (auc_high, eer_high) = np.nanquantile(statistics, [tail, 1 - tail], axis=0)
    row = {
        "faces": int(usable.sum()),
        "without_face": int((~usable).sum()),
        "subjects": count,
        "pairs_same": int(same.sum()),
        "pairs_different": int((~same).sum()),
        "auc": float(whole.auc),
        "auc_low": auc_low,
        "auc_high": auc_high,
        "eer": float(whole.eer),
        "eer_low": eer_low,
        "eer_high": eer_high,
    }
    return pd.DataFrame([row])


def _pairs(
    embeddings: np.ndarray, subjects: Sequence[object]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Cosines of all pairs, whether they are of one person, and the persons' numbers."""
    vectors = np.asarray(embeddings, np.float64)
    names = np.asarray([str(subject) for subject in subjects])
    if vectors.ndim != 2 or len(vectors) != len(names):
        raise FaceError(
            f"{vectors.shape} embeddings for {len(names)} subjects",
            remedy="pass one row a subject entry",
        )
    usable = np.isfinite(vectors).all(1)
    vectors, names = vectors[usable], names[usable]
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    numbers = np.unique(names, return_inverse=True)[1]
    left, right = np.triu_indices(len(vectors), 1)
    same = numbers[left] == numbers[right]
    if not same.any() or same.all():
        raise FaceError(
            "there are no pairs to compare",
            remedy="pass at least two faces of one subject and one of another",
        )
    scores = (vectors @ vectors.T)[left, right]
    return scores, same, numbers[left], numbers[right]
