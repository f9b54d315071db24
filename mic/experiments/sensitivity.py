"""What each setting of MIC is worth: one changed at a time, on every unseen person of a protocol.

Every part is tested and each value is compared with the profile's own on the same clips, so that
people and parts fall out of the difference. Nothing may be chosen by these
tables, because the people are those that all other tables test; they say what a choice is worth.

    work = cells(data, config)
    found = [compute(one, cell) for one, cell in work]
    figure(accuracy_table(found))
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mic.config import Profile
from mic.evaluation.inference import MARGIN
from mic.experiments import equal_tables, plan, tables
from mic.experiments.cells import Cell, Outcome
from mic.experiments.data import Dataset
from mic.publishing import plots

if TYPE_CHECKING:
    from matplotlib.figure import Figure

OWN = "the profile's own"
COLUMNS: Mapping[str, str] = {
    "knob": "setting that is changed",
    "value": "to what: scale 4 means 1/4 of the picture's edge, gop in frames",
    **{
        name: text.replace("the row without an entry here", OWN)
        for name, text in equal_tables.ACCURACY.items()
        if name != "row"
    },
}


def cells(data: Dataset, config: Profile) -> list[tuple[Dataset, Cell]]:
    """The profile's own MIC, then a changed one a value of `plan.SWEEPS` that is not its own.

    Args:
        data: The dataset.
        config: Parts, seeds, and the settings that are changed one at a time.

    Returns:
        A cell a value, part and seed, each with the dataset that it reads: re-encoded, for
        settings of the stream. `Cell.row` is the setting and its value.
    """
    found = [(data, cell) for cell in plan.cells(data, config, {OWN: plan.method(config)})]
    own = _setting(found[0][0], found[0][1])
    for knob in plan.SWEEPS:
        for value in plan.values(data, config, knob):
            one, table, look = plan.swept(data, config, knob, value)
            (changed,) = table.values()
            work = plan.cells(one, config, {f"{knob} {value}": changed}, like=look)
            if _setting(one, work[0]) != own:
                found += [(one, cell) for cell in work]
    return found


def _setting(data: Dataset, cell: Cell) -> tuple[object, ...]:
    return data.manifest.digest(), data.network, cell.method, cell.representation


def accuracy_table(outcomes: Sequence[Outcome], *, resamples: int = 10_000) -> pd.DataFrame:
    """Accuracy of each value and its difference to the profile's own; columns of `COLUMNS`.

    Args:
        outcomes: Of `cells`, in their order.
        resamples: See `mic.evaluation.inference.compare`.
    """
    answers = tables.answers(outcomes)
    table = equal_tables.accuracy_table(answers, reference=OWN, resamples=resamples)
    order = list(dict.fromkeys(answers["row"]))
    table = table.set_index("row").loc[order].reset_index()
    # A knob's name may have a space in it, as `identity network`; its values have none.
    parts = table.pop("row").str.rpartition(" ")
    own = parts[0] == OWN.rpartition(" ")[0]
    table.insert(0, "value", parts[2].mask(own, ""))
    table.insert(0, "knob", parts[0].mask(own, OWN))
    return table[list(COLUMNS)]


def figure(table: pd.DataFrame) -> Figure:
    """Differences to the profile's own setting in points, with their intervals.

    Dotted lines are the margin within which a difference counts as none.

    Args:
        table: See `accuracy_table`.
    """
    from matplotlib.figure import Figure

    changed = table[table["knob"] != OWN]
    points = changed[["difference", "difference_low", "difference_high"]] * 100
    places = np.arange(len(changed))[::-1]
    made = Figure(figsize=(7, 0.3 * len(changed) + 1.1), layout="constrained")
    axis = made.subplots()
    axis.errorbar(
        points["difference"], places, xerr=plots.reach(points, "difference"), fmt="o", capsize=3
    )
    axis.axvline(0, color="0.35", lw=0.8)
    for end in (-100 * MARGIN, 100 * MARGIN):
        axis.axvline(end, color="0.35", lw=0.8, ls=":")
    axis.set_yticks(places, changed["knob"] + " " + changed["value"])
    widest = max(10.0, 1.1 * float(points.abs().max().max()))
    axis.set(
        xlim=(-widest, widest),
        ylim=(-0.7, len(changed) - 0.3),
        xlabel="accuracy less that of the profile's own setting, points (90 % interval, people)",
    )
    return made
