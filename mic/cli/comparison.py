"""`mic compare`: a table of published accuracies beside one's own results."""

from __future__ import annotations

import argparse
from pathlib import Path

from mic.errors import ConfigError, ResultError
from mic.storage import atomic, provenance

# The paper's tables by their numbers.
_TABLES = {"1": "CK+", "3": "MMI", "4": "AFEW"}


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the sub-commands of this module."""
    command = commands.add_parser(
        "compare", help="published accuracies beside those of a results folder"
    )
    command.add_argument(
        "table",
        metavar="PAPER_TABLE",
        help="1 (CK+), 3 (MMI) or 4 (AFEW) of the paper, or a CSV file with the columns dataset, "
        "method, accuracy (in per cent)",
    )
    command.add_argument("results", type=Path, metavar="RESULTS", help="folder of `mic run`")
    command.add_argument(
        "--dataset", default="", help="which dataset of the table, where it has several"
    )
    command.add_argument(
        "--data", default="", metavar="NAME", help="which data of the results, as ckplus"
    )
    command.add_argument(
        "--clips", type=int, help="clips behind the published accuracies, for their intervals"
    )
    command.add_argument("--out", type=Path, help="folder; by default RESULTS/compare")
    command.set_defaults(command=_compare)


def _compare(options: argparse.Namespace) -> int:
    import matplotlib.pyplot as plt

    from mic.experiments import given
    from mic.peers import PEERS
    from mic.publishing import comparison, own_rows
    from mic.publishing.plots import STYLE
    from mic.publishing.report import latex

    own = options.table not in {*_TABLES, *_TABLES.values()}
    path = options.table if own else provenance.repository() / "results" / "paper.csv"
    if not own and not Path(path).is_file():
        raise ConfigError(
            "the paper's tables come with a checkout of the repository, and this is none",
            file=path,
            remedy="run from a checkout, or give a CSV file with such a table",
        )
    published = comparison.read_published(path)
    wanted = options.dataset if own else _TABLES.get(str(options.table), str(options.table))
    dataset = _only(wanted, list(dict.fromkeys(published["dataset"])), "--dataset")
    data = options.data or _of_shape(dataset, options.results)
    if options.clips is not None and options.clips < 1:
        raise ConfigError(f"--clips is {options.clips}", remedy="use 1 or more")
    ours = own_rows.rows_of(options.results, data)
    differs = {peer.title: peer.differs for peer in PEERS.values()}
    rates = _rates(data, options.results)
    table = comparison.with_difference(
        comparison.table(
            ours, published, dataset=dataset, differs=differs, rates=rates, known=not own
        ),
        n=options.clips or (None if own else comparison.SIZES[dataset]),
    )
    note = _note(dataset, data, options.results)
    if dataset in _TABLES.values() and given.counterpart(data) != dataset:
        note += f"; {data} is not {dataset}, so the differences do not compare methods"
    folder = options.out or options.results / "compare"
    name = f"compare_{data}".replace("-", "_")
    atomic.write_text(folder / f"{name}.csv", table.to_csv(index=False, float_format="%.6g"))
    atomic.write_text(
        folder / f"{name}.tex", latex.table(table, name=name, caption=f"{dataset}: {note}.")
    )
    with plt.style.context(STYLE), atomic.replacing(folder / f"{name}.png") as temporary:
        comparison.figure({f"{dataset}: {data}": table}).savefig(
            temporary, metadata={"Software": None}
        )
    shown = table.drop(columns=["published_fps", "fps"]).round(4)
    print(shown.to_string(index=False, na_rep="", max_colwidth=60))
    print(f"{note}.")
    print(f"{folder / name}.csv, .tex, .png")
    return 0


def _only(wanted: str, known: list[str], option: str) -> str:
    """The wanted one of those that are there, or the only one."""
    if not wanted and len(known) == 1:
        return known[0]
    if wanted not in known:
        raise ConfigError(
            f"{wanted!r} is not in it" if wanted else "it has several",
            place=option,
            remedy=f"choose one of {', '.join(known) or 'none: it is empty'}",
        )
    return wanted


def _of_shape(dataset: str, folder: Path) -> str:
    """The data of the results that a published table is about: given ones before generated."""
    from mic.experiments import given
    from mic.publishing import results

    names: list[str] = []
    for record in results.records(folder):
        # Not those that are derived: re-encoded, or with another identity network.
        names += [name for name in provenance.read(record)["data"] if " " not in name]
    if not names:
        raise ResultError(
            "holds no results",
            file=folder,
            remedy="give the folder that `mic run` names in its last line",
        )
    mine = [name for name in dict.fromkeys(names) if given.counterpart(name) == dataset]
    mine = [name for name in mine if given.shown(name)] or mine[:1]
    if not mine:
        raise ResultError(
            f"holds nothing of {dataset} or of its shape, but {', '.join(dict.fromkeys(names))}",
            file=folder,
            remedy="give the results of a run on it, or choose with --data NAME",
        )
    return _only("", mine, "--data")


def _rates(data: str, folder: Path) -> dict[str, float]:
    """Frames a second of each row on clips of the dataset, where notebook 07 has timed them."""
    from mic.publishing import results

    path = results.table_path("speed_datasets", folder=folder)
    if path is None:
        return {}
    timed = results.csv(path)
    timed = timed[timed["dataset"] == data]
    return dict(zip(timed["method"], timed["fps"], strict=True))


def _note(dataset: str, data: str, folder: Path) -> str:
    """One sentence on the protocols, from what the results say of themselves."""
    from mic.experiments import given
    from mic.publishing import comparison, results

    if not given.shown(data) and dataset in comparison.PROTOCOL_NOTES:
        return comparison.protocol_note(dataset)
    path = results.table_path("training_accuracy", folder=folder)
    if path is None:
        return comparison.protocol_note(dataset, f"clips of {data}")
    lines = results.csv(path).set_index("protocol")
    if data not in lines.index:
        return comparison.protocol_note(dataset, f"clips of {data}")
    line = lines.loc[data]
    from mic.datasets import DATASETS

    whole = "published clips" if data in DATASETS else "clips"
    return comparison.protocol_note(
        dataset,
        f"{line['clips']:.0f} tested clips of {_called(data)}, {line['coverage']:.1%} of whose "
        f"{whole} can be used (parts tested: {line['folds']:.0f}, seeds: {line['seeds']:.0f})",
    )


def _called(data: str) -> str:
    """A dataset as a sentence names it: of a variant what makes it one, and its classes."""
    from mic.datasets import DATASETS

    known = DATASETS.get(data)
    if known is None or not known.base:
        return data
    return f"{data} ({known.title}; {len(known.classes)} classes: {', '.join(known.classes)})"
