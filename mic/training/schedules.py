"""How long, how fast and on what a network is trained: the papers' schedules and our own."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from mic.errors import ConfigError


@dataclasses.dataclass(frozen=True, kw_only=True)
class Schedule:
    """How it is trained.

    Attributes:
        epochs: Passes over the training clips.
        batch: Clips a step (48 in the paper); the last, smaller batch of an epoch is dropped
            unless it is the only one.
        optimizer: `adamw`, or `adam` with the weight decay in the gradient, as the paper's.
        learning_rate: Peak (`cosine`) or initial (`steps`).
        weight_decay: See `optimizer`.
        decay: `cosine` rises over 15 % of the training and falls to zero; `steps` follows
            `milestones`.
        milestones: (epoch, learning rate) pairs from which the rate changes.
        label_smoothing: Of the cross-entropy.
        shift: Largest random displacement of a clip, as a share of its edge.
        flip: Whether clips are mirrored at random.
        gain: Largest random change of a clip's amplitude, relative.
        cutout: Edge of a square that is blanked at random, as a share of the clip's edge.
        frames: Frames of a clip that a step sees: the clip is cut into as many equal parts, and
            one frame is drawn from each. 0 takes all, as prediction always does.
        clip_norm: Largest gradient norm; 0 for none.
    """

    epochs: int = 30
    batch: int = 32
    optimizer: Literal["adamw", "adam"] = "adamw"
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    decay: Literal["cosine", "steps"] = "cosine"
    milestones: tuple[tuple[int, float], ...] = ()
    label_smoothing: float = 0.0
    shift: float = 1 / 16
    flip: bool = True
    gain: float = 0.2
    cutout: float = 0.0
    frames: int = 4
    clip_norm: float = 5.0

    def __post_init__(self) -> None:
        """Refuses what trains nothing.

        Raises:
            ConfigError: No epoch, no clip a step, a rate that is not above zero, or the like.
        """
        for name, least in (("epochs", 1), ("batch", 1), ("frames", 0), ("clip_norm", 0)):
            if not getattr(self, name) >= least:
                raise ConfigError(
                    f"{name} is {getattr(self, name)}", remedy=f"use {least} or more"
                )
        if not 0 < self.learning_rate < math.inf:
            raise ConfigError(f"learning_rate is {self.learning_rate}", remedy="use 0.001, say")


def _paper(learning_rate: float, *milestones: tuple[int, float]) -> Schedule:
    return Schedule(
        epochs=100,
        batch=48,
        optimizer="adam",
        learning_rate=learning_rate,
        weight_decay=1e-5,
        decay="steps",
        milestones=milestones,
        shift=0.0,
        flip=False,
        gain=0.0,
        frames=0,
        clip_norm=0.0,
    )


# "Adam with momentum 0.9", batch 48, weight decay 1e-5, about 100 epochs; no augmentation is told.
PRESETS: Mapping[str, Schedule] = MappingProxyType(
    {
        "default": Schedule(),
        "paper-ck": _paper(1e-1, (30, 1e-2)),
        "paper-mmi": _paper(1e-1, (30, 1e-2)),
        "paper-afew": _paper(1e-4, (30, 8e-6), (60, 1e-7)),
    }
)


def learning_rate(schedule: Schedule, progress: float) -> float:
    """The rate after a share `progress` (0 to 1) of the training."""
    if schedule.decay == "steps":
        epoch = progress * schedule.epochs
        passed = [rate for start, rate in schedule.milestones if epoch >= start]
        return passed[-1] if passed else schedule.learning_rate
    if progress < 0.15:
        return schedule.learning_rate * (0.05 + 0.95 * progress / 0.15)
    return schedule.learning_rate * 0.5 * (1 + math.cos(math.pi * (progress - 0.15) / 0.85))
