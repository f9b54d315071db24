"""What lies between raw residuals and decoded pictures, for a linear reader; resumable.

    python -m campaigns.gap [--results ../results]     # from tests/, minutes

No network is trained. What is read of each clip lies in the store, so that a second call has only
the readers to fit.
"""

import pandas as pd

from campaigns import front
from mic.experiments import equal, gap, plan
from mic.processes.workers import torch_threads
from mic.publishing import results

DATASETS = ("synth-ck", "synth-mmi")
RECODED = "synth-ck"  # the protocol that is coded with coarser quantisers, too


def main() -> None:
    """The command line."""
    options, config = front.asked(__doc__)
    made = results.Run(
        "gap", config, tables=("gap_chain",), figures=("gap_chain",), folder=options.results
    )
    found = []
    with torch_threads(1):
        for name in DATASETS:
            data = plan.dataset(name, config)
            made.uses(data.name, data.manifest.digest())
            for quantiser in (2, *gap.QUANTISERS) if name == RECODED else (2,):
                found.append(gap.answers(data, config, quantiser=quantiser))
                print(f"{name}, quantiser {quantiser}", flush=True)
    table = gap.table(pd.concat(found, ignore_index=True))
    sizes = table.groupby("dataset", sort=False)[["n", "people"]].first()
    counted = "; ".join(
        f"{name}: n {n}, {people} people" for name, n, people in sizes.itertuples()
    )
    made.table(
        table,
        "gap_chain",
        caption="From raw residuals to decoded pictures, a linear reader on unseen people. "
        f"{counted}; {equal.PARTS} parts, nothing random; profile {config.name}.",
        columns=gap.COLUMNS,
    )
    made.figure(gap.figure(table), "gap_chain")
    made.complete()


if __name__ == "__main__":
    main()
