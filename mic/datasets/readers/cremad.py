"""CREMA-D: 91 actors speak twelve sentences in six expressions; open."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from mic.codec import VIDEO_SUFFIXES
from mic.datasets.readers.source import Dataset, Scan, Source, files_in, folder_of, relative
from mic.manifest.manifest import Fault

LABELS = {
    "ANG": "anger",
    "DIS": "disgust",
    "FEA": "fear",
    "HAP": "happiness",
    "NEU": "neutral",
    "SAD": "sadness",
}
# Actor, sentence, emotion, level; one file of the publication has the level X instead of XX.
_NAME = re.compile(r"(1\d{3})_([A-Z]{3})_([A-Z]{3})_(LO|MD|HI|XX?)", re.IGNORECASE)
# The makers' list of mistakes: a minute of all emotions in one file.
KNOWN_BAD = {"1064_IEO_DIS_MD": "holds all emotions in one recording, as its makers state"}
POINTER = b"version https://git-lfs"


def scan(root: Path) -> Scan:
    """Reads `VideoFlash/1001_IEO_ANG_HI.flv`."""
    folder = folder_of(root, "VideoFlash")
    if folder is None:
        missing = Fault(
            file="VideoFlash/",
            message="is missing",
            remedy="clone the home page's repository with Git LFS, or `mic fetch cremad`",
        )
        return Scan(sources=(), faults=(missing,), counts={})
    faults: list[Fault] = []
    sources: list[Source] = []
    counts: Counter[str] = Counter()
    for file in files_in(folder):
        if file.suffix.lower() not in VIDEO_SUFFIXES:
            continue
        match = _NAME.fullmatch(file.stem)
        name = relative(file, root)
        label = None if match is None else LABELS.get(match[3].upper())
        if label is not None:
            counts.update(["clips", label])
        if label is None:
            faults.append(
                Fault(
                    file=name,
                    message="has a name that CREMA-D does not define",
                    remedy="remove it, or give it back its name",
                    fatal=False,
                )
            )
        elif file.stem.upper() in KNOWN_BAD:
            faults.append(
                Fault(
                    file=name,
                    message=KNOWN_BAD[file.stem.upper()],
                    remedy="nothing: it is left out",
                    fatal=False,
                )
            )
        elif is_pointer(file):
            faults.append(
                Fault(
                    file=name,
                    message="is a pointer of Git LFS, not the video",
                    remedy="run `git lfs pull` in the clone",
                )
            )
        else:
            sources.append(
                Source(
                    clip_id=file.stem.upper(),
                    files=(name,),
                    subject=match[1],
                    label=label,
                )
            )
    counts["actors"] = len({source.subject for source in sources})
    return Scan(sources=tuple(sources), faults=tuple(faults), counts=counts)


def is_pointer(file: Path) -> bool:
    """Whether a file is only the text that Git LFS keeps in place of a large one."""
    with file.open("rb") as stream:
        return stream.read(len(POINTER)) == POINTER


CREMAD = Dataset(
    name="cremad",
    title="CREMA-D (Crowd-sourced Emotional Multimodal Actors Dataset)",
    reference="H. Cao et al., IEEE Transactions on Affective Computing 5(4), 2014",
    home="https://github.com/CheyneyComputerScience/CREMA-D",
    licence="ODbL 1.0 and DbCL 1.0",
    access="Open: clone the home page's repository with Git LFS (only VideoFlash is read, about "
    "3 GB).",
    layout="VideoFlash/1001_IEO_ANG_HI.flv    (actor, sentence, emotion, level)",
    classes=tuple(LABELS.values()),
    expected={"clips": 7442, "actors": 91, "neutral": 1087}
    | dict.fromkeys(("anger", "disgust", "fear", "happiness", "sadness"), 1271),
    scan=scan,
)
