"""Somebody's own clips as data of a study: class folders, a list of clips, or a manifest."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from mic import codec
from mic.config import Profile
from mic.datasets.readers.build import build
from mic.datasets.readers.source import Dataset as Reader
from mic.datasets.readers.source import Scan, Source
from mic.errors import DatasetError
from mic.experiments import listed
from mic.experiments.data import Dataset
from mic.fitting.clips import class_folders
from mic.inputs.coverage import UNREADABLE, LeftOut, check_share
from mic.manifest.manifest import Clip, Manifest
from mic.manifest.tables import Spellings
from mic.storage.home import home, locked

# What folders of classes are called, and people are not.
_LONGEST = 200  # bytes of a clip's name: file systems allow 255, suffixes included


def load(
    name: str, path: Path, config: Profile, *, progress: Callable[[int, int], None] | None = None
) -> Dataset:
    """Class folders, a list, or a manifest, whose clips are made anew for the network.

    Those of a manifest are taken as they are if all are MPEG-4 of one size.

    Args:
        name: As its rows are called.
        path: The folder, or the table: `mic.experiments.listed`, or what `mic fetch` writes.
        config: Picture size, `jobs`.
        progress: Called with the number of finished and of all clips.

    Raises:
        DatasetError: It is no such thing, or too much of it cannot be read.
    """
    if not path.is_dir() and not (path.is_file() and path.suffix.lower() == ".csv"):
        raise DatasetError(
            "is no folder and no table" if path.exists() else "does not exist",
            file=path,
            remedy="give a folder with a folder a class, or a table (.csv); unpack an archive",
        )
    table = path if path.suffix.lower() == ".csv" else path / "manifest.csv"
    if table.is_file() and listed.is_list(table):
        root = table.parent
        rows = listed.read(table)
        classes = tuple(sorted({row.label for row in rows}))
        names = _names([row.clip_id for row in rows])
        sources = [
            dataclasses.replace(row, clip_id=clip) for row, clip in zip(rows, names, strict=True)
        ]
    elif table.is_file():
        manifest = dataclasses.replace(Manifest.load(table), name=name)
        if not manifest.classes or len(manifest) == 0:
            raise DatasetError(
                "has no labelled clips", file=table, remedy="write rows with clip and label"
            )
        _check_labels(manifest, table)
        if _ready(manifest):
            return Dataset(manifest=manifest)
        root, classes = manifest.root, manifest.classes
        sources = [
            Source(
                clip_id=clip.clip_id,
                files=(clip.clip,),
                subject=clip.subject,
                label=clip.label,
                apex=clip.apex,
                split=clip.split,
                fold=clip.fold,
            )
            for clip in manifest
        ]
    else:
        root = path
        videos = class_folders(path)
        classes = tuple(sorted({video.label for video in videos}))
        below = [video.path.relative_to(path).as_posix() for video in videos]
        sources = [
            Source(
                clip_id=name,
                files=(file,),
                subject=video.subject,
                label=video.label,
                apex="found",
            )
            for name, file, video in zip(_names(below), below, videos, strict=True)
        ]
    reader = Reader(
        name=name,
        title=name,
        reference="",
        home="",
        licence="the owner's",
        access="",
        layout="",
        classes=classes,
        expected={},
        scan=_nothing,
    )
    target = home() / "datasets" / f"own-{name}-{config.size}"
    with locked(target.with_name(f".{target.name}.lock")):
        manifest, faults = build(
            reader,
            root,
            Scan(sources=tuple(sources), faults=(), counts={}),
            target,
            size=config.size,
            jobs=config.worker_count(),
            progress=progress,
        )
    absent = tuple(
        LeftOut(path=root / fault.file, reason=fault.message, clip=fault.clip)
        for fault in faults
        if fault.clip
    )
    check_share(absent, len(manifest) + len(absent))
    return Dataset(manifest=manifest, absent=absent)


def _check_labels(manifest: Manifest, table: Path) -> None:
    """Refuses a manifest that gives one file two labels or people, or has it in two parts."""
    people = Spellings()
    for clip in manifest:
        usual = people.first(clip.subject)
        if usual != clip.subject:
            raise DatasetError(
                f"has one person as {usual!r} and as {clip.subject!r}",
                file=table,
                place=clip.clip_id,
                remedy="call the person the same everywhere",
            )
    first: dict[str, Clip] = {}
    for clip in manifest:
        other = first.setdefault(clip.sha256, clip)
        mine = (clip.label, clip.split, clip.subject)
        if clip.sha256 and (other.label, other.split, other.subject) != mine:
            raise DatasetError(
                f"has the pictures of {other.clip_id} again, with another label, part or person",
                file=table,
                place=clip.clip_id,
                remedy="remove the row that is wrong",
            )


def _ready(manifest: Manifest) -> bool:
    """Whether the clips are MPEG-4 of one size: those that can be opened, others are left out."""
    found = set()
    for clip in manifest:
        with contextlib.suppress(*UNREADABLE):
            known = codec.probe(manifest.path(clip))
            found.add((known.codec, known.width, known.height))
    return len(found) == 1 and next(iter(found))[0] == "mpeg4"


def _names(paths: Sequence[str]) -> list[str]:
    """Names of clips that can be files' names: unique without case, and not too long."""
    plain = [re.sub(r"[^\w-]", "_", path) for path in paths]
    count = Counter(name.casefold() for name in plain)
    return [
        name
        if count[name.casefold()] == 1 and len(name.encode()) <= _LONGEST
        else f"{name[: _LONGEST // 4]}-{hashlib.sha256(os.fsencode(path)).hexdigest()[:12]}"
        for name, path in zip(plain, paths, strict=True)
    ]


def _nothing(root: Path) -> Scan:
    """The scan of a dataset whose clips are known already."""
    del root
    return Scan(sources=(), faults=(), counts={})
