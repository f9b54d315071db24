"""`mic run` and `mic report`: the notebooks, and the page of their results."""

from __future__ import annotations

import argparse
import ast
import dataclasses
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mic import config
from mic.cli import terminal
from mic.errors import ConfigError, ResultError
from mic.publishing.run_times import Expected, in_words
from mic.storage import atomic, provenance

if TYPE_CHECKING:
    import pandas as pd

    from mic.experiments.data import Dataset
    from mic.publishing.notebooks import Runner

# The notebooks that take given data: those of clips with classes, and those of rated recordings.
_LABELLED_STUDIES = ("04", "05", "06", "07", "09")
_RATED_STUDIES = ("08",)
# Parameters that are an option of the command: they decide where results go and what is in them.
_OPTIONS = {
    "profile": "--profile",
    "results_folder": "--results",
    "datasets": "--data",
    "show_people": "--show-people",
}


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the sub-commands of this module."""
    command = commands.add_parser("run", help="run the notebooks, in order, into results")
    command.add_argument("--profile", default="auto", help=f"one of {', '.join(config.PROFILES)}")
    command.add_argument("--only", action="append", default=[], metavar="NN", help="repeatable")
    command.add_argument(
        "-p",
        "--parameter",
        nargs=2,
        action="append",
        default=[],
        metavar=("NAME", "VALUE"),
        help="a parameter of the notebooks' first cell, `seeds 3` for instance; may be repeated",
    )
    command.add_argument(
        "--data",
        action="append",
        default=[],
        metavar="NAME=PATH",
        help="run on this instead of generated data: a dataset that `mic fetch` lists (ckplus, "
        "recola ...) with its folder; class folders or a table of clips under any other name; a "
        "generated protocol's name alone, or that of a dataset fetched before. Repeatable; "
        "results get a folder of their own",
    )
    command.add_argument(
        "--show-people",
        action="store_true",
        help="also write the figures in which people of the given data can be recognised; read "
        "the data's licence first",
    )
    command.add_argument("--results", default="", help="another folder for the results")
    command.add_argument("--notebooks", type=Path, default=None, help="another notebook folder")
    command.add_argument("--force", action="store_true", help="run also what has not changed")
    command.add_argument(
        "--in-place", action="store_true", help="write the executed notebooks back, cleaned"
    )
    command.add_argument(
        "--compare",
        action="store_true",
        help="end by comparing with the committed tables (the exit status tells nothing of it: "
        "other processors have other last digits)",
    )
    command.add_argument(
        "--from-provenance",
        type=Path,
        metavar="FILE",
        help="repeat the run of results/NN_name/provenance.json elsewhere, and compare its tables",
    )
    terminal.add_scheduler(command)
    command.set_defaults(command=_run, resumed=True)
    command = commands.add_parser(
        "report", help="all tables, figures and provenance as one HTML page"
    )
    command.add_argument("--results", type=Path, default=None, help="folder of the results")
    command.add_argument("--out", type=Path, default=None, help="default: report.html in there")
    command.add_argument(
        "--fill", type=Path, metavar="PAGE.md", help="renew the marked tables of a Markdown page"
    )
    command.add_argument(
        "--latex", type=Path, metavar="FOLDER", help="write every table as NAME.tex into a folder"
    )
    command.set_defaults(command=_report)


def _run(options: argparse.Namespace) -> int:
    from mic.publishing.declared import check_parameters
    from mic.publishing.notebooks import Runner, find
    from mic.publishing.results import PROVENANCE

    if options.from_provenance is not None:
        return _repeat(options)
    given = {name: _literal(value) for name, value in options.parameter}
    for name in _OPTIONS.keys() & given.keys():
        raise ConfigError(
            f"{name} is not given by -p", remedy=f"use {_OPTIONS[name]}, see `mic run --help`"
        )
    if options.show_people and not options.data:
        raise ConfigError(
            "--show-people is of given data: generated people are always shown",
            remedy="leave it out, or give --data",
        )
    preset = config.load(options.profile)
    fields = {name: value for name, value in given.items() if hasattr(preset, name)}
    profile = config.load(options.profile, **fields)
    committed = _committed(options, profile) if options.compare else {}
    notebooks = options.notebooks or provenance.repository() / "notebooks"
    if not options.data:  # with data they decide which notebooks run
        for path in find(notebooks, options.only):
            check_parameters(path, given.keys())
    _check_folder(options, profile, given.keys() - fields.keys())
    texts, prepared, suited = _prepared(
        options.data, profile, only=options.only if options.notebooks is None else ()
    )
    digests = {name: data.manifest.digest() for name, data in prepared.items()}
    runner = Runner(
        notebooks,
        profile,
        folder=options.results,
        parameters=given,
        force=options.force,
        in_place=options.in_place,
        datasets=texts,
        digests=digests,
        show_people=options.show_people,
    )
    only = options.only or suited
    _announce(runner.expected(only), prepared, profile)
    outcomes = runner.run(only)
    if digests:
        from mic.experiments.given import check_unchanged  # brings torch along

        check_unchanged([runner.folder / one.name / PROVENANCE for one in outcomes], digests)
    ran = [outcome for outcome in outcomes if outcome.ran]
    seconds = sum(outcome.seconds for outcome in ran)
    print(f"{len(ran)} notebooks ran in {seconds:.0f} s, {len(outcomes) - len(ran)} unchanged")
    print(f"results: {runner.folder}")
    if committed:
        _compare(runner, [one.name for one in outcomes], committed)
    return 0


def _check_folder(
    options: argparse.Namespace, profile: config.Profile, beside: Collection[str]
) -> None:
    """Refuses a folder of results before data are built for it.

    Args:
        options: Of the command.
        profile: Of the run.
        beside: Parameters of notebooks that are no field of the profile.
    """
    from mic.publishing import results

    folder = results.folder_of(profile, options.results, datasets=options.data)
    if beside and folder.resolve() == (provenance.repository() / "results").resolve():
        raise ConfigError(
            f"-p {sorted(beside)[0]} would replace the committed results, made without it",
            remedy="give --results FOLDER",
        )
    atomic.check_writable(folder / "notebooks" / "00.json")


def _announce(
    expected: Sequence[Expected], data: Mapping[str, Dataset], profile: config.Profile
) -> None:
    """Prints how long the notebooks will take, as far as that has been measured."""
    if not expected:
        return
    print(f"expected time, on {config.usable_cores()} cores here:")
    for one in expected:
        print(f"  {one}")
    known = [one.seconds for one in expected if one.seconds is not None]
    if len(known) == len(expected) > 1:
        print(f"  all: {in_words(sum(known))}")
    unknown = [one.notebook for one in expected if one.seconds is None]
    classified = {name: one for name, one in data.items() if one.manifest.classes}
    if unknown and classified:
        from mic.experiments.forecast import forecast  # brings torch along

        found = forecast(classified, profile, unknown)
        print(f"  {found or 'nothing to train'}")
    sys.stdout.flush()  # a run may take days, and whoever reads a pipe wants this now


def _prepared(
    texts: Sequence[str], profile: config.Profile, *, only: Sequence[str] = ()
) -> tuple[list[str], dict[str, Dataset], list[str]]:
    """Builds the given data, says what is there and what is left out.

    Args:
        texts: As `--data` has them.
        profile: Decides how large the clips are built.
        only: Notebooks that are asked for: each must be one that such data suit.

    Returns:
        The texts with absolute paths (notebooks run elsewhere), the datasets by name, and the
        numbers of the notebooks that such data suit.
    """
    if not texts:
        return [], {}, []
    from mic.experiments import given

    chosen = given.parse(texts)
    suited = list(_LABELLED_STUDIES) if any(not one.rated for one in chosen) else []
    suited += list(_RATED_STUDIES) if any(one.rated for one in chosen) else []
    if unfit := [name for name in only if name[:2] not in suited]:
        raise ConfigError(
            f"notebook {unfit[0]} does not run on {', '.join(one.name for one in chosen)}",
            remedy=f"clips with classes go with {', '.join(_LABELLED_STUDIES)}, recordings with "
            f"traces, as recola, with {', '.join(_RATED_STUDIES)}; run others without --data",
        )
    absolute = [  # of a link its own place: what a table names lies beside it
        one.name if one.path is None else f"{one.name}={one.path.absolute()}" for one in chosen
    ]
    prepared = {}
    for one in given.parse(absolute):
        size = profile.size * 3 // 2 if one.rated else profile.size
        with terminal.progress(one.name, unit="clips") as progress:
            data = given.load(one, dataclasses.replace(profile, size=size), progress=progress)
        print(data.summary(profile.parts))
        for clip in data.absent:
            print(f"  left out: {clip.clip}: {clip.path.name}: {clip.reason}")
        prepared[one.name] = data
    return absolute, prepared, sorted(suited)


def _repeat(options: argparse.Namespace) -> int:
    from mic.publishing import reproduction

    asked = (options.parameter, options.only, options.in_place, options.data, options.show_people)
    if any(asked) or options.compare or options.force or options.profile != "auto":
        raise ConfigError(
            "the record decides notebook, profile and parameters",
            remedy="give --from-provenance with --results and --notebooks only",
        )
    done = reproduction.repeat(
        options.from_provenance, notebooks=options.notebooks, folder=options.results
    )
    for difference in done.differences:
        print(f"not as recorded: {difference}", file=sys.stderr)
    print(f"{done.notebook}, committed against repeated, in cells:")
    print(done.tables.to_string(index=False, na_rep=""))
    print(f"results: {done.folder}")
    return 0 if done.holds else 1


def _compare(runner: Runner, made: Sequence[str], committed: Mapping[str, pd.DataFrame]) -> None:
    """Prints committed against reproduced tables of the notebooks that this folder's runs made."""
    from mic.publishing import reproduction

    table = reproduction.report(runner.folder, only=made, committed=committed)
    print("committed against reproduced, in cells; tables of the notebooks named:")
    if not len(table):
        print("none of them is committed")
        return
    print(table.to_string(index=False, na_rep=""))
    counts = table["state"].value_counts()
    print(", ".join(f"{state}: {count}" for state, count in counts.items()))


