"""What a reader says about a dataset: where its clips lie, what they are called, what is wrong.

A dataset is a `Dataset`: what it is and how one gets it, and a `scan` that reads the folder's
names and labels but no video. A `variant` of it keeps a part of the clips or labels them
otherwise, as papers do; it has the same folder. `mic.datasets.readers.build` makes the clips.
"""

from __future__ import annotations

import dataclasses
import filecmp
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Literal

import numpy as np

from mic.codec import VIDEO_SUFFIXES, videos_below
from mic.errors import DatasetError
from mic.manifest.manifest import Fault

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"})
# Folders that belong to a system, on any disk.
_SYSTEMS = frozenset({"lost+found", "system volume information", "$recycle.bin"})


@dataclasses.dataclass(frozen=True, kw_only=True)
class Source:
    """One clip as it lies in the published folder.

    Attributes:
        clip_id: Unique name in the dataset; becomes the file's name.
        files: Paths relative to the dataset's folder: one video, or the pictures in order.
        subject: Who is seen.
        label: Class, or empty.
        apex: Where the strongest expression is. A number or "last": by the protocol or an
            annotation. "found": in the pictures (`mic.inputs.apex.find`). "between": found, in a
            clip that also ends neutral. None: undefined.
        split: As in `Clip`.
        fold: As in `Clip`.
        frame_rate: Of a picture sequence; a video has its own.
        traces: Paths of label traces by name ("valence"), relative to the folder.
        notes: What else the dataset says about the clip and variants choose by ("view"); "shown"
            is the label by what is acted, where a variant labels by what viewers see.
    """

    clip_id: str
    files: tuple[str, ...]
    subject: str
    label: str = ""
    apex: Literal["last", "middle", "found", "between"] | int | None = None
    split: str = ""
    fold: int | None = None
    frame_rate: Fraction | None = None
    traces: Mapping[str, str] = dataclasses.field(default_factory=dict)
    notes: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Scan:
    """What a folder holds.

    Attributes:
        sources: The usable clips.
        faults: What is wrong.
        counts: What was counted, under the names of `Dataset.expected`.
        lost: Clips that are left out because of a fault, by clip_id, as far as they are known; a
            variant that would not contain one is not charged for it.
    """

    sources: tuple[Source, ...]
    faults: tuple[Fault, ...]
    counts: Mapping[str, int]
    lost: Mapping[str, Source] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Dataset:
    """A published dataset.

    Attributes:
        name: As `mic fetch` calls it.
        title: Its full name.
        reference: The paper that describes it.
        home: Where its makers publish it.
        licence: Terms of use, short.
        access: How one gets it.
        layout: The folder that is expected, as text.
        classes: Labels in the order of their numbers; empty for continuous ones.
        expected: Counts in the literature, by name.
        scan: Reads the folder.
        read_trace: Reads a label trace: times in seconds and values; for continuous datasets.
        base: The dataset of which this is a variant; empty for one that stands for itself.
        select: What a variant makes of a clip: the clip, relabelled perhaps, or the reason why it
            is not one of the variant's.
        clips: Clips of the published protocol; 0 where there is no such number.
        parts: Parts of the published cross-validation, filled by `sampled_parts`; 0 for none.
        stands_for: The dataset of the paper's tables: "CK+", "MMI", "AFEW" or empty.
        follow: Whether the cut follows the face through the clip instead of standing still.
    """

    name: str
    title: str
    reference: str
    home: str
    licence: str
    access: str
    layout: str
    classes: tuple[str, ...]
    expected: Mapping[str, int]
    scan: Callable[[Path], Scan]
    read_trace: Callable[[Path], tuple[np.ndarray, np.ndarray]] | None = None
    base: str = ""
    select: Callable[[Source], Source | str] | None = None
    clips: int = 0
    parts: int = 0
    stands_for: str = ""
    follow: bool = False

    @property
    def folder_name(self) -> str:
        """Name of the dataset whose folder is read: variants share it with their base."""
        return self.base or self.name


