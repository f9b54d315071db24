"""The profile `paper`: every hyper-parameter with its source, on the page as in the code."""

import pytest
from environment_file import ROOT

from mic import config
from mic.experiments import plan, settings
from mic.training.schedules import PRESETS


def test_the_page_has_the_table_as_the_code_has_it():
    page = (ROOT / "docs/datasets/paper_profile.md").read_text()
    assert settings.table(config.load("paper")) in page


@pytest.mark.parametrize("name", ["ckplus", "synth-ck", "mmi", "cremad"])
def test_the_paper_is_trained_as_printed_but_for_the_rate_at_which_adam_diverges(name):
    schedule = plan.schedule(config.load("paper"), data=name)
    printed = PRESETS["paper-ck"]
    assert (schedule.batch, schedule.weight_decay) == (printed.batch, printed.weight_decay)
    assert schedule.epochs == 100
    assert schedule.learning_rate == printed.learning_rate / 100
    assert schedule.milestones == ((30, printed.milestones[0][1] / 100),)


def test_afew_is_trained_as_printed_and_other_profiles_are_not():
    assert plan.schedule(config.load("paper"), data="afew") == PRESETS["paper-afew"]
    default = config.load("default")
    assert plan.schedule(default, data="ckplus") == plan.schedule(default)
    assert plan.schedule(default, epochs=7).epochs == 7


def test_no_two_rows_of_the_papers_table_are_the_same_network():
    paper = config.load("paper")
    methods = list(plan.methods(paper, plan.PAPER_ROWS).values())
    assert len(set(methods)) == len(methods) == len(plan.PAPER_ROWS)
    assert plan.representation(paper).kind == "raw"
    assert plan.representation(config.load("default")).kind == "accumulated"
