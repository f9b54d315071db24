"""From labelled videos to a network, judged on people it was not trained on."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch

from mic import identity
from mic.errors import DatasetError
from mic.evaluation import leakage, metrics
from mic.fitting import valence
from mic.fitting.clips import SUBJECT, Labelled, LeftOut, Recipe, class_folders, tensors_of
from mic.inputs.tensors import ClipTensors
from mic.manifest.protocols import assign_folds
from mic.models.mic import Method, Mic
from mic.publishing import plots
from mic.recognition import recogniser
from mic.storage import atomic
from mic.training import parallel
from mic.training.train import EpochRecord, Schedule, Training, predict

# A network of two megabytes: it trains on a laptop and ships in a repository.
METHOD = Method(feature_size=128, z_size=128, grid=2, regulariser="none", beta=0.0)
SCHEDULE = Schedule(epochs=40, frames=6)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Fit:
    """A trained network and what it is worth.

    Attributes:
        classes: Names.
        confusion: (C, C) test clips: true class by predicted class.
        accuracy: On the test clips, with a 95 % interval over clips.
        leakage: How much of the person its features keep.
        concordance: Between given and predicted valence of the test clips that are rated (CCC);
            NaN where that cannot be measured.
        rated: How many of the test clips are.
        train_clips: Clips trained on.
        train_subjects: People trained on.
        test_clips: Clips of other people.
        test_subjects: Those people.
        left_out: Videos that could not be used.
        weights: The file for `mic predict`.
        sha256: Its digest; empty in all but the first process of a group.
    """

    classes: tuple[str, ...]
    confusion: np.ndarray
    accuracy: metrics.Interval
    leakage: leakage.Leakage
    concordance: float
    rated: int
    train_clips: int
    train_subjects: int
    test_clips: int
    test_subjects: int
    left_out: tuple[LeftOut, ...]
    weights: Path
    sha256: str


def fit(
    videos: str | Path | Sequence[Labelled],
    target: str | Path,
    *,
    recipe: Recipe | None = None,
    method: Method = METHOD,
    schedule: Schedule = SCHEDULE,
    folds: int = 5,
    seed: int = 0,
    subject: str = SUBJECT,
    network: str = "mobilefacenet",
    about: str = "the user's own videos",
    expect: str = "",
    folder: str | Path | None = None,
    device: str = "cpu",
    progress: Callable[[str, int, int], None] | None = None,
) -> Fit:
    """Trains on all people but one part of them, and tests on that part.

    Args:
        videos: A folder of class folders, or labelled videos.
        target: Folder for model.safetensors, confusion.csv and .png, leakage.csv and fit.json;
            the training's state is kept there too, and an interrupted one goes on.
        recipe: How a video becomes an input.
        method: What is trained.
        schedule: How.
        folds: One of so many parts of the people is the test.
        seed: Of weights and batches.
        subject: See `class_folders`.
        network: Identity network that leakage is measured with, or "none".
        about: What the videos are, for the card's summary.
        expect: A sentence that ends the summary: what not to expect.
        folder: The cache; by default `MIC_HOME/cache`.
        device: To train on, "cpu" or "cuda". In a group of processes (`mic.training.parallel`)
        each takes
            part, and the first one writes.
        progress: Called with a stage ("videos", "epochs"), what is done of it, and all of it.

    Raises:
        DatasetError: Too few classes, people or usable videos.
        WeightsError: The training diverged.
        StorageError: The target cannot be written.
    """
    recipe, target = recipe or Recipe(), Path(target)
    labelled = (
        class_folders(videos, subject=subject) if isinstance(videos, str | Path) else list(videos)
    )
    clips, left_out = tensors_of(
        labelled,
        recipe,
        network=None if network == "none" else identity.load(network),
        folder=folder,
        progress=None if progress is None else lambda done, total: progress("videos", done, total),
    )
    train, test = _parts(clips, folds)
    model = _trained(clips, train, method, schedule, seed, target, device, progress)
    answer = predict(model, clips, test)
    labels = clips.labels.numpy()
    confusion = metrics.confusion(labels[test], answer.logits.argmax(1), len(clips.classes))
    known = predict(model, clips, train).z
    leaked = leakage.measure(
        _features(clips, train, known), _features(clips, test, answer.z), seed=seed
    )
    given = {str(one.path): one.valence for one in labelled if one.valence is not None}
    ratings = np.array([given.get(name, math.nan) for name in clips.names])
    layer = valence.fitted(known, ratings[train])
    accuracy = metrics.wilson(int(np.trace(confusion)), len(test))
    subjects = np.array(clips.subjects)
    counts = {
        "train_clips": len(train),
        "train_subjects": len(set(subjects[train])),
        "test_clips": len(test),
        "test_subjects": len(set(subjects[test])),
    }
    card = recogniser.Card(
        classes=clips.classes,
        representation=recipe.representation,
        network=recogniser.network_options(method, steps=clips.residual.shape[1]),
        edge=recipe.edge,
        vop_quant=recipe.vop_quant,
        margin=recipe.margin,
        drop=recipe.drop,
        valence=layer is not None,
        summary=f"{_summary(about, accuracy, counts)} {expect}".strip(),
    )
    weights = target / "model.safetensors"
    result = Fit(
        classes=clips.classes,
        confusion=confusion,
        accuracy=accuracy,
        leakage=leaked,
        concordance=valence.concordance(layer, answer.z, ratings[test]),
        rated=int(np.isfinite(ratings[test]).sum()),
        left_out=tuple(left_out),
        weights=weights,
        sha256=recogniser.save(weights, model, card, valence=layer) if parallel.is_first() else "",
        **counts,
    )
    if parallel.is_first():
        _write(result, target)
    return result


def _parts(clips: ClipTensors, folds: int) -> tuple[np.ndarray, np.ndarray]:
    people = len(set(clips.subjects))
    if people < 2:
        raise DatasetError(
            "all videos seem to be of one person, so nothing can be tested on another",
            remedy="name the files or folders by subject, or give another subject pattern",
        )
    labels = [clips.classes[int(label)] for label in clips.labels]
    part = np.array(assign_folds(clips.subjects, labels, count=min(folds, people)))
    return np.flatnonzero(part != 0), np.flatnonzero(part == 0)


def _trained(
    clips: ClipTensors,
    train: np.ndarray,
    method: Method,
    schedule: Schedule,
    seed: int,
    target: Path,
    device: str,
    progress: Callable[[str, int, int], None] | None,
) -> Mic:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Mic(
            method,
            classes=len(clips.classes),
            identity=clips.identity[train],
            steps=clips.residual.shape[1],
            seed=seed,
        )
    state = target / "training.safetensors"
    training = Training(
        model,
        clips,
        train.tolist(),
        schedule=schedule,
        seed=seed,
        checkpoint=state,
        every=5,
        device=device,
    )
    for record in training.fit():
        _check(record)
        if progress:
            progress("epochs", record.epoch, schedule.epochs)
    if parallel.is_first():
        state.unlink(missing_ok=True)
    return model.cpu()


def _check(record: EpochRecord) -> None:
    if not math.isfinite(record.loss):
        raise DatasetError(
            f"the training diverged in epoch {record.epoch}",
            remedy="lower the learning rate",
        )


def _features(clips: ClipTensors, rows: np.ndarray, z: np.ndarray) -> leakage.Features:
    return leakage.Features(
        z=z,
        labels=clips.labels.numpy()[rows],
        subjects=np.array(clips.subjects)[rows],
        identity=clips.identity.numpy()[rows],
    )


def _summary(about: str, accuracy: metrics.Interval, counts: dict[str, int]) -> str:
    return (
        f"Trained on {about}: {counts['train_clips']} clips of {counts['train_subjects']} people. "
        f"Right for {accuracy.value:.0%} of {counts['test_clips']} clips of "
        f"{counts['test_subjects']} other people (95 % interval {accuracy.low:.0%} to "
        f"{accuracy.high:.0%})."
    )


def _write(result: Fit, target: Path) -> None:
    table = pd.DataFrame(result.confusion, result.classes, result.classes)
    table.index.name = "true"
    atomic.write_text(target / "confusion.csv", table.to_csv(lineterminator="\n"))
    _draw(result, target / "confusion.png")
    leaked = dataclasses.asdict(result.leakage)
    probes = pd.DataFrame({"probe": list(leaked), "value": [float(v) for v in leaked.values()]})
    text = probes.to_csv(index=False, float_format="%.6g", lineterminator="\n")
    atomic.write_text(target / "leakage.csv", text)
    facts = dataclasses.asdict(result) | {
        "confusion": result.confusion.tolist(),
        "weights": result.weights.name,
        "left_out": {str(one.path): one.reason for one in result.left_out},
    }
    # JSON has no NaN: what could not be measured is null.
    facts["concordance"] = None if math.isnan(result.concordance) else result.concordance
    facts["leakage"] = {
        name: None if isinstance(value, float) and math.isnan(value) else value
        for name, value in facts["leakage"].items()
    }
    atomic.write_text(target / "fit.json", json.dumps(facts, indent=1, sort_keys=True) + "\n")


def _draw(result: Fit, path: Path) -> None:
    with plt.rc_context(fname=plots.STYLE), atomic.replacing(path) as temporary:
        title = f"{result.accuracy.value:.0%} of {result.test_clips} clips of other people"
        figure = plots.confusion(result.confusion, result.classes, title=title)
        figure.savefig(temporary, metadata={"Software": None})
        plt.close(figure)
