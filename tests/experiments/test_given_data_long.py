"""Trees of published size: the study on each, beside the protocol that its faces are from."""

import io

import pytest
from agreement import apart
from environment_file import ROOT

from mic import config, datasets
from mic.experiments import given
from mic.publishing import results
from mic.publishing.notebooks import Runner
from mic.synthface.tools import published_layouts

pytestmark = pytest.mark.long
PROFILE = config.load("default")
CORES = PROFILE.worker_count()
STUDIES = ("04", "05", "06", "07", "09")


def run(root, *texts, only):
    Runner(ROOT / "notebooks", PROFILE, folder=root, datasets=texts, progress=io.StringIO()).run(
        only
    )


@pytest.mark.parametrize(
    ("name", "origin"), [("ckplus", "synth-ck"), ("mmi", "synth-mmi"), ("afew", "synth-afew")]
)
def test_a_tree_of_published_size_gives_the_tables_of_its_generated_protocol(
    name, origin, tmp_path
):
    published_layouts.write(name, tmp_path / "tree", size=128, jobs=CORES)
    report = datasets.fetch(name, path=tmp_path / "tree", size=PROFILE.size, jobs=CORES)
    assert report.sound
    clips = datasets.DATASETS[name].clips
    assert len(report.manifest) == clips
    for what in ("sequences", "subjects", "labelled sequences", "train", "val"):
        if what in report.expected:
            assert report.counts[what] == report.expected[what], what
    folder = tmp_path / "results"
    text = f"{name}={tmp_path / 'tree'}"
    run(folder, text, origin, only=STUDIES)
    lines = results.read_table("training_accuracy", folder=folder).set_index("protocol")
    assert lines.loc[name, "coverage"] == 1
    # The same people do the same, seen by another camera, coded, cut and coded again.
    assert apart(lines.reset_index().assign(row="MIC"), name, origin).empty
    for table in ("ablation_rows", "ablation_representations"):
        rows = results.read_table(table, folder=folder)
        shared = rows.groupby("row")["protocol"].transform("nunique") == 2
        assert apart(rows[shared], name, origin).empty, table
    compared = results.read_table(f"comparison_of_{name}", folder=folder)
    assert compared["accuracy"].notna().sum() >= 6


def test_a_tree_of_recola_runs_the_study_of_low_bit_rates(tmp_path):
    published_layouts.write("avec", tmp_path / "tree", size=128, jobs=CORES)
    run(tmp_path / "results", f"recola={tmp_path / 'tree'}", only=("08",))
    factors = results.read_table("lowrate_factors", folder=tmp_path / "results")
    assert factors["ccc"].notna().all()


@pytest.mark.parametrize("name", ["cremad", "cremad-crowd", "ravdess", "ravdess-with-song"])
def test_the_open_datasets_have_their_published_counts(name, tmp_path):
    base = datasets.DATASETS[name].folder_name
    published_layouts.write(base, tmp_path / "tree", size=64, jobs=CORES, distinct=1)
    report = datasets.fetch(name, path=tmp_path / "tree", size=64, jobs=CORES)
    assert report.sound
    assert {what: report.counts[what] for what in report.expected} == dict(report.expected)
    text = f"{name}={tmp_path / 'tree'}"
    run(tmp_path / "results", text, only=STUDIES)
    assert given.labelled([text], PROFILE)[name].coverage == 1
    rows = results.read_table("ablation_rows", folder=tmp_path / "results")
    assert rows["accuracy"].notna().all()
    assert results.read_table("peers_accuracy", folder=tmp_path / "results")["n"].min() > 0
