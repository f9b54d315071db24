"""RAVDESS: 24 actors speak two sentences in eight expressions; open."""

from __future__ import annotations

import dataclasses
import functools
import re
from collections import Counter
from pathlib import Path

from mic.datasets.readers.source import (
    Dataset,
    Scan,
    Source,
    files_in,
    readable_subfolders,
    relative,
    the_one,
    unread_videos,
)
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
SOUND_AND_PICTURE, PICTURE = "01", "02"
SPEECH, SONG = "01", "02"
_ACTORS = 24
_MOST_NAMED = 6  # missing takes of an actor; beyond it an archive is missing, not takes


def scan(root: Path) -> Scan:
    """Reads `Actor_01/01-01-06-01-02-01-01.mp4`, however deep the actors' folders lie.

    Each take is published with and without sound; the pictures are the same, so one is used.
    Songs are noted as such: `ravdess` is the spoken takes, `ravdess-with-song` is all of them.
    """
    counts: Counter[str] = Counter()
    faults: list[Fault] = []
    takes: dict[str, dict[str, list[Path]]] = {}
    seen: set[Path] = set()
    for folder in [root, *_actors(root)]:
        for file in files_in(folder):
            match = _NAME.fullmatch(file.name)
            if match is None:
                continue
            seen.add(file)
            modality, channel, *_, actor = match.groups()
            take = file.name[3:-4]
            if modality not in (SOUND_AND_PICTURE, PICTURE) or take not in _takes(channel, actor):
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
                takes.setdefault(take, {}).setdefault(modality, []).append(file)
    faults += unread_videos(
        root,
        root,
        seen=seen,
        belong="a folder like Actor_01, named like 01-01-06-01-02-01-01.mp4",
        remedy="move them there, give them back their names, or remove them",
    )
    chosen = {
        take: the_one(
            files.get(SOUND_AND_PICTURE) or files[PICTURE],
            root,
            suffix=".mp4",
            clip=take,
            faults=faults,
        )
        for take, files in sorted(takes.items())
    }
    every = {
        take: Source(
            clip_id=take,
            files=() if file is None else (relative(file, root),),
            subject=f"Actor_{take[-2:]}",
            label=LABELS[take[3:5]],
            notes={"channel": "speech" if take[:2] == SPEECH else "song"},
        )
        for take, file in chosen.items()
    }
    sources = tuple(source for source in every.values() if source.files)
    lost = {take: source for take, source in every.items() if not source.files}
    by_actor: dict[tuple[str, str], set[str]] = {}
    for take in chosen:
        key = f"Actor_{take[-2:]}", "speech" if take[:2] == SPEECH else "song"
        by_actor.setdefault(key, set()).add(take)
    for actor in {actor for actor, _ in by_actor}:  # of whom only songs came: an archive lacks
        by_actor.setdefault((actor, "speech"), set())
    for (actor, channel), found in sorted(by_actor.items()):
        faults += _missing(actor, channel, found)
    if not any(source.notes["channel"] == "speech" for source in sources):
        faults.append(
            Fault(
                file="Actor_01/",
                message="no speech video of any actor was found",
                remedy="unpack Video_Speech_Actor_01.zip ... 24 here, or "
                "`mic fetch ravdess --download`",
            )
        )
    spoken = [source for source in sources if source.notes["channel"] == "speech"]
    counts["speech takes"] = len(spoken)
    counts["song takes"] = len(sources) - len(spoken)
    counts["actors"] = len({source.subject for source in sources})
    counts.update(source.label for source in spoken)
    return Scan(sources=sources, faults=tuple(faults), counts=counts, lost=lost)


def _actors(root: Path) -> list[Path]:
    """The actors' folders, however deep; of links only those that are named as the archives."""
    found: list[Path] = []
    level = [root]
    while level:
        level = [
            sub
            for folder in level
            for sub in readable_subfolders(folder)
            if not sub.is_symlink() or sub.name.lower().startswith(("actor_", "video_"))
        ]
        found += [sub for sub in level if sub.name.lower().startswith("actor_")]
    return sorted(found)


def _missing(actor: str, channel: str, found: set[str]) -> list[Fault]:
    """A fault for each take that is not there; one for all where an archive must be missing."""
    remedy = f"download Video_{channel.capitalize()}_{actor}.zip again"
    # Whoever wants the spoken takes needs no song.
    fatal = channel == "speech"
    code = SPEECH if channel == "speech" else SONG
    missing = [take for take in _takes(code, actor[-2:]) if take not in found]
    if len(missing) > _MOST_NAMED:
        message = f"{len(found)} takes of {channel} instead of {len(found) + len(missing)}"
        return [Fault(file=f"{actor}/", message=message, remedy=remedy, fatal=fatal)]
    return [
        Fault(
            file=f"{actor}/01-{take}.mp4",
            message="is missing",
            remedy=remedy,
            fatal=fatal,
            clip=take if fatal else "",
        )
        for take in missing
    ]


@functools.cache
def _takes(channel: str, actor: str) -> tuple[str, ...]:
    """Names of an actor's published takes, without the modality: neutral has one intensity.

    Empty for a channel that is neither speech nor song, and for an actor who is none of the 24.
    """
    expressions = {SPEECH: 8, SONG: 6}.get(channel, 0) if 1 <= int(actor) <= _ACTORS else 0
    return tuple(
        f"{channel}-{expression:02}-{intensity:02}-{sentence:02}-{repeat:02}-{actor}"
        for expression in range(1, expressions + 1)
        for intensity in ((1, 2) if expression > 1 else (1,))
        for sentence in (1, 2)
        for repeat in (1, 2)
    )


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
)
# 23 actors sing 44 takes each in six expressions; actor 18's songs were never published.
RAVDESS_WITH_SONG = dataclasses.replace(
    RAVDESS,
    name="ravdess-with-song",
    title="RAVDESS, speech and song",
    base="ravdess",
    select=None,
    clips=2452,
    expected={**RAVDESS.expected, "song takes": 1012},
)
