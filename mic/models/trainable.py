"""What `mic.training` can fit: any network that says what it descends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, Self

from torch import Tensor, nn

from mic.inputs.batch import Batch
from mic.mi.base import Estimator
from mic.models.expression import Expression

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


class Trainable(Protocol):
    """A `torch.nn.Module` with losses of its own, as `Mic` and `PeerModel` are.

    Attributes:
        training: Of `torch.nn.Module`, as are `to`, `train`, `eval` and the state.
    """

    training: bool

    @property
    def method(self) -> DataclassInstance:
        """What decides the network; a checkpoint of another method is refused."""
        ...

    @property
    def regulariser(self) -> Estimator | None:
        """The dependence that the encoder descends, None where there is none."""
        ...

    def __call__(
        self, clips: Tensor, lengths: Tensor | None = None, motion: Tensor | None = None, /
    ) -> Expression:
        """Z and class scores of a batch (B, T, C, H, W) with (B,) valid frames."""
        ...

    def losses(
        self, batch: Batch, *, progress: float, label_smoothing: float = 0.0
    ) -> tuple[Tensor, dict[str, float], Tensor]:
        """What the encoder descends, its parts by name, and the logits; see `Mic.losses`."""
        ...

    def parameters_of_encoder(self) -> list[nn.Parameter]:
        """What the main optimiser owns."""
        ...

    def to(self, device: str, /) -> Self:
        """Itself, moved."""
        ...

    def train(self, mode: bool = True) -> Self:
        """Itself, with dropout and batch statistics, or without."""
        ...

    def eval(self) -> Self:
        """Itself, as it is tested."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Weights and running means by name."""
        ...

    def load_state_dict(self, state_dict: Mapping[str, Any], /) -> object:
        """Takes what `state_dict` gave."""
        ...
