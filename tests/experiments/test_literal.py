"""The literal min-min game: its cells differ in one switch, its tables tell what was descended."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from mic.config import load
from mic.experiments import equal_tables, literal, plan
from mic.experiments.cells import HISTORY, Outcome


@pytest.fixture(scope="module")
def outcomes():
    """Two parts of twenty people a row: the literal game's answers are all of one class."""
    config = load("smoke", jobs=1, folds=2)
    found = []
    for cell in literal.cells(plan.dataset("synth-ck", config), config):
        people = np.repeat([f"{cell.split}/{person}" for person in range(20)], 2)
        truth = np.tile([0, 1], 20)
        diverges = cell.row == literal.LITERAL
        logits = np.eye(2)[np.zeros(40, int) if diverges else truth]
        history = np.full((5, len(HISTORY)), np.nan)
        history[:, HISTORY.index("dependence")] = -np.logspace(0, 8, 5) if diverges else 0.4
        found.append(
            Outcome(
                cell=cell,
                dataset="synth-ck",
                classes=("a", "b"),
                train=np.arange(0),
                test=np.arange(40),
                names=tuple(f"{person}-{take}" for take, person in enumerate(people)),
                subjects=people,
                labels=truth,
                logits=logits,
                z=np.zeros((40, 2)),
                epochs=np.array([5]),
                curve=logits.argmax(1)[None],
                history=history,
            )
        )
    return found


def test_rows_differ_in_the_game_alone_and_two_of_them_are_notebook_05s(outcomes):
    by_row = {one.cell.row: one.cell.method for one in outcomes}
    assert list(by_row) == list(literal.ROWS)
    played = dataclasses.replace(by_row[literal.LITERAL], literal_min_min=False)
    assert by_row[literal.LITERAL].literal_min_min
    assert played == by_row[literal.MINE]
    config = load("smoke", jobs=1)
    papers = plan.methods(dataclasses.replace(config, rows=0), plan.PAPER_ROWS)
    assert {row: by_row[row] for row in (literal.MINE, literal.NONE)} == {
        row: papers[row] for row in (literal.MINE, literal.NONE)
    }


def test_accuracy_is_compared_with_no_game_over_people(outcomes):
    table = literal.accuracy_table(outcomes, resamples=500)
    assert list(table) == list(equal_tables.ACCURACY)
    table = table.set_index("row")
    assert np.isnan(table.loc[literal.NONE, "p"])
    assert table.loc[literal.LITERAL, "difference"] == pytest.approx(-0.5)
    assert table.loc[literal.LITERAL, "p_holm"] < 0.05
    assert table.loc[literal.LITERAL, ["people", "folds", "seeds"]].tolist() == [40, 2, 1]


def test_curves_are_of_games_and_the_figure_shows_both(outcomes):
    curves = literal.curve_table(outcomes)
    assert list(curves) == list(literal.CURVES)
    assert set(curves["row"]) == {literal.MINE, literal.LITERAL}
    last = curves[curves["epoch"] == 5].groupby("row")["dependence"].mean()
    assert last[literal.LITERAL] == pytest.approx(-1e8)
    assert last[literal.MINE] == pytest.approx(0.4)
    made = literal.figure(literal.accuracy_table(outcomes, resamples=100), curves, majority=0.3)
    estimate, _, tested = made.axes
    assert estimate.get_yscale() == "symlog"
    assert tested.get_ylim() == (0, 1)
    drawn = pd.Series([label.get_text() for label in tested.get_xticklabels()])
    assert len(drawn) == len(literal.ROWS)
