"""What to send: a label, features, P-VOPs or everything; what each costs, tells and gives away.

A sender who has seen the face can send the answer, the feature that the answer is read from, the
P-VOPs without their I-VOP, or the whole video. Each has a rate, an accuracy at the receiver, and
the AUC at which whoever receives it can tell whether two clips show one person: the most that any
of `mic.experiments.privacy.attackers` finds in anything that arrived.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mic import bitstream, codec, faces, identity
from mic.config import Profile
from mic.evaluation import metrics
from mic.evaluation.leakage import Features
from mic.evaluation.metrics import drawn
from mic.experiments import plan, removal, splits
from mic.experiments.cells import Cell, compute, split_named
from mic.experiments.data import Dataset
from mic.experiments.privacy.attackers import ATTACKERS, PairScores, attack
from mic.experiments.privacy.rates import rates
from mic.experiments.reencoding import gop_structure
from mic.faces import Status
from mic.lowrate.features import FeatureCoder
from mic.lowrate.residuals import Ladder, answers, dedicated
from mic.lowrate.rungs import Rung, transmit
from mic.processes.workers import torch_threads
from mic.storage import cache

_ARRIVED = cache.Stage(name="lowrate-arrived", version=1)
_ATTACKED = cache.Stage(name="lowrate-attacked", version=1)
# Of the quantiser, in standard deviations of the first principal component.
STEPS = (1.0, 0.5, 0.125, 1 / 64)
LABEL, PREDICTED, ALL = "label", "P-VOPs", "all VOPs"
_COMPONENTS = 128  # of residual maps, which have more samples than there are clips
_GREY = 128
_MAPS, _FIRST = "residual maps", "face in the I-VOP"

COLUMNS: Mapping[str, str] = {
    "sent": "z_E: once a clip; P-VOPs: without the I-VOP that they build on",
    "coding": "quantiser step in deviations of the first component; size and vop_quant of a video",
    "bits": "a clip, mean: the message, or all VOPs with their headers",
    "bit_rate": "bits/s",
    "accuracy": "of the receiver, unseen people",
    "accuracy_low": "95 % interval over people",
    "accuracy_high": "95 % interval over people",
    "attacked": "what the strongest attacker looks at",
    "attacker": "the strongest of six ways to tell whether two clips show one person",
    "auc": "its AUC, same person? 0.5: no idea; mean over parts",
    "auc_low": "95 % interval over people",
    "auc_high": "95 % interval over people",
    "n": "clips",
    "subjects": "test people",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Senders:
    """Whose networks send and receive.

    Attributes:
        data: Clips and z_I.
        config: Names the networks whose z_E is sent: those of notebook 05.
        ladder: The residual networks that read P-VOPs, one a rung: those of notebook 08.
        resamples: Draws of the people.
    """

    data: Dataset
    config: Profile
    ladder: Ladder
    resamples: int = 1000

    def networks(self) -> dict[str, list[Cell]]:
        """The cells whose z_E is sent, by what they are shown and how they were trained."""
        config, folds = self.config, self.ladder.folds
        shown = {
            name: plan.cells(
                self.data,
                config,
                {name: plan.method(config, **plan.REGULARISERS[row])},
                folds=folds,
                seeds=[self.ladder.seed],
            )
            for name, row in (("z_E of residuals", "none"), ("z_E, MINE", "MINE (MIC)"))
        }
        pictures = removal.left_alone(self.data, config, removal.PICTURES, folds=folds)
        return shown | {"z_E of pictures": [way.cell for way in pictures]}


def table(senders: Senders) -> pd.DataFrame:
    """Rate, accuracy and leakage of everything that may be sent; columns: `COLUMNS`."""
    rows = [*_features_rows(senders), *_video_rows(senders)]
    return pd.DataFrame(rows)[list(COLUMNS)]


@dataclasses.dataclass(frozen=True)
class _Part:
    """What arrives of the clips of one part of the people."""

    bits: NDArray[np.float64]  # (M,) of the test clips
    rows: NDArray[np.int64]  # (M,) of the test clips in the manifest
    right: NDArray[np.bool_]  # (M,)
    seen: Mapping[str, tuple[Features, Features]]  # what attackers may look at


def _features_rows(senders: Senders) -> Iterator[dict[str, object]]:
    data = senders.data
    identities = data.identities()
    for number, (name, cells) in enumerate(senders.networks().items()):
        outcomes = [compute(data, cell) for cell in cells]
        halves = [removal.parts(outcome, identities) for outcome in outcomes]
        if not number:
            eye = np.eye(len(outcomes[0].classes))
            size = math.ceil(math.log2(len(eye)))
            parts = []
            for (train, test), outcome in zip(halves, outcomes, strict=True):
                told = outcome.logits.argmax(1)
                seen = _with(train, eye[train.labels]), _with(test, eye[told])
                bits = np.full(len(told), float(size))
                parts.append(_Part(bits, outcome.test, outcome.correct, {"label": seen}))
            yield _row(senders, LABEL, f"{size} bits", parts)
        for step in STEPS:
            parts = [
                _coded(train, test, outcome.test, step)
                for (train, test), outcome in zip(halves, outcomes, strict=True)
            ]
            yield _row(senders, name, f"step {step:.3g}", parts)


def _coded(train: Features, test: Features, rows: NDArray[np.int64], step: float) -> _Part:
    coder = FeatureCoder.fit(train.z, step)
    messages = [coder.encode(levels) for levels in coder.levels(test.z)]
    arrived = np.stack([coder.decode(message) for message in messages])
    seen = (
        _with(train, coder.restored(coder.levels(train.z))),
        _with(test, coder.restored(arrived)),
    )
    bits = np.array([float(len(message)) for message in messages])
    return _Part(bits, rows, removal.classified(*seen), {"z_E": seen})


def _video_rows(senders: Senders) -> Iterator[dict[str, object]]:
    ladder, manifest = senders.ladder, senders.data.manifest
    arrived = [
        arrived_of(manifest.path(clip), clip.sha256, senders.data, ladder.rungs)
        for clip in manifest
    ]
    labels = np.array(manifest.label_indices())
    subjects = np.array(manifest.column("subject"))
    identities = senders.data.identities()
    folds = splits(manifest, parts=ladder.folds)
    for place, rung in enumerate(ladder.rungs):
        maps = ladder.tensors(rung).residual.flatten(1).numpy().astype(np.float64)
        looks = {
            _MAPS: maps,
            "face in the residual": np.stack([one["residual"][place] for one in arrived]),
            _FIRST: np.stack([one["first"][place] for one in arrived]),
        }
        predicted, everything = [], []
        for fold in folds:
            found = answers(ladder, dedicated(rung), fold.name)
            test = found["rows"]
            split = split_named(fold.name, manifest, parts=ladder.folds)
            train = np.array(split.train + split.validation)
            right = found["logits"][place].argmax(1) == labels[test]

            seen = {}
            for name, z in looks.items():
                shown = _components(z, train) if name == _MAPS else z
                first, second = (
                    Features(
                        z=shown[rows],
                        labels=labels[rows],
                        subjects=subjects[rows],
                        identity=identities[rows],
                    )
                    for rows in (train, test)
                )
                seen[name] = first, second
            bits = np.array([arrived[row]["bits"][place] for row in test], float)
            everything.append(_Part(bits.sum(1), test, right, seen))
            seen = {name: pair for name, pair in seen.items() if name != _FIRST}
            predicted.append(_Part(bits[:, 1], test, right, seen))
        coding = f"1/{rung.factor}, q {rung.quantiser}"
        yield _row(senders, PREDICTED, coding, predicted)
        yield _row(senders, ALL, coding, everything)


def _components(z: NDArray[np.float64], train: NDArray[np.int64]) -> NDArray[np.float64]:
    """The first principal components of the training clips, of all clips."""
    centred = z - z[train].mean(0)
    rows = np.linalg.svd(centred[train], full_matrices=False)[2]
    found: NDArray[np.float64] = centred @ rows[:_COMPONENTS].T
    return found


def arrived_of(
    path: Path, digest: str, data: Dataset, rungs: Sequence[Rung]
) -> Mapping[str, np.ndarray]:
    """What arrives of one clip at every rung, computed or from the cache.

    The attacker knows where the face is, whatever arrived: the points are found in the clip as it
    was before. A face that is not found has an embedding of zeros.

    Args:
        path: The clip.
        digest: Its SHA-256.
        data: Names the network that embeds faces.
        rungs: Sizes and quantisers.

    Returns:
        `bits` (rungs, 2) of the I-VOP and of all others; `first` (rungs, d) the face in the
        decoded I-VOP; `residual` (rungs, d) the face in the residuals accumulated to the last
        frame, on grey.
    """
    network = identity.load(data.network)

    def found() -> dict[str, np.ndarray]:
        info = codec.probe(path)
        with torch_threads(1):
            whole, face = faces.detect_clip(path)
        bits, crops = [], []
        for rung in rungs:
            with tempfile.TemporaryDirectory() as folder:
                target = Path(folder) / "sent.mp4"
                transmit(path, target, info, rung)
                sizes = gop_structure(target)["bits"].to_numpy()
                bits.append([sizes[0], sizes[1:].sum()])
                first = next(iter(codec.decode(target)))
                with bitstream.open(target) as stream:
                    change = stream.accumulated([stream.frame_count - 1], space="rgb").pixels[0]
            ghost = (np.rint(change) + _GREY).clip(0, 255).astype(np.uint8)
            points = face.points * len(first) / len(whole)
            if face.status is not Status.NO_FACE:
                crops += [network.crop(picture, points) for picture in (first, ghost)]
        vectors = np.zeros((2 * len(rungs), network.dimensions), np.float32)
        if crops:
            with torch_threads(1):
                vectors[:] = network.embed(np.stack(crops))
        return {"bits": np.array(bits), "first": vectors[::2], "residual": vectors[1::2]}

    return cache.fetch(
        _ARRIVED,
        inputs=[digest, network.weights_sha256],
        parameters={"rungs": list(rungs)},
        compute=found,
    )


def _row(senders: Senders, sent: str, coding: str, parts: Sequence[_Part]) -> dict[str, object]:
    manifest = senders.data.manifest
    rows = np.concatenate([part.rows for part in parts])
    clips = [manifest.clips[row] for row in rows]
    seconds = sum(clip.frames / float(clip.frame_rate) for clip in clips)
    subjects = np.array([clip.subject for clip in clips])
    bits = np.concatenate([part.bits for part in parts])
    right = np.concatenate([part.right for part in parts])
    accuracy = metrics.subject_bootstrap(right, subjects, resamples=senders.resamples)

    def auc_of(look: str, name: str, *, resamples: int = 0) -> NDArray[np.float64]:
        found = [
            _auc(name, *part.seen[look], resamples=resamples, seed=seed)
            for seed, part in enumerate(parts)  # each draws people of its own
        ]
        mean: NDArray[np.float64] = np.mean(found, axis=0)
        return mean

    asked = [(look, name) for look in parts[0].seen for name in ATTACKERS]
    look, name = max(asked, key=lambda pair: float(auc_of(*pair)[0]))
    auc = auc_of(look, name, resamples=senders.resamples)
    low, high = np.nanquantile(auc[1:], [0.025, 0.975])
    return {
        "sent": sent,
        "coding": coding,
        "bits": bits.mean(),
        "bit_rate": bits.sum() / seconds,
        "accuracy": accuracy.value,
        "accuracy_low": accuracy.low,
        "accuracy_high": accuracy.high,
        "attacked": look,
        "attacker": name,
        "auc": auc[0],
        "auc_low": low,
        "auc_high": high,
        "n": len(rows),
        "subjects": len(set(subjects)),
    }


def _auc(
    name: str, train: Features, test: Features, *, resamples: int, seed: int
) -> NDArray[np.float64]:
    """(1 + resamples,) AUC of one attacker, from the store or computed."""

    def compute() -> dict[str, np.ndarray]:
        with torch_threads(1):
            found = attack(name, train, test)
        return {field.name: getattr(found, field.name) for field in dataclasses.fields(found)}

    hasher = hashlib.sha256()
    for part in (train, test):
        for array in (part.z, part.labels, part.subjects):
            hasher.update(str(array.shape).encode() + np.ascontiguousarray(array).tobytes())
    arrays = cache.fetch(
        _ATTACKED,
        inputs=[hasher.hexdigest()],
        parameters={"attacker": name},
        compute=compute,
    )
    scored = PairScores(**arrays)
    counts = drawn(int(scored.people.max()) + 1, resamples=resamples, seed=seed)
    return rates(scored, counts).auc


def _with(features: Features, z: NDArray[np.float64]) -> Features:
    return dataclasses.replace(features, z=z)
