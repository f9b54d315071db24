"""Killed at any moment, a stage goes on and ends in the bytes of a run that nobody disturbed."""

import dataclasses

import pytest
from campaigns.kills import campaign
from campaigns.stages import STAGES

import mic.publishing.reliability

KILLS = 20


def _some_videos(folder):
    STAGES["re-encode"].prepare(folder)
    for path in (folder / "two").iterdir():
        path.unlink()


def test_a_few_kills_of_the_re_encoding(tmp_path):
    stage = dataclasses.replace(STAGES["re-encode"], prepare=_some_videos)
    tally = campaign(stage, tmp_path, kills=3, seed=1)
    assert tally.failures == []
    assert tally.resumed


@pytest.mark.long
@pytest.mark.timeout(0)
@pytest.mark.parametrize("name", STAGES)
def test_kills_at_random_moments(name, tmp_path):
    tally = campaign(STAGES[name], tmp_path, kills=KILLS, seed=0)
    mic.publishing.reliability.record(
        f"SIGKILL, {name}",
        unit="kills at random moments; failed: a file that differs after resuming",
        count=tally.kills,
        failures=len(tally.failures),
        seconds=tally.seconds,
    )
    assert tally.failures == []
    assert tally.kills == KILLS
