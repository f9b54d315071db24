"""Faces in a clip: found and aligned on the I-frame, followed cheaply through the rest.

Detection is MTCNN (Zhang et al. 2016), whose weights travel in facenet-pytorch's wheel; this is
the only module that imports it. Its expensive part is the pyramid of proposals, so that is run on
the I-frame only. From then on the last network of its cascade (O-Net) looks at the neighbourhood
of the previous box and says whether a face is still there and where its five points are.

A clip without a face is a status, never an exception. Of several faces the one taken is the
largest after a penalty for distance from the picture's middle (see `_choose`), and the status
says that there were several.
"""

from __future__ import annotations

import enum
import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from facenet_pytorch import MTCNN
from PIL import Image

from mic import cache, codec
from mic.errors import FaceError

STAGE = cache.Stage(name="faces", version=1)

# The five points of the 112 x 112 crop on which face recognition networks are trained: eyes, tip
# of the nose, corners of the mouth, as (x, y); left and right are the picture's. (ArcFace, Deng et
# al. 2019, after the 96 x 112 crop of SphereFace, Liu et al. 2017.)
CROP_SIZE = 112
REFERENCE_POINTS = np.array(
    [
        [38.2946, 51.6963],
        [73.5318, 51.5014],
        [56.0252, 71.7366],
        [41.5493, 92.3655],
        [70.7299, 92.2041],
    ],
    dtype=np.float32,
)


class Status(enum.IntEnum):
    """What was found; stored as its number."""

    OK = 0
    NO_FACE = 1
    SEVERAL = 2
    LOST = 3


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


_NOTHING = Detection(
    status=Status.NO_FACE,
    box=np.full(4, np.nan, np.float32),
    points=np.full((5, 2), np.nan, np.float32),
    score=float("nan"),
)


