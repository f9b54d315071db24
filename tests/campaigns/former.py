"""The first version's numbers measured again, beside what was quoted of them; resumable.

    python -m campaigns.former run [--seconds 3600]                     # from tests/
    python -m campaigns.former publish [--results ../results]

`run` trains what is not in the store until the time is over (one to ten minutes a cell). `publish`
writes results/former/.
"""

import pandas as pd

from campaigns import front, resumed
from mic.experiments import former, plan, tables
from mic.publishing import results

NAMES = ("former_accuracy",)


def main() -> None:
    """The command line."""
    options, config = front.asked(__doc__, seconds=3600.0)
    data = plan.dataset("synth-ck", config)
    work = [(data, cell) for cell in former.cells(data, config)]
    found = resumed.trained(work, seconds=options.seconds)
    if options.what == "run" or found is None:
        return
    wild = plan.dataset("synth-afew", config)
    made = results.Run("former", config, tables=NAMES, figures=NAMES, folder=options.results)
    for one in (data, wild):
        for source, digest in one.sources().items():
            made.uses(source, digest)
    table = pd.concat(
        [former.trained_table(data, found, config), former.probe_table(wild, config)],
        ignore_index=True,
    )
    table = made.table(
        table,
        NAMES[0],
        caption=tables.counted("The first version's settings, trained again.", found, config),
        columns=former.COLUMNS,
    )
    made.figure(former.figure(table), NAMES[0])
    made.complete()


if __name__ == "__main__":
    main()
