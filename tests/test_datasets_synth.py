"""Generated datasets as `mic.datasets.load` hands them out."""

import dataclasses

import pytest

from mic import config
from mic.datasets import synth
from mic.errors import ConfigError
from mic.synthface import PROTOCOLS

TINY = dataclasses.replace(
    config.load("smoke"), size=32, ck_clips=3, avec_subjects=2, avec_seconds=1, jobs=1
)


def test_every_protocol_has_a_size_in_the_profile():
    assert synth.SIZES.keys() == PROTOCOLS.keys()
    for field in synth.SIZES.values():
        assert getattr(TINY, field) > 0


def test_a_larger_profile_adds_to_a_smaller_one(tmp_path):
    first = synth.load("synth-ck", TINY, folder=tmp_path)
    assert len(first) == 3
    assert first.verify() == []
    stamps = {clip.clip_id: first.path(clip).stat().st_mtime_ns for clip in first}
    more = synth.load("synth-ck", dataclasses.replace(TINY, ck_clips=4), folder=tmp_path)
    assert len(more) == 4
    kept = {clip.clip_id: more.path(clip).stat().st_mtime_ns for clip in more}
    assert stamps.items() <= kept.items()


def test_continuous_clips_of_another_length_live_elsewhere(tmp_path):
    short = synth.load("synth-avec", TINY, folder=tmp_path)
    assert [clip.frames for clip in short] == [25, 25]
    assert short.classes == ()
    assert all(short.annotation_path(clip).is_file() for clip in short)
    longer = dataclasses.replace(TINY, avec_seconds=2, avec_subjects=1)
    assert synth.load("synth-avec", longer, folder=tmp_path).root != short.root


def test_an_unknown_protocol_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="synth-ck"):
        synth.load("synth-xx", TINY, folder=tmp_path)
