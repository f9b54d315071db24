"""MMI: videos from neutral over the apex back to neutral, one session a folder.

How many people show the 213 labelled sequences is counted, but held against no number, because
the literature has several: 32 are printed beside 326 recordings, of which 213 are labelled and 205
of these frontal (S. Li and W. Deng, Deep Facial Expression Recognition: A Survey, IEEE TAC 2020,
and the replication report), which does not say that all 32 have a label; 31 beside 236 sequences
(Z. Meng et al., FG 2017); 30 beside 213 (M. Liu et al., CVPR 2014). The papers were not at hand
when this was written: check them before quoting. The generated protocol `synth-mmi` has 32.
"""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

from mic.codec import VIDEO_SUFFIXES
from mic.datasets.readers.source import (
    Dataset,
    Scan,
    Source,
    files_in,
    folder_of,
    is_litter,
    relative,
    subfolders,
)
from mic.manifest.manifest import Fault

# Values of the session's Emotion tag; larger ones are moods and single action units.
LABELS = {1: "anger", 2: "disgust", 3: "fear", 4: "happiness", 5: "sadness", 6: "surprise"}
FRONTAL = "0"  # the track's view; 1 is profile, 2 both through a mirror
VIEWS = {"0": "frontal", "1": "profile", "2": "frontal and profile"}
_APEX, _OFFSET = "2", "3"  # types of a marker: where the action unit's apex begins, where it ends
_LARGEST_XML = 1 << 20


def scan(root: Path) -> Scan:
    """Reads `Sessions/<number>/` with one video, `session.xml` and the video's own `.xml`.

    Sessions without one of the six emotions (action units, other moods) are only counted. The apex
    is the frame at which most action units are at theirs by the annotation of onset, apex and
    offset; where a session has none, it is found in the pictures, between neutral and neutral.
    """
    sessions = folder_of(root, "Sessions")
    if sessions is None:
        missing = Fault(
            file="Sessions/",
            message="is missing",
            remedy="unpack the download of the MMI search page here, folder names kept",
        )
        return Scan(sources=(), faults=(missing,), counts={})
    faults: list[Fault] = []
    sources: list[Source] = []
    counts: Counter[str] = Counter()
    for folder in sorted(subfolders(sessions), key=lambda sub: (len(sub.name), sub.name)):
        counts["sessions"] += 1
        videos = [file for file in files_in(folder) if file.suffix.lower() in VIDEO_SUFFIXES]
        if len(videos) != 1:
            faults.append(
                Fault(
                    file=relative(folder, root),
                    message=f"holds {len(videos)} videos instead of one",
                    remedy="download this session again",
                    fatal=not videos,
                    clip=f"session-{folder.name}",
                )
            )
            continue
        source = _source(root, folder, videos[0], faults, counts)
        if source is not None:
            sources.append(source)
    counts["labelled sequences"] = len(sources)
    counts["subjects with a label"] = len({source.subject for source in sources})
    counts.update(source.label for source in sources)
    return Scan(sources=tuple(sources), faults=tuple(faults), counts=counts)


def _source(
    root: Path, folder: Path, video: Path, faults: list[Fault], counts: Counter[str]
) -> Source | None:
    by_name = {file.name.lower(): file for file in folder.iterdir() if not is_litter(file)}
    session = _xml(by_name.get("session.xml"), root, folder / "session.xml", faults)
    own = by_name.get(f"{video.stem}.xml".lower())
    clip = _xml(own, root, folder / f"{video.stem}.xml", faults)
    if clip is None or session is None:
        faults[-1] = dataclasses.replace(faults[-1], clip=f"session-{folder.name}")
        return None
    emotion = _emotion(clip)
    if emotion is None:
        emotion = _emotion(session)
    if emotion not in LABELS:
        counts["sessions without one of six emotions"] += 1
        return None
    subject = _subject(session, video)
    if subject is None:
        faults.append(
            Fault(
                file=relative(folder, root),
                message="names no subject, neither in session.xml nor in the video's name",
                remedy="download this session again",
                clip=f"session-{folder.name}",
            )
        )
        return None
    track = _first(session, "track")
    view = None if track is None else _attribute(track, "view")
    if view == FRONTAL:
        counts["frontal labelled sequences"] += 1
    apex = annotated_apex(by_name.get(f"{video.stem}-oao_aucs.xml".lower()))
    counts["apex by annotation" if apex is not None else "apex found in the pictures"] += 1
    return Source(
        clip_id=f"session-{folder.name}",
        files=(relative(video, root),),
        subject=subject,
        label=LABELS[emotion],
        apex="between" if apex is None else apex,
        notes={"view": VIEWS.get(view or "", "unknown")},
    )


