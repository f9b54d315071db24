"""CK+, the extended Cohn-Kanade dataset: picture sequences from neutral to apex."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from fractions import Fraction
from pathlib import Path

from mic.datasets.readers.source import (
    IMAGE_SUFFIXES,
    Dataset,
    Scan,
    Source,
    copies_of,
    files_in,
    folder_of,
    is_litter,
    missing,
    relative,
    subfolders,
    the_one,
)
from mic.manifest.manifest import Fault
from mic.manifest.tables import read_text

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
_NUMBER = re.compile(r"\d{3}")
_NAME = re.compile(r"(S\d{3})_(\d{3})_(\d{8})", re.IGNORECASE)

_PICTURES = ("cohn-kanade-images", "extended-cohn-kanade-images")
_OTHERS = ("_facs", "_landmarks")
_EMOTIONS = ("Emotion", "Emotion_labels")
_PICTURES_AGAIN = "unpack extended-cohn-kanade-images.zip again"
_LABELS_AGAIN = "unpack Emotion_labels.zip again"
_UNPACK = "unpack extended-cohn-kanade-images.zip and Emotion_labels.zip into one folder"


def scan(root: Path) -> Scan:
    """Reads `cohn-kanade-images/S005/001/*.png` and `Emotion/S005/001/*_emotion.txt`.

    The sequences without an emotion file have no label by the makers' intention and are only
    counted. The last picture is the apex, and the one that the emotion file is named after.
    """
    pictures = folder_of(root, *_PICTURES)
    emotions = folder_of(root, *_EMOTIONS)
    faults = [
        missing(root, *names, remedy=_UNPACK)
        for names, folder in ((_PICTURES, pictures), (_EMOTIONS, emotions))
        if folder is None
    ]
    if pictures is None or emotions is None:
        return Scan(sources=(), faults=tuple(faults), counts={})
    faults += copies_of(root, *_PICTURES) + copies_of(root, *_EMOTIONS)
    sequences, labels = _sequences(pictures), _sequences(emotions)
    sources, counts = [], Counter(sequences=len(sequences))
    lost: dict[str, Source] = {}
    for key, folders in labels.items():
        files = [file for folder in folders for file in files_in(folder)]
        files = [file for file in files if file.suffix.lower() == ".txt" and not _other(file)]
        if files:
            source = _source(root, key, sequences.get(key, []), files, faults)
            if source is not None and source.files:
                sources.append(source)
            elif source is not None:
                lost[source.clip_id] = source
    faults += [_stray(folder, root) for folder in _strays(emotions)]
    faults += _elsewhere(emotions, root, labels)
    counts["labelled sequences"] = len(sources)
    counts["subjects with a label"] = len({source.subject for source in sources})
    counts["subjects"] = len({subject for subject, _ in sequences})
    counts.update(source.label for source in sources)
    return Scan(sources=tuple(sources), faults=tuple(faults), counts=counts, lost=lost)


def _other(file: Path) -> bool:
    """Whether a file is of another archive: action units or points, unpacked over the labels."""
    return _NAME.match(file.stem) is not None and file.stem.lower().endswith(_OTHERS)


def _sequences(folder: Path) -> dict[tuple[str, str], list[Path]]:
    """The folders of each sequence: several where names differ only in their case."""
    found: dict[tuple[str, str], list[Path]] = {}
    for subject in subfolders(folder):
        for number in subfolders(subject) if _SUBJECT.fullmatch(subject.name) else ():
            if _NUMBER.fullmatch(number.name):
                found.setdefault((subject.name.upper(), number.name), []).append(number)
    return dict(sorted(found.items()))


def _strays(emotions: Path) -> Iterator[Path]:
    """Folders beside those of the sequences that hold files: copies, mostly."""
    for subject in subfolders(emotions):
        known = _SUBJECT.fullmatch(subject.name)
        for number in subfolders(subject):
            if not (known and _NUMBER.fullmatch(number.name)) and files_in(number):
                yield number


def _elsewhere(
    emotions: Path, root: Path, labels: Mapping[tuple[str, str], list[Path]]
) -> list[Fault]:
    """Labels that lie elsewhere than in the folder of their sequence, of those that have none."""
    found: dict[str, Fault] = {}
    for file in sorted(emotions.rglob("*_emotion*")):
        match = _NAME.match(file.name)
        if match is None or is_litter(file):
            continue
        subject, number = match[1].upper(), match[2]
        in_place = file.parent.name == number and file.parent.parent.name.upper() == subject
        if in_place and file.is_file() and file.suffix.lower() == ".txt":
            continue
        if _has_another(file, labels.get((subject, number), [])):
            continue
        found[f"{subject}_{number}"] = Fault(
            file=relative(file, root),
            message=f"is no label that is read, in the place where that of {subject}/{number} is",
            remedy=_LABELS_AGAIN,
            clip=f"{subject}_{number}",
        )
    return list(found.values())


def _has_another(file: Path, folders: list[Path]) -> bool:
    """Whether the folders of a sequence hold another label than a file."""
    return any(
        other != file and _NAME.match(other.stem) and other.suffix.lower() == ".txt"
        for folder in folders
        for other in files_in(folder)
    )


def _stray(folder: Path, root: Path) -> Fault:
    return Fault(
        file=relative(folder, root),
        message="is not named as a sequence of CK+ and is not read",
        remedy="remove it, or give it back its name",
        fatal=False,
    )


def _source(
    root: Path,
    key: tuple[str, str],
    folders: list[Path],
    emotion_files: list[Path],
    faults: list[Fault],
) -> Source | None:
    """A sequence, without files where its pictures are at fault, or None without its label."""
    subject, number = key
    clip_id = f"{subject}_{number}"
    # Notes that somebody wrote beside a label are none; "..._emotion (1).txt" is one, once more.
    named = {file: match[0].upper() for file in emotion_files if (match := _NAME.match(file.stem))}
    emotion_files = list(named) or emotion_files
    if len(set(named.values())) == 1:
        one = the_one(emotion_files, root, suffix=".txt", clip=clip_id, faults=faults)
        if one is None:
            return None
        emotion_files = [one]
    emotion = emotion_files[0]
    name = relative(emotion, root)

    def left_out(file: str, message: str, remedy: str) -> None:
        faults.append(Fault(file=file, message=message, remedy=remedy, clip=clip_id))

    if len(emotion_files) > 1:
        left_out(
            relative(emotion.parent, root),
            f"holds {len(emotion_files)} emotion files instead of one",
            "keep the one that is named after the last picture",
        )
        return None
    match = _NAME.match(emotion.stem)
    if match and (match[1].upper(), match[2]) != key:
        left_out(name, f"is the label of another sequence than {clip_id}", _LABELS_AGAIN)
        return None
    label = _label(emotion)
    if label is None:
        left_out(name, "does not hold a number from 1 to 7", _LABELS_AGAIN)
        return None
    lost = Source(clip_id=clip_id, files=(), subject=subject, label=label)
    numbered = _numbered(folders, key)
    if len(numbered) < 2:
        place = f"cohn-kanade-images/{subject}/{number}/"
        left_out(place, f"has a label but {len(numbered)} pictures", _PICTURES_AGAIN)
        return lost
    files = [
        the_one(same, root, suffix=".png", clip=clip_id, faults=faults)
        for _, same in sorted(numbered.items())
    ]
    if None in files:
        return lost
    first, last = min(numbered), max(numbered)
    apex = int(match[3]) if match else None
    if apex is not None and apex != last:
        left_out(
            relative(numbered[last][0], root),
            f"is the last picture, but the label is for number {apex}",
            f"{_PICTURES_AGAIN}: pictures are missing",
        )
        return lost
    if first != 1:
        faults.append(
            Fault(
                file=relative(numbered[first][0], root),
                message="is the first picture: the neutral ones before it may be missing",
                remedy="compare with the archive; the sequence is used as it is",
                fatal=False,
            )
        )
    missing = last - first + 1 - len(numbered)
    if missing:
        faults.append(
            Fault(
                file=relative(numbered[first][0].parent, root),
                message=f"{missing} pictures are missing between the first and the last",
                remedy="unpack it again; the sequence is used as it is, with a jump",
                fatal=False,
            )
        )
    return dataclasses.replace(
        lost,
        files=tuple(relative(file, root) for file in files if file),
        apex="last",
        frame_rate=FRAME_RATE,
    )


def _numbered(folders: list[Path], key: tuple[str, str]) -> dict[int, list[Path]]:
    """The pictures of a sequence by their numbers; those of other sequences are not its own."""
    found: dict[int, list[Path]] = {}
    for file in (file for folder in folders for file in files_in(folder)):
        match = _NAME.fullmatch(file.stem)
        if match is None or file.suffix.lower() not in IMAGE_SUFFIXES:
            continue
        if (match[1].upper(), match[2]) == key:
            found.setdefault(int(match[3]), []).append(file)
    return found


def _label(file: Path) -> str | None:
    try:
        (word,) = read_text(file).split()
        value = float(word)
    except (OSError, ValueError):
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
