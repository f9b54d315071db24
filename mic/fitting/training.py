"""From labelled videos to a network, judged on people it was not trained on."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from mic import identity
from mic.errors import DatasetError, WeightsError
from mic.evaluation import leakage, metrics
from mic.fitting import valence
from mic.fitting.clips import Labelled, Recipe, class_folders, tensors_of
from mic.inputs.coverage import LeftOut
from mic.inputs.tensors import ClipTensors
from mic.manifest.protocols import assign_folds
from mic.models import novelty
from mic.models.mic import Method, Mic
from mic.publishing import plots
from mic.recognition import recogniser
from mic.storage import atomic
from mic.storage.checkpoint import Checkpoint
from mic.storage.home import locked
from mic.training import parallel
from mic.training.initial import initial_network
from mic.training.train import EpochRecord, Schedule, Training, predict

# A network of two megabytes: it trains on a laptop and ships in a repository.
METHOD = Method(feature_size=128, z_size=128, grid=2, regulariser="none", beta=0.0)
SCHEDULE = Schedule(epochs=40, frames=6)
_STATE = "training.safetensors"
_TOLD = ("fit.json", "confusion.csv", "confusion.png", "leakage.csv")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Fit:
    """A trained network and what it is worth.

    Attributes:
        classes: Names.
        confusion: (C, C) test clips: true class by predicted class.
        accuracy: On the test clips, with a 95 % interval over their people; NaN without any.
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
    subject: str | None = None,
    network: str = "mobilefacenet",
    about: str = "the user's own videos",
    expect: str = "",
    folder: str | Path | None = None,
    device: str = "cpu",
    progress: Callable[[str, int, int], None] | None = None,
) -> Fit:
    """Trains on all people but one part of them, and tests on that part.

    Whoever alone shows a class is always trained on, so that the network knows all classes; how
    well it knows that one is not measured, and nothing is if everybody alone shows one. The
    weights are saved as soon as they are trained, before anything is computed with them; then
    what a former training left there is gone.

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
        network: Identity network that leakage is measured with, or "none": how well its
            embedding can be told from the features (R²) is then NaN.
        about: What the videos are, for the card's summary.
        expect: A sentence that ends the summary: what not to expect.
        folder: The cache; by default `MIC_HOME/cache`.
        device: To train on, "cpu" or "cuda". In a group of processes (`mic.training.parallel`)
            each takes part, and the first one writes.
        progress: Called with a stage ("videos", "epochs"), what is done of it, and all of it.

    Raises:
        DatasetError: Too few classes, people or usable videos.
        WeightsError: The training diverged.
        StorageError: The target cannot be written, or another training writes there.
    """
    recipe, target = recipe or Recipe(), Path(target)
    weights = target / "model.safetensors"
    atomic.check_writable(weights)
    with _alone(target):
        if (target / _STATE).exists():  # what is wrong with it is said before the videos are read
            Checkpoint.load(target / _STATE)
        labelled = (
            class_folders(videos, subject=subject)
            if isinstance(videos, str | Path)
            else list(videos)
        )
        _check_people([one.subject for one in labelled])
        clips, left_out = tensors_of(
            labelled,
            recipe,
            network=None if network == "none" else identity.load(network),
            folder=folder,
            progress=None
            if progress is None
            else lambda done, total: progress("videos", done, total),
        )
        train, test = _parts(clips, folds)
        card = recogniser.Card(
            classes=clips.classes,
            representation=recipe.representation,
            network=method.network_options(steps=clips.residual.shape[1]),
            edge=recipe.edge,
            vop_quant=recipe.vop_quant,
            margin=recipe.margin,
            drop=recipe.drop,
            valence=False,
            summary=f"Trained on {about}; not tested yet.",
        )
        model = _trained(clips, train, method, schedule, seed, target, device, progress)
        if parallel.is_first():
            # What a former training was tested with says nothing of these weights.
            for name in _TOLD:
                (target / name).unlink(missing_ok=True)
            recogniser.save(weights, model, card)
        given = {str(one.path): one.valence for one in labelled if one.valence is not None}
        ratings = np.array([given.get(name, math.nan) for name in clips.names])
        known = predict(model, clips, train).z
        layer = valence.fitted(known, ratings[train])
        tested = _tested(model, clips, train, known, test, seed)
        if network == "none":  # z_I was drawn at random
            unknown = dataclasses.replace(tested.leakage, r2_linear=math.nan, r2_mlp=math.nan)
            tested = dataclasses.replace(tested, leakage=unknown)
        subjects = np.array(clips.subjects)
        counts = {
            "train_clips": len(train),
            "train_subjects": len(set(subjects[train])),
            "test_clips": len(test),
            "test_subjects": len(set(subjects[test])),
        }
        summary = f"{_summary(about, tested.accuracy, counts)} {expect}".strip()
        unlike = novelty.fitted(known, clips.labels.numpy()[train], tested.z)
        card = dataclasses.replace(
            card, valence=layer is not None, novelty=unlike is not None, summary=summary
        )
        digest = ""
        if parallel.is_first():
            digest = recogniser.save(weights, model, card, valence=layer, novelty=unlike)
        result = Fit(
            classes=clips.classes,
            confusion=tested.confusion,
            accuracy=tested.accuracy,
            leakage=tested.leakage,
            concordance=valence.concordance(layer, tested.z, ratings[test]),
            rated=int(np.isfinite(ratings[test]).sum()),
            left_out=tuple(left_out),
            weights=weights,
            sha256=digest,
            **counts,
        )
        if parallel.is_first():
            _write(result, target)
            (target / _STATE).unlink(missing_ok=True)
        return result


