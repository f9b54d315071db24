"""One setting of MIC changed at a time, on all parts of a dataset, paired; resumable.

    python -m campaigns.sensitivity run [--seconds 3600]                     # from tests/
    python -m campaigns.sensitivity publish [--results ../results]
    python -m campaigns.sensitivity publish --data ckplus=FOLDER --results ../results/own/knobs

`run` trains what is not in the store until the time is over (two to four minutes a cell).
`publish` writes sensitivity/ there. Both take `--data`; without it they are of synth-ck.
"""

from campaigns import front, resumed
from mic.experiments import plan, sensitivity, tables
from mic.publishing import results

NAMES = ("sensitivity_accuracy",)


def main() -> None:
    """The command line."""
    options, config = front.asked(__doc__, seconds=3600.0, data="synth-ck")
    work = sensitivity.cells(plan.dataset(options.data, config), config)
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
