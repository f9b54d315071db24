"""Accuracy against the number of people that a network learned from; resumable.

    python -m campaigns.scale run [--people 10 30 100 200] [--seconds 3600]     # from tests/
    python -m campaigns.scale publish [--results ../results]

`run` makes the people that are missing and trains what is not in the store, the fewest people
first, until the time is over; three thousand people are `--people 3000 --seeds 26` away. `publish`
writes results/scale/ from the numbers of people whose rows are all there.
"""

from __future__ import annotations

import argparse
import time

import pandas as pd

from mic.config import Profile, load
from mic.experiments import scale, tables
from mic.experiments.cells import Cell, compute, is_stored
from mic.experiments.data import Dataset
from mic.processes.workers import torch_threads
from mic.publishing import plots, results


def work(options: argparse.Namespace, config: Profile) -> list[tuple[int, Dataset, list[Cell]]]:
    """Each number of people, its data and its cells."""
    learned = scale.pool(config, seeds=range(1, options.seeds + 1))
    tested = scale.asked(config)
    found = []
    for count in options.people:
        data = scale.of_people(learned, tested, count=count)
        found.append((count, data, scale.cells(data, config)))
    return found


def run(options: argparse.Namespace) -> None:
    """Trains what is missing, until the time is over."""
    deadline = time.monotonic() + options.seconds
    with torch_threads(1):
        for count, data, cells in work(options, load(options.profile, jobs=1)):
            for cell in cells:
                if time.monotonic() > deadline:
                    print(f"stopped in front of {count} people, {cell.row}")
                    return
                start = time.process_time()
                right = compute(data, cell).correct.mean()
                spent = time.process_time() - start
                print(f"{count} people, {cell.row}: {right:.3f}, {spent:.0f} s", flush=True)


def publish(options: argparse.Namespace) -> None:
    """Tables and figure of what `run` left."""
    config = load(options.profile, jobs=1)
    answers = []
    names = ("scale_accuracy", "scale_differences")
    made = results.Run("scale", config, tables=names, figures=names[:1], folder=options.results)
    for count, data, cells in work(options, config):
        if not all(is_stored(data, cell) for cell in cells):
            print(f"not whole, left out: {count} people")
            continue
        for source, digest in data.sources().items():
            made.uses(source, digest)
        outcomes = [compute(data, cell) for cell in cells]
        answers.append(tables.answers(outcomes).assign(learned=count))
    every = pd.concat(answers, ignore_index=True)
    asked = f"asked about {every['clip'].nunique()} clips of {every['subject'].nunique()} others"
    for frame, name, caption in (
        (scale.table(every), names[0], "Accuracy by input and by people learned from"),
        (scale.differences(every), names[1], "Differences between rows on the same clips"),
    ):
        made.table(
            frame,
            name,
            caption=f"{caption}, {asked}; one seed; profile {config.name}.",
            columns={column: scale.COLUMNS[column] for column in frame},
        )
    made.figure(scale.figure(scale.table(every)), names[0])
    made.complete()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=["run", "publish"])
    parser.add_argument("--profile", default="default")
    parser.add_argument("--people", type=int, nargs="+", default=[10, 30, 100, 200])
    parser.add_argument("--seeds", type=int, default=2, help="seeds of the pool, 118 people each")
    parser.add_argument("--seconds", type=float, default=3600.0)
    parser.add_argument("--results", default="../results")
    options = parser.parse_args()
    plots.use_style()
    (run if options.what == "run" else publish)(options)


if __name__ == "__main__":
    main()
