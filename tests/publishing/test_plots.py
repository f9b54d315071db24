"""What figures draw of a table."""

import numpy as np
import pandas as pd

from mic.publishing import plots


def test_intervals_reach_below_and_above_and_are_not_drawn_where_there_are_none():
    nothing = np.nan
    table = pd.DataFrame(
        {
            "auc": [0.5, 0.9, 0.7],
            "auc_low": [0.4, 0.9000001, nothing],
            "auc_high": [0.7, 1.0, nothing],
        }
    )
    found = plots.reach(table, "auc")
    np.testing.assert_allclose(found, [[0.1, 0, nothing], [0.2, 0.1, nothing]], atol=1e-9)
