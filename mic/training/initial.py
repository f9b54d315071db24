"""A method's network before its first step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeVar

from torch import Tensor

from mic.errors import ConfigError
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
        model: Keeps its classifier, and what z_I is reduced to, which belongs to its own clips.
        state: Of the other training's network, which may have had other classes and terms.

    Raises:
        ConfigError: It is of another network.
    """
    own = model.state_dict()
    taken = {}
    for name, value in own.items():
        if "classifier" in name or name.startswith("identity."):
            continue
        if name not in state or state[name].shape != value.shape:
            raise ConfigError(
                f"{name} is not in the weights to begin with, or has another shape",
                remedy="begin with a training of the same network",
            )
        taken[name] = state[name]
    model.load_state_dict(own | taken)
