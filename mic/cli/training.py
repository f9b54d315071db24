"""`mic train` and `mic train-shipped`: networks for `mic predict`."""

from __future__ import annotations

import argparse
import dataclasses
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mic import config
from mic.errors import ConfigError, printable

if TYPE_CHECKING:
    from mic.evaluation.leakage import Leakage
    from mic.fitting import Fit


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the sub-commands of this module."""
    command = commands.add_parser(
        "train",
        help="a network from your own videos, in folders named as their classes",
        description="Trains a residual network on videos in class folders, and tests it on people "
        "that it was not trained on. Who is seen is the folder below the class "
        "(happy/anna/1.mp4), or the name up to the first _, - or space (happy/anna-1.mp4); a "
        "table valence.csv may rate videos. Stopped and started again, it goes on. `mic predict "
        "--weights` reads what it writes.",
    )
    command.add_argument("folder", type=Path, help="its sub-folders are the classes")
    command.add_argument(
        "--out",
        type=Path,
        default=None,
        help="folder for model.safetensors and its tests; default: FOLDER-model",
    )
    command.add_argument("--epochs", type=int, default=None, help="default: 40")
    command.add_argument(
        "--folds",
        type=int,
        default=5,
        help="one of so many parts of the people is the test; default: 5",
    )
    command.add_argument(
        "--subject",
        default=None,
        metavar="REGEX",
        help="finds who is seen in a file's name, by its first group if it has one",
    )
    command.add_argument(
        "--identity", default="mobilefacenet", help="network to measure leakage with, or none"
    )
    command.add_argument("--seed", type=int, default=0, help="of weights and batches; default: 0")
    command.set_defaults(command=_train, resumed=True)
    command = commands.add_parser(
        "train-shipped", help="make the shipped network again, from generated faces"
    )
    command.add_argument("--profile", default="default", help="which data: numbers and sizes")
    command.add_argument("--out", type=Path, default=None, help="default: mic/weights")
    command.set_defaults(command=_train_shipped)


def _train(options: argparse.Namespace) -> int:
    from mic import fitting
    from mic.codec import as_called
    from mic.fitting.clips import understood
    from mic.fitting.training import SCHEDULE
    from mic.training import parallel

    schedule = SCHEDULE
    if options.epochs is not None:
        schedule = dataclasses.replace(schedule, epochs=options.epochs)
    if options.folds < 2:
        raise ConfigError(f"--folds is {options.folds}", remedy="use 2 or more")
    if not 0 <= options.seed < 2**31:
        raise ConfigError(f"--seed is {options.seed}", remedy="use 0 to 2147483647")
    folder = as_called(options.folder)  # of `.`, too
    if not options.out and not folder.name:
        raise ConfigError(f"{folder} has nothing beside it", remedy="say where with --out")
    target = options.out or folder.with_name(f"{folder.name}-model")
    videos = fitting.class_folders(options.folder, subject=options.subject)
    with parallel.joined() as device:
        if parallel.is_first():
            print(understood(videos), flush=True)
        made = fitting.fit(
            videos,
            target,
            schedule=schedule,
            folds=options.folds,
            seed=options.seed,
            network=options.identity,
            device=device,
            progress=_progress if parallel.is_first() else None,
        )
        if not parallel.is_first():
            return 0
    _show(made)
    print("beside them: confusion.csv, confusion.png, leakage.csv, fit.json")
    print(f"try it: mic predict VIDEO --weights {made.weights}")
    return 0


def _train_shipped(options: argparse.Namespace) -> int:
    from mic.fitting import shipped
    from mic.recognition import recogniser

    made = shipped.train(
        config.load(options.profile),
        target=options.out or recogniser.SHIPPED,
        progress=_progress,
    )
    _show(made)
    return 0


def _count(number: int, noun: str) -> str:
    plural = {"clip": "clips", "person": "people"}[noun]
    return f"{number} {noun if number == 1 else plural}"


def _show(made: Fit) -> None:
    for one in made.left_out:
        print(f"left out: {printable(one.path)}: {one.reason}", file=sys.stderr)
    width = max(len(name) for name in made.classes) + 2
    print("unseen people's clips; a row is a true class, a column a predicted one")
    print("".join([" " * width, *(f"{name:>{width}}" for name in made.classes)]))
    for name, row in zip(made.classes, made.confusion, strict=True):
        print(f"{name:<{width}}" + "".join(f"{count:>{width}}" for count in row))
    right = made.accuracy
    share = (
        f"{right.value:.1%} [{right.low:.1%}, {right.high:.1%}]"
        if made.test_clips
        else "not measurable"
    )
    print(
        f"accuracy {share}, 95 % over people, on {_count(made.test_clips, 'clip')} of "
        f"{_count(made.test_subjects, 'person')} not among the {made.train_subjects} "
        f"trained on ({_count(made.train_clips, 'clip')})"
    )
    _show_leakage(made.leakage)
    if made.rated:
        found = _known(made.concordance)
        print(f"valence: concordance {found} on {made.rated} rated clips of these people")
    print(f"weights: {made.weights}")


def _show_leakage(found: Leakage) -> None:
    """How much of who is seen is left in the features; `Leakage` says how it is found."""
    print(
        f"leakage, on {_count(found.clips, 'clip')} of {_count(found.subjects, 'person')}:\n"
        f"  one person told from another by likeness: AUC {_known(found.auc)} (0.5: not at all), "
        f"equal error rate {_known(found.eer)}\n"
        f"  in directions learned from the training people: AUC {_known(found.trained_auc)}\n"
        f"  clips whose person a probe names: linear {_known(found.linear_probe)}, network "
        f"{_known(found.mlp_probe)}, guessing {_known(found.probe_chance)}\n"
        f"  identity coefficients explained: R² linear {_known(found.r2_linear)}, network "
        f"{_known(found.r2_mlp)}"
    )


def _known(value: float) -> str:
    return "not measurable" if math.isnan(value) else f"{value:.3g}"


def _progress(stage: str, done: int, total: int) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{stage} {done}/{total}" + ("\n" if done == total else ""))
        sys.stderr.flush()
