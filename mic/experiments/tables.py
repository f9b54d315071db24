"""Tables as functions of stored predictions, and of nothing else."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.special import softmax

from mic.config import Profile
from mic.errors import ConfigError
from mic.evaluation import inference, leakage, metrics
from mic.experiments.cells import HISTORY, Outcome

# What two rows' comparison says, see `paired`.
PAIRED = ("difference", "difference_low", "difference_high", "p")


def answers(outcomes: Sequence[Outcome]) -> pd.DataFrame:
    """One line a predicted clip.

    Returns:
        Columns dataset, row, split, seed, clip, subject, label, predicted, confidence, correct.
    """
    parts = []
    for outcome in outcomes:
        probabilities = softmax(outcome.logits, 1)
        predicted = probabilities.argmax(1)
        names = np.array(outcome.classes)
        parts.append(
            pd.DataFrame(
                {
                    "dataset": outcome.dataset,
                    "row": outcome.cell.row,
                    "split": outcome.cell.split,
                    "seed": outcome.cell.seed,
                    "clip": outcome.names,
                    "subject": outcome.subjects[len(outcome.train) :],
                    "label": names[outcome.truth],
                    "predicted": names[predicted],
                    "confidence": probabilities.max(1),
                    "correct": outcome.correct,
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def counted(text: str, outcomes: Sequence[Outcome], config: Profile) -> str:
    """A caption that ends with what stands behind its table.

    Args:
        text: What the table shows: a sentence with its full stop.
        outcomes: Of any datasets.
        config: The profile.

    Returns:
        The text; of each dataset the clips that were predicted and their people; the seeds; the
        profile.
    """
    clips: dict[str, set[str]] = {}
    people: dict[str, set[str]] = {}
    for one in outcomes:
        clips.setdefault(one.dataset, set()).update(one.names)
        people.setdefault(one.dataset, set()).update(one.subjects[len(one.train) :].tolist())
    sizes = [f"{name}: n {len(clips[name])}, {len(people[name])} people" for name in clips]
    seeds = len({one.cell.seed for one in outcomes})
    count = f"{seeds} seed{'' if seeds == 1 else 's'}"
    return f"{text} {'; '.join([*sizes, count, f'profile {config.name}'])}."


def left_out_table(outcomes: Sequence[Outcome]) -> pd.DataFrame:
    """The clips that could not be read.

    Returns:
        Columns dataset, clip, reason; a line a clip.
    """
    lines = {
        (outcome.dataset, one.clip, one.reason): None
        for outcome in outcomes
        for one in outcome.left_out
    }
    return pd.DataFrame(list(lines), columns=["dataset", "clip", "reason"])


def accuracy_table(
    outcomes: Sequence[Outcome], *, reference: str | None = None, resamples: int = 2000
) -> pd.DataFrame:
    """Accuracy of each row with intervals and, against a reference row, paired tests.

    Args:
        outcomes: Of one dataset.
        reference: Row that the others are compared with, on the same clips and seeds.
        resamples: Of the bootstrap over subjects.

    Returns:
        Columns row, accuracy, accuracy_low, accuracy_high (95 %, over new subjects), wilson_low,
        wilson_high (95 %, over clips, first seed), macro_recall, seed_spread (standard deviation
        of the seeds' accuracies), calibration_error, n (predictions), clips, folds, seeds,
        coverage (share of the dataset's clips that could be read); with a reference also
        difference, difference_low, difference_high and p (see `paired`).
    """
    table = answers(outcomes)
    if len({outcome.dataset for outcome in outcomes}) > 1:
        raise ConfigError("one table, one dataset")
    lines = []
    for row, part in table.groupby("row", sort=False):
        interval = metrics.subject_bootstrap(
            part["correct"].to_numpy(), part["subject"].to_numpy(), resamples=resamples
        )
        first = part[part["seed"] == part["seed"].min()]
        wilson = metrics.wilson(int(first["correct"].sum()), len(first))
        seeds = part.groupby("seed")["correct"].mean()
        mine = [outcome for outcome in outcomes if outcome.cell.row == row]
        calibration = metrics.calibration(
            np.concatenate([outcome.logits for outcome in mine]),
            np.concatenate([outcome.truth for outcome in mine]),
        )
        line = {
            "row": row,
            "accuracy": interval.value,
            "accuracy_low": interval.low,
            "accuracy_high": interval.high,
            "wilson_low": wilson.low,
            "wilson_high": wilson.high,
            "macro_recall": part.groupby("label")["correct"].mean().mean(),
            "seed_spread": float(seeds.std(ddof=0)),
            "calibration_error": calibration.error,
            "n": len(part),
            "clips": part["clip"].nunique(),
            "folds": part["split"].nunique(),
            "seeds": len(seeds),
            "coverage": mine[0].coverage,
        }
        if reference is not None:
            line |= paired(table, str(row), reference, resamples)
        lines.append(line)
    return pd.DataFrame(lines)


def answers_table(table: pd.DataFrame, *, reference: str, resamples: int = 2000) -> pd.DataFrame:
    """Accuracy of each row from its answers alone, and how it differs from a reference row.

    Args:
        table: Of `answers`, of one dataset.
        reference: Row that the others are compared with, on the same clips and seeds.
        resamples: Of the bootstrap over subjects.

    Returns:
        Columns row, accuracy, accuracy_low, accuracy_high (95 %, over new subjects),
        macro_recall, those of `paired`, n (predictions), clips, people, folds, seeds.
    """
    lines = []
    for row, part in table.groupby("row", sort=False):
        interval = metrics.subject_bootstrap(
            part["correct"].to_numpy(bool), part["subject"].to_numpy(), resamples=resamples
        )
        lines.append(
            {
                "row": row,
                "accuracy": interval.value,
                "accuracy_low": interval.low,
                "accuracy_high": interval.high,
                "macro_recall": part.groupby("label")["correct"].mean().mean(),
                **paired(table, str(row), reference, resamples),
                "n": len(part),
                "clips": part["clip"].nunique(),
                "people": part["subject"].nunique(),
                "folds": part["split"].nunique(),
                "seeds": part["seed"].nunique(),
            }
        )
    return pd.DataFrame(lines)


def paired(table: pd.DataFrame, row: str, reference: str, resamples: int) -> dict[str, float]:
    """How a row differs from another on the predictions that both made.

    Args:
        table: Of `answers`.
        row: One row.
        reference: The other; compared with itself, a row has nothing but NaN.
        resamples: Of the bootstrap over subjects.

    Returns:
        difference (the row's accuracy less the reference's) with `_low` and `_high` (95 %), and p
        (sign flips of whole people: another seed's answer to a clip is no further clip).
    """
    keys = ["split", "seed", "clip"]
    one = table[table["row"] == reference].set_index(keys)
    other = table[table["row"] == row].set_index(keys)
    both = one.join(other, how="inner", suffixes=("_reference", ""))
    if row == reference or both.empty:
        return dict.fromkeys(PAIRED, float("nan"))
    return difference(
        both["correct_reference"].to_numpy(),
        both["correct"].to_numpy(),
        both["subject"].to_numpy(),
        resamples=resamples,
    )


def difference(
    first: np.ndarray, second: np.ndarray, people: np.ndarray, *, resamples: int
) -> dict[str, float]:
    """The same of right and wrong answers.

    Args:
        first: (N,) bool, the reference's.
        second: (N,) bool, the other's to the same clips.
        people: (N,) who is seen.
        resamples: Of the bootstrap over subjects.

    Returns:
        By the names of `PAIRED`; p is NaN where only one person is seen.
    """
    found = metrics.paired_difference(first, second, people, resamples=resamples)
    several = len(np.unique(people)) > 1
    p = inference.compare(first, second, people).p if several else float("nan")
    return dict(zip(PAIRED, (found.value, found.low, found.high, p), strict=True))


def optimism_table(outcomes: Sequence[Outcome]) -> pd.DataFrame:
    """What choosing each fold's epoch on its test clips would add.

    Returns:
        Columns row, accuracy_last, accuracy_best_epoch, optimism, folds (folds times seeds).
    """
    lines = []
    for row in dict.fromkeys(outcome.cell.row for outcome in outcomes):
        mine = [outcome for outcome in outcomes if outcome.cell.row == row]
        found = metrics.best_epoch_optimism([o.curve == o.truth for o in mine])
        lines.append(
            {
                "row": row,
                "accuracy_last": found.last,
                "accuracy_best_epoch": found.best,
                "optimism": found.best - found.last,
                "folds": len(mine),
            }
        )
    return pd.DataFrame(lines)


def curves(outcomes: Sequence[Outcome]) -> pd.DataFrame:
    """Learning curves.

    Returns:
        One line an evaluated epoch: dataset, row, split, seed, epoch, test_accuracy and the
        columns of `HISTORY`.
    """
    parts = []
    for outcome in outcomes:
        frame = pd.DataFrame(outcome.history[outcome.epochs - 1], columns=list(HISTORY))
        frame.insert(0, "test_accuracy", (outcome.curve == outcome.truth).mean(1))
        frame.insert(0, "epoch", outcome.epochs)
        for name, value in (
            ("seed", outcome.cell.seed),
            ("split", outcome.cell.split),
            ("row", outcome.cell.row),
            ("dataset", outcome.dataset),
        ):
            frame.insert(0, name, value)
        parts.append(frame)
    return pd.concat(parts, ignore_index=True)


def largest_class(outcomes: Sequence[Outcome]) -> float:
    """Accuracy of naming one class always, the one that most of the tested clips show.

    Args:
        outcomes: Of one dataset; a clip that several tested counts once.
    """
    tested = {
        name: label
        for outcome in outcomes
        for name, label in zip(outcome.names, outcome.truth, strict=True)
    }
    return float(np.bincount(list(tested.values())).max() / len(tested))


def leakage_table(
    outcomes: Sequence[Outcome],
    factors: np.ndarray,
    *,
    reference: str = "",
    resamples: int = 2000,
    seed: int = 0,
) -> pd.DataFrame:
    """Identity in z_E by row: means over folds and seeds of `mic.evaluation.leakage.measure`.

    Args:
        outcomes: Of one dataset; those whose training diverged have no features and are left out.
        factors: (clips of the manifest, q) what the regressions are to tell from z_E: z_I, or
            the known identity coefficients. NaN rows are left out.
        reference: Row that the others' AUC is compared with; empty: none.
        resamples: Draws of subjects behind the intervals of the AUC.
        seed: Of the probes and the draws.

    Returns:
        Column row, the fields of `mic.evaluation.leakage.Leakage` (clips and subjects summed over
        folds), `auc_low`, `auc_high`, `auc_difference` (to the reference, same folds, seeds and
        draws) with its interval, `r2_spread` (standard deviation over folds and seeds) and folds.
    """
    lines = []
    outcomes = [outcome for outcome in outcomes if np.isfinite(outcome.z).all()]
    drawn = _auc_draws(outcomes, factors, resamples=resamples, seed=seed)
    compared = drawn.get(reference)
    for row in dict.fromkeys(outcome.cell.row for outcome in outcomes):
        found = [
            dataclasses.asdict(leakage.measure(*_features(outcome, factors), seed=seed))
            for outcome in outcomes
            if outcome.cell.row == row
        ]
        table = pd.DataFrame(found)
        line = {"row": row, **table.mean(skipna=True).to_dict()}
        line |= {"clips": int(table["clips"].sum()), "subjects": int(table["subjects"].sum())}
        line["auc_low"], line["auc_high"] = _interval(drawn[row])
        if compared is not None and row != reference:
            difference = _interval(drawn[row] - compared)
            line["auc_difference_low"], line["auc_difference_high"] = difference
        line["r2_spread"] = float(table["r2_linear"].std(ddof=0))
        line["folds"] = len(table)
        lines.append(line)
    table = pd.DataFrame(lines)
    if compared is not None:
        own = table.loc[table["row"] == reference, "auc"].item()
        table.insert(1, "auc_difference", (table["auc"] - own).where(table["row"] != reference))
    return table


def _auc_draws(
    outcomes: Sequence[Outcome], factors: np.ndarray, *, resamples: int, seed: int
) -> dict[str, np.ndarray]:
    """Row: (resamples,) AUC, the mean over folds and seeds of each draw.

    Folds have other people, whose draws have nothing to do with each other's.
    """
    drawn: dict[str, list[np.ndarray]] = {}
    folds = sorted({outcome.cell.split for outcome in outcomes})
    for outcome in outcomes:
        train, test = _features(outcome, factors)
        own = seed + folds.index(outcome.cell.split)
        draws = leakage.auc_resamples(train, test, resamples=resamples, seed=own)
        drawn.setdefault(outcome.cell.row, []).append(draws)
    return {row: np.mean(draws, axis=0) for row, draws in drawn.items()}


def _interval(draws: np.ndarray) -> tuple[float, float]:
    """The middle 95 % of the draws that could be measured."""
    draws = draws[~np.isnan(draws)]
    if not len(draws):
        return float("nan"), float("nan")
    low, high = np.quantile(draws, [0.025, 0.975])
    return float(low), float(high)


def _features(outcome: Outcome, factors: np.ndarray) -> tuple[leakage.Features, leakage.Features]:
    rows = np.concatenate([outcome.train, outcome.test])
    known = ~np.isnan(factors[rows]).any(1)
    fitted = np.arange(len(rows)) < len(outcome.train)

    def part(keep: np.ndarray) -> leakage.Features:
        return leakage.Features(
            z=outcome.z[keep].astype(np.float64),
            labels=outcome.labels[keep],
            subjects=outcome.subjects[keep],
            identity=factors[rows[keep]].astype(np.float64),
        )

    return part(fitted & known), part(~fitted & known)


def recall_table(outcomes: Sequence[Outcome]) -> pd.DataFrame:
    """Recall of each class by row, with Wilson intervals over all predictions.

    Returns:
        Columns row, label, recall, recall_low, recall_high, n.
    """
    lines = []
    for row in dict.fromkeys(outcome.cell.row for outcome in outcomes):
        mine = [outcome for outcome in outcomes if outcome.cell.row == row]
        truth = np.concatenate([outcome.truth for outcome in mine])
        predicted = np.concatenate([outcome.logits.argmax(1) for outcome in mine])
        classes = mine[0].classes
        table = metrics.confusion(truth, predicted, len(classes))
        for name, recall in zip(classes, metrics.recalls(table), strict=True):
            lines.append(
                {
                    "row": row,
                    "label": name,
                    "recall": recall.value,
                    "recall_low": recall.low,
                    "recall_high": recall.high,
                    "n": recall.n,
                }
            )
    return pd.DataFrame(lines)
