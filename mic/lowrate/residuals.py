"""MIC under low bit rate: residuals over a rate ladder, and one model for all of its rungs.

Max-mix training carried over to the compressed domain. A rung is a down-sampling factor and a
quantiser; each clip is sent at each rung, and the residuals accumulated since its I-frame are read
from what was sent, no picture decoded. A dedicated model is trained on one rung; the mixed one
sees all of them and takes as many steps as a dedicated one. What it loses may be for want of
steps: a longer training sees the clips of each rung as often as a dedicated one does.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from mic import codec
from mic.evaluation import metrics
from mic.experiments import splits
from mic.experiments.cells import split_named
from mic.experiments.runner import Task, outcomes, processes
from mic.inputs.tensors import ClipTensors
from mic.lowrate.rungs import Rung, Shown, read, sent, transmit
from mic.manifest.manifest import Clip, Manifest
from mic.models.mic import Method, Mic
from mic.processes.workers import torch_threads
from mic.storage import cache
from mic.training.initial import initial_network
from mic.training.train import Schedule, Training, predict

_ANSWERS = cache.Stage(name="lowrate-residual", version=3)
MIXED = "max-mix"
LONGER = "max-mix, longer"


@dataclass(frozen=True, kw_only=True)
class Ladder:
    """Everything that decides the comparison.

    Attributes:
        manifest: Clips with classes.
        identity: (N, d) z_I of the clips, without NaN.
        rungs: Operating points; the first is the finest.
        method: What is trained; its apex branch is left out, because no picture is decoded.
        schedule: How.
        steps: Residuals a clip.
        edge: Edge of the residual maps, the same for all rungs, in samples.
        folds: Subject-disjoint folds; together they test everybody.
        seed: Of weights, order and augmentation.
        shown: What networks see of a rung: residuals, or decoded pictures less the first.
        mixes: Models that are trained on all rungs: `MIXED`, `LONGER`, both or none.
    """

    manifest: Manifest
    identity: np.ndarray
    rungs: tuple[Rung, ...]
    method: Method
    schedule: Schedule
    steps: int = 8
    edge: int = 32
    folds: int = 3
    seed: int = 0
    shown: Shown = "residuals"
    mixes: tuple[str, ...] = (MIXED, LONGER)

    def delivered(self, rung: Rung) -> list[cache.Arrays]:
        """What a rung delivers of each clip; see `mic.lowrate.rungs.sent`."""
        edge, steps, shown = self.edge, self.steps, self.shown
        return [
            sent(self.manifest.path(clip), clip.sha256, rung, steps=steps, edge=edge, shown=shown)
            for clip in self.manifest
        ]

    def tensors(self, rung: Rung) -> ClipTensors:
        """All clips as one rung delivers them."""
        manifest, clips = self.manifest, self.delivered(rung)
        return ClipTensors(
            names=tuple(manifest.column("clip_id")),
            subjects=tuple(manifest.column("subject")),
            labels=torch.tensor(manifest.label_indices()),
            classes=manifest.classes,
            residual=torch.from_numpy(np.stack([clip["maps"] for clip in clips])),
            lengths=torch.full((len(clips),), self.steps),
            identity=torch.from_numpy(self.identity.astype(np.float32)),
        )

    def models(self) -> dict[str, tuple[Rung, ...]]:
        """What each model is trained on: one rung each, and all of them."""
        mixed = dict.fromkeys(self.mixes, self.rungs)
        return {dedicated(rung): (rung,) for rung in self.rungs} | mixed

    def epochs(self, model: str) -> int:
        """Passes of a model over its clips, which are those of all its rungs."""
        if model == MIXED:
            return max(1, math.ceil(self.schedule.epochs / len(self.rungs)))
        return self.schedule.epochs

    def is_stored(self, cell: tuple[str, str]) -> bool:
        """Whether the answers of a model for a fold are in the cache."""
        return cache.entry_path(_ANSWERS, **_entry(self, *cell)).is_file()

    def shared(self, cells: Sequence[tuple[str, str]]) -> list[list[Task]]:
        """The clips at every rung; see `mic.experiments.runner.Grid`."""
        return [[partial(_send_all, self, rung) for rung in self.rungs if cells]]

    def outcome(self, cell: tuple[str, str]) -> cache.Arrays:
        """The answers of a model for a fold."""
        return answers(self, *cell)


def _send_all(ladder: Ladder, rung: Rung) -> None:
    ladder.tensors(rung)


def run(ladder: Ladder, *, jobs: int = 1) -> None:
    """Sends all clips, trains all models on all folds and tests them on all rungs.

    Args:
        ladder: The comparison.
        jobs: Processes of one thread each.

    Raises:
        MicError: What the first failing task raised.
    """
    folds = [split.name for split in splits(ladder.manifest, parts=ladder.folds)]
    trained = ladder.models()
    # Longest first, so that no process is left with one at the end.
    longest = sorted(trained, key=lambda name: -ladder.epochs(name) * len(trained[name]))
    cells = [(name, fold) for name in longest for fold in folds]
    missing = [cell for cell in cells if not ladder.is_stored(cell)]
    if missing:
        with processes(jobs) as executor:
            outcomes([(ladder, missing)], executor=executor)


def answers(ladder: Ladder, model: str, fold: str) -> cache.Arrays:
    """One model's logits for the test clips of a fold at every rung.

    Returns:
        `rows` (M,) clips of the manifest, and `logits` (rungs, M, classes).
    """
    entry = _entry(ladder, model, fold)
    return cache.fetch(_ANSWERS, **entry, compute=lambda: _answer(ladder, model, fold))


def _entry(ladder: Ladder, model: str, fold: str) -> dict[str, Any]:
    shown = {} if ladder.shown == "residuals" else {"shown": ladder.shown}
    return {
        "inputs": [ladder.manifest.digest(), _digest(ladder.identity)],
        "parameters": {
            "train": ladder.models()[model],
            "test": ladder.rungs,
            "fold": fold,
            "folds": ladder.folds,
            "steps": ladder.steps,
            "edge": ladder.edge,
            "seed": ladder.seed,
            "method": ladder.method,
            "schedule": dataclasses.replace(ladder.schedule, epochs=ladder.epochs(model)),
            **shown,
        },
    }


def _answer(ladder: Ladder, model: str, fold: str) -> dict[str, np.ndarray]:
    split = split_named(fold, ladder.manifest, parts=ladder.folds)
    fitted, tested = split.train + split.validation, split.test
    with torch_threads(1):
        network = _fitted(ladder, model, fitted)
        logits = [predict(network, ladder.tensors(rung), tested).logits for rung in ladder.rungs]
    return {"rows": np.array(tested), "logits": np.stack(logits).astype(np.float32)}


def _fitted(ladder: Ladder, model: str, rows: Sequence[int]) -> Mic:
    parts = [ladder.tensors(rung) for rung in ladder.models()[model]]
    first, count = parts[0], len(parts[0])
    data = dataclasses.replace(
        first,
        names=first.names * len(parts),
        subjects=first.subjects * len(parts),
        labels=first.labels.repeat(len(parts)),
        residual=torch.cat([part.residual for part in parts]),
        lengths=first.lengths.repeat(len(parts)),
        identity=first.identity.repeat(len(parts), 1),
    )
    rows = [part * count + row for part in range(len(parts)) for row in rows]
    schedule = dataclasses.replace(ladder.schedule, epochs=ladder.epochs(model))
    network = initial_network(ladder.method, data, rows, seed=ladder.seed)
    Training(network, data, rows, schedule=schedule, seed=ladder.seed).finish()
    return network


def accuracy_table(ladder: Ladder, *, resamples: int = 2000) -> pd.DataFrame:
    """Accuracy of the models over the ladder, and what each changes on a rung's dedicated model.

    Returns:
        `model` (dedicated, finest, max-mix, longer), `steps` (of its training, as a multiple of a
        dedicated model's), `factor`, `quantiser`, `bits_per_pixel`,
        `bit_rate`, `accuracy` with its interval over subjects, `change` (this model minus the
        dedicated, paired) with its interval, `n`, `subjects`. "finest" is the model of the
        finest rung at all others.
    """
    subjects = np.array(ladder.manifest.column("subject"))
    rows = []
    for k, rung in enumerate(ladder.rungs):
        named = {"dedicated": dedicated(rung), "finest": dedicated(ladder.rungs[0])}
        named |= {name: name for name in ladder.mixes}
        own = None
        for title, model in named.items():
            tested, right = judged(ladder, model, k)
            own = right if own is None else own
            itself = model == named["dedicated"]
            accuracy, change = (
                metrics.subject_bootstrap(right, subjects[tested], resamples=resamples),
                metrics.paired_difference(own, right, subjects[tested], resamples=resamples),
            )
            rows.append(
                {
                    "model": title,
                    "steps": ladder.epochs(model)
                    * len(ladder.models()[model])
                    / ladder.schedule.epochs,
                    "factor": rung.factor,
                    "quantiser": rung.quantiser,
                    **_rate(ladder, rung),
                    "accuracy": accuracy.value,
                    "accuracy_low": accuracy.low,
                    "accuracy_high": accuracy.high,
                    # A model held against itself changes nothing, without doubt.
                    "change": 0.0 if itself else change.value,
                    "change_low": 0.0 if itself else change.low,
                    "change_high": 0.0 if itself else change.high,
                    "n": len(tested),
                    "subjects": len(set(subjects[tested])),
                }
            )
    return pd.DataFrame(rows)


def judged(ladder: Ladder, model: str, place: int) -> tuple[np.ndarray, np.ndarray]:
    """Which clips a model names rightly at one rung, over all folds.

    Args:
        ladder: The comparison, whose answers are stored or will be made.
        model: One of `Ladder.models`.
        place: Of the rung in the ladder.

    Returns:
        (N,) clips of the manifest, and (N,) whether each is right.
    """
    labels = np.array(ladder.manifest.label_indices())
    folds = [split.name for split in splits(ladder.manifest, parts=ladder.folds)]
    found = [answers(ladder, model, fold) for fold in folds]
    tested = np.concatenate([part["rows"] for part in found])
    named = np.concatenate([part["logits"][place].argmax(1) for part in found])
    return tested, named == labels[tested]


def speed_table(ladder: Ladder, *, clips: int = 8, repeats: int = 5) -> pd.DataFrame:
    """Frames a second from the received bytes to the answer, on one thread.

    Args:
        ladder: The comparison; the networks are untrained, which changes no time.
        clips: The first so many are timed.
        repeats: Of the whole; the median counts.

    Returns:
        `factor`, `quantiser`, `frames_per_second` (of the video: parsing, accumulating and the
        network), `parse_share`, `clips`.
    """
    data = ladder.tensors(ladder.rungs[0])
    network = Mic(
        ladder.method, classes=len(data.classes), identity=data.identity, steps=ladder.steps
    ).eval()
    chosen = ladder.manifest.clips[:clips]
    with torch_threads(1), tempfile.TemporaryDirectory() as folder:
        received = [
            _received(ladder, chosen, rung, Path(folder) / str(k))
            for k, rung in enumerate(ladder.rungs)
        ]
        # Rungs take turns, so that a slower minute of the machine falls on all of them.
        timings = [
            [_timed(network, targets, ladder) for targets, _ in received] for _ in range(repeats)
        ]
    return pd.DataFrame(
        [
            {
                "factor": rung.factor,
                "quantiser": rung.quantiser,
                "frames_per_second": frames / total,
                "parse_share": parse / total,
                "clips": len(chosen),
            }
            for rung, (_, frames), (parse, total) in zip(
                ladder.rungs, received, np.median(timings, axis=0), strict=True
            )
        ]
    )


def _received(
    ladder: Ladder, clips: Sequence[Clip], rung: Rung, folder: Path
) -> tuple[list[Path], int]:
    """The clips as the rung's sender writes them, and their frames."""
    targets, frames = [], 0
    for clip in clips:
        path = ladder.manifest.path(clip)
        targets.append(folder / f"{clip.clip_id}.mp4")
        frames += transmit(path, targets[-1], codec.probe(path), rung).frames
    return targets, frames


@torch.no_grad()
def _timed(network: Mic, targets: Sequence[Path], ladder: Ladder) -> tuple[float, float]:
    start = time.perf_counter()
    maps = [read(target, ladder.steps, ladder.edge) for target in targets]
    parsed = time.perf_counter()
    for clip in maps:
        network(torch.from_numpy(clip)[None].float())
    return parsed - start, time.perf_counter() - start


def _rate(ladder: Ladder, rung: Rung) -> dict[str, float]:
    clips = ladder.delivered(rung)
    bits, pixels, seconds = (
        sum(float(clip[name]) for clip in clips) for name in ("bits", "pixels", "seconds")
    )
    return {"bits_per_pixel": bits / pixels, "bit_rate": bits / seconds}


def dedicated(rung: Rung) -> str:
    """The name of the model that is trained on one rung alone."""
    return f"factor {rung.factor}, quantiser {rung.quantiser}"


def _digest(array: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()
