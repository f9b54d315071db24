"""Labelled videos, and each of them as the network sees it: cropped, coded, parsed, cached."""

from __future__ import annotations

import csv
import dataclasses
import itertools
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from pathlib import Path

import numpy as np
import torch

from mic import codec, datasets, faces, identity
from mic.errors import ConfigError, DatasetError, printable
from mic.inputs.coverage import UNREADABLE, LeftOut, check_share
from mic.inputs.tensors import ClipTensors, Representation, padded, represent
from mic.manifest.tables import Spellings, number_of, read_rows
from mic.recognition.framing import Framing
from mic.storage import cache
from mic_bitstream.packets import PacketStream

STAGE = cache.Stage(name="own-clips", version=2)
# `S005_003.avi`, `s005-happy-2.mp4`: who is seen usually stands first.
SUBJECT = r"[^_\-\s]+"
VALENCE = "valence.csv"
_LEVELS = 2  # of folders that say something: what is shown, and who
_NAMED = 12  # people, in a summary
# Pictures from one search for a face to the next; `mic predict` looks as often.
_SEARCH = 12
# Standard deviation of the gray of a picture that shows nothing: black, white, a fade's ends.
_BLANK = 4.0
# What folders are called that are classes: of the published datasets, and in other words.
_EXPRESSIONS = frozenset(label for one in datasets.DATASETS.values() for label in one.classes) | {
    *("angry", "disgusted", "fearful", "happy", "sad", "surprised"),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Labelled:
    """A video of one person with one expression.

    Attributes:
        path: The file.
        label: Its class.
        subject: Who is seen.
        valence: How pleasant what is shown is, -1 to 1; None where nobody has rated it.
    """

    path: Path
    label: str
    subject: str
    valence: float | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a video becomes the network's input; see `mic.recognition.recogniser.Card`.

    `margin` and `drop` are those of the generated faces; see `mic.faces.alignment`.
    """

    representation: Representation = dataclasses.field(default_factory=Representation)
    edge: int = 128
    vop_quant: int = 2
    margin: float = faces.MARGIN
    drop: float = faces.DROP


def class_folders(folder: str | Path, *, subject: str | None = None) -> list[Labelled]:
    r"""The videos of `folder/<class>/...`, in a stable order.

    A folder below the class folder names the subject (`happy/anna/1.mp4`); otherwise the file's
    name does, up to the first `_`, `-` or space. A pattern that a name matches goes before the
    folder. Links are named as they are called, wherever they lead. A table `folder/valence.csv`
    with the columns `video` (its path below the folder) and `valence` (-1 to 1, empty where
    nobody has rated it) may rate some or all of them.

    Args:
        folder: Its sub-folders are the classes.
        subject: Regular expression that the beginning of a file's name without its ending must
            match. Its first group names the subject, or without a group the whole match:
            `.*-(\d\d)` finds 07 in `01-01-03-07.mp4`. None: as above.

    Raises:
        DatasetError: It is no folder, fewer than two classes have videos, one class has two
            spellings, a file has two labels by two names, the classes lie a level higher or
            deeper, a name has no subject, or the table of valence is not such a table.
        ConfigError: The pattern is no regular expression.
    """
    folder = Path(folder)
    try:
        pattern = re.compile(SUBJECT if subject is None else subject)
    except re.error as error:
        raise ConfigError(f"the subject pattern is wrong: {error}", place=subject) from error
    if not folder.is_dir():
        raise DatasetError(
            "is a file" if folder.exists() else "does not exist",
            file=folder,
            remedy="give the folder whose sub-folders are the classes",
        )
    one_class = codec.as_called(folder).name.casefold() in _EXPRESSIONS
    rated = _rated(folder / VALENCE)
    found = []
    for path in codec.videos_by_name(folder, levels=_LEVELS):
        label, *inside = path.relative_to(folder).parts[:-1] or [""]
        if not label:
            continue  # beside the classes
        who = inside[0] if inside and subject is None else _named(path, pattern)
        if who is None and inside:
            who = inside[0]
        if who is None:
            raise DatasetError(
                f"its name does not begin with a subject ({pattern.pattern!r})",
                file=path,
                remedy="rename it, or give another pattern",
            )
        place = unicodedata.normalize("NFC", path.relative_to(folder).as_posix())
        found.append(
            Labelled(
                path=path,
                label=_plain(label),
                subject=_plain(who),
                valence=rated.pop(place, None),
            )
        )
    labels = {one.label for one in found}
    if one_class and not {label.casefold() for label in labels} & _EXPRESSIONS:
        above = codec.as_called(folder).parent
        raise DatasetError(
            "is the folder of one class",
            file=folder,
            remedy=f"give {above}, whose folders are the classes",
        )
    if len(labels) < 2:
        raise DatasetError(
            "fewer than two class folders with videos",
            file=folder,
            remedy="sort the videos into folders named as their classes",
        )
    _check_names(found, folder)
    if rated:
        raise DatasetError(
            f"rates {next(iter(rated))!r}, which is no video here",
            file=folder / VALENCE,
            remedy="write paths below the folder, as happy/anna/1.mp4",
        )
    return found


def _plain(name: str) -> str:
    """A name of a class or of a person, however its letters are composed."""
    return unicodedata.normalize("NFC", printable(name))


def _check_names(videos: Sequence[Labelled], folder: Path) -> None:
    """Refuses what names contradict: two labels of a file, two spellings of one, wrong levels."""
    labels, people = Spellings(), Spellings()
    files: dict[Hashable, Labelled] = {}
    for video in videos:
        _refuse_two_labels(files.setdefault(codec.file_of(video.path), video), video)
        usual = labels.first(video.label)
        if usual != video.label:
            raise DatasetError(
                f"has the folders {usual!r} and {video.label!r} of one class",
                file=folder,
                remedy="move their videos into one of them",
            )
        usual = people.first(video.subject)
        if usual != video.subject:
            raise DatasetError(
                f"has one person as {usual!r} and as {video.subject!r}",
                file=folder,
                remedy="call the person the same everywhere, or two people by names of their own",
            )
    called = {video.subject.casefold() for video in videos}
    if 2 * len(called & _EXPRESSIONS) > len(called):
        raise DatasetError(
            f"its people would be called {', '.join(sorted(called))}: classes lie a level deeper",
            file=folder,
            remedy="give the folder whose folders are the classes; to keep a division into "
            "training and validation, write a manifest with the column split",
        )


def _refuse_two_labels(first: Labelled, video: Labelled) -> None:
    """Raises DatasetError where a video that came before comes with another label."""
    if first.label != video.label:
        raise DatasetError(
            f"is {first.path} again, with another label: {first.label!r} there, {video.label!r} "
            "here",
            file=video.path,
            remedy="remove the one that is wrong; where a folder only keeps the files, give a "
            "folder of those that are called as what they show",
        )


def _named(path: Path, pattern: re.Pattern[str]) -> str | None:
    """Who is seen, by the file's name."""
    match = pattern.match(path.stem)
    return None if match is None else match[1 if pattern.groups else 0] or None


def understood(videos: Iterable[Labelled]) -> str:
    """What names have told, in a few lines: who shows which class how often.

    Whoever reads it before a training sees whether the subjects are people.
    """
    videos = list(videos)
    labels = Counter(one.label for one in videos)
    people = Counter(one.subject for one in videos)
    lines = [
        f"{len(videos)} videos of {len(labels)} classes: "
        + ", ".join(f"{name} {count}" for name, count in sorted(labels.items())),
        f"{len(people)} people: "
        + ", ".join(f"{name} {count}" for name, count in sorted(people.items())[:_NAMED])
        + (", ..." if len(people) > _NAMED else ""),
    ]
    if len(people) == len(videos):
        lines.append(
            "every video is of another person; if that is not so, say who is seen with --subject"
        )
    shown: dict[str, set[str]] = {label: set() for label in labels}
    for one in videos:
        shown[one.label].add(one.subject)
    lines += [
        f"only {next(iter(who))} shows {label}: it is trained, and cannot be tested on others"
        for label, who in sorted(shown.items())
        if len(who) == 1 and len(people) > 1
    ]
    if rated := sum(one.valence is not None for one in videos):
        lines.append(f"{rated} of them rated by {VALENCE}")
    return "\n".join(lines)


def _rated(table: Path) -> dict[str, float]:
    """Valence by path, empty without a table."""
    if not table.is_file():
        return {}
    found: dict[str, float] = {}
    try:
        for row in read_rows(table):
            line = {name.strip().casefold(): value for name, value in row.items()}
            valence = number_of(line["valence"])
            if valence is not None and not -1 <= valence <= 1:
                raise ValueError(f"{valence} is not between -1 and 1")
            place = unicodedata.normalize("NFC", line["video"].replace("\\", "/"))
            place = place.removeprefix("./")
            if found.get(place, valence) != valence:
                raise ValueError(f"{place} is rated {found[place]} and {valence}")
            if valence is not None:
                found[place] = valence
    except (OSError, KeyError, ValueError, csv.Error) as error:
        raise DatasetError(
            f"is no table of the columns video and valence: {error}",
            file=table,
            remedy="mend it, or take it away",
        ) from error
    return found


def tensors_of(
    videos: Iterable[Labelled],
    recipe: Recipe,
    *,
    network: identity.IdentityNetwork | None,
    folder: str | Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[ClipTensors, list[LeftOut]]:
    """All usable videos in memory.

    Args:
        videos: Labelled ones.
        recipe: How each becomes an input.
        network: Gives z_I of the first picture; None: a random one, which tells nothing.
        folder: The cache; by default `MIC_HOME/cache`.
        progress: Called with the number of finished and of all videos.

    Raises:
        DatasetError: None is usable, only those of one class are, one is there with two labels,
            or too many are broken (see `mic.inputs.coverage`; a video without a face is not).
    """
    videos = list(videos)
    used, left_out, broken, arrays = [], [], [], []
    known: dict[str, Labelled] = {}
    for number, video in enumerate(videos, 1):
        try:
            first = known.setdefault(cache.digest(video.path), video)
            found = _arrays(video.path, recipe, network, folder)
        except UNREADABLE as error:
            left_out.append(LeftOut(path=video.path, reason=error.message))
            broken.append(left_out[-1])
        else:
            _refuse_two_labels(first, video)
            if first is not video:  # a copy in both parts would be tested on what was learned
                left_out.append(LeftOut(path=video.path, reason=f"is {first.path} again"))
            elif found["residual"].size:
                used.append(video)
                arrays.append(found)
            else:
                reason = "no face, or a single picture of one"
                left_out.append(LeftOut(path=video.path, reason=reason))
        if progress:
            progress(number, len(videos))
    check_share(broken, len(videos))
    classes = tuple(sorted({video.label for video in used}))
    if len(classes) < 2:
        raise DatasetError(
            f"{len(used)} of {len(videos)} videos can be used, of {len(classes)} classes",
            remedy=f"for instance {left_out[0].path}: {left_out[0].reason}" if left_out else None,
        )
    residual, lengths = padded([one["residual"] for one in arrays])
    clips = ClipTensors(
        names=tuple(str(video.path) for video in used),
        subjects=tuple(video.subject for video in used),
        labels=torch.tensor([classes.index(video.label) for video in used]),
        classes=classes,
        residual=residual,
        lengths=lengths,
        identity=torch.from_numpy(np.stack([one["identity"] for one in arrays])),
    )
    return clips, left_out


def _arrays(
    path: Path,
    recipe: Recipe,
    network: identity.IdentityNetwork | None,
    folder: str | Path | None,
) -> cache.Arrays:
    """`residual` (T, 3, h, w) int16, empty without a face, and `identity` (d,) float32."""
    return cache.fetch(
        STAGE,
        inputs=[cache.digest(path), "none" if network is None else network.weights_sha256],
        parameters=dataclasses.asdict(recipe),
        compute=lambda: _read(path, recipe, network),
        folder=folder,
    )


def _read(
    path: Path, recipe: Recipe, network: identity.IdentityNetwork | None
) -> dict[str, np.ndarray]:
    nothing: dict[str, np.ndarray] = {
        "residual": np.empty((0, 3, 1, 1), np.int16),
        "identity": np.zeros(1, np.float32),
    }
    pictures = codec.Video(path, survey=True).pictures()
    first, found = _first_face(pictures)
    if first is None or found is None:
        return nothing
    framing = Framing.of(found.points, edge=recipe.edge, margin=recipe.margin, drop=recipe.drop)
    stream = PacketStream()
    with codec.LiveEncoder(
        width=recipe.edge, height=recipe.edge, vop_quant=recipe.vop_quant
    ) as encoder:
        for number, picture in enumerate(itertools.chain([first], pictures)):
            stream.append(encoder.encode(framing.crop(picture.rgb), intra=number == 0))
    if stream.frame_count < 2:
        return nothing
    if network is None:
        seed = int(cache.digest(path)[:16], 16)
        z_i = np.random.default_rng(seed).standard_normal(16)
    else:
        z_i = network.embed(network.crop(first.rgb, found.points)[None])[0]
    residual = represent(stream, recipe.representation)["residual"]
    return {"residual": residual, "identity": z_i.astype(np.float32)}


def _first_face(
    pictures: Iterable[codec.Picture],
) -> tuple[codec.Picture | None, faces.Detection | None]:
    """The first picture with a face, or the first after it at which one looks.

    Blank pictures, with which videos fade in, are passed over without a search.
    """
    searched = 0
    for picture in pictures:
        if searched == 0 and picture.rgb[::4, ::4].mean(-1).std() < _BLANK:
            continue
        if searched % _SEARCH == 0:
            found = faces.detector().detect([picture.rgb])[0]
            if found.status is not faces.Status.NO_FACE:
                return picture, found
        searched += 1
    return None, None
