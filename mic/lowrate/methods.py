"""The five methods of the paper as cells: what they train on, what initialises them.

A cell is trained once; its weights and its predictions for each channel lie in the cache under
everything that decides them, so a run that was broken off goes on, and a table is a function of
stored predictions only. `mic.experiments.runner` computes these cells as it does all others; what
differs is that they rate frames, may start from another network's layers, and are trained on a
mix of channels.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Literal, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from mic.experiments.runner import Task, outcomes, processes
from mic.lowrate import training
from mic.lowrate.networks import SRFCN, TargetCNN
from mic.lowrate.training import Recipe
from mic.lowrate.transmission import Channel
from mic.lowrate.views import Corpus
from mic.processes.workers import torch_threads
from mic.storage import cache

_WEIGHTS = cache.Stage(name="lowrate-weights", version=2)
_PREDICTIONS = cache.Stage(name="lowrate-predictions", version=3)

_Network = TypeVar("_Network", bound=nn.Module)
Use = Literal["none", "joint", "frozen", "separate"]


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One trained recogniser.

    Attributes:
        train: Channels whose frames it is trained on, mixed evenly.
        restorer: Channels whose frames SR-FCN is trained to restore; empty for none.
        use: What SR-FCN is for: `joint` initialises the target network's convolutions, which are
            then tuned; `frozen` does the same without tuning; `separate` restores the faces that
            the target network is trained on and sees.
        recipe: How both are trained.
    """

    train: tuple[Channel, ...]
    restorer: tuple[Channel, ...] = ()
    use: Use = "none"
    recipe: Recipe


def high_resolution(recipe: Recipe) -> Cell:
    """HR: trained on sharp faces."""
    return Cell(train=(Channel(),), recipe=recipe)


def low_resolution(channel: Channel, recipe: Recipe) -> Cell:
    """LR-S: trained on what one channel delivers."""
    return Cell(train=(channel,), recipe=recipe)


def non_joint(channel: Channel, recipe: Recipe, *, frozen: bool = False) -> Cell:
    """Non-joint-S: restore, then regress; one channel.

    Args:
        channel: What it is trained on and for.
        recipe: How.
        frozen: The other reading of "separate": a regression on SR-FCN's own features, which are
            not tuned.
    """
    use: Use = "frozen" if frozen else "separate"
    return Cell(train=(channel,), restorer=(channel,), use=use, recipe=recipe)


def joint(channel: Channel, recipe: Recipe) -> Cell:
    """Joint-S: SR-FCN's convolutions, tuned together with the rest; one channel."""
    return Cell(train=(channel,), restorer=(channel,), use="joint", recipe=recipe)


def one_for_all(mix: Iterable[Channel], hardest: Channel, recipe: Recipe) -> Cell:
    """Joint-OA: SR-FCN on the largest factor, then tuned on a mix (max-mix training).

    Args:
        mix: What it is tuned on.
        hardest: What SR-FCN is trained on.
        recipe: How.
    """
    return Cell(train=tuple(mix), restorer=(hardest,), use="joint", recipe=recipe)


def mixed(mix: Iterable[Channel], recipe: Recipe) -> Cell:
    """The mix without super-resolution: what of max-mix training is the mixing alone."""
    return Cell(train=tuple(mix), recipe=recipe)


def parameters(cell: Cell) -> int:
    """Trained numbers that an answer of the cell needs: SR-FCN counts where it restores faces."""
    parts: list[nn.Module] = [TargetCNN(cell.recipe.architecture)]
    if cell.use == "separate":
        parts.append(SRFCN(cell.recipe.architecture))
    return sum(weights.numel() for part in parts for weights in part.parameters())


