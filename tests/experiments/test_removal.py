"""Removal of identity: placebos are trainings of their own, and tables say what was planted."""

import dataclasses

import numpy as np
import pytest
import squares

from mic import experiments
from mic.config import load
from mic.experiments import cells as cells_module
from mic.experiments import removal, removal_tables
from mic.experiments.cells import Outcome
from mic.experiments.data import Dataset
from mic.experiments.privacy.attackers import ATTACKERS, attack
from mic.experiments.removal import Planting, Way
from mic.inputs.tensors import Representation
from mic.manifest.manifest import Manifest
from mic.models.mic import Method
from mic.synthface.identity import sample
from mic.training.train import Schedule

CLASSES = ("up", "down")
PEOPLE, CLIPS = 24, 3


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Two clips of each of six people, with a colour for identity."""
    root = tmp_path_factory.mktemp("clips")
    clips = []
    for person in range(6):
        colour = np.random.default_rng(person).integers(90, 255, 3)
        frames = [np.full((32, 32, 3), 40 + 10 * step, np.uint8) for step in range(3)]
        clips += [
            squares.write(root, f"p{person}", label, frames, colour / 255) for label in CLASSES
        ]
    manifest = Manifest(name="squares", root=root, classes=CLASSES, clips=tuple(clips))
    return Dataset(manifest=manifest, network="known", folder=root / "store")


def cell(row="none", split="fold 0"):
    return experiments.Cell(
        row=row,
        split=split,
        parts=3,
        method=Method(regulariser="none", beta=0.0),
        schedule=Schedule(epochs=1),
        representation=Representation(),
    )


def outcome(data, share, seed):
    """A cell of made-up features in which the person accounts for a share."""
    draw = np.random.default_rng(seed)
    subjects = np.repeat(np.arange(2 * PEOPLE), CLIPS)
    labels = np.tile(np.arange(CLIPS), 2 * PEOPLE)
    codes = np.repeat(draw.normal(size=(2 * PEOPLE, 12)), CLIPS, axis=0)
    noise = draw.normal(size=codes.shape)
    z = 4 * np.eye(12)[labels] + np.sqrt(share) * codes + np.sqrt(1 - share) * noise
    count = PEOPLE * CLIPS
    names = np.array([f"p{number:02d}" for number in subjects])
    return Outcome(
        cell=cell(),
        dataset="made",
        classes=("a", "b", "c"),
        train=np.arange(count),
        test=np.arange(count, 2 * count),
        names=(),
        subjects=names,
        labels=labels,
        logits=np.zeros((count, 3)),
        z=z.astype(np.float16),
        epochs=np.zeros(0),
        curve=np.zeros((0, count)),
        history=np.zeros((0, 6)),
    )


def found(data, share, row, *, placebo_of="", seed=0, wrong=0):
    one = outcome(data, share, seed)
    train, test = removal.parts(one, np.zeros((2 * PEOPLE * CLIPS, 2)))
    correct = np.arange(len(one.test)) >= wrong
    arrays = {"correct": correct}
    for name in ATTACKERS:
        scored = attack(name, train, test)
        arrays["people"] = scored.people
        arrays |= {f"{name}/{key}": getattr(scored, key) for key in ("first", "second", "scores")}
    way = Way(condition="made", row=row, placebo_of=placebo_of, data=data, cell=cell(row))
    return way, arrays


@pytest.fixture(scope="module")
def attacked(data):
    return [
        found(data, 0.6, "none"),
        found(data, 0.0, "good", seed=1),
        found(data, 0.6, "its placebo", placebo_of="good", seed=2),
        found(data, 0.6, "useless", seed=3, wrong=40),
        found(data, 0.6, "placebo of that", placebo_of="useless", seed=4),
    ]


def test_what_removes_the_person_is_told_from_what_does_not(attacked):
    table = removal_tables.attacks_table(attacked, resamples=300)
    assert list(table.columns) == list(removal_tables.ATTACKS)
    linear = table[table["attacker"] == "similarity"].set_index("row")
    assert linear.loc["none", "auc"] > 0.8
    assert linear.loc["good", "auc"] == pytest.approx(0.5, abs=0.1)
    assert linear.loc["good", "beyond_p_holm"] < 0.01
    assert linear.loc["good", "difference_high"] < 0
    assert linear.loc["useless", "beyond_p_holm"] > 0.05
    assert np.isnan(linear.loc["none", "p_holm"])
    assert (table["auc_low"] <= table["auc"]).all()
    summary = removal_tables.summary_table(attacked, table).set_index("row")
    assert list(summary.reset_index()[list(removal_tables.SUMMARY)]) == [*removal_tables.SUMMARY]
    assert summary.loc["good", "beyond"] >= 4
    assert summary.loc["useless", "beyond"] == 0
    # The same answers, but of too few people to show that nothing is lost.
    assert 0.05 < summary.loc["good", "p_equivalent"] < 0.3
    assert summary.loc["useless", "p_equivalent"] > 0.9
    assert not summary.loc[["none", "useless"], "aim"].any()
    removal_tables.figure(table)


def test_the_power_table_sees_what_was_planted(data):
    one = dataclasses.replace(outcome(data, 0.0, 0))
    named = dataclasses.replace(data, network="known")
    way = Way(condition="made", row="none", placebo_of="", data=named, cell=one.cell)

    def identities(self):
        return np.zeros((2 * PEOPLE * CLIPS, 2))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Dataset, "identities", identities)
        plantings = [
            Planting(alone=way, code="trace", share=share, draw=draw)
            for share in (0.0, 0.6)
            for draw in (0, 1)
        ]
        assert not removal.is_seen(plantings[0])
        table = removal_tables.power_table([(p, removal.seen(p, one)) for p in plantings])
        assert removal.is_seen(plantings[0])
    by = table.set_index(["share", "attacker"])
    assert by.loc[(0.6, "linear"), "seen"] == 1
    assert by.loc[(0.6, "linear"), "auc"] > by.loc[(0.0, "linear"), "auc"] + 0.2
    assert (table["draws"] == 2).all()
    removal_tables.power_figure(table)


def test_r2_is_told_beside_verification(data):
    one = outcome(data, 0.6, 0)
    identity = np.random.default_rng(0).normal(size=(2 * PEOPLE * CLIPS, 4))
    codes = np.repeat(np.random.default_rng(1).normal(size=(2 * PEOPLE, 3)), CLIPS, axis=0)
    table = removal_tables.regression_table({"made": [one]}, identity, codes, codes)
    assert table["features"].tolist() == ["z_I of the I-frame", "z_E, made"]
    assert table["auc"].tolist()[1] > 0.8
    # The codes are of others: nothing of them is told, however well people are told apart.
    assert (table["r2_shape"] < 0.1).all()


def test_a_placebo_is_a_training_of_its_own_and_leaves_the_others_keys(data):
    own = data.identities()
    given = dataclasses.replace(data, placebo="stranger")
    assert own.shape == given.identities().shape
    assert (own != given.identities()).any(1).all()
    np.testing.assert_array_equal(given.identities(), given.identities())
    entry = cells_module._entry(data, cell())
    assert entry["inputs"] == [data.manifest.digest(), "known"]
    assert cells_module._entry(given, cell())["inputs"] == [*entry["inputs"], "stranger"]
    assert data != given


def test_gains_are_those_of_the_person_that_the_side_file_names(tmp_path, data):
    clips = data.manifest.clips[:4]
    for turn, clip in enumerate(clips):
        np.savez(tmp_path / clip.annotation, person=turn // 2, family=-1)
    manifest = dataclasses.replace(data.manifest, root=tmp_path, clips=clips)
    found = dataclasses.replace(data, manifest=manifest).gains()
    np.testing.assert_array_equal(found[0], found[1])
    one, other = (sample(seed).gain for seed in (0, 1))
    np.testing.assert_array_equal(np.sign(found[0] - found[2]), np.sign(one - other))


def test_rows_of_the_campaign_are_whole(data):
    alone = Way(condition="made", row="none", placebo_of="", data=data, cell=cell())
    rows = [way.row for way in removal.erased(alone, draws=2)]
    assert len(rows) > len(set(rows)) > 5
    config = load("smoke", jobs=1)
    ways = removal.trained(data, config, folds=2, seeds=1)
    by_row = {way.row: way for way in ways}
    assert by_row["MINE (MIC), given stranger"].placebo_of == "MINE (MIC)"
    assert by_row["MINE (MIC), given stranger"].data.placebo == "stranger"
    assert {way.placebo_of for way in ways} - {""} == set(removal.REGULARISERS)
    assert by_row["none"].cell.method.regulariser == "none"
    told = list(removal.answers(ways))
    assert {way.row for way in told} == {f"{row}, answer" for row in removal.REGULARISERS}
    assert {(way.data.placebo, way.placebo_of, way.eraser) for way in told} == {("", "", "answer")}
