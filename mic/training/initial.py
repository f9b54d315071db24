"""A method's network before its first step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeVar

from torch import Tensor

from mic.inputs.tensors import ClipTensors
from mic.models.trainable import Trainable
from mic.training.descent import seeded

_Network = TypeVar("_Network", bound=Trainable, covariant=True)


class Buildable(Protocol[_Network]):
    """What decides a network, as `mic.models.mic.Method` does and `mic.peers.PeerMethod`."""

    def network(self, data: ClipTensors, rows: Sequence[int], *, seed: int) -> _Network:
        """See `initial_network`; the weights come from torch's generator."""
        ...


def initial_network(
    method: Buildable[_Network], data: ClipTensors, rows: Sequence[int], *, seed: int
) -> _Network:
    """The network of a method with random weights, on the CPU.

    Args:
        method: MIC's or a peer's.
        data: Its classes, its frames a clip and its apex pictures give the shapes.
        rows: The training clips; what z_I is reduced to is fitted on them alone.
        seed: Of the weights. The caller's generators are left as they were.
    """
    with seeded(seed):
        return method.network(data, rows, seed=seed)


def begin_with(model: Trainable, state: Mapping[str, Tensor]) -> None:
    """Gives a network the weights of another training, but its classifier.

    Args:
        model: Takes what it has by the same name and shape.
        state: Of the other training's network, which may have had other classes.
    """
    own = model.state_dict()
    taken = {
        name: value
        for name, value in state.items()
        if "classifier" not in name and name in own and own[name].shape == value.shape
    }
    model.load_state_dict(own | taken)
