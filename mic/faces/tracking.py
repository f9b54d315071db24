"""A face through a clip: detection on the I-frame, O-Net from frame to frame."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np

from mic import codec
from mic.errors import FaceError
from mic.faces.detection import NOTHING, SEEN, Detection, Detector, Status, detector
from mic.storage import cache

STAGE = cache.Stage(name="faces", version=1)


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


def track(
    frames: Iterable[np.ndarray],
    *,
    using: Detector | None = None,
    every: int = 1,
    retry: int = 10,
) -> Track:
    """Follows the face of the first frame through a clip.

    A face that is lost is looked for by full detection once in some looks, so an empty scene stays
    cheap, and is taken up again when it returns.

    Args:
        frames: uint8 (H, W, 3) RGB each; one is in memory at a time.
        using: The detector; by default `detector()`.
        every: Only one frame in so many is looked at; those between are interpolated linearly.
        retry: Looks from one search for a lost face to the next.

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
        last = looked[-1][1] if looked else NOTHING
        if last.status in SEEN:
            now = _first(using.keep(frame, last), lost=True)
        elif misses % retry == 0:
            now = _first(using.detect([frame])[0], lost=bool(looked) and _ever(looked))
        else:
            now = last
        misses = misses + 1 if now.status in (Status.LOST, Status.NO_FACE) else 0
        looked.append((count - 1, now))
    if not looked:
        raise FaceError("there is no frame to look at", remedy="check the clip with mic.codec")
    return _assemble(looked, count)


def track_clip(path: str | Path, *, every: int = 1, folder: str | Path | None = None) -> Track:
    """`track` of a video file, cached by its content.

    Args:
        path: A video of any kind that `mic.codec.decode` reads.
        every: As in `track`.
        folder: The cache; by default `MIC_HOME/cache`.

    Raises:
        CodecError: The video cannot be decoded.
    """
    using = detector()
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


def detect_clip(path: str | Path) -> tuple[np.ndarray, Detection]:
    """The I-frame of a clip, uint8 (H, W, 3), and the face in it.

    Raises:
        CodecError: The video cannot be decoded.
        FaceError: It has no frame.
    """
    frame = next(islice(codec.decode(path), 1), None)
    if frame is None:
        raise FaceError("has no frame", file=path, remedy="check the clip with mic.codec")
    return frame, detector().detect([frame])[0]


def _first(found: Detection, *, lost: bool) -> Detection:
    if lost and found.status is Status.NO_FACE:
        return replace(found, status=Status.LOST)
    return found


def _ever(looked: list[tuple[int, Detection]]) -> bool:
    return any(found.status is not Status.NO_FACE for _, found in looked)


def _assemble(looked: list[tuple[int, Detection]], count: int) -> Track:
    at = np.array([index for index, _ in looked])
    nearest = np.abs(np.arange(count)[:, None] - at[None]).argmin(1)
    statuses = np.array([found.status for _, found in looked], np.uint8)[nearest]
    rows = np.array(
        [np.concatenate([found.box, found.points.ravel(), [found.score]]) for _, found in looked]
    )
    # NaN spreads to the frames between a face and none, whose status is then that of none.
    spread = np.stack([np.interp(np.arange(count), at, column) for column in rows.T], axis=1)
    there = np.isin(statuses, SEEN) & np.isfinite(spread).all(1)
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
