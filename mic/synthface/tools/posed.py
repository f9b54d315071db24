"""One generated clip of a wanted expression, for a lesson or an example."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any

import numpy as np

from mic import codec
from mic.errors import ConfigError
from mic.manifest.side_files import DAMAGED
from mic.storage.atomic import write_bytes
from mic.synthface.film import film
from mic.synthface.generate import recipe
from mic.synthface.protocols import protocol


def posed(
    name: str, label: str, folder: str | Path, *, seed: int = 0, size: int = 256, **options: Any
) -> tuple[Path, dict[str, np.ndarray]]:
    """The first clip of a generated dataset that shows an expression; drawn once, then kept.

    Args:
        name: Key of `mic.synthface.protocols.PROTOCOLS`, one with classes.
        label: One of its classes.
        folder: Where the video and its ground truth go, or are.
        seed: Seed of the dataset.
        size: Pixels along either side of the pictures.
        options: Of `mic.codec.encode_frames`, as `gop` and `vop_quant`.

    Returns:
        The video, and the truth of its frames: see `mic.synthface.film.Film.truth`.

    Raises:
        ConfigError: The dataset has no such class.
        StorageError: The folder cannot be written.
    """
    chosen = protocol(name)
    if label not in chosen.classes:
        known = ", ".join(chosen.classes) or "none, it is rated"
        raise ConfigError(f"{name} has no class {label!r}", remedy=f"its classes: {known}")
    plan = next(plan for plan in chosen.plan(seed, 0.0) if plan.label == label)
    made_from = repr((name, plan, size, sorted(options.items()), recipe()))
    key = hashlib.sha256(made_from.encode()).hexdigest()[:16]
    video = Path(folder) / f"{label}-{seed}-{key}.mp4"
    side = video.with_suffix(".npz")
    try:
        with np.load(side) as stored:
            if video.is_file():
                return video, {key: stored[key] for key in stored.files}
    except DAMAGED:
        pass  # or not there yet
    made = film(chosen, plan, size=size)
    codec.encode_frames(made.watched(), video, frame_rate=chosen.frame_rate, **options)
    packed = io.BytesIO()
    truth: dict[str, Any] = made.truth()
    np.savez_compressed(packed, **truth)
    write_bytes(side, packed.getvalue())  # last: it says that the video is whole
    return video, truth
