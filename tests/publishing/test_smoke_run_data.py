"""Data, codec, residuals, mutual information: notebooks 00 to 03 as `make reproduce` does them."""

from smoke_runs import PARTS, all_notebooks, run_twice


def test_data_notebooks_run_in_order_and_a_second_run_takes_seconds(tmp_path):
    run_twice(PARTS["data"], tmp_path)


def test_every_notebook_is_in_one_part():
    assert sorted(name for part in PARTS.values() for name in part) == all_notebooks()