def selected(dataset: Dataset, scan: Scan) -> Scan:
    """The clips of a variant, and why the others are not among them.

    Returns:
        The scan with fewer or relabelled clips; each reason is counted as "left out: REASON".
        Faults of clips that are lost, but would not have been the variant's, are notes.
    """
    if dataset.select is None:
        return scan
    others = {
        name for name, source in scan.lost.items() if isinstance(dataset.select(source), str)
    }
    faults = tuple(
        dataclasses.replace(fault, fatal=False, clip="") if fault.clip in others else fault
        for fault in scan.faults
    )
    kept: list[Source] = []
    counts = dict(scan.counts)
    for source in scan.sources:
        answer = dataset.select(source)
        if isinstance(answer, str):
            reason = f"left out: {answer}"
            counts[reason] = counts.get(reason, 0) + 1
        else:
            kept.append(answer)
    counts["clips of this variant"] = len(kept)
    counts["people of this variant"] = len({source.subject for source in kept})
    return dataclasses.replace(scan, sources=tuple(kept), counts=counts, faults=faults)


def sampled_parts(subjects: Sequence[str], count: int) -> list[int]:
    """The parts of the literature on CK+ and MMI: people in the order of their names, in turn.

    M. Liu et al. (ACCV 2014) sort the subjects and put every tenth into the same part; most papers
    on these datasets since then say that they do the same.

    Args:
        subjects: Subject of each clip.
        count: Number of parts.

    Returns:
        Part of each clip, from 0; the clips of a person are in one part.
    """
    turn = {name: number % count for number, name in enumerate(sorted(set(subjects)))}
    return [turn[name] for name in subjects]


def folder_of(path: Path, *names: str) -> Path | None:
    """The folder that holds one of `names` (compared without case), however it was unpacked.

    Archives are unpacked with and without a folder of their own name, and people rename the top
    and put it into another: down to three levels are looked at.

    Args:
        path: The folder that the user gave, or one of the sought folders itself.
        names: The sought folder's names.

    Returns:
        The sought folder, the least nested one that is not empty; of a folder nested in its
        namesake the inner.

    Raises:
        DatasetError: A folder cannot be listed.
    """
    return next(iter(_folders_of(path, names)), None)


def missing(path: Path, *names: str, remedy: str) -> Fault:
    """The fault that no folder of these names is in the given one.

    Args:
        path: The folder that the user gave.
        names: The sought folder's names, the first as published.
        remedy: What to do, unless the folder lies beside or above the given one: people take one
            of a dataset's folders for the whole of it.
    """
    wanted = {name.lower() for name in names}
    for above in path.resolve().parents[:3]:
        if any(sub.name.lower() in wanted for sub in readable_subfolders(above)):
            remedy = f"give {above} instead, which holds it"
            break
    return Fault(file=f"{names[0]}/", message="is missing", remedy=remedy)


def copies_of(path: Path, *names: str) -> list[Fault]:
    """A note for each further folder that `folder_of` might have taken: it is not read."""
    read, *others = _folders_of(path, names) or [path]
    return [
        Fault(
            file=f"{relative(other, path)}/",
            message=f"is not read: {relative(read, path)}/ is",
            remedy="remove the one that is not whole, or nothing if they are alike",
            fatal=False,
        )
        for other in others
        if not _is_empty(other)
    ]


def _folders_of(path: Path, names: Sequence[str]) -> list[Path]:
    """The folders of these names, those with something in them first, then the least nested."""
    wanted = {name.lower() for name in names}
    found: list[Path] = []
    level = [path]
    for _ in range(4):
        deeper: list[Path] = []
        for candidate in level:
            inside = readable_subfolders(candidate)
            if candidate.name.lower() not in wanted:
                deeper += inside
                continue
            inner = [sub for sub in inside if sub.name.lower() in wanted]
            found += inner or [candidate]
        level = deeper
    return sorted(found, key=_is_empty)


def readable_subfolders(path: Path) -> list[Path]:
    """As `subfolders`, but none of what systems keep for themselves and let nobody list."""
    try:
        return subfolders(path)
    except DatasetError:
        if path.name.lower() in _SYSTEMS or not path.is_dir():
            return []
        raise


def _is_empty(path: Path) -> bool:
    try:
        return not _listed(path, Path.exists)
    except DatasetError:
        return False  # whoever reads it will say what is wrong with it


