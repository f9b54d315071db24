"""Cells: keys, reuse, backends, splits; tables as functions of what is stored."""

import dataclasses
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import squares

import mic.config
from mic import experiments, identity
from mic.errors import ConfigError, DatasetError
from mic.experiments import cells as cells_module
from mic.experiments import plan, training_tables
from mic.inputs.tensors import Representation, clip_arrays
from mic.inputs.tensors import load as load_tensors
from mic.manifest.manifest import Manifest
from mic.models.mic import Method
from mic.peers import PeerMethod
from mic.storage import cache
from mic.training.train import Schedule

CLASSES = ("up", "down", "left")
SMALL = {"width": 4, "feature_size": 16, "z_size": 16, "identity_size": 2, "critic_hidden": 8}
FAST = Schedule(epochs=2, batch=16, flip=False, shift=0.0)
RAW = Representation(kind="raw", steps=3, scale=1)
MOVES = {"up": (-2, 0), "down": (2, 0), "left": (0, -2)}


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    """Thirty clips of ten people: a bright square, its colour the person, its way the class."""
    root = tmp_path_factory.mktemp("clips")
    draw = np.random.default_rng(0)
    clips = []
    for person in range(10):
        colour = draw.integers(90, 255, 3)
        for label in CLASSES:
            dy, dx = MOVES[label]
            frames = []
            for step in range(6):
                frame = np.full((48, 48, 3), 40, np.uint8)
                top, left = 20 + dy * step, 20 + dx * step
                frame[top : top + 10, left : left + 10] = colour
                frames.append(frame)
            clips.append(squares.write(root, f"p{person}", label, frames, colour / 255))
    return Manifest(name="squares", root=root, classes=CLASSES, clips=tuple(clips))


@pytest.fixture
def data(manifest, tmp_path, monkeypatch):
    monkeypatch.setenv("MIC_HOME", str(tmp_path))
    return experiments.Dataset(manifest=manifest, network="known")


def cells_of(data, methods=None, **options):
    methods = methods or {"MIC-MI": Method(regulariser="none", beta=0.0, **SMALL)}
    options = {"schedule": FAST, "representation": RAW, "folds": 1} | options
    return experiments.grid(data, methods, **options)


def same(one, other):
    return all(
        np.array_equal(getattr(one, f.name), getattr(other, f.name), equal_nan=f.name == "history")
        for f in dataclasses.fields(one)
        if isinstance(getattr(one, f.name), np.ndarray)
    )


def test_a_stored_cell_is_read_and_a_damaged_one_computed_again(data, monkeypatch, tmp_path):
    (cell,) = cells_of(data)
    first = experiments.compute(data, cell)
    assert not list((tmp_path / "checkpoints").glob("*.safetensors"))
    trained = []
    train = cells_module._train
    monkeypatch.setattr(
        cells_module,
        "_train",
        lambda data, cell, device: trained.append(cell) or train(data, cell, device),
    )
    assert same(experiments.compute(data, cell), first)
    assert not trained
    (stored,) = (tmp_path / "cache" / "cells").rglob("*.safetensors")
    stored.write_bytes(stored.read_bytes()[:-9])
    assert same(experiments.compute(data, cell), first)
    assert len(trained) == 1


def test_the_key_changes_with_whatever_decides_the_answers_and_with_nothing_else(data):
    (cell,) = cells_of(data)
    others = [
        dataclasses.replace(cell, seed=1),
        dataclasses.replace(cell, split="fold 1"),
        dataclasses.replace(cell, target="validation"),
        dataclasses.replace(cell, parts=5),
        dataclasses.replace(cell, schedule=dataclasses.replace(FAST, epochs=3)),
        dataclasses.replace(cell, representation=dataclasses.replace(RAW, steps=2)),
        dataclasses.replace(cell, method=dataclasses.replace(cell.method, dropout=0.1)),
        dataclasses.replace(cell, method=PeerMethod(peer="voting")),
    ]

    def key(cell):
        return cache.entry_path(cells_module.STAGE, inputs=[], parameters=cell.facts())

    assert len({key(c) for c in [cell, *others]}) == len(others) + 1
    assert key(dataclasses.replace(cell, row="another name")) == key(cell)


def test_the_identity_network_stands_among_the_sources(data):
    assert data.sources() == {data.name: data.manifest.digest()}
    named = dataclasses.replace(data, network="mobilefacenet").sources()
    assert named[f"{data.name}, z_I by mobilefacenet"] == identity.load().weights_sha256


