"""One training on several devices: each rank takes a part of every batch, all take the same step.

    torchrun --nproc-per-node 4 -m mic train VIDEOS

The steps are those of one process with the same batch, up to rounding and to which units dropout
drops. Every rank draws and augments the whole batch from the same seed, then:

- The expression branch, nearly all of the work, sees the rank's own clips. Its batch
  normalisation takes mean and variance over the clips of all ranks, exactly, on any backend
  (torch's own SyncBatchNorm is for GPUs only).
- z_E and the logits of all ranks are gathered. The rest of the game (critic steps, dependence,
  apex decoder) needs the whole batch, because products of marginals pair clips with one another;
  it is cheap, so each rank plays all of it, with the same generators and to the same end.
- Backwards, a rank follows the gradient of its own clips; the gradients of the expression branch
  are then summed. Gradients of what follows the gathering (critic, decoder) need no sum: every
  rank computes them from the whole batch, so they are complete and equal everywhere.
"""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterator, Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mic.errors import ConfigError
from mic.models.expression import Expression
from mic.models.trainable import Trainable


@contextlib.contextmanager
def joined() -> Iterator[str]:
    """Joins the group that `torchrun` started this process for, if it did.

    Yields:
        The device to train on: "cuda" with the rank's own GPU chosen, or "cpu".
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield "cpu"
        return
    gpu = torch.cuda.is_available()
    if gpu:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("nccl" if gpu else "gloo")
    try:
        yield "cuda" if gpu else "cpu"
    finally:
        dist.destroy_process_group()


def is_first() -> bool:
    """Whether this process writes for its group: rank 0, or the only one."""
    return not _grouped() or dist.get_rank() == 0


def ranks(model: Trainable) -> Ranks | None:
    """The part of `model`'s training that this process takes; None if it takes all.

    Raises:
        ConfigError: The model has no expression branch to share.
    """
    return Ranks(model) if _grouped() else None


def _grouped() -> bool:
    return dist.is_available() and dist.is_initialized()


class Ranks:
    """Shares the training of one model among the processes of the default group.

    Args:
        model: Its branch `expression` is shared, in training mode; prediction stays whole.

    Raises:
        ConfigError: The model has no expression branch.
    """

    def __init__(self, model: Trainable) -> None:
        branch = getattr(model, "expression", None)
        if branch is None:
            raise ConfigError(
                f"{type(model).__name__} cannot be trained on several devices",
                remedy="train it in one process, without torchrun",
            )
        self.rank, self.world = dist.get_rank(), dist.get_world_size()
        self._model = model
        self._shared = list(branch.parameters())
        self._sizes: list[int] = []
        self._seed = 0
        for module in branch.modules():
            if isinstance(module, _BatchNorm):
                module.__class__ = _SharedBatchNorm
        branch.register_forward_pre_hook(self._part)
        branch.register_forward_hook(self._whole)

    def align(self) -> None:
        """Gives all ranks the first one's weights: rounding must not drive them apart."""
        for value in self._model.state_dict().values():
            dist.broadcast(value, 0)

    def sum_gradients(self) -> None:
        """Makes the gradients of the shared branch those of the whole batch."""
        found = [weight.grad for weight in self._shared if weight.grad is not None]
        flat = torch.cat([gradient.flatten() for gradient in found])
        dist.all_reduce(flat)
        parts = flat.split([gradient.numel() for gradient in found])
        for gradient, part in zip(found, parts, strict=True):
            gradient.copy_(part.view_as(gradient))

    def _part(
        self, branch: nn.Module, inputs: tuple[Tensor | None, ...]
    ) -> tuple[Tensor | None, ...] | None:
        if not branch.training:
            return None
        clips = inputs[0]
        if clips is None:
            raise ConfigError("a batch without clips cannot be shared")
        count = len(clips)
        if count < self.world:
            raise ConfigError(
                f"a batch of {count} clips cannot be shared by {self.world} processes",
                remedy="use a larger batch or fewer processes",
            )
        ends = [count * rank // self.world for rank in range(self.world + 1)]
        self._sizes = [end - start for start, end in itertools.pairwise(ends)]
        # Ranks draw different numbers for dropout in here, and the same again behind it.
        self._seed = int(torch.randint(2**62, ()))
        torch.manual_seed(self._seed + 1 + self.rank)
        mine = slice(ends[self.rank], ends[self.rank + 1])
        return tuple(None if value is None else value[mine] for value in inputs)

    def _whole(self, branch: nn.Module, inputs: object, answer: Expression) -> Expression | None:
        if not branch.training:
            return None
        torch.manual_seed(self._seed)
        return Expression(*(_Gather.apply(part.float(), self._sizes) for part in answer))


class _Gather(torch.autograd.Function):
    """(B_r, ...) of each rank -> (B, ...) on all; the gradient of one's own rows comes back."""

    @staticmethod
    def forward(ctx: Any, part: Tensor, sizes: Sequence[int]) -> Tensor:
        start = sum(sizes[: dist.get_rank()])
        ctx.mine = slice(start, start + len(part))
        # Collectives want equal shapes.
        padded = part.new_zeros(max(sizes), *part.shape[1:])
        padded[: len(part)] = part
        parts = [torch.empty_like(padded) for _ in sizes]
        dist.all_gather(parts, padded)
        return torch.cat([part[:size] for part, size in zip(parts, sizes, strict=True)])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient[ctx.mine], None


class _Sum(torch.autograd.Function):
    """The sum over ranks, on all; what each rank's loss asks of it is summed on the way back."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, value: Tensor) -> Tensor:
        total = value.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, gradient: Tensor) -> Tensor:
        total = gradient.clone()
        dist.all_reduce(total)
        return total


class _SharedBatchNorm(_BatchNorm):
    """Batch normalisation by mean and variance over all ranks; set as a module's class."""

    # Those of our networks track their statistics and keep a fixed momentum.
    momentum: float
    num_batches_tracked: Tensor
    running_mean: Tensor
    running_var: Tensor

    def _check_input_dim(self, input: Tensor) -> None:
        pass

    def forward(self, input: Tensor) -> Tensor:
        """(N_r, C, ...) -> the same, normalised over the N of all ranks."""
        if not self.training:
            return super().forward(input)
        values = input.float()
        axes = [0, *range(2, values.dim())]
        shape = (1, -1, *(1 for _ in axes[1:]))
        own = values.new_tensor([values.numel() / values.shape[1]])
        total = _Sum.apply(torch.cat([values.sum(axes), own]))
        count = total[-1].detach()
        mean = total[:-1] / count
        centred = values - mean.view(shape)
        variance = _Sum.apply(centred.square().sum(axes)) / count
        with torch.no_grad():
            self.num_batches_tracked += 1
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * count / (count - 1), self.momentum)
        scaled = centred * torch.rsqrt(variance + self.eps).view(shape)
        if self.affine:
            scaled = scaled * self.weight.view(shape) + self.bias.view(shape)
        return scaled.to(input.dtype)
