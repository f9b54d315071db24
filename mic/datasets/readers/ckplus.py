"""CK+, the extended Cohn-Kanade dataset: picture sequences from neutral to apex."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from fractions import Fraction
from pathlib import Path

from mic.datasets.readers.source import (
    IMAGE_SUFFIXES,
    Dataset,
    Scan,
    Source,
    files_in,
    folder_of,
    relative,
    subfolders,
)
from mic.manifest.manifest import Fault
from mic.storage.tables import read_text

# The numbers of the label files; 0, neutral, is defined but not used by the 327 sequences.
LABELS = {
    1: "anger",
    2: "contempt",
    3: "disgust",
    4: "fear",
    5: "happiness",
    6: "sadness",
    7: "surprise",
}
FRAME_RATE = Fraction(30)  # of the recordings; the pictures are consecutive frames
_SUBJECT = re.compile(r"S\d{3}", re.IGNORECASE)
_NAME = re.compile(r"(S\d{3})_(\d{3})_(\d{8})", re.IGNORECASE)

_UNPACK = "unpack extended-cohn-kanade-images.zip and Emotion_labels.zip into one folder"


def scan(root: Path) -> Scan:
    """Reads `cohn-kanade-images/S005/001/*.png` and `Emotion/S005/001/*_emotion.txt`.

    The sequences without an emotion file have no label by the makers' intention and are only
    counted. The last picture is the apex, and the one that the emotion file is named after.
    """
    pictures = folder_of(root, "cohn-kanade-images", "extended-cohn-kanade-images")
    emotions = folder_of(root, "Emotion", "Emotion_labels")
    faults = [
        Fault(file=f"{name}/", message="is missing", remedy=_UNPACK)
        for name, folder in (("cohn-kanade-images", pictures), ("Emotion", emotions))
        if folder is None
    ]
    if pictures is None or emotions is None:
        return Scan(sources=(), faults=tuple(faults), counts={})
    sequences = {
        (subject.name.upper(), number.name): number
        for subject in subfolders(pictures)
        if _SUBJECT.fullmatch(subject.name)
        for number in subfolders(subject)
    }
    sources, counts = [], Counter(sequences=len(sequences))
    labelled: set[tuple[str, str]] = set()
    for subject in subfolders(emotions):
        for number in subfolders(subject):
            key = subject.name.upper(), number.name
            found = [file for file in files_in(number) if file.suffix.lower() == ".txt"]
            if not found:
                continue
            labelled.add(key)
            source = _source(root, key, sequences.get(key), found, faults)
            if source is not None:
                sources.append(source)
    counts["labelled sequences"] = len(sources)
    counts["subjects with a label"] = len({source.subject for source in sources})
    counts["subjects"] = len({subject for subject, _ in sequences})
    counts.update(source.label for source in sources)
    return Scan(sources=tuple(sources), faults=tuple(faults), counts=counts)


def _source(
    root: Path,
    key: tuple[str, str],
    folder: Path | None,
    emotion_files: list[Path],
    faults: list[Fault],
) -> Source | None:
    subject, number = key
    clip_id = f"{subject}_{number}"
    emotion = emotion_files[0]
    name = relative(emotion, root)
    if len(emotion_files) > 1:
        faults.append(
            Fault(
                file=relative(emotion.parent, root),
                message=f"holds {len(emotion_files)} emotion files instead of one",
                remedy="keep the one that is named after the last picture",
                clip=clip_id,
            )
        )
        return None
    label = _label(emotion)
    if label is None:
        faults.append(
            Fault(
                file=name,
                message="does not hold a number from 1 to 7",
                remedy="unpack Emotion_labels.zip again",
                clip=clip_id,
            )
        )
        return None
    files = [] if folder is None else files_in(folder)
    files = [file for file in files if file.suffix.lower() in IMAGE_SUFFIXES]
    numbered = sorted(
        (int(match[3]), file) for file in files if (match := _NAME.fullmatch(file.stem))
    )
    if len(numbered) < 2:
        faults.append(
            Fault(
                file=f"cohn-kanade-images/{subject}/{number}/",
                message=f"has a label but {len(numbered)} pictures",
                remedy="unpack extended-cohn-kanade-images.zip again",
                clip=clip_id,
            )
        )
        return None
    match = _NAME.match(emotion.stem)
    last, apex = numbered[-1][0], int(match[3]) if match else None
    if apex is not None and apex != last:
        faults.append(
            Fault(
                file=relative(numbered[-1][1], root),
                message=f"is the last picture, but the label is for number {apex}",
                remedy="unpack extended-cohn-kanade-images.zip again: pictures are missing",
                clip=clip_id,
            )
        )
        return None
    missing = last - numbered[0][0] + 1 - len(numbered)
    if missing:
        faults.append(
            Fault(
                file=relative(numbered[0][1].parent, root),
                message=f"{missing} pictures are missing between the first and the last",
                remedy="unpack it again; the sequence is used as it is, with a jump",
                fatal=False,
            )
        )
    return Source(
        clip_id=clip_id,
        files=tuple(relative(file, root) for _, file in numbered),
        subject=subject,
        label=label,
        apex="last",
        frame_rate=FRAME_RATE,
    )


def _label(file: Path) -> str | None:
    try:
        value = float(read_text(file).split()[0])
    except (OSError, ValueError, IndexError):
        return None
    return LABELS.get(int(value)) if value.is_integer() else None


CKPLUS = Dataset(
    name="ckplus",
    title="CK+ (extended Cohn-Kanade)",
    reference="P. Lucey et al., The Extended Cohn-Kanade Dataset (CK+), CVPR Workshops 2010",
    home="https://www.jeffcohn.net/Resources/",
    licence="CK+ agreement: academic use, no redistribution",
    access="Sign the agreement on the home page; the archives come by e-mail. Pictures may be "
    "printed only of the subjects whom the agreement names.",
    layout="""\
cohn-kanade-images/S005/001/S005_001_00000001.png ... S005_001_00000011.png
Emotion/S005/001/S005_001_00000011_emotion.txt     (absent where there is no label)""",
    classes=tuple(LABELS.values()),
    expected={
        "sequences": 593,
        "subjects": 123,
        "labelled sequences": 327,
        "subjects with a label": 118,
        "anger": 45,
        "contempt": 18,
        "disgust": 59,
        "fear": 25,
        "happiness": 69,
        "sadness": 28,
        "surprise": 83,
    },
    scan=scan,
    clips=327,
    parts=10,
    stands_for="CK+",
)


def _basic(source: Source) -> Source | str:
    return "contempt" if source.label == "contempt" else source


# The other count of the literature: without contempt, and without the twelve people of whom only
# contempt is labelled.
CKPLUS_SIX = dataclasses.replace(
    CKPLUS,
    name="ckplus-six",
    title="CK+, six basic expressions",
    base="ckplus",
    classes=tuple(label for label in CKPLUS.classes if label != "contempt"),
    select=_basic,
    clips=309,
    expected={
        **{name: n for name, n in CKPLUS.expected.items() if name != "contempt"},
        "left out: contempt": 18,
        "clips of this variant": 309,
        "people of this variant": 106,
    },
)
