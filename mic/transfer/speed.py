"""How fast the student is, alone and from a file, beside its teacher: interleaved, one thread."""

from __future__ import annotations

import dataclasses
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from mic import bitstream, codec
from mic.errors import DatasetError
from mic.faces.landmarks import EDGE, Landmarker, Roi
from mic.processes.workers import torch_threads
from mic.transfer import crops, student
from mic.transfer.examples import GROUP, Examples
from mic.transfer.student import Student
from mic.transfer.teacher import SHAPES, Teacher

BATCH = 32
AIM = 1000  # frames a second from the file, one thread
_LOOKS = 4  # of the teacher in a repetition
COLUMNS: Mapping[str, str] = {
    "network": "the student on crops in memory; from a file of one face: parsed, accumulated, cut "
    "and answered, a look at each I-frame not counted; the teacher on a decoded crop: mesh and "
    "blendshapes",
    "fps": f"frames a second on one thread, median of interleaved repetitions; {AIM} from a file "
    "are aimed at",
    "ratio": "to the teacher's, median of ratios of neighbouring repetitions",
    "repeats": "repetitions",
}


@dataclasses.dataclass(frozen=True)
class _Group:
    """A group of pictures, and what a look at its I-frame said: square and blendshapes."""

    first: int
    frames: Sequence[int]
    roi: Roi
    look: np.ndarray


def table(found: Student, examples: Examples, *, clip: Path, repeats: int) -> pd.DataFrame:
    """Frames a second of a student, from memory and from a file; columns `COLUMNS`.

    Args:
        found: Whom to time.
        examples: What it reads from memory; the first `BATCH`, repeated where there are fewer.
        clip: A video of a face, coded as MPEG-4 before it is timed.
        repeats: Interleaved repetitions.

    Raises:
        AssetError: The teacher's networks cannot be fetched.
        DatasetError: No I-frame of the clip shows a face.
    """
    landmarker = Landmarker()
    picture = np.full((EDGE, EDGE, 3), 128, np.uint8)
    rows = np.resize(np.arange(len(examples)), BATCH)

    def asked() -> int:
        planes, look = student.read(examples, rows, found.inputs)
        found(planes, look)
        return BATCH

    def taught() -> int:
        for _ in range(_LOOKS):
            mesh = landmarker.look(picture, Roi(EDGE / 2, EDGE / 2, EDGE, 0.0))
            landmarker.blendshapes(mesh)
        return _LOOKS

    with (
        torch.no_grad(),
        torch_threads(1),
        tempfile.TemporaryDirectory(prefix="mic-transfer-") as folder,
    ):
        video = Path(folder, "copy.mp4")
        codec.reencode(clip, video, gop=GROUP, vop_quant=2)
        groups = list(_groups(video))
        if not groups:
            raise DatasetError("no I-frame shows a face", file=clip, remedy="choose another clip")

        def read() -> int:
            return _answered(found, video, groups)

        ways = (asked, read, taught)
        for way in ways:  # the first calls are slower
            way()
        rates = np.array([[_rate(way) for way in ways] for _ in range(repeats)])
    return pd.DataFrame(
        {
            "network": ["student", "student, from a file", "teacher"],
            "fps": np.median(rates, axis=0).round(),
            "ratio": np.median(rates / rates[:, 2:], axis=0),
            "repeats": repeats,
        }
    )[list(COLUMNS)]


def _groups(video: Path) -> Iterator[_Group]:
    """Those that begin with a face."""
    teacher = Teacher()
    with bitstream.open(video) as stream:
        kinds = stream.vop_types
        starts = [number for number, kind in enumerate(kinds) if kind == "I"]
        pictures = {k: one for k, one in enumerate(codec.decode(video)) if k in starts}
        for first, end in zip(starts, [*starts[1:], len(kinds)], strict=True):
            taught = teacher.watch([pictures[first]])
            if end - first > 1 and np.isfinite(taught.shapes[0, 0]):
                yield _Group(first, range(first + 1, end), Roi(*taught.rois[0]), taught.shapes[:1])


def _answered(found: Student, video: Path, groups: Sequence[_Group]) -> int:
    """Answers of every P-frame of a file; how many frames that were."""
    count = 0
    with bitstream.open(video) as stream:
        for group in groups:
            cut = crops.cut(stream, group.first, group.frames, group.roi)
            rows = np.arange(len(group.frames))
            nothing = np.zeros((len(rows), len(SHAPES)), np.float32)
            seen = Examples(
                residual=cut.residual,
                motion=cut.motion,
                iframe=cut.iframe[None],
                look=group.look,
                shapes=nothing,
                units=nothing,
                group=np.zeros(len(rows), np.int64),
                seconds=nothing[:, 0],
                clips=(video.stem,),
                people=("",),
            )
            found(*student.read(seen, rows, found.inputs))
            count += 1 + len(rows)
    return count


def _rate(work: Callable[[], int]) -> float:
    start = time.perf_counter()
    count = work()
    return count / (time.perf_counter() - start)
