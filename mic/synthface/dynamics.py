"""What a face does over time: expressions, blinks, speech, head, gaze, valence and arousal.

Valence and arousal have dynamics of their own: in posed clips they lag behind the face, drift with
a mood and spread within a class; in spontaneous ones they come first and the face follows them,
with a person's own gains. Traces are float64 and rounded to 1e-6, so that the last bits of
transcendental functions, which differ between processors, never reach a picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mic.synthface.action_units import CODES, PROTOTYPES
from mic.synthface.action_units import sample as sample_apex

_BLINK = CODES.index("43")
_DIGITS = 6


@dataclass(frozen=True)
class Performance:
    """Everything that moves in one clip, one row a frame.

    Attributes:
        activation: (T, len(CODES)) action-unit intensities.
        intensity: (T,) share of the apex reached, 0..1; for spontaneous clips the mean activation.
        valence: (T,) pleasantness, -1..1.
        arousal: (T,) activation, -1..1.
        turn: (T, 3) yaw, pitch, roll of the head, radians.
        gaze: (T, 2) yaw and pitch of the eyes in the head, radians.
        shift: (T, 2) displacement on screen, share of its width.
        zoom: (T,) magnification.
        apex: Frame of greatest intensity.
    """

    activation: np.ndarray
    intensity: np.ndarray
    valence: np.ndarray
    arousal: np.ndarray
    turn: np.ndarray
    gaze: np.ndarray
    shift: np.ndarray
    zoom: np.ndarray
    apex: int


def smooth_step(t: np.ndarray) -> np.ndarray:
    """Minimum-jerk transition from 0 to 1 over t in 0..1 (Flash and Hogan, 1985)."""
    t = np.clip(t, 0, 1)
    return t**3 * (10 - 15 * t + 6 * t * t)


def wander(
    rng: np.random.Generator, frames: int, *, spread: float, frames_memory: float
) -> np.ndarray:
    """(frames,) Ornstein-Uhlenbeck process of the given standard deviation and memory."""
    keep = np.exp(-1 / frames_memory)
    kick = spread * np.sqrt(1 - keep * keep) * rng.standard_normal(frames)
    path = np.empty(frames)
    value = rng.normal(0, spread)
    for k in range(frames):
        value = keep * value + kick[k]
        path[k] = value
    return path


def _lag(target: np.ndarray, frames: float) -> np.ndarray:
    """A first-order low-pass of the given time constant, starting at rest at the first value."""
    path, value = np.empty(len(target)), target[0]
    for k, aim in enumerate(target):
        value += (aim - value) / max(frames, 1.0)
        path[k] = value
    return path


def blinks(
    rng: np.random.Generator, frames: int, rate: float, *, spared: tuple[int, int] | None = None
) -> np.ndarray:
    """(frames,) closure of the lids.

    Args:
        rng: Source of chance.
        frames: Length.
        rate: Frames a second.
        spared: First and last frame of a stretch that no blink may touch.
    """
    closing, opening = 0.09 * rate, 0.17 * rate  # a blink closes faster than it opens
    closed = np.zeros(frames)
    at = rng.exponential(2.5) * rate
    while at < frames:
        touches = spared and spared[0] - opening - 1 <= at <= spared[1] + closing + 1
        if not touches:
            t = np.arange(frames) - at
            shape = np.where(t < 0, smooth_step(1 + t / closing), smooth_step(1 - t / opening))
            closed = np.maximum(closed, shape)
        at += (0.9 + rng.exponential(2.8)) * rate
    return closed


def speech(rng: np.random.Generator, frames: int, rate: float) -> np.ndarray:
    """(frames, len(CODES)) mouth movements of speech: syllables in phrases, with pauses."""
    talking = _lag((wander(rng, frames, spread=1, frames_memory=0.6 * rate) > -0.4) * 1.0, 2)
    phase = np.cumsum(rng.normal(4.6, 0.9) + wander(rng, frames, spread=0.7, frames_memory=5))
    syllable = 0.5 - 0.5 * np.cos(2 * np.pi * phase / rate)
    loud = np.clip(0.75 + wander(rng, frames, spread=0.3, frames_memory=4), 0.15, 1.3)
    rounding = np.clip(wander(rng, frames, spread=0.45, frames_memory=4), 0, 1)
    mouth = np.zeros((frames, len(CODES)))
    mouth[:, CODES.index("26")] = 0.55 * talking * syllable * loud
    mouth[:, CODES.index("25")] = 0.45 * talking * (0.3 + 0.7 * syllable)
    mouth[:, CODES.index("22")] = 0.45 * talking * rounding
    mouth[:, CODES.index("20")] = (
        0.25 * talking * np.clip(wander(rng, frames, spread=0.4, frames_memory=4), 0, 1)
    )
    return mouth


def _affect(
    rng: np.random.Generator, label: str, intensity: np.ndarray, rate: float
) -> tuple[np.ndarray, np.ndarray]:
    """Valence and arousal of a posed clip: an own aim, lag and drift for each."""
    prototype = PROTOTYPES[label]
    traces = []
    for typical, lag in ((prototype.valence, 0.45), (prototype.arousal, 0.15)):
        mood = rng.normal(0, 0.12)
        aim = np.clip(typical + rng.normal(0, 0.20), -1, 1)
        drift = wander(rng, len(intensity), spread=0.05, frames_memory=1.5 * rate)
        felt = _lag(intensity, rng.uniform(0.6, 1.4) * lag * rate)
        traces.append(np.clip(mood + (aim - mood) * felt + drift, -1, 1))
    return traces[0], traces[1]


def _tremor(rng: np.random.Generator, activation: np.ndarray) -> np.ndarray:
    """Muscles never hold still: every acting unit varies by some percent."""
    frames = len(activation)
    for column in np.flatnonzero(activation.any(0)):
        activation[:, column] *= 1 + wander(rng, frames, spread=0.03, frames_memory=6)
    return activation


def _saccades(rng: np.random.Generator, frames: int, rate: float, spread: float) -> np.ndarray:
    jumps = np.cumsum(rng.random(frames) < 1.2 / rate)
    return rng.normal(0, spread, (int(jumps[-1]) + 1, 2))[jumps]


def _head(
    rng: np.random.Generator, frames: int, rate: float, *, held: float, sway: float
) -> np.ndarray:
    """(frames, 3) pose: a held one, and sway about it."""
    axes = np.array([1.0, 0.6, 0.5])
    moving = np.stack(
        [wander(rng, frames, spread=sway, frames_memory=0.9 * rate) for _ in axes], 1
    )
    smooth = np.stack([_lag(moving[:, k], 0.12 * rate) for k in range(3)], 1)
    return axes * (rng.normal(0, held, 3) + smooth)


def _finish(
    activation: np.ndarray,
    intensity: np.ndarray,
    affect: tuple[np.ndarray, np.ndarray],
    motion: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray],
    apex: int,
) -> Performance:
    turn, gaze, shift, zoom = (np.round(trace, _DIGITS) for trace in motion)
    return Performance(
        activation=np.round(np.clip(activation, 0, 1.3), _DIGITS),
        intensity=np.round(np.clip(intensity, 0, 1), _DIGITS),
        valence=np.round(affect[0], _DIGITS),
        arousal=np.round(affect[1], _DIGITS),
        turn=turn,
        gaze=gaze,
        shift=shift,
        zoom=zoom,
        apex=apex,
    )


def _still(
    rng: np.random.Generator, frames: int, rate: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Head, gaze and framing of somebody who sits before a laboratory camera."""
    turn = _head(rng, frames, rate, held=0.03, sway=0.012)
    gaze = _saccades(rng, frames, rate, 0.05)
    shift = rng.normal(0, 0.008, 2) + np.stack(
        [wander(rng, frames, spread=0.0015, frames_memory=rate) for _ in range(2)], 1
    )
    return turn, gaze, shift, np.full(frames, rng.uniform(1.02, 1.12))


