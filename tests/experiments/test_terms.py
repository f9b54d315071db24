"""What the terms of MIC's loss do: who converges first, and what the apex decoder draws."""

import dataclasses

import numpy as np
import outcomes
import pytest

from mic.config import load
from mic.errors import ConfigError
from mic.experiments import plan, terms

EPOCHS = np.arange(1, 6)
# The epoch from which each row names everybody, of five.
FROM = {"MIC-MI-Î": 4, "MIC-MI": 2, "MIC-Î": 4, "MIC": 3}


@pytest.fixture(scope="module")
def config():
    return load("smoke", jobs=1, folds=2)


@pytest.fixture(scope="module")
def data(config):
    return plan.dataset("synth-ck", config)


@pytest.fixture(scope="module")
def found(data, config):
    """Two parts a row, each of which names everybody from an epoch of its own on."""
    cells = [
        dataclasses.replace(cell, schedule=dataclasses.replace(cell.schedule, epochs=len(EPOCHS)))
        for cell in terms.cells(data, config)
    ]
    made = []
    for cell in cells:
        late = FROM[cell.row] > EPOCHS
        answers = np.where(late[:, None], 0, outcomes.TRUTH)
        loss = {"expression": np.where(late, 0.6, 0.1)}
        made.append(outcomes.outcome(cell, answers, epochs=EPOCHS, history=loss))
    return made


def test_rows_differ_in_the_terms_alone_and_three_of_them_are_notebook_05s(data, config):
    by_row = {cell.row: cell.method for cell in terms.cells(data, config)}
    assert list(by_row) == list(terms.ROWS)
    told = {row: (one.regulariser != "none", one.beta > 0) for row, one in by_row.items()}
    assert told == {
        "MIC-MI-Î": (False, False),
        "MIC-MI": (False, True),
        "MIC-Î": (True, False),
        "MIC": (True, True),
    }
    papers = plan.methods(dataclasses.replace(config, rows=0), plan.PAPER_ROWS)
    assert {row: by_row[row] for row in by_row if row in papers} == {
        row: papers[row] for row in ("MIC-MI", "MIC-Î", "MIC")
    }


def test_who_names_people_earlier_is_told_with_its_test_over_people(found):
    table = terms.convergence_table(found, resamples=500).set_index("row")
    assert list(table.reset_index()) == list(terms.CONVERGENCE)
    # Half of the clips are of class 0, which is the answer before.
    assert table.loc["MIC-MI-Î", "early"] == pytest.approx((3 * 0.5 + 2) / 5)
    assert table.loc["MIC-MI", "difference"] == pytest.approx(0.2)
    assert table.loc["MIC-MI", "p_holm"] < 0.05
    assert table.loc["MIC-Î", "difference"] == 0
    assert table.loc["MIC-Î", "p"] == 1
    assert np.isnan(table.loc["MIC-MI-Î", "p"])
    assert table["epochs_to_half"].to_dict() == FROM
    assert table.loc["MIC", ["n", "people"]].tolist() == [80, 40]


def test_a_training_that_never_gets_there_has_no_number_of_epochs(found):
    slow, *others = [one for one in found if one.cell.row == "MIC"]
    never = dataclasses.replace(slow, history=np.full_like(slow.history, 0.6))
    assert np.isnan(terms.epochs_to_half(never.history, classes=2))
    assert terms.epochs_to_half(slow.history, classes=2) == FROM["MIC"]
    rest = [one for one in found if one.cell.row != "MIC"]
    for mixed in ([never, *others], [*others, never]):
        table = terms.convergence_table([*rest, *mixed], resamples=100).set_index("row")
        assert table.loc["MIC", "epochs_least"] == FROM["MIC"]
        assert table.loc["MIC", ["epochs_to_half", "epochs_most"]].isna().all()


def test_the_curves_and_their_figure_hold_every_row(found):
    curves = terms.curve_table(found)
    assert list(curves) == list(terms.CURVES)
    assert len(curves) == len(terms.ROWS) * 2 * len(EPOCHS)
    made = terms.curve_figure(curves, terms.convergence_table(found, resamples=100))
    assert [text.get_text() for text in made.axes[2].get_xticklabels()] == list(terms.ROWS)[1:]


def test_pictures_are_compared_with_the_apex_of_their_own_clip():
    rng = np.random.default_rng(0)
    apex = rng.random((12, 4, 4))
    found = terms.Reconstruction(
        names=tuple(f"clip{number}" for number in range(12)),
        subjects=tuple(f"s{number // 3}" for number in range(12)),
        labels=tuple("abc"[number % 3] for number in range(12)),
        apex=apex,
        pictures={terms.DRAWN: apex, terms.FIRST: apex + 10 / 255, terms.MEAN: apex[::-1]},
    )
    table = terms.reconstruction_table(found, resamples=200).set_index("picture")
    assert table.loc[terms.DRAWN, "error"] == 0
    assert table.loc[terms.FIRST, "error"] == pytest.approx(10)
    assert table.loc[terms.FIRST, "difference"] == pytest.approx(10)
    assert table.loc[terms.MEAN, "error"] > 50
    made = terms.reconstruction_figure(found, table.reset_index())
    assert len(made.axes) == 4 * 3  # the apex and three pictures, a column an expression


def test_a_trained_decoder_draws_people_that_it_never_saw(data, config):
    cells = {cell.row: cell for cell in terms.cells(data, config)}
    found = terms.reconstruct(data, cells["MIC"])
    assert set(found.pictures) == {
        terms.DRAWN,
        terms.OTHER_EXPRESSION,
        terms.OTHER_PERSON,
        terms.FIRST,
        terms.MEAN,
    }
    for name, pictures in found.pictures.items():
        assert pictures.shape == found.apex.shape, name
        assert np.ptp(pictures) <= 1, name
    assert np.abs(found.pictures[terms.FIRST] - found.apex).mean() < 0.05
    assert not np.array_equal(found.pictures[terms.DRAWN], found.pictures[terms.OTHER_PERSON])
    with pytest.raises(ConfigError, match="draws no apex"):
        terms.reconstruct(data, cells["MIC-Î"])


def test_the_stranger_of_a_swap_is_of_another_kind():
    kinds = np.array(["a", "a", "b", "a", "c", "c"])
    chosen = terms.another(kinds)
    assert (kinds[chosen] != kinds).all()
    assert terms.another(np.array(["a", "a"])) == [0, 1]  # nobody else is there
