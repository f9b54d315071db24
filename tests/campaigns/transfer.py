"""The transfer study beyond a notebook's minutes: more people, each randomisation left out.

    python -m campaigns.transfer run [--seconds 3600]       # from tests/
    python -m campaigns.transfer publish [--results ../results]

`run` draws films and trains students until the time is over, most wanted first; what is in the
store (`MIC_HOME`) is not made again. `publish` writes results/transfer/ and the student that
ships, whose digest belongs into `mic.transfer.shipped`.
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from collections.abc import Callable, Iterator

import torch

from mic.config import load
from mic.errors import DatasetError
from mic.publishing import plots, results
from mic.storage import assets
from mic.transfer import answers, examples, figures, shipped, student, study
from mic.transfer.scenes import FACTORS

PEOPLE, UNSEEN, COUNTS = 128, 48, (8, 32, 128)
FACTOR_PEOPLE = 24
# Of the real clips. One keyframe a file is what people's own files mostly have.
CODINGS: dict[str, dict[str, int]] = {
    "I-VOP every 48, quantiser 2": {},
    "I-VOP every 48, quantiser 8": {"quantiser": 8},
    "one I-VOP, quantiser 2": {"group": 1_000_000},
}
PROTOCOLS = ("synth-afew", "synth-mmi", "synth-ck")
INTERVALS = (0.4, 0.8, 1.2)
PLAN = study.Plan(people=PEOPLE, schedule=dataclasses.replace(student.DEFAULT, epochs=15))
FACTOR_PLAN = study.Plan(
    people=FACTOR_PEOPLE, schedule=dataclasses.replace(student.DEFAULT, epochs=40)
)
LARGE = study.Plan(
    people=PEOPLE,
    protocols=PROTOCOLS,
    schedule=dataclasses.replace(student.DEFAULT, epochs=12),
)


def work() -> Iterator[Callable[[], object]]:
    """Everything that takes time, most wanted first; single films, so that a stop costs little."""
    for split, count in (("train", PEOPLE), ("test", UNSEEN)):
        for person in examples.people(count, split=split):
            yield lambda person=person: examples.generated([person])
    for coding in CODINGS.values():
        yield lambda coding=coding: examples.real(**coding)
    for chosen in study.variations(FACTOR_PLAN, FACTORS).values():
        for person in examples.people(FACTOR_PEOPLE, split="train"):
            yield lambda person=person, chosen=chosen: examples.generated(
                [person], randomisation=chosen
            )
    yield lambda: study.trained(LARGE)
    for plan in (*study.larger(PLAN, COUNTS), FACTOR_PLAN):
        yield lambda plan=plan: study.trained(plan)
    for chosen in study.variations(FACTOR_PLAN, FACTORS).values():
        plan = dataclasses.replace(FACTOR_PLAN, randomisation=chosen)
        yield lambda plan=plan: study.trained(plan)


def run(seconds: float) -> None:
    """Works until the time is over."""
    torch.set_num_threads(1)
    deadline = time.monotonic() + seconds
    for one in work():
        if time.monotonic() > deadline:
            return
        try:
            one()
        except DatasetError:
            continue  # a film in whose first picture no face is found; such are left out
    print("everything is in the store")


def publish(folder: str) -> None:
    """Writes the tables and figures; trains what `run` has not."""
    torch.set_num_threads(1)
    plots.use_style()
    asked = study.Asked(
        generated=examples.generated(examples.people(UNSEEN, split="test")), real=examples.real()
    )
    large = study.trained(LARGE)
    shipped.save(large, shipped.PATH, about=repr(LARGE))
    said, learned = student.predict(large, asked.real), LARGE.films()
    tables = {
        "transfer_people": (
            study.people_table(PLAN, asked, COUNTS, extra=[LARGE]),
            "Students over the number of generated people that they learned from.",
            study.PEOPLE_COLUMNS,
        ),
        "transfer_factors": (
            study.factor_table(FACTOR_PLAN, asked),
            "Each randomisation left out of a small training.",
            study.FACTOR_COLUMNS,
        ),
        "transfer_units": (
            answers.unit_table(
                student.predict(large, asked.generated),
                asked.generated,
                answers.thresholds(student.predict(large, learned), learned),
                resamples=asked.resamples,
            ),
            "Twelve action units of unseen generated people, from residuals and motion.",
            answers.UNIT_COLUMNS,
        ),
        "transfer_real": (
            answers.clip_table(said, asked.real, resamples=asked.resamples),
            "Change of the blendshapes of real people, from residuals and motion.",
            answers.CLIP_COLUMNS,
        ),
        "transfer_looks": (
            answers.hold_table(said, asked.real, INTERVALS, resamples=asked.resamples),
            "What the student adds to the last look.",
            answers.HOLD_COLUMNS,
        ),
    }
    codings = {name: examples.real(**options) for name, options in CODINGS.items()}
    tables["transfer_codings"] = (
        answers.coding_table(
            {name: (student.predict(large, clips), clips) for name, clips in codings.items()},
            resamples=asked.resamples,
        ),
        "The same real clips coded in several ways.",
        answers.CODING_COLUMNS,
    )
    drawn = {
        "transfer_people": figures.people(tables["transfer_people"][0]),
        "transfer_factors": figures.factors(tables["transfer_factors"][0]),
        "transfer_units": figures.units(tables["transfer_units"][0]),
        "transfer_real": figures.clips(tables["transfer_real"][0]),
        "transfer_looks": figures.looks(tables["transfer_looks"][0]),
        "transfer_codings": figures.codings(tables["transfer_codings"][0]),
    }
    made = results.Run(
        "transfer", load("default"), tables=[*tables], figures=[*drawn], folder=folder
    )
    for name in examples.REAL:
        made.uses(name, assets.sha256_of(assets.path(name)))
    sizes = [
        f"{len(one)} frames of {len(set(one.people))} {kind} people"
        for one, kind in ((asked.generated, "generated"), (asked.real, "real"))
    ]
    about = {"transfer_people": sizes, "transfer_units": sizes[:1]}
    for name, (table, caption, columns) in tables.items():
        text = made.caption(caption, *about.get(name, sizes[1:]))
        made.table(table, name, caption=text, columns=columns)
    for name, figure in drawn.items():
        made.figure(figure, name)
    made.complete()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    running = commands.add_parser("run")
    running.add_argument("--seconds", type=float, default=3600)
    publishing = commands.add_parser("publish")
    publishing.add_argument("--results", default="../results")
    arguments = parser.parse_args()
    if arguments.command == "run":
        run(arguments.seconds)
    else:
        publish(arguments.results)
