"""Training as a generator of epoch records, resumable to the byte.

    model = initial_network(method, data, rows, seed=0)         # see mic.training.initial
    run = Training(model, data, rows, schedule=Schedule(), seed=0, checkpoint=path)
    for record in run.fit():
        ...                        # stop here at any time; a new Training continues
    prediction = predict(run.model, data, rows)

The order of the clips, the augmentation and the dropout of epoch n depend on the seed and on n
alone, so that a training that is resumed takes the same steps as one that was never stopped.

Arithmetic is float32 on every processor. Where bfloat16 is faster (avx512_bf16) it is not taken:
one table would then hold other numbers on one machine than on the next.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mic.errors import ConfigError, WeightsError
from mic.inputs.tensors import ClipTensors
from mic.models.trainable import Trainable
from mic.storage.checkpoint import Checkpoint, pack_optimizer, unpack_optimizer
from mic.training import parallel
from mic.training.augmentation import augment, drawn_frames
from mic.training.descent import Descent, seeded
from mic.training.schedules import PRESETS, Schedule, learning_rate

__all__ = ["PRESETS", "EpochRecord", "Prediction", "Schedule", "Training", "predict"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class EpochRecord:
    """What one epoch did.

    Attributes:
        epoch: From 1.
        learning_rate: Of its last step.
        loss: Mean of the encoder's loss.
        train_accuracy: On the augmented training clips, while they were trained on.
        parts: Means of the loss's parts; see `Mic.losses`.
        seconds: Wall-clock time; the only field that differs between equal runs.
        evaluation: What the caller's `evaluate` returned; empty where it was not called.
    """

    epoch: int
    learning_rate: float
    loss: float
    train_accuracy: float
    parts: dict[str, float]
    seconds: float
    evaluation: dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Prediction:
    """A model's answers for some clips.

    Attributes:
        logits: (N, classes) float32.
        z: (N, z_size) float32, the features z_E.
    """

    logits: np.ndarray
    z: np.ndarray


class Training:
    """One training run; in a group of processes (`mic.training.parallel`), each one's part of it.

    Args:
        model: Fresh, on the CPU; moved to `device`.
        data: All clips of the dataset.
        rows: Indices of the training clips.
        schedule: How.
        seed: Of the order of clips, augmentation and dropout.
        checkpoint: File that the state is kept in; resumed from if it exists.
        every: Epochs between two states kept; the last is always kept.
        device: "cpu" or "cuda".
        evaluate: Called with the model after epochs; its result (JSON-like) is recorded.
        evaluate_every: After every so many epochs, and after the last.

    Raises:
        WeightsError: The checkpoint is damaged, or belongs to another run.
    """

    def __init__(
        self,
        model: Trainable,
        data: ClipTensors,
        rows: Sequence[int],
        *,
        schedule: Schedule,
        seed: int = 0,
        checkpoint: str | Path | None = None,
        every: int = 1,
        device: str = "cpu",
        evaluate: Callable[[Trainable], dict[str, Any]] | None = None,
        evaluate_every: int = 1,
    ) -> None:
        if not len(rows):
            raise ConfigError("there are no clips to train on")
        self.model = model.to(device)
        self.data = data
        self.rows = torch.as_tensor(list(rows))
        self.schedule = schedule
        self.seed = seed
        self.checkpoint = None if checkpoint is None else Path(checkpoint)
        self.every = every
        self.device = device
        self.evaluate = evaluate
        self.evaluate_every = evaluate_every
        self.records: list[EpochRecord] = []
        self.ranks = parallel.ranks(self.model)
        self.descent = Descent(
            [model.parameters_of_encoder()],
            kind=schedule.optimizer,
            weight_decay=schedule.weight_decay,
            clip_norm=schedule.clip_norm,
            fused=True,
        )
        if self.checkpoint is not None and self.checkpoint.exists():
            self._restore(Checkpoint.load(self.checkpoint))

    def fit(self) -> Iterator[EpochRecord]:
        """Trains epoch by epoch, those of the checkpoint excepted, and yields their records."""
        while len(self.records) < self.schedule.epochs:
            record = self._epoch(len(self.records) + 1)
            self.records.append(record)
            due = record.epoch % self.every == 0 or record.epoch == self.schedule.epochs
            # What diverged is no state to go on from: the one before stays.
            due = due and math.isfinite(record.loss)
            if self.checkpoint is not None and due and parallel.is_first():
                self._state().save(self.checkpoint)
            yield record

    def finish(self) -> None:
        """Trains to the end."""
        for _ in self.fit():
            pass

    def _epoch(self, epoch: int) -> EpochRecord:
        start = time.perf_counter()
        draw = torch.Generator().manual_seed(self.seed * 1_000_003 + epoch)
        order = self.rows[torch.randperm(len(self.rows), generator=draw)]
        size = self.schedule.batch
        batches = list(order.split(size))
        if len(batches) > 1 and len(batches[-1]) < size:
            del batches[-1]
        if self.ranks:
            self.ranks.align()
        totals: dict[str, float] = {}
        correct = seen = 0
        self.model.train()
        # Dropout draws from the global generators, which are the caller's: seeded, then restored.
        with seeded(int(torch.randint(2**62, (), generator=draw))):
            for number, chosen in enumerate(batches):
                progress = (epoch - 1 + number / len(batches)) / self.schedule.epochs
                rate = learning_rate(self.schedule, progress)
                frames = None
                if self.schedule.frames:
                    lengths = self.data.lengths[chosen]
                    frames = drawn_frames(lengths, self.schedule.frames, draw)
                batch = self.data.batch(chosen, frames=frames, device=self.device)
                batch = augment(batch, self.schedule, draw)
                loss, parts, logits = self.model.losses(
                    batch, progress=progress, label_smoothing=self.schedule.label_smoothing
                )
                gathered = self.ranks.sum_gradients if self.ranks else None
                self.descent.step(loss, rate=rate, gathered=gathered)
                correct += int((logits.argmax(1) == batch.labels).sum())
                seen += len(chosen)
                for name, value in {**parts, "loss": float(loss.detach())}.items():
                    totals[name] = totals.get(name, 0.0) + value / len(batches)
        due = epoch % self.evaluate_every == 0 or epoch == self.schedule.epochs
        evaluation = self.evaluate(self.model) if self.evaluate and due else {}
        return EpochRecord(
            epoch=epoch,
            learning_rate=rate,
            loss=totals.pop("loss"),
            train_accuracy=correct / seen,
            parts=totals,
            seconds=time.perf_counter() - start,
            evaluation=evaluation,
        )

    def _identity(self) -> dict[str, Any]:
        return {
            "method": dataclasses.asdict(self.model.method),
            "schedule": _jsonable(dataclasses.asdict(self.schedule)),
            "seed": self.seed,
            "rows": self.rows.tolist(),
            "clips": self._clips,
        }

    @functools.cached_property
    def _clips(self) -> str:
        """SHA-256 of all that is learned from; where the files lie decides nothing."""
        data, found = self.data, hashlib.sha256()
        facts = [data.classes, [data.subjects[row] for row in self.rows.tolist()]]
        found.update(json.dumps(facts).encode())
        columns = (data.labels, data.lengths, data.residual, data.identity, data.apex, data.motion)
        for column in columns:
            if column is not None:
                for row in self.rows:
                    found.update(column[row].cpu().contiguous().numpy().data)
        return found.hexdigest()

    def _state(self) -> Checkpoint:
        tensors = {f"model/{name}": value for name, value in self.model.state_dict().items()}
        facts: dict[str, Any] = {
            "identity": self._identity(),
            # Times differ between equal runs and would make equal states differ in their bytes.
            "records": [{**dataclasses.asdict(r), "seconds": 0.0} for r in self.records],
        }
        for prefix, optimizer in self._optimizers():
            packed, facts[prefix] = pack_optimizer(optimizer, prefix)
            tensors |= packed
        critic = self.model.regulariser
        if critic is not None and critic.generator is not None:
            tensors["critic-generator"] = critic.generator.get_state()
        return Checkpoint(tensors=tensors, facts=facts)

    def _restore(self, state: Checkpoint) -> None:
        facts = state.facts if isinstance(state.facts, dict) else {}
        if facts.get("identity") != self._identity():
            raise WeightsError(
                "belongs to a run of other clips, method, schedule or seed",
                file=self.checkpoint,
                remedy="delete the file, or name another",
            )
        weights = {
            name.removeprefix("model/"): value
            for name, value in state.tensors.items()
            if name.startswith("model/")
        }
        try:
            self.model.load_state_dict(weights)
            for prefix, optimizer in self._optimizers():
                unpack_optimizer(optimizer, prefix, state.tensors, state.facts[prefix])
            critic = self.model.regulariser
            if critic is not None and critic.generator is not None:
                critic.generator.set_state(state.tensors["critic-generator"])
            self.records = [EpochRecord(**record) for record in state.facts["records"]]
        except (RuntimeError, LookupError, ValueError, TypeError, AttributeError) as error:
            raise WeightsError(
                f"does not fit the run that it names: {error}",
                file=self.checkpoint,
                remedy="delete the file; the training starts again",
            ) from error

    def _optimizers(self) -> list[tuple[str, torch.optim.Optimizer]]:
        critic = self.model.regulariser
        found: list[tuple[str, torch.optim.Optimizer]] = [("encoder", self.descent.optimizer)]
        if critic is not None and critic.optimizer is not None:
            found.append(("critic", critic.optimizer))
        return found


@torch.no_grad()
def predict(
    model: Trainable,
    data: ClipTensors,
    rows: Sequence[int] | np.ndarray,
    *,
    batch: int = 16,
    device: str = "cpu",
) -> Prediction:
    """Answers for some clips, without augmentation.

    Args:
        model: What was trained; it is left in the mode that it was in.
        data: The clips.
        rows: (n,) places of the clips in `data`.
        batch: Clips at once.
        device: Where the model lies.

    Returns:
        Logits (n, classes) and features (n, width of z), in the order of `rows`.
    """
    training = model.training
    model.eval()
    logits, features = [], []
    for chosen in torch.as_tensor(list(rows)).split(batch):
        inputs = data.batch(chosen, device=device)
        answer = model(inputs.residual, inputs.lengths, inputs.motion)
        logits.append(answer.logits.cpu())
        features.append(answer.z.cpu())
    model.train(training)
    return Prediction(logits=torch.cat(logits).numpy(), z=torch.cat(features).numpy())


def _jsonable(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _jsonable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_jsonable(item) for item in value]
    return value