def test_processes_give_the_same_answers_as_this_process(data, tmp_path):
    cells = cells_of(data, folds=2)
    here = experiments.run(data, cells)
    apart = dataclasses.replace(data, folder=tmp_path / "apart")
    ticks = []
    with experiments.processes(2) as executor:
        there = experiments.run(
            apart, cells, executor=executor, progress=lambda done, all_: ticks.append((done, all_))
        )
    assert all(same(a, b) for a, b in zip(here, there, strict=True))
    assert ticks == [(1, 2), (2, 2)]


def test_several_datasets_are_one_queue_and_keep_their_order(data, tmp_path):
    cells = cells_of(data, folds=2)
    other = dataclasses.replace(data, folder=tmp_path / "other")
    ticks = []
    found = experiments.run_all(
        [(data, cells), (other, cells[:1])], progress=lambda *count: ticks.append(count)
    )
    assert [len(part) for part in found] == [2, 1]
    assert same(found[0][0], found[1][0])
    assert ticks == [(1, 3), (2, 3), (3, 3)]


def test_test_clips_are_of_other_people_and_validation_never_sees_them(data):
    (cell,) = cells_of(data)
    outcome = experiments.compute(data, cell)
    people = [clip.subject for clip in data.manifest]
    fitted = {people[row] for row in outcome.train}
    tested = {people[row] for row in outcome.test}
    assert not fitted & tested
    assert len(outcome.train) + len(outcome.test) == 30
    choice = experiments.compute(data, dataclasses.replace(cell, target="validation"))
    assert not {people[row] for row in choice.test} & tested
    assert not {people[row] for row in choice.train} & tested


def test_erasure_and_peers_are_methods_like_others(data):
    methods = {
        "erased": Method(regulariser="none", beta=0.0, erase=True, **SMALL),
        "peer": PeerMethod(peer="cnn-lstm", width=4),
        "moving": Method(regulariser="smile", motion=True, **SMALL),
    }
    outcomes = experiments.run(data, cells_of(data, methods))
    assert [o.cell.row for o in outcomes] == list(methods)
    assert outcomes[2].cell.representation.with_motion
    for outcome in outcomes:
        assert np.isfinite(outcome.logits).all()
    with pytest.raises(ConfigError, match="no split"):
        experiments.compute(data, dataclasses.replace(outcomes[0].cell, split="fold 99"))


