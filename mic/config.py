"""The presets that every run is made of: frozen dataclasses, no files, no hidden state.

`smoke` proves that everything runs (CI), `default` is for two cores and little more than an hour,
`full` uses every fold and several seeds, `paper` has the papers' own sizes. A preset is changed
with `dataclasses.replace`, or by naming fields in a notebook's parameters cell.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from types import ModuleType
from typing import Any

from mic.errors import ConfigError


def usable_cores() -> int:
    """Cores that this process may use; where the system does not tell (macOS), all there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@dataclasses.dataclass(frozen=True)
class Profile:
    """Everything that decides what a run computes.

    Attributes:
        name: The preset this one started from.
        seed: Seed of data, folds, weights and batches.
        size: Edge of the generated clips in pixels.
        scale: Residuals are taken at 1/`scale` of that, from the DCT coefficients.
        steps: Frames sampled (or segments summed) a clip.
        ck_clips: Clips of `synth-ck`; the protocol has 327.
        mmi_clips: Clips of `synth-mmi`; the protocol has 213.
        afew_clips: Clips of `synth-afew`, training and validation together; 1156 in all.
        avec_subjects: Subjects of `synth-avec`; the protocol has 18.
        avec_seconds: Seconds a subject of `synth-avec`.
        parts: Parts that cross-validation divides the people into; ten in the papers. With three,
            three trainings on two thirds of the people test everybody.
        folds: How many of these parts are tested.
        rows: Rows of the large ablation tables; 0 means all.
        seeds: Repetitions of each fold with another seed of weights and batches.
        epochs: Training epochs of the recognition networks.
        sr_epochs: Training epochs of the super-resolution and valence networks.
        backbone: The expression network's convolutional part.
        ladder: True quantisers of the rate ladders.
        factors: Down-sampling factors of the low-bit-rate study.
        real_frames: Frames taken of each real video; 0 takes all.
        repeats: Interleaved repetitions of every timing.
        bootstrap: Resamples behind each bootstrap interval.
        mi_samples: Largest sample that mutual information is measured on.
        mi_steps: Training steps of the critics that are compared on it.
        jobs: Worker processes; 0 means one a core.
    """

    name: str
    seed: int = 0
    size: int = 128
    scale: int = 2
    steps: int = 16
    ck_clips: int = 327
    mmi_clips: int = 213
    afew_clips: int = 320
    avec_subjects: int = 18
    avec_seconds: int = 20
    parts: int = 3
    folds: int = 3
    rows: int = 9
    seeds: int = 1
    epochs: int = 30
    sr_epochs: int = 8
    backbone: str = "cnn4"
    ladder: tuple[int, ...] = (2, 4, 8, 12, 20, 31)
    factors: tuple[int, ...] = (2, 3, 4, 6, 8, 12, 16)
    real_frames: int = 0
    repeats: int = 5
    bootstrap: int = 2000
    mi_samples: int = 10_000
    mi_steps: int = 800
    jobs: int = 0

    def digest(self) -> str:
        """The first 16 hexadecimal digits of the SHA-256 of all fields but `jobs`.

        `jobs` is left out because results do not depend on it.
        """
        fields = dataclasses.asdict(self)
        del fields["jobs"]
        return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()[:16]

    def worker_count(self) -> int:
        """Worker processes to start: `jobs`, or one for each core this process may use."""
        return self.jobs or usable_cores()


_DEFAULT = Profile(name="default")
PROFILES: Mapping[str, Profile] = {
    "smoke": dataclasses.replace(
        _DEFAULT,
        name="smoke",
        size=64,
        scale=1,
        steps=8,
        ck_clips=42,
        mmi_clips=24,
        afew_clips=28,
        avec_subjects=4,
        avec_seconds=3,
        folds=1,
        rows=2,
        epochs=2,
        sr_epochs=1,
        ladder=(2, 8, 31),
        factors=(2, 4, 8),
        real_frames=40,
        repeats=2,
        bootstrap=200,
        mi_samples=300,
        mi_steps=4,
        jobs=1,
    ),
    "default": _DEFAULT,
    "full": dataclasses.replace(
        _DEFAULT,
        name="full",
        afew_clips=1156,
        avec_seconds=120,
        parts=10,
        folds=10,
        rows=0,
        seeds=3,
        epochs=60,
        sr_epochs=20,
        ladder=(1, 2, 3, 4, 6, 8, 12, 16, 20, 25, 31),
        repeats=11,
        bootstrap=10_000,
    ),
    "paper": dataclasses.replace(
        _DEFAULT,
        name="paper",
        size=112,
        scale=1,
        afew_clips=1156,
        avec_seconds=300,
        parts=10,
        folds=10,
        rows=0,
        seeds=3,
        epochs=100,
        sr_epochs=60,
        ladder=(1, 2, 3, 4, 6, 8, 12, 16, 20, 25, 31),
        repeats=11,
        bootstrap=10_000,
    ),
}


