"""AVEC 2016's emotion part: RECOLA recordings with traces of arousal and valence."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from pathlib import Path

import numpy as np

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
from mic.manifest.tables import read_text

DIMENSIONS = ("arousal", "valence")
SPLITS = {"train": "train", "dev": "val"}
_NAME = re.compile(r"(train|dev|test)_(\d+)", re.IGNORECASE)
_RATING = "goldstandard"
_HOLE = 1.0  # seconds without a rating: the challenge rates every 40 ms
_LONG = 5.0  # usual steps: where all are as long, the unit is another one
_LIMIT = 1  # of the raters' scale, at either end


def scan(root: Path) -> Scan:
    """Reads `recordings_video/train_1.mp4` and `ratings_gold_standard/arousal/train_1.arff`.

    The test recordings have no public ratings and are only counted. The ratings are taken as they
    are, raters' delay included: `mic.lowrate.sequences` shifts it out.
    """
    recordings = folder_of(root, "recordings_video")
    ratings = folder_of(root, "ratings_gold_standard")
    faults = [
        missing(root, name, remedy=f"unpack {name}.zip here")
        for name, folder in (("recordings_video", recordings), ("ratings_gold_standard", ratings))
        if folder is None
    ]
    if recordings is None or ratings is None:
        return Scan(sources=(), faults=tuple(faults), counts={})
    counts: Counter[str] = Counter()
    sources = []
    faults += copies_of(root, "recordings_video") + copies_of(root, "ratings_gold_standard")
    named: dict[str, list[Path]] = {}
    known = set()
    for file in files_in(recordings):
        match = _NAME.fullmatch(file.stem)
        if match is None or file.suffix.lower() not in VIDEO_SUFFIXES:
            continue
        known.add(file)
        if match[1].lower() == "test":
            counts["test recordings, without ratings"] += 1
        else:
            named.setdefault(file.stem.lower(), []).append(file)
    faults += unread_videos(
        recordings,
        root,
        seen=known,
        belong="recordings_video/ as train_1.mp4, dev_1.mp4",
        remedy="move them there, or give them back their names",
    )
    chosen = {
        stem: the_one(files, root, suffix=".mp4", clip=stem, faults=faults)
        for stem, files in named.items()
    }
    videos = {stem: file for stem, file in chosen.items() if file is not None}
    folders = {name: folder_of(ratings, name) for name in DIMENSIONS}
    rated = {
        name: _ratings(folder, root, faults)
        for name, folder in folders.items()
        if folder is not None
    }
    for stem in sorted(videos, key=lambda stem: (stem[0] != "t", len(stem), stem)):
        traces = {name: files[stem] for name, files in rated.items() if stem in files}
        lacking = [name for name in DIMENSIONS if name not in traces]
        if lacking:
            faults.append(
                Fault(
                    file=relative(videos[stem], root),
                    message=f"has no rating of {' and '.join(lacking)}",
                    remedy="unpack ratings_gold_standard.zip again",
                    clip=stem,
                )
            )
            continue
        bad = [fault for file in traces.values() if (fault := _fault(file, root))]
        if bad:
            faults += [dataclasses.replace(fault, clip=stem) for fault in bad]
            continue
        split = SPLITS[stem.split("_")[0]]
        counts[f"{split} recordings"] += 1
        sources.append(
            Source(
                clip_id=stem,
                files=(relative(videos[stem], root),),
                subject=stem,
                split=split,
                traces={name: relative(file, root) for name, file in traces.items()},
            )
        )
    for name, files in rated.items():
        for stem in sorted(files.keys() - named.keys()):
            if _NAME.fullmatch(stem):
                faults.append(
                    Fault(
                        file=relative(files[stem], root),
                        message=f"rates the {name} of a recording that is not there",
                        remedy="unpack recordings_video.zip again",
                        clip=stem,
                    )
                )
    return Scan(sources=tuple(sources), faults=tuple(faults), counts=counts)


def _ratings(folder: Path, root: Path, faults: list[Fault]) -> dict[str, Path]:
    """The file of each recording; of two that differ none, and a fault says so."""
    named: dict[str, list[Path]] = {}
    for file in files_in(folder):
        if file.suffix.lower() == ".arff":
            named.setdefault(file.stem.lower(), []).append(file)
    chosen = {
        stem: the_one(files, root, suffix=".arff", clip=stem, faults=faults)
        for stem, files in named.items()
    }
    return {stem: file for stem, file in chosen.items() if file is not None}


def read_trace(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Times in seconds and values of one ARFF file of ratings, which lie between -1 and 1.

    Raises:
        DatasetError: It is not such a file, or one of another recording than its name says; line
            and remedy are named.
    """
    remedy = "unpack ratings_gold_standard.zip again"
    try:
        lines = read_text(path).splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"cannot be read: {error}", file=path, remedy=remedy) from error
    names, start = [], None
    for number, line in enumerate(lines):
        words = line.split()
        if words and words[0].lower() == "@attribute" and len(words) > 1:
            names.append(words[1].strip("'\"").lower())
        elif words and words[0].lower() == "@data":
            start = number + 1
            break
    time = next((k for k, name in enumerate(names) if "time" in name), None)
    # The challenge calls the rating GoldStandard; otherwise it is called as what is rated, or it
    # is the only other column.
    called = [name for name in (_RATING, path.parent.name.lower()) if name in names]
    rating = names.index(called[0]) if called else len(names) - 1
    others = [k for k in range(1, len(names)) if k != time]
    if not called and len(others) > 1:
        raise DatasetError(
            f"has the columns {', '.join(names[k] for k in others)}, and none is called the gold "
            "standard",
            file=path,
            remedy=remedy,
        )
    if start is None or time is None or len(names) < 2 or rating == time:
        raise DatasetError("is not an ARFF file of ratings", file=path, remedy=remedy)
    rows = []
    for number, line in enumerate(lines[start:], start=start + 1):
        if not line.strip() or line.lstrip().startswith("%"):
            continue
        cells = line.split(",")
        place = f"line {number}"
        try:
            rows.append((float(cells[time]), float(cells[rating])))
        except (ValueError, IndexError) as error:
            raise DatasetError("is not a rating", file=path, place=place, remedy=remedy) from error
        if not np.isfinite(rows[-1]).all():
            raise DatasetError("is no finite rating", file=path, place=place, remedy=remedy)
        if abs(rows[-1][1]) > _LIMIT:
            message = f"the rating {rows[-1][1]:g} is not between -{_LIMIT} and {_LIMIT}"
            raise DatasetError(message, file=path, place=place, remedy=remedy)
        recording = cells[0].strip().strip("'\"").lower()
        if _NAME.fullmatch(recording) and recording != path.stem.lower():
            raise DatasetError(
                f"is a rating of {recording}", file=path, place=place, remedy=remedy
            )
    times, values = np.array(rows or [(0.0, 0.0)]).T
    steps = np.diff(times)
    if len(rows) < 2 or not (steps > 0).all():
        raise DatasetError("its times do not rise, or too few", file=path, remedy=remedy)
    if steps.max() > max(_HOLE, _LONG * np.median(steps)):
        hole = int(steps.argmax())
        raise DatasetError(
            f"rates nothing between {times[hole]:.2f} and {times[hole + 1]:.2f} s",
            file=path,
            remedy=remedy,
        )
    return times, values


def _fault(file: Path, root: Path) -> Fault | None:
    try:
        read_trace(file)
    except DatasetError as error:
        place = f" at {error.place}" if error.place else ""
        return Fault(
            file=relative(file, root), message=f"{error.message}{place}", remedy=error.remedy or ""
        )
    return None


AVEC = Dataset(
    name="avec",
    title="AVEC 2016, emotion (RECOLA)",
    reference="M. Valstar et al., AVEC 2016, AVEC workshop at ACM Multimedia 2016; "
    "F. Ringeval et al., Introducing the RECOLA Multimodal Corpus, FG Workshops 2013",
    home="https://diuf.unifr.ch/main/diva/recola/",
    licence="RECOLA agreement: academic use, no redistribution",
    access="Sign the agreement on the home page; ask for the partitions of AVEC 2016.",
    layout="""\
recordings_video/train_1.mp4 ... train_9.mp4, dev_1.mp4 ... dev_9.mp4
ratings_gold_standard/arousal/train_1.arff ... dev_9.arff
ratings_gold_standard/valence/train_1.arff ... dev_9.arff""",
    classes=(),
    expected={"train recordings": 9, "val recordings": 9},
    scan=scan,
    read_trace=read_trace,
    clips=18,
)
