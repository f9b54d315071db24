"""Protocols: subjects never cross, folds are balanced, order does not matter."""

import random
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_manifest import make_clip

from mic.errors import DatasetError
from mic.experiments.cells import splits
from mic.manifest.manifest import Manifest
from mic.manifest.protocols import (
    assign_folds,
    given_split,
    leave_one_subject_out,
    subject_folds,
)

# Sequences of each class in CK+ (Lucey et al. 2010, table 3), spread over its 118 subjects.
CK_COUNTS = {"anger": 45, "contempt": 18, "disgust": 59, "fear": 25, "happiness": 69}
CK_COUNTS |= {"sadness": 28, "surprise": 83}


def ck_like() -> Manifest:
    rng = random.Random(0)
    labels = [label for label, count in CK_COUNTS.items() for _ in range(count)]
    subjects = [f"S{number:03}" for number in range(118)]
    owners = subjects + [rng.choice(subjects) for _ in range(len(labels) - len(subjects))]
    rng.shuffle(labels)
    clips = tuple(
        make_clip(number, subject=owner, label=label, fold=None, split="")
        for number, (owner, label) in enumerate(zip(owners, labels, strict=True))
    )
    return Manifest(name="ck", root=Path("ck"), classes=tuple(CK_COUNTS), clips=clips)


def check(split, manifest):
    sides = [
        {manifest.clips[index].subject for index in part}
        for part in (split.train, split.validation, split.test)
    ]
    assert all(sides)
    assert not sides[0] & sides[1]
    assert not sides[0] & sides[2]
    assert not sides[1] & sides[2]


def test_ten_folds_cover_everything_once_and_are_balanced():
    manifest = ck_like()
    splits = list(subject_folds(manifest))
    for split in splits:
        check(split, manifest)
        assert len(split.train) + len(split.validation) + len(split.test) == len(manifest)
    tested = [index for split in splits for index in split.test]
    assert sorted(tested) == list(range(len(manifest)))
    sizes = [len(split.test) for split in splits]
    assert max(sizes) - min(sizes) <= 3
    for label, total in CK_COUNTS.items():
        counts = [
            sum(manifest.clips[index].label == label for index in split.test) for split in splits
        ]
        assert max(counts) <= total / 10 + 2.5, (label, counts)
    assert len({split.validation for split in splits}) == len(splits)


def test_folds_do_not_depend_on_the_order_of_clips():
    manifest = ck_like()
    pairs = list(zip(manifest.column("subject"), manifest.column("label"), strict=True))
    reference = dict(
        zip(manifest.column("subject"), assign_folds(*zip(*pairs, strict=True)), strict=True)
    )
    random.Random(1).shuffle(pairs)
    subjects, labels = zip(*pairs, strict=True)
    assert dict(zip(subjects, assign_folds(subjects, labels), strict=True)) == reference


def test_the_published_folds_are_kept():
    manifest = ck_like()
    numbers = {subject: int(subject[1:]) % 10 for subject in manifest.column("subject")}
    manifest = manifest.with_folds(numbers[subject] for subject in manifest.column("subject"))
    for fold, split in enumerate(subject_folds(manifest)):
        assert {numbers[manifest.clips[index].subject] for index in split.test} == {fold}


def test_folds_of_a_table_may_count_from_one_or_leave_numbers_out():
    manifest = ck_like()
    numbers = {subject: 3 * (int(subject[1:]) % 10) + 1 for subject in manifest.column("subject")}
    manifest = manifest.with_folds(numbers[subject] for subject in manifest.column("subject"))
    splits = list(subject_folds(manifest))
    assert [split.name for split in splits] == [f"fold {number}" for number in range(10)]
    tested = sorted(index for split in splits for index in split.test)
    assert tested == list(range(len(manifest)))
    assert all({numbers[manifest.clips[i].subject] for i in split.test} == {3 * n + 1}
               for n, split in enumerate(splits))  # fmt: skip


def test_folds_that_split_a_subject_are_refused():
    manifest = ck_like()
    manifest = manifest.with_folds(number % 10 for number in range(len(manifest)))
    with pytest.raises(DatasetError, match="both sides"):
        list(subject_folds(manifest))


def test_leave_one_subject_out_tests_every_subject_alone():
    manifest = ck_like()
    splits = list(leave_one_subject_out(manifest))
    assert len(splits) == 118
    for split in splits[:5]:
        check(split, manifest)
        assert len({manifest.clips[index].subject for index in split.test}) == 1


def test_the_given_split_validates_on_training_subjects():
    clips = tuple(
        make_clip(number, subject=f"s{number % 12}", split="val" if number % 12 > 7 else "train")
        for number in range(48)
    )
    manifest = Manifest(name="afew", root=Path("a"), classes=("anger", "happiness"), clips=clips)
    split = given_split(manifest)
    check(split, manifest)
    assert {manifest.clips[index].split for index in split.test} == {"val"}
    assert {manifest.clips[index].split for index in split.train + split.validation} == {"train"}
    with pytest.raises(DatasetError, match="published"):
        given_split(manifest, test="test")


def test_of_three_given_parts_the_test_is_reported_and_validation_validates():
    parts = ("train", "val", "test")
    clips = tuple(
        make_clip(number, subject=f"s{number % 12}", split=parts[number % 12 % 3])
        for number in range(48)
    )
    manifest = Manifest(name="own", root=Path("a"), classes=("anger", "happiness"), clips=clips)
    (split,) = splits(manifest)
    check(split, manifest)
    for part, rows in zip(parts, (split.train, split.validation, split.test), strict=True):
        assert [index for index, clip in enumerate(clips) if clip.split == part] == list(rows)
    spoilt = (make_clip(0, subject="s0", split="test"), *clips[1:])
    with pytest.raises(DatasetError, match="subjects in train and in test: s0"):
        splits(Manifest(name="own", root=Path("a"), classes=manifest.classes, clips=spoilt))


def test_clips_of_one_person_are_refused_by_what_is_wrong_with_them():
    with pytest.raises(DatasetError, match="all 3 clips are of one person") as caught:
        assign_folds(["anna"] * 3, ["joy", "fear", "joy"], count=1)
    assert "other people" in str(caught.value.remedy)


def test_two_people_are_too_few_and_it_is_said():
    clips = tuple(make_clip(number, subject=f"s{number % 2}") for number in range(8))
    manifest = Manifest(name="mine", root=Path("a"), classes=("anger", "happiness"), clips=clips)
    with pytest.raises(DatasetError, match="fold 0 of mine leaves one person to train") as caught:
        list(subject_folds(manifest, count=2))
    assert "three at least" in str(caught.value.remedy)


@settings(max_examples=60, deadline=None)
@given(
    pairs=st.lists(
        st.tuples(st.integers(0, 30).map(str), st.sampled_from("abc")), min_size=1, max_size=120
    ),
    count=st.integers(2, 12),
)
def test_a_subject_is_in_one_fold_and_no_fold_is_empty(pairs, count):
    subjects, labels = zip(*pairs, strict=True)
    if len(set(subjects)) < count:
        with pytest.raises(DatasetError, match="folds"):
            assign_folds(subjects, labels, count=count)
        return
    folds = assign_folds(subjects, labels, count=count)
    assert len(Counter(zip(subjects, folds, strict=True))) == len(set(subjects))
    assert set(folds) == set(range(count))
