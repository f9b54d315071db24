"""What the MI and the apex term do to a training of MIC, and the apexes it draws; resumable.

    python -m campaigns.terms run [--seconds 3600]                     # from tests/
    python -m campaigns.terms publish [--results ../results]

`run` trains what is not in the store until the time is over (two to four minutes a cell, less
without a game).
`publish` trains MIC once more, to draw with it, and writes results/terms/. Faces are generated.
"""

from campaigns import front, resumed
from mic.experiments import plan, tables, terms
from mic.processes.workers import torch_threads
from mic.publishing import results

NAMES = ("terms_convergence", "terms_curves", "terms_reconstruction")


def main() -> None:
    """The command line."""
    options, config = front.asked(__doc__, seconds=3600.0)
    data = plan.dataset("synth-ck", config)
    cells = terms.cells(data, config)
    found = resumed.trained([(data, cell) for cell in cells], seconds=options.seconds)
    if options.what == "run" or found is None:
        return
    made = results.Run(
        "terms",
        config,
        tables=NAMES,
        figures=(NAMES[0], NAMES[2]),
        folder=options.results,
    )
    for source, digest in data.sources().items():
        made.uses(source, digest)
    convergence = made.table(
        terms.convergence_table(found),
        NAMES[0],
        caption=tables.counted(
            "How early MIC converges, by the terms of its loss.", found, config
        ),
        columns=terms.CONVERGENCE,
    )
    curves = made.table(
        terms.curve_table(found),
        NAMES[1],
        caption=tables.counted("The epochs that were read, of every training.", found, config),
        columns=terms.CURVES,
    )
    made.figure(terms.curve_figure(curves, convergence), NAMES[0])
    one = next(k for k, cell in enumerate(cells) if cell.row == terms.BOTH)
    with torch_threads(1):
        drawn = terms.reconstruct(data, cells[one])
    errors = made.table(
        terms.reconstruction_table(drawn),
        NAMES[2],
        caption=tables.counted(
            f"How far the drawn apex is from the apex frame, {cells[one].split}.",
            [found[one]],
            config,
        ),
        columns=terms.RECONSTRUCTION,
    )
    made.figure(terms.reconstruction_figure(drawn, errors), NAMES[2])
    made.complete()


if __name__ == "__main__":
    main()
