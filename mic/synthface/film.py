"""One clip: a subject, a performance, a place and a camera, frame by frame."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator

import numpy as np

from mic.synthface import dynamics, light, scenery
from mic.synthface.action_units import CODES
from mic.synthface.camera import View
from mic.synthface.dynamics import Performance
from mic.synthface.protocols import ClipPlan, Protocol
from mic.synthface.subject import Subject, draw, subject

_SHUTTER = 0.5  # share of the frame time that the shutter is open


@functools.lru_cache(maxsize=2)
def _cast(person: int, family: int | None) -> Subject:
    """A subject, kept while its clips are made one after the other."""
    return subject(person, family=family)


class Film:
    """A clip being made: frames come one at a time, ground truth when they are all drawn.

    Args:
        person: Who is seen.
        performance: What happens.
        seed: Seed of place, light and camera.
        size: Pixels along either side.
        frame_rate: Frames a second.
        wild: Whether the clip is film-like rather than from a laboratory.
        continuous: Whether valence and arousal were annotated by a panel.
    """

    def __init__(
        self,
        person: Subject,
        performance: Performance,
        *,
        seed: int,
        size: int,
        frame_rate: float,
        wild: bool,
        continuous: bool,
    ) -> None:
        self.person = person
        self.performance = performance
        self.size = size
        self.frame_rate = frame_rate
        self.wild = wild
        self.continuous = continuous
        self._seed = seed
        self._landmarks: list[np.ndarray] = []
        self._digest = hashlib.sha256()

    def frames(self) -> Iterator[np.ndarray]:
        """Draws the clip: uint8 (H, W, 3) frames."""
        self._landmarks.clear()
        self._digest = hashlib.sha256()
        rng = np.random.default_rng((self._seed, 21))
        size, act = self.size, self.performance
        lighting = light.found(rng) if self.wild else light.studio(rng)
        room = scenery.clutter(rng, size) if self.wild else scenery.backdrop(rng, size)
        pan = self._pan(rng)
        tile = scenery.grain(rng, rng.uniform(1.0, 4.0) if self.wild else 1.0)
        flicker = 1 + dynamics.wander(
            rng, len(act.activation), spread=0.02 if self.wild else 0.0, frames_memory=8
        )
        before = None
        for k, activation in enumerate(act.activation):
            view = View(
                turn=tuple(act.turn[k]), shift=tuple(act.shift[k]), zoom=float(act.zoom[k])
            )
            drawing = draw(
                self.person,
                activation,
                view=view,
                gaze=tuple(act.gaze[k]),
                lighting=lighting,
                size=size,
            )
            layer = drawing.layer
            centre = drawing.landmarks[2]
            if self.wild and before is not None:
                layer = scenery.smear(layer, _SHUTTER * (centre - before))
            before = centre
            top, left = pan[k]
            picture = layer.over(room[top : top + size, left : left + size])
            picture *= np.float32(np.round(flicker[k], 6))
            frame = light.develop(picture, scenery.cut_grain(tile, rng, size))
            self._landmarks.append(drawing.landmarks)
            self._digest.update(frame)
            yield frame

    def _pan(self, rng: np.random.Generator) -> np.ndarray:
        """(T, 2) top left corner of the part of the room that is seen."""
        frames = len(self.performance.activation)
        if not self.wild:
            return np.zeros((frames, 2), int)
        speed = [dynamics.wander(rng, frames, spread=0.6, frames_memory=20) for _ in range(2)]
        path = np.cumsum(np.stack(speed, 1), 0) * self.size / 160 + self.size / 2
        return np.clip(np.rint(path), 0, self.size).astype(int)

    def pixel_digest(self) -> str:
        """SHA-256 of all frames drawn by the last `frames()`."""
        return self._digest.hexdigest()

    def truth(self) -> dict[str, np.ndarray]:
        """Ground truth of the frames drawn so far.

        Returns:
            action_units (T, 24) float32 with their `codes`; intensity, valence, arousal (T,);
            pose (T, 3) in radians; gaze (T, 2); landmarks (T, 5, 2) in pixels; identity
            (coefficients,); apex. For continuous protocols valence and arousal are the panel's
            gold standard, and felt_valence, felt_arousal what the face followed.
        """
        act = self.performance
        affect = {"valence": act.valence, "arousal": act.arousal}
        if self.continuous:
            rng = np.random.default_rng((self._seed, 22))
            felt = {f"felt_{name}": trace for name, trace in affect.items()}
            affect = {
                name: dynamics.gold_standard(rng, trace, self.frame_rate)
                for name, trace in affect.items()
            } | felt
        traces = {
            "action_units": act.activation,
            "intensity": act.intensity,
            "pose": act.turn,
            "gaze": act.gaze,
            "landmarks": np.array(self._landmarks),
            "identity": self.person.identity.coefficients(),
        } | affect
        stored = {name: trace.astype(np.float32) for name, trace in traces.items()}
        return stored | {"codes": np.array(CODES), "apex": np.array(act.apex)}


def film(chosen: Protocol, plan: ClipPlan, *, size: int) -> Film:
    """The film of one planned clip."""
    rng = np.random.default_rng((plan.seed, 20))
    rate = float(chosen.frame_rate)
    return Film(
        _cast(plan.person, plan.family),
        chosen.perform(rng, plan.label, plan.frames, rate),
        seed=plan.seed,
        size=size,
        frame_rate=rate,
        wild=chosen.wild,
        continuous=not chosen.classes,
    )
