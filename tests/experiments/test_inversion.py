"""Inversion: what holds the person is drawn alike, and what holds nothing is the mean face."""

import numpy as np
import pytest

from mic import experiments, identity
from mic.experiments import inversion
from mic.experiments.cells import Outcome
from mic.experiments.data import Dataset
from mic.experiments.inversion import KNOWN, NOTHING
from mic.experiments.removal import Way
from mic.inputs.tensors import Representation
from mic.manifest.manifest import Manifest
from mic.models.mic import Method
from mic.training.train import Schedule

PEOPLE, CLIPS = 20, 3
COUNT = PEOPLE * CLIPS


class Colours(identity.IdentityNetwork):
    """Knows people by the mean colour of their faces."""

    name = "colours"
    dimensions = 3
    provenance = "made up"
    size = 8

    def _forward(self, batch):
        return batch.mean((1, 2), dtype=np.float32) - 127


def outcome(codes, share):
    """Features of which a share is the person's code."""
    draw = np.random.default_rng(1)
    z = share * np.repeat(codes, CLIPS, 0) + (1 - share) * draw.normal(size=(2 * COUNT, 3))
    return Outcome(
        cell=experiments.Cell(
            row="none",
            split="fold 0",
            parts=3,
            method=Method(),
            schedule=Schedule(epochs=1),
            representation=Representation(),
        ),
        dataset="made",
        classes=("a", "b", "c"),
        train=np.arange(COUNT),
        test=np.arange(COUNT, 2 * COUNT),
        names=(),
        subjects=np.array([f"p{n:02d}" for n in np.repeat(np.arange(2 * PEOPLE), CLIPS)]),
        labels=np.tile(np.arange(CLIPS), 2 * PEOPLE),
        logits=np.zeros((COUNT, 3)),
        z=z.astype(np.float16),
        epochs=np.zeros(0),
        curve=np.zeros((0, COUNT)),
        history=np.zeros((0, 6)),
    )


@pytest.fixture
def found(tmp_path, monkeypatch):
    codes = np.random.default_rng(0).normal(size=(2 * PEOPLE, 3))
    monkeypatch.setattr(identity, "load", lambda name: Colours())
    monkeypatch.setattr(Dataset, "identities", lambda self: np.repeat(codes, CLIPS, 0))
    colours = (127 + 30 * np.repeat(codes, CLIPS, 0)).clip(0, 255).astype(np.uint8)
    pictures = np.broadcast_to(colours[:, None, None], (2 * COUNT, 8, 8, 3))
    manifest = Manifest(name="made", root=tmp_path, classes=("a", "b", "c"), clips=())
    data = Dataset(manifest=manifest, network="colours")
    ways = []
    for row, share in (("none", 0.9), ("hidden", 0.0)):
        one = outcome(codes, share)
        way = Way(condition="made", row=row, placebo_of="", data=data, cell=one.cell)
        ways.append((way, one))
    return inversion.drawings(ways, pictures), data


def test_whoever_holds_the_person_draws_the_person(found):
    drawn, data = found
    table = inversion.table([drawn, drawn], data, resamples=100)
    assert list(table.columns) == list(inversion.COLUMNS)
    by = table.set_index("row")
    assert by.index.tolist() == [NOTHING, KNOWN, "none", "hidden"]
    assert by.loc[KNOWN, "auc"] > 0.95
    assert by.loc[KNOWN, "naming"] > 0.6
    assert by.loc["none", "auc"] > 0.9
    assert by.loc["hidden", "auc"] == pytest.approx(0.5, abs=0.15)
    assert by.loc[NOTHING, "auc"] == 0.5  # all pairs are alike
    assert by.loc[KNOWN, "error"] < by.loc["none", "error"] < by.loc[NOTHING, "error"]
    assert (by["people"] == 2 * PEOPLE).all()
    figure = inversion.figure(drawn, table, people=4)
    assert len(figure.axes) == 4 * (1 + len(drawn))


def test_nothing_is_drawn_as_the_mean_of_the_training_faces(found):
    nothing = found[0][0]
    assert (nothing.pictures == nothing.pictures[0]).all()
    assert nothing.truth.std(0).max() > 0
