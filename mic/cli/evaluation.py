"""`mic evaluate`: how right the networks are on labelled videos of one's own."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mic.cli import terminal
from mic.errors import ConfigError, printable
from mic.storage import atomic

if TYPE_CHECKING:
    import pandas as pd


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the sub-commands of this module."""
    command = commands.add_parser(
        "evaluate",
        help="accuracy, confusion and calibration on labelled videos",
        description="Asks networks about labelled videos and compares. Labels come from --labels, "
        "from file names as CREMA-D's and RAVDESS's, or from the folders in which the files lie.",
    )
    terminal.add_videos(command)
    command.add_argument(
        "--labels", type=Path, metavar="TABLE.csv", help="columns video, label, perhaps person"
    )
    command.add_argument(
        "--network",
        action="append",
        help="pictures (default) or residual (default with --weights); may be given several times",
    )
    command.add_argument("--weights", type=Path, help="of residual: a file that `mic train` wrote")
    command.add_argument(
        "--predictions",
        action="append",
        default=[],
        type=Path,
        metavar="TABLE.csv",
        help="somebody else's answers: columns video, label, perhaps window and confidence; may "
        "be given several times",
    )
    command.add_argument("--window", type=float, default=2.0, help="seconds a window")
    command.add_argument(
        "--hop", type=float, default=None, help="from window to window; default: a window"
    )
    command.add_argument(
        "--out", type=Path, default=Path("evaluation"), help="folder for tables and figures"
    )
    command.set_defaults(command=_evaluate)


def _evaluate(options: argparse.Namespace) -> int:
    from mic.codec import videos_in
    from mic.publishing import answers as tables
    from mic.publishing import labelled, labels
    from mic.recognition import Task
    from mic.recognition.table import Network

    videos = labels.labelled_videos(options.videos, labels=options.labels)
    known = {video.path.resolve() for video in videos}  # by any of its names
    left_out = [path for path in videos_in(options.videos) if path.resolve() not in known]
    if left_out:
        named = ", ".join(printable(path) for path in sorted(left_out)[:3])
        print(
            f"mic: {len(left_out)} of {len(left_out) + len(videos)} videos have no label and are "
            f"left out: {named}{', ...' if len(left_out) > 3 else ''}",
            file=sys.stderr,
        )
    answers: dict[str, pd.DataFrame] = {}
    atomic.check_writable(options.out / "summary.csv", sources=[video.path for video in videos])
    meant: list[Network] = ["residual"] if options.weights else ["pictures"]
    networks = options.network or ([] if options.predictions and not options.weights else meant)
    if options.weights and "residual" not in networks:
        raise ConfigError("--weights is of residual", remedy="add --network residual")
    tasks = {
        name: Task(
            network=name,
            window=options.window,
            hop=options.window if options.hop is None else options.hop,
            weights=options.weights if name == "residual" else None,
        )
        for name in networks
    }
    for table in options.predictions:
        if table.stem in {*answers, *tasks}:
            raise ConfigError(f"two networks would be called {table.stem}", file=table)
        answers[table.stem] = tables.read_answers(table, videos)
    for name, task in tasks.items():
        with terminal.progress(name, unit="videos") as progress:
            answers[name] = labelled.answered(videos, task, progress=progress)
    found = labelled.evaluate(videos, answers)
    for video, error in found.unread.items():
        print(f"mic: {error if video in error else f'{video}: {error}'}", file=sys.stderr)
    if found.strange:
        print(
            f"mic: no network answers {', '.join(found.strange)}: their windows count as wrong",
            file=sys.stderr,
        )
    for called, said in found.unknown.items():
        print(
            f"mic: {called} answers {', '.join(said)}, which no video is labelled: these count as "
            "wrong",
            file=sys.stderr,
        )
    for called, count in found.apart.items():
        print(
            f"mic: {called} has {count} windows that are none of ours (--window, --hop): its "
            "coverage is of its own windows",
            file=sys.stderr,
        )
    written = found.save(options.out)
    for called in answers:
        print(found.line(called))
    for pair in found.agreement.itertuples():
        print(f"{pair.first} and {pair.second} agree in {pair.same:.1%} of {pair.windows} windows")
    print(f"{len(written)} files in {options.out}")
    return 0
