"""One clip: a subject, a performance, a place and a camera, frame by frame."""

from __future__ import annotations

import functools
import hashlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from mic import codec
from mic.synthface import dynamics, light, occluders, scenery
from mic.synthface.action_units import CODES
from mic.synthface.camera import View
from mic.synthface.drawing import draw
from mic.synthface.dynamics import Performance
from mic.synthface.protocols import ClipPlan, Protocol
from mic.synthface.subject import Subject, subject

_SHUTTER = 0.5  # share of the frame time that the shutter is open
_GESTURES = 0.18  # share of the film-like clips in which a hand comes up to the face


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
        self._hand: list[float] = []
        self._digest = hashlib.sha256()

    def frames(self) -> Iterator[np.ndarray]:
        """Draws the clip: uint8 (H, W, 3) frames."""
        self._landmarks.clear()
        self._hand.clear()
        self._digest = hashlib.sha256()
        rng = np.random.default_rng((self._seed, 21))
        size, act = self.size, self.performance
        lighting = light.found(rng) if self.wild else light.studio(rng)
        room = scenery.clutter(rng, size) if self.wild else scenery.backdrop(rng, size)
        pan = self._pan(rng)
        tile = scenery.grain(rng, rng.uniform(1.0, 4.0) if self.wild else 1.0)
        hand = None
        if self.wild and rng.random() < _GESTURES:
            skin = self.person.colours.skin
            hand = occluders.gesture(rng, len(act.activation), self.frame_rate, skin)
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
                spectacled=self.wild or self.continuous,
            )
            layer = drawing.layer
            raised = hand.at(k) if hand else None
            if raised is not None:
                still = View(shift=view.shift, zoom=view.zoom)
                layer = occluders.draw(
                    raised, rotation=still.rotation(), view=still, lighting=lighting, size=size
                ).before(layer)
            self._hand.append(0.0 if hand is None else float(hand.near[k]))
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

    def watched(self) -> Iterator[np.ndarray]:
        """The frames as they reach whoever collects clips: film-like ones were coded before.

        They come from discs and broadcasts, so blocks and blur of an earlier MPEG-4 encoding with
        short groups of pictures are part of the picture.
        """
        if not self.wild:
            yield from self.frames()
            return
        quantiser = int(np.random.default_rng((self._seed, 23)).integers(3, 9))
        with tempfile.TemporaryDirectory(prefix="mic-film-") as folder:
            copy = Path(folder, "copy.avi")
            codec.encode_frames(
                self.frames(), copy, frame_rate=self.frame_rate, gop=12, vop_quant=quantiser
            )
            yield from codec.decode(copy)

    def pixel_digest(self) -> str:
        """SHA-256 of all frames drawn by the last `frames()`."""
        return self._digest.hexdigest()

    def truth(self) -> dict[str, np.ndarray]:
        """Ground truth of the frames drawn so far.

        Returns:
            action_units (T, 24) float32 with their `codes`; intensity, valence, arousal (T,);
            pose (T, 3) and gaze (T, 2) in radians; shift (T, 2) and zoom (T,) of the view;
            landmarks (T, 5, 2) in pixels; hand (T,), 1 while a hand is at the face; identity
            (coefficients,); person and family, their seeds; apex. For continuous protocols
            valence and arousal are the panel's gold standard, and felt_valence, felt_arousal
            what the face followed.
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
            "shift": act.shift,
            "zoom": act.zoom,
            "hand": np.array(self._hand),
            "landmarks": np.array(self._landmarks),
            "identity": self.person.identity.coefficients(),
        } | affect
        stored = {name: trace.astype(np.float32) for name, trace in traces.items()}
        family = self.person.identity.family
        return stored | {
            "codes": np.array(CODES),
            "apex": np.array(act.apex),
            "person": np.array(self.person.identity.seed),
            "family": np.array(-1 if family is None else family),
        }


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
