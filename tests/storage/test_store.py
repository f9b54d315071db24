"""The feature store as it grows: nothing lost, small directories, the same tables from a run."""

import numpy as np
import pandas as pd
import pytest
from campaigns import store

import mic.publishing.reliability
import mic.storage.provenance


def test_the_store_is_measured_and_reads_back_what_was_written(tmp_path):
    growth = store.grow(tmp_path / "store", [60])
    assert growth["entries"].tolist() == [60]
    assert store.wrong(tmp_path / "store", 60) == 0
    # Every entry is a file, and a file of more than its arrays.
    assert (growth["megabytes"] * 1e6 > growth["entries"] * 2 * np.prod(store.SHAPE)).all()
    assert (growth["disk_megabytes"] >= growth["megabytes"]).all()
    damaged = store.entry(7, tmp_path / "store")
    damaged.write_bytes(damaged.read_bytes()[:-1])
    store.entry(8, tmp_path / "store").unlink()
    assert store.wrong(tmp_path / "store", 60) == 2

    store.save(growth, tmp_path / "results")
    back = pd.read_csv(tmp_path / "results" / "store" / "store_growth.csv")
    assert list(back.columns) == list(growth.columns)
    assert (tmp_path / "results" / "store" / "store_growth.png").stat().st_size > 5000
    estimate = store.estimate(growth).set_index("quantity")["estimate"]
    assert estimate["clips"] == 900_000_000
    # More than the arrays alone, by less than a few blocks a clip.
    assert 353.8 < estimate["terabytes on disk"] < 365


@pytest.mark.long
@pytest.mark.timeout(0)
def test_a_hundred_thousand_entries(tmp_path):
    assert store.main(["--store", str(tmp_path)]) == 0
    growth = pd.read_csv(
        mic.storage.provenance.repository() / "results" / "store" / "store_growth.csv"
    )
    last = growth.iloc[-1]
    assert last["entries"] == 100_000
    assert last["largest_directory"] < 500
    assert (
        mic.publishing.reliability.path().read_text().count("feature store of 100000 entries") == 1
    )
