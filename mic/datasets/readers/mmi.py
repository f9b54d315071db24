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
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree

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
    same_content,
    subfolders,
)
from mic.errors import DatasetError
from mic.manifest.manifest import Fault
from mic.manifest.tables import Spellings

# Values of the session's Emotion tag; larger ones are moods and single action units.
LABELS = {1: "anger", 2: "disgust", 3: "fear", 4: "happiness", 5: "sadness", 6: "surprise"}
FRONTAL = "0"  # the track's view; 1 is profile, 2 both through a mirror
VIEWS = {"0": "frontal", "1": "profile", "2": "frontal and profile"}
_APEX, _OFFSET = "2", "3"  # types of a marker: where the action unit's apex begins, where it ends
_LARGEST_XML = 1 << 20
_AGAIN = "download this session again"


def scan(root: Path) -> Scan:
    """Reads `Sessions/<number>/` with one video, `session.xml` and the video's own `.xml`.

    Sessions without one of the six emotions (action units, other moods) are only counted. The apex
    is the frame at which most action units are at theirs by the annotation of onset, apex and
    offset; where a session has none, it is found in the pictures, between neutral and neutral.
    """
    sessions = folder_of(root, "Sessions")
    if sessions is None:
        remedy = "unpack the download of the MMI search page here, folder names kept"
        fault = missing(root, "Sessions", remedy=remedy)
        return Scan(sources=(), faults=(fault,), counts={})
    faults: list[Fault] = []
    sources: list[Source] = []
    counts: Counter[str] = Counter()
    faults += copies_of(root, "Sessions")
    lost: dict[str, Source] = {}
    first: dict[str, tuple[Path, Source]] = {}
    people = Spellings()
    for folder in sorted(subfolders(sessions), key=lambda sub: (len(sub.name), sub.name)):
        inside = files_in(folder)
        by_name = {file.name.lower(): file for file in inside}
        if not folder.name.isdecimal() and "session.xml" not in by_name:
            faults.append(_note(folder, root, "is no session's folder and is not read"))
            continue
        counts["sessions"] += 1
        videos = [file for file in inside if file.suffix.lower() in VIDEO_SUFFIXES]
        if len(videos) != 1:
            faults.append(
                Fault(
                    file=relative(folder, root),
                    message=f"holds {len(videos)} videos instead of one",
                    remedy=_AGAIN,
                    fatal=not videos,
                    clip=f"session-{folder.name}",
                )
            )
            continue
        source = _source(root, folder, by_name, videos[0], faults, counts)
        if source is None:
            continue
        source = dataclasses.replace(source, subject=people.first(source.subject))
        # A folder that was copied is not another session: its clip would count twice.
        video, earlier = first.setdefault(videos[0].stem.lower(), (videos[0], source))
        if earlier is source or not same_content(video, videos[0]):
            sources.append(source)
        elif (earlier.label, earlier.subject) == (source.label, source.subject):
            message = f"is a copy of {relative(video.parent, root)} and is not read"
            faults.append(_note(folder, root, message))
        else:
            faults.append(
                Fault(
                    file=relative(folder, root),
                    message=f"has the video of {relative(video.parent, root)} but another label "
                    "or person",
                    remedy="download both sessions again",
                    clip=source.clip_id,
                )
            )
            lost[source.clip_id] = source
    counts["labelled sequences"] = len(sources)
    counts["frontal labelled sequences"] = sum(
        source.notes["view"] == VIEWS[FRONTAL] for source in sources
    )
    counts["subjects with a label"] = len({source.subject for source in sources})
    counts.update(source.label for source in sources)
    return Scan(sources=tuple(sources), faults=tuple(faults), counts=counts, lost=lost)


def _note(folder: Path, root: Path, message: str) -> Fault:
    remedy = "remove it, or give it back its name"
    return Fault(file=relative(folder, root), message=message, remedy=remedy, fatal=False)


