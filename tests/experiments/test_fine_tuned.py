"""The attacker that fine-tunes the network: what it begins with, and what it finds."""

import dataclasses

import numpy as np
import pytest
import squares

from mic.config import load
from mic.experiments import fine_tuned, plan
from mic.experiments.data import Dataset
from mic.experiments.fine_tuned import RANDOM, Start
from mic.manifest.manifest import Manifest

CLASSES = ("up", "down")
PEOPLE = 12
STARTS = [Start(kind="decoded_frames", row=row) for row in (RANDOM, "none")]


@pytest.fixture(scope="module")
def config():
    return dataclasses.replace(load("smoke", jobs=1), parts=2, folds=1, steps=2)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Two clips of each of twelve people, each of one shade."""
    root = tmp_path_factory.mktemp("clips")
    clips = []
    for person in range(PEOPLE):
        shade = np.full(3, (person + 1) / PEOPLE)
        frames = [np.full((32, 32, 3), 30 + 200 * shade, np.uint8) + step for step in range(3)]
        clips += [squares.write(root, f"p{person}", label, frames, shade) for label in CLASSES]
    manifest = Manifest(name="squares", root=root, classes=CLASSES, clips=tuple(clips))
    return Dataset(manifest=manifest, network="known", folder=root / "store")


@pytest.fixture(scope="module")
def found(data, config):
    return {
        start: [fine_tuned.attacked(data, start, cell) for cell in start.cells(data, config)]
        for start in STARTS
    }


def test_every_start_is_a_training_of_one_input_and_no_apex(data, config):
    names = set()
    for start in fine_tuned.STARTS:
        (cell,) = start.cells(data, config)
        assert cell.representation.kind == start.kind
        assert cell.method.beta == 0
        names.add((start.kind, start.name))
    assert len(names) == len(fine_tuned.STARTS)
    # Without regulariser, and with MINE, they are the trainings of the other attackers.
    own = plan.method(config, regulariser="none", beta=0.0)
    assert STARTS[1].cells(data, config)[0].method == own


def test_it_learns_who_has_which_shade(found, data, config):
    random, none = found.values()
    assert not [key for key in random[0] if key.startswith("before")]
    assert {key.split("/")[0] for key in none[0]} == {"before", "after", "people"}
    for start, (part,) in found.items():
        assert part["people"].max() == PEOPLE // 2 - 1
        first, second = part["after/similarity/first"], part["after/similarity/second"]
        same = part["people"][first] == part["people"][second]
        scores = part["after/similarity/scores"]
        assert scores[same].mean() > scores[~same].mean() + 0.2
        (cell,) = start.cells(data, config)
        assert fine_tuned.is_attacked(data, start, cell)
        assert not fine_tuned.is_attacked(data, start, dataclasses.replace(cell, seed=7))


def test_the_table_holds_each_start_against_random_weights(found):
    table = fine_tuned.table(found, resamples=50)
    assert list(table) == list(fine_tuned.COLUMNS)
    assert table["start"].tolist() == [RANDOM, RANDOM, "none", "none"]
    assert (table.loc[table["attacker"] == "similarity", "auc"] > 0.9).all()
    assert (table["auc_low"] <= table["auc"]).all()
    known = table["start"] != RANDOM
    assert table.loc[known, ["auc_before", "difference"]].notna().all(axis=None)
    assert table.loc[~known, ["auc_before", "difference"]].isna().all(axis=None)
    both = table.pivot_table(index="attacker", columns="start", values="auc")
    less = table[known].set_index("attacker")["difference"]
    assert (both["none"] - both[RANDOM]).to_dict() == pytest.approx(less.to_dict())
    (axis,) = fine_tuned.figure(table).axes
    assert axis.get_xlim()[0] < 0.5
