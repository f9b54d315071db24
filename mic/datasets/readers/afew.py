"""AFEW (Acted Facial Expressions in the Wild), as given out for the EmotiW challenges."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from mic.codec import VIDEO_SUFFIXES
from mic.datasets.readers.source import (
    Dataset,
    Scan,
    Source,
    files_in,
    folder_of,
    relative,
    subfolders,
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
            faults.append(
                Fault(
                    file=f"{names[0]}/",
                    message="is missing",
                    remedy=f"unpack the archives of {names[0]} here",
                )
            )
            continue
        classes = {sub.name.lower(): sub for sub in subfolders(folder)}
        # The videos may lie one folder deeper, beside the makers' aligned faces.
        for sub in list(classes.values()):
            if not LABELS.keys() & classes.keys():
                classes |= {inner.name.lower(): inner for inner in subfolders(sub)}
        for name, label in LABELS.items():
            if name not in classes:
                faults.append(
                    Fault(
                        file=f"{relative(folder, root)}/{name.capitalize()}/",
                        message="is missing",
                        remedy=f"unpack {name.capitalize()}.zip of {names[0]} there",
                    )
                )
                continue
            for file in files_in(classes[name]):
                if file.suffix.lower() not in VIDEO_SUFFIXES:
                    continue
                clip_id = f"{split}-{file.stem}"
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
