"""Labelled videos, and each of them as the network sees it: cropped, coded, parsed, cached."""

from __future__ import annotations

import csv
import dataclasses
import itertools
import re
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import torch

from mic import codec, faces, identity
from mic.bitstream.packets import PacketStream
from mic.errors import ConfigError, DatasetError
from mic.inputs.coverage import UNREADABLE, LeftOut, check_share
from mic.inputs.tensors import ClipTensors, Representation, padded, represent
from mic.recognition.framing import Framing
from mic.storage import cache

STAGE = cache.Stage(name="own-clips", version=1)
# `S005_003.avi`, `s005-happy-2.mp4`: who is seen usually stands first.
SUBJECT = r"[^_\-\s]+"
VALENCE = "valence.csv"


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

    `margin` and `drop` are those of the generated faces, measured by MTCNN's points.
    """

    representation: Representation = dataclasses.field(default_factory=Representation)
    edge: int = 128
    vop_quant: int = 2
    margin: float = 0.16
    drop: float = 0.085


def class_folders(folder: str | Path, *, subject: str = SUBJECT) -> list[Labelled]:
    """The videos of `folder/<class>/...`, in a stable order.

    A folder below the class folder names the subject (`happy/anna/1.mp4`); otherwise the file's
    name does, by the pattern. A table `folder/valence.csv` with the columns `video` (its path
    below the folder) and `valence` (-1 to 1) may rate some or all of them.

    Args:
        folder: Its sub-folders are the classes.
        subject: Regular expression that finds the subject at the start of a file's name.

    Raises:
        DatasetError: Fewer than two classes have videos, a name has no subject, or the table of
            valence is not such a table.
        ConfigError: The pattern is no regular expression.
    """
    folder = Path(folder)
    try:
        pattern = re.compile(subject)
    except re.error as error:
        raise ConfigError(f"the subject pattern is wrong: {error}", place=subject) from error
    rated = _rated(folder / VALENCE)
    found = []
    entries = sorted(folder.iterdir()) if folder.is_dir() else []
    classes = [path for path in entries if path.is_dir() and not path.name.startswith(".")]
    for label in classes:
        for path in codec.videos_below(label):
            inside = path.relative_to(label).parts[:-1]
            match = pattern.match(path.stem)
            if not inside and (match is None or not match[0]):
                raise DatasetError(
                    f"its name does not begin with a subject ({subject!r})",
                    file=path,
                    remedy="rename it, or give another pattern",
                )
            who = inside[0] if inside else match[0]
            valence = rated.pop(path.relative_to(folder).as_posix(), None)
            found.append(Labelled(path=path, label=label.name, subject=who, valence=valence))
    if len({one.label for one in found}) < 2:
        raise DatasetError(
            "fewer than two class folders with videos",
            file=folder,
            remedy="sort the videos into folders named as their classes",
        )
    if rated:
        raise DatasetError(
            f"rates {next(iter(rated))!r}, which is no video here",
            file=folder / VALENCE,
            remedy="write paths below the folder, as happy/anna/1.mp4",
        )
    return found


def _rated(table: Path) -> dict[str, float]:
    """Valence by path, empty without a table."""
    if not table.is_file():
        return {}
    try:
        with table.open(newline="", encoding="utf-8") as file:
            found = {line["video"]: float(line["valence"]) for line in csv.DictReader(file)}
        if not all(-1 <= value <= 1 for value in found.values()):
            raise ValueError("a valence is not between -1 and 1")
    except (KeyError, TypeError, ValueError) as error:
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
        DatasetError: None is usable, only those of one class are, or too many are broken (see
            `mic.inputs.coverage`; a video without a face is not broken).
    """
    videos = list(videos)
    used, left_out, broken, arrays = [], [], [], []
    for number, video in enumerate(videos, 1):
        try:
            found = _arrays(video.path, recipe, network, folder)
        except UNREADABLE as error:
            left_out.append(LeftOut(path=video.path, reason=error.message))
            broken.append(left_out[-1])
        else:
            if found["residual"].size:
                used.append(video)
                arrays.append(found)
            else:
                reason = "no face in the first picture, or a single picture"
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
    frames = codec.decode(path)
    first = next(frames)
    found = faces.detector().detect([first])[0]
    nothing = {"residual": np.empty((0, 3, 1, 1), np.int16), "identity": np.zeros(1, np.float32)}
    if found.status is faces.Status.NO_FACE:
        return nothing
    framing = Framing.of(found.points, edge=recipe.edge, margin=recipe.margin, drop=recipe.drop)
    stream = PacketStream()
    with codec.LiveEncoder(
        width=recipe.edge, height=recipe.edge, vop_quant=recipe.vop_quant
    ) as encoder:
        for number, frame in enumerate(itertools.chain([first], frames)):
            stream.append(encoder.encode(framing.crop(frame), intra=number == 0))
    if stream.frame_count < 2:
        return nothing
    if network is None:
        seed = int(cache.digest(path)[:16], 16)
        z_i = np.random.default_rng(seed).standard_normal(16)
    else:
        z_i = network.embed(network.crop(first, found.points)[None])[0]
    residual = represent(stream, recipe.representation)["residual"]
    return {"residual": residual, "identity": z_i.astype(np.float32)}
