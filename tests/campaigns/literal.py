"""An encoder in the min-min game as the paper words it, beside the game as we play it; resumable.

    python -m campaigns.literal run [--seconds 3600]                     # from tests/
    python -m campaigns.literal publish [--results ../results]

`run` trains what is not in the store until the time is over (a minute a part of the people on an
idle core); the other rows are notebook 05's. `publish` writes results/literal/.
"""

import numpy as np

from campaigns import front, resumed
from mic.experiments import equal_tables, literal, plan, tables
from mic.publishing import results


def main() -> None:
    """The command line."""
    options, config = front.asked(__doc__, seconds=3600.0)
    data = plan.dataset("synth-ck", config)
    found = resumed.trained(
        [(data, cell) for cell in literal.cells(data, config)], seconds=options.seconds
    )
    if options.what == "run" or found is None:
        return
    names = ("literal_accuracy", "literal_curves")
    made = results.Run(
        "literal", config, tables=names, figures=("literal",), folder=options.results
    )
    for source, digest in data.sources().items():
        made.uses(source, digest)
    accuracy = made.table(
        literal.accuracy_table(found),
        names[0],
        caption=tables.counted("MIC in the game as the paper words it.", found, config),
        columns=equal_tables.ACCURACY,
    )
    curves = made.table(
        literal.curve_table(found),
        names[1],
        caption=tables.counted("What each game's encoder was told to lower.", found, config),
        columns=literal.CURVES,
    )
    truth = np.concatenate([one.truth for one in found if one.cell.row == literal.NONE])
    majority = np.bincount(truth).max() / len(truth)
    made.figure(literal.figure(accuracy, curves, majority=majority), "literal")
    made.complete()


if __name__ == "__main__":
    main()
