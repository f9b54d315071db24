"""Tables of the search with equal chances, from made-up predictions."""

import numpy as np
import pandas as pd
import pytest

from mic.experiments.equal_tables import (
    accuracy_table,
    counted,
    figure,
    predictions,
    searched,
    terms_table,
)


def answers():
    rng = np.random.default_rng(0)
    lines = []
    for row, chance in {"good": 0.95, "same": 0.95, "bad": 0.3}.items():
        for person in range(40):
            for take in range(3):
                correct = rng.random() < chance if row == "bad" else (person + take) % 20 > 0
                lines.append((row, "fold 0", 0, f"{person}-{take}", str(person), correct))
    return pd.DataFrame(lines, columns=["row", "split", "seed", "clip", "subject", "correct"])


def test_people_are_the_units_and_the_reference_is_compared_with_nobody():
    table = accuracy_table(answers(), reference="good", resamples=500).set_index("row")
    assert np.isnan(table.loc["good", "p"])
    assert table.loc["same", "difference"] == 0
    # That nobody of forty differs does not show that as good as nobody would.
    assert 0.05 < table.loc["same", "p_equivalent"] < 0.2
    assert table.loc["bad", "p_holm"] < 0.05
    assert table.loc["bad", "difference_high"] < 0
    assert (table["n"] == 120).all()
    assert (table["people"] == 40).all()


def test_the_rows_of_mic_are_compared_with_mic_where_it_was_trained():
    names = {"good": "MIC", "same": "MIC-MI", "bad": "Frame voting"}
    lines = answers().assign(dataset="a")
    lines["row"] = lines["row"].map(names)
    alone = lines[lines["row"] != "MIC"].assign(dataset="b")
    table = terms_table(pd.concat([lines, alone]), resamples=100).set_index("row")
    assert set(table["dataset"]) == {"a"}
    assert set(table.index) == {"MIC", "MIC-MI"}
    assert np.isnan(table.loc["MIC", "difference"])
    assert table.loc["MIC-MI", "difference"] == 0


def test_each_dataset_has_its_panel_and_says_what_stands_behind_it():
    one = accuracy_table(answers(), reference="good", resamples=100).assign(dataset="a")
    other = one[one["row"] != "bad"].assign(dataset="b", folds=3)
    table = pd.concat([one, other])
    first, second = figure(table).axes
    assert first.get_xlim() == (0, 1)
    assert [len(axes.get_yticks()) for axes in (first, second)] == [3, 2]
    assert counted(table) == (
        "a: n 120, 40 people, 1 part, 1 seed; b: n 120, 40 people, 3 parts, 1 seed."
    )


def test_answers_stand_side_by_side_and_what_was_not_tested_is_empty():
    lines = answers().assign(dataset="d", label="joy", predicted="fear")
    wide = predictions(lines[(lines["row"] != "bad") | (lines["subject"] != "3")])
    assert len(wide) == 120
    assert wide.loc[wide["subject"] == "3", "bad"].isna().all()
    assert (wide["good"] == "fear").all()


def test_candidates_are_weighed_by_their_folds_clips():
    keys = {"dataset": "d", "row": "MIC", "input": "raw", "grid": 2, "epochs": 30}
    keys |= {"learning_rate": 1e-3, "cross_entropy": 0.1}
    table = pd.DataFrame(
        [
            {**keys, "split": "fold 0", "accuracy": 1.0, "clips": 30},
            {**keys, "split": "fold 1", "accuracy": 0.5, "clips": 10},
        ]
    )
    (line,) = searched(table).to_dict("records")
    assert line["accuracy"] == pytest.approx(0.875)
    assert (line["clips"], line["folds"]) == (40, 2)
