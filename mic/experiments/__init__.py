"""The grid: cells (dataset, fold, method, seed, configuration), their predictions, their tables.

From a dataset to a table:

    data = Dataset(manifest)
    cells = grid(data, methods={"MIC": Method(), "MIC-MI": Method(regulariser="none")}, ...)
    outcomes = run(data, cells, executor=None)      # stored ones are read, the others computed
    accuracy_table(outcomes)                        # tables are functions of predictions only
"""

from mic.experiments.cells import Cell, Outcome, compute, grid, splits
from mic.experiments.data import Dataset
from mic.experiments.runner import processes, run, run_all
from mic.experiments.tables import (
    accuracy_table,
    answers,
    counted,
    curves,
    largest_class,
    leakage_table,
    left_out_table,
    optimism_table,
    recall_table,
)

__all__ = [
    "Cell",
    "Dataset",
    "Outcome",
    "accuracy_table",
    "answers",
    "compute",
    "counted",
    "curves",
    "grid",
    "largest_class",
    "leakage_table",
    "left_out_table",
    "optimism_table",
    "processes",
    "recall_table",
    "run",
    "run_all",
    "splits",
]
