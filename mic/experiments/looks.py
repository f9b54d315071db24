"""How much is left to see once a few pictures of a clip were looked at, and which ones to look at.

A frozen face network asked about the I-frame and one to sixteen more pictures, and a linear probe:
the cheapest reader that knows faces. Which pictures: evenly spaced ones, or those that differ most
from the I-frame as accumulated residuals tell without decoding. What the generator really drew,
its action units on the same pictures, is the ceiling.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mic.config import Profile
from mic.evaluation import metrics
from mic.evaluation.inference import RECORD, compare, with_holm
from mic.experiments import embeddings, equal, equal_tables
from mic.experiments.data import Dataset
from mic.inputs.tensors import Representation, sampled
from mic.publishing import plots

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COUNTS = (0, 1, 2, 4, 8, 16)
EVEN, CHANGED, TRUTH = "evenly spaced", "most changed", "true action units, evenly spaced"
COLUMNS: Mapping[str, str] = {
    "dataset": "generated protocol",
    "rule": "which pictures are looked at; the last reads what was drawn and is a ceiling",
    "looks": "pictures that are looked at beside the I-frame",
    "accuracy": "of a linear probe on the mean of the looks and its change since the I-frame",
    "accuracy_low": "95 % interval over the people",
    "accuracy_high": "its upper end",
    "difference": "accuracy less that of all evenly spaced looks, mean over people",
    "difference_low": "90 % interval over the people, paired",
    "difference_high": "its upper end",
    "p": "two-sided, by sign flips of people",
    "p_holm": "p, adjusted by Holm over the table",
    "p_equivalent": "of two one-sided tests that the difference is within one point",
    "n": "clips, each tested by a probe that has not seen its person",
    "people": "people seen in them",
}


def even(change: np.ndarray, count: int) -> np.ndarray:
    """(count,) indices spread evenly over the sampled frames, the last among them."""
    return np.rint(np.linspace(0, len(change), count + 1)[1:]).astype(int) - 1


def most_changed(change: np.ndarray, count: int) -> np.ndarray:
    """(count,) indices of the frames that differ most from the I-frame, in their order."""
    return np.sort(np.argsort(-change, kind="stable")[:count])


RULES: Mapping[str, Callable[[np.ndarray, int], np.ndarray]] = {
    EVEN: even,
    CHANGED: most_changed,
}


def changes(data: Dataset, config: Profile) -> np.ndarray:
    """(N, T) mean absolute accumulated residual of each sampled frame, in the manifest's order."""
    residual = data.tensors(Representation(steps=config.steps, scale=config.scale)).residual
    found: np.ndarray = residual.abs().float().mean((2, 3, 4)).numpy()
    return found


def features(seen: np.ndarray, change: np.ndarray, rule: str, count: int) -> np.ndarray:
    """What the probe is given: the mean of the looks, and how it differs from the I-frame.

    Args:
        seen: (N, 1 + T, D) of the I-frame and the sampled frames.
        change: (N, T), see `changes`.
        rule: Key of `RULES`.
        count: Looks beside the I-frame.

    Returns:
        (N, 2 D); the I-frame alone (N, D) where there is no look.
    """
    if not count:
        return seen[:, 0]
    chosen = np.stack([RULES[rule](row, count) for row in change])
    mean = np.take_along_axis(seen[:, 1:], chosen[..., None], 1).mean(1)
    return np.concatenate([mean, mean - seen[:, 0]], 1)


def drawn(data: Dataset, steps: int) -> np.ndarray:
    """(N, 1 + steps, units) of the true action units of the I-frame and the sampled frames."""
    found = []
    for clip in data.manifest:
        units = data.action_units(clip)
        found.append(units[[0, *sampled(len(units), steps)]])
    return np.stack(found)


