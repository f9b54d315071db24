"""Identity where there is some: what is trained and erased, and who attacks it.

On residuals z_E hardly knows the person, so that no way of removing identity can be told from
another (notebook 05). On decoded pictures it does. Each way is held against placebos, which are
given nothing of the person, and against the same network left alone.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

import numpy as np

from mic.config import Profile
from mic.evaluation.leakage import Features
from mic.evaluation.metrics import drawn
from mic.experiments import peers, plan
from mic.experiments.cells import Cell, Outcome, facts_of
from mic.experiments.data import Dataset
from mic.experiments.privacy.attackers import ATTACKERS, attack
from mic.experiments.privacy.erasers import ERASERS, Erase, Material, head
from mic.experiments.privacy.planted import Code, planted
from mic.experiments.privacy.rates import rates
from mic.storage import cache

# Scores of all attackers, and answers of a classifier that is fitted to what was left.
STAGE = cache.Stage(name="attacks", version=1)
# What attackers see of planted identity.
POWER_STAGE = cache.Stage(name="planted", version=1)
_POWER_RESAMPLES = 300
NONE = "none"
GIVEN: tuple[Literal["", "stranger", "noise"], ...] = ("", "stranger", "noise")
# Regularisers of the game, and their weights: those of `mic.experiments.plan.REGULARISERS`.
REGULARISERS = ("MINE (MIC)", "nHSIC", "discriminator", "dCor", "SMILE", "vCLUB")
# Where z_E knows the person: the input of MIC's own network, or a peer with an input of its own.
PICTURES, FUSION = "decoded frames", "CoViAR fusion"
CONDITIONS = (PICTURES, FUSION)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Way:
    """A way to remove identity, on one part of the people.

    Attributes:
        condition: Of `CONDITIONS`.
        row: Its name; rows that are named alike are folds, seeds and draws of one.
        placebo_of: The row that it is the placebo of, or empty.
        data: What is trained on.
        cell: The training.
        eraser: Of `mic.experiments.privacy.erasers.ERASERS`, applied afterwards; empty: none.
        draw: Seed of the eraser.
    """

    condition: str
    row: str
    placebo_of: str
    data: Dataset
    cell: Cell
    eraser: str = ""
    draw: int = 0


def trained(data: Dataset, config: Profile, *, folds: int, seeds: int) -> list[Way]:
    """Regularisers and their placebos on decoded pictures, what is wanted most first.

    Without regulariser the cells are those of notebook 05. No apex is reconstructed: the decoder
    is given z_I and would be one more difference.
    """
    like = plan.representation(config, kind="decoded_frames")
    ways = []
    for name in (NONE, *REGULARISERS):
        changes = dict(plan.REGULARISERS[name]) | {"beta": 0.0}
        method = plan.method(config, **changes)
        cells = plan.cells(
            data, config, {name: method}, like=like, folds=folds, seeds=range(seeds)
        )
        for placebo in GIVEN if name != NONE else GIVEN[:1]:
            given = dataclasses.replace(data, placebo=placebo)
            ways += [
                Way(
                    condition=PICTURES,
                    row=f"{name}, given {placebo}" if placebo else name,
                    placebo_of=name if placebo else "",
                    data=given,
                    cell=cell,
                )
                for cell in cells
            ]
    # A row of all regularisers with one placebo each tells more than one with two.
    return sorted(ways, key=lambda way: way.data.placebo == "noise")


def left_alone(data: Dataset, config: Profile, condition: str, *, folds: int) -> list[Way]:
    """The network of a condition without any removal, which erasers are applied to."""
    if condition == PICTURES:
        return [way for way in trained(data, config, folds=folds, seeds=1) if way.row == NONE]
    # On its own grid, as the committed tables have it, not on the finer one that it would choose.
    cells = peers.peer_cells(data, config, folds=folds, peers=["coviar"], grid=0)
    return [
        Way(condition=condition, row=NONE, placebo_of="", data=data, cell=cell) for cell in cells
    ]


def erased(alone: Way, *, draws: int) -> Iterator[Way]:
    """What all erasers make of a network; those that draw anything, several times."""
    for name, eraser in ERASERS.items():
        for draw in range(draws if eraser.drawn else 1):
            yield dataclasses.replace(
                alone, row=name, placebo_of=eraser.placebo_of, eraser=name, draw=draw
            )


def answers(trained: Iterable[Way]) -> Iterator[Way]:
    """What the games' networks answer, and nothing else of them; see `ERASERS["answer"]`."""
    for way in trained:
        if way.row in REGULARISERS:
            yield dataclasses.replace(way, row=f"{way.row}, answer", eraser="answer")


