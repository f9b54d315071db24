"""How many of the published differences of the paper's tables lie inside the noise; seconds.

    python -m campaigns.noise [--results ../results]                     # from tests/

Reads results/paper.csv and the answers of results/equal, trains nothing, writes results/noise/.
"""

from pathlib import Path

import pandas as pd

from campaigns import front
from mic.experiments import noise
from mic.publishing import comparison, results
from mic.storage.digest import sha256_of

COMMITTED = Path(__file__).parents[2] / "results"
NAMES = ("noise_shares",)
# Generated clips of the same number, and people as many.
LIKE = {"CK+": "synth-ck", "MMI": "synth-mmi"}


def main() -> None:
    """The command line."""
    options, config = front.asked(__doc__)
    made = results.Run("noise", config, tables=NAMES, figures=NAMES, folder=options.results)
    paper, answers = COMMITTED / "paper.csv", COMMITTED / "equal" / "equal_predictions.csv"
    for path in (paper, answers):
        made.uses(path.name, sha256_of(path))
    published = comparison.read_published(paper)
    published = published[published["method"] != "replication report"]
    given = pd.read_csv(answers)
    ours = {}
    for dataset, name in LIKE.items():
        part = given[given["dataset"] == name]
        ours[dataset] = part.dropna(axis="columns", how="all")
    table = made.table(
        noise.table(published, comparison.SIZES, ours),
        NAMES[0],
        caption=made.caption(
            "Differences of published accuracies that are smaller than chance makes them.",
            *(f"{name}: n {len(part)}, {part['subject'].nunique()} people of {LIKE[name]}"
              for name, part in ours.items()),
        ),
        columns=noise.COLUMNS,
    )  # fmt: skip
    made.figure(noise.figure(table, published), NAMES[0])
    made.complete()


if __name__ == "__main__":
    main()