@contextlib.contextmanager
def _alone(target: Path) -> Iterator[None]:
    """While nobody else trains into the same folder."""
    if not parallel.is_first():
        yield
        return
    with locked(target / ".training.lock", wait=False):
        yield


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Tested:
    """What clips of people not trained on tell; NaN where there are none."""

    confusion: np.ndarray
    accuracy: metrics.Interval
    leakage: leakage.Leakage
    z: np.ndarray


def _tested(
    model: Mic,
    clips: ClipTensors,
    train: np.ndarray,
    known: np.ndarray,
    test: np.ndarray,
    seed: int,
) -> _Tested:
    count = len(clips.classes)
    if len(test) == 0:
        return _Tested(
            confusion=np.zeros((count, count), int),
            accuracy=metrics.Interval(math.nan, math.nan, math.nan, 0),
            leakage=leakage.Leakage(),
            z=known[:0],
        )
    answer = predict(model, clips, test)
    labels = clips.labels.numpy()[test]
    said, people = answer.logits.argmax(1), np.array(clips.subjects)[test]
    return _Tested(
        confusion=metrics.confusion(labels, said, count),
        accuracy=metrics.subject_bootstrap(said == labels, people),
        leakage=leakage.measure(
            _features(clips, train, known), _features(clips, test, answer.z), seed=seed
        ),
        z=answer.z,
    )


def _check_people(subjects: Sequence[str]) -> None:
    if len(set(subjects)) < 2:
        raise DatasetError(
            "all videos seem to be of one person, so nothing can be tested on another",
            remedy="name the files or folders by subject, or give another subject pattern",
        )


def _parts(clips: ClipTensors, folds: int) -> tuple[np.ndarray, np.ndarray]:
    """Clips to train on, which show all classes, and clips of other people, maybe none."""
    subjects, labels = np.array(clips.subjects), clips.labels.numpy()
    shown = {label: set(subjects[labels == label]) for label in np.unique(labels)}
    alone = {next(iter(who)) for who in shown.values() if len(who) == 1}
    others = sorted(set(subjects) - alone)
    _check_people(clips.subjects)  # of those that could be used
    if not others:  # everybody is needed to show some class
        return np.arange(len(labels)), np.arange(0)
    free = np.flatnonzero(np.isin(subjects, others))
    if len(others) == 1:
        return np.flatnonzero(np.isin(subjects, list(alone))), free
    names = [clips.classes[label] for label in labels[free]]
    part = np.array(assign_folds(subjects[free].tolist(), names, count=min(folds, len(others))))
    for fold in range(part.max() + 1):
        test = free[part == fold]
        train = np.setdiff1d(np.arange(len(labels)), test)
        if set(labels[train]) == set(labels):
            return train, test
    raise DatasetError(
        f"with {len(others)} people in {min(folds, len(others))} parts none can be left out "
        "without a class that nobody else shows",
        remedy="divide the people into more parts (--folds), or add videos",
    )


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
    model = initial_network(method, clips, train.tolist(), seed=seed)
    state = target / _STATE
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
    return model.cpu()


def _check(record: EpochRecord) -> None:
    if not math.isfinite(record.loss):
        raise WeightsError(
            f"the training diverged in epoch {record.epoch}",
            remedy="give a Schedule with a lower learning rate, or another seed; what was learned "
            "before is kept",
        )


def _features(clips: ClipTensors, rows: np.ndarray, z: np.ndarray) -> leakage.Features:
    return leakage.Features(
        z=z,
        labels=clips.labels.numpy()[rows],
        subjects=np.array(clips.subjects)[rows],
        identity=clips.identity.numpy()[rows],
    )


def _summary(about: str, accuracy: metrics.Interval, counts: dict[str, int]) -> str:
    if counts["test_clips"] == 0:
        return (
            f"Trained on {about}: {counts['train_clips']} clips of {counts['train_subjects']} "
            "people. Not tested: each of them alone shows some class."
        )
    return (
        f"Trained on {about}: {counts['train_clips']} clips of {counts['train_subjects']} people. "
        f"Right for {accuracy.value:.0%} of {counts['test_clips']} clips of "
        f"{counts['test_subjects']} other people (95 % interval over people {accuracy.low:.0%} to "
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
    facts = _without_nan(facts)
    atomic.write_text(target / "fit.json", json.dumps(facts, indent=1, sort_keys=True) + "\n")


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nan(one) for name, one in value.items()}
    return None if isinstance(value, float) and math.isnan(value) else value


def _draw(result: Fit, path: Path) -> None:
    with plt.rc_context(fname=plots.STYLE), atomic.replacing(path) as temporary:
        title = "not tested"
        if result.test_clips:
            title = f"{result.accuracy.value:.0%} of {result.test_clips} clips of other people"
        figure = plots.confusion(result.confusion, result.classes, title=title)
        figure.savefig(temporary, metadata={"Software": None})
        plt.close(figure)
