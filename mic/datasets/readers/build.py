"""From the clips of a published dataset to MPEG-4 clips and a manifest, below `MIC_HOME`.

Each clip is re-encoded as the papers' scripts do, cut to the face. Clips are made in parallel by
workers of their own, those of an earlier run are kept, and one bad clip stops nothing: it is left
out and named.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from mic import codec
from mic.datasets.readers.source import Dataset, Scan, Source, relative, sampled_parts
from mic.errors import BitstreamError, CodecError, ConfigError, DatasetError, FaceError
from mic.manifest.manifest import Clip, Fault, Manifest
from mic.processes.tasks import run_isolated
from mic.storage.atomic import write_bytes, write_text
from mic.storage.digest import sha256_of

_WORTH_A_PROCESS = 12  # clips
_VERSION = 5  # raised when `build` makes other clips of the same sources
_SELDOM = 0.5  # of the frames: a clip that shows a face less often is noted
# What Pillow raises; a broken chunk of a PNG is a SyntaxError to it.
_BROKEN_PICTURE = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)
# Seconds by which ratings and recording may differ at either end: more is a recording that was cut
# short, ratings of another one, or times in another unit.
_LATE = 1.0
_TOLD = 3  # faults, where no clip is left
_WHERE = {False: "at its beginning", True: "in any of the frames that were looked at"}


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
        target: Folder for the clips; variants of a dataset share it and have a manifest each.
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
            rows[index], coverage = result
            if 0 < coverage < _SELDOM:
                faults.append(
                    Fault(
                        file=scan.sources[index].files[0],
                        message=f"shows a face in {coverage:.0%} of its frames",
                        remedy="nothing, if the literature keeps this clip, too",
                        fatal=False,
                    )
                )
            if not coverage:
                faults.append(
                    Fault(
                        file=scan.sources[index].files[0],
                        message=f"shows no face {_WHERE[dataset.follow]}; its middle is used",
                        remedy="nothing, if the literature keeps this clip, too",
                        fatal=False,
                    )
                )
        else:
            faults.append(
                Fault(
                    file=_at_fault(result, root, scan.sources[index]),
                    message=f"cannot be used: {getattr(result, 'message', result)}",
                    remedy="unpack it again from its archive; until then the clip is left out",
                    fatal=False,
                    clip=scan.sources[index].clip_id,
                )
            )
        if progress:
            progress(done, len(tasks))
    doubled = _doubled(dataset, scan, rows)
    faults += doubled
    lost = {fault.clip for fault in doubled if fault.clip}
    rows = {index: clip for index, clip in rows.items() if clip.clip_id not in lost}
    if not rows:
        told = "; ".join(str(fault) for fault in faults[:_TOLD])
        more = f"; and {len(faults) - _TOLD} more" if len(faults) > _TOLD else ""
        raise DatasetError(
            f"no clip of {dataset.title} could be used: {told or 'there is none'}{more}",
            file=root,
            remedy="mend these files, or name the folder that holds the dataset",
        )
    manifest = Manifest(
        name=dataset.name,
        root=target,
        classes=dataset.classes,
        clips=tuple(rows[index] for index in sorted(rows)),
    )
    if dataset.parts and len(set(manifest.column("subject"))) >= dataset.parts:
        manifest = manifest.with_folds(sampled_parts(manifest.column("subject"), dataset.parts))
    manifest.save(target / manifest_name(dataset))
    return manifest, tuple(sorted(faults, key=lambda fault: fault.file))


def _doubled(dataset: Dataset, scan: Scan, rows: Mapping[int, Clip]) -> list[Fault]:
    """What is said of clips that show the same pictures, as those of one file copied elsewhere.

    Copies of one person with one label in one part of the data are noted. Where labels, people,
    parts or ratings differ, one of them is wrong, or what is trained on is tested, and none of
    them can be used.
    """
    same: dict[str, list[int]] = {}
    for index, clip in sorted(rows.items()):
        same.setdefault(clip.sha256, []).append(index)
    faults = []
    for first, *others in same.values():
        alike = {
            # What is acted, where the label is what viewers see: they may differ about the same.
            (
                scan.sources[index].notes.get("shown", rows[index].label),
                rows[index].split,
                _person(rows[index]),
            )
            for index in (first, *others)
        }
        contradiction = len(alike) > 1 or dataset.read_trace is not None
        pairs = [(index, first) for index in others]
        if others and contradiction:
            pairs.append((first, others[0]))
        for index, other in pairs:
            differing = (
                "" if not contradiction else ", which has another label, person, part or rating"
            )
            remedy = "compare with the archives and keep the one that they have"
            faults.append(
                Fault(
                    file=scan.sources[index].files[0],
                    message=f"shows the pictures of {scan.sources[other].files[0]}{differing}",
                    remedy=remedy if contradiction else "nothing, if the archives have both",
                    fatal=False,
                    clip=rows[index].clip_id if contradiction else "",
                )
            )
    return faults


def _person(clip: Clip) -> str:
    """Who is seen; nobody where the dataset does not say, and each clip has a name of its own."""
    unknown = {clip.clip_id, f"unknown-{clip.clip_id}"}
    return "" if clip.subject in unknown else clip.subject


def _at_fault(error: object, root: Path, source: Source) -> str:
    """The file that an error names, where it is one of the dataset's; else the clip's first."""
    file = getattr(error, "file", None)
    below = file is not None and Path(file).is_relative_to(root)
    return relative(Path(str(file)), root) if below else source.files[0]


def manifest_name(dataset: Dataset) -> str:
    """The file name of a dataset's or a variant's manifest in their common folder."""
    return f"manifest-{dataset.name}.csv" if dataset.base else "manifest.csv"


def _make(
    task: tuple[Dataset, Path, Source, Path, int | None, dict[str, Any]],
) -> tuple[Clip, float]:
    """One clip, re-encoded or kept from an earlier run, and in which share of it a face is."""
    dataset, root, source, target, size, options = task
    video = target / "clips" / f"{source.clip_id}.mp4"
    side = target / "traces" / f"{source.clip_id}.npz"
    record = target / ".records" / f"{source.clip_id}.json"
    key = _key(root, source, size, options | {"follow": dataset.follow})
    facts = _recorded(record, key, video)
    if facts is None or (source.traces and not side.is_file()):
        try:
            facts = _encode(root, source, video, size, options, follow=dataset.follow)
        except (BitstreamError, FaceError) as error:  # of this clip alone, whatever it is
            raise CodecError(error.message, file=error.file, place=error.place) from error
        if source.traces:
            write_bytes(side, _traces(dataset, root, source, video))
        write_text(record, json.dumps({"key": key, "facts": facts}, indent=1) + "\n")
    frames = facts["frames"]
    if frames < 2:
        raise CodecError("shows a single picture, so nothing moves", file=root / source.files[0])
    apex = _apex(source, facts, video)
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
        fold=source.fold,
        annotation=relative(side, target) if source.traces else "",
    )
    return clip, facts["face_coverage"]


def _apex(source: Source, facts: dict[str, Any], video: Path) -> int | None:
    """The frame of strongest expression; an annotation beyond the clip's end is refused."""
    frames = facts["frames"]
    if source.apex in ("found", "between"):
        from mic.inputs import apex  # brings torch along

        return apex.find(video, returns=source.apex == "between")
    if isinstance(source.apex, int):
        if source.apex >= frames:
            raise CodecError(
                f"its annotation puts the apex at frame {source.apex + 1} of {frames}",
                file=source.files[0],
            )
        return source.apex
    places: dict[str | None, int | None] = {"last": frames - 1, "middle": frames // 2, None: None}
    return places[source.apex]


def _encode(
    root: Path,
    source: Source,
    video: Path,
    size: int | None,
    options: dict[str, Any],
    *,
    follow: bool,
) -> dict[str, Any]:
    """Writes the clip; its digest, length and rate, and in which share of it a face was found."""
    face = True
    if size is not None:
        # These bring torch along, which nothing else here needs.
        from mic.datasets.readers import following, portrait

        if follow:
            found = following.path(_frames(root, source))
            rate = source.frame_rate or codec.probe(root / source.files[0]).frame_rate
            pictures = following.cut(_frames(root, source), found, size)
            report = codec.encode_frames(pictures, video, frame_rate=rate, **options)
            return _facts(report, video, coverage=found.coverage)
        crop, face = portrait.box(_frames(root, source))
        options = {"crop": crop, "size": (size, size)} | options
    if source.frame_rate is None:
        report = codec.reencode(root / source.files[0], video, **options)
    else:
        pictures = _frames(root, source)
        report = codec.encode_frames(pictures, video, frame_rate=source.frame_rate, **options)
    return _facts(report, video, coverage=float(face))


def _facts(report: codec.EncodeReport, video: Path, *, coverage: float) -> dict[str, Any]:
    rate = report.frame_rate
    return {
        "sha256": sha256_of(video),
        "frames": report.frames,
        "frame_rate": f"{rate.numerator}/{rate.denominator}",
        "face_coverage": round(coverage, 4),
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
                if picture.mode.startswith(("I", "F")):  # `convert` would cut them off at 255
                    raise ValueError("its samples have more than 8 bits")
                yield np.asarray(picture.convert("RGB"))
        except _BROKEN_PICTURE as error:
            raise CodecError(f"picture cannot be read: {error}", file=path) from error


def _traces(dataset: Dataset, root: Path, source: Source, video: Path) -> bytes:
    """The label traces at the times of the clip's frames, as generated datasets store them."""
    if dataset.read_trace is None:
        raise ConfigError(f"{dataset.name} has no reader of label traces")
    times = codec.Video(video).times
    arrays = {}
    for name, file in sorted(source.traces.items()):
        try:
            at, values = dataset.read_trace(root / file)
        except DatasetError as error:
            raise CodecError(f"label trace: {error.message}", file=root / file) from error
        ends = ((at[0], times[0]), (at[-1], times[-1]))
        if any(abs(rated - shown) > _LATE for rated, shown in ends):
            raise CodecError(
                f"label trace: goes from {at[0]:.2f} to {at[-1]:.2f} s, the recording from "
                f"{times[0]:.2f} to {times[-1]:.2f} s",
                file=root / file,
            )
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
    options = dict(options)
    follow = options.pop("follow")
    encoding = codec.EncodeOptions.of(options).fingerprint()
    content = [_VERSION, stamps, str(source.frame_rate), size, follow, encoding]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _recorded(record: Path, key: str, video: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(record.read_text(encoding="utf-8"))
        facts: dict[str, Any] = content["facts"]
        if content["key"] == key and sha256_of(video) == facts["sha256"]:
            return facts
    except (OSError, ValueError, KeyError, TypeError):
        pass  # no record, a damaged one or no clip: it is simply not done yet
    return None