def load(profile: str = "auto", **overrides: object) -> Profile:
    """The preset `profile` with some fields changed.

    Args:
        profile: A name in `PROFILES`, or "auto": the environment's MIC_PROFILE, else "default".
        **overrides: Fields of `Profile` to change.

    Raises:
        ConfigError: No such profile or field, or a value of another type than the preset's
            or that nothing can be computed with.
    """
    name = os.environ.get("MIC_PROFILE", "default") if profile == "auto" else profile
    if name not in PROFILES:
        raise ConfigError(
            f"there is no profile {name!r}", remedy=f"choose one of {', '.join(PROFILES)}"
        )
    preset = PROFILES[name]
    allowed = {field.name for field in dataclasses.fields(Profile)} - {"name"}
    chosen: dict[str, Any] = {}
    for key, value in overrides.items():
        if key not in allowed:
            raise ConfigError(
                f"there is no parameter {key!r}", remedy=f"choose of {', '.join(sorted(allowed))}"
            )
        wanted = type(getattr(preset, key))
        if wanted is tuple and isinstance(value, list):
            value = tuple(value)
        if type(value) is not wanted:
            raise ConfigError(
                f"parameter {key!r} is {value!r}, a {type(value).__name__}",
                remedy=f"give a value of type {wanted.__name__}, as {getattr(preset, key)!r}",
            )
        _check(key, value)
        chosen[key] = value
    found = dataclasses.replace(preset, **chosen)
    if found.folds > found.parts:
        raise ConfigError(
            f"{found.folds} folds of {found.parts} parts are to be tested",
            remedy=f"give folds of {found.parts} or fewer, or more parts",
        )
    return found


# The least value of a field, 1 where none is named: 0 has a meaning, or one is too few.
_LEAST = {"seed": 0, "rows": 0, "real_frames": 0, "jobs": 0, "parts": 2, "size": 16}


def _check(key: str, value: Any) -> None:
    """Refuses numbers that nothing can be computed with."""
    least = _LEAST.get(key, 1)
    numbers = value if isinstance(value, tuple) else (value,)
    if not numbers or any(type(one) is int and one < least for one in numbers):
        raise ConfigError(
            f"parameter {key!r} is {value!r}",
            remedy=f"give {'numbers' if isinstance(value, tuple) else 'a number'} of {least} or "
            "more",
        )
    if isinstance(value, tuple) and any(type(one) is not int for one in value):
        raise ConfigError(
            f"parameter {key!r} is {value!r}", remedy="give whole numbers, as [2, 8, 31]"
        )


# What IPython itself puts into a notebook's namespace.
_KERNEL_NAMES = frozenset({"In", "Out", "exit", "quit", "get_ipython", "open"})


def from_notebook(namespace: Mapping[str, Any], *, extra: Iterable[str] = ()) -> Profile:
    """The profile that a notebook's parameters cell describes.

    Called in the cell after the parameters, with `vars()`: whatever was set by then is a
    parameter, so a name mistyped on the command line is found here also when papermill is run
    without our runner, which would only log it.

    Args:
        namespace: The notebook's variables; `profile` names the preset, a field of `Profile`
            overrides it unless it is None.
        extra: Names of this notebook's own parameters.

    Raises:
        ConfigError: A name that is neither a field nor in `extra`.
    """
    own = {"profile", "results_folder", *extra}
    given = {
        name: value
        for name, value in namespace.items()
        if not name.startswith("_")
        and name not in _KERNEL_NAMES
        and not isinstance(value, ModuleType)
    }
    overrides = {k: v for k, v in given.items() if k not in own and v is not None}
    unknown = set(overrides) - {field.name for field in dataclasses.fields(Profile)}
    if unknown:
        names = ", ".join(sorted(own | {f.name for f in dataclasses.fields(Profile)} - {"name"}))
        raise ConfigError(
            f"unknown notebook parameter {', '.join(sorted(unknown))}",
            remedy=f"check the spelling; this notebook knows {names}",
        )
    return load(given.get("profile", "auto"), **overrides)
