"""The grid on a cluster with a worker killed, and the campaign of scaling, with their figures."""

import dataclasses
import os

import numpy as np
import pytest
from campaigns import scaling
from campaigns.workers import kill_one

import mic.publishing.reliability
from mic import experiments
from mic.inputs.tensors import Representation
from mic.models.mic import Method
from mic.processes import cluster
from mic.training.train import Schedule

pytestmark = [pytest.mark.long, pytest.mark.timeout(0)]

SMALL = {"width": 4, "feature_size": 16, "z_size": 16, "identity_size": 2, "critic_hidden": 8}


def test_a_killed_worker_changes_no_byte_of_the_grid(tmp_path, monkeypatch):
    monkeypatch.setenv("MIC_HOME", str(tmp_path / "home"))
    manifest = scaling.clips(tmp_path / "clips", 20)
    for number, clip in enumerate(manifest):
        known = np.random.default_rng(number).normal(size=3)
        np.savez(tmp_path / "clips" / f"{clip.clip_id}.npz", identity=known)
    rows = tuple(dataclasses.replace(c, annotation=f"{c.clip_id}.npz") for c in manifest)
    manifest = dataclasses.replace(manifest, clips=rows)
    data = experiments.Dataset(manifest=manifest, network="known", folder=tmp_path / "here")
    cells = experiments.grid(
        data,
        {"MIC": Method(**SMALL), "MIC-MI": Method(regulariser="none", **SMALL)},
        schedule=Schedule(epochs=8, batch=4),
        representation=Representation(kind="raw", steps=3, scale=2),
        folds=3,
        parts=3,
    )
    here = experiments.run(data, cells)
    victims = []

    def progress(done, total):
        if done == 1:
            victims.append(kill_one(os.environ[cluster.VARIABLE]))

    apart = dataclasses.replace(data, folder=tmp_path / "there")
    with cluster.started("local:2"), experiments.processes() as executor:
        there = experiments.run(apart, cells, executor=executor, progress=progress)
    assert victims == [True]
    reference = scaling.digests(tmp_path / "here")
    assert len(reference) == 20 + 20 + 6  # tensors, apexes, cells
    assert scaling.unlike(tmp_path / "there", reference) == 0
    for one, other in zip(here, there, strict=True):
        assert np.array_equal(one.logits, other.logits)


def test_two_workers_against_one_and_one_killed(tmp_path):
    for name, unit, failures, seconds in scaling.campaign(tmp_path, 500, 2):
        mic.publishing.reliability.record(
            name, unit=unit, count=500, failures=failures, seconds=seconds
        )
        assert failures == 0, name
