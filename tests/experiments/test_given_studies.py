"""The whole study on given data, small: what `test_given_data_long.py` does at published size."""

import io
from pathlib import Path

import pytest
from environment_file import ROOT

from mic import config
from mic.publishing import results
from mic.publishing.notebooks import Runner
from mic.synthface.tools import published_layouts

SMOKE = config.load("smoke")


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    # The index's files and weights stay where they are; datasets and cells do not.
    monkeypatch.setattr("mic.datasets.published.home", lambda: tmp_path)


def run(name: str, tree: Path, only: tuple[str, ...]) -> Path:
    """Runs notebooks on a tree and returns the folder of the results."""
    runner = Runner(
        ROOT / "notebooks",
        SMOKE,
        folder=tree.parent / "results",
        datasets=[f"{name}={tree}"],
        progress=io.StringIO(),
    )
    runner.run(only)
    return runner.folder


def test_a_tree_of_ckplus_runs_ablations_speed_and_the_comparison(tmp_path):
    published_layouts.write("ckplus", tmp_path / "CK+", clips=14, size=80, distinct=1)
    folder = run("ckplus", tmp_path / "CK+", ("05", "07", "09"))
    rows = results.read_table("ablation_rows", folder=folder)
    assert set(rows["protocol"]) == {"ckplus"}
    assert {"MIC", "MIC-MI"} <= set(rows["row"])
    assert rows["accuracy"].notna().all()
    speed = results.read_table("speed_datasets", folder=folder)
    assert set(speed["dataset"]) == {"ckplus"}
    compared = results.read_table("comparison_of_ckplus", folder=folder).set_index("method")
    assert compared.loc["MIC", "published_accuracy"] == pytest.approx(0.9895)
    assert compared.loc["MIC", "accuracy"] == compared.loc["MIC", "accuracy"]
    assert compared.loc["MIC", "fps"] > 0


def test_a_tree_of_recola_runs_the_study_of_low_bit_rates(tmp_path):
    published_layouts.write("avec", tmp_path / "RECOLA", clips=6, size=80, distinct=1)
    folder = run("recola", tmp_path / "RECOLA", ("08",))
    table = results.read_table("lowrate_factors", folder=folder)
    assert table["ccc"].notna().all()
    assert table["subjects"].min() >= 1
