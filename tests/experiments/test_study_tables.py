"""Tables and captions of the studies, from made-up predictions: no network is trained here."""

import dataclasses
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mic import config, experiments
from mic.experiments import (
    ablations,
    cells,
    confusions,
    equal_tables,
    forecast,
    marks,
    peers,
    plan,
    tables,
)
from mic.inputs.coverage import LeftOut
from mic.manifest.manifest import Clip, Manifest
from mic.peers import PEERS
from mic.publishing import own_rows
from mic.speed import accuracies, study

SMOKE = config.load("smoke", bootstrap=50)
CLASSES = ("anger", "fear", "happiness")
PEOPLE = 12


@pytest.fixture
def data(tmp_path):
    """Each of twelve people shows two classes, half of them happiness."""
    clips = tuple(
        Clip(
            clip=f"{person}-{label}.mp4",
            clip_id=f"{person}-{label}",
            subject=f"p{person:02}",
            label=label,
            licence="none",
            sha256="0" * 64,
            frames=8,
            frame_rate=Fraction(25),
        )
        for person in range(PEOPLE)
        for label in ("happiness", "anger" if person % 2 else "fear")
    )
    return experiments.Dataset(
        manifest=Manifest(name="made-up", root=tmp_path, classes=CLASSES, clips=clips)
    )


def outcomes_of(data, *, row="MIC", seeds=(0,), right=0.75):
    """Answers that are right for a share of the clips."""
    found = []
    labels = np.array(data.manifest.label_indices())
    people = np.array(data.manifest.column("subject"))
    for split in cells.splits(data.manifest, parts=3):
        fitted, tested = [*split.train, *split.validation], list(split.test)
        for seed in seeds:
            rng = np.random.default_rng(seed)
            truth = labels[tested]
            wrong = rng.random(len(tested)) >= right
            answers = np.where(wrong, (truth + 1) % len(CLASSES), truth)
            (cell,) = experiments.grid(
                data,
                {row: plan.method(SMOKE)},
                schedule=plan.schedule(SMOKE),
                representation=plan.representation(SMOKE),
                folds=1,
                parts=3,
                seeds=(seed,),
            )
            rows = [*fitted, *tested]
            found.append(
                experiments.Outcome(
                    cell=dataclasses.replace(cell, split=split.name),
                    dataset=data.name,
                    classes=CLASSES,
                    train=np.array(fitted),
                    test=np.array(tested),
                    names=tuple(data.manifest.clips[number].clip_id for number in tested),
                    subjects=people[rows],
                    labels=labels[rows],
                    logits=3.0 * np.eye(len(CLASSES), dtype=np.float32)[answers],
                    z=rng.normal(size=(len(rows), 4)).astype(np.float16),
                    epochs=np.array([1]),
                    curve=answers[None].astype(np.uint8),
                    history=np.zeros((1, len(cells.HISTORY)), np.float32),
                    left_out=data.left_out + data.absent,
                )
            )
    return found


@pytest.fixture
def embedded(monkeypatch):
    """Embeddings that tell the class by the last frame less the first, and nothing otherwise."""
    asked = []

    def of_dataset(data, *, steps):
        asked.append(data)
        labels = np.array(data.manifest.label_indices())
        table = np.zeros((len(labels), 1 + steps, 8), np.float32)
        table[:, -1, :3] = 2 * np.eye(3)[labels]
        table[:, 1:-1] += np.random.default_rng(0).normal(0, 9, table[:, 1:-1].shape)
        return table

    monkeypatch.setattr(marks.embeddings, "of_dataset", of_dataset)
    return asked


def test_the_largest_class_is_that_of_the_clips_that_were_tested(data):
    outcomes = outcomes_of(data, seeds=(0, 1))
    few = dataclasses.replace(outcomes[0], names=outcomes[0].names[:3], test=outcomes[0].test[:3])
    few = dataclasses.replace(few, labels=np.r_[few.labels[: len(few.train)], [0, 1, 1]])
    assert experiments.largest_class([few, few]) == pytest.approx(2 / 3)
    tested = {
        name: truth for one in outcomes for name, truth in zip(one.names, one.truth, strict=True)
    }
    most = max(list(tested.values()).count(label) for label in set(tested.values()))
    assert experiments.largest_class(outcomes) == most / len(tested)


def test_a_caption_ends_with_what_stands_behind_the_table(data):
    text = experiments.counted("Rows.", outcomes_of(data, seeds=(0, 1)), SMOKE)
    assert text == "Rows. made-up: n 24, 12 people; 2 seeds; profile smoke."
    once = study.scope(SMOKE)
    twice = dataclasses.replace(once, rounds=2)
    assert study.counted("Ms.", once, SMOKE) == "Ms. 1 round of 1 run each; seed 0; profile smoke."
    assert (
        study.counted("Ms.", twice, SMOKE) == "Ms. 2 rounds of 3 runs each; seed 0; profile smoke."
    )


