"""Re-encoding a tree of class folders: parallel, resumable, and one bad clip stops nothing."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tqdm import tqdm

from mic.codec.encode import reencode
from mic.codec.folders import VIDEO_SUFFIXES, files_below
from mic.codec.options import EncodeOptions
from mic.codec.writing import CONTAINER_SUFFIXES
from mic.config import usable_cores
from mic.errors import CodecError, ConfigError
from mic.processes.tasks import run_isolated
from mic.storage import atomic
from mic.storage.digest import sha256_of

_VERSION = 2  # raised when `reencode` makes other clips of the same sources
_LONGEST = 255  # bytes of a file's name, on all usual file systems
_RECORDS = ".reencode"  # folder of sidecars in the target; hidden, so that no loader takes it

Status = Literal["written", "kept", "failed"]


@dataclass(frozen=True, slots=True)
class ClipOutcome:
    """What became of one clip.

    Attributes:
        source: Path below the source folder.
        target: Path below the target folder.
        status: `written` now, `kept` from an earlier run, or `failed`.
        frames: Frames written; 0 if failed.
        bits: Their coded size; 0 if failed.
        error: Why it failed, else empty.
    """

    source: str
    target: str
    status: Status
    frames: int = 0
    bits: int = 0
    error: str = ""


@dataclass(frozen=True, slots=True)
class TreeReport:
    """What became of a tree: its clips in the order of their names, and files not taken as video.

    Attributes:
        clips: One outcome a clip.
        ignored: Files whose suffix is not a video's, below the source folder.
    """

    clips: tuple[ClipOutcome, ...]
    ignored: tuple[str, ...]

    def of(self, status: Status) -> tuple[ClipOutcome, ...]:
        """The clips of one status."""
        return tuple(clip for clip in self.clips if clip.status == status)


def reencode_tree(
    source: str | Path,
    target: str | Path,
    *,
    jobs: int | None = None,
    progress: bool = True,
    **options: Any,
) -> TreeReport:
    """Re-encodes every video below a folder into the same tree below another.

    A clip is done when its record in `target/.reencode` matches the content of its source, the
    options and the library versions, and its target still has the recorded content; it is then
    kept. So a broken-off run is continued by the same command.

    Args:
        source: Folder of videos, nested as deep as wished; names may hold any character.
        target: Folder to write; may lie inside `source`.
        jobs: Processes; None: as many as this process may use cores.
        progress: Show a bar, if standard error is a terminal.
        **options: Fields of `EncodeOptions`; `container` chooses the suffix too (default mp4).

    Raises:
        CodecError: `source` is no folder or holds no video.
        ConfigError: An option is unknown or out of range.
        StorageError: The target cannot be written.
    """
    source, target = Path(source), Path(target)
    chosen = EncodeOptions.of(options)
    suffix = CONTAINER_SUFFIXES.get(chosen.container or "mp4")
    if suffix is None:
        raise ConfigError(f"unknown container {chosen.container!r}")
    names, ignored = _scan(source, target)
    tasks = [
        (source / name, target / path, target / _RECORDS / _record_name(path), options)
        for name, path in zip(names, _target_names(names, suffix), strict=True)
    ]
    jobs = jobs or usable_cores()
    outcomes: dict[int, ClipOutcome] = {}
    bar = tqdm(total=len(tasks), unit="clip", disable=None if progress else True)
    with bar:
        for index, result in run_isolated(_one_clip, tasks, jobs=jobs, folders=[target]):
            name, path = names[index], str(tasks[index][1].relative_to(target))
            facts: dict[str, Any] = (
                {"status": "failed", "error": str(result)}
                if isinstance(result, BaseException)
                else result
            )
            outcomes[index] = ClipOutcome(source=name, target=path, **facts)
            bar.update()
    return TreeReport(tuple(outcomes[i] for i in range(len(tasks))), tuple(ignored))


def _one_clip(task: tuple[Path, Path, Path, dict[str, Any]]) -> dict[str, Any]:
    source, target, record, options = task
    recipe = f"{_VERSION}{EncodeOptions.of(options).fingerprint()}{sha256_of(source)}"
    key = _hash(recipe.encode())
    if (known := _record_of(record, key, target)) is not None:
        return {"status": "kept", **known}
    if options.get("container") is None:
        options = {**options, "container": "mp4"}
    report = reencode(source, target, **options)
    facts = {"frames": report.frames, "bits": report.bits}
    content = {"key": key, "sha256": sha256_of(target), "facts": facts}
    atomic.write_text(record, json.dumps(content, indent=1) + "\n")
    return {"status": "written", **facts}


def _record_of(record: Path, key: str, target: Path) -> dict[str, int] | None:
    try:
        content = json.loads(record.read_text(encoding="utf-8"))
        if content["key"] == key and content["sha256"] == sha256_of(target):
            return {name: int(content["facts"][name]) for name in ("frames", "bits")}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        pass  # no record, a damaged one or no target: the clip is simply not done yet
    return None


def _scan(source: Path, target: Path) -> tuple[list[str], list[str]]:
    if not source.is_dir():
        raise CodecError("is no folder", file=source, remedy="give the folder of class folders")
    inside = target.resolve()
    videos: list[str] = []
    ignored: list[str] = []
    for path in files_below(source):
        below = path.relative_to(source)
        if path.resolve().is_relative_to(inside) and inside != source.resolve():
            continue
        (videos if path.suffix.lower() in VIDEO_SUFFIXES else ignored).append(str(below))
    if not videos:
        raise CodecError("holds no video", file=source, remedy="check the folder's name")
    return videos, ignored


def _target_names(names: list[str], suffix: str) -> list[str]:
    # a.avi and a.mov would both become a.mp4: then both keep their old suffix before the new. The
    # longer name may be that of a third one, a.avi.mov, which then keeps its own as well.
    found = [str(Path(name).with_suffix(suffix)) for name in names]
    while True:
        clashes = Counter(found)
        longer = [
            path if clashes[path] == 1 else f"{name}{suffix}"
            for name, path in zip(names, found, strict=True)
        ]
        if longer == found:
            return found
        found = longer


def _record_name(path: str) -> Path:
    """Of a clip's record; a name that would grow over the file system's limit is hashed."""
    named = Path(f"{path}.json")
    if len(os.fsencode(named.name)) <= _LONGEST:
        return named
    return named.with_name(f"{_hash(os.fsencode(named.name))}.json")


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
