"""The paper's settings beside ours: what the rows are trained on, their curves and figure."""

import numpy as np
import outcomes
import pytest

from mic.config import load
from mic.experiments import plan, printed


@pytest.fixture(scope="module")
def data():
    return plan.dataset("synth-ck", load("smoke", jobs=1))


@pytest.fixture(scope="module")
def cells(data):
    config = load("smoke", jobs=1, folds=2)
    return [*printed.ours(data, config), *printed.papers(data, config)]


def read(cell):
    """Two classes are taken for one, but by ours from the second reading on."""
    answers = np.zeros((3, len(outcomes.TRUTH)), int)
    if cell.row == printed.OURS:
        answers[1:] = outcomes.TRUTH
    epochs = [1, 2, cell.schedule.epochs]
    return outcomes.outcome(
        cell, answers, epochs=epochs, history={"expression": 0.5, "train_accuracy": 0.5}
    )


def test_the_paper_is_trained_as_it_says_on_the_people_of_ours(cells):
    by_row = {row: [one for one in cells if one.row == row] for row in printed.ROWS}
    ours, paper, rate = (by_row[row] for row in printed.ROWS)
    for some in (paper, rate):
        assert [(c.split, c.parts, c.seed) for c in some] == [
            (c.split, c.parts, c.seed) for c in ours
        ]
        assert {c.representation.kind for c in some} == {"raw"}
        assert {c.representation.scale for c in some} == {1}
    assert {(c.schedule.epochs, c.schedule.batch, c.schedule.optimizer) for c in paper} == {
        (100, 48, "adam")
    }
    assert {(c.schedule.learning_rate, c.schedule.epochs) for c in rate} == {(0.1, printed.TRIED)}
    assert {c.schedule.learning_rate for c in paper} == {1e-3}


def test_curves_have_an_interval_over_people_and_the_last_epoch_is_the_table(cells):
    found = [read(cell) for cell in cells]
    curves = printed.curve_table(found, resamples=200)
    assert list(curves) == list(printed.CURVES)
    assert len(curves) == 3 * len(printed.ROWS)
    last = curves.groupby("row")["accuracy"].last()
    table = printed.accuracy_table(found, resamples=200).set_index("row")
    assert (
        last.to_dict()
        == table["accuracy"].to_dict()
        == {
            printed.OURS: 1,
            printed.PRINTED: 0.5,
            printed.PRINTED_RATE: 0.5,
        }
    )
    assert np.isnan(table.loc[printed.OURS, "difference"])
    assert table.loc[printed.PRINTED, "difference"] == -0.5
    drawn = printed.figure(curves, largest=0.5, classes=2)
    learned, tested = drawn.axes
    assert tested.get_ylim() == (0, 1)
    assert len(tested.collections) == len(printed.ROWS)
    assert np.log(2) in {line.get_ydata()[0] for line in learned.lines}
    assert [text.get_text() for text in learned.get_legend().get_texts()] == list(printed.ROWS)