def test_marks_stand_beside_a_row_on_the_same_clips(data, embedded):
    table = marks.marks_table(data, outcomes_of(data), SMOKE)
    assert list(table) == list(marks.COLUMNS)
    rows = table.set_index("row")
    majority = rows.loc["majority class"]
    assert majority["accuracy"] == 0.5
    assert majority["macro_recall"] == pytest.approx(1 / 3)
    probe = rows.loc["MobileFaceNet, linear, last minus first"]
    assert probe["accuracy"] == 1
    assert probe["difference"] == pytest.approx(1 - rows.loc["MIC", "accuracy"])
    assert (table["n"] == 24).all()
    assert (table["people"] == PEOPLE).all()


def test_rows_that_chose_their_settings_are_read_and_not_trained_again(
    data, embedded, monkeypatch, tmp_path
):
    trained = outcomes_of(data) + outcomes_of(data, row="MIC-fast", right=0.5)
    elsewhere = pd.concat(
        [
            experiments.answers(outcomes_of(data, right=1.1)),
            experiments.answers(outcomes_of(data, row="FAN+ResNet18", right=0.6)),
        ]
    )
    wide = equal_tables.predictions(elsewhere)
    (tmp_path / "equal").mkdir()
    for name, table in (
        ("equal_predictions", wide),
        ("equal_accuracy", equal_tables.accuracy_table(elsewhere, reference="MIC", resamples=50)),
        ("equal_search", pd.DataFrame({"row": ["MIC", "FAN+ResNet18"]})),
    ):
        told = table if "dataset" in table else table.assign(dataset=data.name)
        told.to_csv(tmp_path / "equal" / f"{name}.csv", index=False)
    record = {"data": {data.name: data.manifest.digest()}, "tables": {}}
    monkeypatch.setattr(own_rows.provenance, "read", lambda path: record)
    known = accuracies.searched(data, tmp_path)
    assert len(known) == len(elsewhere) == 2 * len(data.manifest)
    assert known["correct"].sum() == elsewhere["correct"].sum()

    asked = []
    monkeypatch.setattr(accuracies, "run", lambda data, cells, executor: asked.extend(cells))
    accuracies.train(data, SMOKE, ("fan", "voting"), without={*known["row"]}, executor=None)
    rows = {cell.row for cell in asked}
    assert {"MIC", "Frame voting"} <= rows  # MIC is what the others here are compared with
    assert "FAN+ResNet18" not in rows

    outsider = {"row": peers.OUTSIDER, "accuracy": 0.5, "n": 24}
    monkeypatch.setattr(accuracies.peers, "outsider_row", lambda *_, **__: outsider)
    known_factors = np.random.default_rng(0).normal(size=(len(data.manifest), 2))
    monkeypatch.setattr(type(data), "factors", lambda self: known_factors)
    fps = {"MIC": 100.0, "FAN+ResNet18": 50.0}
    table = accuracies.table(data, trained, SMOKE, fps=fps, known=known).set_index("row")
    assert list(table.reset_index()[list(accuracies.COLUMNS)]) == list(accuracies.COLUMNS)
    assert table.index.is_unique
    assert (table.loc["MIC", "accuracy"], table.loc["MIC", "settings"]) == (1, "chosen")
    assert table.loc["FAN+ResNet18", "difference"] < 0  # from MIC's answers in the same study
    here = table.loc[own_rows.HERE]
    assert (here["settings"], here["fps"]) == ("elsewhere", pytest.approx(np.nan, nan_ok=True))
    fast = table.loc["MIC-fast"]
    assert fast["difference"] == pytest.approx(fast["accuracy"] - here["accuracy"])
    assert table.loc["majority class", "settings"] == "probe"
    assert accuracies.searched(
        dataclasses.replace(data, manifest=data.manifest.where(lambda clip: clip.label != "fear")),
        tmp_path,
    ).empty  # of other clips


def test_marks_answer_no_clip_that_was_left_out(data, embedded):
    broken = LeftOut(path=Path("0-happiness.mp4"), reason="damaged", clip="0-happiness")
    less = dataclasses.replace(data, left_out=(broken,))
    outcomes = [
        dataclasses.replace(
            one,
            test=one.test[1:],
            names=one.names[1:],
            logits=one.logits[1:],
            subjects=np.delete(one.subjects, len(one.train)),
            labels=np.delete(one.labels, len(one.train)),
        )
        if "0-happiness" in one.names[:1]
        else one
        for one in outcomes_of(less)
    ]
    table = marks.marks_table(data, outcomes, SMOKE)
    assert (table["n"] == 23).all()
    assert embedded[0].left_out == (broken,)


