"""The study's tables on a few small films: what is compared with what, and kept in the store."""

import dataclasses

import containers
import numpy as np
import pytest
import torch

from mic import config
from mic.errors import DatasetError
from mic.storage import assets
from mic.transfer import speed, student, study
from mic.transfer.scenes import Randomisation

SCHEDULE = dataclasses.replace(student.DEFAULT, epochs=2, batch=8)
PLAN = study.Plan(people=2, frames=6, schedule=SCHEDULE)


@pytest.fixture
def sizes(home):
    smoke = study.Sizes.of(config.load("smoke"))
    few = {"single_face": "single_face"}
    return dataclasses.replace(smoke, plan=PLAN, unseen=2, counts=(1, 2), clips=few, pictures=8)


@pytest.fixture
def asked(sizes):
    return sizes.asked(resamples=20)


def test_a_training_is_kept(home, monkeypatch):
    first = study.trained(PLAN)

    def never(*_, **__):
        raise AssertionError("trained again")

    monkeypatch.setattr(student, "fit", never)
    again = study.trained(PLAN)
    for name, value in first.state_dict().items():
        assert torch.equal(value, again.state_dict()[name])
    with pytest.raises(AssertionError, match="trained again"):
        study.trained(dataclasses.replace(PLAN, seed=1))


def test_tables_have_a_row_each_and_the_columns_that_are_described(asked):
    inputs = study.inputs_table(PLAN, asked)
    assert [*inputs["inputs"]] == [" + ".join(one) for one in study.VARIANTS]
    assert [*inputs.columns] == [*study.INPUT_COLUMNS]
    assert np.isfinite(inputs["real_r2"]).all()


def test_more_people_take_no_more_steps(asked, monkeypatch):
    steps = []
    fit = student.fit

    def counted(films, inputs, *, schedule, **options):
        steps.append(schedule.epochs * len(films))
        return fit(films, inputs, schedule=schedule, **options)

    monkeypatch.setattr(student, "fit", counted)
    table = study.people_table(PLAN, asked, (1, 2))
    assert [*table["people"]] == [1, 2]
    assert steps[0] == steps[1]


def test_a_factor_is_compared_with_everything_at_random(asked):
    table = study.factor_table(PLAN, asked, factors=("jitter",))
    assert [*table["left_out"]] == ["", "jitter", "all"]
    apart = table["real_r2"].iloc[1] - table["real_r2"].iloc[0]
    assert table["difference"].iloc[1] == pytest.approx(apart)


def test_plans_of_other_randomisations_are_other_trainings(home):
    other = dataclasses.replace(PLAN, randomisation=Randomisation().without("jitter"))
    one, two = (study.trained(plan).state_dict() for plan in (PLAN, other))
    assert not torch.equal(one["output.weight"], two["output.weight"])


def test_speeds_are_of_student_and_teacher(asked):
    clip = assets.path("cremad_hap")
    found = speed.table(student.Student(study.CHOSEN).eval(), asked.real, clip=clip, repeats=1)
    assert [*found["network"]] == ["student", "student, from a file", "teacher"]
    assert (found["fps"] > 0).all()
    assert found["ratio"].iloc[2] == 1


def test_a_file_without_a_face_has_no_speed(asked, tmp_path):
    clip = containers.write(tmp_path / "gray.mp4", containers.Film())
    with pytest.raises(DatasetError, match=r"gray.*no I-frame shows a face"):
        speed.table(student.Student(study.CHOSEN).eval(), asked.real, clip=clip, repeats=1)
