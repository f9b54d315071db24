"""From a dataset as its makers publish it to a manifest of MPEG-4 clips.

A dataset is a `Dataset`: what it is and how one gets it, and a `scan` that reads the folder's
names and labels but no video. `build` then re-encodes what was found, exactly as the papers'
scripts do, below `MIC_HOME`; it is parallel, resumable, and one bad clip stops nothing.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image, UnidentifiedImageError

from mic import codec
from mic.codec.tree import run_isolated
from mic.errors import CodecError, DatasetError
from mic.manifest.manifest import Clip, Fault, Manifest
from mic.storage.assets import sha256_of
from mic.storage.atomic import write_bytes, write_text

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"})
_WORTH_A_PROCESS = 12  # clips
_VERSION = 1  # raised when `build` makes other clips of the same sources


@dataclasses.dataclass(frozen=True, kw_only=True)
class Source:
    """One clip as it lies in the published folder.

    Attributes:
        clip_id: Unique name in the dataset; becomes the file's name.
        files: Paths relative to the dataset's folder: one video, or the pictures in order.
        subject: Who is seen.
        label: Class, or empty.
        apex: Where the strongest expression is by the protocol; None: undefined.
        split: As in `Clip`.
        frame_rate: Of a picture sequence; a video has its own.
        traces: Paths of label traces by name ("valence"), relative to the folder.
    """

    clip_id: str
    files: tuple[str, ...]
    subject: str
    label: str = ""
    apex: Literal["last", "middle"] | None = None
    split: str = ""
    frame_rate: Fraction | None = None
    traces: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Scan:
    """What a folder holds.

    Attributes:
        sources: The usable clips.
        faults: What is wrong.
        counts: What was counted, under the names of `Dataset.expected`.
    """

    sources: tuple[Source, ...]
    faults: tuple[Fault, ...]
    counts: Mapping[str, int]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Dataset:
    """A published dataset.

    Attributes:
        name: As `mic fetch` calls it.
        title: Its full name.
        reference: The paper that describes it.
        home: Where its makers publish it.
        licence: Terms of use, short.
        access: How one gets it.
        layout: The folder that is expected, as text.
        classes: Labels in the order of their numbers; empty for continuous ones.
        expected: Counts in the literature, by name.
        scan: Reads the folder.
        read_trace: Reads a label trace: times in seconds and values; for continuous datasets.
    """

    name: str
    title: str
    reference: str
    home: str
    licence: str
    access: str
    layout: str
    classes: tuple[str, ...]
    expected: Mapping[str, int]
    scan: Callable[[Path], Scan]
    read_trace: Callable[[Path], tuple[np.ndarray, np.ndarray]] | None = None


def folder_of(path: Path, *names: str) -> Path | None:
    """The folder that holds one of `names` (compared without case), down to two levels of nesting.

    Archives are unpacked with and without a folder of their own name, and people rename the top.

    Args:
        path: The folder that the user gave, or one of the sought folders itself.
        names: The sought folder's names.

    Returns:
        The sought folder, the least nested one; of a folder nested in its namesake the inner.
    """
    wanted = {name.lower() for name in names}
    level = [path]
    for _ in range(3):
        for candidate in level:
            if candidate.name.lower() in wanted:
                inner = [sub for sub in subfolders(candidate) if sub.name.lower() in wanted]
                return inner[0] if inner else candidate
        level = [sub for candidate in level for sub in subfolders(candidate)]
    return None


def subfolders(path: Path) -> list[Path]:
    """Folders directly in `path` in the order of their names, without litter."""
    try:
        found = [sub for sub in path.iterdir() if sub.is_dir()]
    except OSError:
        return []
    return sorted(sub for sub in found if not is_litter(sub))


def files_in(path: Path) -> list[Path]:
    """Files directly in `path` in the order of their names, without litter."""
    try:
        return sorted(file for file in path.iterdir() if file.is_file() and not is_litter(file))
    except OSError:
        return []


def is_litter(path: Path) -> bool:
    """Whether a name is an operating system's, not the dataset's (.DS_Store, Thumbs.db, ...)."""
    name = path.name.lower()
    return name.startswith((".", "._")) or name in {"thumbs.db", "desktop.ini", "__macosx"}


def relative(path: Path, root: Path) -> str:
    """`path` relative to `root`, with forward slashes."""
    return path.relative_to(root).as_posix()


def build(
    dataset: Dataset,
    root: str | Path,
    scan: Scan,
    target: str | Path,
    *,
    size: int | None = None,
    jobs: int = 1,
    progress: Callable[[int, int], None] | None = None,
    **options: Any,
) -> tuple[Manifest, tuple[Fault, ...]]:
    """Re-encodes a scanned dataset and writes its manifest.

    Args:
        dataset: Which one.
        root: The folder that was scanned.
        scan: Its result.
        target: Folder for clips and manifest.csv.
        size: Edge of the clips, which are cut to the face; None keeps the whole picture.
        jobs: Worker processes.
        progress: Called with the number of finished and of all clips.
        **options: Fields of `mic.codec.EncodeOptions`; the default is the papers' re-encoding.

    Returns:
        The manifest, and a fault for each clip that could not be read and was left out, or in
        which no face was found.

    Raises:
        DatasetError: No clip at all could be used.
        ConfigError: An option is unknown.
        StorageError: The target cannot be written.
    """
    root, target = Path(root), Path(target)
    codec.EncodeOptions.of(options)  # refused here, not once a clip
    tasks = [(dataset, root, source, target, size, options) for source in scan.sources]
    rows: dict[int, Clip] = {}
    faults: list[Fault] = []
    # Starting a process takes as long as some clips do.
    jobs = min(jobs, 1 + len(tasks) // _WORTH_A_PROCESS)
    made = run_isolated(_make, tasks, jobs=jobs, folders=[target])
    for done, (index, result) in enumerate(made, start=1):
        if isinstance(result, tuple):
            rows[index], face = result
            if not face:
                faults.append(
                    Fault(
                        file=scan.sources[index].files[0],
                        message="shows no face at its beginning; the picture's middle is used",
                        remedy="nothing, if the literature keeps this clip, too",
                        fatal=False,
                    )
                )
        else:
            faults.append(
                Fault(
                    file=scan.sources[index].files[0],
                    message=f"cannot be used: {getattr(result, 'message', result)}",
                    remedy="unpack it again from its archive; until then the clip is left out",
                    fatal=False,
                )
            )
        if progress:
            progress(done, len(tasks))
    if not rows:
        raise DatasetError(
            f"no clip of {dataset.title} could be used",
            file=root,
            remedy=f"run `mic fetch {dataset.name} --path {root}` and mend what it lists",
        )
    manifest = Manifest(
        name=dataset.name,
        root=target,
        classes=dataset.classes,
        clips=tuple(rows[index] for index in sorted(rows)),
    )
    manifest.save(target / "manifest.csv")
    return manifest, tuple(sorted(faults, key=lambda fault: fault.file))


def _make(
    task: tuple[Dataset, Path, Source, Path, int | None, dict[str, Any]],
) -> tuple[Clip, bool]:
    """One clip, re-encoded or kept from an earlier run, and whether it shows a face."""
    dataset, root, source, target, size, options = task
    video = target / "clips" / f"{source.clip_id}.mp4"
    side = target / "traces" / f"{source.clip_id}.npz"
    record = target / ".records" / f"{source.clip_id}.json"
    key = _key(root, source, size, options)
    facts = _recorded(record, key, video)
    if facts is None or (source.traces and not side.is_file()):
        facts = _encode(root, source, video, size, options)
        if source.traces:
            write_bytes(side, _traces(dataset, root, source, facts))
        write_text(record, json.dumps({"key": key, "facts": facts}, indent=1) + "\n")
    frames = facts["frames"]
    apex = {"last": frames - 1, "middle": frames // 2, None: None}[source.apex]
    clip = Clip(
        clip=relative(video, target),
        clip_id=source.clip_id,
        subject=source.subject,
        label=source.label,
        licence=dataset.licence,
        sha256=facts["sha256"],
        frames=frames,
        frame_rate=Fraction(facts["frame_rate"]),
        apex=apex,
        split=source.split,
        annotation=relative(side, target) if source.traces else "",
    )
    return clip, facts["face"]


def _encode(
    root: Path, source: Source, video: Path, size: int | None, options: dict[str, Any]
) -> dict[str, Any]:
    """Writes the clip; its digest, length and rate, and whether it shows a face."""
    face = True
    if size is not None:
        from mic.datasets.readers import (
            portrait,  # brings torch along, which nothing else here needs
        )

        crop, face = portrait.box(_frames(root, source))
        options = {"crop": crop, "size": (size, size)} | options
    if source.frame_rate is None:
        report = codec.reencode(root / source.files[0], video, **options)
    else:
        pictures = _frames(root, source)
        report = codec.encode_frames(pictures, video, frame_rate=source.frame_rate, **options)
    rate = report.frame_rate
    return {
        "sha256": sha256_of(video),
        "frames": report.frames,
        "frame_rate": f"{rate.numerator}/{rate.denominator}",
        "face": face,
    }


def _frames(root: Path, source: Source) -> Iterator[np.ndarray]:
    if source.frame_rate is None:
        return codec.decode(root / source.files[0])
    return _pictures(root / name for name in source.files)


def _pictures(paths: Iterable[Path]) -> Iterator[np.ndarray]:
    for path in paths:
        try:
            with Image.open(path) as picture:
                # CK+ mixes gray and colour: one path for both keeps the sample range alike.
                yield np.asarray(picture.convert("RGB"))
        except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
            raise CodecError(f"picture cannot be read: {error}", file=path) from error


def _traces(dataset: Dataset, root: Path, source: Source, facts: dict[str, Any]) -> bytes:
    """The label traces at the times of the clip's frames, as generated datasets store them."""
    times = np.arange(facts["frames"]) / float(Fraction(facts["frame_rate"]))
    arrays = {}
    for name, file in sorted(source.traces.items()):
        try:
            at, values = dataset.read_trace(root / file)
        except DatasetError as error:
            raise CodecError(f"label trace: {error.message}", file=root / file) from error
        arrays[name] = np.interp(times, at, values).astype(np.float32)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def _key(root: Path, source: Source, size: int | None, options: dict[str, Any]) -> str:
    """Changes with the sources, their place in the dataset, and how they are encoded.

    Sizes and time stamps stand for contents here: the published archives have 25 GB.
    """
    stamps = []
    for name in (*source.files, *source.traces.values()):
        try:
            status = (root / name).stat()
        except OSError as error:
            raise CodecError(f"cannot be read: {error.strerror}", file=root / name) from error
        stamps.append([name, status.st_size, status.st_mtime_ns])
    encoding = codec.EncodeOptions.of(options).fingerprint()
    content = [_VERSION, stamps, str(source.frame_rate), size, encoding]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _recorded(record: Path, key: str, video: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(record.read_text())
        facts = content["facts"]
        if content["key"] == key and sha256_of(video) == facts["sha256"]:
            return facts
    except (OSError, ValueError, KeyError, TypeError):
        pass  # no record, a damaged one or no clip: it is simply not done yet
    return None
