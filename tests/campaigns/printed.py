"""The paper's system as printed beside ours, epoch by epoch, on synth-ck; resumable.

    python -m campaigns.printed run --folds 1 [--seconds 7200]         # from tests/
    python -m campaigns.printed publish --folds 1 [--results ../results]

`run` trains what is not in the store until the time is over: a part of three takes the paper's
settings some forty minutes of a processor, ours two. `publish` writes results/printed/.
"""

import numpy as np

from campaigns import front, resumed
from mic.experiments import equal_tables, plan, printed, tables
from mic.publishing import results

NAMES = ("printed_accuracy", "printed_curves")


def main() -> None:
    """The command line."""
    options, config = front.asked(__doc__, seconds=7200.0, folds=3)
    data = plan.dataset("synth-ck", config)
    small = plan.dataset("synth-ck", printed.profile(config))
    work = [(data, cell) for cell in printed.ours(data, config)]
    work += [(small, cell) for cell in printed.papers(small, config)]
    found = resumed.trained(work, seconds=options.seconds)
    if options.what == "run" or found is None:
        return
    made = results.Run("printed", config, tables=NAMES, figures=NAMES[1:], folder=options.results)
    for profile, used in ((config.name, data), ("paper", small)):
        for source, digest in used.sources().items():
            made.uses(f"{source}, profile {profile}", digest)
    made.table(
        printed.accuracy_table(found),
        NAMES[0],
        caption=tables.counted(
            "The paper's system as printed, after its last epoch.", found, config
        ),
        columns=equal_tables.ACCURACY,
    )
    curves = made.table(
        printed.curve_table(found),
        NAMES[1],
        caption=tables.counted("The same, after the epochs that were read.", found, config),
        columns=printed.CURVES,
    )
    truth = np.concatenate([one.truth for one in found if one.cell.row == printed.OURS])
    largest = np.bincount(truth).max() / len(truth)
    drawn = printed.figure(curves, largest=largest, classes=len(found[0].classes))
    made.figure(drawn, NAMES[1])
    made.complete()


if __name__ == "__main__":
    main()
