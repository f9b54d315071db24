"""The same clips as another stream: copies of a dataset with other codec options, made once."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from mic import codec
from mic.errors import DatasetError
from mic.manifest.manifest import Clip, Manifest
from mic.storage import atomic
from mic.storage.digest import sha256_of
from mic.storage.home import home, locked


def recoded(
    manifest: Manifest,
    *,
    folder: str | Path | None = None,
    jobs: int | None = None,
    **options: Any,
) -> Manifest:
    """Re-encodes every clip of a dataset, for ablations of the stream itself.

    People, labels, apexes and side files stay; frames must too, or an apex would point elsewhere.
    Copies that are there and whole are kept (see `mic.codec.reencode_tree`).

    Args:
        manifest: The dataset.
        folder: Where the copies lie; by default beside the generated datasets in `MIC_HOME`.
        jobs: Processes; None: one a core.
        **options: Fields of `mic.codec.EncodeOptions`, `gop=8` or `vop_quant=12` for instance.

    Returns:
        The manifest of the copies, in the same order; its name tells the options.

    Raises:
        DatasetError: A clip could not be re-encoded, or has another number of frames afterwards.
        ConfigError: An option is unknown or out of range.
        StorageError: The folder cannot be written.
    """
    told = ", ".join(f"{name} {value}" for name, value in sorted(options.items()))
    base = home() / "datasets" if folder is None else Path(folder)
    root = base / f"{manifest.root.name}-{told.replace(', ', '-').replace(' ', '')}"
    with locked(base / f".{root.name}.lock"):
        report = codec.reencode_tree(manifest.root, root, jobs=jobs, progress=False, **options)
        done = {outcome.source: outcome for outcome in report.clips}
        clips = []
        for clip in manifest:
            outcome = done[clip.clip]
            if outcome.error or outcome.frames != clip.frames:
                raise DatasetError(
                    outcome.error or f"has {outcome.frames} frames, not {clip.frames}",
                    file=manifest.path(clip),
                    remedy="leave the clip out of the manifest, or keep its frame rate",
                )
            clips.append(_copy(manifest, clip, root, outcome.target))
    return dataclasses.replace(
        manifest, name=f"{manifest.name} ({told})", root=root, clips=tuple(clips)
    )


def _copy(manifest: Manifest, clip: Clip, root: Path, target: str) -> Clip:
    if clip.annotation and not (root / clip.annotation).is_file():
        atomic.write_bytes(root / clip.annotation, manifest.annotation_path(clip).read_bytes())
    return dataclasses.replace(clip, clip=target, sha256=sha256_of(root / target))
