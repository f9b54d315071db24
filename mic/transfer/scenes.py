"""Films of generated people in which everything that should not matter is drawn at random.

Domain randomisation (J. Tobin et al., "Domain randomization for transferring deep neural networks
from simulation to the real world", IROS 2017): what differs between generated and real video is
varied so widely that the real one is one more variation. Each factor has its own source of chance,
so leaving one out changes nothing else of a film.

The datasets of `mic.synthface.film` are not made of these: their films show one expression each,
and their recipe is part of their identity.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter1d

from mic import codec
from mic.errors import ConfigError
from mic.synthface import dynamics, light, occluders, scenery
from mic.synthface.action_units import CODES, PROTOTYPES
from mic.synthface.action_units import sample as sample_apex
from mic.synthface.camera import View
from mic.synthface.drawing import draw
from mic.synthface.light import Lighting
from mic.synthface.subject import Subject, subject

_BLINK = CODES.index("43")
_ALONE = [CODES.index(code) for code in CODES if code != "43"]  # units that may act by themselves
_STRONGEST = 1.3
_SPEAKING, _GESTURES, _COPIED = 0.5, 0.18, 0.5  # shares of the films
_PLAIN_SIZE, _PLAIN_RATE, _PLAIN_QUANTISER = 96, 25.0, 2
_SIZES = (96, 96, 128, 160)
_RATES = (12.5, 15.0, 25.0, 30.0)
_QUANTISERS = (2, 2, 3, 4, 6, 9)
_SHUTTER = 0.5  # share of the frame time that the shutter is open


@dataclasses.dataclass(frozen=True, kw_only=True)
class Randomisation:
    """What is drawn at random; False fixes it for all films.

    Attributes:
        light: Direction, colour and hardness of the lamps; else one studio light.
        camera: Clutter behind, pan, grain, flicker, motion blur and size; else a plain wall.
        movement: The head turns and shifts; else it is held.
        speech: Half of the people speak; else nobody.
        occlusion: Glasses and hands; else nothing is before the face.
        skin: Everybody's own complexion; else one for all.
        hair: Everybody's own hair; else none.
        codec: Coding tools of MPEG-4, and an earlier H.264 encoding of half of the films.
        quantiser: 2 to 9; else 2.
        rate: 12.5 to 30 frames a second; else 25.
        jitter: Crops are shifted, turned and scaled while training.
    """

    light: bool = True
    camera: bool = True
    movement: bool = True
    speech: bool = True
    occlusion: bool = True
    skin: bool = True
    hair: bool = True
    codec: bool = True
    quantiser: bool = True
    rate: bool = True
    jitter: bool = True

    def without(self, factor: str) -> Randomisation:
        """The same, one factor fixed.

        Raises:
            ConfigError: There is no such factor.
        """
        if factor not in FACTORS:
            raise ConfigError(
                f"there is no factor {factor!r}", remedy=f"choose of {', '.join(FACTORS)}"
            )
        return dataclasses.replace(self, **{factor: False})

    def of_films(self) -> Randomisation:
        """What decides a film: all but what happens while training."""
        return dataclasses.replace(self, jitter=True)


FACTORS = tuple(field.name for field in dataclasses.fields(Randomisation))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Scene:
    """One film, planned; its frames are drawn when they are asked for.

    Attributes:
        person: Who.
        activation: float64 (T, 24), intensities of `mic.synthface.action_units.CODES`.
        views: Pose and place of the head, T of them.
        gaze: float64 (T, 2), radians.
        lighting: The lamps.
        size: Pixels along either side.
        rate: Frames a second.
        seed: Of the surroundings.
        chosen: What is at random.
    """

    person: Subject
    activation: np.ndarray
    views: tuple[View, ...]
    gaze: np.ndarray
    lighting: Lighting
    size: int
    rate: float
    seed: int
    chosen: Randomisation

    def frames(self) -> Iterator[np.ndarray]:
        """The film's pictures, uint8 (size, size, 3) RGB."""
        rng = np.random.default_rng((self.seed, 31))
        count, size, wild = len(self.activation), self.size, self.chosen.camera
        room = scenery.clutter(rng, size) if wild else scenery.backdrop(_fixed(), size)
        tile = scenery.grain(rng if wild else _fixed(), rng.uniform(1.0, 4.0) if wild else 1.0)
        corner = rng.integers(0, size, 2) if wild else np.zeros(2, int)
        flicker = 1 + dynamics.wander(rng, count, spread=0.02 * wild, frames_memory=8)
        hand = None
        gestures = np.random.default_rng((self.seed, 32))
        if self.chosen.occlusion and gestures.random() < _GESTURES:
            skin = self.person.colours.skin
            hand = occluders.gesture(gestures, count, self.rate, skin)
        before = None
        for k, activation in enumerate(self.activation):
            drawing = draw(
                self.person,
                activation,
                view=self.views[k],
                gaze=(float(self.gaze[k, 0]), float(self.gaze[k, 1])),
                lighting=self.lighting,
                size=size,
                spectacled=self.chosen.occlusion,
            )
            layer, raised = drawing.layer, hand.at(k) if hand else None
            if raised is not None:
                still = View(shift=self.views[k].shift, zoom=self.views[k].zoom)
                layer = occluders.draw(
                    raised,
                    rotation=still.rotation(),
                    view=still,
                    lighting=self.lighting,
                    size=size,
                ).before(layer)
            nose = drawing.landmarks[2]
            if wild and before is not None:
                layer = scenery.smear(layer, _SHUTTER * (nose - before))
            before = nose
            top, left = corner
            picture = layer.over(room[top : top + size, left : left + size])
            picture *= np.float32(flicker[k])
            yield light.develop(picture, scenery.cut_grain(tile, rng, size))

    def encode(self, target: Path) -> None:
        """Writes the film as MPEG-4 Part 2 with one I-VOP, its first."""
        rng = np.random.default_rng((self.seed, 33))
        # Drawn whether they are used or not: what is left out must not change the rest.
        copied, tools = rng.random() < _COPIED, rng.random(3) < 0.25
        earlier, quantiser = int(rng.integers(20, 33)), int(rng.choice(_QUANTISERS))
        options: dict[str, Any] = {
            "vop_quant": quantiser if self.chosen.quantiser else _PLAIN_QUANTISER,
            "four_mv": bool(self.chosen.codec and tools[0]),
            "quarter_pel": bool(self.chosen.codec and tools[1]),
            "mpeg_quant": bool(self.chosen.codec and tools[2]),
        }
        if not (self.chosen.codec and copied):
            codec.encode_frames(self.frames(), target, frame_rate=self.rate, **options)
            return
        with tempfile.TemporaryDirectory(prefix="mic-scene-") as folder:
            copy = Path(folder, "copy.mp4")
            codec.encode_frames(
                self.frames(), copy, frame_rate=self.rate, codec="h264", vop_quant=earlier
            )
            codec.reencode(copy, target, **options)


