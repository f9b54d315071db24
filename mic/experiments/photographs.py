"""What a network of photographs makes of the pictures that a stream gives away.

Where a clip begins within the expression, its residuals have little to tell, and a network that
starts from nothing learns little from a few hundred clips. The `fer` network brings knowledge of
faces along; all it needs are pictures, and I-frames are pictures for which no P-frame is decoded.
A logistic regression on its mean log-probabilities learns from the training people what these
are worth here. The face is found once a clip, on the first I-frame.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mic import codec, faces
from mic.config import Profile
from mic.evaluation import metrics
from mic.evaluation.inference import with_holm
from mic.experiments.cells import splits
from mic.experiments.data import Dataset
from mic.experiments.recoded import recoded
from mic.experiments.tables import PAIRED, difference
from mic.extraction.source import coded
from mic.faces.fer import Fer, crop
from mic.inputs.tensors import sampled
from mic.manifest.manifest import Clip
from mic.manifest.protocols import Split
from mic.storage import cache

REFERENCE = "decoded frames"
_STAGE = cache.Stage(name="photographs", version=1)
# Below this, a probability of the network says no more than that it is small.
_FLOOR = 1e-4


def decoded(path: Path, clip: Clip, steps: int) -> list[np.ndarray]:
    """The frames that other rows see, decoded: (H, W, 3) uint8 RGB each."""
    wanted = sampled(clip.frames, steps).tolist()
    frames = dict(enumerate(itertools.islice(codec.decode(path), wanted[-1] + 1)))
    return [frames[number] for number in wanted]


def intra(path: Path, clip: Clip, steps: int) -> list[np.ndarray]:
    """The I-frames of a stream, (H, W, 3) uint8 RGB each; no P-frame is decoded."""
    with coded(path, method="bitstream") as video:
        return [picture for _, picture in video.iframes()]


COLUMNS: Mapping[str, str] = {
    "row": "what it is shown",
    "pictures": "pictures that must be decoded, a clip",
    "accuracy": "share of clips of unseen people",
    "accuracy_low": "95 % interval over people",
    "accuracy_high": "95 % interval over people",
    "difference": "accuracy minus that on decoded frames",
    "difference_low": "95 % interval over people",
    "difference_high": "95 % interval over people",
    "p": "of no difference to the same, sign flips of whole people",
    "p_holm": "p, adjusted by Holm over the table",
    "n": "predictions",
}

Pictures = Callable[[Path, Clip, int], list[np.ndarray]]


def probabilities(
    data: Dataset, clip: Clip, pictures: Pictures, steps: int, network: Fer
) -> np.ndarray:
    """(pictures, 7) of the network for one clip, read where they are stored.

    Args:
        data: The clip's dataset.
        clip: The clip.
        pictures: `decoded` or `intra`.
        steps: Frames that `decoded` takes.
        network: Asked once a picture.
    """
    path = data.manifest.path(clip)

    def compute() -> dict[str, np.ndarray]:
        box = faces.detect_clip(path)[1].box
        found = pictures(path, clip, steps)
        cut = found if np.isnan(box).any() else [crop(picture, box) for picture in found]
        return {"probabilities": network.probabilities(cut)}

    return cache.fetch(
        _STAGE,
        inputs=[cache.digest(path)],
        parameters={"pictures": pictures.__name__, "steps": steps},
        compute=compute,
        folder=data.folder,
    )["probabilities"]


def table(data: Dataset, config: Profile, *, gops: Sequence[int] = (12,)) -> pd.DataFrame:
    """Accuracy of that network on I-frames, and on decoded frames of the same clips.

    Args:
        data: A dataset whose streams have one I-frame.
        config: Frames, parts, folds, resamples.
        gops: Also on copies with an I-frame every so many frames.

    Returns:
        One row a kind of pictures; columns: `COLUMNS`.
    """
    shown: dict[str, tuple[Dataset, Pictures]] = {
        REFERENCE: (data, decoded),
        "the I-frame": (data, intra),
    }
    for gop in gops:
        copies = recoded(data.manifest, jobs=config.worker_count(), gop=gop)
        copy = Dataset(manifest=copies, network=data.network, folder=data.folder)
        shown[f"I-frames, one in {gop}"] = (copy, intra)
    network = Fer()
    chosen = splits(data.manifest, parts=config.parts)[: config.folds]
    tested = [row for split in chosen for row in split.test]
    subjects = [data.manifest.clips[row].subject for row in tested]
    correct, lines = {}, []
    for row, (source, pictures) in shown.items():
        asked = [
            probabilities(source, clip, pictures, config.steps, network)
            for clip in source.manifest
        ]
        correct[row] = _tested(asked, source, chosen)
        value = metrics.subject_bootstrap(correct[row], subjects, resamples=config.bootstrap)
        line = {
            "row": row,
            "pictures": float(np.mean([len(asked[number]) for number in tested])),
            "accuracy": value.value,
            "accuracy_low": value.low,
            "accuracy_high": value.high,
        }
        line |= dict.fromkeys(PAIRED, float("nan"))
        if row != REFERENCE:
            right = correct[REFERENCE], correct[row]
            line |= difference(*right, np.array(subjects), resamples=config.bootstrap)
        lines.append(line | {"n": value.n})
    return with_holm(pd.DataFrame(lines))


def _tested(asked: Sequence[np.ndarray], data: Dataset, chosen: Sequence[Split]) -> np.ndarray:
    """(tested clips,) bool, in the order of the splits."""
    from sklearn.linear_model import LogisticRegression  # slow, see `mic.evaluation.leakage`
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    mean = np.stack([np.log(np.maximum(one, _FLOOR)).mean(0) for one in asked])
    labels = np.array(data.manifest.label_indices())
    found = []
    for split in chosen:
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.3, max_iter=1000))
        fitted = [*split.train, *split.validation]
        model.fit(mean[fitted], labels[fitted])
        found.append(model.predict(mean[list(split.test)]) == labels[list(split.test)])
    return np.concatenate(found)
