"""CREMA-D: 91 actors speak twelve sentences in six expressions; open."""

from __future__ import annotations

import csv
import dataclasses
import functools
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from mic.codec import VIDEO_SUFFIXES
from mic.datasets.readers.source import (
    Dataset,
    Scan,
    Source,
    copies_of,
    files_in,
    folder_of,
    missing,
    relative,
    the_one,
    unread_videos,
)
from mic.errors import DatasetError
from mic.manifest.manifest import Fault
from mic.manifest.tables import read_rows

LABELS = {
    "ANG": "anger",
    "DIS": "disgust",
    "FEA": "fear",
    "HAP": "happiness",
    "NEU": "neutral",
    "SAD": "sadness",
}
# Actor, sentence, emotion, level; one file of the publication has the level X instead of XX.
_NAME = re.compile(
    r"(10(?:0[1-9]|[1-8]\d|9[01]))_(IEO|TIE|IOM|IWW|TAI|MTI|IWL|ITH|DFA|ITS|TSI|WSI)"
    r"_(ANG|DIS|FEA|HAP|NEU|SAD)_(LO|MD|HI|XX?)",
    re.IGNORECASE,
)
# The makers' list of mistakes: a minute of all emotions in one file.
KNOWN_BAD = {"1064_IEO_DIS_MD": "holds all emotions in one recording, as its makers state"}
POINTER = b"version https://git-lfs"


def scan(root: Path, *, by_votes: bool = False) -> Scan:
    """Reads `VideoFlash/1001_IEO_ANG_HI.flv`, and how the crowd's votes on the faces fell.

    Labels are what the actors were asked to show; what viewers saw, without sound, is noted with
    each clip for the variant `cremad-crowd`.

    Args:
        root: The dataset's folder.
        by_votes: Votes are needed: a table that cannot be read is an error, not a note.

    Raises:
        DatasetError: A folder cannot be listed, or the table is needed and cannot be read.
    """
    folder = folder_of(root, "VideoFlash")
    if folder is None:
        remedy = "clone the home page's repository with Git LFS, or `mic fetch cremad --download`"
        fault = missing(root, "VideoFlash", remedy=remedy)
        return Scan(sources=(), faults=(fault,), counts={})
    faults = copies_of(root, "VideoFlash")
    sources: list[Source] = []
    lost: dict[str, Source] = {}
    counts: Counter[str] = Counter()
    crowd: Mapping[str, str] = {}
    try:
        crowd = crowd_labels(root)
    except DatasetError as error:
        if by_votes:
            raise
        faults.append(_unread_votes(error, root))
    named: dict[str, list[Path]] = {}
    listed = files_in(folder)
    faults += unread_videos(
        folder,
        root,
        seen=set(listed),
        belong="VideoFlash itself",
        remedy="move them there, or remove them",
    )
    for file in listed:
        if file.suffix.lower() not in VIDEO_SUFFIXES:
            continue
        match = _NAME.fullmatch(file.stem)
        if match is None:
            faults.append(
                Fault(
                    file=relative(file, root),
                    message="has a name that CREMA-D does not define",
                    remedy="remove it, or give it back its name",
                    fatal=False,
                )
            )
            continue
        named.setdefault(file.stem.upper(), []).append(file)
    for clip, files in named.items():
        actor, _, code, _ = clip.split("_")
        counts.update(["clips", LABELS[code]])
        one = the_one(files, root, suffix=".flv", clip=clip, faults=faults)
        source = Source(
            clip_id=clip,
            files=() if one is None else (relative(one, root),),
            subject=actor,
            label=LABELS[code],
            notes={"shown": LABELS[code], "crowd": crowd.get(clip, "")},
        )
        if one is None:
            lost[clip] = source
        elif clip in KNOWN_BAD:
            faults.append(
                Fault(
                    file=relative(one, root),
                    message=KNOWN_BAD[clip],
                    remedy="nothing: it is left out",
                    clip=clip,
                    fatal=False,
                )
            )
        elif is_pointer(one):
            faults.append(
                Fault(
                    file=relative(one, root),
                    message="is a pointer of Git LFS, not the video",
                    remedy="run `git lfs pull` in the clone",
                    clip=clip,
                )
            )
            lost[clip] = source
        else:
            sources.append(source)
    counts["actors"] = len({source.subject for source in sources})
    return Scan(sources=tuple(sources), faults=tuple(faults), counts=counts, lost=lost)


