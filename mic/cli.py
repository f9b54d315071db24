"""The `mic` command: one sub-command a job, each a thin layer over a function of the library."""

from __future__ import annotations

import argparse
import ast
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from mic import config, provenance
from mic.errors import MicError


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one sub-command.

    Returns:
        0 when everything went well, 1 on an error that the user can mend, 130 on Ctrl-C;
        argparse leaves with 2 on a wrong command line.
    """
    options = _parser().parse_args(arguments)
    try:
        return options.command(options)
    except MicError as error:
        print(f"mic: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("mic: interrupted; the same command goes on from here", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # `mic ... | head` closed our standard output; Python would complain again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="mic", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_run(commands)
    return parser


def _add_run(commands: argparse._SubParsersAction) -> None:
    command = commands.add_parser("run", help="run the notebooks, in order, into results")
    command.add_argument("--profile", default="auto", help=f"one of {', '.join(config.PROFILES)}")
    command.add_argument("--only", action="append", default=[], metavar="NN", help="repeatable")
    command.add_argument(
        "-p", "--parameter", nargs=2, action="append", default=[], metavar=("NAME", "VALUE")
    )
    command.add_argument("--results", default="", help="another folder for the results")
    command.add_argument("--notebooks", type=Path, default=None, help="another notebook folder")
    command.add_argument("--force", action="store_true", help="run also what has not changed")
    command.add_argument(
        "--in-place", action="store_true", help="write the executed notebooks back, cleaned"
    )
    command.set_defaults(command=_run)


def _run(options: argparse.Namespace) -> int:
    from mic.notebooks import Runner

    given = {name: _literal(value) for name, value in options.parameter}
    preset = config.load(options.profile)
    fields = {name: value for name, value in given.items() if hasattr(preset, name)}
    runner = Runner(
        options.notebooks or provenance.repository() / "notebooks",
        config.load(options.profile, **fields),
        folder=options.results,
        parameters=given,
        force=options.force,
        in_place=options.in_place,
    )
    outcomes = runner.run(options.only)
    ran = [outcome for outcome in outcomes if outcome.ran]
    seconds = sum(outcome.seconds for outcome in ran)
    print(f"{len(ran)} notebooks ran in {seconds:.0f} s, {len(outcomes) - len(ran)} unchanged")
    print(f"results: {runner.folder}")
    return 0


def _literal(text: str) -> object:
    try:
        return ast.literal_eval(text)
    except (SyntaxError, ValueError):
        return text