def onset(rng: np.random.Generator, label: str, frames: int, rate: float) -> Performance:
    """Neutral to apex: the last frame is the apex, as in CK+."""
    apex = sample_apex(rng, label, weakest=0.75, strongest=1.0)
    time = np.arange(frames) / max(frames - 1, 1)
    start, length = rng.uniform(0.05, 0.2), rng.uniform(0.5, 0.7)
    activation = np.zeros((frames, len(CODES)))
    for column in np.flatnonzero(apex):
        late, slow = rng.normal(0, 0.04), rng.uniform(0.85, 1.15)
        activation[:, column] = apex[column] * smooth_step((time - start - late) / (length * slow))
    intensity = smooth_step((time - start) / length)
    activation = _tremor(rng, activation)
    activation[:, _BLINK] = blinks(rng, frames, rate, spared=(frames - 4, frames))
    affect = _affect(rng, label, intensity, rate)
    return _finish(activation, intensity, affect, _still(rng, frames, rate), frames - 1)


def onset_offset(rng: np.random.Generator, label: str, frames: int, rate: float) -> Performance:
    """Neutral to apex and back, with rise and fall of any length, as in MMI."""
    apex = sample_apex(rng, label, weakest=0.7, strongest=1.0)
    time = np.arange(frames) / max(frames - 1, 1)
    start, rise = rng.uniform(0.06, 0.2), rng.uniform(0.10, 0.28)
    fall, leave = rng.uniform(0.15, 0.3), rng.uniform(0.56, 0.68)
    activation = np.zeros((frames, len(CODES)))
    for column in np.flatnonzero(apex):
        late, later = rng.normal(0, 0.025), rng.normal(0, 0.04)
        up = smooth_step((time - start - late) / rise)
        activation[:, column] = (
            apex[column] * up * (1 - smooth_step((time - leave - later) / fall))
        )
    intensity = smooth_step((time - start) / rise) * (1 - smooth_step((time - leave) / fall))
    activation = _tremor(rng, activation)
    peak = round((start + rise + leave) / 2 * (frames - 1))
    activation[:, _BLINK] = blinks(rng, frames, rate, spared=(peak - 2, peak + 2))
    affect = _affect(rng, label, intensity, rate)
    return _finish(activation, intensity, affect, _still(rng, frames, rate), peak)


