"""Random changes to training clips that leave the expression what it is."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from mic.inputs.batch import Batch
from mic.training.schedules import Schedule


def drawn_frames(lengths: Tensor, frames: int, draw: torch.Generator) -> Tensor:
    """Which frames of each clip a training step sees: one from each of `frames` equal parts.

    Args:
        lengths: (B,) valid frames of the clips; shorter ones are cut into single frames, and the
            indices behind their end are to be ignored.
        frames: Parts.
        draw: Source of randomness, on the CPU.

    Returns:
        (B, frames) non-decreasing indices.
    """
    parts = lengths.clamp_max(frames)
    places = torch.arange(frames) + torch.rand(len(lengths), frames, generator=draw)
    return (places * (lengths / parts)[:, None]).long().minimum(lengths[:, None] - 1)


def augment(batch: Batch, schedule: Schedule, draw: torch.Generator) -> Batch:
    """Mirrors, displaces, scales and blanks each clip as a whole, motion along with it.

    Args:
        batch: Not changed.
        schedule: Which of these, how far.
        draw: Source of randomness, on the CPU.
    """
    count, edge = len(batch.residual), batch.residual.shape[-1]
    reach = round(schedule.shift * edge)
    hole = round(schedule.cutout * edge)
    # Nothing moved outside the picture: zeros come in where a clip is displaced.
    residual = torch.zeros_like(batch.residual)
    motion = None if batch.motion is None else torch.zeros_like(batch.motion)
    apex = None if batch.apex is None else batch.apex.clone()
    # Motion planes are coarser by this factor.
    coarse = 1 if motion is None else max(1, edge // motion.shape[-1])
    for index in range(count):
        mirrored, *place = torch.rand(5, generator=draw).tolist()
        flip = schedule.flip and mirrored < 0.5
        dy, dx = (int((2 * reach + 1) * share) - reach for share in place[:2])
        _place(residual[index], batch.residual[index], dy, dx, flip=flip)
        if motion is not None:
            _place(motion[index], batch.motion[index], dy // coarse, dx // coarse, flip=flip)
            if flip:
                motion[index, :, 0].neg_()
        if apex is not None and flip:
            apex[index] = apex[index].flip(-1)
        if hole:
            top, left = (int((edge - hole + 1) * share) for share in place[2:])
            residual[index, :, :, top : top + hole, left : left + hole] = 0
    if schedule.gain:
        factor = 1 + schedule.gain * (2 * torch.rand(count, generator=draw) - 1)
        residual *= factor.to(residual)[:, None, None, None, None]
    return dataclasses.replace(batch, residual=residual, motion=motion, apex=apex)


def _place(target: Tensor, planes: Tensor, dy: int, dx: int, *, flip: bool) -> None:
    height, width = planes.shape[-2:]
    to_y, from_y = _overlap(dy, height)
    to_x, from_x = _overlap(dx, width)
    source = planes.flip(-1) if flip else planes
    target[..., to_y, to_x] = source[..., from_y, from_x]


def _overlap(by: int, size: int) -> tuple[slice, slice]:
    return slice(max(0, by), size + min(0, by)), slice(max(0, -by), size + min(0, -by))