def _source(
    root: Path,
    folder: Path,
    by_name: Mapping[str, Path],
    video: Path,
    faults: list[Fault],
    counts: Counter[str],
) -> Source | None:
    # Names of other systems may be no UTF-8, and stand in a manifest.
    clip_id = "session-" + re.sub(r"[^\w -]", "_", folder.name)
    names = "session.xml", f"{video.stem}.xml"
    try:
        session, clip = (_xml(by_name.get(name.lower()), folder / name) for name in names)
        of_clip = _emotion(clip, folder / names[1])
        of_session = _emotion(session, folder / names[0])
        emotion = of_session if of_clip is None else of_clip
        if of_session not in (None, emotion):
            raise DatasetError(
                f"its emotion is {of_clip}, that of {names[0]} is {of_session}",
                file=folder / names[1],
            )
        subject = _subject(session, video)
    except DatasetError as error:
        file = folder if error.file is None else Path(error.file)
        faults.append(
            Fault(file=relative(file, root), message=error.message, remedy=_AGAIN, clip=clip_id)
        )
        return None
    if emotion not in LABELS:
        counts["sessions without one of six emotions"] += 1
        return None
    if subject is None:
        faults.append(
            Fault(
                file=relative(folder, root),
                message="names no subject, neither in session.xml nor in the video's name",
                remedy=_AGAIN,
                clip=clip_id,
            )
        )
        return None
    track = _first(session, "track")
    view = None if track is None else _attribute(track, "view")
    apex = annotated_apex(by_name.get(f"{video.stem}-oao_aucs.xml".lower()))
    counts["apex by annotation" if apex is not None else "apex found in the pictures"] += 1
    return Source(
        clip_id=clip_id,
        files=(relative(video, root),),
        subject=subject,
        label=LABELS[emotion],
        apex="between" if apex is None else apex,
        notes={"view": VIEWS.get((view or "").strip(), "unknown")},
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
        units = _all(_parsed(file), "actionunit")
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


def _xml(file: Path | None, expected: Path) -> ElementTree.Element:
    if file is None:
        raise DatasetError("is missing", file=expected)
    try:
        return _parsed(file)
    except (OSError, ValueError, LookupError, ElementTree.ParseError) as error:
        raise DatasetError(f"is not the XML of a session: {error}", file=file) from error


def _parsed(file: Path) -> ElementTree.Element:
    text = file.read_bytes()
    # Without the zeros of UTF-16.
    if len(text) > _LARGEST_XML or b"<!ENTITY" in text.replace(b"\0", b""):
        raise ValueError("it is far larger than a session's, or defines entities")
    return ElementTree.fromstring(text)


def _emotion(element: ElementTree.Element, file: Path) -> int | None:
    found: set[int] = set()
    for tag in _all(element, "metatag"):
        value = (_attribute(tag, "value") or "").strip()
        if (_attribute(tag, "name") or "").strip().lower() != "emotion" or not value:
            continue
        try:
            number = float(value)
        except ValueError:
            number = float("nan")
        if not number.is_integer() or number < 0:
            raise DatasetError(f"its emotion is {value!r}, not a number of MMI's", file=file)
        found.add(int(number))
    if len(found) > 1:
        listed = " and ".join(str(number) for number in sorted(found))
        raise DatasetError(f"names the emotions {listed}", file=file)
    return next(iter(found), None)


def _subject(session: ElementTree.Element, video: Path) -> str | None:
    ids = {(_attribute(one, "id") or "").strip().casefold() for one in _all(session, "subject")}
    if len(ids) > 1:
        raise DatasetError(f"names {len(ids)} subjects", file=video.with_name("session.xml"))
    element = _first(session, "subject")
    name = "" if element is None else " ".join((_attribute(element, "id") or "").split())
    # One person must not be two for being written as 5, S5 and S005.
    if number := re.fullmatch(r"S?(\d+)", name, re.IGNORECASE):
        return f"S{int(number[1]):03}"
    if name:
        return name
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
