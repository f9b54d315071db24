"""One setting of MIC changed at a time, on all parts of synth-ck, paired; resumable.

    python -m campaigns.sensitivity run [--seconds 3600]                     # from tests/
    python -m campaigns.sensitivity publish [--results ../results]

`run` trains what is not in the store until the time is over (two to four minutes a cell).
`publish` writes results/sensitivity/.
"""

import argparse

from campaigns import resumed
from mic.config import load
from mic.experiments import plan, sensitivity, tables
from mic.publishing import plots, results

NAMES = ("sensitivity_accuracy",)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=["run", "publish"])
    parser.add_argument("--profile", default="default")
    parser.add_argument("--seconds", type=float, default=3600.0)
    parser.add_argument("--results", default="../results")
    options = parser.parse_args()
    plots.use_style()
    config = load(options.profile, jobs=1)
    work = sensitivity.cells(plan.dataset("synth-ck", config), config)
    found = resumed.trained(work, seconds=options.seconds)
    if options.what == "run" or found is None:
        return
    made = results.Run("sensitivity", config, tables=NAMES, figures=NAMES, folder=options.results)
    for data, _ in work:
        for source, digest in data.sources().items():
            made.uses(source, digest)
    table = made.table(
        sensitivity.accuracy_table(found),
        NAMES[0],
        caption=tables.counted("MIC with one setting changed at a time.", found, config),
        columns=sensitivity.COLUMNS,
    )
    made.figure(sensitivity.figure(table), NAMES[0])
    made.complete()


if __name__ == "__main__":
    main()