def the_one(
    files: Sequence[Path], root: Path, *, suffix: str, clip: str, faults: list[Fault]
) -> Path | None:
    """Picks the file of a clip among its duplicates.

    Archives are unpacked twice, and people convert videos and leave them beside the originals.

    Args:
        files: At least one.
        root: The dataset's folder.
        suffix: Of the published files, in small letters.
        clip: The clip's name.
        faults: Gets a note where a copy is passed over, and a fault where it cannot be told.

    Returns:
        The only file with the published suffix, or the first where all such are alike to the
        byte; None where they differ.
    """
    published = [file for file in files if file.suffix.lower() == suffix] or list(files)
    first = published[0]
    alike = all(same_content(first, other) for other in published[1:])
    for other in files:
        if alike and other is not first:
            faults.append(
                Fault(
                    file=relative(other, root),
                    message=f"is not read: {relative(first, root)} is the same clip",
                    remedy="nothing, or remove it",
                    fatal=False,
                )
            )
    if not alike:
        listed = ", ".join(relative(file, root) for file in published)
        faults.append(
            Fault(
                file=relative(first, root),
                message=f"is there {len(published)} times with different contents: {listed}",
                remedy="keep the one that the archives have",
                clip=clip,
            )
        )
    return first if alike else None


def same_content(one: Path, other: Path) -> bool:
    """Whether two files hold the same; not where one of them cannot be read."""
    try:
        return filecmp.cmp(one, other, shallow=False)
    except OSError:  # which of them is whole cannot be told
        return False


def unread_videos(
    folder: Path, root: Path, *, seen: Iterable[Path], belong: str, remedy: str
) -> list[Fault]:
    """A note for each folder with videos that no rule of the layout leads to.

    People rename a class, and sort clips into folders of their own: what is not read must not be
    missing in silence.

    Args:
        folder: Looked through, however deep; links are followed.
        root: The dataset's folder.
        seen: Files that were read, or of which something was said.
        belong: Where the layout has videos.
        remedy: What to do with others.
    """
    known = {path.resolve() for path in seen}  # a reader may have come by a link
    unread = Counter(path.parent for path in videos_below(folder) if path.resolve() not in known)
    faults = []
    for here, count in sorted(unread.items()):
        videos = "a video that is" if count == 1 else f"{count} videos that are"
        faults.append(
            Fault(
                file="./" if here == root else f"{relative(here, root)}/",
                message=f"holds {videos} not read: they belong in {belong}",
                remedy=remedy,
                fatal=False,
            )
        )
    return faults


def subfolders(path: Path) -> list[Path]:
    """Folders directly in `path` in the order of their names, without litter.

    Raises:
        DatasetError: It cannot be listed.
    """
    return _listed(path, Path.is_dir)


def files_in(path: Path) -> list[Path]:
    """Files directly in `path` in the order of their names, without litter.

    Raises:
        DatasetError: It cannot be listed.
    """
    return _listed(path, _is_file)


def _listed(path: Path, wanted: Callable[[Path], bool]) -> list[Path]:
    try:
        return sorted(entry for entry in path.iterdir() if not is_litter(entry) and wanted(entry))
    except OSError as error:
        # An empty list would make a dataset of what is left.
        raise DatasetError(
            f"cannot be listed: {error.strerror}",
            file=path,
            remedy="make the folder readable, or unpack it again",
        ) from error


def _is_file(path: Path) -> bool:
    """Also a video's link that leads nowhere, as to a disk that is not there: it is missing."""
    lost = path.is_symlink() and path.suffix.lower() in VIDEO_SUFFIXES and not path.exists()
    return path.is_file() or lost


def is_litter(path: Path) -> bool:
    """Whether a name is an operating system's, not the dataset's (.DS_Store, Thumbs.db, ...)."""
    name = path.name.lower()
    return name.startswith((".", "._")) or name in {"thumbs.db", "desktop.ini", "__macosx"}


def relative(path: Path, root: Path) -> str:
    """`path` relative to `root`, with forward slashes."""
    return path.relative_to(root).as_posix()
