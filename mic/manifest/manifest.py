"""The one schema that every dataset ends in: a table of clips below a root folder.

A `Manifest` is immutable and checked when it is made: what it says about itself (paths that stay
inside the root, unique names, labels of the declared classes, apexes inside the clip) always
holds. What it says about the disk is checked by `verify`.
"""

from __future__ import annotations

import csv
import dataclasses
import functools
import hashlib
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from pathlib import Path, PurePosixPath
from typing import Any

from mic.errors import DatasetError
from mic.manifest.tables import read_text
from mic.storage.atomic import write_text
from mic.storage.digest import sha256_of

SPLITS = ("", "train", "val", "test")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Fault:
    """Something wrong in a dataset folder.

    Attributes:
        file: The file or folder at fault, relative to the dataset's root.
        message: What is wrong with it.
        remedy: What the user can do.
        fatal: Whether the dataset cannot be used as published because of it; otherwise the clip
            is left out, or the file is ignored, and the rest is as good as ever.
        clip: Name of the clip that is left out because of it; empty where none is.
    """

    file: str
    message: str
    remedy: str
    fatal: bool = True
    clip: str = ""

    def __str__(self) -> str:
        text = f"{self.file}: {self.message}. Remedy: {self.remedy}"
        # Names from other systems may be no UTF-8, which no terminal could be told.
        return text.encode(errors="backslashreplace").decode()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Clip:
    """One video and what is known about it.

    Attributes:
        clip: Path of the video, relative to the manifest's root, with forward slashes.
        clip_id: Unique name, stable over machines.
        subject: Who is seen, unique in the dataset.
        label: One of the manifest's classes; empty where there is none (continuous labels).
        apex: Index of the frame of strongest expression, or None where the notion is void.
        fold: Fold of the published protocol, or None.
        split: "train", "val" or "test" as published, or empty.
        licence: Under which terms the clip may be used.
        sha256: Digest of the video file.
        frames: Number of frames.
        frame_rate: Frames a second.
        annotation: Path of the side file with dense ground truth (traces, action units,
            identity), relative to the root, or empty.
    """

    clip: str
    clip_id: str
    subject: str
    label: str
    licence: str
    sha256: str
    frames: int
    frame_rate: Fraction
    apex: int | None = None
    fold: int | None = None
    split: str = ""
    annotation: str = ""


# What damage to the file can cause while its lines are taken apart.
_UNREADABLE = (
    *(ValueError, LookupError, TypeError, AttributeError),
    *(StopIteration, RecursionError, csv.Error),
)
COLUMNS = tuple(field.name for field in dataclasses.fields(Clip))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Manifest:
    """A dataset: clips below a root.

    Attributes:
        name: The dataset's name.
        root: The folder that the clips' paths start from.
        classes: The labels, in the order of their numbers; empty for continuous labels.
        clips: The clips, in a stable order.
    """

    name: str
    root: Path
    classes: tuple[str, ...]
    clips: tuple[Clip, ...]

    def __post_init__(self) -> None:
        """Raises DatasetError unless every row is sound in itself and unique."""
        object.__setattr__(self, "root", Path(self.root))
        object.__setattr__(self, "classes", tuple(self.classes))
        object.__setattr__(self, "clips", tuple(self.clips))
        if len(set(self.classes)) < len(self.classes):
            raise DatasetError(
                f"a class stands twice in {', '.join(map(str, self.classes))}",
                file=self.root / f"({self.name})",
                remedy="name each class once",
            )
        seen: dict[str, set[str]] = {"clip_id": set(), "clip": set()}
        for row, clip in enumerate(self.clips):
            problem = _problem(clip, self.classes)
            for column, values in seen.items():
                value = getattr(clip, column)
                if value in values:
                    problem = problem or f"{column} {value!r} stands in another row too"
                values.add(value)
            if problem:
                raise DatasetError(
                    problem,
                    file=self.root / f"({self.name})",
                    place=f"row {row + 1}, clip {clip.clip_id!r}",
                    remedy="mend the manifest, or make it again with `mic fetch`",
                )

    def __len__(self) -> int:
        return len(self.clips)

    def __iter__(self) -> Iterator[Clip]:
        return iter(self.clips)

    def path(self, clip: Clip) -> Path:
        """Absolute path of a clip's video."""
        return self.root / clip.clip

    def annotation_path(self, clip: Clip) -> Path:
        """Absolute path of a clip's side file.

        Raises:
            DatasetError: The clip has none.
        """
        if not clip.annotation:
            raise DatasetError(
                "has no side file with ground truth",
                file=self.path(clip),
                remedy="use a generated dataset, or one with traces",
            )
        return self.root / clip.annotation

    def column(self, name: str) -> list[Any]:
        """The values of one column, in order."""
        return [getattr(clip, name) for clip in self.clips]

    def label_indices(self) -> list[int]:
        """The clips' labels as numbers, in order; -1 where there is none."""
        numbers = {label: number for number, label in enumerate(self.classes)}
        return [numbers.get(clip.label, -1) for clip in self.clips]

    def where(self, keep: Callable[[Clip], bool]) -> Manifest:
        """The manifest of those clips for which `keep` holds."""
        return dataclasses.replace(self, clips=tuple(clip for clip in self.clips if keep(clip)))

    def with_folds(self, folds: Iterable[int]) -> Manifest:
        """The same clips with the fold column replaced."""
        clips = tuple(
            dataclasses.replace(clip, fold=int(fold))
            for clip, fold in zip(self.clips, folds, strict=True)
        )
        return dataclasses.replace(self, clips=clips)

    def digest(self) -> str:
        """SHA-256 of everything but the root: equal on every machine that has the same data."""
        return self._digest

    @functools.cached_property
    def _digest(self) -> str:
        # A study asks for it once a training, and thousands of rows take a while.
        content = [self.name, list(self.classes), [_row(clip) for clip in self.clips]]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()

    def verify(self, *, hashes: bool = True) -> list[Fault]:
        """Holds the rows against the disk.

        Args:
            hashes: Whether to read the videos and compare their digests.

        Returns:
            Every fault; an empty list if there is none.
        """
        faults = []
        root = self.root.resolve()
        again = "restore the file, or make the manifest again with `mic fetch`"
        for clip in self.clips:
            for name in filter(None, (clip.clip, clip.annotation)):
                path = self.root / name
                if not path.is_file():
                    faults.append(Fault(file=name, message="is missing", remedy=again))
                elif not path.resolve().is_relative_to(root):
                    faults.append(
                        Fault(
                            file=name,
                            message="is a link that leads out of the dataset",
                            remedy="put the file itself there",
                        )
                    )
                elif hashes and name == clip.clip and sha256_of(path) != clip.sha256:
                    faults.append(Fault(file=name, message="has another SHA-256", remedy=again))
        return faults

    def save(self, path: str | Path) -> None:
        """Writes the table as CSV, with name and classes in the first, commented line."""
        text = io.StringIO()
        head = {"name": self.name, "classes": self.classes}
        text.write(f"# {json.dumps(head)}\n")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(_row(clip) for clip in self.clips)
        write_text(path, text.getvalue())

    @classmethod
    def load(cls, path: str | Path, *, root: str | Path | None = None) -> Manifest:
        """Reads what `save` wrote.

        Args:
            path: The CSV file.
            root: The clips' root folder; by default the folder of the CSV file.

        Raises:
            DatasetError: It is not such a file, or a row is unsound; the row is named.
        """
        path = Path(path)
        try:
            lines = read_text(path).splitlines()
            head = _heading(lines[0])
            name, classes = head["name"], tuple(head["classes"])
            if not all(isinstance(text, str) for text in (name, *classes)):
                raise ValueError("name and classes are not text")
            reader = csv.reader(lines[1:])
            if tuple(next(reader)) != COLUMNS:
                raise ValueError(f"its columns are not {', '.join(COLUMNS)}")
            rows = list(reader)
        except OSError as error:
            raise DatasetError(
                f"cannot be read: {error.strerror}", file=path, remedy="make it with `mic fetch`"
            ) from error
        except _UNREADABLE as error:
            raise DatasetError(
                f"is not a manifest: {error}", file=path, remedy="make it with `mic fetch`"
            ) from error
        clips = []
        for number, row in enumerate(rows, start=3):
            try:
                if len(row) != len(COLUMNS):
                    raise ValueError(f"it has {len(row)} columns of {len(COLUMNS)}")
                clips.append(_clip(dict(zip(COLUMNS, row, strict=True))))
            except (ValueError, ZeroDivisionError) as error:
                raise DatasetError(
                    f"is not a clip: {error}",
                    file=path,
                    place=f"line {number}",
                    remedy="make it again with `mic fetch`",
                ) from error
        folder = path.parent if root is None else root
        try:
            return cls(name=name, root=Path(folder), classes=classes, clips=tuple(clips))
        except DatasetError as error:
            raise DatasetError(
                error.message, file=path, place=error.place, remedy=error.remedy
            ) from error


