"""Accuracy against the number of people that a network learned from.

Real datasets end at a hundred people; the generator does not. Networks that differ in their input
and in whether mutual information with the person is driven down learn from the first 10, 30, 100
... people of a pool, and all are asked about the same people, `synth-ck`'s own, whom the pool does
not hold. Every training takes at least `STEPS` steps, so that few people are not also few steps.

    data = of_people(pool(config, seeds=(1, 2, 3)), asked(config), count=30)
    outcomes = runner.run(data, cells(data, config))
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from mic.config import Profile
from mic.datasets import synth
from mic.errors import ConfigError
from mic.evaluation import metrics
from mic.evaluation.inference import compare, with_holm
from mic.experiments import plan
from mic.experiments.cells import Cell, grid
from mic.experiments.data import Dataset
from mic.inputs.tensors import Kind, Representation
from mic.manifest.manifest import Clip, Manifest
from mic.publishing import plots
from mic.training.schedules import Schedule

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PROTOCOL = "synth-ck"
STEPS = 300
EPOCHS = 30

# Row: what the network sees, and what it changes in MIC. The sizes are MIC-fast's.
_SIZES: Mapping[str, Any] = {"feature_size": 128, "z_size": 128, "grid": 2}
_ALONE: Mapping[str, Any] = {"regulariser": "none"}
ROWS: Mapping[str, tuple[Kind, Mapping[str, Any]]] = {
    "accumulated": ("accumulated", _ALONE),
    "decoded - I-frame": ("decoded", _ALONE),
    "raw residuals": ("raw", _ALONE),
    "decoded frames": ("decoded_frames", _ALONE),
    "accumulated, MI": ("accumulated", {}),
    "decoded frames, MI": ("decoded_frames", {}),
}
# What the columns of `table` and `differences` are.
COLUMNS: Mapping[str, str] = {
    "row": "what the network sees; MI: mutual information with the person is driven down",
    "reference": "the row that it is compared with, on the same clips",
    "learned": "people that the network learned from",
    "accuracy": "share of the clips whose expression is named",
    "accuracy_low": "95 % interval over the people",
    "accuracy_high": "its upper end",
    "difference": "accuracy of the row less that of the reference, mean over people",
    "difference_low": "90 % interval over the people, paired",
    "difference_high": "its upper end",
    "p": "two-sided, by sign flips of people",
    "p_holm": "p, adjusted by Holm over the table",
    "p_equivalent": "of two one-sided tests that the difference is within one point",
    "n": "clips that were asked about",
    "people": "people seen in them, none of whom was learned from",
}
# Pairs of rows whose difference says what the input, or the person, costs.
PAIRS: tuple[tuple[str, str], ...] = (
    ("accumulated", "decoded - I-frame"),
    ("accumulated", "raw residuals"),
    ("accumulated", "decoded frames"),
    ("accumulated, MI", "accumulated"),
    ("decoded frames, MI", "decoded frames"),
)


def asked(config: Profile) -> Manifest:
    """The people that every network is asked about: `synth-ck` with the profile's seed, whole."""
    return synth.load(PROTOCOL, config)


def pool(config: Profile, *, seeds: Sequence[int]) -> list[Manifest]:
    """People to learn from: the protocol with other seeds, 118 people each, made where missing.

    Raises:
        ConfigError: The profile's own seed is among them, whose people are asked about.
    """
    if config.seed in seeds:
        raise ConfigError(
            f"seed {config.seed} of {PROTOCOL} holds the people who are asked about",
            remedy="learn from other seeds",
        )
    return [synth.load(PROTOCOL, dataclasses.replace(config, seed=seed)) for seed in seeds]


def of_people(learned: Sequence[Manifest], tested: Manifest, *, count: int) -> Dataset:
    """The clips of the first `count` people of a pool to learn from, and all others' to be asked.

    Args:
        learned: See `pool`. Fewer people are always among the more.
        tested: See `asked`.
        count: People.

    Returns:
        A dataset with a training and a validation part, as those that are published in two.

    Raises:
        ConfigError: The pool has fewer people.
    """
    clips: list[Clip] = []
    people: dict[str, None] = {}
    root = tested.root.parent
    for manifest in learned:
        for clip in manifest:
            subject = f"{manifest.root.name}/{clip.subject}"
            if subject not in people and len(people) == count:
                continue
            people[subject] = None
            clips.append(_below(clip, manifest, subject, "train"))
    if len(people) < count:
        raise ConfigError(
            f"{count} people of a pool of {len(people)}", remedy="ask for more seeds of people"
        )
    clips += [_below(clip, tested, f"{tested.root.name}/{clip.subject}", "val") for clip in tested]
    return Dataset(
        manifest=Manifest(
            name=f"{PROTOCOL}, {count} people to learn from",
            root=root,
            classes=tested.classes,
            clips=tuple(clips),
        )
    )


def _below(clip: Clip, manifest: Manifest, subject: str, split: str) -> Clip:
    """The clip as one of the folder that holds all generated datasets."""
    folder = manifest.root.name
    return dataclasses.replace(
        clip,
        clip=f"{folder}/{clip.clip}",
        clip_id=f"{folder}/{clip.clip_id}",
        subject=subject,
        annotation=clip.annotation and f"{folder}/{clip.annotation}",
        split=split,
        fold=None,
    )


