"""Who is trained on and who is tested: splits that keep subjects apart.

Every protocol is deterministic and does not depend on the order of the clips. Validation clips are
always taken from the training subjects, never from the test fold.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mic.errors import DatasetError
from mic.manifest.manifest import Manifest


@dataclass(frozen=True, kw_only=True)
class Split:
    """One experiment's clips, as indices into the manifest.

    Attributes:
        name: "fold 3", "subject S005", "val".
        train: What the weights are fitted on.
        validation: What epochs and hyper-parameters are chosen on; subjects of their own.
        test: What is reported.
    """

    name: str
    train: tuple[int, ...]
    validation: tuple[int, ...]
    test: tuple[int, ...]


def assign_folds(subjects: Sequence[str], labels: Sequence[str], *, count: int = 10) -> list[int]:
    """Distributes subjects over folds so that clips and labels are balanced.

    Subjects with many clips are placed first, each in the fold where it disturbs the balance
    least: the cost of a fold is the sum of its squared label counts (each relative to the label's
    frequency) plus its squared relative size.

    Args:
        subjects: Subject of each clip.
        labels: Label of each clip.
        count: Number of folds.

    Returns:
        Fold of each clip, 0 to count - 1; all clips of a subject are in one fold.

    Raises:
        DatasetError: There are fewer subjects than folds.
    """
    counts: dict[str, Counter[str]] = {}
    for subject, label in zip(subjects, labels, strict=True):
        counts.setdefault(subject, Counter())[label] += 1
    if len(counts) < 2:
        raise DatasetError(
            f"all {len(subjects)} clips are of one person: no folds, as nobody is left to test on",
            remedy="add clips of other people, or say who is who by a folder a person",
        )
    if count < 2 or len(counts) < count:
        raise DatasetError(
            f"{len(counts)} subjects cannot fill {count} folds",
            remedy="use fewer folds, or leave one subject out",
        )
    totals = Counter(labels)
    folds = [Counter[str]() for _ in range(count)]
    chosen: dict[str, int] = {}
    # Names break ties, so that the folds do not depend on the order of the clips.
    for subject in sorted(counts, key=lambda name: (-counts[name].total(), name)):
        mine = counts[subject]

        def cost(number: int, mine: Counter[str] = mine) -> tuple[float, int]:
            fold = folds[number]
            grown = sum(
                ((fold[label] + added) ** 2 - fold[label] ** 2) / totals[label] ** 2
                for label, added in mine.items()
            )
            size = (fold.total() + mine.total()) ** 2 - fold.total() ** 2
            return grown + size * len(totals) / totals.total() ** 2, number

        chosen[subject] = min(range(count), key=cost)
        folds[chosen[subject]].update(mine)
    return [chosen[subject] for subject in subjects]


def subject_folds(
    manifest: Manifest, *, count: int = 10, validation_parts: int = 9
) -> Iterator[Split]:
    """Subject-disjoint cross-validation, the papers' protocol for CK+ and MMI.

    The folds are the manifest's own where every clip has one, else those of `assign_folds`.

    Args:
        manifest: The clips.
        count: Number of folds.
        validation_parts: As in `hold_out`.
    """
    folds = manifest.column("fold")
    if any(fold is None for fold in folds) or len(set(folds)) != count:
        subjects, labels = manifest.column("subject"), manifest.column("label")
        folds = assign_folds(subjects, labels, count=count)
    for fold, given in enumerate(sorted({*folds})):  # those of a table may count from 1
        test = [index for index, number in enumerate(folds) if number == given]
        rest = [index for index, number in enumerate(folds) if number != given]
        yield _split(f"fold {fold}", manifest, rest, test, validation_parts, fold)


def leave_one_subject_out(manifest: Manifest, *, validation_parts: int = 9) -> Iterator[Split]:
    """One split a subject, which is tested on alone; in the order of their names."""
    subjects = manifest.column("subject")
    for number, name in enumerate(sorted(set(subjects))):
        test = [index for index, subject in enumerate(subjects) if subject == name]
        rest = [index for index, subject in enumerate(subjects) if subject != name]
        yield _split(f"subject {name}", manifest, rest, test, validation_parts, number)


def given_split(manifest: Manifest, *, test: str = "val", validation_parts: int = 9) -> Split:
    """The published split of AFEW and AVEC: trained on "train", reported on `test`.

    Raises:
        DatasetError: The manifest has no clip in one of the two.
    """
    splits = manifest.column("split")
    rest = [index for index, split in enumerate(splits) if split == "train"]
    tested = [index for index, split in enumerate(splits) if split == test]
    if not rest or not tested:
        raise DatasetError(
            f"{manifest.name} has no published train/{test} split",
            file=manifest.root,
            remedy="use subject_folds or leave_one_subject_out",
        )
    return _split(test, manifest, rest, tested, validation_parts, 0)


def given_parts(manifest: Manifest) -> Split:
    """A manifest's own three parts: trained on "train", chosen on "val", reported on "test".

    Raises:
        DatasetError: A person is in two of them.
    """
    rows: dict[str, tuple[int, ...]] = {}
    people: dict[str, set[str]] = {}
    for part in ("train", "val", "test"):
        rows[part] = tuple(k for k, name in enumerate(manifest.column("split")) if name == part)
        people[part] = {manifest.clips[row].subject for row in rows[part]}
    for one, other in itertools.combinations(people, 2):
        shared = sorted(people[one] & people[other])
        if shared:
            raise DatasetError(
                f"subjects in {one} and in {other}: {', '.join(shared[:5])}",
                file=manifest.root,
                remedy="mend the manifest's split or subject column",
            )
    return Split(name="test", train=rows["train"], validation=rows["val"], test=rows["test"])


def hold_out(
    manifest: Manifest, indices: Sequence[int], *, parts: int = 9, turn: int = 0
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Takes one part of the subjects out of `indices` for validation.

    Args:
        manifest: The clips.
        indices: Those to divide.
        parts: One of so many parts is held out (fewer where there are fewer subjects).
        turn: Which part, counted cyclically, so that folds differ in it.

    Returns:
        The clips that stay, and those held out; no subject is on both sides.

    Raises:
        DatasetError: `indices` has fewer than two subjects.
    """
    subjects = [manifest.clips[index].subject for index in indices]
    labels = [manifest.clips[index].label for index in indices]
    parts = min(parts, len(set(subjects)))
    part = assign_folds(subjects, labels, count=parts)
    held = turn % parts
    keep = tuple(index for index, number in zip(indices, part, strict=True) if number != held)
    out = tuple(index for index, number in zip(indices, part, strict=True) if number == held)
    return keep, out


def _split(
    name: str,
    manifest: Manifest,
    rest: Sequence[int],
    test: Sequence[int],
    parts: int,
    turn: int,
) -> Split:
    if len({manifest.clips[index].subject for index in rest}) < 2:
        raise DatasetError(
            f"{name} of {manifest.name} leaves one person to train on, and nobody to validate on",
            file=manifest.root,
            remedy="add clips of other people, three at least: to train, to validate and to test",
        )
    train, validation = hold_out(manifest, rest, parts=parts, turn=turn)
    tested = {manifest.clips[index].subject for index in test}
    shared = tested & {manifest.clips[index].subject for index in rest}
    if shared:
        raise DatasetError(
            f"subjects on both sides of {name}: {', '.join(sorted(shared)[:5])}",
            file=manifest.root,
            remedy="mend the manifest's fold, split or subject column",
        )
    return Split(name=name, train=train, validation=validation, test=tuple(test))
