"""Labels of videos, and answers about them, as people keep them: tables, folders, file names."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from mic.codec import videos_in
from mic.datasets.readers import cremad, ravdess
from mic.errors import DatasetError
from mic.manifest.tables import read_rows

# What people call the expressions, by our names.
_SYNONYMS = {
    "anger": "angry ang an",
    "contempt": "contemptuous co",
    "disgust": "disgusted dis di",
    "fear": "fearful afraid scared fea fe",
    "happiness": "happy joy hap ha smile",
    "neutral": "calm neu ne none",
    "sadness": "sad sa",
    "surprise": "surprised sur su",
}
_NAMES = {word: name for name, words in _SYNONYMS.items() for word in (name, *words.split())}
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

    Args:
        videos: Files or folders.
        labels: A table with the columns `video` (a path, or its end, as `a/1.mp4`) and `label`,
            and perhaps `person`; None: names as CREMA-D's or RAVDESS's, else the name of the
            folder in which a file lies.

    Raises:
        DatasetError: The table is no such table, names a video that is not there or several
            times, or no video has a label.
        ConfigError: A path does not exist.
    """
    paths = videos_in(videos)
    found = _by_table(paths, Path(labels)) if labels is not None else list(map(_by_name, paths))
    if not found:
        raise DatasetError(
            "no video has a label", file=labels, remedy="check the column `video` of the table"
        )
    return found


def canonical(label: str) -> str:
    """Our name of an expression, as `happiness` for `Happy`; others in lower case."""
    word = label.strip().lower()
    return _NAMES.get(word, word)


def read_answers(path: str | Path, videos: Sequence[LabelledVideo]) -> pd.DataFrame:
    """Somebody else's answers, in the form of `answered`.

    Args:
        path: A table with the columns `video` and `label`, perhaps `window` (from 0) and
            `confidence` (0 to 1).
        videos: Those that it may name.

    Raises:
        DatasetError: It is no such table, or names no video of these.
    """
    path = Path(path)
    rows = _read(path, ("video", "label"))
    known = _Finder([video.path for video in videos])
    found = []
    try:
        for row in rows:
            place = known.find(row["video"])
            if place is None:
                continue
            found.append(
                {
                    "video": str(place),
                    "window": int(row.get("window") or 0),
                    "label": canonical(row["label"]) if row["label"] else None,
                    "confidence": float(row.get("confidence") or "nan"),
                    "error": "",
                }
            )
    except ValueError as error:
        raise DatasetError(
            f"has a cell that is no number: {error}", file=path, remedy="mend it"
        ) from error
    if not found:
        raise DatasetError(
            "names none of the videos", file=path, remedy="write their paths or ends of these"
        )
    return pd.DataFrame(found)


class _Finder:
    """Finds a video by a path or by the end of one."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._by_end: dict[tuple[str, ...], Path | None] = {}
        for path in paths:
            parts = path.parts
            for count in range(1, len(parts) + 1):
                end = parts[-count:]
                self._by_end[end] = path if end not in self._by_end else None

    def find(self, name: str) -> Path | None:
        """The only video whose path ends so; None if there is none, or several."""
        return self._by_end.get(Path(name.replace("\\", "/")).parts)


def _by_table(paths: Sequence[Path], table: Path) -> list[LabelledVideo]:
    known = _Finder(paths)
    found = []
    for row in _read(table, ("video", "label")):
        path = known.find(row["video"])
        if path is None:
            raise DatasetError(
                f"names {row['video']!r}, which is none of the videos, or several",
                file=table,
                remedy="write paths that end one video only, as a/1.mp4",
            )
        person = row.get("person") or row.get("subject") or ""
        found.append(LabelledVideo(path=path, label=canonical(row["label"]), person=person))
    twice = [name for name, count in Counter(one.path for one in found).items() if count > 1]
    if twice:
        raise DatasetError(f"labels {twice[0]} twice", file=table, remedy="take one row out")
    return found


def _by_name(path: Path) -> LabelledVideo:
    if (match := _CREMA_D.fullmatch(path.stem)) and match[2].upper() in cremad.LABELS:
        label, person = cremad.LABELS[match[2].upper()], match[1]
    elif (match := _RAVDESS.fullmatch(path.stem)) and match[1] in ravdess.LABELS:
        label, person = ravdess.LABELS[match[1]], match[2]
    else:
        label, person = path.resolve().parent.name, ""
    return LabelledVideo(path=path, label=canonical(label), person=person)


def _read(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    try:
        rows = [{key.lower(): cell for key, cell in row.items()} for row in read_rows(path)]
        if not rows or not set(columns) <= set(rows[0]):
            raise ValueError("columns are missing, or there is no row")
    except (OSError, ValueError) as error:
        raise DatasetError(
            f"is no table with the columns {' and '.join(columns)}: {error}",
            file=path,
            remedy="mend it, or take it away",
        ) from error
    return rows
