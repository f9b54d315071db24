"""One cell of the grid: what decides it, what it leaves behind, and how it is computed."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import torch

from mic.errors import ConfigError
from mic.experiments.data import Dataset
from mic.experiments.privacy.erasure import fit_erasure
from mic.inputs.coverage import LeftOut
from mic.inputs.tensors import ClipTensors, Representation
from mic.manifest.manifest import Manifest
from mic.manifest.protocols import Split, given_parts, given_split, subject_folds
from mic.models.mic import Identity, Method
from mic.models.trainable import Trainable
from mic.peers import PeerMethod
from mic.processes.workers import torch_threads
from mic.storage import cache
from mic.storage.home import home
from mic.training.initial import Buildable, initial_network
from mic.training.train import EpochRecord, Schedule, Training, predict

# The code version of a prediction: raised when the same cell gives other answers.
STAGE = cache.Stage(name="cells", version=4)
# Columns of `Outcome.history`; a part that a method does not have is NaN.
HISTORY = ("loss", "train_accuracy", "expression", "dependence", "critic", "apex")

# Of what a checkpoint holds: one of another form is no state to go on from.
_STATES = 2


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cell:
    """Everything that decides one training and its predictions.

    Attributes:
        row: Name of the table row that it belongs to; decides nothing.
        split: Name of a split of `splits`.
        parts: Parts that cross-validation divides the people into.
        method: What is trained.
        schedule: How.
        representation: On what.
        seed: Of weights, order and augmentation.
        target: Whether training and validation clips are fitted and the test clips predicted, or
            the training clips fitted and the validation clips predicted (for choices).
    """

    row: str
    split: str
    parts: int
    method: Method | PeerMethod
    schedule: Schedule
    representation: Representation
    seed: int = 0
    target: Literal["test", "validation"] = "test"

    def facts(self) -> dict[str, Any]:
        """All that decides the predictions, JSON-like."""
        facts = dataclasses.asdict(self)
        del facts["row"]
        return facts | {"kind": type(self.method).__name__}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a cell leaves behind.

    Attributes:
        cell: The cell.
        dataset: Name of the dataset.
        classes: Class names.
        train: (N,) indices of the fitted clips in the manifest.
        test: (M,) indices of the predicted clips.
        names: (M,) their clip_ids.
        subjects: (N + M,) who is seen in the fitted and in the predicted clips.
        labels: (N + M,) their classes.
        logits: (M, classes).
        z: (N + M, d) float16, z_E of the fitted and of the predicted clips.
        epochs: (E,) the epochs after which the clips were predicted: about ten, the last included.
        curve: (E, M) the class predicted after each of these.
        history: (epochs, columns of `HISTORY`).
        left_out: Clips of the dataset that could not be read.
        coverage: Share of its clips that could.
    """

    cell: Cell
    dataset: str
    classes: tuple[str, ...]
    train: np.ndarray
    test: np.ndarray
    names: tuple[str, ...]
    subjects: np.ndarray
    labels: np.ndarray
    logits: np.ndarray
    z: np.ndarray
    epochs: np.ndarray
    curve: np.ndarray
    history: np.ndarray
    left_out: tuple[LeftOut, ...] = ()
    coverage: float = 1.0

    @property
    def truth(self) -> np.ndarray:
        """(M,) true classes of the predicted clips."""
        return self.labels[len(self.train) :]

    @property
    def correct(self) -> np.ndarray:
        """(M,) bool; a training that diverged answers no numbers, and none of them is right."""
        told = np.isfinite(self.logits).all(1)
        correct: np.ndarray = told & (self.logits.argmax(1) == self.truth)
        return correct


def splits(manifest: Manifest, *, parts: int = 10) -> list[Split]:
    """The published protocol: given splits where the manifest has them, else subject folds.

    Args:
        manifest: The clips.
        parts: Number of folds; ten in the papers. Fewer cost less: three trainings on two thirds
            of the people test everybody, as ten on nine tenths do.
    """
    given = set(manifest.column("split"))
    if {"train", "val", "test"} <= given:
        return [given_parts(manifest)]
    for tested in ("val", "test"):
        if "train" in given and tested in given:
            return [given_split(manifest, test=tested)]
    return list(subject_folds(manifest, count=min(parts, len(set(manifest.column("subject"))))))