def _committed(options: argparse.Namespace, profile: config.Profile) -> dict[str, pd.DataFrame]:
    """The committed tables, read before anything runs and may replace them.

    None for profiles of which nothing is committed.

    Raises:
        ConfigError: What is asked for is not what the committed tables are of.
        ResultError: They are nowhere.
    """
    from mic.publishing import reproduction

    if options.data:
        raise ConfigError(
            "--compare: the committed tables are of generated data",
            remedy="leave it out; `mic compare` sets results of --data beside published ones",
        )
    if profile.name != "default":
        print(
            f"the committed tables are of the default profile; {profile.name} has none to compare"
        )
        return {}
    if profile.digest() != config.load("default").digest():
        raise ConfigError(
            "--compare: the committed tables are of the default profile as it is",
            remedy="run the default profile without -p, or leave --compare out",
        )
    try:
        return reproduction.committed_tables()
    except ResultError as error:
        found = reproduction.tables_at_rest()
        if not found:
            raise
        print(
            f"mic: {error.message}: compared with the tables that lie in results/ now, those that "
            "no run here has replaced",
            file=sys.stderr,
        )
        return found


def _literal(text: str) -> object:
    try:
        return ast.literal_eval(text)
    except (SyntaxError, ValueError):
        return text


def _report(options: argparse.Namespace) -> int:
    from mic.publishing import report

    folder = options.results or provenance.repository() / "results"
    if options.fill is not None:
        print(f"{options.fill}: {', '.join(report.fill(options.fill, folder))}")
        return 0
    if options.latex is not None:
        print(f"{options.latex}: {len(report.export_latex(folder, options.latex))} tables")
        return 0
    made = report.page(folder, options.out or folder / "report.html")
    print(
        f"{made.path}: {len(made.notebooks)} notebooks, {made.tables} tables, "
        f"{made.figures} figures"
    )
    for name in made.changed:
        print(f"changed since its notebook wrote it: {name}")
    return 1 if made.changed else 0