def _heading(line: str) -> Any:
    """Name and classes, which the first line of a manifest has as JSON."""
    try:
        return json.loads(line.removeprefix("# "))
    except ValueError as error:
        example = '# {"name": "mine", "classes": ["happy", "sad"]}'
        raise ValueError(f"its first line is none such as {example}") from error


def _problem(clip: Clip, classes: tuple[str, ...]) -> str | None:
    """What is wrong with a row taken by itself, or None."""
    for name in filter(None, (clip.clip, clip.annotation)):
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or "\\" in name or ":" in path.parts[0]:
            return f"path {name!r} leads out of the dataset"
    texts = [value for name in COLUMNS if isinstance(value := getattr(clip, name), str)]
    checks = (
        (all(text.isprintable() for text in texts), "has line breaks or control characters"),
        (bool(clip.clip) and bool(clip.clip_id), "has no path or no name"),
        (bool(clip.subject), "has no subject"),
        (clip.label in classes or not clip.label, f"label {clip.label!r} is not a class"),
        (bool(clip.label) or not classes, "has no label"),
        (clip.frames > 0, f"{clip.frames} frames"),
        (clip.frame_rate > 0, f"frame rate {clip.frame_rate}"),
        (clip.apex is None or 0 <= clip.apex < clip.frames, f"apex {clip.apex} is outside"),
        (clip.fold is None or clip.fold >= 0, f"fold {clip.fold}"),
        (clip.split in SPLITS, f"split {clip.split!r}"),
        (re.fullmatch(r"[0-9a-f]{64}", clip.sha256) is not None, "sha256 is not a SHA-256"),
    )
    return next((problem for sound, problem in checks if not sound), None)


def _row(clip: Clip) -> list[str]:
    return ["" if (value := getattr(clip, name)) is None else str(value) for name in COLUMNS]


def _clip(row: dict[str, str]) -> Clip:
    # `Fraction` would take 1e1000000000 and write out its digits.
    if re.fullmatch(r"\d{1,12}(/\d{1,12})?", row["frame_rate"]) is None:
        raise ValueError(f"frame rate {row['frame_rate'][:40]!r}")
    values: dict[str, Any] = row | {
        "frames": int(row["frames"]),
        "frame_rate": Fraction(row["frame_rate"]),
        "apex": int(row["apex"]) if row["apex"] else None,
        "fold": int(row["fold"]) if row["fold"] else None,
    }
    return Clip(**values)