def parts(outcome: Outcome, identity: np.ndarray) -> tuple[Features, Features]:
    """What attackers are given: training and test clips of a cell.

    Args:
        outcome: Of the cell.
        identity: (clips of the manifest, q) z_I.
    """
    count = len(outcome.train)
    rows = np.concatenate([outcome.train, outcome.test])

    def part(some: slice) -> Features:
        return Features(
            z=outcome.z[some].astype(np.float64),
            labels=outcome.labels[some],
            subjects=outcome.subjects[some],
            identity=identity[rows[some]].astype(np.float64),
        )

    return part(slice(count)), part(slice(count, None))


def attacked(way: Way, outcome: Outcome) -> Mapping[str, np.ndarray]:
    """The attackers' scores and the refitted classifier's answers, from the store or computed.

    Args:
        way: What was done.
        outcome: Of its cell.

    Returns:
        For each attacker NAME: `NAME/first`, `NAME/second`, `NAME/scores` (P,); `correct` (M,)
        whether a logistic regression on what was left is right on a test clip; `people` (M,).
    """

    def compute() -> dict[str, np.ndarray]:
        train, test = parts(outcome, dataclasses.replace(way.data, placebo="").identities())
        train, test = removed(way, train, test)
        arrays = {"correct": classified(train, test)}
        for name in ATTACKERS:
            found = attack(name, train, test, seed=way.draw)
            arrays["people"] = found.people
            arrays |= {
                f"{name}/first": found.first,
                f"{name}/second": found.second,
                f"{name}/scores": found.scores.astype(np.float32),
            }
        return arrays

    return cache.fetch(STAGE, compute=compute, **_attack_entry(way))


def is_attacked(way: Way) -> bool:
    """Whether `attacked` is stored."""
    return cache.entry_path(STAGE, **_attack_entry(way)).is_file()


def _attack_entry(way: Way) -> dict[str, Any]:
    return {
        "inputs": [way.data.manifest.digest(), way.data.network, way.data.placebo],
        "parameters": facts_of(way.data, way.cell) | {"eraser": way.eraser, "draw": way.draw},
        "folder": way.data.folder,
    }


@dataclasses.dataclass(frozen=True, kw_only=True)
class Planting:
    """Identity of a known amount in the features of a network that was left alone.

    Attributes:
        alone: The network.
        code: See `mic.experiments.privacy.planted.Code`.
        share: Of the variance within an expression.
        draw: Seed of the codes.
    """

    alone: Way
    code: Code
    share: float
    draw: int


def seen(planting: Planting, outcome: Outcome) -> Mapping[str, np.ndarray]:
    """The AUC that each attacker reaches on planted identity, from the store or computed.

    Args:
        planting: What is planted where.
        outcome: Of the network.

    Returns:
        For each attacker (1 + R,): of the test people, and of R other draws of them.
    """
    way = planting.alone

    def compute() -> dict[str, np.ndarray]:
        identity = way.data.identities()
        made = [
            planted(part, planting.share, code=planting.code, seed=2 * planting.draw + place)
            for place, part in enumerate(parts(outcome, identity))
        ]
        found = {}
        for name in ATTACKERS:
            scored = attack(name, made[0], made[1], seed=planting.draw)
            people = int(scored.people.max()) + 1
            counts = drawn(people, resamples=_POWER_RESAMPLES, seed=0)
            found[name] = rates(scored, counts).auc
        return found

    return cache.fetch(POWER_STAGE, compute=compute, **_planting_entry(planting))


def is_seen(planting: Planting) -> bool:
    """Whether `seen` is stored."""
    return cache.entry_path(POWER_STAGE, **_planting_entry(planting)).is_file()


def _planting_entry(planting: Planting) -> dict[str, Any]:
    way = planting.alone
    facts = {"code": planting.code, "share": planting.share, "draw": planting.draw}
    return {
        "inputs": [way.data.manifest.digest(), way.data.network],
        "parameters": way.cell.facts() | facts,
        "folder": way.data.folder,
    }


def removed(way: Way, train: Features, test: Features) -> tuple[Features, Features]:
    """What a way's eraser, if it has one, leaves of training and test clips."""
    if not way.eraser:
        return train, test
    material = Material(
        z=train.z, labels=train.labels, subjects=train.subjects, identity=train.identity
    )
    erase: Erase = ERASERS[way.eraser].fit(material, way.draw)
    return (
        dataclasses.replace(train, z=erase(train.z)),
        dataclasses.replace(test, z=erase(test.z)),
    )


def classified(train: Features, test: Features) -> np.ndarray:
    """(M,) whether the classifier that `mic.experiments.cells` fits after erasure is right."""
    right: np.ndarray = head(train.z, train.labels)(test.z).argmax(1) == test.labels
    return right
