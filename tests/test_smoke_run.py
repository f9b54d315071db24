"""All notebooks in order, smoke profile, in a temporary root: what `make reproduce` does."""

import io
import json
import time

from environment_file import ROOT

from mic import config, results
from mic.notebooks import Runner, find


def test_all_notebooks_run_in_order_and_a_second_run_takes_seconds(tmp_path):
    def runner():
        return Runner(
            ROOT / "notebooks",
            config.load("smoke"),
            folder=tmp_path / "results",
            progress=io.StringIO(),
        )

    names = [path.stem for path in find(ROOT / "notebooks")]
    outcomes = runner().run()
    assert [outcome.name for outcome in outcomes] == names
    assert all(outcome.ran for outcome in outcomes)
    for name in names:
        record = json.loads((tmp_path / "results/provenance" / f"{name}.json").read_text())
        assert record["config"]["name"] == "smoke"
        for output in record["outputs"]:
            assert (tmp_path / "results" / output).stat().st_size > 0
        for table in record["tables"]:
            frame = results.read_table(table, folder=tmp_path / "results")
            assert len(frame) == record["tables"][table]["rows"]
    start = time.monotonic()
    again = runner().run()
    assert not any(outcome.ran for outcome in again)
    assert time.monotonic() - start < 30
