"""Inversion: the face that somebody who holds z_E draws of a person whom nobody has shown him.

The attacker has the features and faces of the training people, and learns to draw the one from the
other: ridge regression to the faces' principal components, which few faces allow, its penalty
chosen on training people who were held out. How much of the person is in a drawing is asked of a
face recognition network: does the drawing match a photograph of the same person?
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from mic import faces, identity
from mic.evaluation.leakage import Features
from mic.evaluation.metrics import drawn
from mic.experiments import removal
from mic.experiments.cells import Outcome
from mic.experiments.data import Dataset
from mic.experiments.privacy.attackers import PairScores
from mic.experiments.privacy.rates import rates
from mic.experiments.removal import Way
from mic.faces import Status
from mic.processes.workers import torch_threads
from mic.storage import cache

_FACES = cache.Stage(name="inversion-faces", version=1)
_COMPONENTS = 64
_RIDGES = 10.0 ** np.arange(-1, 6)
_HELD = 5  # every so many training people choose the penalty
# What else is drawn from: all that a face recognition network knows, and nothing.
KNOWN, NOTHING = "z_I", "nothing (mean face)"

COLUMNS: Mapping[str, str] = {
    "row": "how identity was to be removed from z_E; z_I: what face recognition knows",
    "auc": "drawing and photograph of one person? by cosine of MobileFaceNet; 0.5: no idea",
    "auc_low": "95 % interval over people",
    "auc_high": "95 % interval over people",
    "match_at_10": "drawings accepted as their person where 10 % of the others' are",
    "naming": "drawings that match a photograph of their person best",
    "error": "root mean square over the samples of 0 to 255",
    "people": "test people",
}


@dataclasses.dataclass(frozen=True)
class Drawn:
    """Drawings of unseen people.

    Attributes:
        row: What they are drawn from.
        pictures: (M, S, S, 3) uint8.
        truth: (M, S, S, 3) uint8, the aligned faces of the I-frames.
        subjects: (M,) who is drawn.
        labels: (M,) expressions of the clips.
    """

    row: str
    pictures: NDArray[np.uint8]
    truth: NDArray[np.uint8]
    subjects: NDArray[np.str_]
    labels: NDArray[np.int64]


def aligned(data: Dataset) -> NDArray[np.uint8]:
    """(N, S, S, 3) the aligned face of each clip's I-frame; black where there is none."""
    network = identity.load(data.network)

    def compute() -> dict[str, np.ndarray]:
        found = np.zeros((len(data.manifest), network.size, network.size, 3), np.uint8)
        with torch_threads(1):
            for row, clip in enumerate(data.manifest):
                frame, face = faces.detect_clip(data.manifest.path(clip))
                if face.status is not Status.NO_FACE:
                    found[row] = network.crop(frame, face.points)
        return {"faces": found}

    return cache.fetch(
        _FACES,
        inputs=[data.manifest.digest(), network.weights_sha256],
        compute=compute,
        folder=data.folder,
    )["faces"]


def drawings(ways: Sequence[tuple[Way, Outcome]], pictures: NDArray[np.uint8]) -> list[Drawn]:
    """What an attacker draws of the test people of one part.

    Args:
        ways: Ways of removal on one part of the people, and the outcomes of their cells; what
            else of z_I and of nothing is drawn is of the first's people.
        pictures: (clips of the manifest, S, S, 3), of `aligned`.
    """
    way, outcome = ways[0]
    train, test = removal.parts(outcome, _plain(way))
    shown = pictures[outcome.train], pictures[outcome.test]
    known = (
        dataclasses.replace(train, z=train.identity),
        dataclasses.replace(test, z=test.identity),
    )
    nothing = tuple(dataclasses.replace(one, z=one.z[:, :1] * 0) for one in (train, test))
    found = [
        _drawn(NOTHING, nothing[0], nothing[1], *shown),
        _drawn(KNOWN, *known, *shown),
    ]
    for one, its in ways:
        halves = removal.removed(one, *removal.parts(its, _plain(one)))
        found.append(_drawn(one.row, *halves, pictures[its.train], pictures[its.test]))
    return found


