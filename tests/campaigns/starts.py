"""The same networks from random weights and from others' expressions, on synth-afew; resumable.

    python -m campaigns.starts run [--seconds 3600] [--seeds 1]           # from tests/
    python -m campaigns.starts publish [--seeds 1] [--results ../results]

`run` trains what is not in the store until the time is over (two to six minutes a training).
`publish` writes results/starts/ of the rows that are there from both starts.
"""

import time
from pathlib import Path

import pandas as pd

from campaigns import front
from mic.experiments import plan, starts
from mic.processes.workers import torch_threads
from mic.publishing import results
from mic.storage.digest import sha256_of

NAMES = ("starts_accuracy",)
PROTOCOL, OTHERS = "synth-afew", ("synth-ck", "synth-mmi")
EQUAL = Path(__file__).parents[2] / "results" / "equal" / "equal_accuracy.csv"
STARTS = (starts.RANDOM, starts.OTHERS)


def marks() -> dict[str, float]:
    """What a frozen face network's embedding reaches, and what tells nothing."""
    equal = pd.read_csv(EQUAL)
    known = equal[equal["dataset"] == PROTOCOL].set_index("row")["accuracy"]
    frozen = "MobileFaceNet, linear, mean of the frames"
    return {frozen: float(known[frozen]), "majority class": float(known["majority class"])}


def main() -> None:
    """The command line."""
    options, config = front.asked(__doc__, seconds=3600.0, seeds=1)
    data = plan.dataset(PROTOCOL, config)
    others = [plan.dataset(name, config) for name in OTHERS]
    deadline = time.monotonic() + options.seconds
    found = {}
    with torch_threads(1):
        for row in starts.ROWS:
            cells = row.cells(data, config, seeds=options.seeds)
            for start in STARTS:
                for cell in cells:
                    if starts.is_answered(data, others, cell, start=start):
                        continue
                    if options.what == "publish" or time.monotonic() > deadline:
                        print(f"not there: {row.name}, {start}, seed {cell.seed}")
                        break
                    begun = time.process_time()
                    starts.answered(data, others, cell, start=start)
                    spent = time.process_time() - begun
                    print(f"{row.name}, {start}, seed {cell.seed}: {spent:.0f} s", flush=True)
                else:
                    found[row, start] = [
                        starts.answered(data, others, cell, start=start) for cell in cells
                    ]
    if options.what == "run":
        return
    both = {key: one for key, one in found.items() if all((key[0], s) in found for s in STARTS)}
    if not both:
        raise SystemExit("nothing is there to publish: run first")
    made = results.Run("starts", config, tables=NAMES, figures=NAMES, folder=options.results)
    for one in (data, *others):
        for source, digest in one.sources().items():
            made.uses(source, digest)
    made.uses("results/equal/equal_accuracy.csv", sha256_of(EQUAL))
    table = starts.table(data, both, sum(len(one.kept()) for one in others))
    table = made.table(
        table,
        NAMES[0],
        caption=f"The same training from two starts. {data.name}: n {table['n'].max()}, "
        f"{table['people'].max()} people; seeds {options.seeds}; profile {config.name}.",
        columns=starts.COLUMNS,
    )
    made.figure(starts.figure(table, marks()), NAMES[0])
    made.complete()


if __name__ == "__main__":
    main()
