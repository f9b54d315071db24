"""The tables of the transfer study; all are functions of films and trainings in the store."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch

from mic import config
from mic.config import Profile
from mic.datasets import synth
from mic.storage import cache
from mic.synthface.generate import recipe
from mic.training.schedules import Schedule
from mic.transfer import examples, scores, student
from mic.transfer.answers import disfa
from mic.transfer.examples import Examples
from mic.transfer.scenes import FACTORS, Randomisation
from mic.transfer.scores import columns, described
from mic.transfer.student import Input, Student

VARIANTS: tuple[tuple[Input, ...], ...] = (
    ("residual",),
    ("motion",),
    ("residual", "motion"),
    ("residual", "motion", "iframe"),
    ("residual", "motion", "iframe", "look"),
)
CHOSEN: tuple[Input, ...] = ("residual", "motion")
_STUDENTS = cache.Stage(name="transfer-student", version=1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sizes:
    """How much a profile does.

    Attributes:
        plan: The student's training.
        unseen: Generated people that it is asked about.
        counts: Numbers of people that are compared; the plan's is the largest.
        clips: Real clips.
        pictures: Taken of each of them; 0 takes all.
    """

    plan: Plan
    unseen: int
    counts: tuple[int, ...]
    clips: Mapping[str, str]
    pictures: int

    @classmethod
    def of(cls, profile: Profile) -> Sizes:
        """What fits a profile's time: seconds in `smoke`, minutes otherwise."""
        if profile.name == "smoke":
            schedule = dataclasses.replace(student.DEFAULT, epochs=2, batch=8)
            plan = Plan(people=3, frames=8, schedule=schedule, seed=profile.seed)
            few = {name: examples.REAL[name] for name in ("cremad_hap", "single_face")}
            return cls(plan=plan, unseen=2, counts=(1, 2, 3), clips=few, pictures=24)
        return cls(
            plan=Plan(people=24, seed=profile.seed),
            unseen=24,
            counts=(4, 12, 24),
            clips=examples.REAL,
            pictures=0,
        )

    def asked(self, *, resamples: int) -> Asked:
        """The people whom the student is asked about."""
        persons = examples.people(self.unseen, split="test")
        return Asked(
            generated=examples.generated(persons, frames=self.plan.frames),
            real=examples.real(self.clips, most=self.pictures),
            resamples=resamples,
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plan:
    """One training.

    Attributes:
        people: Generated people that it sees, one film each.
        protocols: Generated datasets whose clips it sees as well, in the default profile's sizes.
        inputs: What the student reads.
        randomisation: What of the films is at random.
        frames: Length of a film.
        schedule: How it is trained.
        seed: Of the weights.
    """

    people: int
    protocols: tuple[str, ...] = ()
    inputs: tuple[Input, ...] = CHOSEN
    randomisation: Randomisation = dataclasses.field(default_factory=Randomisation)
    frames: int = examples.FRAMES
    schedule: Schedule = student.DEFAULT
    seed: int = 0

    def films(self) -> Examples:
        """What it learns from."""
        films = examples.generated(
            examples.people(self.people, split="train"),
            randomisation=self.randomisation,
            frames=self.frames,
        )
        sizes = config.load("default", jobs=1)
        more = [examples.protocol(synth.load(name, sizes)) for name in self.protocols]
        return Examples.joined([films, *more])


def trained(plan: Plan) -> Student:
    """A student, trained or from the store.

    Raises:
        AssetError: The teacher's networks cannot be fetched.
    """

    def compute() -> dict[str, np.ndarray]:
        fitted = student.fit(
            plan.films(),
            plan.inputs,
            schedule=plan.schedule,
            jitter=plan.randomisation.jitter,
            seed=plan.seed,
        )
        return {name: value.numpy() for name, value in fitted.state_dict().items()}

    stored = cache.fetch(
        _STUDENTS,
        inputs=[recipe(), examples.teacher_digest()],
        parameters={"plan": plan},
        compute=compute,
    )
    found = Student(plan.inputs)
    found.load_state_dict({name: torch.tensor(value) for name, value in stored.items()})
    return found.eval()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Asked:
    """Who is asked: unseen generated people, and real ones.

    Attributes:
        generated: Films of people of the split "test".
        real: Clips of real people.
        resamples: Bootstrap samples behind each interval.
    """

    generated: Examples
    real: Examples
    resamples: int = scores.RESAMPLES

    def line(self, found: Student) -> dict[str, object]:
        """Scores of a student: columns `SCORE_COLUMNS`."""
        made, real = self.generated, self.real
        drawn, filmed = student.predict(found, made), student.predict(found, real)
        of = {"resamples": self.resamples}
        units = disfa(made.units)
        return {
            **columns(
                "units_r2", scores.explained(units, disfa(drawn.units), made.subjects, **of)
            ),
            **columns(
                "generated_r2", scores.explained(made.shapes, drawn.shapes, made.subjects, **of)
            ),
            **columns("real_r2", scores.explained(real.shapes, filmed.shapes, real.files, **of)),
            **columns(
                "real_pcc", scores.correlation(real.shapes, filmed.shapes, real.files, **of)
            ),
            "frames": len(real),
            "clips": len(np.unique(real.files)),
        }


SCORE_COLUMNS: Mapping[str, str] = {
    **described(
        "units_r2",
        "R² of the change of 12 action units of unseen generated people against no change",
        over="people",
    ),
    **described(
        "generated_r2", "the same of 51 blendshapes, as the teacher sees them", over="people"
    ),
    **described("real_r2", "the same of real people", over="clips"),
    **described("real_pcc", "mean correlation over the blendshapes of real people", over="clips"),
    "frames": "of real people",
    "clips": "of real people",
}
INPUT_COLUMNS: Mapping[str, str] = {"inputs": "what the student reads", **SCORE_COLUMNS}
PEOPLE_COLUMNS: Mapping[str, str] = {
    "people": "generated people that the student learned from, a film each, and those of datasets",
    "datasets": "generated datasets that it learned from as well",
    "learned": "frames that it learned from",
    **SCORE_COLUMNS,
}
FACTOR_COLUMNS: Mapping[str, str] = {
    "left_out": "what all training films have in common; empty: nothing; all: everything",
    "people": "generated people that the student learned from, a film each",
    **SCORE_COLUMNS,
    **described("difference", "real R² less that with everything at random", over="clips"),
}


def inputs_table(plan: Plan, asked: Asked) -> pd.DataFrame:
    """What the student should read; columns `INPUT_COLUMNS`."""
    rows = []
    for inputs in VARIANTS:
        found = trained(dataclasses.replace(plan, inputs=inputs))
        rows.append({"inputs": " + ".join(inputs), **asked.line(found)})
    return pd.DataFrame(rows)[list(INPUT_COLUMNS)]


def larger(plan: Plan, counts: Sequence[int]) -> list[Plan]:
    """The same training with other numbers of people, and as many steps as with the most."""
    most = max(counts)
    return [
        dataclasses.replace(
            plan,
            people=count,
            schedule=dataclasses.replace(
                plan.schedule, epochs=round(plan.schedule.epochs * most / count)
            ),
        )
        for count in counts
    ]


def people_table(
    plan: Plan, asked: Asked, counts: Sequence[int], *, extra: Sequence[Plan] = ()
) -> pd.DataFrame:
    """Over how many people it learned from; columns `PEOPLE_COLUMNS`.

    Args:
        plan: With everything but the number of people.
        asked: Who is asked.
        counts: Numbers of people; all trainings take as many steps as that with the most.
        extra: Other trainings, as they are.
    """
    rows = []
    for one in [*larger(plan, counts), *extra]:
        films = one.films()
        line = {"people": len(set(films.people)), "datasets": ", ".join(one.protocols)}
        rows.append({**line, "learned": len(films), **asked.line(trained(one))})
    return pd.DataFrame(rows)[list(PEOPLE_COLUMNS)]


def variations(plan: Plan, factors: Sequence[str]) -> dict[str, Randomisation]:
    """What is at random with each factor left out, and with all of them."""
    chosen = {factor: plan.randomisation.without(factor) for factor in factors}
    nothing = plan.randomisation
    for factor in factors:
        nothing = nothing.without(factor)
    return {**chosen, "all": nothing}


def factor_table(plan: Plan, asked: Asked, *, factors: Sequence[str] = FACTORS) -> pd.DataFrame:
    """Each randomisation left out of the training films; columns `FACTOR_COLUMNS`."""
    whole = trained(plan)
    real = asked.real
    before = student.predict(whole, real).shapes
    none = {"difference": np.nan, "difference_low": np.nan, "difference_high": np.nan}
    rows = [{"left_out": "", "people": plan.people, **asked.line(whole), **none}]
    for factor, chosen in variations(plan, factors).items():
        found = trained(dataclasses.replace(plan, randomisation=chosen))
        after = student.predict(found, real).shapes
        less = scores.gained(real.shapes, before, after, real.files, resamples=asked.resamples)
        line = {"left_out": factor, "people": plan.people, **asked.line(found)}
        rows.append({**line, **columns("difference", less)})
    return pd.DataFrame(rows)[list(FACTOR_COLUMNS)]