def scene(person: int, take: int, chosen: Randomisation, *, frames: int) -> Scene:
    """Plans a film.

    Args:
        person: Seed of the person.
        take: Which of the person's films.
        chosen: What is at random.
        frames: Length.
    """
    seed = int(np.random.default_rng((person, take)).integers(1 << 48))
    rates = np.random.default_rng((seed, 34))
    rate = float(rates.choice(_RATES)) if chosen.rate else _PLAIN_RATE
    cameras = np.random.default_rng((seed, 35))
    size, zoom = int(cameras.choice(_SIZES)), cameras.uniform(0.85, 1.25)
    lamps = np.random.default_rng((seed, 36))
    acting = np.random.default_rng((seed, 37))
    views, gaze = _movement(np.random.default_rng((seed, 38)), frames, rate, zoom, chosen)
    return Scene(
        person=_cast(person, chosen),
        activation=_acting(acting, frames, rate, speaks=chosen.speech),
        views=views,
        gaze=gaze,
        lighting=light.found(lamps) if chosen.light else light.studio(_fixed()),
        size=size if chosen.camera else _PLAIN_SIZE,
        rate=rate,
        seed=seed,
        chosen=chosen,
    )


def _fixed() -> np.random.Generator:
    """Chance that is the same for all films."""
    return np.random.default_rng(30)


