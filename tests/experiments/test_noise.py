"""Published differences against chance: both rulers by hand, and what is left out."""

import numpy as np
import pandas as pd
import pytest

from mic.experiments import noise


def answers(rows, people=20):
    """Two clips a person, classes a and b; a row is wrong for its first so many people."""
    frame = pd.DataFrame(
        {
            "label": ["a", "b"] * people,
            "subject": np.repeat([str(number) for number in range(people)], 2),
            "seed": 0,
        }
    )
    for row, wrong in rows.items():
        other = frame["label"].map({"a": "b", "b": "a"})
        frame[row] = frame["label"].where(frame["subject"].astype(int) >= wrong, other)
    return frame


def test_two_shares_of_clips_apart_are_as_wald_has_them():
    assert noise.apart(np.array([0.9, 0.5]), 100) == pytest.approx(
        [1.96 * np.sqrt((0.09 + 0.25) / 100)]
    )


def test_rows_that_never_differ_are_nearer_than_rows_that_do():
    same, apart = (
        noise.paired(answers({"one": 4, "other": wrong}), resamples=400)[0]
        * np.sqrt((4 + wrong) / 20)  # both rows' mistakes
        for wrong in (4, 10)
    )
    assert 0 < same < apart < 0.3
    untested = answers({"one": 4, "other": 6})
    untested["third"] = None
    assert len(noise.paired(untested, resamples=50)) == 1


def test_pairs_inside_are_counted_and_a_dataset_without_answers_has_one_ruler():
    published = pd.DataFrame(
        {"dataset": ["A"] * 3 + ["B"] * 2, "method": list("uvwxy"),
         "accuracy": [90.0, 89.0, 50.0, 70.0, 40.0]}
    )  # fmt: skip
    ours = {"A": answers({"one": 4, "other": 5})}
    made = noise.table(published, {"A": 100, "B": 100}, ours, resamples=200)
    assert list(made) == list(noise.COLUMNS)
    lines = made.set_index(["dataset", "ruler"])
    assert list(lines.index) == [("A", noise.APART), ("A", noise.PAIRED), ("B", noise.APART)]
    assert lines.loc[("A", noise.APART), ["inside", "pairs"]].tolist() == [1, 3]
    assert lines.loc[("A", noise.PAIRED), ["inside", "measured", "n"]].tolist() == [1, 1, 40]
    assert lines.loc[("B", noise.APART), "share"] == 0
    drawn = noise.figure(made, published)
    titles = [axis.get_title() or axis.get_title(loc="left") for axis in drawn.axes]
    assert titles == ["A, 3 pairs", "B, 1 pairs"]
    assert [len(axis.lines) for axis in drawn.axes] == [3, 2]
