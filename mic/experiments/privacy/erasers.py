"""What may be taken out of trained features after the fact, and what proves nothing.

Each eraser is fitted to training clips and maps features of any clips. A *placebo* is an eraser
that is given nothing of the person, or another's identity: whatever it lowers, it lowers by doing
harm to the features, and an eraser is worth what it does beyond it.

    erase = ERASERS["linear, z_I"].fit(material, seed=0)
    hidden = erase(z_test)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np
import torch

from mic.experiments.privacy.erasure import fit_erasure
from mic.experiments.privacy.placebos import DRAWS
from mic.models.mic import Identity

Erase = Callable[[np.ndarray], np.ndarray]

# As `mic.models.mic.Method.identity_size`, and of a covariance of about 200 clips.
_IDENTITY, _SHRINKAGE = 16, 0.1
_MANY = 64
# The kernel eraser: random features, what is kept of them, rounds.
_FEATURES, _KEPT, _ROUNDS = 512, 64, 3


@dataclasses.dataclass(frozen=True, kw_only=True)
class Material:
    """What erasers are fitted to: training clips.

    Attributes:
        z: (N, d) z_E.
        labels: (N,) expressions, from 0.
        subjects: (N,) who is seen.
        identity: (N, q) z_I.
    """

    z: np.ndarray
    labels: np.ndarray
    subjects: np.ndarray
    identity: np.ndarray


Fit = Callable[[Material, int], Erase]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Eraser:
    """A way to take the person out of features.

    Attributes:
        fit: Maps training clips and a seed to what maps features.
        placebo_of: Name of the eraser that it is held against; empty: none, it is one.
        drawn: Whether the seed decides anything, so that several draws are needed.
    """

    fit: Fit
    placebo_of: str = ""
    drawn: bool = False


def _linear(of: Callable[[Material, int], np.ndarray], size: int = _IDENTITY) -> Fit:
    """Least-squares concept erasure of (a reduction of) what `of` says; see `fit_erasure`."""

    def fit(material: Material, seed: int) -> Erase:
        raw = torch.from_numpy(of(material, seed)).double()
        # A direction erased on the strength of few clips erases chance.
        reduced = Identity(raw, size=min(size, len(raw) // 3))(raw.float())
        erasure = fit_erasure(
            torch.from_numpy(material.z),
            reduced,
            within=torch.from_numpy(material.labels),
            shrinkage=_SHRINKAGE,
        )
        return lambda z: erasure(torch.from_numpy(z)).numpy()

    return fit


def _names(material: Material, seed: int) -> np.ndarray:
    """(N, people) who is seen, one column a person."""
    del seed
    numbers = np.unique(material.subjects, return_inverse=True)[1]
    return np.eye(int(numbers.max()) + 1)[numbers]


def _shuffled_names(material: Material, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).permutation(_names(material, seed))


def _own(material: Material, seed: int) -> np.ndarray:
    del seed
    return material.identity


def _given(name: str) -> Callable[[Material, int], np.ndarray]:
    """What stands in for z_I; see `mic.experiments.privacy.placebos`."""
    return lambda material, seed: DRAWS[name](material.identity, material.subjects, seed)


def _components(count: int) -> Fit:
    """The first principal components of what varies within an expression, whoever is seen."""

    def fit(material: Material, seed: int) -> Erase:
        del seed
        within = _within(material.z, material.labels)
        rows = np.linalg.svd(within, full_matrices=False)[2][:count]
        return lambda z: z - (z - material.z.mean(0)) @ rows.T @ rows

    return fit


def _random(count: int) -> Fit:
    """As many directions at random, in coordinates in which the features vary alike."""

    def fit(material: Material, seed: int) -> Erase:
        within = _within(material.z, material.labels)
        directions = np.random.default_rng(seed).normal(size=(count, len(within))) @ within
        basis = np.linalg.qr(directions.T)[0]
        return lambda z: z - (z - material.z.mean(0)) @ basis @ basis.T

    return fit


def _kernel(of: Callable[[Material, int], np.ndarray]) -> Fit:
    """Erasure in a space of functions, repeated: after Obliviator (Akbari et al., NeurIPS 2025).

    A round lifts the features to random Fourier features of a Gaussian kernel, takes out
    everything in which they covary with such features of the identity within expressions, so that
    no function of that space is left that does, and goes on with the directions that tell most of
    the expression and of the features as they were. What the next round sees has another kernel,
    in which dependence may show that this one's could not. The paper learns each deformation by
    descent; here every step has a closed form, which a few hundred clips allow.
    """

    def fit(material: Material, seed: int) -> Erase:
        draw = np.random.default_rng(seed)
        labels = torch.from_numpy(material.labels)
        concept = _lift(of(material, seed), draw, _MANY)(of(material, seed))
        concept = concept[:, : len(concept) // 3]
        steps: list[Erase] = []
        z = material.z
        told = np.eye(int(material.labels.max()) + 1)[material.labels]
        for _ in range(_ROUNDS):
            lift = _lift(z, draw, _FEATURES)
            lifted = lift(z)
            erasure = fit_erasure(
                torch.from_numpy(lifted),
                torch.from_numpy(concept),
                within=labels,
                shrinkage=_SHRINKAGE,
            )
            free = erasure(torch.from_numpy(lifted)).numpy()
            wanted = np.column_stack([_unit(told - told.mean(0)), _unit(z - z.mean(0))])
            kept = np.linalg.svd((free - free.mean(0)).T @ wanted, full_matrices=False)[0]
            steps.append(_step(lift, erasure, kept[:, :_KEPT]))
            z = steps[-1](z)

        def erase(new: np.ndarray) -> np.ndarray:
            for step in steps:
                new = step(new)
            return new

        return erase

    return fit


def _then(*fits: Fit) -> Fit:
    """One after the other, each fitted to what those before it leave."""

    def fit(material: Material, seed: int) -> Erase:
        steps: list[Erase] = []
        for one in fits:
            steps.append(one(material, seed))
            material = dataclasses.replace(material, z=steps[-1](material.z))

        def erase(z: np.ndarray) -> np.ndarray:
            for step in steps:
                z = step(z)
            return z

        return erase

    return fit


def head(z: np.ndarray, labels: np.ndarray) -> Erase:
    """A classifier refitted to what was left of z: maps (N, d) to (N, classes) log likelihoods."""
    from sklearn.linear_model import LogisticRegression  # slow, see `mic.evaluation.leakage`

    scale = np.maximum(z.std(0), 1e-6)
    classifier = LogisticRegression(C=0.01, max_iter=2000).fit(z / scale, labels)

    def scores(new: np.ndarray) -> np.ndarray:
        found = np.full((len(new), int(labels.max()) + 1), -np.inf)
        found[:, classifier.classes_] = classifier.predict_log_proba(new / scale)
        return found

    return scores


def _answer(material: Material, seed: int) -> Erase:
    """What a classifier answers and nothing else, a column a class.

    Whatever leaves a receiver these answers tells him at least as much of the person as they do,
    and they tell something: a network's mistakes are a person's own.
    """
    del seed
    scores = head(material.z, material.labels)
    classes = np.eye(int(material.labels.max()) + 1)
    return lambda z: classes[scores(z).argmax(1)]


def _step(lift: Erase, erasure: Callable[[torch.Tensor], torch.Tensor], kept: np.ndarray) -> Erase:
    return lambda z: erasure(torch.from_numpy(lift(z))).numpy() @ kept


def _lift(z: np.ndarray, draw: np.random.Generator, count: int) -> Erase:
    """Random Fourier features of a Gaussian kernel as wide as rows are apart (Rahimi, Recht)."""
    scale = np.maximum(z.std(0), 1e-6)
    some = z[draw.choice(len(z), min(len(z), 200), replace=False)] / scale
    squares = ((some[:, None] - some) ** 2).sum(-1)
    width = max(float(np.median(squares[np.triu_indices(len(some), 1)])), 1e-12)
    frequencies = draw.normal(size=(z.shape[1], count)) * np.sqrt(2 / width)
    phases = draw.uniform(0, 2 * np.pi, count)
    return lambda new: np.sqrt(2 / count) * np.cos(new / scale @ frequencies + phases)


def _unit(columns: np.ndarray) -> np.ndarray:
    """Scaled as a whole, so that two blocks of columns weigh alike."""
    scaled: np.ndarray = columns / max(float(np.linalg.norm(columns)), 1e-12)
    return scaled


def _within(z: np.ndarray, labels: np.ndarray) -> np.ndarray:
    found = np.array(z, float)
    for label in np.unique(labels):
        found[labels == label] -= found[labels == label].mean(0)
    return found


_BOTH = _then(_linear(_own), _linear(_names, _MANY))
ERASERS: Mapping[str, Eraser] = {
    "linear, z_I": Eraser(fit=_linear(_own)),
    "linear, a stranger's z_I": Eraser(
        fit=_linear(_given("stranger")), placebo_of="linear, z_I", drawn=True
    ),
    "linear, noise": Eraser(fit=_linear(_given("noise")), placebo_of="linear, z_I", drawn=True),
    "linear, names": Eraser(fit=_linear(_names, _MANY)),
    "linear, shuffled names": Eraser(
        fit=_linear(_shuffled_names, _MANY), placebo_of="linear, names", drawn=True
    ),
    "16 components": Eraser(fit=_components(_IDENTITY)),
    "16 random directions": Eraser(fit=_random(_IDENTITY), placebo_of="16 components", drawn=True),
    "answer": Eraser(fit=_answer),
    "linear, z_I + names": Eraser(fit=_BOTH),
    "linear, z_I + names, answer": Eraser(fit=_then(_BOTH, _answer)),
    "linear, stranger's z_I + shuffled names, answer": Eraser(
        fit=_then(_linear(_given("stranger")), _linear(_shuffled_names, _MANY), _answer),
        placebo_of="linear, z_I + names, answer",
        drawn=True,
    ),
    "kernel, z_I": Eraser(fit=_kernel(_own), drawn=True),
    "kernel, a stranger's z_I": Eraser(
        fit=_kernel(_given("stranger")), placebo_of="kernel, z_I", drawn=True
    ),
    "kernel, names": Eraser(fit=_kernel(_names), drawn=True),
    "kernel, shuffled names": Eraser(
        fit=_kernel(_shuffled_names), placebo_of="kernel, names", drawn=True
    ),
}
