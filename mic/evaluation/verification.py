"""Are two samples of one person? Error rates over all thresholds of a similarity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


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