def answers(data: Dataset, config: Profile, counts: Sequence[int] = COUNTS) -> pd.DataFrame:
    """Every probe's answers on unseen people.

    Args:
        data: A generated dataset without clips that are left out.
        config: Sampling.
        counts: Looks beside the I-frame.

    Returns:
        As `mic.experiments.equal_tables.marks`, with columns rule and looks in place of row.
    """
    embedded = embeddings.of_dataset(data, steps=config.steps)
    truth = drawn(data, config.steps)
    change = changes(data, config)
    parts = []
    for rule in (*RULES, TRUTH):
        seen, of = (truth, EVEN) if rule == TRUTH else (embedded, rule)
        for count in counts:
            if rule == CHANGED and count in (0, config.steps):
                continue  # no picture, or all: nothing is chosen
            made = {rule: features(seen, change, of, count)}
            table = equal_tables.marks(data, made, parts=equal.PARTS)
            probed = table[table["row"] != equal_tables.MAJORITY].drop(columns="row")
            parts.append(probed.assign(rule=rule, looks=count))
    return pd.concat(parts, ignore_index=True)


def table(
    answered: pd.DataFrame, *, margin: float = 0.01, resamples: int = 10_000
) -> pd.DataFrame:
    """Accuracy by dataset, rule and looks.

    Args:
        answered: See `answers`; of several datasets.
        margin: Largest difference that counts as none.
        resamples: Of the bootstrap over people.

    Returns:
        Columns dataset, rule, looks, accuracy with `_low` and `_high` (95 %), difference with
        `_low` and `_high` (90 %), p, p_holm, p_equivalent, n, people; see `COLUMNS`.
    """
    lines = []
    for dataset, whole in answered.groupby("dataset", sort=False):
        all_looks = (whole["rule"] == EVEN) & (whole["looks"] == whole["looks"].max())
        reference = whole[all_looks].set_index("clip")
        for (rule, looks), part in whole.groupby(["rule", "looks"], sort=False):
            value = metrics.subject_bootstrap(
                part["correct"].to_numpy(), part["subject"].to_numpy(), resamples=resamples
            )
            both = reference.join(part.set_index("clip"), suffixes=("_reference", ""))
            found = compare(
                both["correct_reference"].to_numpy(),
                both["correct"].to_numpy(),
                both["subject"].to_numpy(),
                margin=margin,
                resamples=resamples,
            )
            same = rule == EVEN and looks == whole["looks"].max()
            nothing = {name: float("nan") for name in RECORD}
            lines.append(
                {
                    "dataset": dataset,
                    "rule": rule,
                    "looks": looks,
                    "accuracy": value.value,
                    "accuracy_low": value.low,
                    "accuracy_high": value.high,
                    **(nothing if same else found.record()),
                    "n": len(part),
                    "people": part["subject"].nunique(),
                }
            )
    return with_holm(pd.DataFrame(lines))


def figure(looked: pd.DataFrame) -> Figure:
    """Accuracy over looks, a panel a dataset, a line a rule, with intervals; from zero to one."""
    from matplotlib.figure import Figure

    names = list(dict.fromkeys(looked["dataset"]))
    made = Figure(figsize=(3.4 * len(names), 3.4), layout="constrained")
    panels = made.subplots(1, len(names), sharey=True, squeeze=False)[0]
    counts = sorted(set(looked["looks"]))
    for axis, name in zip(panels, names, strict=True):
        part = looked[looked["dataset"] == name]
        for turn, (rule, line) in enumerate(part.groupby("rule", sort=False)):
            places = np.array([counts.index(count) for count in line["looks"]]) + 0.12 * (turn - 1)
            reach = plots.reach(line, "accuracy")
            axis.errorbar(
                places, line["accuracy"], reach, marker="osD"[turn], capsize=2, label=rule
            )
        axis.set_xticks(range(len(counts)), [str(count) for count in counts])
        axis.set(title=name, xlabel="pictures beside the I-frame", ylim=(0, 1.03))
    panels[0].set_ylabel("accuracy (95 % interval over people)")
    panels[0].legend(loc="lower right", fontsize=8)
    return made