@dataclass(frozen=True, kw_only=True)
class Track:
    """A face through a clip of T frames.

    Attributes:
        status: Of the clip: NO_FACE or SEVERAL or OK on the I-frame, LOST if it was there and
            later frames lost it.
        statuses: uint8 (T,), the same a frame.
        boxes: float32 (T, 4); NaN where there is no face.
        points: float32 (T, 5, 2); NaN where there is no face.
        scores: float32 (T,).
    """

    status: Status
    statuses: np.ndarray
    boxes: np.ndarray
    points: np.ndarray
    scores: np.ndarray


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
        self._network = MTCNN(
            min_face_size=smallest,
            thresholds=[0.6, 0.7, threshold],
            keep_all=True,
            device=self.device,
        ).eval()

    def detect(self, frames: Sequence[np.ndarray] | np.ndarray) -> list[Detection]:
        """Finds the face of each picture.

        Args:
            frames: uint8 (N, H, W, 3) RGB, or a sequence of (H, W, 3); equal sizes are batched.

        Raises:
            FaceError: A frame is not such an array.
        """
        frames = [_checked(frame) for frame in frames]
        found: list[Detection] = [_NOTHING] * len(frames)
        groups: dict[tuple[int, ...], list[int]] = {}
        for index, frame in enumerate(frames):
            if min(frame.shape[:2]) >= self.smallest:  # MTCNN fails on a pyramid without levels
                groups.setdefault(frame.shape, []).append(index)
        for indices in groups.values():
            batch = np.stack([frames[index] for index in indices])
            boxes, scores, points = self._network.detect(batch, landmarks=True)
            for index, *face in zip(indices, boxes, scores, points, strict=True):
                found[index] = _choose(*face, frames[index].shape)
        return found

    @torch.inference_mode()
    def follow(self, frame: np.ndarray, previous: Detection) -> Detection:
        """Looks for a face where it was in the frame before, with O-Net alone.

        Args:
            frame: uint8 (H, W, 3) RGB.
            previous: Where it was.

        Returns:
            Where it is, or status LOST.
        """
        frame = _checked(frame)
        square = _square(previous.box)
        patch = _resample(frame, square)
        tensor = torch.from_numpy(patch).to(self.device, torch.float32).permute(2, 0, 1)[None]
        # MTCNN's own normalisation, to about -1 ... 1.
        offsets, points, scores = self._network.onet((tensor - 127.5) / 128)
        score = float(scores[0, 1])
        if score < self.threshold:
            return Detection(
                status=Status.LOST, box=_NOTHING.box, points=_NOTHING.points, score=score
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


@functools.lru_cache(maxsize=4)
def detector(device: str = "cpu") -> Detector:
    """The detector with default settings, built once a process and device."""
    return Detector(device=device)


def track(frames: Iterable[np.ndarray], *, using: Detector | None = None, every: int = 1) -> Track:
    """Follows the face of the first frame through a clip.

    A face that is lost is looked for by full detection once in ten looks, so an empty scene stays
    cheap, and is taken up again when it returns.

    Args:
        frames: uint8 (H, W, 3) RGB each; one is in memory at a time.
        using: The detector; by default `detector()`.
        every: Only one frame in so many is looked at; those between are interpolated linearly.

    Raises:
        FaceError: No frame at all, or `every` below 1.
    """
    if every < 1:
        raise FaceError(f"every is {every}", remedy="use 1 for each frame, 5 for one in five")
    using = using or detector()
    looked: list[tuple[int, Detection]] = []
    count = misses = 0
    for count, frame in enumerate(frames, start=1):
        if (count - 1) % every:
            continue
        last = looked[-1][1] if looked else _NOTHING
        if last.status in (Status.OK, Status.SEVERAL):
            now = using.follow(frame, last)
            if now.status is Status.LOST:  # a quick movement: one full look before giving up
                now = _first(using.detect([frame])[0], lost=True)
        elif misses % 10 == 0:
            now = _first(using.detect([frame])[0], lost=bool(looked) and _ever(looked))
        else:
            now = last
        misses = misses + 1 if now.status in (Status.LOST, Status.NO_FACE) else 0
        looked.append((count - 1, now))
    if not looked:
        raise FaceError("there is no frame to look at", remedy="check the clip with mic.codec")
    return _assemble(looked, count)


def track_clip(
    path: str | Path, *, every: int = 1, device: str = "cpu", folder: str | Path | None = None
) -> Track:
    """`track` of a video file, cached by its content.

    Args:
        path: A video of any kind that `mic.codec.decode` reads.
        every: As in `track`.
        device: Where the networks run; results agree to rounding between devices.
        folder: The cache; by default `MIC_HOME/cache`.

    Raises:
        CodecError: The video cannot be decoded.
    """
    using = detector(device)
    parameters = {"every": every, "smallest": using.smallest, "threshold": using.threshold}

    def compute() -> dict[str, np.ndarray]:
        found = track(codec.decode(path), using=using, every=every)
        arrays = {name: getattr(found, name) for name in ("statuses", "boxes", "points", "scores")}
        return arrays | {"status": np.array(found.status, np.uint8)}

    arrays = cache.fetch(
        STAGE,
        inputs=[cache.digest(path)],
        parameters=parameters,
        compute=compute,
        folder=folder,
    )
    status = Status(int(arrays.pop("status")))
    return Track(status=status, **arrays)


def detect_clip(path: str | Path, *, device: str = "cpu") -> tuple[np.ndarray, Detection]:
    """The I-frame of a clip, uint8 (H, W, 3), and the face in it.

    Raises:
        CodecError: The video cannot be decoded.
        FaceError: It has no frame.
    """
    frame = next(islice(codec.decode(path), 1), None)
    if frame is None:
        raise FaceError("has no frame", file=path, remedy="check the clip with mic.codec")
    return frame, detector(device).detect([frame])[0]


def similarity(points: np.ndarray, *, size: int = CROP_SIZE, margin: float = 0.0) -> np.ndarray:
    """The similarity transform that carries picture coordinates to the aligned crop.

    Least squares over scale, rotation and shift, without reflection (Umeyama 1991).

    Args:
        points: (5, 2) points of a face.
        size: Edge of the crop.
        margin: Part of the crop's edge added on each side; 0 is the recognition networks' crop.

    Returns:
        float64 (2, 3): crop = matrix @ (x, y, 1).

    Raises:
        FaceError: The points are not finite, or all equal.
    """
    points = np.asarray(points, np.float64)
    if points.shape != (5, 2) or not np.isfinite(points).all():
        raise FaceError("no five points to align by", remedy="align only frames of status OK")
    scale = size / CROP_SIZE / (1 + 2 * margin)
    target = (REFERENCE_POINTS.astype(np.float64) + margin * CROP_SIZE) * scale
    here, there = points - points.mean(0), target - target.mean(0)
    # In two dimensions rotation and scale are one complex number, and least squares one quotient.
    source, goal = here @ (1, 1j), there @ (1, 1j)
    power = np.vdot(source, source).real
    if power == 0:
        raise FaceError("the five points coincide", remedy="align only frames of status OK")
    turn = np.vdot(source, goal) / power
    linear = np.array([[turn.real, -turn.imag], [turn.imag, turn.real]])
    return np.column_stack([linear, target.mean(0) - linear @ points.mean(0)])


def align(
    frame: np.ndarray, points: np.ndarray, *, size: int = CROP_SIZE, margin: float = 0.0
) -> np.ndarray:
    """The face turned upright and cut out.

    Args:
        frame: uint8 (H, W, 3).
        points: (5, 2) points of its face.
        size: Edge of the crop.
        margin: As in `similarity`.

    Returns:
        uint8 (size, size, 3); what lies outside the frame is black.

    Raises:
        FaceError: As `similarity`, or the frame is not an RGB picture.
    """
    return warp(_checked(frame), similarity(points, size=size, margin=margin), size)


def warp(frame: np.ndarray, matrix: np.ndarray, size: int) -> np.ndarray:
    """The picture under a similarity transform, uint8 (size, size, 3); black outside it."""
    picture = Image.fromarray(frame)
    # Bilinear sampling aliases below half size: halve first, by averaging.
    step = max(1, int(1 / np.hypot(matrix[0, 0], matrix[1, 0])))
    if step > 1:
        picture = picture.reduce(step)
        matrix = matrix @ np.diag([step, step, 1.0])
    inverse = np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))
    coefficients = inverse[:2].ravel().tolist()
    warped = picture.transform(
        (size, size), Image.Transform.AFFINE, coefficients, Image.Resampling.BILINEAR
    )
    return np.asarray(warped)