@dataclass(frozen=True)
class Recogniser:
    """A trained cell.

    Attributes:
        network: The target network.
        restorer: SR-FCN, if faces are restored first.
    """

    network: TargetCNN
    restorer: SRFCN | None

    def predict(self, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Valence (N,) of received faces (N, S, S)."""
        if self.restorer is not None:
            frames = training.restore(self.restorer, frames)
        return training.predict(self.network, frames)

    def features(self, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Features (N, hidden) of received faces (N, S, S)."""
        if self.restorer is not None:
            frames = training.restore(self.restorer, frames)
        return training.features(self.network, frames)


def restorer_of(cell: Cell, train: Corpus) -> SRFCN | None:
    """The cell's SR-FCN, trained or from the cache; None if it has none."""
    if not cell.restorer:
        return None
    arrays = cache.fetch(
        _WEIGHTS,
        **_restorer_entry(cell, train),
        compute=lambda: _arrays(
            training.fit_restorer(
                [train.received(channel).frames for channel in cell.restorer],
                train.received(Channel()).frames,
                cell.recipe,
            )
        ),
    )
    return _filled(SRFCN(cell.recipe.architecture), arrays)


def _restorer_entry(cell: Cell, train: Corpus) -> dict[str, Any]:
    # Only what decides SR-FCN's weights, so that methods share them.
    ignored = {"epochs", "loss", "transferred", "shift"}
    recipe = {k: v for k, v in asdict(cell.recipe).items() if k not in ignored}
    return {
        "inputs": [train.digest],
        "parameters": {"restorer": cell.restorer, "recipe": recipe},
    }


def recogniser_of(cell: Cell, train: Corpus) -> Recogniser:
    """The cell's networks, trained or from the cache."""
    restorer = restorer_of(cell, train)

    def compute() -> dict[str, np.ndarray]:
        received = [train.received(channel).frames for channel in cell.train]
        if cell.use == "separate" and restorer is not None:
            received = [training.restore(restorer, frames) for frames in received]
        network = training.fit_valence(
            received,
            train.valence,
            cell.recipe,
            initial=restorer if cell.use in ("joint", "frozen") else None,
            freeze=cell.use == "frozen",
        )
        return _arrays(network)

    arrays = cache.fetch(
        _WEIGHTS, inputs=[train.digest], parameters={"cell": cell}, compute=compute
    )
    network = _filled(TargetCNN(cell.recipe.architecture), arrays)
    return Recogniser(network, restorer if cell.use == "separate" else None)


def predictions(cell: Cell, train: Corpus, test: Corpus, channel: Channel) -> NDArray[np.float32]:
    """The cell's valence of the test frames that a channel delivers, computed or from the cache.

    Args:
        cell: The recogniser.
        train: What it is trained on.
        test: Whom it is tested on.
        channel: What the test frames went through.

    Returns:
        (N,) float32, in the order of `test.received(channel).frames`.
    """
    return cache.fetch(
        _PREDICTIONS,
        **_prediction_entry(cell, train, test, channel),
        compute=lambda: {
            "valence": recogniser_of(cell, train).predict(test.received(channel).frames)
        },
    )["valence"]


def _prediction_entry(cell: Cell, train: Corpus, test: Corpus, channel: Channel) -> dict[str, Any]:
    return {
        "inputs": [train.digest, test.digest],
        "parameters": {"cell": cell, "channel": channel},
    }


# A cell with the channels that it is tested on.
Tested = tuple[Cell, tuple[Channel, ...]]


@dataclass(frozen=True)
class Faces:
    """The grid of rated faces, as `mic.experiments.runner` takes it.

    Attributes:
        train: Training sequences.
        test: Test sequences.
    """

    train: Corpus
    test: Corpus

    def is_stored(self, tested: Tested) -> bool:
        """Whether all predictions of a cell are in the cache."""
        return not self._missing(tested)

    def shared(self, cells: Sequence[Tested]) -> list[list[Task]]:
        """Encodings, then SR-FCNs."""
        wanted: set[tuple[Channel, Corpus]] = set()
        restorers: dict[object, Cell] = {}
        for cell, channels in cells:
            wanted |= {(channel, self.train) for channel in (Channel(), *cell.train)}
            wanted |= {(channel, self.test) for channel in self._missing((cell, channels))}
            entry = cache.entry_path(_WEIGHTS, **_restorer_entry(cell, self.train))
            if cell.restorer and not entry.is_file():
                restorers[entry] = cell
        ordered = sorted(wanted, key=lambda item: repr((item[0], item[1].digest)))
        return [
            [partial(corpus.received, one) for one, corpus in ordered if not corpus.has(one)],
            [partial(_restored, cell, self.train) for cell in restorers.values()],
        ]

    def outcome(self, tested: Tested) -> list[NDArray[np.float32]]:
        """Predictions of a cell for each of its channels; on one thread, see `predictions`."""
        cell, channels = tested
        with torch_threads(1):
            return [predictions(cell, self.train, self.test, channel) for channel in channels]

    def _missing(self, tested: Tested) -> list[Channel]:
        cell, channels = tested
        entries = [_prediction_entry(cell, self.train, self.test, one) for one in channels]
        return [
            channel
            for channel, entry in zip(channels, entries, strict=True)
            if not cache.entry_path(_PREDICTIONS, **entry).is_file()
        ]


def run(
    work: Sequence[tuple[Cell, Sequence[Channel]]], train: Corpus, test: Corpus, *, jobs: int = 1
) -> None:
    """Trains cells and predicts, in parallel; afterwards `predictions` finds all in the cache.

    Args:
        work: Cells with the channels each is tested on.
        train: Training sequences.
        test: Test sequences.
        jobs: Processes, one thread each, so that results do not depend on their number.

    Raises:
        MicError: What the first failing cell raised.
    """
    faces = Faces(train, test)
    cells = [(cell, tuple(channels)) for cell, channels in work]
    missing = [tested for tested in cells if not faces.is_stored(tested)]
    if missing:
        with processes(jobs) as executor:
            outcomes([(faces, missing)], executor=executor)


def _restored(cell: Cell, train: Corpus) -> None:
    with torch_threads(1):
        restorer_of(cell, train)


def _arrays(network: nn.Module) -> dict[str, np.ndarray]:
    return {name: value.numpy() for name, value in network.state_dict().items()}


def _filled(network: _Network, arrays: dict[str, np.ndarray]) -> _Network:
    network.load_state_dict({name: torch.tensor(value) for name, value in arrays.items()})
    return network.eval()
