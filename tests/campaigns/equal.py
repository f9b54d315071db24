"""The search with equal chances on a machine that is lent for minutes, and its published tables.

    python -m campaigns.equal run OUT --device cuda --jobs 15 --seconds 560 --machine "one H100"
    python -m campaigns.equal run OUT --dataset synth-mmi --chosen-on synth-ck
    python -m campaigns.equal publish OUT --results FOLDER

An empty OUT begins with the committed tables: their answers, and their search as means over the
folds, by which a row may then be chosen (`--no-search`) but not searched on. `run` searches what
OUT does not hold yet, tests the choices, most wanted first, and leaves search.csv and answers.csv
there before the time is over, to be continued by the next call. With `--chosen-on` nothing is
searched: each row is trained as was best on that dataset's validation people. Cells that are in
the store cost nothing. `publish` writes what OUT holds of all datasets, beside the probes of a
frozen face network and the majority class.
"""

import argparse
import json
import time
from pathlib import Path

import pandas as pd

from mic.config import load
from mic.datasets import synth
from mic.evaluation.inference import with_holm
from mic.experiments import embeddings, equal, equal_tables, landmarks, plan, tables
from mic.experiments.cells import Cell, Dataset, splits
from mic.experiments.runner import extract
from mic.experiments.timed import run_until
from mic.processes import workers
from mic.publishing import plots, results

SEARCH, ANSWERS = "search.csv", "answers.csv"
COMMITTED = Path(__file__).parents[2] / "results" / "equal"
KEYS = ["dataset", "row", "split", *equal.CANDIDATE]
TESTED = ["dataset", "row", "split", "seed"]
REFERENCES = ["FAN+ResNet18", "MobileFaceNet, linear, mean of the frames"]
_MARGIN = 8.0  # seconds that writing takes


def run(options: argparse.Namespace) -> None:
    """Searches and tests until the time is over."""
    deadline = time.monotonic() + options.seconds - _MARGIN
    config = load(options.profile, jobs=options.jobs)
    options.out.mkdir(parents=True, exist_ok=True)
    data = Dataset(manifest=synth.load(options.dataset, config))
    with workers.pool(options.jobs) as pool:

        def until(cells: list[Cell]) -> list[equal.Outcome]:
            extract([(data, [cell.representation for cell in cells])], executor=pool)
            work = [(data, cell) for cell in cells]
            return run_until(deadline, work, executor=pool, device=options.device, progress=print)

        searched = _stored(options.out / SEARCH)
        if not (options.chosen_on or options.no_search):
            known = _known(searched, KEYS)
            wanted = [
                c for c in equal.search_cells(data, config) if _candidate(data, c) not in known
            ]
            found = until(wanted)
            searched = _added(searched, equal.search_table(found) if found else None)
            searched.to_csv(options.out / SEARCH, index=False, float_format="%.6g")
        source = options.chosen_on or data.name
        if searched is None:
            chosen = equal.carried(_means(source), data)
        else:
            tried = equal.whole(searched)
            tried = tried[tried["dataset"] == source]
            chosen = equal.carried(tried, data) if options.chosen_on else equal.choices(tried)
        prior = _prior(options.out)
        known = _known(prior, TESTED)
        cells = equal.final_cells(data, config, chosen, seeds=range(options.seeds))
        cells = [c for c in cells if not options.rows or c.row in options.rows]
        found = until([c for c in cells if (data.name, c.row, c.split, c.seed) not in known])
        if found:  # before the pool waits for cells that nobody will read
            new = tables.answers(found).assign(machine=options.machine, chosen_on=source)
            _added(prior, new).to_csv(options.out / ANSWERS, index=False, float_format="%.6g")


