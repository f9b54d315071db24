"""Clips of different lengths in one batch: what is a frame and what is padding.

Lengths that are not given mean that there is no padding; then nothing is looked up by index,
which is faster and leaves a graph that `torch.export` can follow.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def lengths_of(clips: Tensor, lengths: Tensor | None) -> Tensor:
    """(B,) valid frames on the CPU: `lengths`, or all T of `clips` (B, T, ...)."""
    if lengths is None:
        return torch.full(clips.shape[:1], clips.shape[1])
    return lengths.cpu()


def mask_of(lengths: Tensor, steps: int) -> Tensor:
    """(B,) lengths -> (B, steps), true where there is a frame."""
    return torch.arange(steps)[None] < lengths[:, None]


def encode_valid(encoder: nn.Module, clips: Tensor, lengths: Tensor | None) -> Tensor:
    """Runs a frame network on the valid frames only, so that they alone make batch statistics.

    Args:
        encoder: (N, C, H, W) -> (N, ...).
        clips: (B, T, C, H, W).
        lengths: (B,), or None for all frames.

    Returns:
        (B, T, ...), zero in the padding.
    """
    batch, steps = clips.shape[:2]
    if lengths is None:
        return encoder(clips.flatten(0, 1)).unflatten(0, (batch, steps))
    index = mask_of(lengths.cpu(), steps).flatten().nonzero().squeeze(1).to(clips.device)
    frames = encoder(clips.flatten(0, 1)[index])
    padded = frames.new_zeros(batch * steps, *frames.shape[1:]).index_copy(0, index, frames)
    return padded.unflatten(0, (batch, steps))


def masked_mean(frames: Tensor, lengths: Tensor | None) -> Tensor:
    """Mean over the valid frames: (B, T, ...) with zero padding -> (B, ...)."""
    if lengths is None:
        return frames.mean(1)
    count = lengths.to(frames).view(-1, *[1] * (frames.dim() - 2))
    return frames.sum(1) / count


def at_last(states: Tensor, lengths: Tensor | None) -> Tensor:
    """The state after each clip's last frame: (B, T, ...) -> (B, ...)."""
    if lengths is None:
        return states[:, -1]
    rows = torch.arange(len(states), device=states.device)
    return states[rows, (lengths - 1).to(states.device)]