def cells(data: Dataset, config: Profile, rows: Sequence[str] = tuple(ROWS)) -> list[Cell]:
    """A cell a row: all sampled frames in every step, 32 x 32 samples of a 128 x 128 clip.

    Raises:
        ConfigError: There is no such row.
    """
    unknown = [row for row in rows if row not in ROWS]
    if unknown:
        raise ConfigError(f"there is no row {unknown[0]!r}", remedy=f"choose of {', '.join(ROWS)}")
    clips = sum(clip.split == "train" for clip in data.manifest)
    a_epoch = max(1, clips // Schedule().batch)
    schedule = Schedule(epochs=max(EPOCHS, math.ceil(STEPS / a_epoch)), frames=0)
    found = []
    for row in rows:
        kind, changes = ROWS[row]
        found += grid(
            data,
            {row: plan.method(config, **_SIZES, **changes)},
            schedule=schedule,
            representation=Representation(kind=kind, steps=config.steps, scale=2 * config.scale),
            folds=1,
            seeds=(config.seed,),
        )
    return found


def table(answers: pd.DataFrame, *, resamples: int = 10_000) -> pd.DataFrame:
    """Accuracy of each row for each number of people.

    Args:
        answers: As of `mic.experiments.tables.answers`, with a column learned: the people.
        resamples: Of the bootstrap.

    Returns:
        Columns row, learned, accuracy with `_low` and `_high` (95 %, over the people asked about),
        n (clips), people.
    """
    lines = []
    for (row, learned), part in answers.groupby(["row", "learned"], sort=False):
        value = metrics.subject_bootstrap(
            part["correct"].to_numpy(), part["subject"].to_numpy(), resamples=resamples
        )
        lines.append(
            {
                "row": row,
                "learned": learned,
                "accuracy": value.value,
                "accuracy_low": value.low,
                "accuracy_high": value.high,
                "n": len(part),
                "people": part["subject"].nunique(),
            }
        )
    made = pd.DataFrame(lines)
    made["row"] = pd.Categorical(made["row"], list(ROWS))
    made = made.sort_values(["row", "learned"], ignore_index=True)
    return made.astype({"row": str})


def figure(table: pd.DataFrame) -> Figure:
    """Accuracy over people learned from (logarithmic), a line a row, with intervals; from zero."""
    from matplotlib.figure import Figure

    made = Figure(figsize=(7.5, 4.2), layout="constrained")
    axis = made.subplots()
    for turn, (row, part) in enumerate(table.groupby("row", sort=False)):
        # Side by side, so that intervals can be told apart.
        places = part["learned"] * 1.06 ** (turn - len(ROWS) / 2)
        reach = plots.reach(part, "accuracy")
        # With and without MI: the same colour, hollow and full.
        hue = f"C{[kind for kind, _ in ROWS.values()].index(ROWS[str(row)][0])}"
        with_mi = not ROWS[str(row)][1]
        axis.errorbar(
            places, part["accuracy"], reach, marker="osD^vP"[turn], color=hue, capsize=2,
            linestyle="--" if with_mi else "-", fillstyle="none" if with_mi else "full", label=row,
        )  # fmt: skip
    axis.set_xscale("log")
    counts = sorted(set(table["learned"]))
    axis.set_xticks(counts, [str(count) for count in counts])
    axis.set_xticks([], minor=True)
    axis.set(
        xlabel="people learned from", ylabel="accuracy (95 % interval over people)", ylim=(0, 1)
    )
    axis.grid(axis="y", alpha=0.4)
    axis.legend(loc="lower right", ncols=2)
    return made


def differences(
    answers: pd.DataFrame, *, margin: float = 0.01, resamples: int = 10_000
) -> pd.DataFrame:
    """What the input, or the person, costs at each number of people: `PAIRS`, the same clips.

    Args:
        answers: See `table`.
        margin: Largest difference that counts as none.
        resamples: See `mic.evaluation.inference.compare`.

    Returns:
        Columns row, reference, learned, difference (of accuracy, mean over people) with `_low` and
        `_high` (90 %), p (sign flips of people), p_holm (over the table), p_equivalent (within the
        margin), n, people.
    """
    lines = []
    for learned, part in answers.groupby("learned"):
        by_row = {row: one.set_index("clip") for row, one in part.groupby("row")}
        for row, reference in PAIRS:
            if row not in by_row or reference not in by_row:
                continue
            both = by_row[reference].join(by_row[row], how="inner", suffixes=("_reference", ""))
            found = compare(
                both["correct_reference"].to_numpy(),
                both["correct"].to_numpy(),
                both["subject"].to_numpy(),
                margin=margin,
                resamples=resamples,
            )
            lines.append(
                {
                    "row": row,
                    "reference": reference,
                    "learned": learned,
                    **found.record(),
                    "n": len(both),
                    "people": both["subject"].nunique(),
                }
            )
    return with_holm(pd.DataFrame(lines))
