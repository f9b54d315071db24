"""Fitting the networks of `mic.lowrate.networks`; equal seeds and threads give equal weights."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import pad

from mic.errors import ConfigError
from mic.lowrate.networks import (
    SRFCN,
    Architecture,
    TargetCNN,
    TemporalHead,
    ccc_loss,
    normalise,
    transfer,
)
from mic.training.descent import Descent, descend, seeded


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How the networks are trained.

    Attributes:
        architecture: Of both networks.
        epochs: Passes over the training frames for the target network.
        sr_epochs: Passes for SR-FCN.
        batch: Frames a step; 128 in the paper.
        optimiser: `sgd` with momentum 0.9 (paper), or `adam` where steps are few.
        learning_rate: Of new layers; divided by 10 after 60 % and 85 % of the steps, where the
            paper waits for the validation error to stop falling.
        transferred: Factor on that for transferred layers; 0.1 in the paper.
        weight_decay: 5e-4 in the paper.
        loss: `mse` (paper) or `ccc` (its suggestion).
        patch: Edge of the random patches that SR-FCN is trained on; 0 takes whole faces.
        flip: Mirror frames at random; a face's valence has no side.
        shift: Largest random displacement of a batch in samples, edges repeated; not for SR-FCN.
        seed: Of weights, order, patches and dropout.
    """

    architecture: Architecture = field(default_factory=Architecture)
    epochs: int = 8
    sr_epochs: int = 4
    batch: int = 32
    optimiser: Literal["adam", "sgd"] = "adam"
    learning_rate: float = 1e-3
    transferred: float = 0.1
    weight_decay: float = 5e-4
    loss: Literal["mse", "ccc"] = "mse"
    patch: int = 32
    flip: bool = True
    shift: int = 4
    seed: int = 0

    def __post_init__(self) -> None:
        if self.optimiser not in ("adam", "sgd") or self.loss not in ("mse", "ccc"):
            raise ConfigError(f"unknown optimiser {self.optimiser!r} or loss {self.loss!r}")
        if min(self.epochs, self.batch) < 1 or self.sr_epochs < 0:
            raise ConfigError("epochs and batch must be positive, sr_epochs not negative")


def fit_restorer(
    received: Sequence[NDArray[np.uint8]], sharp: NDArray[np.uint8], recipe: Recipe
) -> SRFCN:
    """Trains SR-FCN to restore sharp faces from what was received.

    Args:
        received: One or several versions of the same frames, each (N, S, S); each frame of a
            batch is taken from one of them at random.
        sharp: The frames as they were, (N, S, S).
        recipe: How.
    """
    with seeded(recipe.seed):
        network = SRFCN(recipe.architecture).to(memory_format=torch.channels_last)
        steps = _steps(len(sharp), recipe.sr_epochs, recipe.batch)
        targets = torch.tensor(sharp)

        def loss(rows: Tensor) -> Tensor:
            low, high = _mixed(received, rows), targets[rows]
            if recipe.patch:
                low, high = _patches(low, high, recipe.patch)
            return network.loss(*_flipped(low, high, recipe))

        descent = _descent([network.parameters()], recipe)
        return descend(network, steps, loss, descent, rate=_rate(recipe, len(steps)))


def fit_valence(
    received: Sequence[NDArray[np.uint8]],
    valence: NDArray[np.float32],
    recipe: Recipe,
    *,
    initial: SRFCN | None = None,
    freeze: bool = False,
) -> TargetCNN:
    """Trains the target network.

    Args:
        received: One or several versions of the same frames, each (N, S, S); with several, each
            frame of a batch is taken from one at random: the paper's mixing.
        valence: (N,).
        recipe: How.
        initial: SR-FCN whose convolutions initialise the network's, which are then trained at
            `recipe.transferred` of the rate.
        freeze: Leave the transferred convolutions as they are.
    """
    with seeded(recipe.seed):
        network = TargetCNN(recipe.architecture).to(memory_format=torch.channels_last)
        if initial is not None:
            transfer(initial, network)
        convolutions = network.transferred()
        groups = [[*network.hidden.parameters(), *network.output.parameters()]]
        shares = [1.0]
        if freeze:
            for parameter in convolutions:
                parameter.requires_grad_(False)
        else:
            groups.append(convolutions)
            shares.append(1.0 if initial is None else recipe.transferred)
        # Starting at the mean spares the last layer the way there.
        nn.init.constant_(network.output.bias, float(np.mean(valence)))
        steps = _steps(len(valence), recipe.epochs, recipe.batch)
        truth = torch.tensor(valence)

        def loss(rows: Tensor) -> Tensor:
            images, labels = _flipped(_mixed(received, rows), truth[rows], recipe)
            answer = network(_shifted(images, recipe.shift))
            if recipe.loss == "ccc":
                return ccc_loss(answer, labels)
            return (answer - labels).square().mean()

        descent = _descent(groups, recipe, shares)
        return descend(network, steps, loss, descent, rate=_rate(recipe, len(steps)))


