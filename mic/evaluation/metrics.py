"""What predictions are worth: accuracy with its uncertainty, paired tests, calibration.

Everything here is a function of stored predictions. One clip of CK+ is 0.31 points, so a number
without an interval says little; clips of one subject are not independent, so intervals for "a new
person" resample subjects. Tests and intervals are SciPy's where it has them; its bootstrap draws
rows where whole subjects are wanted, and its correlation is NaN where one side is constant, so
those two are written here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import scipy  # its submodules load when they are used

from mic.errors import ConfigError

_BINS = 10  # of confidence, from 0 to 1
_AT_ONCE = 1 << 22  # numbers drawn at once: draws of 200,000 people would take gigabytes


@dataclasses.dataclass(frozen=True)
class Interval:
    """A value with its 95 % interval.

    Attributes:
        value: The point estimate.
        low: Lower end.
        high: Upper end.
        n: Observations behind it.
    """

    value: float
    low: float
    high: float
    n: int


def wilson(correct: int, n: int, *, level: float = 0.95) -> Interval:
    """A proportion with Wilson's score interval (1927), sound also near 0 and 1.

    Args:
        correct: Successes.
        n: Trials, at least one.
        level: Coverage.

    Raises:
        ConfigError: No trials, or more successes than trials.
    """
    if n < 1 or not 0 <= correct <= n:
        raise ConfigError(f"{correct} of {n} is no proportion")
    share = correct / n
    ends = scipy.stats.binomtest(correct, n).proportion_ci(level, method="wilson")
    # Rounding must not put 0 of n or n of n outside of its own interval.
    return Interval(share, min(share, float(ends.low)), max(share, float(ends.high)), n)


def drawn(people: int, *, resamples: int, seed: int) -> np.ndarray:
    """How often each person is drawn.

    Args:
        people: How many there are, and are drawn each time.
        resamples: Draws R.
        seed: Methods that are compared draw by draw share it.

    Returns:
        (1 + R, people) counts; the first row is everybody once.
    """
    draw = np.random.default_rng(seed)
    counts = [np.ones(people, int)]
    counts += [
        np.bincount(draw.integers(people, size=people), minlength=people) for _ in range(resamples)
    ]
    return np.stack(counts)


def subject_bootstrap(
    correct: np.ndarray,
    subjects: Sequence[object] | np.ndarray,
    *,
    resamples: int = 2000,
    seed: int = 0,
) -> Interval:
    """Accuracy with an interval over new subjects: a cluster bootstrap.

    Where every answer is right, or every one wrong, all draws are alike and would claim certainty;
    the interval is Wilson's then, with the subjects as trials. One subject who is sometimes right
    tells nothing of others: the interval is everything.

    Args:
        correct: (N,) bool, or numbers that are all 0 or 1.
        subjects: (N,) who is seen.
        resamples: Bootstrap samples.
        seed: Of the draws.

    Raises:
        ConfigError: An answer is neither right nor wrong, as a number between 0 and 1.
    """
    answers = np.asarray(correct)
    correct = answers.astype(bool)
    if (answers != correct).any():
        raise ConfigError("answers are right or wrong", remedy="see mean_over_subjects")
    _as_many(correct, subjects)
    people = len({*np.asarray(subjects).tolist()})
    if correct.all() or not correct.any():
        alike = wilson(people * int(correct.all()), people)
        return dataclasses.replace(alike, n=len(correct))
    if people == 1:
        return Interval(float(correct.mean()), 0.0, 1.0, len(correct))
    return mean_over_subjects(correct, subjects, resamples=resamples, seed=seed)


def mean_over_subjects(
    values: np.ndarray,
    subjects: Sequence[object] | np.ndarray,
    *,
    resamples: int = 2000,
    seed: int = 0,
) -> Interval:
    """The mean of any values with an interval over new subjects.

    Args:
        values: (N,).
        subjects: (N,) who is seen.
        resamples: Bootstrap samples.
        seed: Of the draws.
    """
    values = np.asarray(values)
    _as_many(values, subjects)
    names = np.unique(np.asarray(subjects), return_inverse=True)[1]
    totals, sizes = np.bincount(names, weights=values), np.bincount(names)
    draw, means = np.random.default_rng(seed), []
    rows = max(1, _AT_ONCE // len(sizes))
    for begin in range(0, resamples, rows):
        chosen = draw.integers(len(sizes), size=(min(rows, resamples - begin), len(sizes)))
        means.append(totals[chosen].sum(1) / sizes[chosen].sum(1))
    drawn = np.concatenate(means)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Interval(float(values.mean()), float(low), float(high), len(values))


def paired_difference(
    first: np.ndarray,
    second: np.ndarray,
    subjects: Sequence[object] | np.ndarray,
    *,
    resamples: int = 2000,
    seed: int = 0,
) -> Interval:
    """Mean of `second - first` with an interval over new subjects, both on the same rows.

    Where the two never differ, all draws are alike; the interval reaches as far to either side as
    Wilson's does for an event that no subject has shown.

    Args:
        first: (N,) scores of the first method, correctness for instance.
        second: (N,) scores of the second on the same clips (and seeds).
        subjects: (N,) who is seen.
        resamples: Bootstrap samples.
        seed: Of the draws.
    """
    first, second = np.asarray(first, float), np.asarray(second, float)
    _as_many(first, second)
    _as_many(first, subjects)
    difference = second - first
    if not difference.any():
        people = len({*np.asarray(subjects).tolist()})
        reach = wilson(0, people).high
        return Interval(0.0, -reach, reach, len(difference))
    return mean_over_subjects(difference, subjects, resamples=resamples, seed=seed)


def confusion(labels: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """(classes, classes) counts; row: true class, column: predicted class.

    Raises:
        ConfigError: A label is no class, or there are not as many of both.
    """
    table = np.zeros((classes, classes), int)
    true, told = np.asarray(labels), np.asarray(predicted)
    if not len(true) and not len(told):
        return table
    _as_many(true, told)
    for one in (true, told):
        if one.dtype.kind not in "iu" or one.min() < 0 or one.max() >= classes:
            raise ConfigError(
                f"labels are not whole numbers from 0 to {classes - 1}",
                remedy="leave out what has no label",
            )
    np.add.at(table, (true.astype(int), told.astype(int)), 1)
    return table


def _as_many(values: np.ndarray, others: Sequence[object] | np.ndarray) -> None:
    if values.ndim != 1 or len(values) != len(others):
        raise ConfigError(f"values of shape {values.shape} and {len(others)} cannot be paired")
    if not len(values):
        raise ConfigError("there is nothing to compare")


def recalls(table: np.ndarray) -> list[Interval]:
    """Recall of each class with Wilson intervals; classes without clips are NaN with n = 0."""
    found = []
    for index, row in enumerate(table):
        n = int(row.sum())
        if n:
            found.append(wilson(int(row[index]), n))
        else:
            found.append(Interval(np.nan, np.nan, np.nan, 0))
    return found


@dataclasses.dataclass(frozen=True)
class Calibration:
    """How far confidence can be believed.

    Attributes:
        error: Expected calibration error: the mean distance of confidence and accuracy over bins,
            weighted by their clips.
        confidence: (10,) mean confidence, NaN in empty bins.
        accuracy: (10,) share of right answers.
        counts: (10,) clips.
    """

    error: float
    confidence: np.ndarray
    accuracy: np.ndarray
    counts: np.ndarray


def calibration(logits: np.ndarray, labels: np.ndarray) -> Calibration:
    """Reliability of the predicted class's probability (Guo et al. 2017), ten equal bins of it.

    Args:
        logits: (N, classes), N at least 1; answers that are no numbers are left out.
        labels: (N,) true classes as integers.

    Raises:
        ConfigError: There is no answer, or another number of labels.
    """
    if not len(logits) or len(logits) != len(labels):
        raise ConfigError(f"{len(logits)} answers and {len(labels)} labels cannot be compared")
    told = np.isfinite(logits).all(1)
    if not told.any():  # of a training that diverged
        nothing = np.full(_BINS, np.nan)
        return Calibration(float("nan"), nothing, nothing, np.zeros(_BINS, int))
    probabilities = scipy.special.softmax(np.asarray(logits, float)[told], 1)
    confidence = probabilities.max(1)
    right = probabilities.argmax(1) == np.asarray(labels)[told]
    place = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    counts = np.bincount(place, minlength=_BINS)
    with np.errstate(invalid="ignore"):
        mean = np.bincount(place, weights=confidence, minlength=_BINS) / counts
        accuracy = np.bincount(place, weights=right, minlength=_BINS) / counts
    error = float(np.nansum(counts * np.abs(mean - accuracy)) / counts.sum())
    return Calibration(error, mean, accuracy, counts)


@dataclasses.dataclass(frozen=True)
class Optimism:
    """What choosing the epoch on the test fold adds.

    Attributes:
        last: Accuracy after the last epoch, the honest number.
        best: Accuracy after the epoch that is best on each fold's test clips.
    """

    last: float
    best: float


def best_epoch_optimism(curves: Sequence[np.ndarray]) -> Optimism:
    """Quantifies the habit of reporting each fold at its best test epoch.

    Args:
        curves: For each fold, (epochs, clips) bool: which test clips were right after each epoch.
    """
    curves = [np.asarray(curve) for curve in curves]
    clips = sum(curve.shape[1] for curve in curves)
    last = sum(curve[-1].sum() for curve in curves) / clips
    best = sum(curve.sum(1).max() for curve in curves) / clips
    return Optimism(float(last), float(best))


def correlation(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Pearson's correlation coefficient (CC).

    Returns:
        0 where one side is constant, NaN where a value is none.

    Raises:
        ConfigError: There are not as many of both, or none.
    """
    _as_many(np.asarray(truth), np.asarray(predicted))
    t, p = _centred(truth), _centred(predicted)
    scale = float(np.sqrt((t**2).sum() * (p**2).sum()))
    return float((t * p).sum() / scale) if scale > 0 or np.isnan(scale) else 0.0


def concordance(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Lin's concordance correlation coefficient (CCC, 1989), population moments.

    Returns and raises as `correlation`; 0 where both sides are the same constant.
    """
    _as_many(np.asarray(truth), np.asarray(predicted))
    t, p = np.asarray(truth, float), np.asarray(predicted, float)
    spread = t.var() + p.var() + (t.mean() - p.mean()) ** 2
    covariance = float((_centred(t) * _centred(p)).mean())
    return float(2 * covariance / spread) if spread > 0 or np.isnan(spread) else 0.0


def _centred(values: np.ndarray) -> np.ndarray:
    values = np.asarray(values, float)
    centred: np.ndarray = values - values.mean()
    return centred
