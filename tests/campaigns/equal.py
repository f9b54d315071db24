"""The search with equal chances on a machine that is lent for minutes, and its published tables.

    python -m campaigns.equal run OUT --device cuda --jobs 15 --seconds 560
    python -m campaigns.equal publish OUT --results FOLDER --machine "one H100, torch 2.11.0"

`run` searches what OUT does not hold yet, tests the choices, most wanted first, and leaves
search.csv and answers.csv there before the time is over, to be continued by the next lease. Cells
that are in the store cost nothing.
"""

import argparse
import time
from pathlib import Path

import pandas as pd

from mic.config import load
from mic.datasets import synth
from mic.experiments import embeddings, equal, equal_tables, tables
from mic.experiments.cells import Dataset
from mic.experiments.runner import extract
from mic.experiments.timed import run_until
from mic.processes import workers
from mic.publishing import results

SEARCH, ANSWERS = "search.csv", "answers.csv"
KEYS = ["row", "split", "input", "grid", "epochs", "learning_rate"]
_MARGIN = 8.0  # seconds that writing takes


def run(options: argparse.Namespace) -> None:
    """Searches and tests until the time is over."""
    deadline = time.monotonic() + options.seconds - _MARGIN
    config = load(options.profile, jobs=options.jobs)
    options.out.mkdir(parents=True, exist_ok=True)
    data = Dataset(manifest=synth.load(options.dataset, config))
    prior = _stored(options.out / SEARCH)
    known = set() if prior is None else set(prior[KEYS].itertuples(index=False, name=None))
    cells = [cell for cell in equal.search_cells(data, config) if _key(cell) not in known]
    with workers.pool(options.jobs) as pool:
        extract([(data, [cell.representation for cell in cells])], executor=pool)
        found = run_until(
            deadline,
            [(data, cell) for cell in cells],
            executor=pool,
            device=options.device,
            progress=print,
        )
        parts = ([] if prior is None else [prior]) + ([equal.search_table(found)] if found else [])
        searched = pd.concat(parts, ignore_index=True)
        searched.to_csv(options.out / SEARCH, index=False, float_format="%.6g")
        # A candidate that some fold has not tried is nobody's choice.
        folds = searched.groupby(["row", *KEYS[2:]])["split"].transform("nunique")
        chosen = equal.choices(searched[folds == folds.max()])
        work = [(data, cell) for cell in equal.final_cells(data, config, chosen)]
        tested = run_until(deadline, work, executor=pool, device=options.device, progress=print)
        if tested:
            old = _stored(options.out / ANSWERS)
            new = tables.answers(tested)
            both = pd.concat(([] if old is None else [old]) + [new], ignore_index=True)
            both = both.drop_duplicates(["row", "split", "seed", "clip"], keep="last")
            both.to_csv(options.out / ANSWERS, index=False, float_format="%.6g")


def publish(options: argparse.Namespace) -> None:
    """Tables and figure of what `run` left, rows of all folds only, beside the probes."""
    config = load(options.profile, jobs=options.jobs)
    data = Dataset(manifest=synth.load(options.dataset, config))
    summaries = embeddings.summaries(embeddings.of_dataset(data, steps=config.steps))
    answers = pd.read_csv(options.out / ANSWERS)
    folds = answers.groupby("row")["split"].transform("nunique")
    answers = pd.concat(
        [answers[folds == folds.max()], equal_tables.marks(data, summaries, parts=equal.PARTS)]
    )
    table = equal_tables.accuracy_table(answers, reference=options.reference)
    names = ["equal_accuracy", "equal_search"]
    run = results.Run(
        "equal_chances", config, tables=names, figures=names[:1], folder=options.results
    )
    run.uses(data.name, data.manifest.digest())
    run.table(
        table,
        names[0],
        caption=f"Accuracy on {data.name} at equal chances, trained on {options.machine}.",
        columns=equal_tables.ACCURACY,
    )
    searched = equal_tables.searched(pd.read_csv(options.out / SEARCH))
    run.table(
        searched,
        names[1],
        caption="Candidates on validation people.",
        columns=equal_tables.SEARCHED,
    )
    run.figure(equal_tables.figure(table, title=f"{data.name} at equal chances"), names[0])
    run.complete()


def _key(cell: equal.Cell) -> tuple:
    schedule = cell.schedule
    kind = cell.representation.kind
    return cell.row, cell.split, kind, cell.method.grid, schedule.epochs, schedule.learning_rate


def _stored(path: Path) -> pd.DataFrame | None:
    return pd.read_csv(path) if path.is_file() else None


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=["run", "publish"])
    parser.add_argument("out", type=Path)
    parser.add_argument("--dataset", default="synth-ck")
    parser.add_argument("--profile", default="default")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=3600.0)
    parser.add_argument("--results", default="")
    parser.add_argument("--reference", default="FAN+ResNet18")
    parser.add_argument("--machine", default="this machine")
    options = parser.parse_args()
    (run if options.what == "run" else publish)(options)


if __name__ == "__main__":
    main()
