"""Raw residuals and decoded pictures: what is read of each, and what each step is worth."""

import numpy as np
import pandas as pd
import pytest

from mic.config import load
from mic.experiments import gap, plan


def test_each_row_adds_to_one_that_is_there():
    for row, (_, reference) in gap.CHAIN.items():
        assert reference == "" or reference in gap.CHAIN
        assert reference != row


def test_the_reader_learns_from_fitted_and_chosen_clips_only():
    draw = np.random.default_rng(0)
    labels = np.tile([0, 1, 2], 40)
    x = 3 * np.eye(3)[labels] @ draw.normal(size=(3, 50)) + draw.normal(size=(120, 50))
    fitted, chosen, test = range(60), range(60, 90), np.arange(90, 120)
    right = gap.read(x, labels, fitted, chosen)
    assert (right[test] == labels[test]).mean() > 0.9
    # What the labels of test clips are is nothing that an answer could depend on.
    other = labels.copy()
    other[test] = draw.permutation(labels[test])
    np.testing.assert_array_equal(gap.read(x, other, fitted, chosen), right)


@pytest.fixture(scope="module")
def answered():
    config = load("smoke", jobs=1)
    data = plan.dataset("synth-ck", config)
    return gap.answers(data, config, ["sums between samples", "decoded - I-frame"]), data


def test_every_clip_is_read_once_by_a_reader_that_has_not_seen_its_person(answered):
    found, data = answered
    for _, part in found.groupby("row"):
        assert sorted(part["clip"]) == sorted(clip.clip_id for clip in data.manifest)


def test_pictures_are_averaged_to_one_size(answered):
    _, data = answered
    config = load("smoke", jobs=1)
    x = gap.pictures(data, config, "decoded")
    assert x.shape == (len(data.manifest), config.steps * 3 * gap.EDGE**2)


def made_up():
    """A coarser quantiser and a poorer row, on the same forty people."""
    people = [f"p{number}" for number in range(40)]
    lines = []
    for quantiser, row, right in (
        (2, "sums since the I-frame", 0.5),
        (2, "the same along the motion", 1.0),
        (20, "the same along the motion", 0.75),
    ):
        for place, person in enumerate(people):
            facts = {"dataset": "d", "quantiser": quantiser, "row": row, "clip": person}
            lines.append(facts | {"subject": person, "correct": place < right * len(people)})
    return pd.DataFrame(lines)


def test_a_row_is_compared_with_what_lacks_one_thing():
    table = gap.table(made_up(), resamples=500)
    assert list(table) == list(gap.COLUMNS)
    table = table.set_index(["quantiser", "row"])
    assert np.isnan(table.loc[(2, "sums since the I-frame"), "difference"])
    along = table.loc[(2, "the same along the motion")]
    assert (along["difference"], along["reference"]) == (0.5, "sums since the I-frame")
    coarse = table.loc[(20, "the same along the motion")]
    assert coarse["difference"] == -0.25
    assert coarse["reference"] == "the same along the motion, quantiser 2"
    figure = gap.figure(table.reset_index())
    assert figure.axes[0].get_xlim() == (0, 1)