def test_tables_have_their_columns_and_add_up(data):
    methods = {
        "MIC": Method(regulariser="nhsic", beta=0.5, **SMALL),
        "MIC-MI": Method(regulariser="none", beta=0.5, **SMALL),
    }
    outcomes = experiments.run(data, cells_of(data, methods, folds=2, seeds=(0, 1)))
    table = experiments.accuracy_table(outcomes, reference="MIC", resamples=100)
    assert list(table["row"]) == ["MIC", "MIC-MI"]
    assert (table["accuracy_low"] <= table["accuracy"]).all()
    assert (table["accuracy"] <= table["accuracy_high"]).all()
    assert table["folds"].tolist() == table["seeds"].tolist() == [2, 2]
    assert np.isnan(table.loc[0, "p"])
    assert 0 <= table.loc[1, "p"] <= 1
    answers = experiments.answers(outcomes)
    assert len(answers) == table["n"].sum()
    by_hand = answers[answers["row"] == "MIC"]["correct"].mean()
    assert table.loc[0, "accuracy"] == pytest.approx(by_hand)
    history = experiments.curves(outcomes)
    assert len(history) == 2 * 2 * 2 * FAST.epochs
    last = history[(history["epoch"] == FAST.epochs) & (history["row"] == "MIC")]
    optimism = experiments.optimism_table(outcomes)
    assert optimism.loc[0, "accuracy_last"] == pytest.approx(last["test_accuracy"].mean())
    assert (optimism["optimism"] >= 0).all()
    named = {"synth-ck": [o for o in outcomes if o.cell.row == "MIC"]}
    published = pd.DataFrame(
        [("CK+", "MIC", 98.0), ("MMI", "MIC", 50.0), ("CK+", "other", 1.0)],
        columns=["dataset", "method", "accuracy"],
    )
    (beside,) = training_tables.accuracy_beside_published(named, published, resamples=100).to_dict(
        "records"
    )
    assert list(beside) == list(training_tables.ACCURACY_COLUMNS)
    assert (beside["protocol"], beside["accuracy"]) == ("synth-ck", table.loc[0, "accuracy"])
    assert (beside["chance"], beside["paper"]) == (1 / 3, 0.98)
    assert np.isnan(beside["replication"])
    epochs = training_tables.curve_table(named)
    assert list(epochs.columns) == list(training_tables.CURVE_COLUMNS)
    assert len(epochs) == 2 * 2 * FAST.epochs
    added = training_tables.optimism_by_dataset(named)
    assert list(added.columns) == list(training_tables.OPTIMISM_COLUMNS)
    assert added["optimism"].tolist() == optimism["optimism"][:1].tolist()
    recalls = experiments.recall_table(outcomes)
    assert recalls.groupby("row")["n"].sum().tolist() == [len(answers) // 2] * 2
    leaks = experiments.leakage_table(outcomes, data.coefficients())
    assert leaks["folds"].tolist() == [4, 4]
    assert pd.notna(leaks["r2_linear"]).all()


def test_rows_of_the_tables_are_methods_and_share_their_common_cells(data):
    config = mic.config.load("default", folds=1)
    paper = plan.methods(config, plan.PAPER_ROWS)
    regularisers = plan.methods(config, plan.REGULARISERS)
    assert paper["MIC"] == regularisers["MINE (MIC)"] == plan.method(config)
    assert len(set(paper.values())) == len(paper)
    assert len(set(regularisers.values())) == len(regularisers)
    for change in plan.REPRESENTATIONS.values():
        plan.representation(config, **change)
    one, other = (plan.cells(data, config, {row: paper["MIC"]})[0] for row in ("MIC", "MINE"))
    assert one.facts() == other.facts()
    full = mic.config.load("full")
    assert [len(plan.cells(data, c, paper)) for c in (config, full)] == [6, 6 * 10 * 3]


def test_every_available_representation_has_its_shape(manifest, tmp_path):
    path = manifest.path(manifest.clips[0])
    shapes = {
        "raw": (4, 3, 24, 24),
        "all": (5, 3, 24, 24),
        "segment": (4, 3, 24, 24),
        "running": (4, 3, 24, 24),
        "accumulated": (4, 3, 24, 24),
        "accumulated_coviar": (4, 3, 24, 24),
        "motion": (4, 3, 24, 24),
        "decoded": (4, 3, 24, 24),
        "decoded_frames": (4, 3, 24, 24),
        "carried": (4, 3, 24, 24),
        "fusion": (5, 3, 24, 24),
    }
    found = {}
    for kind, shape in shapes.items():
        choice = Representation(kind=kind, steps=4, scale=2, with_motion=True)
        arrays = clip_arrays(path, choice, folder=tmp_path)
        assert arrays["residual"].shape == shape, kind
        assert arrays["motion"].shape == (shape[0], 2, 6, 6), kind
        assert arrays["residual"].dtype == np.int16
        found[kind] = arrays["residual"].astype(int)
    # The square's move since the I-frame is in the accumulated residual or in the motion; what
    # was decoded minus the I-frame is large where it was and where it is.
    assert np.abs(found["decoded"][-1]).max() > 60
    assert np.abs(found["carried"] - found["decoded_frames"]).mean() < 1.5
    assert np.array_equal(found["fusion"][1:], found["accumulated_coviar"])
    assert np.array_equal(found["running"], found["segment"].cumsum(0))
    assert np.array_equal(found["running"][-1], found["all"].sum(0))


def test_clips_without_a_face_get_an_identity_that_tells_nothing(manifest, tmp_path):
    identities = np.random.default_rng(0).normal(size=(30, 4)).astype(np.float32)
    identities[3] = np.nan
    clips = load_tensors(manifest, RAW, identity=identities, folder=tmp_path)
    expected = np.nanmean(identities, axis=0)
    np.testing.assert_allclose(clips.identity[3].numpy(), expected, rtol=1e-5)
    assert clips.apex.shape == (30, 1, 32, 32)
    with pytest.raises(DatasetError, match="no face"):
        load_tensors(manifest, RAW, identity=np.full((30, 4), np.nan), folder=tmp_path)


def test_a_short_clip_has_a_segment_a_frame_at_most(manifest, tmp_path):
    path = manifest.path(manifest.clips[0])
    summed = clip_arrays(path, Representation(kind="segment", steps=16, scale=2), folder=tmp_path)
    single = clip_arrays(path, Representation(kind="all", scale=2), folder=tmp_path)
    assert np.array_equal(summed["residual"], single["residual"])


def test_a_worker_does_not_wait_for_torchvision():
    """Each of a notebook's worker processes imports the grid; torchvision costs as much as it."""
    asked = "import sys, mic.experiments.photographs; print('torchvision' in sys.modules)"
    command = [sys.executable, "-c", asked]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
