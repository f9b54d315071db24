"""How well embeddings tell people apart: all pairs, AUC and EER, with bootstrap intervals.

A pair is scored by its cosine. AUC is the chance that a pair of one person scores above a pair of
two; EER is the error rate at the threshold where both kinds of error are equally frequent. The
intervals resample subjects, not pairs: pairs of one subject depend on each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mic.errors import FaceError

# Scores are binned for the bootstrap only; 2000 bins move AUC and EER by less than 1e-3.
_BINS = 2000
COVERAGE = 0.95


@dataclass(frozen=True, kw_only=True)
class RocCurve:
    """Error rates over all thresholds, from strict to lenient.

    Attributes:
        false_accepts: Share of different-person pairs accepted, rising from 0 to 1.
        true_accepts: Share of same-person pairs accepted.
    """

    false_accepts: np.ndarray
    true_accepts: np.ndarray

    @classmethod
    def of(cls, scores: np.ndarray, same: np.ndarray) -> RocCurve:
        """The exact curve of pairs, of both kinds.

        Args:
            scores: (N,) similarities.
            same: bool (N,): whether the pair is of one person.
        """
        order = np.argsort(-scores, kind="stable")
        # Equal scores fall on the same side of every threshold: keep the last of each run.
        last = np.append(np.diff(scores[order]) != 0, True)
        accepted_same = np.cumsum(same[order])[last] / same.sum()
        accepted_other = np.cumsum(~same[order])[last] / (~same).sum()
        return cls(
            false_accepts=np.concatenate([[0.0], accepted_other]),
            true_accepts=np.concatenate([[0.0], accepted_same]),
        )

    @property
    def auc(self) -> float:
        """Area under the curve: the chance that a pair of one person scores above one of two."""
        return float(np.trapezoid(self.true_accepts, self.false_accepts))

    @property
    def eer(self) -> float:
        """Equal error rate, interpolated between thresholds."""
        # The difference rises from -1 to 1; np.interp finds where it crosses zero.
        difference = self.false_accepts + self.true_accepts - 1
        return float(np.interp(0.0, difference, self.false_accepts))


def roc_curve(embeddings: np.ndarray, subjects: Sequence[object]) -> RocCurve:
    """The exact ROC curve of all pairs.

    Args:
        embeddings: float (N, D); rows with NaN (no face) are left out.
        subjects: Who each row is.

    Raises:
        FaceError: There is no pair of one person, or none of two.
    """
    scores, same, _, _ = _pairs(embeddings, subjects)
    return RocCurve.of(scores, same)


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
    curve = roc_curve(embeddings, subjects)
    scores, same, first, second = _pairs(embeddings, subjects)
    usable = np.isfinite(np.asarray(embeddings)).all(1)
    count = int(max(first.max(), second.max())) + 1
    edges = np.quantile(scores, np.linspace(0, 1, _BINS + 1)[1:-1])
    bins = np.searchsorted(edges, scores, side="right")
    rng = np.random.default_rng(seed)
    statistics = np.array(
        [
            _resampled(rng.multinomial(count, [1 / count] * count), bins, same, first, second)
            for _ in range(resamples)
        ]
    )
    tail = (1 - COVERAGE) / 2
    (auc_low, eer_low), (auc_high, eer_high) = np.nanquantile(statistics, [tail, 1 - tail], axis=0)
    row = {
        "faces": int(usable.sum()),
        "without_face": int((~usable).sum()),
        "subjects": count,
        "pairs_same": int(same.sum()),
        "pairs_different": int((~same).sum()),
        "auc": curve.auc,
        "auc_low": auc_low,
        "auc_high": auc_high,
        "eer": curve.eer,
        "eer_low": eer_low,
        "eer_high": eer_high,
    }
    return pd.DataFrame([row])


def _resampled(
    times: np.ndarray,
    bins: np.ndarray,
    same: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
) -> tuple[float, float]:
    """AUC and EER when subject s stands in the sample `times[s]` times."""
    weights = np.where(same, times[first], times[first] * times[second]).astype(np.float64)
    of_same = np.bincount(bins, weights * same, _BINS)[::-1]
    of_other = np.bincount(bins, weights * ~same, _BINS)[::-1]
    if not of_same.sum() or not of_other.sum():  # only subjects with one face were drawn
        return float("nan"), float("nan")
    curve = RocCurve(
        false_accepts=np.concatenate([[0.0], np.cumsum(of_other) / of_other.sum()]),
        true_accepts=np.concatenate([[0.0], np.cumsum(of_same) / of_same.sum()]),
    )
    return curve.auc, curve.eer


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
