"""The same training from two starts: what is taken over, and what the table says."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import squares
import torch

from mic.config import load
from mic.errors import ConfigError
from mic.experiments import starts
from mic.experiments.data import Dataset
from mic.experiments.starts import OTHERS, RANDOM, Row
from mic.inputs.coverage import LeftOut
from mic.manifest.manifest import Manifest
from mic.training.initial import begin_with, initial_network


def squares_of(root, name, people, classes):
    """Clips of people, one of each class, a shade for identity; some of the last are for tests."""
    clips = []
    for person in range(people):
        for number, label in enumerate(classes):
            frames = [np.full((32, 32, 3), 40 + 40 * number * step, np.uint8) for step in range(3)]
            shade = np.full(3, (person + 1) / people)
            clip = squares.write(root, f"{name}{person}", label, frames, shade)
            split = "test" if person >= people // 2 else "train"
            clips.append(dataclasses.replace(clip, split=split))
    manifest = Manifest(name=name, root=root, classes=classes, clips=tuple(clips))
    return Dataset(manifest=manifest, network="known", folder=root / "store")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return squares_of(tmp_path_factory.mktemp("own"), "own", 8, ("up", "down"))


@pytest.fixture(scope="module")
def others(tmp_path_factory):
    return [
        squares_of(tmp_path_factory.mktemp(name), name, 4, classes)
        for name, classes in (("first", ("down", "up")), ("second", ("left", "up")))
    ]


@pytest.fixture(scope="module")
def config():
    return dataclasses.replace(load("smoke", jobs=1), folds=1, steps=2)


ROW = Row(name="residuals", kind="accumulated")


def test_datasets_are_joined_by_the_names_of_their_classes(others, config):
    (cell,) = ROW.cells(others[0], config, seeds=1)
    parts = [one.tensors(cell.representation) for one in others]
    both = starts.joined(parts)
    assert both.classes == ("down", "left", "up")
    named = [both.classes[label] for label in both.labels.tolist()]
    own = [part.classes[label] for part in parts for label in part.labels.tolist()]
    assert named == own
    assert len(set(both.subjects)) == 8
    assert torch.equal(both.residual[len(parts[0]) :], parts[1].residual)


def test_all_but_the_classifier_is_taken_over(data, others, config):
    (cell,) = ROW.cells(data, config, seeds=1)
    clips = data.tensors(cell.representation)
    one, other = (initial_network(cell.method, clips, range(4), seed=seed) for seed in (1, 2))
    begun = {name: value.clone() for name, value in other.state_dict().items()}
    begin_with(other, one.state_dict())
    for name, value in other.state_dict().items():
        source = begun if "classifier" in name else one.state_dict()
        assert torch.equal(value, source[name]), name
    weight = "expression.classifier.1.weight"
    assert not torch.equal(other.state_dict()[weight], one.state_dict()[weight])


def test_both_starts_are_answers_of_their_own(data, others, config):
    cells = ROW.cells(data, config, seeds=2)
    assert [cell.seed for cell in cells] == [0, 1]
    found = {}
    for start in (RANDOM, OTHERS):
        assert not starts.is_answered(data, others, cells[0], start=start)
        found[ROW, start] = [starts.answered(data, others, cell, start=start) for cell in cells]
        assert starts.is_answered(data, others, cells[0], start=start)
    table = starts.table(data, found, 16)
    assert list(table) == list(starts.COLUMNS)
    assert table["start"].tolist() == [RANDOM, OTHERS]
    assert table["pretrained"].tolist() == [0, 16]
    assert (table["n"] == 8).all()
    assert (table["people"] == 4).all()
    assert (table["seeds"] == 2).all()
    first, second = table["accuracy"]  # every person has two clips
    assert table["difference"].iloc[1] == pytest.approx(second - first, abs=1e-6)
    assert table["difference"].isna().tolist() == [True, False]
    axis = starts.figure(table, {"a mark": 0.8}).axes[0]
    assert [text.get_text() for text in axis.get_yticklabels()] == ["residuals"]


def test_seeds_are_averaged_and_people_count_once(data):
    truth = np.array(data.manifest.label_indices())
    people = np.array(data.manifest.column("subject"))
    kept = np.flatnonzero(np.isin(people, ["own4", "own5", "own6"]))[:-1]  # two, two and one clip
    right, wrong = truth[kept], 1 - truth[kept]
    half = np.where(np.arange(len(kept)) == len(kept) - 1, right, wrong)
    answers = {
        (ROW, OTHERS): [{"test": kept, "predicted": one} for one in (right, half)],
        (ROW, RANDOM): [{"test": kept, "predicted": one} for one in (wrong, wrong)],
    }
    table = starts.table(data, answers, 16).set_index("start")
    assert table.loc[OTHERS, "accuracy"] == pytest.approx((5 + 1) / 10)
    assert table.loc[OTHERS, "difference"] == pytest.approx((0.5 + 0.5 + 1) / 3)
    assert table.loc[RANDOM, "accuracy"] == 0
    assert (table["seeds"] == 2).all()


def test_weights_of_another_network_are_refused(data, config):
    (cell,) = ROW.cells(data, config, seeds=1)
    clips = data.tensors(cell.representation)
    other = dataclasses.replace(cell.method, grid=2)
    one, another = (
        initial_network(method, clips, range(4), seed=0) for method in (cell.method, other)
    )
    with pytest.raises(ConfigError, match="another shape"):
        begin_with(one, another.state_dict())


def test_clips_that_cannot_be_read_are_not_learned_from(data, others, config, monkeypatch):
    first = others[0].manifest.clips[0].clip_id
    left = dataclasses.replace(
        others[0], left_out=(LeftOut(path=Path("a"), reason="damaged", clip=first),)
    )
    (cell,) = ROW.cells(data, config, seeds=1)
    learned = []

    def told(clips, rows, cell, state):
        learned.append(list(rows))
        raise InterruptedError

    monkeypatch.setattr(starts, "_trained", told)
    assert not starts.is_answered(data, [left, others[1]], cell, start=OTHERS)
    with pytest.raises(InterruptedError):
        starts.answered(data, [left, others[1]], cell, start=OTHERS)
    assert learned == [list(range(1, 16))]


def test_every_row_sees_something_of_its_own(data, config):
    seen = set()
    for row in starts.ROWS:
        (cell,) = row.cells(data, config, seeds=1)
        assert cell.schedule.frames == 0
        assert cell.representation.with_motion == row.attention
        seen.add((cell.representation.kind, row.peer, row.attention))
    assert len(seen) == len(starts.ROWS)
