"""Figures draw every row of their tables with its interval."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from mic.transfer import figures


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


def _table(names, **columns):
    """Values 0.1, 0.2, ... with intervals of 0.05 to either side."""
    count = len(next(iter(columns.values())))
    value = 0.1 * np.arange(1, count + 1)
    found = dict(columns)
    for name in names:
        found |= {name: value, f"{name}_low": value - 0.05, f"{name}_high": value + 0.05}
    return pd.DataFrame(found)


SCORES = ("real_r2", "generated_r2", "units_r2")
CASES = {
    "inputs": (_table(SCORES, inputs=["residual", "motion"]), 3),
    "factors": (_table(SCORES, left_out=["", "light", "all"]), 3),
    "people": (_table(SCORES, people=[4, 16, 90], datasets=["", "", "synth-ck"]), 3),
    "units": (
        _table(
            ("f1", "pcc"),
            unit=["1", "12", "mean"],
            teacher_pcc=[0.1, 0.2, 0.3],
            always_f1=[0.1, 0.1, 0.1],
        ),
        2,
    ),
    "clips": (_table(("r2", "pcc"), clip=["one", "all"], groups=[8, 27]), 2),
    "looks": (_table(("gain",), interval=[0.4, 0.8] * 2, method=["a", "a", "b", "b"]), 1),
    "codings": (_table(("r2", "difference"), coding=["one", "other"]), 2),
}


@pytest.mark.parametrize("name", CASES)
def test_every_row_is_drawn_with_its_interval(name):
    table, panels = CASES[name]
    made = getattr(figures, name)(table)
    assert len(made.axes) == panels
    for axis in made.axes:
        drawn = [bar for bar in axis.containers if len(bar) == 3]  # line, caps, bars
        segments = [part for bar in drawn for lines in bar[2] for part in lines.get_segments()]
        lengths = [float(np.ptp(segment, axis=0).max()) for segment in segments]
        assert len(segments) == len(table)
        np.testing.assert_allclose(lengths, 0.1)


@pytest.mark.parametrize("name", CASES)
def test_axes_reach_over_what_a_score_can_be(name):
    """Differences look as small as they are."""
    table, _ = CASES[name]
    for axis in getattr(figures, name)(table).axes:
        limits = axis.get_ylim() if name in ("people", "looks") else axis.get_xlim()
        assert min(limits) < 0 or (axis.get_xlabel() == "F1" and min(limits) == 0)
        assert max(limits) == 1


def test_an_interval_of_two_groups_is_not_drawn():
    table = _table(("r2", "pcc"), clip=["one", "all"], groups=[2, 27])
    for axis in figures.clips(table).axes:
        (drawn,) = [bar for bar in axis.containers if len(bar) == 3]
        places = [
            part[0, 1]
            for part in drawn[2][0].get_segments()
            if np.isfinite(part).all() and len(part)
        ]
        assert places == [1]
