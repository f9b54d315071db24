"""Published and own numbers side by side: nothing lost, nothing mixed, nothing unexplained."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from mic.errors import ResultError
from mic.publishing import comparison
from mic.storage import provenance

PAPER = pd.read_csv(provenance.repository() / "results" / "paper.csv")


def _ours(*rows):
    return pd.DataFrame(
        [
            {"row": r, "accuracy": 0.9, "accuracy_low": 0.8, "accuracy_high": 0.95, "n": 40}
            for r in rows
        ]
    )


@pytest.mark.parametrize("dataset", sorted(comparison.PROTOCOL_NOTES))
def test_every_published_row_is_there_in_order_and_run_or_excused(dataset):
    table = comparison.table(_ours("MIC"), PAPER, dataset=dataset)
    published = PAPER[PAPER["dataset"] == dataset]
    assert table["method"].tolist() == published["method"].tolist()
    np.testing.assert_allclose(table["published_accuracy"], published["accuracy"] / 100)
    np.testing.assert_array_equal(table["published_fps"], published["fps"])
    empty = table[table["accuracy"].isna()]
    assert len(empty) == len(table) - 1
    assert empty["remark"].str.len().min() > 10


def test_our_numbers_stand_in_their_own_columns():
    table = comparison.table(
        _ours("MIC", "Flow CNN", "FAN+ResNet18"),
        PAPER,
        dataset="CK+",
        differs={"FAN+ResNet18": "random weights", "Flow CNN": "our flow"},
        rates={"MIC": 900.0},
    ).set_index("method")
    assert table.loc["MIC", ["published_accuracy", "accuracy", "fps"]].tolist() == [
        0.9895,
        0.9,
        900,
    ]
    fan = table.loc["FAN+ResNet18"]
    assert fan["remark"] == "random weights; published: additional FER+ data"
    assert np.isnan(fan["fps"])
    assert table.index[-1] == "Flow CNN"
    assert np.isnan(table.loc["Flow CNN", "published_accuracy"])
    assert table.loc["Flow CNN", "accuracy_high"] == 0.95
    assert table.loc["NST", "remark"].startswith("not run: ")
    assert table.loc["Mode VLSTM", "remark"] == "not in this run"


def test_rows_spelt_otherwise_find_theirs():
    table = comparison.table(_ours("MIC-Î"), PAPER, dataset="MMI").set_index("method")
    assert table.loc["MIC-I_hat", "accuracy"] == 0.9
    assert "MIC-Î" not in table.index


def test_the_figure_has_every_row():
    tables = {d: comparison.table(_ours("MIC"), PAPER, dataset=d) for d in ("CK+", "MMI")}
    drawn = comparison.figure(tables)
    names = [label.get_text() for label in drawn.axes[0].get_yticklabels()]
    assert names == tables["CK+"]["method"].tolist()
    plt.close(drawn)


def test_an_unknown_published_row_is_an_error():
    line = {"dataset": "CK+", "method": "New", "accuracy": 99.0, "fps": 1.0, "note": None}
    with pytest.raises(ResultError, match="'New' is neither run nor excused"):
        comparison.table(_ours("MIC"), pd.DataFrame([line]), dataset="CK+")
