"""What a reader says about a dataset: where its clips lie, what they are called, what is wrong.

A dataset is a `Dataset`: what it is and how one gets it, and a `scan` that reads the folder's
names and labels but no video. A `variant` of it keeps a part of the clips or labels them
otherwise, as papers do; it has the same folder. `mic.datasets.readers.build` makes the clips.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Literal

import numpy as np

from mic.manifest.manifest import Fault

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"})


@dataclasses.dataclass(frozen=True, kw_only=True)
class Source:
    """One clip as it lies in the published folder.

    Attributes:
        clip_id: Unique name in the dataset; becomes the file's name.
        files: Paths relative to the dataset's folder: one video, or the pictures in order.
        subject: Who is seen.
        label: Class, or empty.
        apex: Where the strongest expression is: by the protocol, the frame that an annotation
            names, or "found" in the pictures (`mic.inputs.apex.find`), "between" where the clip
            also ends neutral; None: undefined.
        split: As in `Clip`.
        fold: As in `Clip`.
        frame_rate: Of a picture sequence; a video has its own.
        traces: Paths of label traces by name ("valence"), relative to the folder.
        notes: What else the dataset says about the clip and variants choose by ("view").
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
    """

    sources: tuple[Source, ...]
    faults: tuple[Fault, ...]
    counts: Mapping[str, int]


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
    """
    if dataset.select is None:
        return scan
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
    return dataclasses.replace(scan, sources=tuple(kept), counts=counts)


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
    """The folder that holds one of `names` (compared without case), down to two levels of nesting.

    Archives are unpacked with and without a folder of their own name, and people rename the top.

    Args:
        path: The folder that the user gave, or one of the sought folders itself.
        names: The sought folder's names.

    Returns:
        The sought folder, the least nested one; of a folder nested in its namesake the inner.
    """
    wanted = {name.lower() for name in names}
    level = [path]
    for _ in range(3):
        for candidate in level:
            if candidate.name.lower() in wanted:
                inner = [sub for sub in subfolders(candidate) if sub.name.lower() in wanted]
                return inner[0] if inner else candidate
        level = [sub for candidate in level for sub in subfolders(candidate)]
    return None


def subfolders(path: Path) -> list[Path]:
    """Folders directly in `path` in the order of their names, without litter."""
    try:
        found = [sub for sub in path.iterdir() if sub.is_dir()]
    except OSError:
        return []
    return sorted(sub for sub in found if not is_litter(sub))


def files_in(path: Path) -> list[Path]:
    """Files directly in `path` in the order of their names, without litter."""
    try:
        return sorted(file for file in path.iterdir() if file.is_file() and not is_litter(file))
    except OSError:
        return []


def is_litter(path: Path) -> bool:
    """Whether a name is an operating system's, not the dataset's (.DS_Store, Thumbs.db, ...)."""
    name = path.name.lower()
    return name.startswith((".", "._")) or name in {"thumbs.db", "desktop.ini", "__macosx"}


def relative(path: Path, root: Path) -> str:
    """`path` relative to `root`, with forward slashes."""
    return path.relative_to(root).as_posix()
