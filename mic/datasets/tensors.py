"""Clips as tensors: which residuals of a stream a network sees, at which scale, how many.

The choice decides more than any loss does, so it is one value, `Representation`, and an ablation.
The I-frame's own residual is zero and never sampled. All of a small dataset stays in memory, as
16-bit integers; conversion to floating point happens batch by batch.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from mic.errors import ConfigError
from mic.models.mic import Batch

Kind = Literal[
    "raw",
    "all",
    "segment",
    "accumulated",
    "accumulated_coviar",
    "motion",
    "decoded",
    "decoded_frames",
]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Representation:
    """What is taken from a stream.

    Attributes:
        kind: `raw`: residuals of sampled frames (the papers). `all`: of every frame. `segment`:
            sums over equal segments. `accumulated`: residuals accumulated along the motion since
            the I-frame, at sampled frames. `accumulated_coviar`: the same as CoViAR's code has it.
            `motion`: motion vectors alone. `decoded`: decoded frame minus I-frame, the upper
            reference, which needs a decoder. `decoded_frames`: decoded frames as they are.
        steps: Frames or segments a clip; `all` ignores it.
        scale: 1, 2, 4 or 8: residuals are taken at 1/scale, without leaving the DCT domain where
            the kind allows.
        with_motion: Whether motion vectors of the same frames come along, for "+T".
    """

    kind: Kind = "accumulated"
    steps: int = 16
    scale: int = 2
    with_motion: bool = False

    def __post_init__(self) -> None:
        """Refuses impossible numbers."""
        if self.steps < 1:
            raise ConfigError(f"{self.steps} steps make no clip")
        if self.scale not in (1, 2, 4, 8):
            raise ConfigError(f"no scale 1/{self.scale}", remedy="choose 1, 2, 4 or 8")


def sampled(frames: int, steps: int) -> np.ndarray:
    """Indices of `steps` P-frames spread evenly over a clip, its last one always among them.

    Args:
        frames: Length of the clip, its I-frame (index 0) included; at least 2.
        steps: How many; a clip with fewer P-frames repeats some.

    Returns:
        (steps,) non-decreasing indices in 1..frames-1.
    """
    if frames < 2:
        raise ConfigError("a clip of one frame has no residual", remedy="leave the clip out")
    return np.rint(np.linspace(0, frames - 1, steps + 1)[1:]).astype(int).clip(1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ClipTensors:
    """A dataset in memory, one row a clip.

    Attributes:
        names: Clip identifiers.
        subjects: Who is seen.
        labels: (N,) int64 class numbers.
        classes: Class names.
        residual: (N, T, 3, H, W) int16, zero behind a clip's end.
        lengths: (N,) int64 valid frames.
        identity: (N, d) float32, z_I of the I-frame.
        apex: (N, C, h, w) uint8 apex frames, or None where none are annotated.
        motion: (N, T, 2, h, w) int16 in quarter pixels, or None.
    """

    names: tuple[str, ...]
    subjects: tuple[str, ...]
    labels: Tensor
    classes: tuple[str, ...]
    residual: Tensor
    lengths: Tensor
    identity: Tensor
    apex: Tensor | None = None
    motion: Tensor | None = None

    def __post_init__(self) -> None:
        """Refuses columns of different lengths."""
        columns = {
            "subjects": self.subjects,
            "labels": self.labels,
            "residual": self.residual,
            "lengths": self.lengths,
            "identity": self.identity,
            "apex": self.apex,
            "motion": self.motion,
        }
        for name, column in columns.items():
            if column is not None and len(column) != len(self.names):
                raise ConfigError(f"{len(column)} rows of {name} for {len(self.names)} clips")

    def __len__(self) -> int:
        return len(self.names)

    def batch(self, rows: Tensor | Sequence[int], *, device: str = "cpu") -> Batch:
        """The clips `rows` as floating point, cut to the longest of them."""
        rows = torch.as_tensor(rows)
        lengths = self.lengths[rows]
        longest = int(lengths.max())

        def frames(planes: Tensor) -> Tensor:
            return planes[rows, :longest].to(device).float()

        return Batch(
            residual=frames(self.residual),
            lengths=lengths,
            labels=self.labels[rows].to(device),
            identity=self.identity[rows].to(device),
            apex=None if self.apex is None else self.apex[rows].to(device).float() / 255,
            motion=None if self.motion is None else frames(self.motion),
        )


def padded(clips: Sequence[np.ndarray]) -> tuple[Tensor, Tensor]:
    """Stacks clips of different lengths.

    Args:
        clips: Arrays (T_n, C, H, W) of one dtype and size.

    Returns:
        (N, max T_n, C, H, W), zero behind each clip's end, and the (N,) lengths.
    """
    lengths = torch.tensor([len(clip) for clip in clips])
    shape = (len(clips), int(lengths.max()), *clips[0].shape[1:])
    stacked = torch.zeros(shape, dtype=torch.from_numpy(clips[0][:0]).dtype)
    for row, clip in enumerate(clips):
        stacked[row, : len(clip)] = torch.from_numpy(np.ascontiguousarray(clip))
    return stacked, lengths
