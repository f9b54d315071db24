"""Training as a generator of epoch records, resumable to the byte.

    run = Training(model, data, rows, schedule=Schedule(), seed=0, checkpoint=path)
    for record in run.fit():
        ...                        # stop here at any time; a new Training continues
    prediction = predict(run.model, data, rows)

The order of the clips, the augmentation and the dropout of epoch n depend on the seed and on n
alone, so that a training that is resumed takes the same steps as one that was never stopped.
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from mic.checkpoint import Checkpoint, pack_optimizer, unpack_optimizer
from mic.datasets.tensors import ClipTensors
from mic.errors import ConfigError, WeightsError
from mic.models.mic import Batch, Mic


@dataclasses.dataclass(frozen=True, kw_only=True)
class Schedule:
    """How it is trained.

    Attributes:
        epochs: Passes over the training clips.
        batch: Clips a step (48 in the paper); the last, smaller batch of an epoch is dropped
            unless it is the only one.
        optimizer: `adamw`, or `adam` with the weight decay in the gradient, as the paper's.
        learning_rate: Peak (`cosine`) or initial (`steps`).
        weight_decay: See `optimizer`.
        decay: `cosine` rises over 15 % of the training and falls to zero; `steps` follows
            `milestones`.
        milestones: (epoch, learning rate) pairs from which the rate changes.
        label_smoothing: Of the cross-entropy.
        shift: Largest random displacement of a clip, as a share of its edge.
        flip: Whether clips are mirrored at random.
        gain: Largest random change of a clip's amplitude, relative.
        cutout: Edge of a square that is blanked at random, as a share of the clip's edge.
        clip_norm: Largest gradient norm; 0 for none.
    """

    epochs: int = 40
    batch: int = 32
    optimizer: Literal["adamw", "adam"] = "adamw"
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    decay: Literal["cosine", "steps"] = "cosine"
    milestones: tuple[tuple[int, float], ...] = ()
    label_smoothing: float = 0.0
    shift: float = 1 / 16
    flip: bool = True
    gain: float = 0.2
    cutout: float = 0.0
    clip_norm: float = 5.0


def _paper(learning_rate: float, *milestones: tuple[int, float]) -> Schedule:
    return Schedule(
        epochs=100,
        batch=48,
        optimizer="adam",
        learning_rate=learning_rate,
        weight_decay=1e-5,
        decay="steps",
        milestones=milestones,
        shift=0.0,
        flip=False,
        gain=0.0,
        clip_norm=0.0,
    )


# "Adam with momentum 0.9", batch 48, weight decay 1e-5, about 100 epochs; no augmentation is told.
PRESETS: Mapping[str, Schedule] = MappingProxyType(
    {
        "default": Schedule(),
        "paper-ck": _paper(1e-1, (30, 1e-2)),
        "paper-mmi": _paper(1e-1, (30, 1e-2)),
        "paper-afew": _paper(1e-4, (30, 8e-6), (60, 1e-7)),
    }
)


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
        evaluation: What the caller's `evaluate` returned.
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
    """One training run.

    Args:
        model: Fresh, on the CPU; moved to `device`.
        data: All clips of the dataset.
        rows: Indices of the training clips.
        schedule: How.
        seed: Of the order of clips, augmentation and dropout.
        checkpoint: File that the state is kept in after every epoch; resumed from if it exists.
        device: "cpu" or "cuda".
        evaluate: Called after each epoch with the model; its result (JSON-like) is recorded.
        compiled: Whether the expression branch runs through `torch.compile`.

    Raises:
        WeightsError: The checkpoint is damaged, or belongs to another run.
    """

    def __init__(
        self,
        model: Mic,
        data: ClipTensors,
        rows: Sequence[int],
        *,
        schedule: Schedule,
        seed: int = 0,
        checkpoint: str | Path | None = None,
        device: str = "cpu",
        evaluate: Callable[[Mic], dict[str, Any]] | None = None,
        compiled: bool = False,
    ) -> None:
        if not len(rows):
            raise ConfigError("there are no clips to train on")
        self.model = model.to(device)
        self.data = data
        self.rows = torch.as_tensor(list(rows))
        self.schedule = schedule
        self.seed = seed
        self.checkpoint = None if checkpoint is None else Path(checkpoint)
        self.device = device
        self.evaluate = evaluate
        self.records: list[EpochRecord] = []
        if compiled:
            self.model.expression.encoder.compile(dynamic=True)
        kind = torch.optim.AdamW if schedule.optimizer == "adamw" else torch.optim.Adam
        self.optimizer = kind(
            model.parameters_of_encoder(),
            lr=schedule.learning_rate,
            betas=(0.9, 0.999),
            weight_decay=schedule.weight_decay,
        )
        if self.checkpoint is not None and self.checkpoint.exists():
            self._restore(Checkpoint.load(self.checkpoint))

    def fit(self) -> Iterator[EpochRecord]:
        """Trains epoch by epoch, those of the checkpoint excepted, and yields their records."""
        while len(self.records) < self.schedule.epochs:
            record = self._epoch(len(self.records) + 1)
            self.records.append(record)
            if self.checkpoint is not None:
                self._state().save(self.checkpoint)
            yield record

    def _epoch(self, epoch: int) -> EpochRecord:
        start = time.perf_counter()
        draw = torch.Generator().manual_seed(self.seed * 1_000_003 + epoch)
        order = self.rows[torch.randperm(len(self.rows), generator=draw)]
        size = self.schedule.batch
        batches = list(order.split(size))
        if len(batches) > 1 and len(batches[-1]) < size:
            del batches[-1]
        totals: dict[str, float] = {}
        correct = seen = 0
        self.model.train()
        # Dropout draws from the global generators, which are the caller's: seeded, then restored.
        with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
            torch.manual_seed(int(torch.randint(2**62, (), generator=draw)))
            for number, chosen in enumerate(batches):
                progress = (epoch - 1 + number / len(batches)) / self.schedule.epochs
                rate = learning_rate(self.schedule, progress)
                for group in self.optimizer.param_groups:
                    group["lr"] = rate
                batch = self.data.batch(chosen, device=self.device)
                batch = augment(batch, self.schedule, draw)
                with mixed_precision(self.device):
                    loss, parts, logits = self.model.losses(
                        batch, progress=progress, label_smoothing=self.schedule.label_smoothing
                    )
                self.optimizer.zero_grad()
                loss.backward()
                if self.schedule.clip_norm:
                    torch.nn.utils.clip_grad_norm_(
                        self.model.parameters_of_encoder(), self.schedule.clip_norm
                    )
                self.optimizer.step()
                correct += int((logits.argmax(1) == batch.labels).sum())
                seen += len(chosen)
                for name, value in {**parts, "loss": float(loss.detach())}.items():
                    totals[name] = totals.get(name, 0.0) + value / len(batches)
        evaluation = self.evaluate(self.model) if self.evaluate else {}
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
        }

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
        generator = getattr(self.model.regulariser, "generator", None)
        if generator is not None:
            tensors["critic-generator"] = generator.get_state()
        return Checkpoint(tensors=tensors, facts=facts)

    def _restore(self, state: Checkpoint) -> None:
        if state.facts["identity"] != self._identity():
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
        self.model.load_state_dict(weights)
        for prefix, optimizer in self._optimizers():
            unpack_optimizer(optimizer, prefix, state.tensors, state.facts[prefix])
        if "critic-generator" in state.tensors:
            self.model.regulariser.generator.set_state(state.tensors["critic-generator"])
        self.records = [EpochRecord(**record) for record in state.facts["records"]]

    def _optimizers(self) -> list[tuple[str, torch.optim.Optimizer]]:
        critic = self.model.regulariser
        found = [("encoder", self.optimizer)]
        if critic is not None and critic.optimizer is not None:
            found.append(("critic", critic.optimizer))
        return found


@torch.no_grad()
def predict(
    model: Mic, data: ClipTensors, rows: Sequence[int], *, batch: int = 64, device: str = "cpu"
) -> Prediction:
    """Answers for the clips `rows`, in full precision of the logits, without augmentation."""
    training = model.training
    model.eval()
    logits, features = [], []
    for chosen in torch.as_tensor(list(rows)).split(batch):
        inputs = data.batch(chosen, device=device)
        with mixed_precision(device):
            answer = model(inputs.residual, inputs.lengths, inputs.motion)
        logits.append(answer.logits.float().cpu())
        features.append(answer.z.float().cpu())
    model.train(training)
    return Prediction(logits=torch.cat(logits).numpy(), z=torch.cat(features).numpy())


def learning_rate(schedule: Schedule, progress: float) -> float:
    """The rate after a share `progress` (0 to 1) of the training."""
    if schedule.decay == "steps":
        epoch = progress * schedule.epochs
        passed = [rate for start, rate in schedule.milestones if epoch >= start]
        return passed[-1] if passed else schedule.learning_rate
    if progress < 0.15:
        return schedule.learning_rate * (0.05 + 0.95 * progress / 0.15)
    return schedule.learning_rate * 0.5 * (1 + float(np.cos(np.pi * (progress - 0.15) / 0.85)))


def augment(batch: Batch, schedule: Schedule, draw: torch.Generator) -> Batch:
    """Mirrors, displaces, scales and blanks each clip as a whole, motion along with it.

    Args:
        batch: Not changed.
        schedule: Which of these, how far.
        draw: Source of randomness, on the CPU.
    """
    count, edge = len(batch.residual), batch.residual.shape[-1]
    reach = round(schedule.shift * edge)
    hole = round(schedule.cutout * edge)
    residual = batch.residual.clone()
    motion = None if batch.motion is None else batch.motion.clone()
    apex = None if batch.apex is None else batch.apex.clone()
    # Motion planes are coarser by this factor.
    coarse = 1 if motion is None else max(1, edge // motion.shape[-1])
    for index in range(count):
        mirrored, *place = torch.rand(5, generator=draw).tolist()
        if schedule.flip and mirrored < 0.5:
            residual[index] = residual[index].flip(-1)
            if motion is not None:
                motion[index] = motion[index].flip(-1)
                motion[index, :, 0].neg_()
            if apex is not None:
                apex[index] = apex[index].flip(-1)
        if reach:
            dy, dx = (int((2 * reach + 1) * share) - reach for share in place[:2])
            residual[index] = _displaced(residual[index], dy, dx)
            if motion is not None:
                motion[index] = _displaced(motion[index], dy // coarse, dx // coarse)
        if hole:
            top, left = (int((edge - hole + 1) * share) for share in place[2:])
            residual[index, :, :, top : top + hole, left : left + hole] = 0
    if schedule.gain:
        factor = 1 + schedule.gain * (2 * torch.rand(count, generator=draw) - 1)
        residual *= factor.to(residual)[:, None, None, None, None]
    return dataclasses.replace(batch, residual=residual, motion=motion, apex=apex)


def _displaced(planes: Tensor, dy: int, dx: int) -> Tensor:
    # Nothing moved outside the picture: zeros come in.
    moved = torch.zeros_like(planes)
    height, width = planes.shape[-2:]
    to_y, from_y = _overlap(dy, height)
    to_x, from_x = _overlap(dx, width)
    moved[..., to_y, to_x] = planes[..., from_y, from_x]
    return moved


def _overlap(by: int, size: int) -> tuple[slice, slice]:
    return slice(max(0, by), size + min(0, by)), slice(max(0, -by), size + min(0, -by))


def mixed_precision(device: str) -> contextlib.AbstractContextManager:
    """bfloat16 where the hardware multiplies it faster than float32, else nothing."""
    fast = device != "cpu" or torch.cpu.get_capabilities().get("avx512_bf16", False)
    return torch.autocast(device, torch.bfloat16) if fast else contextlib.nullcontext()


def _jsonable(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _jsonable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_jsonable(item) for item in value]
    return value