def _checked(frame: np.ndarray) -> np.ndarray:
    frame = np.asarray(frame)
    if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3 or not frame.size:
        raise FaceError(
            f"a frame of shape {frame.shape} and type {frame.dtype}",
            remedy="pass RGB pictures, uint8 (H, W, 3)",
        )
    return frame


def _choose(boxes: object, scores: object, points: object, shape: tuple[int, ...]) -> Detection:
    """Of all faces the one with the largest area less twice its squared distance from the middle.

    Both in samples squared, so that a bystander's face must be clearly larger to win.
    """
    if boxes is None:
        return _NOTHING
    boxes = np.asarray(boxes, np.float32)
    middle = np.array([shape[1] / 2, shape[0] / 2], np.float32)
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    best = int(np.argmax(areas - 2 * ((centres - middle) ** 2).sum(1)))
    return Detection(
        status=Status.SEVERAL if len(boxes) > 1 else Status.OK,
        box=boxes[best],
        points=np.asarray(points[best], np.float32),
        score=float(scores[best]),
    )


def _first(found: Detection, *, lost: bool) -> Detection:
    if lost and found.status is Status.NO_FACE:
        return Detection(status=Status.LOST, box=found.box, points=found.points, score=found.score)
    return found


def _ever(looked: list[tuple[int, Detection]]) -> bool:
    return any(found.status is not Status.NO_FACE for _, found in looked)


def _square(box: np.ndarray) -> np.ndarray:
    centre = (box[:2] + box[2:]) / 2
    half = max(float(np.max(box[2:] - box[:2])) / 2, 1.0)
    return np.concatenate([centre - half, centre + half])


def _resample(frame: np.ndarray, square: np.ndarray) -> np.ndarray:
    """The square as 48 x 48 samples, O-Net's input; black outside the frame."""
    scale = 48 / (square[2] - square[0])
    matrix = np.array([[scale, 0, -square[0] * scale], [0, scale, -square[1] * scale]])
    return np.array(warp(frame, matrix, 48))


def _assemble(looked: list[tuple[int, Detection]], count: int) -> Track:
    at = np.array([index for index, _ in looked])
    nearest = np.abs(np.arange(count)[:, None] - at[None]).argmin(1)
    statuses = np.array([found.status for _, found in looked], np.uint8)[nearest]
    rows = np.array(
        [np.concatenate([found.box, found.points.ravel(), [found.score]]) for _, found in looked]
    )
    # NaN spreads to the frames between a face and none, whose status is then that of none.
    spread = np.stack([np.interp(np.arange(count), at, column) for column in rows.T], axis=1)
    there = np.isin(statuses, (Status.OK, Status.SEVERAL)) & np.isfinite(spread).all(1)
    spread[~there] = np.nan
    first = looked[0][1].status
    if first is Status.NO_FACE and there.any():
        first = Status(int(statuses[there][0]))
    if there.any() and not there.all():
        statuses[~there] = np.maximum(statuses[~there], Status.NO_FACE)
        gone = np.flatnonzero(~there)
        if gone.max() > np.flatnonzero(there).min():
            first = Status.LOST
    spread = spread.astype(np.float32)
    return Track(
        status=first,
        statuses=statuses,
        boxes=spread[:, :4],
        points=spread[:, 4:14].reshape(count, 5, 2),
        scores=spread[:, 14],
    )