def table(
    folds: Sequence[Sequence[Drawn]], data: Dataset, *, resamples: int = 1000
) -> pd.DataFrame:
    """Whether a face recognition network finds the person in the drawings; columns: `COLUMNS`.

    Args:
        folds: Of each part of the people, what `drawings` made, the same rows in each.
        data: Names the network.
        resamples: Draws of the people.
    """
    network = identity.load(data.network)
    lines = []
    for parts in zip(*folds, strict=True):
        scored = [_scored(one, network) for one in parts]
        reached = [
            rates(one, drawn(int(one.people.max()) + 1, resamples=resamples, seed=part))
            for part, one in enumerate(scored)
        ]
        auc = np.mean([one.auc for one in reached], axis=0)
        low, high = np.nanquantile(auc[1:], [0.025, 0.975])
        errors = [np.square(one.pictures.astype(np.float64) - one.truth).mean() for one in parts]
        lines.append(
            {
                "row": parts[0].row,
                "auc": auc[0],
                "auc_low": low,
                "auc_high": high,
                "match_at_10": np.mean([one.match_at_10[0] for one in reached]),
                "naming": np.mean([one.naming[0] for one in reached]),
                "error": np.sqrt(np.mean(errors)),
                "people": sum(int(one.people.max()) + 1 for one in scored),
            }
        )
    return pd.DataFrame(lines)[list(COLUMNS)]


def _scored(one: Drawn, network: identity.IdentityNetwork) -> PairScores:
    """How well drawings match photographs of other clips, which show another expression."""
    with torch_threads(1):
        drawing, photograph = network.embed(one.pictures), network.embed(one.truth)
    people = np.unique(one.subjects, return_inverse=True)[1]
    first, second = np.triu_indices(len(people), 1)
    differ = one.labels[first] != one.labels[second]
    first, second = first[differ], second[differ]
    # Some photographs are like every drawing; that tells nobody who is drawn.
    cosines = drawing @ photograph.T
    cosines = (cosines - cosines.mean(0)).round(5)
    return PairScores(
        first=first, second=second, scores=(cosines + cosines.T)[first, second], people=people
    )


def figure(found: Sequence[Drawn], auc: pd.DataFrame, *, people: int = 6) -> Figure:
    """Faces of some unseen people, and below each what is drawn of them, a line a row."""
    order = np.unique(found[0].subjects, return_index=True)[1][:people]
    lines = [("the person", found[0].truth)] + [(one.row, one.pictures) for one in found]
    made = Figure(figsize=(0.75 * people + 1.8, 0.75 * len(lines)), layout="constrained")
    panels = made.subplots(len(lines), people, squeeze=False)
    reached = auc.set_index("row")["auc"]
    for axes, (name, pictures) in zip(panels, lines, strict=True):
        for axis, row in zip(axes, order, strict=True):
            axis.imshow(pictures[row])
            axis.set(xticks=[], yticks=[])
        text = f"{name}\nAUC {reached[name]:.2f}" if name in reached.index else name
        axes[0].set_ylabel(text, rotation=0, ha="right", va="center", fontsize=7)
    return made


def _plain(way: Way) -> np.ndarray:
    return dataclasses.replace(way.data, placebo="").identities()


def _drawn(
    row: str,
    train: Features,
    test: Features,
    shown: NDArray[np.uint8],
    truth: NDArray[np.uint8],
) -> Drawn:
    x, y = train.z, shown.reshape(len(shown), -1) / 255.0
    held = np.unique(train.subjects, return_inverse=True)[1] % _HELD == 0
    tried = [
        np.square(_ridge(x[~held], y[~held], x[held], ridge) - y[held]).mean() for ridge in _RIDGES
    ]
    made = _ridge(x, y, test.z, float(_RIDGES[int(np.argmin(tried))]))
    pictures = np.rint(255 * made.clip(0, 1)).astype(np.uint8).reshape(truth.shape)
    return Drawn(row, pictures, truth, test.subjects, test.labels)


def _ridge(
    x: NDArray[np.float64], y: NDArray[np.float64], new: NDArray[np.float64], ridge: float
) -> NDArray[np.float64]:
    """Principal components of y regressed on x, standardised; the values of `new`."""
    centre, scale = x.mean(0), np.maximum(x.std(0), 1e-6)
    inputs, asked = (x - centre) / scale, (new - centre) / scale
    mean = y.mean(0)
    # The dual forms: there are fewer clips than features and samples. The principal components of
    # y are combinations of its rows by the eigenvectors of their products.
    vectors = np.linalg.eigh((y - mean) @ (y - mean).T)[1][:, -_COMPONENTS:]
    gram = inputs @ inputs.T + ridge * np.eye(len(inputs))
    weights = np.linalg.solve(gram, vectors @ vectors.T)
    found: NDArray[np.float64] = mean + asked @ inputs.T @ weights @ (y - mean)
    return found
