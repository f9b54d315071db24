"""Recognition while pictures come: face, MPEG-4, parser, network, one picture at a time.

Each group of pictures begins with an I-frame of the aligned face; residuals accumulate from
there, so what is recognised is the change since that picture. A group ends at its set length,
when the face has moved out of the crop, or on demand.

    session = LiveSession(recogniser, gop=75)
    for picture in camera:
        frame = session.push(picture)        # frame.label, frame.residual, frame.seconds ...
"""

from __future__ import annotations

import dataclasses
import time

import numpy as np

from mic import faces
from mic.codec import LiveEncoder
from mic.faces import Detection, Status
from mic.recognition.framing import Framing
from mic.recognition.recogniser import Recogniser
from mic_bitstream.packets import PacketStream

# Frames of a group before it says anything, between two answers, between two looks at the face,
# and between two searches for one.
_FIRST, _ANSWER, _LOOK, _SEARCH = 6, 3, 5, 5
# A face that has moved by this part of the crop's edge is cropped anew.
_DRIFT = 0.2
_SEEN = (Status.OK, Status.SEVERAL)


@dataclasses.dataclass(frozen=True, kw_only=True)
class LiveFrame:
    """What became of one picture.

    Attributes:
        picture: The picture itself, uint8 (H, W, 3).
        status: What the face detector says.
        message: The same and what follows, as a sentence for whoever sits there.
        outline: Corners of the face's crop in the picture, float (4, 2) as (x, y); None without
            a face, as all that follows.
        kind: "I" or "P".
        group: Number of the frame in its group, from 0.
        bits: Of the coded frame.
        residual: Luma, int16 (edge, edge).
        motion: int16 (h, w, 2) per 8x8 block, quarter samples.
        probabilities: float32 (classes,); None while a first group is too short.
        label: The most probable class; None likewise.
        confidence: Its probability.
        seconds: Time spent: "face", "encode", "parse", "model".
    """

    picture: np.ndarray
    status: Status
    message: str
    outline: np.ndarray | None = None
    kind: str | None = None
    group: int = 0
    bits: int = 0
    residual: np.ndarray | None = None
    motion: np.ndarray | None = None
    probabilities: np.ndarray | None = None
    label: str | None = None
    confidence: float | None = None
    seconds: dict[str, float] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class _Group:
    """Frames since an I-frame: one crop, one stream."""

    framing: Framing
    detection: Detection
    stream: PacketStream


