"""Finding the face in one picture, and finding it again in the next: MTCNN and its O-Net."""

from __future__ import annotations

import enum
import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from mic.errors import FaceError
from mic.faces.alignment import checked, warp
from mic.faces.cascade import Cascade, Faces

# Pictures are batched up to so many pixels: MTCNN's first layer takes about 100 bytes a pixel.
_BATCH_PIXELS = 1 << 22


class Status(enum.IntEnum):
    """What was found; stored as its number."""

    OK = 0
    NO_FACE = 1
    SEVERAL = 2
    LOST = 3


# A face was taken.
SEEN = (Status.OK, Status.SEVERAL)


@dataclass(frozen=True, kw_only=True)
class Detection:
    """The face taken in one picture.

    Attributes:
        status: OK, SEVERAL (and one was taken) or NO_FACE (then the numbers are NaN).
        box: float32 (4,): left, top, right, bottom in samples.
        points: float32 (5, 2): as `REFERENCE_POINTS`, in samples of the picture.
        score: MTCNN's probability.
    """

    status: Status
    box: np.ndarray
    points: np.ndarray
    score: float


NOTHING = Detection(
    status=Status.NO_FACE,
    box=np.full(4, np.nan, np.float32),
    points=np.full((5, 2), np.nan, np.float32),
    score=float("nan"),
)
for _array in (NOTHING.box, NOTHING.points):  # every picture without a face has these
    _array.setflags(write=False)


class Detector:
    """MTCNN with fixed weights.

    Args:
        smallest: Edge in samples of the smallest face to look for. Detection time falls with its
            square.
        threshold: Least probability of a face.
        device: Where the networks run.
    """

    def __init__(
        self,
        *,
        smallest: int = 24,
        threshold: float = 0.8,
        device: str | torch.device = "cpu",
    ) -> None:
        if smallest < 12 or not 0 < threshold < 1:
            raise FaceError(
                f"smallest face {smallest}, threshold {threshold}",
                remedy="use at least 12 samples and a probability between 0 and 1",
            )
        self.smallest = smallest
        self.threshold = threshold
        self.device = torch.device(device)
        self._network = Cascade(
            smallest=smallest, thresholds=(0.6, 0.7, threshold), device=self.device
        )

    def detect(self, frames: Sequence[np.ndarray] | np.ndarray) -> list[Detection]:
        """Finds the face of each picture.

        Args:
            frames: uint8 (N, H, W, 3) RGB, or a sequence of (H, W, 3); equal sizes are batched.

        Raises:
            FaceError: A frame is not such an array.
        """
        frames = [checked(frame) for frame in frames]
        found: list[Detection] = [NOTHING] * len(frames)
        groups: dict[tuple[int, ...], list[int]] = {}
        for index, frame in enumerate(frames):
            if min(frame.shape[:2]) >= self.smallest:  # MTCNN fails on a pyramid without levels
                groups.setdefault(frame.shape, []).append(index)
        for (height, width, _), indices in groups.items():
            step = max(1, _BATCH_PIXELS // (height * width))
            for start in range(0, len(indices), step):
                chosen = indices[start : start + step]
                batch = np.stack([frames[index] for index in chosen])
                for index, faces in zip(chosen, self._network.detect(batch), strict=True):
                    found[index] = _choose(faces, frames[index].shape)
        return found

    def detect_all(self, frame: np.ndarray) -> Faces:
        """Every face of one picture, uint8 (H, W, 3) RGB.

        Raises:
            FaceError: It is no such array.
        """
        frame = checked(frame)
        if min(frame.shape[:2]) < self.smallest:
            nothing = np.empty((0, 4), np.float32)
            return Faces(nothing, nothing[:, 0], np.empty((0, 5, 2), np.float32))
        return self._network.detect(np.array(frame)[None])[0]

    @torch.inference_mode()
    def follow(self, frame: np.ndarray, previous: Detection) -> Detection:
        """Looks for a face where it was in the frame before, with O-Net alone.

        Args:
            frame: uint8 (H, W, 3) RGB.
            previous: Where it was.

        Returns:
            Where it is, or status LOST.
        """
        frame = checked(frame)
        square = _square(previous.box)
        patch = _resample(frame, square)
        tensor = torch.from_numpy(patch).to(self.device, torch.float32).permute(2, 0, 1)[None]
        # MTCNN's own normalisation, to about -1 ... 1.
        scores, offsets, points = self._network.o_net((tensor - 127.5) / 128)
        score = float(scores[0])
        if score < self.threshold:
            return Detection(
                status=Status.LOST, box=NOTHING.box, points=NOTHING.points, score=score
            )
        edge = square[2] - square[0]
        origin = square[:2]
        box = (square + offsets[0].cpu().numpy() * edge).astype(np.float32)
        relative = points[0].cpu().numpy().reshape(2, 5).T
        return Detection(
            status=previous.status,
            box=box,
            points=(origin + relative * edge).astype(np.float32),
            score=score,
        )

    def keep(self, frame: np.ndarray, previous: Detection) -> Detection:
        """The face where it was in the frame before, or by a search where it is there no more.

        Args:
            frame: uint8 (H, W, 3) RGB.
            previous: Where it was, if it was seen.
        """
        if previous.status in SEEN:
            found = self.follow(frame, previous)
            if found.status in SEEN:
                return found
        return self.detect([frame])[0]


@functools.cache
def detector() -> Detector:
    """The detector with default settings, built once a process."""
    return Detector()


def _choose(faces: Faces, shape: tuple[int, ...]) -> Detection:
    """Of all faces the one with the largest area less twice its squared distance from the middle.

    Both in samples squared, so that a bystander's face must be clearly larger to win.
    """
    boxes = faces.boxes
    if not len(boxes):
        return NOTHING
    middle = np.array([shape[1] / 2, shape[0] / 2], np.float32)
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    best = int(np.argmax(areas - 2 * ((centres - middle) ** 2).sum(1)))
    return Detection(
        status=Status.SEVERAL if len(boxes) > 1 else Status.OK,
        box=boxes[best],
        points=faces.points[best],
        score=float(faces.scores[best]),
    )


def _square(box: np.ndarray) -> np.ndarray:
    centre = (box[:2] + box[2:]) / 2
    half = max(float(np.max(box[2:] - box[:2])) / 2, 1.0)
    return np.concatenate([centre - half, centre + half])


def _resample(frame: np.ndarray, square: np.ndarray) -> np.ndarray:
    """The square as 48 x 48 samples, O-Net's input; black outside the frame."""
    scale = 48 / (square[2] - square[0])
    matrix = np.array([[scale, 0, -square[0] * scale], [0, scale, -square[1] * scale]])
    return np.array(warp(frame, matrix, 48))
