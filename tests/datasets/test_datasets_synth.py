"""Generated datasets as `mic.datasets.load` hands them out."""

import dataclasses

import pytest

from mic import bitstream, config
from mic.datasets import synth
from mic.errors import ConfigError, DatasetError
from mic.experiments.recoded import recoded
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


def test_recoded_copies_keep_all_but_the_stream(tmp_path):
    first = synth.load("synth-ck", TINY, folder=tmp_path)
    copies = recoded(first, folder=tmp_path, jobs=1, gop=4, vop_quant=20)
    assert copies.name == "synth-ck (gop 4, vop_quant 20)"
    assert copies.verify() == []
    for old, new in zip(first, copies, strict=True):
        assert (old.clip_id, old.subject, old.label, old.apex) == (
            new.clip_id,
            new.subject,
            new.label,
            new.apex,
        )
        assert copies.annotation_path(new).read_bytes() == first.annotation_path(old).read_bytes()
        with bitstream.open(copies.path(new)) as stream:
            assert stream.vop_types == ("IPPP" * new.frames)[: new.frames]
    stamps = [copies.path(clip).stat().st_mtime_ns for clip in copies]
    again = recoded(first, folder=tmp_path, jobs=1, gop=4, vop_quant=20)
    assert again.digest() == copies.digest() != first.digest()
    assert stamps == [again.path(clip).stat().st_mtime_ns for clip in again]


def test_a_copy_with_other_frames_is_refused(tmp_path):
    first = synth.load("synth-ck", TINY, folder=tmp_path)
    with pytest.raises(DatasetError, match="frames, not"):
        recoded(first, folder=tmp_path, jobs=1, max_frames=3)
