"""Estimators of mutual information where the truth is known and not Gaussian.

    python -m campaigns.estimators run OUT.csv [--seconds 600]     # from tests/
    python -m campaigns.estimators publish OUT.csv [--results ../results]

`run` measures what OUT.csv does not hold yet, a line a measurement, and stops when the time is
over; `publish` writes results/estimators/ from it.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure

from mic import mi
from mic.config import load
from mic.experiments import known_pairs
from mic.publishing import results

SIZES, SEEDS = (1000, 300, 3000), (0, 1, 2)
TRAINED = ("smile", "mine", "infonce", "nwj", "vclub")
NAMES = ("ksg", "copula", *TRAINED)
HEAD = ["distribution", "dimensions", "truth", "estimator", "n", "seed", "estimate"]
STEPS = 400


def run(path: Path, seconds: float) -> None:
    """Measures until the time is over; most wanted first: a seed of everything, then the next."""
    deadline = time.monotonic() + seconds
    torch.set_num_threads(1)
    done: set[tuple] = set()
    if path.is_file():
        keys = ["distribution", "dimensions", "estimator", "n", "seed"]
        done = set(pd.read_csv(path)[keys].itertuples(index=False, name=None))
    else:
        path.write_text(",".join(HEAD) + "\n")
    with path.open("a", newline="") as file:
        lines = csv.writer(file)
        cells = itertools.product(SEEDS, SIZES, NAMES, known_pairs.pairs())
        for seed, count, name, pair in cells:
            if (pair.name, pair.dimensions, name, count, seed) in done:
                continue
            if time.monotonic() > deadline:
                return
            # The same rows for every estimator.
            x, y = pair.draw(count, torch.Generator().manual_seed(1000 + seed))
            options = {"batch": 64, "hidden": 64} if name in TRAINED else {}
            found = mi.measure(x, y, estimator=name, steps=STEPS, seed=seed, **options)
            truth = f"{pair.truth:.6g}"
            line = [pair.name, pair.dimensions, truth, name, count, seed, f"{found:.6g}"]
            lines.writerow(line)
            file.flush()


def summary(measured: pd.DataFrame) -> pd.DataFrame:
    """Mean and range over seeds, of what has been measured on all distributions."""
    keys = ["distribution", "dimensions", "truth", "estimator", "n"]
    table = measured.groupby(keys, sort=False, as_index=False).agg(
        estimate=("estimate", "mean"),
        least=("estimate", "min"),
        largest=("estimate", "max"),
        seeds=("seed", "nunique"),
    )
    table["relative_error"] = table["estimate"] / table["truth"] - 1
    # An estimator that was cut off among the distributions would be ranked on the easy ones.
    asked = table.groupby(["estimator", "n"])["truth"].transform("size")
    whole = table[asked == len(known_pairs.pairs())]
    return whole.sort_values(["distribution", "dimensions", "truth", "n"], kind="stable")


def ranking(table: pd.DataFrame) -> pd.DataFrame:
    """How far each estimator is off, over all distributions, for each sample size."""
    table = table.assign(absolute=(table["relative_error"]).abs())
    return table.groupby(["estimator", "n"], sort=False, as_index=False).agg(
        median_error=("absolute", "median"),
        worst_error=("absolute", "max"),
        lowest=("relative_error", "min"),
        distributions=("absolute", "size"),
    )


def figure(table: pd.DataFrame) -> Figure:
    """Estimate over truth, a panel a distribution; bars from the least to the largest seed."""
    groups = list(table.groupby(["distribution", "dimensions"], sort=False))
    columns = 4
    made = Figure(figsize=(11, 2.5 * -(-len(groups) // columns)), layout="constrained")
    axes = made.subplots(-(-len(groups) // columns), columns, sharey=True).ravel()
    for axis in axes[len(groups) :]:
        axis.set_axis_off()
    for axis, ((name, size), part) in zip(axes, groups, strict=False):
        for turn, (estimator, line) in enumerate(part.groupby("estimator", sort=False)):
            ratio = line[["least", "estimate", "largest"]].to_numpy() / line[["truth"]].to_numpy()
            spread = [ratio[:, 1] - ratio[:, 0], ratio[:, 2] - ratio[:, 1]]
            shifted = line["n"] * 1.06 ** (turn - len(NAMES) / 2)
            axis.errorbar(shifted, ratio[:, 1], yerr=np.abs(spread), marker=".", label=estimator)
        axis.axhline(1, color="0.3", linestyle=":")
        axis.set(xscale="log", ylim=(-1, 2.5))
        axis.set_xticks(sorted(part["n"].unique()), sorted(part["n"].unique()))
        axis.minorticks_off()
        axis.set_title(f"{name}, {size} x {size}\n{part['truth'].iloc[0]:.2f} nats", fontsize=7)
    axes[0].legend(fontsize=6, ncols=2)
    made.supxlabel("samples", fontsize=9)
    made.supylabel("estimate / truth", fontsize=9)
    return made


def publish(path: Path, folder: str) -> None:
    """Writes the tables and the figure of what `run` measured."""
    names = ("mi_known", "mi_known_ranking")
    made = results.Run(
        "estimators", load("default"), tables=names, figures=names[:1], folder=folder
    )
    table = summary(pd.read_csv(path))
    sizes = ", ".join(str(size) for size in sorted(SIZES))
    fewest = table["seeds"].min()
    behind = f"{len(known_pairs.pairs())} distributions; n {sizes}; {fewest} seeds or more."
    made.table(
        table,
        names[0],
        caption="Estimators of mutual information on distributions whose truth is known. "
        + behind,
        columns={
            "distribution": "what is drawn; its information is known by formula or quadrature",
            "dimensions": "of each of the two variables",
            "truth": "mutual information, nats",
            "estimator": "key of mic.mi; critics are trained for 400 steps of 64 rows",
            "n": "samples; critics train on half of them",
            "estimate": "nats, mean over seeds",
            "least": "smallest of the seeds, nats",
            "largest": "largest of the seeds, nats",
            "seeds": "draws of the sample",
            "relative_error": "estimate / truth - 1",
        },
    )
    made.table(
        ranking(table),
        names[1],
        caption="How far estimators of mutual information are off, over all distributions. "
        + behind,
        columns={
            "estimator": "key of mic.mi",
            "n": "samples",
            "median_error": "median over distributions of |estimate / truth - 1|",
            "worst_error": "largest of the same",
            "lowest": "most negative estimate / truth - 1",
            "distributions": "number of them",
        },
    )
    made.figure(figure(table), names[0])
    made.complete()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=["run", "publish"])
    parser.add_argument("path", type=Path)
    parser.add_argument("--seconds", type=float, default=3600.0)
    parser.add_argument("--results", default="../results")
    options = parser.parse_args()
    if options.what == "run":
        run(options.path, options.seconds)
    else:
        publish(options.path, options.results)


if __name__ == "__main__":
    main()