def scene(rng: np.random.Generator, label: str, frames: int, rate: float) -> Performance:
    """Somebody in a film: an expression that comes and goes while the person moves and speaks."""
    apex = sample_apex(rng, label, weakest=0.55, strongest=1.0)
    time = np.arange(frames) / max(frames - 1, 1)
    begin, rise = rng.uniform(-0.35, 0.12), rng.uniform(0.15, 0.35)
    strength = smooth_step((time - begin) / rise)
    strength = np.clip(
        strength * (1 + wander(rng, frames, spread=0.16, frames_memory=0.35 * rate)), 0, 1.1
    )
    activation = _tremor(rng, strength[:, None] * apex)
    if rng.random() < 0.6:
        activation = np.maximum(activation, 0.35 * activation + speech(rng, frames, rate))
    activation[:, _BLINK] = blinks(rng, frames, rate)
    turn = _head(rng, frames, rate, held=0.20, sway=0.11)
    gaze = _saccades(rng, frames, rate, 0.11) - 0.5 * turn[:, :2] * [1, 0]
    shift = rng.normal(0, 0.02, 2) + np.stack(
        [wander(rng, frames, spread=0.014, frames_memory=0.6 * rate) for _ in range(2)], 1
    )
    zoom = rng.uniform(0.80, 1.2) * (1 + rng.normal(0, 0.05) * (time - 0.5))
    affect = _affect(rng, label, strength, rate)
    return _finish(activation, strength, affect, (turn, gaze, shift, zoom), int(strength.argmax()))


