"""Speed, and what reads its tables: notebooks 07 and 09 as `make reproduce` runs them."""

from smoke_runs import PARTS, run_twice


def test_speed_notebooks_run_in_order_and_a_second_run_takes_seconds(tmp_path):
    run_twice(PARTS["speed"], tmp_path)
