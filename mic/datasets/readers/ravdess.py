"""RAVDESS: 24 actors speak two sentences in eight expressions; open."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from pathlib import Path

from mic.datasets.readers.source import Dataset, Scan, Source, files_in, relative
from mic.manifest.manifest import Fault

# Fields of the file name: modality, channel, expression, intensity, sentence, take, actor.
_NAME = re.compile(r"(\d\d)-(\d\d)-(\d\d)-(\d\d)-(\d\d)-(\d\d)-(\d\d)\.mp4", re.IGNORECASE)
LABELS = {
    "01": "neutral",
    "02": "calm",
    "03": "happiness",
    "04": "sadness",
    "05": "anger",
    "06": "fear",
    "07": "disgust",
    "08": "surprise",
}
SOUND_AND_PICTURE, PICTURE, SPEECH = "01", "02", "01"
_TAKES = {"speech": 60, "song": 44}


def scan(root: Path) -> Scan:
    """Reads `Actor_01/01-01-06-01-02-01-01.mp4`, however deep the actors' folders lie.

    Each take is published with and without sound; the pictures are the same, so one is used.
    Songs are noted as such: `ravdess` is the spoken takes, `ravdess-with-song` is all of them.
    """
    counts: Counter[str] = Counter()
    faults: list[Fault] = []
    takes: dict[str, dict[str, Path]] = {}
    for folder in [root, *sorted(sub for sub in root.rglob("Actor_*") if sub.is_dir())]:
        for file in files_in(folder):
            match = _NAME.fullmatch(file.name)
            if match is None:
                continue
            modality, channel, expression, *_, actor = match.groups()
            if modality not in (SOUND_AND_PICTURE, PICTURE) or expression not in LABELS:
                faults.append(
                    Fault(
                        file=relative(file, root),
                        message="has a name that RAVDESS does not define",
                        remedy="remove it, or give it back its name",
                        fatal=False,
                    )
                )
            elif folder != root and folder.name.lower() != f"actor_{actor}":
                faults.append(
                    Fault(
                        file=relative(file, root),
                        message=f"is of actor {actor} but lies in {folder.name}",
                        remedy="move it into its actor's folder",
                    )
                )
            else:
                takes.setdefault(file.name[3:-4], {})[modality] = file
    sources = tuple(
        Source(
            clip_id=take,
            files=(relative(files.get(SOUND_AND_PICTURE) or files[PICTURE], root),),
            subject=f"Actor_{take[-2:]}",
            label=LABELS[take[3:5]],
            notes={"channel": "speech" if take[:2] == SPEECH else "song"},
        )
        for take, files in sorted(takes.items())
    )
    actors = Counter((source.subject, source.notes["channel"]) for source in sources)
    for (actor, channel), number in sorted(actors.items()):
        if number != _TAKES[channel]:
            faults.append(
                Fault(
                    file=f"{actor}/",
                    message=f"{number} takes of {channel} instead of {_TAKES[channel]}",
                    remedy=f"download Video_{channel.capitalize()}_{actor}.zip again",
                    # Whoever wants the spoken takes needs no song.
                    fatal=channel == "speech",
                )
            )
    if not any(source.notes["channel"] == "speech" for source in sources):
        faults.append(
            Fault(
                file="Actor_01/",
                message="no speech video of any actor was found",
                remedy="unpack Video_Speech_Actor_01.zip ... 24 here, or `mic fetch ravdess`",
            )
        )
    spoken = [source for source in sources if source.notes["channel"] == "speech"]
    counts["speech takes"] = len(spoken)
    counts["song takes"] = len(sources) - len(spoken)
    counts["actors"] = len({source.subject for source in sources})
    counts.update(source.label for source in spoken)
    return Scan(sources=sources, faults=tuple(faults), counts=counts)


def _spoken(source: Source) -> Source | str:
    return source if source.notes["channel"] == "speech" else "song"


RAVDESS = Dataset(
    name="ravdess",
    title="RAVDESS (Ryerson Audio-Visual Database of Emotional Speech and Song)",
    reference="S. Livingstone and F. Russo, PLoS ONE 13(5): e0196391, 2018",
    home="https://zenodo.org/records/1188976",
    licence="CC BY-NC-SA 4.0",
    access="Open: `mic fetch ravdess --download` takes the 24 speech archives (about 12 GB).",
    layout="""\
Actor_01/01-01-01-01-01-01-01.mp4 ... (60 speech takes an actor, with sound, and again without)
or Video_Speech_Actor_01/Actor_01/...""",
    classes=tuple(LABELS.values()),
    expected={"speech takes": 1440, "actors": 24, "neutral": 96}
    | dict.fromkeys(list(LABELS.values())[1:], 192),
    scan=scan,
    select=_spoken,
    clips=1440,
    subjects=24,
)
# 23 actors sing 44 takes each in six expressions; actor 18's songs were never published.
RAVDESS_WITH_SONG = dataclasses.replace(
    RAVDESS,
    name="ravdess-with-song",
    title="RAVDESS, speech and song",
    base="ravdess",
    select=None,
    clips=2452,
    expected=RAVDESS.expected | {"song takes": 1012},
)
