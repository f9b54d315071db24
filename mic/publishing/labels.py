"""Labels of videos, as people keep them: tables, folders, file names."""

from __future__ import annotations

import csv
import dataclasses
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Hashable, Sequence
from pathlib import Path

from mic.codec import as_called, file_of, videos_by_name, videos_in
from mic.datasets.readers import cremad, ravdess
from mic.errors import DatasetError
from mic.manifest.tables import Row, is_absent, read_rows

# What people call the expressions, by our names.
_SYNONYMS = {
    "anger": "angry ang an",
    "contempt": "contemptuous co",
    "disgust": "disgusted dis di",
    "fear": "fearful afraid scared fea fe",
    "happiness": "happy joy joyful hap ha smile",
    "neutral": "calm neu ne",
    "sadness": "sad sorrow sa",
    "surprise": "surprised sur su",
}
EXPRESSIONS = frozenset(_SYNONYMS)
_NAMES = {word: name for name, words in _SYNONYMS.items() for word in (name, *words.split())}
_LEVELS = 2  # of folders that say something: what is shown, and who
# Columns by which a table labels parts of a video.
_PARTS = ("window", "start", "end")
_CREMA_D = re.compile(r"(1\d{3})_[A-Z]{3}_([A-Z]{3})_(?:LO|MD|HI|XX?)", re.IGNORECASE)
_RAVDESS = re.compile(r"\d\d-\d\d-(\d\d)-\d\d-\d\d-\d\d-(\d\d)")


@dataclasses.dataclass(frozen=True, kw_only=True)
class LabelledVideo:
    """A video and what it shows.

    Attributes:
        path: The file.
        label: The expression, by our name where we have one.
        person: Who is seen; empty if nobody says.
    """

    path: Path
    label: str
    person: str = ""


def labelled_videos(
    videos: str | Path | Sequence[str | Path], *, labels: str | Path | None = None
) -> list[LabelledVideo]:
    """Videos with their labels.

    Links are named as they are called, wherever they lead.

    Args:
        videos: Files or folders; a video that is reached twice counts once, under its first name.
        labels: A table with the columns `video` (a path, or its end, as `a/1.mp4`) and `label`,
            and perhaps `person`; None: names as CREMA-D's or RAVDESS's, else folders as
            `mic train` has them: below a given folder a class, below that a person.

    Raises:
        DatasetError: The table is no such table, names a video that is not there or several
            times, or gives it no label; no video has a label; one file has two labels or shows
            two people, by two names; all videos lie in one folder, which is not called as an
            expression is.
        ConfigError: A path does not exist.
    """
    given = [videos] if isinstance(videos, str | Path) else list(videos)
    paths = _every_name(given)
    if labels is not None:
        found = _by_table(paths, Path(labels))
    else:
        roots = [as_called(root) for root in given if Path(root).is_dir()]
        found = [_by_name(path, roots) for path in paths]
    found = _each_once(found)
    if not found:
        raise DatasetError(
            "no video has a label", file=labels, remedy="check the column `video` of the table"
        )
    told = {video.label for video in found}
    if labels is None and len(told) == 1 and not told & set(_SYNONYMS):
        raise DatasetError(
            f"gives all videos the label {told.pop()!r}, which is no expression",
            file=found[0].path.parent,
            remedy="sort the videos into folders called as what they show, or give --labels",
        )
    return found


def _every_name(given: Sequence[str | Path]) -> list[Path]:
    """The videos by all their names, in the order given; a name that is written twice, once."""
    videos_in(given)  # refuses what is not there
    found: list[Path] = []
    for one in map(Path, given):
        found += videos_by_name(one, levels=_LEVELS) if one.is_dir() else [one]
    return list({as_called(path): path for path in reversed(found)}.values())[::-1]


def _each_once(videos: Sequence[LabelledVideo]) -> list[LabelledVideo]:
    """Each file under its first name.

    Raises:
        DatasetError: Its names disagree on what it shows.
    """
    found: dict[Hashable, LabelledVideo] = {}
    for video in videos:
        file = file_of(video.path)
        first = found.setdefault(file, video)
        told = {
            "label": (first.label, video.label),
            "person": (first.person or video.person, video.person or first.person),
        }
        for what, (there, here) in told.items():
            if there != here:
                raise DatasetError(
                    f"is {first.path} again, with another {what}: {there!r} there, {here!r} here",
                    file=video.path,
                    remedy="remove the one that is wrong; where a folder only keeps the files, "
                    "give those that are called as what they show",
                )
        # One name may say who it is, and the other nothing.
        found[file] = dataclasses.replace(first, person=told["person"][0])
    return list(found.values())


def canonical(label: str) -> str:
    """Our name of an expression, as `happiness` for `Happy`; others in lower case."""
    word = label.strip().lower()
    return _NAMES.get(word, word)


