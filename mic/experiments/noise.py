"""How many of the published differences are smaller than what chance would make of them.

Two rulers. With clips as independent trials and methods tested apart, a difference of two
published accuracies is noise within 1.96 standard errors. Methods that answer the same clips
differ by chance where one of them is wrong; how much, our own rows on clips of the same number
tell: half of the 95 % interval of their paired differences, over people, in parts of the root of
the sum of both shares of mistakes, since clips on which two methods disagree are as many as their
mistakes allow. The published methods make fewer mistakes than ours on CK+ and more on MMI. The
published tables say neither who is wrong where nor how the people were divided, so no published
difference can be tested itself.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mic.evaluation import metrics

if TYPE_CHECKING:
    from matplotlib.figure import Figure

APART, PAIRED = "independent clips, tested apart", "the same clips, over people, by mistakes"
COLUMNS: Mapping[str, str] = {
    "dataset": "of the paper's tables",
    "ruler": f"{APART}: 1.96 standard errors of two shares; {PAIRED}: half of the 95 % interval "
    "of paired differences of our rows on generated clips of the same number, brought to the "
    "published pair's mistakes by the root of their sum",
    "noise": "the ruler, share of clips: median over the pairs",
    "inside": "pairs of published methods whose difference is smaller",
    "pairs": "of published methods",
    "share": "inside of pairs",
    "n": "clips, published or (paired) ours",
    "measured": "pairs of our rows that the paired ruler is of",
}


def apart(accuracies: np.ndarray, n: int) -> np.ndarray:
    """1.96 standard errors of the difference of each pair of shares of n clips, in order."""
    variance = accuracies * (1 - accuracies) / n
    pairs = itertools.combinations(variance, 2)
    return 1.96 * np.sqrt([one + other for one, other in pairs])


def paired(predictions: pd.DataFrame, *, resamples: int = 2000) -> np.ndarray:
    """Half-widths of the 95 % intervals of paired differences, for each pair of rows, over people.

    They are in parts of the root of the sum of both rows' shares of mistakes. Pairs without a
    mistake are left out.

    Args:
        predictions: Of one dataset, a column a row; see `equal_tables.predictions`. Rows that
            were not tested on all clips are left out.
        resamples: Bootstrap samples.
    """
    rows = predictions.columns[predictions.columns.get_loc("seed") + 1 :]
    rows = [row for row in rows if predictions[row].notna().all()]
    right = {row: (predictions[row] == predictions["label"]).to_numpy() for row in rows}
    people = predictions["subject"].to_numpy()
    found = []
    for one, other in itertools.combinations(rows, 2):
        mistakes = 2 - right[one].mean() - right[other].mean()
        if mistakes > 0:
            interval = metrics.paired_difference(
                right[one], right[other], people, resamples=resamples
            )
            found.append((interval.high - interval.low) / 2 / np.sqrt(mistakes))
    return np.array(found)


def table(
    published: pd.DataFrame,
    sizes: Mapping[str, int],
    predictions: Mapping[str, pd.DataFrame],
    *,
    resamples: int = 2000,
) -> pd.DataFrame:
    """Published differences inside both rulers; columns of `COLUMNS`.

    Args:
        published: Columns dataset, method and accuracy (per cent), rows to compare only.
        sizes: Clips that a published accuracy is a share of, by dataset.
        predictions: Our rows on generated clips of the same number, by dataset; where there are
            none the paired ruler is left out.
        resamples: See `paired`.
    """
    lines = []
    for dataset, count in sizes.items():
        shares = published.loc[published["dataset"] == dataset, "accuracy"].to_numpy() / 100
        differences = np.abs([one - other for one, other in itertools.combinations(shares, 2)])
        rulers = {APART: (apart(shares, count), count, 0)}
        if dataset in predictions:
            ours = paired(predictions[dataset], resamples=resamples)
            mistakes = [2 - one - other for one, other in itertools.combinations(shares, 2)]
            brought = np.median(ours) * np.sqrt(mistakes)
            rulers[PAIRED] = (brought, len(predictions[dataset]), len(ours))
        for ruler, (noise, n, measured) in rulers.items():
            inside = int((differences < noise).sum())
            lines.append(
                {
                    "dataset": dataset,
                    "ruler": ruler,
                    "noise": np.median(noise),
                    "inside": inside,
                    "pairs": len(differences),
                    "share": inside / len(differences),
                    "n": n,
                    "measured": measured,
                }
            )
    return pd.DataFrame(lines)[list(COLUMNS)]


def figure(made: pd.DataFrame, published: pd.DataFrame) -> Figure:
    """Published differences, a panel a dataset, in their order; lines are the rulers.

    Args:
        made: See `table`.
        published: As there.
    """
    from matplotlib.figure import Figure

    names = list(dict.fromkeys(made["dataset"]))
    drawn = Figure(figsize=(3.4 * len(names), 3.2), layout="constrained")
    panels = drawn.subplots(1, len(names), sharey=True, squeeze=False)[0]
    for axis, name in zip(panels, names, strict=True):
        shares = published.loc[published["dataset"] == name, "accuracy"]
        differences = sorted(abs(a - b) for a, b in itertools.combinations(shares, 2))
        places = (np.arange(len(differences)) + 0.5) / len(differences)
        axis.plot(differences, places, ".", ms=3, color="C0")
        rulers = made[made["dataset"] == name].itertuples()
        for number, (line, dash) in enumerate(zip(rulers, ("--", ":"), strict=False), 1):
            axis.axvline(100 * line.noise, color=f"C{number}", ls=dash, label=line.ruler)
        axis.set(title=f"{name}, {len(differences)} pairs", xlim=(0, None), ylim=(0, 1))
        axis.set_xlabel("difference of two methods, points")
    panels[0].set_ylabel("share of the pairs below")
    panels[0].legend(fontsize=6, loc="lower right")
    return drawn
