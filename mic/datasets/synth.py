"""The generated datasets, made once below `MIC_HOME` and found there afterwards."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mic.config import Profile
from mic.errors import ConfigError
from mic.manifest.manifest import Manifest
from mic.storage.home import home, locked
from mic.synthface import PROTOCOLS, generate

# Which field of a profile says how many clips a protocol has; subjects have one clip each in the
# continuous one.
SIZES = {
    "synth-ck": "ck_clips",
    "synth-ck-shifted": "ck_clips",
    "synth-mmi": "mmi_clips",
    "synth-afew": "afew_clips",
    "synth-avec": "avec_subjects",
}


def load(
    name: str,
    config: Profile,
    *,
    folder: str | Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Manifest:
    """A generated dataset in the size that a profile asks for.

    Clips are named by what they show, so profiles of one picture size share them: a larger one
    only adds. Clips that another version of the generator made are made again. Processes that ask
    for the same dataset wait for each other.

    Args:
        name: A protocol of `mic.synthface`.
        config: Its seed, size, jobs and numbers of clips are used.
        folder: Where datasets lie; by default `MIC_HOME/datasets`.
        progress: Called with the number of finished and of all clips.

    Raises:
        ConfigError: There is no such protocol.
        StorageError: The folder cannot be written.
    """
    if name not in SIZES or name not in PROTOCOLS:
        raise ConfigError(
            f"there is no generated dataset {name!r}",
            remedy=f"choose one of {', '.join(PROTOCOLS)}",
        )
    base = home() / "datasets" if folder is None else Path(folder)
    made = f"{name}-{config.size}-seed{config.seed}"
    if not PROTOCOLS[name].classes:  # the length decides the content of continuous clips
        made += f"-{config.avec_seconds}s"
    with locked(base / f".{made}.lock"):
        return generate(
            name,
            base / made,
            seed=config.seed,
            size=config.size,
            subset=int(getattr(config, SIZES[name])),
            seconds=float(config.avec_seconds),
            jobs=config.worker_count(),
            progress=progress,
        )
