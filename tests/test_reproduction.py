"""Committed against reproduced: what counts as the same."""

import subprocess

import pandas as pd

from mic import reproduction

COMMITTED = pd.DataFrame(
    {
        "row": ["MIC", "raw"],
        "accuracy": [0.90, 0.50],
        "accuracy_low": [0.85, 0.40],
        "accuracy_high": [0.95, 0.60],
        "fit_seconds": [10.0, 11.0],
    }
)


def test_the_same_table_is_equal_in_every_cell():
    counts = reproduction.compare(COMMITTED, COMMITTED.copy())
    assert counts == {"equal": 10, "within": 0, "outside": 0, "timing": 0, "missing": 0}


def test_a_number_inside_the_committed_interval_is_within_and_one_outside_is_not():
    other = COMMITTED.assign(accuracy=[0.93, 0.75], fit_seconds=[12.0, 11.0])
    counts = reproduction.compare(COMMITTED, other)
    assert counts == {"equal": 7, "within": 1, "outside": 1, "timing": 1, "missing": 0}


def test_rows_and_columns_that_one_has_alone_are_counted():
    assert reproduction.compare(COMMITTED, COMMITTED[:1])["missing"] == 5
    assert reproduction.compare(COMMITTED, COMMITTED.assign(extra=1))["missing"] == 2


def test_the_report_reads_the_commit_and_not_the_working_tree(tmp_path):
    def git(*arguments):
        subprocess.run(["git", "-C", str(tmp_path), *arguments], check=True, capture_output=True)

    tables = tmp_path / "results" / "tables"
    tables.mkdir(parents=True)
    COMMITTED.to_csv(tables / "accuracy.csv", index=False)
    git("init", "-q")
    git("add", ".")
    git("-c", "user.name=x", "-c", "user.email=x@localhost", "commit", "-qm", "tables")
    COMMITTED.assign(accuracy=[0.1, 0.2]).to_csv(tables / "accuracy.csv", index=False)
    committed = reproduction.committed_tables(tmp_path)
    assert committed["accuracy"]["accuracy"].tolist() == [0.9, 0.5]
    assert reproduction.committed_tables(tmp_path / "results" / "nowhere") == {}