class Finder:
    """Finds a video by a path or by the end of one."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._by_end: dict[tuple[str, ...], Path | None] = {}
        files = {path: file_of(path) for path in paths}
        for path in paths:
            ends = {
                parts[-count:]
                for parts in (_composed(path), _composed(as_called(path)))
                for count in range(1, len(parts) + 1)
            }
            for end in ends:
                first = self._by_end.setdefault(end, path)
                if first is not None and files[first] != files[path]:
                    self._by_end[end] = None
        for path in paths:
            self._by_end.setdefault(_composed(path.resolve()), path)

    def find(self, name: str) -> Path | None:
        """The video whose path ends so; None if there is none.

        Raises:
            ValueError: Several paths do.
        """
        parts = _composed(Path(os.path.normpath(name.replace("\\", "/"))))
        path = self._by_end.get(parts)
        if path is None and parts in self._by_end:
            raise ValueError(f"names {name!r}, which is several videos")
        return path


def _composed(path: Path) -> tuple[str, ...]:
    """A path's parts in the letters that tables use: some systems write an accent apart."""
    return Path(unicodedata.normalize("NFC", str(path))).parts


def _by_table(paths: Sequence[Path], table: Path) -> list[LabelledVideo]:
    known = Finder(paths)
    found = []
    rows = read_table(table, ("video", "label"))
    if parts := [name for name in _PARTS if any(row.get(name) for row in rows)]:
        raise DatasetError(
            f"labels parts of videos, by {', '.join(parts)}, and only whole ones are compared",
            file=table,
            remedy="cut a video into one clip a label; or take these columns out, with one row a "
            "video",
        )
    for row in rows:
        try:
            path = known.find(row["video"])
            if path is None:
                raise ValueError(f"names {row['video']!r}, which is none of the videos")
            if is_absent(row["label"]):
                raise ValueError(f"has no label for {row['video']!r}")
        except ValueError as error:
            raise DatasetError(
                str(error),
                file=table,
                place=f"row {row.line}",
                remedy="take it out, or write a label and a path that ends one video only, "
                "as a/1.mp4",
            ) from error
        person = row.get("person") or row.get("subject") or ""
        found.append(LabelledVideo(path=path, label=canonical(row["label"]), person=person))
    twice = [name for name, count in Counter(one.path for one in found).items() if count > 1]
    if twice:
        raise DatasetError(
            f"labels {twice[0]} twice",
            file=table,
            remedy="take one row out: a video has one label",
        )
    return found


def _by_name(path: Path, roots: Sequence[Path]) -> LabelledVideo:
    if (match := _CREMA_D.fullmatch(path.stem)) and match[2].upper() in cremad.LABELS:
        label, person = cremad.LABELS[match[2].upper()], match[1]
    elif (match := _RAVDESS.fullmatch(path.stem)) and match[1] in ravdess.LABELS:
        label, person = ravdess.LABELS[match[1]], match[2]
    else:
        label, person = _by_folder(path, roots)
    return LabelledVideo(path=path, label=canonical(label), person=person)


def _by_folder(path: Path, roots: Sequence[Path]) -> tuple[str, str]:
    """Class and person, from the given folder down to the file."""
    path = as_called(path)
    root = next((root for root in roots if path.is_relative_to(root)), None)
    if root is None or root == path.parent:
        return _around(path.parent)
    folders = path.relative_to(root).parts[:-1]
    # The given folder may be one class; then persons lie in it.
    if not folders or (_names_one(root.name) and not _names_one(folders[0])):
        folders = (root.name, *folders)
    return folders[0], folders[1] if len(folders) > 1 else ""


def _around(folder: Path) -> tuple[str, str]:
    """Class and person of what lies in a folder of which only the path above is known."""
    above = folder.parent.name
    if _names_one(above) and not _names_one(folder.name):
        return above, folder.name
    return folder.name, ""


def _names_one(folder: str) -> bool:
    return canonical(folder) in _SYNONYMS


def read_table(path: Path, columns: Sequence[str]) -> list[Row]:
    """The rows of a table, by column names in small letters.

    Raises:
        DatasetError: It is none, or lacks one of the columns.
    """
    try:
        rows = []
        for row in read_rows(path):
            rows.append(Row({key.lower(): cell for key, cell in row.items()}))
            rows[-1].line = row.line
        if not rows or not set(columns) <= set(rows[0]):
            raise ValueError("columns are missing, or there is no row")
    except OSError as error:
        raise DatasetError(
            f"cannot be read: {error.strerror}", file=path, remedy="check the path"
        ) from error
    except (ValueError, csv.Error) as error:
        raise DatasetError(
            f"is no table with the columns {' and '.join(columns)}: {error}",
            file=path,
            remedy="mend it, or take it away",
        ) from error
    return rows
