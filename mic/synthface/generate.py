"""Writes generated datasets: video, ground truth and manifest, resumable and in parallel."""

from __future__ import annotations

import functools
import hashlib
import io
import itertools
from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path

import numpy as np

from mic import codec
from mic.manifest.manifest import Clip, Manifest
from mic.manifest.side_files import DAMAGED
from mic.processes import workers
from mic.storage.atomic import write_bytes
from mic.storage.digest import sha256_of
from mic.synthface.film import Film, film
from mic.synthface.protocols import ClipPlan, Protocol, protocol, take

LICENCE = "CC0-1.0"
_NOT_IN_CLIPS = ("checks.py",)


def generate(
    name: str,
    folder: str | Path,
    *,
    seed: int = 0,
    size: int = 128,
    subset: int | float | None = None,
    seconds: float = 60.0,
    jobs: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Manifest:
    """Makes a generated dataset, or completes one that was begun.

    Clips that are there, whole and made with the same parameters by the same code are kept. The
    result does not depend on `jobs`.

    Args:
        name: Key of `mic.synthface.protocols.PROTOCOLS`.
        folder: Where clips, side files (.npz, see `film.Film.truth`) and manifest.csv go.
        seed: Seed of the whole dataset.
        size: Pixels along either side of the pictures.
        subset: Number (int) or share (float) of the clips, spread over classes; None for all.
        seconds: Length of the clips of a continuous protocol.
        jobs: Worker processes; 1 works in this one.
        progress: Called with the number of finished and of all clips.

    Returns:
        The manifest, which is also written to `folder`/manifest.csv.

    Raises:
        ConfigError: Unknown protocol, or a subset that cannot be.
        StorageError: The folder cannot be written.
    """
    chosen = protocol(name)
    plans = take(chosen.plan(seed, seconds), subset)
    folder = Path(folder)
    # Neighbours are clips of one subject, whose textures are painted once a worker.
    tasks = [
        [(name, plan, folder, size) for plan in group]
        for _, group in itertools.groupby(plans, key=lambda plan: plan.subject)
    ]
    digests: dict[str, str] = {}
    for done in _in_order(tasks, jobs):
        digests |= done
        if progress:
            progress(len(digests), len(plans))
    manifest = Manifest(
        name=name,
        root=folder,
        classes=chosen.classes,
        clips=tuple(_row(chosen, plan, digests[plan.clip_id], folder) for plan in plans),
    )
    manifest.save(folder / "manifest.csv")
    return manifest


def _in_order(tasks: list, jobs: int) -> Iterator[dict[str, str]]:
    if jobs == 1:
        yield from map(_write_subject, tasks)
        return
    # NumPy's arrays here are too small for threads; a library that starts them anyway halves the
    # speed.
    with workers.one_thread_each(), workers.pool(min(jobs, len(tasks))) as pool:
        yield from pool.map(_write_subject, tasks)


def _write_subject(tasks: list[tuple[str, ClipPlan, Path, int]]) -> dict[str, str]:
    """Writes the clips of one subject that are not there yet; their digests by clip_id."""
    return {task[1].clip_id: _write_clip(*task) for task in tasks}


def _write_clip(name: str, plan: ClipPlan, folder: Path, size: int) -> str:
    video, side = folder / f"{plan.clip_id}.mp4", folder / f"{plan.clip_id}.npz"
    chosen = protocol(name)
    key = hashlib.sha256(repr((name, plan, size, recipe())).encode()).hexdigest()
    known = _recorded(side, key)
    if known and video.is_file() and sha256_of(video) == known:
        return known
    made = film(chosen, plan, size=size)
    codec.encode_frames(made.watched(), video, frame_rate=chosen.frame_rate)
    digest = sha256_of(video)
    # The side file comes last: it vouches for the video.
    write_bytes(side, _packed(made, key, digest))
    return digest


def _recorded(side: Path, key: str) -> str | None:
    """The digest of the video that a side file vouches for, if it was made from `key`."""
    try:
        with np.load(side) as stored:
            return str(stored["sha256"]) if str(stored["key"]) == key else None
    except DAMAGED:  # a clip that nothing vouches for is made again
        return None


def _packed(made: Film, key: str, digest: str) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        key=np.array(key),
        sha256=np.array(digest),
        pixels=np.array(made.pixel_digest()),
        **made.truth(),
    )
    return buffer.getvalue()


@functools.lru_cache(maxsize=1)
def recipe() -> str:
    """SHA-256 of all that decides a clip but its plan: clips made otherwise are made again."""
    digest = hashlib.sha256(codec.EncodeOptions().fingerprint().encode())
    for file in sorted(resources.files(__package__).iterdir(), key=lambda file: file.name):
        if file.name.endswith((".py", ".npz")) and file.name not in _NOT_IN_CLIPS:
            digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def _row(chosen: Protocol, plan: ClipPlan, digest: str, folder: Path) -> Clip:
    side = f"{plan.clip_id}.npz"
    with np.load(folder / side) as stored:
        apex = int(stored["apex"])
    return Clip(
        clip=f"{plan.clip_id}.mp4",
        clip_id=plan.clip_id,
        subject=plan.subject,
        label=plan.label,
        licence=LICENCE,
        sha256=digest,
        frames=plan.frames,
        frame_rate=chosen.frame_rate,
        apex=apex if chosen.classes else None,
        fold=plan.fold,
        split=plan.split,
        annotation=side,
    )
