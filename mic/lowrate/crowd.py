"""More people to test on: faces of other seeds of `synth-avec`, drawn as often as they are scored.

An interval over nine people is as wide as the differences that it should judge. The generator
makes as many people as one likes: the same protocol with another seed has people, performances
and a panel of the same kind, and nobody who was trained on. Scores of uncoded faces look at every
fifth picture only, so only that is drawn, a fifth of the work; what is coded needs all pictures,
which `mic.datasets.synth` makes with another seed.
"""

from __future__ import annotations

import dataclasses
import hashlib
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from mic import codec
from mic.config import Profile
from mic.errors import ConfigError
from mic.lowrate.sequences import SIZE, FaceSequence, gray_faces
from mic.storage import cache
from mic.synthface.dynamics import Performance
from mic.synthface.film import Film, film
from mic.synthface.generate import recipe
from mic.synthface.protocols import ClipPlan, protocol

_CROWD = cache.Stage(name="lowrate-crowd", version=1)
# Seconds over which the crop follows the head; that of whole videos is 13 frames at 25 a second.
_STEADY = 0.52


def people(
    config: Profile,
    seeds: Sequence[int],
    *,
    every: int = 5,
    progress: Callable[[str], None] | None = None,
) -> list[FaceSequence]:
    """Rated faces of everybody in other seeds of `synth-avec`, computed or from the cache.

    Args:
        config: Its `avec_seconds` and `size` are used, as by `mic.experiments.given.rated`.
        seeds: Of the protocol; not the profile's own, whose people are trained on.
        every: Which frames are drawn.
        progress: Called with each subject's name when it is ready.

    Returns:
        One sequence a person, `every` times slower than the protocol's, both splits.

    Raises:
        ConfigError: The profile's own seed is asked for.
    """
    if config.seed in seeds:
        raise ConfigError(
            f"seed {config.seed} of the protocol holds the training people",
            remedy="draw test people from other seeds",
        )
    found = []
    for seed in seeds:
        for plan in protocol("synth-avec").plan(seed, float(config.avec_seconds)):
            found.append(sequence(plan, f"{seed}-{plan.subject}", config.size * 3 // 2, every))
            if progress:
                progress(found[-1].subject)
    return found


def sequence(plan: ClipPlan, subject: str, size: int, every: int) -> FaceSequence:
    """One planned person, drawn at every `every`-th frame, computed or from the cache."""
    arrays = cache.fetch(
        _CROWD,
        inputs=[hashlib.sha256(repr((plan, recipe())).encode()).hexdigest()],
        parameters={"size": size, "every": every, "face": SIZE},
        compute=lambda: _drawn(plan, size, every),
    )
    rate = float(protocol("synth-avec").frame_rate) / every
    return FaceSequence(subject, arrays["frames"], arrays["valence"], rate)


def _drawn(plan: ClipPlan, size: int, every: int) -> cache.Arrays:
    chosen = protocol("synth-avec")
    whole = film(chosen, plan, size=size)
    # The panel rates the whole video, so its trace is thinned, not made anew.
    valence = whole.truth()["valence"][::every]
    rate = whole.frame_rate / every
    fewer = Film(
        whole.person,
        _thinned(whole.performance, every),
        seed=plan.seed,
        size=size,
        frame_rate=rate,
        wild=chosen.wild,
        continuous=True,
    )
    with tempfile.TemporaryDirectory() as folder:
        video = Path(folder) / "drawn.mp4"
        codec.encode_frames(fewer.watched(), video, frame_rate=rate)
        points = fewer.truth()["landmarks"]
        frames = gray_faces(video, points, steady=max(1, round(_STEADY * rate)))
    return {"frames": frames, "valence": valence}


def _thinned(performance: Performance, every: int) -> Performance:
    traces = {
        field.name: getattr(performance, field.name)[::every]
        for field in dataclasses.fields(performance)
        if isinstance(getattr(performance, field.name), np.ndarray)
    }
    return dataclasses.replace(performance, **traces, apex=performance.apex // every)