def test_confusions_count_every_prediction_once(data):
    outcomes = outcomes_of(data)
    answers = experiments.answers(outcomes)
    counts = confusions.counts_table(answers)
    assert counts["clips"].sum() == 24
    assert confusions.matrix(outcomes).sum() == 24
    people = confusions.subjects_table(answers)
    assert people.loc[0, "people"] == PEOPLE
    recalls = confusions.recalls_table({data.name: outcomes})
    assert list(recalls) == list(confusions.RECALLS)
    hardest = confusions.hardest_table(answers, data.name)
    assert (hardest["label"] != hardest["predicted"]).all()
    perfect = experiments.answers(outcomes_of(data, right=1.1))
    assert len(confusions.hardest_table(perfect, data.name)) == 4
    assert len(confusions.calibration_figure({data.name: outcomes}).axes) == 1
    assert len(confusions.features_figure({"MIC": outcomes[0]}).axes) == 2


def test_rows_stand_beside_the_published_ones_and_inputs_beside_decoded_frames(data):
    published = pd.DataFrame({"dataset": ["CK+"], "method": ["MIC"], "accuracy": [98.95]})
    outcomes = outcomes_of(data)
    named = [dataclasses.replace(one, dataset="synth-ck") for one in outcomes]
    table = ablations.rows_table([named], published, SMOKE)
    assert list(table) == list(ablations.ROWS)
    assert table.loc[0, "paper"] == pytest.approx(0.9895)
    decoded = outcomes_of(data, row=ablations.DECODED, right=1.1)
    inputs = ablations.inputs_table([decoded, outcomes], SMOKE).set_index("row")
    assert inputs.loc["MIC", "difference"] == pytest.approx(inputs.loc["MIC", "accuracy"] - 1)
    assert list(ablations.shift_table(outcomes_of(data, row="none"), SMOKE)) == list(
        ablations.SHIFT
    )


def test_peers_are_tested_on_one_part_where_time_is_short():
    assert peers.folds(config.load("default")) == 1
    assert peers.folds(config.load("full")) == config.load("full").folds


def test_what_is_left_to_train_is_counted_once_and_one_training_timed(data, monkeypatch):
    monkeypatch.setattr(forecast, "_timed", lambda data, config: 0.5)
    default = config.load("default", jobs=2)
    found = forecast.forecast({data.name: data}, default, ["04_training", "09_paper_comparison"])
    # Six rows on three folds, MIC on its own grid as well, and the peers on one.
    assert (found.trainings, found.stored) == (3 * 6 + 3 + len(PEERS), 0)
    assert found.clip_epochs == found.trainings * 16 * default.epochs
    assert found.hours == pytest.approx(found.clip_epochs * 0.5 / 2 / 3600)
    assert "500 ms a clip" in str(found)
    assert f"{60 * found.hours:.0f} min on 2 cores" in str(found)
    assert "30 s on one core" in str(dataclasses.replace(found, clip_epochs=60, cores=1))
    first = forecast.forecast({data.name: data}, default, ["04"])
    assert first.trainings == 3
    monkeypatch.setattr(forecast, "is_stored", lambda data, cell: True)
    assert "stored" in str(forecast.forecast({data.name: data}, default, ["04"]))
    assert forecast.forecast({data.name: data}, default, ["08"]) is None


def test_a_clip_that_cannot_be_read_leaves_the_forecast_without_a_time(data):
    found = forecast.forecast({data.name: data}, SMOKE, ["04"])
    assert "cannot be read" in str(found)


def test_a_training_that_diverged_is_a_row_without_a_right_answer(data, embedded, monkeypatch):
    trained = [*outcomes_of(data), *outcomes_of(data, row="FAN+ResNet18")]
    for place, one in enumerate(trained):
        if one.cell.row == "FAN+ResNet18":
            nothing = {"logits": one.logits * np.nan, "z": one.z * np.float16(np.nan)}
            trained[place] = dataclasses.replace(one, **nothing)
    factors = np.random.default_rng(0).normal(size=(len(data.manifest), 2))
    monkeypatch.setattr(type(data), "factors", lambda self: factors)
    monkeypatch.setattr(
        accuracies.peers, "outsider_row", lambda *_, **__: {"row": peers.OUTSIDER, "accuracy": 0.5}
    )
    table = accuracies.table(data, trained, SMOKE, fps={}, known=pd.DataFrame()).set_index("row")
    assert table.loc["MIC", "accuracy"] > 0.5
    assert table.loc["FAN+ResNet18", "accuracy"] == 0
    assert table.loc["FAN+ResNet18", "difference"] < 0
    assert {*accuracies.COLUMNS} <= {*table.reset_index()}
    leaks = tables.leakage_table(trained, factors)
    assert list(leaks["row"]) == ["MIC"]
