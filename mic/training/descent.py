"""Steps down a loss: how everything that is trained here is seeded and fitted, whatever it is.

    with seeded(0):
        network = Student(inputs)
        descent = Descent([network.parameters()], weight_decay=0.02)
        descend(network, batches, loss, descent, rate=lambda step: 1e-3)

The loss is the caller's: class labels, valence, blendshapes or a sharper picture.
`mic.training.train.Training` takes the same steps, and keeps its state after epochs.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal, TypeVar

import torch
from torch import Tensor, nn

Kind = Literal["adamw", "adam", "sgd"]
_Batch = TypeVar("_Batch")
_Network = TypeVar("_Network", bound=nn.Module)


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Runs its block from a seed and leaves torch's generators as they were, on all devices."""
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        yield


class Descent:
    """An optimiser that takes steps.

    Args:
        groups: Parameters, in groups that may be trained at different rates.
        shares: What each group's rate is of that of a step; by default 1.
        kind: `adamw`, `adam` with the weight decay in the gradient, or `sgd` with momentum 0.9.
        weight_decay: See `kind`.
        clip_norm: Largest gradient norm; 0 for none.
        fused: torch's fused step: faster, and other last bits.
    """

    def __init__(
        self,
        groups: Iterable[Iterable[nn.Parameter]],
        *,
        shares: Sequence[float] = (),
        kind: Kind = "adamw",
        weight_decay: float = 0.0,
        clip_norm: float = 0.0,
        fused: bool = False,
    ) -> None:
        lists = [list(group) for group in groups]
        self._parameters = [parameter for group in lists for parameter in group]
        self._shares = shares or [1.0] * len(lists)
        self._clip_norm = clip_norm
        named = [{"params": group} for group in lists]
        self.optimizer: torch.optim.Optimizer
        if kind == "sgd":
            self.optimizer = torch.optim.SGD(
                named, momentum=0.9, weight_decay=weight_decay, fused=fused
            )
        else:
            maker = torch.optim.AdamW if kind == "adamw" else torch.optim.Adam
            self.optimizer = maker(named, weight_decay=weight_decay, fused=fused)

    def step(
        self, loss: Tensor, *, rate: float, gathered: Callable[[], None] | None = None
    ) -> None:
        """One step.

        Args:
            loss: Scalar.
            rate: Learning rate.
            gathered: Called when the gradients are there, before they are clipped and used.
        """
        for group, share in zip(self.optimizer.param_groups, self._shares, strict=True):
            group["lr"] = share * rate
        self.optimizer.zero_grad()
        loss.backward()
        if gathered:
            gathered()
        if self._clip_norm:
            nn.utils.clip_grad_norm_(self._parameters, self._clip_norm)
        self.optimizer.step()


def descend(
    network: _Network,
    batches: Iterable[_Batch],
    loss: Callable[[_Batch], Tensor],
    descent: Descent,
    *,
    rate: Callable[[int], float],
) -> _Network:
    """Fits a network, one step a batch.

    Args:
        network: Set to training for the steps.
        batches: Of anything.
        loss: What the network's answer to a batch costs.
        descent: Over the network's parameters.
        rate: Learning rate of a step, counted from 0.

    Returns:
        The network, ready to be asked.
    """
    network.train()
    for number, batch in enumerate(batches):
        descent.step(loss(batch), rate=rate(number))
    return network.eval()
