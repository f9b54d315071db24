"""How many pictures a reader that knows faces has to look at, on the three generated protocols.

    python -m campaigns.looks [--results ../results]      # from tests/; minutes

Writes results/looks/. What the face network made of each picture comes from the store where it is
there, as after notebook 06 of the default profile.
"""

from __future__ import annotations

import pandas as pd

from campaigns import front
from mic.experiments import looks, plan
from mic.processes.workers import torch_threads
from mic.publishing import results


def main() -> None:
    """The command line."""
    options, config = front.asked(__doc__)
    made = results.Run(
        "looks", config, tables=["looks_accuracy"], figures=["looks_accuracy"],
        folder=options.results,
    )  # fmt: skip
    answered = []
    with torch_threads(1):
        for name in plan.PROTOCOLS:
            data = plan.dataset(name, config)
            for source, digest in data.sources().items():
                made.uses(source, digest)
            answered.append(looks.answers(data, config))
    table = looks.table(pd.concat(answered, ignore_index=True))
    made.table(
        table,
        "looks_accuracy",
        caption=made.caption(
            "A linear probe on a frozen face network, by how many pictures it sees and which.",
            *dict.fromkeys(
                f"{line.dataset}: n {line.n}, {line.people} people" for line in table.itertuples()
            ),
            "float32, one thread",
        ),
        columns={name: looks.COLUMNS[name] for name in table},
    )
    made.figure(looks.figure(table), "looks_accuracy")
    made.complete()


if __name__ == "__main__":
    main()
