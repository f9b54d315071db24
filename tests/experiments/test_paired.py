"""Two rows on the predictions that both made."""

import numpy as np
import pandas as pd
import pytest

from mic.experiments import tables


def answers(seeds):
    """Forty clips of as many people; the other row names five that the reference does not."""
    parts = []
    for seed in range(seeds):
        for row, missed in (("reference", 5), ("other", 0)):
            parts.append(
                pd.DataFrame(
                    {
                        "row": row,
                        "split": "fold 0",
                        "seed": seed,
                        "clip": [f"c{k}" for k in range(40)],
                        "subject": [f"s{k}" for k in range(40)],
                        "correct": np.arange(40) >= missed,
                    }
                )
            )
    return pd.concat(parts, ignore_index=True)


@pytest.mark.parametrize("seeds", [1, 3])
def test_a_seed_is_no_further_clip(seeds):
    found = tables.paired(answers(seeds), "other", "reference", 200)
    assert found["difference"] == pytest.approx(5 / 40)
    assert found["p"] == pytest.approx(2 / 2**5, abs=0.01)  # of ten thousand draws of signs


def test_a_persons_clips_are_one_witness():
    table = answers(1)
    missed = table["clip"].isin([f"c{k}" for k in range(5)])
    one = table.assign(subject=table["subject"].mask(missed, "a"))
    found = tables.paired(one, "other", "reference", 200)
    assert found["difference"] == pytest.approx(5 / 40)
    assert found["p"] > 0.9  # five clips, and one person whom the reference gets wrong


def test_one_person_is_no_test():
    found = tables.paired(answers(1).assign(subject="a"), "other", "reference", 200)
    assert found["difference"] == pytest.approx(5 / 40)
    assert np.isnan(found["p"])


def test_a_row_is_not_compared_with_itself():
    assert np.isnan(list(tables.paired(answers(1), "other", "other", 10).values())).all()