def fit_temporal(
    features: Sequence[NDArray[np.float32]],
    valence: Sequence[NDArray[np.float32]],
    recipe: Recipe,
    *,
    epochs: int = 60,
    window: int = 50,
) -> TemporalHead:
    """Trains the LSTM on the target network's features of whole sequences, with the CCC loss.

    Args:
        features: One (T, hidden) a training sequence; T may differ.
        valence: One (T,) each.
        recipe: Its seed, learning rate and weight decay.
        epochs: Passes; each takes one random window of each sequence.
        window: Frames of a window.
    """
    with seeded(recipe.seed):
        network = TemporalHead(features[0].shape[1])
        window = min(window, *(len(part) for part in features))

        def loss(epoch: int) -> Tensor:
            del epoch
            starts = [int(torch.randint(len(part) - window + 1, ())) for part in features]
            x, y = (
                torch.from_numpy(
                    np.stack([part[s : s + window] for part, s in zip(rows, starts, strict=True)])
                )
                for rows in (features, valence)
            )
            return ccc_loss(network(x), y)

        descent = _descent([network.parameters()], recipe)
        return descend(network, range(epochs), loss, descent, rate=_rate(recipe, epochs))


def restore(network: SRFCN, frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Faces (N, S, S) uint8 as SR-FCN restores them."""
    return _batched(network, frames, 32).clamp(0, 255).round().to(torch.uint8).numpy()


def predict(network: TargetCNN, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Valence (N,) of faces (N, S, S) uint8."""
    return _batched(network, frames, 128).numpy()


def features(network: TargetCNN, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Features (N, hidden) of faces (N, S, S) uint8."""
    return _batched(network.features, frames, 128).numpy()


@torch.no_grad()
def first_maps(network: TargetCNN, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Maps of the first convolution, (channels, S, S), of the first of the faces (N, S, S)."""
    faces, _, _ = normalise(torch.tensor(frames[:1]), network.architecture)
    return network.convolutions[0](faces)[0].numpy()


@torch.no_grad()
def over_time(network: TemporalHead, sequence: NDArray[np.float32]) -> NDArray[np.float32]:
    """Valence (T,) of one sequence's features (T, hidden)."""
    return network(torch.tensor(sequence)[None])[0].numpy()


@torch.no_grad()
def _batched(
    function: Callable[[Tensor], Tensor], frames: NDArray[np.uint8], batch: int
) -> Tensor:
    starts = range(0, len(frames), batch)
    return torch.cat([function(torch.tensor(frames[k : k + batch])) for k in starts])


def _steps(count: int, epochs: int, batch: int) -> list[Tensor]:
    # The last, smaller batch of an epoch is left out, unless it is the only one.
    steps = []
    for _ in range(epochs):
        order = torch.randperm(count)
        steps += list(order[: max(batch, count - count % batch)].split(batch))
    return steps


def _mixed(received: Sequence[NDArray[np.uint8]], rows: Tensor) -> Tensor:
    picked = torch.randint(len(received), (len(rows),)).tolist()
    frames = [received[k][row] for k, row in zip(picked, rows.tolist(), strict=True)]
    return torch.from_numpy(np.stack(frames))


def _patches(low: Tensor, high: Tensor, edge: int) -> tuple[Tensor, Tensor]:
    top, left = (int(torch.randint(low.shape[1] - edge + 1, ())) for _ in range(2))
    part = (slice(None), slice(top, top + edge), slice(left, left + edge))
    return low[part], high[part]


def _flipped(images: Tensor, targets: Tensor, recipe: Recipe) -> tuple[Tensor, Tensor]:
    if not recipe.flip:
        return images, targets
    chosen = torch.rand(len(images)) < 0.5
    images = torch.where(chosen[:, None, None], images.flip(2), images)
    if targets.dim() == 3:  # pictures are mirrored with their input, labels are not
        targets = torch.where(chosen[:, None, None], targets.flip(2), targets)
    return images, targets


def _shifted(images: Tensor, largest: int) -> Tensor:
    if not largest:
        return images
    down, right = (int(torch.randint(2 * largest + 1, ())) for _ in range(2))
    size = images.shape[1]
    padded = pad(images[:, None].float(), (largest,) * 4, mode="replicate")[:, 0]
    return padded[:, down : down + size, right : right + size]


def _descent(
    groups: Iterable[Iterable[nn.Parameter]], recipe: Recipe, shares: Sequence[float] = ()
) -> Descent:
    return Descent(groups, shares=shares, kind=recipe.optimiser, weight_decay=recipe.weight_decay)


def _rate(recipe: Recipe, steps: int) -> Callable[[int], float]:
    """The learning rate of each of so many steps: a tenth after 60 %, and again after 85 %."""
    drops = [max(1, round(share * steps)) for share in (0.6, 0.85)]

    def rate(step: int) -> float:
        found = recipe.learning_rate
        for _ in range(sum(step >= drop for drop in drops)):
            found *= 0.1
        return found

    return rate
