"""Clips of a few drawn frames with everything a manifest asks for: nobody's faces."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np

from mic import codec
from mic.manifest.manifest import Clip, Manifest
from mic.storage.digest import sha256_of


def write(
    folder: Path, subject: str, label: str, frames: Sequence[np.ndarray], identity: np.ndarray
) -> Clip:
    """Encodes the frames, stores the identity beside them; the apex is the last frame."""
    name = f"{subject}-{label}"
    codec.encode_frames(frames, folder / f"{name}.mp4", frame_rate=25)
    np.savez(folder / f"{name}.npz", identity=identity.astype(np.float32))
    return Clip(
        clip=f"{name}.mp4",
        clip_id=name,
        subject=subject,
        label=label,
        licence="CC0-1.0",
        sha256=sha256_of(folder / f"{name}.mp4"),
        frames=len(frames),
        frame_rate=Fraction(25),
        apex=len(frames) - 1,
        annotation=f"{name}.npz",
    )


def dataset(
    root: Path, classes: tuple[str, ...], frames: Callable[[int, int], Sequence[np.ndarray]]
) -> Manifest:
    """Four people who show each class once: `frames(person, class number)` are the pictures."""
    clips = tuple(
        write(root, f"p{person}", label, frames(person, number), np.eye(4)[person])
        for person in range(4)
        for number, label in enumerate(classes)
    )
    return Manifest(name="squares", root=root, classes=classes, clips=clips)