def _cast(seed: int, chosen: Randomisation) -> Subject:
    person = subject(seed)
    if not chosen.skin:
        other = subject(0)
        person = dataclasses.replace(person, colours=other.colours, painted=other.painted)
    if not chosen.hair:
        bare = dataclasses.replace(person.hair, triangles=person.hair.triangles[:0])
        person = dataclasses.replace(person, hair=bare)
    return person


def _acting(rng: np.random.Generator, frames: int, rate: float, *, speaks: bool) -> np.ndarray:
    """float64 (frames, 24): expressions and single movements that come and go, speech, blinks.

    Half of the events are an emotion's prototype and half are one to four units at random, which
    keeps the units from being told by each other. Some have begun before the first frame.
    """
    activation = np.zeros((frames, len(CODES)))
    time = np.arange(frames) / rate
    for _ in range(int(rng.integers(2, 5))):
        apex = np.zeros(len(CODES))
        if rng.random() < 0.5:
            label = str(rng.choice(sorted(PROTOTYPES)))
            apex = sample_apex(rng, label, weakest=0.4, strongest=1.0)
        else:
            acting = rng.choice(_ALONE, int(rng.integers(1, 5)), replace=False)
            apex[acting] = rng.uniform(0.3, 1.1, len(acting))
        start = rng.uniform(-0.8, time[-1])
        rise, stay, fall = rng.uniform(0.15, 0.8), rng.uniform(0.1, 1.5), rng.uniform(0.2, 1.0)
        course = dynamics.smooth_step((time - start) / rise)
        course = course * (1 - dynamics.smooth_step((time - start - rise - stay) / fall))
        activation = np.maximum(activation, course[:, None] * apex)
    mouth, talks = dynamics.speech(rng, frames, rate), rng.random() < _SPEAKING
    if speaks and talks:
        activation = np.maximum(activation, 0.5 * activation + mouth)
    activation[:, _BLINK] = dynamics.blinks(rng, frames, rate)
    return np.round(np.clip(activation, 0, _STRONGEST), 6)


def _movement(
    rng: np.random.Generator, frames: int, rate: float, zoom: float, chosen: Randomisation
) -> tuple[tuple[View, ...], np.ndarray]:
    def path(spread: float, seconds: float) -> np.ndarray:
        walked = dynamics.wander(rng, frames, spread=spread, frames_memory=seconds * rate)
        smooth: np.ndarray = gaussian_filter1d(walked, 0.1 * rate, mode="nearest")
        return smooth

    lively = rng.uniform(0, 1)  # some sit as still as before a laboratory's camera
    held = rng.normal(0, 1, 3) * (0.16, 0.09, 0.07)
    sway = lively * np.stack([path(spread, 0.9) for spread in (0.09, 0.06, 0.045)], 1)
    shift = lively * np.stack([path(0.012, 0.6) for _ in range(2)], 1) + rng.normal(0, 0.02, 2)
    jumps = np.cumsum(rng.random(frames) < 1.2 / rate)
    gaze = rng.normal(0, 0.11, (int(jumps[-1]) + 1, 2))[jumps]
    if not chosen.movement:
        held, sway, shift = held * 0, sway * 0, shift * 0
    turn = np.round(held + sway, 6)
    views = tuple(
        View(turn=(t[0], t[1], t[2]), shift=(s[0], s[1]), zoom=zoom if chosen.camera else 1.05)
        for t, s in zip(turn.tolist(), np.round(shift, 6).tolist(), strict=True)
    )
    return views, np.round(gaze, 6)
