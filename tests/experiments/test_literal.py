"""The literal min-min game: its cells differ in one switch, its tables tell what was descended."""

import dataclasses

import numpy as np
import outcomes
import pandas as pd
import pytest

from mic.config import load
from mic.experiments import equal_tables, literal, plan


@pytest.fixture(scope="module")
def found():
    """Two parts a row: the literal game's answers are all of one class, its bound runs away."""
    config = load("smoke", jobs=1, folds=2)
    made = []
    for cell in literal.cells(plan.dataset("synth-ck", config), config):
        diverges = cell.row == literal.LITERAL
        answers = np.zeros_like(outcomes.TRUTH) if diverges else outcomes.TRUTH
        count = cell.schedule.epochs
        bound = -np.logspace(0, 8, count) if diverges else 0.4
        made.append(outcomes.outcome(cell, answers, epochs=[count], history={"dependence": bound}))
    return made


def test_rows_differ_in_the_game_alone_and_two_of_them_are_notebook_05s(found):
    by_row = {one.cell.row: one.cell.method for one in found}
    assert list(by_row) == list(literal.ROWS)
    played = dataclasses.replace(by_row[literal.LITERAL], literal_min_min=False)
    assert by_row[literal.LITERAL].literal_min_min
    assert played == by_row[literal.MINE]
    config = load("smoke", jobs=1)
    papers = plan.methods(dataclasses.replace(config, rows=0), plan.PAPER_ROWS)
    assert {row: by_row[row] for row in (literal.MINE, literal.NONE)} == {
        row: papers[row] for row in (literal.MINE, literal.NONE)
    }


def test_accuracy_is_compared_with_no_game_over_people(found):
    table = literal.accuracy_table(found, resamples=500)
    assert list(table) == list(equal_tables.ACCURACY)
    table = table.set_index("row")
    assert np.isnan(table.loc[literal.NONE, "p"])
    assert table.loc[literal.LITERAL, "difference"] == pytest.approx(-0.5)
    assert table.loc[literal.LITERAL, "p_holm"] < 0.05
    assert table.loc[literal.LITERAL, ["people", "folds", "seeds"]].tolist() == [40, 2, 1]


def test_curves_are_of_games_and_the_figure_shows_both(found):
    curves = literal.curve_table(found)
    assert list(curves) == list(literal.CURVES)
    assert set(curves["row"]) == {literal.MINE, literal.LITERAL}
    last = curves[curves["epoch"] == curves["epoch"].max()].groupby("row")["dependence"].mean()
    assert last[literal.LITERAL] == pytest.approx(-1e8)
    assert last[literal.MINE] == pytest.approx(0.4)
    made = literal.figure(literal.accuracy_table(found, resamples=100), curves, majority=0.3)
    estimate, _, tested = made.axes
    assert estimate.get_yscale() == "symlog"
    assert tested.get_ylim() == (0, 1)
    drawn = pd.Series([label.get_text() for label in tested.get_xticklabels()])
    assert len(drawn) == len(literal.ROWS)