def publish(options: argparse.Namespace) -> None:
    """Tables and figure of what `run` left, rows of all folds only, beside the probes."""
    config = load(options.profile, jobs=1)
    answers = _prior(options.out)
    names = ["equal_accuracy", "equal_search", "equal_predictions", "equal_terms"]
    run = results.Run("equal", config, tables=names, figures=names[:1], folder=options.results)
    parts, complete = [], []
    for name in plan.PROTOCOLS:
        data = Dataset(manifest=synth.load(name, config))
        run.uses(data.name, data.manifest.digest())
        trained = answers[answers["dataset"] == name]
        folds = trained.groupby(["row", "seed"])["split"].transform("nunique")
        trained = trained[folds == len(splits(data.manifest, parts=equal.PARTS))]
        complete.append(trained)
        frozen = embeddings.titled(embeddings.of_dataset(data, steps=config.steps))
        frozen |= landmarks.probes(data, steps=config.steps)
        rows = pd.concat([trained, equal_tables.marks(data, frozen, parts=equal.PARTS)])
        reference = next(row for row in REFERENCES if row in set(rows["row"]))
        table = equal_tables.accuracy_table(rows, reference=reference)
        table.insert(0, "dataset", name)
        parts.append(table)
    table = with_holm(pd.concat(parts, ignore_index=True))
    tried = _stored(options.out / SEARCH)
    searched = _committed("equal_search") if tried is None else equal_tables.searched(tried)
    on = " and ".join(searched["dataset"].unique())
    people = table.loc[table["dataset"].isin(searched["dataset"]), "people"].max()
    caption = (
        f"Accuracy at equal chances: grid and schedule of every trained row (of those on raw "
        f"residuals and of fusion the grid alone; of CNN+LSTM the input, too) were chosen on "
        f"validation people of {on}, a fold at a time there, over all its folds for other "
        f"datasets. {equal_tables.counted(table)} Profile {config.name}."
    )
    columns = {"dataset": "generated protocol"} | equal_tables.ACCURACY
    run.table(table, names[0], caption=caption, columns=columns)
    run.table(
        searched,
        names[1],
        caption=f"The search on validation people of {on}: each candidate fitted to the inner "
        "training people of its folds, read on their validation people. Candidates with fewer "
        "folds than others were cut short by the end of a lease and could not be chosen. "
        f"{people} people in {equal.PARTS} parts; 1 seed; profile {config.name}.",
        columns=equal_tables.SEARCHED,
    )
    answers = pd.concat(complete)
    terms = equal_tables.terms_table(answers)
    run.table(
        terms,
        names[3],
        caption="MIC without one of its terms, and with more, against MIC on the same clips. "
        f"{equal_tables.counted(terms)} Profile {config.name}.",
        columns=columns,
    )
    wide = equal_tables.predictions(answers)
    rows = wide.columns.drop(list(equal_tables.PREDICTIONS))
    run.table(
        wide,
        names[2],
        caption="What each trained row answered to each test clip: all that equal_accuracy is "
        f"made of but the linear probes. {equal_tables.counted(table)} Profile {config.name}.",
        columns=equal_tables.PREDICTIONS | dict.fromkeys(rows, "answer of this row"),
    )
    run.figure(equal_tables.figure(table), names[0])
    run.complete()
    trained = answers.drop_duplicates(["dataset", "row", "split", "seed"])
    machines = {
        machine: sorted({f"{one.row} on {one.dataset}" for one in part.itertuples()})
        for machine, part in trained.groupby("machine")
    }
    results.note(Path(options.results), "equal", {"trained on": machines})


def _candidate(data: Dataset, cell: Cell) -> tuple:
    schedule, kind = cell.schedule, cell.representation.kind
    chosen = kind, cell.method.grid, schedule.epochs, schedule.learning_rate
    return data.name, cell.row, cell.split, *chosen


def _known(table: pd.DataFrame | None, keys: list[str]) -> set[tuple]:
    return set() if table is None else set(table[keys].itertuples(index=False, name=None))


def _stored(path: Path) -> pd.DataFrame | None:
    return pd.read_csv(path) if path.is_file() else None


def _committed(name: str) -> pd.DataFrame:
    return pd.read_csv(COMMITTED / f"{name}.csv")


def _means(dataset: str) -> pd.DataFrame:
    """The committed search of a dataset as one fold; the longer training wins a tie."""
    table = _committed("equal_search")
    table = table[(table["dataset"] == dataset) & (table["folds"] == equal.PARTS)]
    return table.assign(split="all", cross_entropy=-table["epochs"])


def _prior(out: Path) -> pd.DataFrame:
    """What OUT holds of answers, or what is committed of them."""
    stored = _stored(out / ANSWERS)
    if stored is not None:
        return stored
    long = equal_tables.answers(_committed("equal_predictions"))
    trained = json.loads((COMMITTED / "provenance.json").read_text("utf-8"))
    machines: dict[str, str] = {}
    for machine, rows in trained["trained on"].items():  # folds of a row may be of several
        for title in rows:
            machines[title] = " and ".join(filter(None, (machines.get(title), machine)))
    return long.assign(
        machine=(long["row"] + " on " + long["dataset"]).map(machines),
        chosen_on="synth-ck",
    )


def _added(old: pd.DataFrame | None, new: pd.DataFrame | None) -> pd.DataFrame:
    return pd.concat([part for part in (old, new) if part is not None], ignore_index=True)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=["run", "publish"])
    parser.add_argument("out", type=Path)
    parser.add_argument("--dataset", default="synth-ck")
    parser.add_argument("--chosen-on", default="", metavar="DATASET")
    parser.add_argument("--no-search", action="store_true", help="only test what was searched")
    parser.add_argument("--rows", nargs="*", default=[], help="test only these")
    parser.add_argument("--profile", default="default")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=3600.0)
    parser.add_argument("--machine", default="two processors, float32")
    parser.add_argument("--results", default="")
    options = parser.parse_args()
    plots.use_style()
    (run if options.what == "run" else publish)(options)


if __name__ == "__main__":
    main()
