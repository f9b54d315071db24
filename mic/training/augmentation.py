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
    chance = torch.rand(count, 5, generator=draw)
    flip = (chance[:, 0] < 0.5) & schedule.flip
    dy, dx = ((2 * reach + 1) * chance[:, 1:3]).long().T - reach
    residual = _placed(batch.residual, dy, dx, flip)
    if batch.vectors:
        residual = _turned(residual, flip)
    motion, apex = batch.motion, batch.apex
    if motion is not None:
        # Motion planes are coarser by this factor.
        coarse = max(1, edge // motion.shape[-1])
        motion = _placed(
            motion,
            dy.div(coarse, rounding_mode="floor"),
            dx.div(coarse, rounding_mode="floor"),
            flip,
        )
        motion = _turned(motion, flip)
    if apex is not None:
        apex = torch.where(flip.to(apex.device)[:, None, None, None], apex.flip(-1), apex)
    hole = round(schedule.cutout * edge)
    if hole:
        top, left = ((edge - hole + 1) * chance[:, 3:5]).long().T
        rows, columns = (_within(start, hole, edge) for start in (top, left))
        blank = rows[:, :, None] & columns[:, None, :]
        residual = residual.masked_fill(blank.to(residual.device)[:, None, None], 0)
    if schedule.gain:
        factor = 1 + schedule.gain * (2 * torch.rand(count, generator=draw) - 1)
        residual = residual * factor.to(residual)[:, None, None, None, None]
    return dataclasses.replace(batch, residual=residual, motion=motion, apex=apex)


def _placed(planes: Tensor, dy: Tensor, dx: Tensor, flip: Tensor) -> Tensor:
    """(B, T, C, H, W), mirrored where `flip`, then moved down by dy and right by dx.

    Nothing moved outside the picture: zeros come in where a clip is displaced.
    """
    height, width = planes.shape[-2:]
    rows = torch.arange(height)[None] - dy[:, None]
    columns = torch.arange(width)[None] - dx[:, None]
    seen = ((rows >= 0) & (rows < height))[:, :, None] & ((columns >= 0) & (columns < width))[
        :, None, :
    ]
    columns = torch.where(flip[:, None], width - 1 - columns, columns)
    place = rows.clamp(0, height - 1)[:, :, None] * width + columns.clamp(0, width - 1)[:, None, :]
    place = place.flatten(1).to(planes.device)[:, None, None].expand(*planes.shape[:3], -1)
    moved = planes.flatten(3).gather(3, place).unflatten(3, (height, width))
    return moved * seen.to(planes)[:, None, None]


def _turned(planes: Tensor, flip: Tensor) -> Tensor:
    """(B, T, C, H, W) with the x component, the first plane, negated in mirrored clips."""
    sign = torch.ones(len(planes), 1, planes.shape[2], 1, 1)
    sign[flip, :, 0] = -1
    return planes * sign.to(planes)


def _within(start: Tensor, length: int, edge: int) -> Tensor:
    """(B, edge), true from `start` for `length` places."""
    places = torch.arange(edge)[None] - start[:, None]
    return (places >= 0) & (places < length)
