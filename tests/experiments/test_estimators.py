"""The tables of notebook 03: every distribution and estimator once, beside its truth."""

import math

import pytest
import torch

from mic import mi
from mic.experiments import estimators


def _draw():
    return torch.Generator().manual_seed(0)


def test_the_closed_form_is_found_where_there_are_samples_enough():
    table = estimators.closed_form_table(2000, steps=20, draw=_draw(), seed=0, draws=1)
    assert list(table.columns) == list(estimators.CLOSED_FORM_COLUMNS)
    assert len(table) == 4 * 3
    one = table[(table["dimensions"] == 5) & (table["rho"] == 0.9)].iloc[0]
    assert one["truth"] == pytest.approx(-2.5 * math.log(1 - 0.81))
    assert abs(one["relative_error"]) < 0.1
    assert (table["estimate"] / table["truth"] - 1).tolist() == table["relative_error"].tolist()


def test_draws_differ_and_are_summed_up():
    table = estimators.closed_form_table(300, steps=3, draw=_draw(), seed=0, draws=2)
    assert (table["draws"] == 2).all()
    assert (table["least"] < table["largest"]).all()
    middle = (table["least"] + table["largest"]) / 2
    assert table["estimate"].tolist() == pytest.approx(middle.tolist())


def test_all_estimators_are_compared():
    table = estimators.estimator_table(200, steps=3, draw=_draw(), seed=0, draws=1)
    assert list(table.columns) == list(estimators.ESTIMATOR_COLUMNS)
    assert set(table["estimator"]) == set(mi.ESTIMATORS)
    assert len(table) == 5 * len(mi.ESTIMATORS)
    assert table["truth"].min() == 0
    bounded = table[table["estimator"].isin(["nhsic", "dcor"])]
    assert bounded["estimate"].between(0, 1).all()


def test_sizes_above_the_largest_are_left_out():
    table = estimators.sample_size_table(300, steps=3, draw=_draw(), seed=0, draws=1)
    assert list(table.columns) == list(estimators.SAMPLE_SIZE_COLUMNS)
    assert sorted(set(table["n"])) == [100, 300]
    assert sorted(set(table["truth"].round(3))) == [0, round(-0.5 * math.log(1 - 0.81), 3)]