def _unread_votes(error: DatasetError, root: Path) -> Fault:
    where = f"{error.place}: " if error.place else ""
    return Fault(
        file=relative(error.file or root, root),
        message=f"{where}{error.message}; no vote is read, which only cremad-crowd needs",
        remedy=error.remedy or "nothing",
        fatal=False,
    )


def crowd_labels(root: Path) -> Mapping[str, str]:
    """What most viewers saw in each clip's face, by the clip's name.

    Several names joined by ":" are a tie, as rows of one clip are that do not agree. From the
    column FaceVote of `processedResults/summaryTable.csv`; empty without such a table.

    Raises:
        DatasetError: The table is none of votes, or a vote is for no expression; its row is named.
    """
    folder = folder_of(root, "processedResults")
    named = [] if folder is None else files_in(folder)
    table = next((file for file in named if file.name.lower() == "summarytable.csv"), None)
    if table is None:
        return {}
    remedy = "clone the home page's repository again"
    try:
        rows = [(line["FileName"], line["FaceVote"]) for line in read_rows(table)]
    except (OSError, UnicodeDecodeError, KeyError, csv.Error) as error:
        raise DatasetError(
            f"is not CREMA-D's table of votes: {_said(error)}", file=table, remedy=remedy
        ) from error
    initials = {code[0]: label for code, label in LABELS.items()}
    seen: dict[str, list[str]] = {}
    for name, votes in rows:
        initial = [vote.strip().upper() for vote in votes.split(":") if vote.strip()]
        if unknown := [vote for vote in initial if vote not in initials]:
            raise DatasetError(
                f"has a vote {unknown[0]!r}, which is none of {', '.join(initials)}",
                file=table,
                place=f"row of {name}",
                remedy=remedy,
            )
        # Some copies name the file, not the take.
        take = name.upper().removesuffix(".FLV")
        seen.setdefault(take, []).extend(initials[vote] for vote in initial)
    return {take: ":".join(dict.fromkeys(labels)) for take, labels in seen.items()}


def is_pointer(file: Path) -> bool:
    """Whether a file is only the text that Git LFS keeps in place of a large one."""
    try:
        with file.open("rb") as stream:
            return stream.read(len(POINTER)) == POINTER
    except OSError:  # said of the clip when it is built
        return False


def _said(error: Exception) -> str:
    """An error in a line: that of a wrong encoding holds all that was read."""
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start} is not {error.encoding}"
    return f"it has no column {error}" if isinstance(error, KeyError) else str(error)


CREMAD = Dataset(
    name="cremad",
    title="CREMA-D (Crowd-sourced Emotional Multimodal Actors Dataset)",
    reference="H. Cao et al., IEEE Transactions on Affective Computing 5(4), 2014",
    home="https://github.com/CheyneyComputerScience/CREMA-D",
    licence="ODbL 1.0 and DbCL 1.0",
    access="Open: clone the home page's repository with Git LFS (only VideoFlash is read, about "
    "3 GB).",
    layout="""\
VideoFlash/1001_IEO_ANG_HI.flv    (actor, sentence, emotion, level)
processedResults/summaryTable.csv    (votes; only for cremad-crowd)""",
    classes=tuple(LABELS.values()),
    expected={"clips": 7442, "actors": 91, "neutral": 1087}
    | dict.fromkeys(("anger", "disgust", "fear", "happiness", "sadness"), 1271),
    scan=scan,
    clips=7441,
)


def _seen(source: Source) -> Source | str:
    votes = source.notes.get("crowd", "")
    if votes in LABELS.values():
        return dataclasses.replace(source, label=votes)
    return "the viewers' votes are a tie" if votes else "no votes of viewers"


CREMAD_CROWD = dataclasses.replace(
    CREMAD,
    name="cremad-crowd",
    title="CREMA-D, labelled by what most viewers saw in the face",
    base="cremad",
    scan=functools.partial(scan, by_votes=True),
    select=_seen,
    clips=0,  # how many ties there are is not printed anywhere
)
