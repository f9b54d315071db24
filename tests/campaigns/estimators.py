"""Estimators of mutual information where the truth is known and not Gaussian.

    python -m campaigns.estimators run OUT.csv [--seconds 600]     # from tests/
    python -m campaigns.estimators publish OUT.csv [--results ../results]

`run` measures what OUT.csv does not hold yet, a line a measurement, and stops when the time is
over; `publish` writes results/estimators/ from it.
"""

from __future__ import annotations

import argparse
import csv
import functools
import itertools
import textwrap
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mic import mi
from mic.config import load
from mic.experiments import known_pairs, plan
from mic.publishing import plots, results

SIZES, SEEDS = (1000, 300, 3000), (0, 1)
TRAINED = ("smile", "mine", "infonce", "nwj", "vclub")
COMPONENTS = (16, 64)  # of generated faces at their apex
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
        cells = itertools.product(SEEDS, SIZES, NAMES, asked())
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


@functools.cache
def asked() -> tuple[known_pairs.Pair, ...]:
    """All distributions: those of formulas, and a channel between generated faces."""
    faces, bits, _ = pictures()
    channels = [known_pairs.face_channel(faces, bits, size, 0.1) for size in COMPONENTS]
    return (*known_pairs.pairs(), *channels)


def pictures() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Generated faces at their apex, whether each is surprised, not smiling, and who it is."""
    data = plan.dataset("synth-ck", load("default"))
    clips = data.tensors(plan.representation(load("default")))
    assert clips.apex is not None
    smiling, surprised = (data.manifest.classes.index(name) for name in ("happiness", "surprise"))
    labels = clips.labels.numpy()
    kept = (labels == smiling) | (labels == surprised)
    return clips.apex.numpy()[kept], labels[kept] == surprised, np.array(clips.subjects)[kept]


def told() -> str:
    """How well the faces' components show the bit of people that were not learned from."""
    faces, bits, people = pictures()
    flat = faces.reshape(len(faces), -1).astype(float)
    found = []
    for size in COMPONENTS:
        reader = make_pipeline(PCA(size), StandardScaler(), LogisticRegression(C=0.1))
        named = cross_val_score(reader, flat, bits, groups=people, cv=GroupKFold(10)).mean()
        found.append(f"{named:.2f} of {size}")
    return (
        f"The faces are {len(faces)} of {len(set(people))} generated people; a logistic "
        f"regression names the bit of unseen people in {' and '.join(found)} components."
    )


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
    lines = table.groupby(["estimator", "n"])["truth"].transform("size")
    whole = table[lines == len(asked())]
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


_SHOWN = (-1.0, 2.5)  # of estimate over truth


def figure(table: pd.DataFrame) -> Figure:
    """Estimate over truth, a panel a distribution; bars from the least to the largest seed.

    What lies beyond the panel is a triangle at its edge.
    """
    groups = list(table.groupby(["distribution", "dimensions"], sort=False))
    columns = 4
    made = Figure(figsize=(11, 2.7 * -(-len(groups) // columns)), layout="constrained")
    axes = made.subplots(-(-len(groups) // columns), columns, sharey=True).ravel()
    for axis in axes[len(groups) :]:
        axis.set_axis_off()
    for axis, ((name, size), part) in zip(axes, groups, strict=False):
        for turn, (estimator, line) in enumerate(part.groupby("estimator", sort=False)):
            ratio = line[["least", "estimate", "largest"]].to_numpy() / line[["truth"]].to_numpy()
            spread = [ratio[:, 1] - ratio[:, 0], ratio[:, 2] - ratio[:, 1]]
            shifted = line["n"].to_numpy() * 1.03 ** (turn - len(NAMES) / 2)
            drawn = axis.errorbar(shifted, ratio[:, 1], yerr=np.abs(spread), label=estimator)
            for beyond, edge, mark in (
                (ratio[:, 1] < _SHOWN[0], _SHOWN[0], "v"),
                (ratio[:, 1] > _SHOWN[1], _SHOWN[1], "^"),
            ):
                style = {"color": drawn[0].get_color(), "ls": "", "clip_on": False}
                if beyond.any():  # an empty line that is not clipped upsets the layout
                    axis.plot(shifted[beyond], np.full(beyond.sum(), edge), mark, **style)
        axis.axhline(1, color="0.3", linestyle=":", marker="")
        axis.set(xscale="log", ylim=_SHOWN)
        axis.set_xticks(sorted(part["n"].unique()), sorted(part["n"].unique()))
        axis.minorticks_off()
        title = f"{name}, {size} x {size}, {part['truth'].iloc[0]:.2f} nats"
        axis.set_title(textwrap.fill(title, 34), fontsize=8)
    seeds = table["seeds"].min()
    title = f"bars: {seeds} draws, least to largest\ntriangles: beyond the panel"
    free = axes[len(groups) :]
    place = free[0] if len(free) else axes[0]
    shown = place.legend(*axes[0].get_legend_handles_labels(), loc="center", ncols=2, title=title)
    shown.set_in_layout(False)
    made.supxlabel("samples", fontsize=9)
    made.supylabel("estimate / truth", fontsize=9)
    return made


def publish(path: Path, folder: str) -> None:
    """Writes the tables and the figure of what `run` measured."""
    names = ("mi_known", "mi_known_ranking")
    made = results.Run(
        "estimators", load("default"), tables=names, figures=names[:1], folder=folder
    )
    for source, digest in plan.dataset("synth-ck", load("default")).sources().items():
        made.uses(source, digest)
    table = summary(pd.read_csv(path))
    sizes = ", ".join(str(size) for size in sorted(SIZES))
    fewest = table["seeds"].min()
    behind = f"{len(asked())} distributions; n {sizes}; {fewest} seeds or more; profile default."
    made.table(
        table,
        names[0],
        caption="Estimators of mutual information on distributions whose truth is known. "
        f"{told()} {behind}",
        columns={
            "distribution": "what is drawn; its information is known by formula or quadrature; "
            "faces: principal components of generated ones that smile or are surprised",
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
    plots.use_style()
    if options.what == "run":
        run(options.path, options.seconds)
    else:
        publish(options.path, options.results)


if __name__ == "__main__":
    main()
