"""All notebooks in order and in one root: what `make reproduce PROFILE=smoke` does."""

import pytest
from smoke_runs import all_notebooks, run_twice


@pytest.mark.long
def test_all_notebooks_run_in_order_and_a_second_run_runs_none(tmp_path):
    run_twice(tuple(all_notebooks()), tmp_path)