def annotated_apex(file: Path | None) -> int | None:
    """The frame, from 0, at which most action units are at their apex; of several the middle.

    Each `ActionUnit` has markers with a frame, from 1, and a type: neutral, onset, apex, offset.

    Returns:
        None where there is no such file, it is damaged, or no action unit reaches its apex.
    """
    if file is None:
        return None
    try:
        text = file.read_bytes()
        if len(text) > _LARGEST_XML or b"<!ENTITY" in text:
            return None
        units = _all(ElementTree.fromstring(text), "actionunit")
        spans = [span for unit in units if (span := _apex_span(unit))]
    except (OSError, ValueError, ElementTree.ParseError):
        return None
    if not spans:
        return None
    ends = range(min(first for first, _ in spans), max(last for _, last in spans) + 1)
    active = [sum(first <= frame <= last for first, last in spans) for frame in ends]
    best = [frame for frame, count in zip(ends, active, strict=True) if count == max(active)]
    return best[len(best) // 2]


def _apex_span(unit: ElementTree.Element) -> tuple[int, int] | None:
    """First and last frame, from 0, of an action unit's apex."""
    frames: dict[str, int] = {}
    for marker in _all(unit, "marker"):
        frames[_attribute(marker, "type") or ""] = int(_attribute(marker, "frame") or "") - 1
    if _APEX not in frames or frames[_APEX] < 0:
        return None
    last = frames.get(_OFFSET, frames[_APEX])
    return (frames[_APEX], last) if last >= frames[_APEX] else None


def _xml(
    file: Path | None, root: Path, expected: Path, faults: list[Fault]
) -> ElementTree.Element | None:
    problem = "is missing"
    if file is not None:
        try:
            text = file.read_bytes()
            if len(text) > _LARGEST_XML or b"<!ENTITY" in text:
                raise ValueError("it is far larger than a session's, or defines entities")
            return ElementTree.fromstring(text)
        except (OSError, ValueError, ElementTree.ParseError) as error:
            problem = f"is not the XML of a session: {error}"
    faults.append(
        Fault(file=relative(expected, root), message=problem, remedy="download this session again")
    )
    return None


def _emotion(element: ElementTree.Element) -> int | None:
    for tag in _all(element, "metatag"):
        if (_attribute(tag, "name") or "").lower() == "emotion":
            value = _attribute(tag, "value") or ""
            return int(value) if value.strip().isdecimal() else None
    return None


def _subject(session: ElementTree.Element, video: Path) -> str | None:
    element = _first(session, "subject")
    number = None if element is None else _attribute(element, "id")
    if number:
        return f"S{int(number):03}" if number.isdecimal() else number
    match = re.match(r"S(\d{3})", video.stem, re.IGNORECASE)  # S005-012.avi
    return match[0].upper() if match else None


# Names are compared without case and namespace: exports of different years differ in both.
def _all(element: ElementTree.Element, name: str) -> list[ElementTree.Element]:
    return [sub for sub in element.iter() if str(sub.tag).rpartition("}")[2].lower() == name]


def _first(element: ElementTree.Element, name: str) -> ElementTree.Element | None:
    return next(iter(_all(element, name)), None)


def _attribute(element: ElementTree.Element, name: str) -> str | None:
    return next((value for key, value in element.attrib.items() if key.lower() == name), None)


MMI = Dataset(
    name="mmi",
    title="MMI facial expression database",
    reference="M. Valstar and M. Pantic, Induced Disgust, Happiness and Surprise: an Addition to "
    "the MMI Facial Expression Database, LREC Workshop on Emotion 2010; M. Pantic et al., "
    "Web-based Database for Facial Expression Analysis, ICME 2005",
    home="https://mmifacedb.eu/",
    licence="MMI end user licence agreement: academic use, no redistribution",
    access="Apply for an account on the home page and sign the agreement; search for sessions "
    "with an emotion and download them with their annotations.",
    layout="""\
Sessions/1767/S051-001.avi
Sessions/1767/S051-001.xml             (Metatag Name="Emotion" Value="1" ... "6")
Sessions/1767/session.xml              (subject, track with its view)
Sessions/1767/S051-001-oao_aucs.xml    (onset, apex and offset of action units, where coded)""",
    classes=tuple(LABELS.values()),
    # As papers on MMI since 2014 count them; those who show them, see above.
    expected={"labelled sequences": 213, "frontal labelled sequences": 205},
    scan=scan,
    clips=213,
    parts=10,
    stands_for="MMI",
)


def _frontal(source: Source) -> Source | str:
    view = source.notes["view"]
    return source if view == VIEWS[FRONTAL] else f"view {view}"


MMI_FRONTAL = dataclasses.replace(
    MMI,
    name="mmi-frontal",
    title="MMI, frontal views only",
    base="mmi",
    select=_frontal,
    clips=205,
    expected={**MMI.expected, "clips of this variant": 205},
)