def split_named(name: str, manifest: Manifest, *, parts: int = 10) -> Split:
    """The one of `splits` that is called so.

    Raises:
        ConfigError: There is none.
    """
    found = splits(manifest, parts=parts)
    for split in found:
        if split.name == name:
            return split
    raise ConfigError(
        f"there is no split {name!r}",
        file=manifest.root,
        remedy=f"choose one of {', '.join(split.name for split in found)}",
    )


def grid(
    data: Dataset,
    methods: Mapping[str, Method | PeerMethod],
    *,
    schedule: Schedule,
    representation: Representation,
    folds: int,
    parts: int = 10,
    seeds: Sequence[int] = (0,),
    target: Literal["test", "validation"] = "test",
) -> list[Cell]:
    """Cells of several rows over the same folds and seeds.

    Args:
        data: The dataset.
        methods: Rows: name and method. A method with a motion branch gets motion.
        schedule: How all are trained.
        representation: On what.
        folds: The first so many splits (fewer where there are fewer).
        parts: See `splits`.
        seeds: Repetitions.
        target: See `Cell`.
    """
    cells = []
    for split in splits(data.manifest, parts=parts)[:folds]:
        for seed in seeds:
            for row, method in methods.items():
                motion = getattr(method, "motion", False) or representation.with_motion
                cells.append(
                    Cell(
                        row=row,
                        split=split.name,
                        parts=parts,
                        method=method,
                        schedule=schedule,
                        representation=dataclasses.replace(representation, with_motion=motion),
                        seed=seed,
                        target=target,
                    )
                )
    return cells


def compute(data: Dataset, cell: Cell, *, device: str = "cpu") -> Outcome:
    """A cell's outcome: read if it is stored and whole, else computed and stored.

    Always on one thread, so that the answers do not depend on how many cells run side by side.

    Args:
        data: The dataset.
        cell: The cell.
        device: Where it is trained. It does not name the outcome: sums are taken in another order
            there, which parts the weights as another processor would, less than another seed.
    """
    arrays = cache.fetch(STAGE, compute=lambda: _train(data, cell, device), **_entry(data, cell))
    rows = np.concatenate([arrays["train"], arrays["test"]])
    clips = data.manifest.clips
    labels = np.array(data.manifest.label_indices())
    return Outcome(
        cell=cell,
        dataset=data.name,
        classes=data.manifest.classes,
        names=tuple(clips[row].clip_id for row in arrays["test"]),
        subjects=np.array([clips[row].subject for row in rows]),
        labels=labels[rows],
        left_out=data.left_out + data.absent,
        coverage=data.coverage,
        **arrays,
    )


def is_stored(data: Dataset, cell: Cell) -> bool:
    """Whether a cell's outcome lies in the store (whole or not: `compute` sees to that)."""
    return cache.entry_path(STAGE, **_entry(data, cell)).is_file()


def _entry(data: Dataset, cell: Cell) -> dict[str, Any]:
    return {
        "inputs": [data.manifest.digest(), data.network, *_placebo(data)],
        "parameters": facts_of(data, cell),
        "folder": data.folder,
    }


def _placebo(data: Dataset) -> list[str]:
    return [data.placebo] if data.placebo else []


def facts_of(data: Dataset, cell: Cell) -> dict[str, Any]:
    """All that decides the predictions, what could not be read of the dataset included."""
    out = sorted(one.clip for one in data.left_out)
    return cell.facts() | ({"left_out": out} if out else {})


@dataclasses.dataclass(frozen=True, kw_only=True)
class Fitted:
    """A finished training and what it was done with.

    Attributes:
        training: Its records, and the model.
        clips: All clips of the dataset.
        fitted: Rows that were trained on.
        tested: Rows of other people.
    """

    training: Training
    clips: ClipTensors
    fitted: tuple[int, ...]
    tested: tuple[int, ...]


