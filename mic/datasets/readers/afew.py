"""AFEW (Acted Facial Expressions in the Wild), as given out for the EmotiW challenges."""

from __future__ import annotations

from collections import Counter
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
    subfolders,
    the_one,
    unread_videos,
)
from mic.manifest.manifest import Fault

LABELS = {
    "angry": "anger",
    "disgust": "disgust",
    "fear": "fear",
    "happy": "happiness",
    "neutral": "neutral",
    "sad": "sadness",
    "surprise": "surprise",
}
SPLITS = {"train": ("Train_AFEW", "Train"), "val": ("Val_AFEW", "Val", "Validation")}


def scan(root: Path) -> Scan:
    """Reads `Train_AFEW/Angry/*.avi` and `Val_AFEW/Angry/*.avi`.

    AFEW does not say who is seen, so each clip is its own subject here; its train and validation
    movies are disjoint by the makers' word, but an inner validation split is not.
    """
    faults: list[Fault] = []
    sources: list[Source] = []
    counts: Counter[str] = Counter()
    for split, names in SPLITS.items():
        folder = folder_of(root, *names)
        if folder is None:
            remedy = f"unpack the archives of {names[0]} here"
            faults.append(missing(root, *names, remedy=remedy))
            continue
        faults += copies_of(root, *names)
        inside = subfolders(folder)
        # The videos may lie one folder deeper, beside the makers' aligned faces.
        if not any(sub.name.lower() in LABELS for sub in inside):
            inside = [inner for sub in inside for inner in subfolders(sub)]
        seen: set[Path] = set()
        for name, label in LABELS.items():
            same = [sub for sub in inside if sub.name.lower() == name]
            videos = _videos(same, root, seen, faults)
            if not videos:
                faults.append(
                    Fault(
                        file=f"{relative(same[0] if same else folder / name.capitalize(), root)}/",
                        message="holds no video" if same else "is missing",
                        remedy=f"unpack {name.capitalize()}.zip of {names[0]} there",
                        # What is not trained on cannot be recognised; a test may do without.
                        fatal=not same or split == "train",
                    )
                )
            for stem, files in videos.items():
                clip_id = f"{split}-{stem}"
                file = the_one(files, root, suffix=".avi", clip=clip_id, faults=faults)
                if file is None:
                    continue
                sources.append(
                    Source(
                        clip_id=clip_id,
                        files=(relative(file, root),),
                        subject=f"unknown-{clip_id}",
                        label=label,
                        split=split,
                    )
                )
                counts[f"{split} {label}"] += 1
                counts[split] += 1
        classes = ", ".join(name.capitalize() for name in LABELS)
        faults += unread_videos(
            folder,
            root,
            seen=seen,
            belong=f"a folder of their class: {classes}",
            remedy="move them there, give the folder back its name, or remove it",
        )
    twice = Counter(source.clip_id for source in sources)
    for source in sources:
        if twice[source.clip_id] > 1:
            faults.append(
                Fault(
                    file=source.files[0],
                    message="has the name of a clip of another class",
                    remedy="remove the copy that the archives do not have",
                    clip=source.clip_id,
                )
            )
    unique = tuple(source for source in sources if twice[source.clip_id] == 1)
    return Scan(sources=unique, faults=tuple(faults), counts=counts)


def _videos(
    folders: list[Path], root: Path, seen: set[Path], faults: list[Fault]
) -> dict[str, list[Path]]:
    """The videos of a class by their numbers, in its folders or in their namesakes inside."""
    found: dict[str, list[Path]] = {}
    for folder in folders:
        inner = [sub for sub in subfolders(folder) if sub.name.lower() == folder.name.lower()]
        for file in (file for place in [folder, *inner] for file in files_in(place)):
            if file.suffix.lower() not in VIDEO_SUFFIXES:
                continue
            seen.add(file)
            if file.stem.isdecimal():
                found.setdefault(file.stem, []).append(file)
                continue
            faults.append(
                Fault(
                    file=relative(file, root),
                    message="is not named by a number, as AFEW's clips are, and is not read",
                    remedy="remove it, or give it back its name",
                    fatal=False,
                )
            )
    return dict(sorted(found.items()))


_COUNTS = {
    "train": dict(zip(LABELS.values(), (133, 74, 81, 150, 144, 117, 74), strict=True)),
    "val": dict(zip(LABELS.values(), (64, 40, 46, 63, 63, 61, 46), strict=True)),
}

AFEW = Dataset(
    name="afew",
    title="AFEW 6.0/7.0 (EmotiW 2016 to 2018)",
    reference="A. Dhall et al., Collecting Large, Richly Annotated Facial-Expression Databases "
    "from Movies, IEEE MultiMedia 2012; EmotiW 2016, ICMI 2016",
    home="https://cs.anu.edu.au/few/",
    licence="AFEW agreement: academic use, no redistribution",
    access="Write to the challenge's organisers from an academic address and sign the agreement.",
    layout="""\
Train_AFEW/Angry/000046280.avi     (Angry Disgust Fear Happy Neutral Sad Surprise)
Val_AFEW/Angry/000149120.avi""",
    classes=tuple(LABELS.values()),
    expected={split: sum(counts.values()) for split, counts in _COUNTS.items()}
    | {f"{split} {label}": n for split, counts in _COUNTS.items() for label, n in counts.items()},
    scan=scan,
    clips=1156,
    stands_for="AFEW",
    follow=True,
)
