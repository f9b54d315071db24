"""Trees of published size: the study on each, beside the protocol that its faces are from.

A dataset at a time, and what a run left is taken up by the next:

    pytest -m long tests/experiments/test_given_data_long.py -k mmi --kept FOLDER
"""

from pathlib import Path

import pytest
from campaigns.copies import ORIGINS, Copy

from mic import config

pytestmark = pytest.mark.long
PROFILE = config.load("default")
OPEN = ("cremad", "cremad-crowd", "ravdess", "ravdess-with-song")


@pytest.fixture
def folder(request, tmp_path) -> Path:
    """Where trees and results go, and stay with `--kept`."""
    return request.config.getoption("--kept") or tmp_path


def whole(copy: Copy) -> None:
    """Writes and builds a tree, which has its published counts and loses no clip."""
    copy.write()
    report = copy.fetch()
    assert report.sound
    assert {what: report.counts[what] for what in report.expected} == dict(report.expected)
    assert copy.coverage() == 1


@pytest.mark.parametrize("name", ORIGINS)
def test_a_tree_of_published_size_gives_the_tables_of_its_generated_protocol(name, folder):
    copy = Copy(
        name=name, folder=folder, profile=PROFILE, beside=True, jobs=PROFILE.worker_count()
    )
    whole(copy)
    copy.run()
    lines = copy.table("training_accuracy").set_index("protocol")
    assert lines.loc[name, "coverage"] == 1
    # The same people do the same, seen by another camera, coded, cut and coded again.
    apart = copy.differing()
    assert len(apart) == 3
    for table, rows in apart.items():
        assert rows.empty, table
    assert copy.table(f"comparison_of_{name}")["accuracy"].notna().sum() >= 6


def test_a_tree_of_recola_runs_the_study_of_low_bit_rates(folder):
    copy = Copy(name="avec", folder=folder, profile=PROFILE, jobs=PROFILE.worker_count())
    whole(copy)
    copy.run()
    assert copy.table("lowrate_factors")["ccc"].notna().all()


@pytest.mark.parametrize("name", OPEN)
def test_the_open_datasets_have_their_published_counts(name, folder):
    copy = Copy(
        name=name,
        folder=folder,
        profile=PROFILE,
        size=64,
        distinct=1,
        jobs=PROFILE.worker_count(),
    )
    whole(copy)
    copy.run()
    assert copy.table("ablation_rows")["accuracy"].notna().all()
    assert copy.table("peers_accuracy")["n"].min() > 0
