"""Training and its studies: notebooks 04, 05, 06 and 08 as `make reproduce` does them."""

from smoke_runs import PARTS, run_twice


def test_training_notebooks_run_in_order_and_a_second_run_takes_seconds(tmp_path):
    run_twice(PARTS["training"], tmp_path)
