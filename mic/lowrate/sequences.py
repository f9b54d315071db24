"""Valence over time: gray face crops, the gold standard, and the delay of those who rated it.

AVEC 2016 (M. Valstar et al., section 3) has six raters move a lever while they watch; their traces
are centred and averaged into one gold standard. Raters react late, so systems move the gold
standard back by a delay chosen on training data, and smooth what they predict. `synth-avec` comes
with such a gold standard, and with the valence that was there, so the delay found can be checked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import uniform_filter1d

from mic import codec, faces
from mic.errors import DatasetError
from mic.lowrate.transmission import downsample
from mic.manifest import side_files
from mic.manifest.manifest import Clip, Manifest
from mic.storage.cache import Stage, fetch

SIZE = 96  # edge of a face in samples, as in the paper
# Edge of the crop over the distance from eyes to mouth: brows and chin are inside.
_BOX = 2.6
_CROPS = Stage(name="gray-faces", version=1)
# Pictures between two looks of the detector at videos that come without landmarks.
_LOOK = 5


@dataclass(frozen=True)
class FaceSequence:
    """One subject's faces and valence.

    Attributes:
        subject: Who.
        frames: uint8, (T, S, S), gray.
        valence: float32, (T,), -1..1.
        frame_rate: Frames a second.
    """

    subject: str
    frames: NDArray[np.uint8]
    valence: NDArray[np.float32]
    frame_rate: float

    def __post_init__(self) -> None:
        """Refuses labels that do not fit."""
        if len(self.frames) != len(self.valence) or not np.isfinite(self.valence).all():
            raise DatasetError(
                f"{len(self.frames)} frames do not match {len(self.valence)} finite labels",
                place=self.subject,
            )


def load(manifest: Manifest, split: str, *, trace: str = "valence") -> list[FaceSequence]:
    """The sequences of one split of a dataset with continuous labels.

    Args:
        manifest: Each clip's annotation is an .npz side file with the trace at each frame, and
            `landmarks` if faces need not be detected.
        split: "train", "val" or "test".
        trace: Which trace.

    Raises:
        DatasetError: No clip of that split, or an annotation that cannot be used.
    """
    clips = [clip for clip in manifest if clip.split == split]
    if not clips:
        raise DatasetError(f"has no clip of the split {split!r}", place=manifest.name)
    return [_sequence(manifest, clip, trace) for clip in clips]


def _sequence(manifest: Manifest, clip: Clip, trace: str) -> FaceSequence:
    side = manifest.root / clip.annotation
    video = manifest.path(clip)
    stored = side_files.arrays(side)
    if trace not in stored:
        raise DatasetError(f"holds no trace {trace!r}", file=side)
    labels, points = stored[trace], stored.get("landmarks")
    crops = fetch(
        _CROPS,
        inputs=[clip.sha256],
        parameters={"size": SIZE, "box": _BOX, "given": points is not None},
        compute=lambda: {"frames": gray_faces(video, points)},
    )
    return FaceSequence(
        clip.subject, crops["frames"], labels.astype(np.float32), float(clip.frame_rate)
    )


def gray_faces(
    video: str | Path,
    points: NDArray[np.floating] | None = None,
    *,
    size: int = SIZE,
    steady: int = 13,
) -> NDArray[np.uint8]:
    """Luma crops of the face through a video, (T, size, size) uint8.

    The box has one edge for the whole clip, so that the head's distance is not mistaken for a
    change of the face, and follows the head smoothly, as an encoder's would.

    Args:
        video: The clip.
        points: (T, 5, 2) eyes, nose and mouth corners; None detects them.
        size: Edge of the crops.
        steady: Frames over which the box is averaged while it follows the head.

    Raises:
        DatasetError: No face, or points that do not match the frames.
    """
    frames = list(codec.decode(video, pixel_format="luma"))
    if points is None:
        points = faces.track(codec.decode(video), every=_LOOK).points
    if len(points) != len(frames):
        raise DatasetError(f"{len(points)} landmarks for {len(frames)} frames", file=video)
    points = _filled(np.asarray(points, np.float64), video)
    eyes, mouth = points[:, :2].mean(1), points[:, 3:].mean(1)
    height, width = frames[0].shape
    edge = _BOX * float(np.median(np.linalg.norm(mouth - eyes, axis=1)))
    edge = min(edge, width, height)
    centres = uniform_filter1d((eyes + mouth) / 2, steady, axis=0, mode="nearest")
    corners = np.clip(centres - edge / 2, 0, [width - edge, height - edge])
    crops = [
        Image.fromarray(frame).resize(
            (size, size), Image.Resampling.BICUBIC, box=(x, y, x + edge, y + edge)
        )
        for frame, (x, y) in zip(frames, corners, strict=True)
    ]
    return np.stack([np.asarray(crop) for crop in crops])


def _filled(points: NDArray[np.float64], video: str | Path) -> NDArray[np.float64]:
    # Frames without a face take the points of the time around them.
    known = np.flatnonzero(np.isfinite(points).all((1, 2)))
    if not len(known):
        raise DatasetError("shows no face", file=video)
    flat = points.reshape(len(points), -1)
    when = np.arange(len(points))
    return np.stack([np.interp(when, known, column[known]) for column in flat.T], 1).reshape(
        points.shape
    )


def compensated(sequence: FaceSequence, delay: float) -> FaceSequence:
    """Moves labels back by the raters' delay; the last frames, left without any, are dropped.

    Args:
        sequence: Rated faces.
        delay: Seconds, less than the sequence lasts.

    Raises:
        DatasetError: The sequence is not longer than the delay.
    """
    shift = round(delay * sequence.frame_rate)
    kept = len(sequence.valence) - shift
    if kept < 1:
        raise DatasetError(f"is not longer than the delay of {delay} s", place=sequence.subject)
    return replace(sequence, frames=sequence.frames[:kept], valence=sequence.valence[shift:])


def thinned(sequence: FaceSequence, step: int) -> FaceSequence:
    """Every `step`-th frame."""
    return replace(
        sequence,
        frames=sequence.frames[::step],
        valence=sequence.valence[::step],
        frame_rate=sequence.frame_rate / step,
    )


def smoothed(
    prediction: NDArray[np.float32], seconds: float, frame_rate: float
) -> NDArray[np.float32]:
    """Moving average over time; the ends repeat the first and last value.

    It is centred where it is an odd number of frames wide, and half a frame late otherwise.
    """
    width = max(1, round(seconds * frame_rate))
    return uniform_filter1d(np.asarray(prediction, np.float32), width, mode="nearest")


def estimate_delay(
    sequences: Sequence[FaceSequence], candidates: Sequence[float], *, ridge: float = 10.0
) -> tuple[float, dict[float, float]]:
    """The delay at which small faces predict the labels of unseen training subjects best.

    Ridge regression on each subject's faces at 12 x 12 samples, less their mean; each subject is
    predicted from the others. Only training subjects may be given.

    Args:
        sequences: Rated training sequences, of at least two subjects.
        candidates: Delays to try, in seconds.
        ridge: Weight of the squared coefficients.

    Returns:
        The best delay, and for each candidate the mean correlation over subjects.

    Raises:
        DatasetError: Fewer than two subjects, or a sequence shorter than a delay.
    """
    if len({sequence.subject for sequence in sequences}) < 2:
        raise DatasetError("a delay needs at least two subjects")
    small = [_small_faces(sequence.frames) for sequence in sequences]
    # The same frames for every candidate, or longer delays would be judged on other ones.
    kept = [len(compensated(sequence, max(candidates)).valence) for sequence in sequences]
    scores = {}
    for delay in candidates:
        labels = [
            sequence.valence[shift : shift + count]
            for sequence, count in zip(sequences, kept, strict=True)
            for shift in [round(delay * sequence.frame_rate)]
        ]
        parts = [
            (rows[:count] - rows[:count].mean(0), label - label.mean())
            for rows, count, label in zip(small, kept, labels, strict=True)
        ]
        scores[float(delay)] = _held_out_correlation(
            parts, [sequence.subject for sequence in sequences], ridge
        )
    return max(scores, key=scores.__getitem__), scores


def _held_out_correlation(
    parts: list[tuple[NDArray[Any], NDArray[Any]]], subjects: list[str], ridge: float
) -> float:
    found = []
    for left_out, (faces_out, labels_out) in enumerate(parts):
        others = [
            part
            for part, subject in zip(parts, subjects, strict=True)
            if subject != subjects[left_out]
        ]
        x, y = (np.concatenate(rows) for rows in zip(*others, strict=True))
        weights = np.linalg.solve(x.T @ x + ridge * np.eye(x.shape[1]), x.T @ y)
        predicted = faces_out @ weights
        spread = predicted.std() * labels_out.std()
        covariance = ((predicted - predicted.mean()) * labels_out).mean()
        found.append(float(covariance / spread) if spread > 0 else 0.0)
    return float(np.mean(found))


def _small_faces(frames: NDArray[np.uint8]) -> NDArray[np.float64]:
    return downsample(frames, frames.shape[1] // 12).reshape(len(frames), -1) / 255.0