class LiveSession:
    """Codes and recognises one sequence of pictures.

    Args:
        recogniser: The network.
        detector: Of faces; the default one if None.
        gop: Frames a group of pictures.
        vop_quant: Quantiser; the network's own if None.
    """

    def __init__(
        self,
        recogniser: Recogniser,
        *,
        detector: faces.Detector | None = None,
        gop: int = 75,
        vop_quant: int | None = None,
    ) -> None:
        self._recogniser = recogniser
        self._detector = detector or faces.detector()
        self._gop = gop
        self._vop_quant = vop_quant or recogniser.card.vop_quant
        self._encoder: LiveEncoder | None = None
        self._group: _Group | None = None
        self._answer: np.ndarray | None = None
        self._blind = 0
        self._shape: tuple[int, ...] = ()
        self._timer = _Timer()

    def configure(self, *, gop: int, vop_quant: int) -> None:
        """Changes the coding; another quantiser begins a new group.

        Raises:
            ConfigError: A value is out of its range (when the next picture is coded).
        """
        self._gop = gop
        if vop_quant != self._vop_quant:
            self._vop_quant = vop_quant
            self.restart()
            self._encoder = None

    def restart(self) -> None:
        """Begins a new group with the next picture, whose face then counts as neutral."""
        self._group = None

    def push(self, picture: np.ndarray) -> LiveFrame:
        """Takes the next picture.

        Args:
            picture: uint8 (H, W, 3) RGB; the size may change.

        Raises:
            FaceError: It is not such an array.
            CodecError: It cannot be coded.
        """
        if picture.shape != self._shape:
            self._shape = picture.shape
            self.restart()
        self._timer = _Timer()
        with self._timer("face"):
            group = self._current(picture)
        if group is None:
            self._answer = None
            return self._unseen(picture)
        number = group.stream.frame_count
        with self._timer("encode"):
            crop = group.framing.crop(picture)
            packet = self._encode(crop, intra=number == 0)
        with self._timer("parse"):
            group.stream.append(packet)
            clip = group.stream.read(what=("residual", "motion"), frames=[number])
        with self._timer("model"):
            if number >= _FIRST and (number - _FIRST) % _ANSWER == 0:
                arrays = self._recogniser.read(group.stream)
                self._answer = self._recogniser.probabilities([arrays])[0]
        best = None if self._answer is None else int(self._answer.argmax())
        return LiveFrame(
            picture=picture,
            status=group.detection.status,
            message=_message(group.detection.status, waiting=best is None),
            outline=group.framing.outline(),
            kind=group.stream.vop_types[number],
            group=number,
            bits=8 * len(packet),
            residual=clip.residual.y[0],
            motion=clip.motion.blocks[0],
            probabilities=self._answer,
            label=None if best is None else self._recogniser.card.classes[best],
            confidence=None if best is None else float(self._answer[best]),
            seconds=self._timer.seconds,
        )

    def _current(self, picture: np.ndarray) -> _Group | None:
        """The group that this picture belongs to, perhaps a new one; None without a face."""
        group = self._group
        if group is None:
            looking = self._blind % _SEARCH == 0
            self._blind += 1
            return self._begin(self._detector.detect([picture])[0]) if looking else None
        if group.stream.frame_count >= self._gop:
            return self._begin(self._look(picture, group.detection))
        if group.stream.frame_count % _LOOK == 0 and group.stream.frame_count:
            now = self._look(picture, group.detection)
            if now.status not in _SEEN or group.framing.drift(now.points) > _DRIFT:
                return self._begin(now)
            group.detection = now
        return group

    def _look(self, picture: np.ndarray, last: Detection) -> Detection:
        now = self._detector.follow(picture, last)
        return now if now.status in _SEEN else self._detector.detect([picture])[0]

    def _begin(self, detection: Detection) -> _Group | None:
        if detection.status not in _SEEN:
            self._group = None
            return None
        self._blind = 0
        framing = self._recogniser.frame(detection.points)
        self._group = _Group(framing, detection, PacketStream())
        return self._group

    def _encode(self, crop: np.ndarray, *, intra: bool) -> bytes:
        if self._encoder is None:
            edge = self._recogniser.card.edge
            self._encoder = LiveEncoder(width=edge, height=edge, vop_quant=self._vop_quant)
        return self._encoder.encode(crop, intra=intra)

    def _unseen(self, picture: np.ndarray) -> LiveFrame:
        return LiveFrame(
            picture=picture,
            status=Status.NO_FACE,
            message=_message(Status.NO_FACE, waiting=True),
            seconds=self._timer.seconds,
        )


def _message(status: Status, *, waiting: bool) -> str:
    if status not in _SEEN:
        return "No face is in view. Face the camera, with light from the front."
    several = " Several faces are in view; the largest in the middle counts."
    text = (
        "Look neutral: everything is compared with the first picture of a group."
        if waiting
        else "Recognised is the change since the group began, so begin it with a calm face."
    )
    return text + (several if status is Status.SEVERAL else "")


class _Timer:
    """Seconds spent in named stages: `with timer("face"): ...`."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(("face", "encode", "parse", "model"), 0.0)
        self._open: list[tuple[str, float]] = []

    def __call__(self, stage: str) -> _Timer:
        self._open.append((stage, time.perf_counter()))
        return self

    def __enter__(self) -> _Timer:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        stage, start = self._open.pop()
        self.seconds[stage] += time.perf_counter() - start
