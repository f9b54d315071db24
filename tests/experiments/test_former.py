"""The first version's settings: which cells stand for which number, and what the tables say."""

import numpy as np
import outcomes
import pytest

from mic.config import load
from mic.experiments import former, plan


@pytest.fixture(scope="module")
def config():
    return load("smoke", jobs=1)


@pytest.fixture(scope="module")
def data(config):
    return plan.dataset("synth-ck", config)


def test_rows_differ_in_what_their_numbers_were_said_to_differ_in(data, config):
    cells = {one.row: one.cells(data, config) for one in former.ROWS}
    assert len(cells) == len(former.ROWS)
    assert sum(len(found) for found in cells.values()) == len(former.cells(data, config))
    one, four = (
        cells[f"CNN+LSTM, frames, {grid}"][0].method
        for grid in ("one average a map", "2x2 averages")
    )
    assert (one.grid or 1, four.grid) == (1, 2)
    some, every = (
        cells[f"raw residuals, {frames}"][0].schedule.frames
        for frames in ("four frames a step", "all frames")
    )
    assert (some, every) == (4, 0)
    seeds = [cells[f"MIC, {name} seed"][0].seed for name in ("first", "second", "third")]
    assert seeds == [config.seed, config.seed + 1, config.seed + 2]
    # MIC with its terms, in three parts, is what notebook 05 trains.
    own = plan.cells(data, config, {"MIC": plan.method(config)}, folds=3)
    facts = [cell.facts() for cell in cells["MIC, first seed"]]
    assert facts == [cell.facts() for cell in own]


def test_each_number_stands_beside_what_was_quoted(data, config):
    found = []
    for cell in former.cells(data, config):
        answers = outcomes.TRUTH.copy()
        answers[: 10 if cell.row == "raw residuals, all frames" else 0] ^= 1  # of forty
        found.append(outcomes.outcome(cell, answers))
    table = former.trained_table(data, found, config)
    assert list(table) == list(former.COLUMNS)
    accuracy = table.set_index("row")["accuracy"]
    assert accuracy.pop("raw residuals, all frames") == pytest.approx(0.75)
    assert (accuracy == 1).all()
    assert table["was"].tolist() == [one.was for one in former.ROWS]
    assert set(table["folds"]) == {1, 3}
    (axis,) = former.figure(table).axes
    assert axis.get_xlim() == (0, 1.02)


class Counting:
    """A network whose answer for a picture is how many it has been shown."""

    dimensions = 1

    def crop(self, picture, points):
        return picture[:1, :1]

    def embed(self, crops):
        return np.arange(1.0, len(crops) + 1)[:, None]


def test_every_twelfth_frame_is_looked_at_from_the_first_on(data):
    clip = data.manifest.clips[0]
    looked = 1 + (clip.frames - 1) // 12
    found = former.every_twelfth(data.manifest.path(clip), Counting())
    assert found == pytest.approx([(1 + looked) / 2])


def test_probes_are_asked_about_unseen_people(config, monkeypatch):
    wild = plan.dataset("synth-afew", config)
    rng = np.random.default_rng(0)
    seen = rng.normal(size=(len(wild.manifest), 1 + config.steps, 3))
    seen[:, 0] = 9 * np.eye(7)[wild.manifest.label_indices()][:, :3]
    monkeypatch.setattr(former.embeddings, "of_dataset", lambda *_, **__: seen)
    monkeypatch.setattr(former, "every_twelfth", lambda *_, **__: rng.normal(size=3))
    table = former.probe_table(wild, config).set_index("row")
    assert list(table.index) == list(former.PROBES)
    told = table.loc["MobileFaceNet, I-frame", "accuracy"]
    assert told > table.loc["MobileFaceNet, mean of every twelfth frame", "accuracy"]
    assert (table["folds"] == 1).all()
    assert (table["accuracy_low"] <= table["accuracy"]).all()