# How much each unit follows pleasure, displeasure and excitement in a spontaneous face.
_FOLLOWS: dict[str, tuple[float, float, float]] = {
    "12": (1.0, 0.0, 0.1),
    "6": (0.8, 0.0, 0.1),
    "25": (0.3, 0.0, 0.2),
    "4": (0.0, 0.9, 0.1),
    "15": (0.0, 0.7, -0.2),
    "17": (0.0, 0.5, 0.0),
    "1": (0.0, 0.35, 0.25),
    "2": (0.0, 0.0, 0.45),
    "5": (0.0, 0.1, 0.55),
    "7": (0.1, 0.3, 0.1),
    "10": (0.0, 0.3, 0.0),
}


def conversation(rng: np.random.Generator, frames: int, rate: float) -> Performance:
    """A person in a video call: affect drifts over minutes, face, voice and head follow it."""
    affect = []
    for mean, spread, slow in ((0.1, 0.34, 9.0), (0.05, 0.34, 6.0)):
        drift = wander(rng, frames, spread=spread, frames_memory=slow * rate)
        quick = wander(rng, frames, spread=0.3 * spread, frames_memory=1.5 * rate)
        trace = mean + rng.normal(0, 0.1) + _lag(drift, 0.6 * rate) + _lag(quick, 0.3 * rate)
        affect.append(np.clip(trace, -1, 1))
    valence, arousal = affect
    activation = np.zeros((frames, len(CODES)))
    for code, (pleased, displeased, excited) in _FOLLOWS.items():
        gain, lag = rng.uniform(0.6, 1.3), rng.uniform(0.1, 0.4)
        drive = pleased * np.clip(valence, 0, 1) + displeased * np.clip(-valence, 0, 1)
        drive = 1.5 * (drive + excited * np.clip(arousal, 0, 1))
        noise = wander(rng, frames, spread=0.07, frames_memory=0.5 * rate)
        activation[:, CODES.index(code)] = np.clip(gain * _lag(drive, lag * rate) + noise, 0, 1.1)
    lively = np.clip(0.55 + 0.7 * arousal, 0.1, 1.3)
    activation = activation + speech(rng, frames, rate) * np.clip(lively, 0, 1)[:, None]
    activation[:, _BLINK] = blinks(rng, frames, rate)
    turn = _head(rng, frames, rate, held=0.06, sway=0.07) * (0.5 + lively[:, None])
    gaze = _saccades(rng, frames, rate, 0.07) - 0.4 * turn[:, :2] * [1, 0]
    shift = np.stack(
        [wander(rng, frames, spread=0.01, frames_memory=2 * rate) for _ in range(2)], 1
    )
    zoom = np.full(frames, rng.uniform(0.92, 1.08))
    intensity = activation.mean(1) / max(activation.mean(1).max(), 1e-6)
    return _finish(
        activation,
        intensity,
        (valence, arousal),
        (turn, gaze, shift, zoom),
        int(intensity.argmax()),
    )


def gold_standard(
    rng: np.random.Generator, truth: np.ndarray, rate: float, *, raters: int = 6
) -> np.ndarray:
    """What a panel of raters would have annotated: late, smoothed, biased, averaged.

    As in RECOLA, six raters move a lever while they watch, each with a reaction time of seconds;
    the gold standard is the mean of their traces after each has been centred.

    Args:
        rng: Source of chance.
        truth: (T,) the affect that was there.
        rate: Frames a second.
        raters: Size of the panel.

    Returns:
        (T,) float64.
    """
    panel = []
    for _ in range(raters):
        delay = int(rng.uniform(1.5, 3.5) * rate)
        seen = np.concatenate([np.full(min(delay, len(truth)), truth[0]), truth])[: len(truth)]
        rated = _lag(seen, 0.8 * rate) * rng.uniform(0.75, 1.2)
        rated = rated + wander(rng, len(truth), spread=0.06, frames_memory=3 * rate)
        panel.append(rated - rated.mean())
    return np.round(np.clip(np.mean(panel, 0) + truth.mean(), -1, 1), _DIGITS)
