"""Whether two datasets of one table of accuracies agree within their intervals."""

import numpy as np
import pandas as pd


def apart(table: pd.DataFrame, one: str, other: str, *, row: str = "row") -> pd.DataFrame:
    """The rows in which the difference of two datasets has an interval without zero.

    The two are told apart as R. G. Newcombe (Statistics in Medicine 17, 1998, method 10) tells two
    proportions apart, from the intervals over people that the table has.

    Args:
        table: Columns protocol, `row`, accuracy, accuracy_low, accuracy_high.
        one: A value of `protocol`.
        other: Another.
        row: The column that the two have in common.

    Returns:
        Columns `row`, difference, low, high.
    """
    first, second = (table[table["protocol"] == name].set_index(row) for name in (one, other))
    assert set(first.index) == set(second.index)
    assert len(first)
    second = second.loc[first.index]
    difference = first["accuracy"] - second["accuracy"]
    low = difference - np.hypot(
        first["accuracy"] - first["accuracy_low"], second["accuracy_high"] - second["accuracy"]
    )
    high = difference + np.hypot(
        first["accuracy_high"] - first["accuracy"], second["accuracy"] - second["accuracy_low"]
    )
    found = pd.DataFrame({"difference": difference, "low": low, "high": high}).reset_index()
    return found[(found["low"] > 0) | (found["high"] < 0)]