def rows_of(data: Dataset, cell: Cell) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Rows of the manifest that a cell is fitted to, and those of other people it is asked about.

    Args:
        data: The dataset; what is left out of it is in neither.
        cell: Names the split.
    """
    split = split_named(cell.split, data.manifest, parts=cell.parts)
    parts = (split.train, split.validation)
    if cell.target == "test":
        parts = (split.train + split.validation, split.test)
    kept = set(data.kept())
    fitted, tested = (tuple(row for row in rows if row in kept) for rows in parts)
    return fitted, tested


def fit(data: Dataset, cell: Cell, *, device: str = "cpu") -> Fitted:
    """Trains a cell's network, whatever the store holds of its answers; interrupted, it goes on.

    Args:
        data: The dataset.
        cell: What is trained, and on which people.
        device: A name of torch's.
    """
    fitted, tested = rows_of(data, cell)
    clips = data.tensors(cell.representation, device=device)
    if device != "cpu":
        torch.backends.cudnn.benchmark = True  # the same shapes come a thousand times
    facts = facts_of(data, cell)
    inputs = [_STATES, data.manifest.digest(), data.network, *_placebo(data), facts]
    text = json.dumps(inputs, sort_keys=True)
    key = hashlib.sha256(text.encode()).hexdigest()
    checkpoint = home() / "checkpoints" / f"{key}.safetensors"
    with torch_threads(1):
        method: Buildable[Trainable] = cell.method
        model = initial_network(method, clips, fitted, seed=cell.seed)

        def evaluate(model: Trainable) -> dict[str, Any]:
            logits = predict(model, clips, tested, device=device).logits
            return {"predicted": logits.argmax(1).tolist()}

        training = Training(
            model,
            clips,
            fitted,
            schedule=cell.schedule,
            seed=cell.seed,
            # On an accelerator a training is over before there is much to lose.
            checkpoint=checkpoint if device == "cpu" else None,
            every=10,
            device=device,
            evaluate=evaluate,
            evaluate_every=max(1, cell.schedule.epochs // 10),
        )
        training.finish()
    checkpoint.unlink(missing_ok=True)
    return Fitted(training=training, clips=clips, fitted=fitted, tested=tested)


def _train(data: Dataset, cell: Cell, device: str) -> dict[str, np.ndarray]:
    done = fit(data, cell, device=device)
    model, records = done.training.model, done.training.records
    clips, fitted = done.clips, done.fitted
    with torch_threads(1):
        evaluated = [record for record in records if record.evaluation]
        history = np.array([_history(record) for record in records])
        z = predict(model, clips, fitted, device=device).z
        answer = predict(model, clips, done.tested, device=device)
        z = np.concatenate([z, answer.z])
        logits = answer.logits
        if isinstance(cell.method, Method) and cell.method.erase:
            labels = clips.labels[list(fitted)].cpu().numpy()
            z, logits = _erased(cell.method, clips, fitted, z, labels)
    return {
        "train": np.array(fitted),
        "test": np.array(done.tested),
        "logits": logits.astype(np.float32),
        "z": z.astype(np.float16),
        "epochs": np.array([record.epoch for record in evaluated]),
        "curve": np.array([r.evaluation["predicted"] for r in evaluated], np.uint8),
        "history": history.astype(np.float32),
    }


def _erased(
    method: Method, clips: ClipTensors, fitted: Sequence[int], z: np.ndarray, labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """z_E without what a linear map can tell of z_I, and the logits of a classifier on it."""
    from sklearn.linear_model import LogisticRegression  # slow, see `mic.evaluation.leakage`

    count = len(fitted)
    raw = clips.identity[list(fitted)].cpu()
    # A direction erased on the strength of few clips erases chance.
    z_i = Identity(raw, size=min(method.identity_size, count // 4))(raw)
    features = torch.from_numpy(z)
    erasure = fit_erasure(features[:count], z_i, within=torch.from_numpy(labels), shrinkage=0.1)
    erased = erasure(features).numpy()
    scale = np.maximum(erased[:count].std(0), 1e-6)
    classifier = LogisticRegression(C=0.01, max_iter=2000).fit(erased[:count] / scale, labels)
    logits = np.full((len(z) - count, len(clips.classes)), -1e4, np.float32)
    logits[:, classifier.classes_] = classifier.predict_log_proba(erased[count:] / scale)
    return erased, logits


def _history(record: EpochRecord) -> list[float]:
    values = {"loss": record.loss, "train_accuracy": record.train_accuracy, **record.parts}
    return [values.get(name, float("nan")) for name in HISTORY]
