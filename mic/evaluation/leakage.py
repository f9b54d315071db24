"""Whether z_E still knows the person, asked by probes that took no part in the training.

All questions are about people the network has never seen. The training loss's own estimate of
mutual information is no witness: an encoder can fool its critic and keep the identity.

Clips of one person show different expressions, those of two persons often the same one, so that
plain similarity of z_E would measure expression. Hence the attackers know the expression: class
means (of the training clips) are removed first, and pairs always differ in expression.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mic.errors import ConfigError
from mic.evaluation.metrics import drawn
from mic.evaluation.verification import curve, over_draws

# scikit-learn takes a second or two to import, which every worker process would wait for: the
# functions that need it import it.

# Times that a probe is asked about a clip of each person.
_ROUNDS = 3
# Features of which all are analysed, however few the clips: it takes less than a second.
_WIDE = 1000
_RIDGES = 10.0 ** np.arange(-2, 7)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Features:
    """What the probes are given for some clips.

    Attributes:
        z: (N, d) float, z_E.
        labels: (N,) int, expressions.
        subjects: (N,) who is seen.
        identity: (N, q) float, z_I or other known identity factors.
    """

    z: np.ndarray
    labels: np.ndarray
    subjects: np.ndarray
    identity: np.ndarray


@dataclasses.dataclass(frozen=True, kw_only=True)
class Leakage:
    """How much of the person is in z_E; unseen subjects throughout. NaN: not measurable here.

    Without arguments it is that of a network that was tested on nobody.

    Attributes:
        linear_probe: Share of clips whose subject a linear classifier names, trained on the other
            clips of the same subjects.
        mlp_probe: The same by a network with one hidden layer.
        probe_chance: What guessing the most frequent subject gives.
        auc: Area under the ROC of telling "same person" from "another" by cosine similarity.
        eer: Equal error rate of the same.
        trained_auc: As `auc`, in the directions that best separate the *training* subjects.
        r2_linear: Variance of the identity factors explained by ridge regression fitted on
            training subjects; the penalty is chosen on held-out training subjects.
        r2_mlp: The same by a network with one hidden layer.
        clips: Test clips.
        subjects: Test subjects.
    """

    linear_probe: float = math.nan
    mlp_probe: float = math.nan
    probe_chance: float = math.nan
    auc: float = math.nan
    eer: float = math.nan
    trained_auc: float = math.nan
    r2_linear: float = math.nan
    r2_mlp: float = math.nan
    clips: int = 0
    subjects: int = 0


def measure(train: Features, test: Features, *, seed: int = 0) -> Leakage:
    """Asks all probes.

    Args:
        train: Clips the network was trained on.
        test: Clips of other people.
        seed: Of the networks among the probes.

    Raises:
        ConfigError: Somebody is in both sets.
    """
    shared = set(train.subjects.tolist()) & set(test.subjects.tolist())
    if shared:
        raise ConfigError(
            f"subject {min(map(str, shared))} is in the training and in the test clips",
            remedy="measure leakage on unseen subjects",
        )
    z_train, z_test = without_expression(train, test)
    auc, eer = verification(z_test, test.subjects, test.labels)
    return Leakage(
        linear_probe=_identification(_linear_probe, z_test, test.subjects),
        mlp_probe=_identification(_network_probe(seed), z_test, test.subjects),
        probe_chance=_chance(test.subjects),
        auc=auc,
        eer=eer,
        trained_auc=_trained_auc(z_train, train.subjects, z_test, test),
        r2_linear=ridge_r2(z_train, train.identity, train.subjects, z_test, test.identity),
        r2_mlp=_mlp_r2(z_train, train.identity, z_test, test.identity, seed),
        clips=len(test.labels),
        subjects=len(np.unique(test.subjects)),
    )


def verification(z: np.ndarray, subjects: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """AUC and equal error rate of "same person" by cosine similarity.

    Args:
        z: (N, d) features.
        subjects: (N,).
        labels: (N,) expressions; only pairs that differ in it are compared.

    Returns:
        (AUC, EER); NaN where there is no pair of one of the two kinds.
    """
    first, second, scores = pairs(z, labels)
    found = curve(scores, subjects[first] == subjects[second])
    return float(found.auc), float(found.eer)


def auc_resamples(
    train: Features, test: Features, *, resamples: int = 2000, seed: int = 0
) -> np.ndarray:
    """The AUC of `measure` for as many other draws of the test subjects.

    A subject that is drawn twice counts twice in each of its pairs. The draws depend on the seed
    and the subjects alone, so that differences between methods can be taken draw by draw.

    Args:
        train: Clips the network was trained on.
        test: Clips of other people.
        resamples: Draws.
        seed: Of the draws.

    Returns:
        (resamples,), NaN where a draw has no pair of one of the two kinds.
    """
    first, second, scores = pairs(without_expression(train, test)[1], test.labels)
    names = np.unique(test.subjects, return_inverse=True)[1]
    counts = drawn(int(names.max()) + 1, resamples=resamples, seed=seed)[1:]
    curves = over_draws(scores, names[first], names[second], counts)
    return np.concatenate([np.zeros(0), *(one.auc for one in curves)])


def without_expression(train: Features, test: Features) -> tuple[np.ndarray, np.ndarray]:
    """Scaled z_E of both, less the means of the training clips of the expression, if any."""
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(train.z)
    z_train, z_test = scaler.transform(train.z), scaler.transform(test.z)
    classes = 1 + int(max(train.labels.max(), test.labels.max()))
    means = _class_means(z_train, train.labels, classes)
    return z_train - means[train.labels], z_test - means[test.labels]


def pairs(z: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows of all pairs that differ in expression, and their cosine similarities."""
    unit = z / np.maximum(np.linalg.norm(z, axis=1, keepdims=True), 1e-12)
    first, second = np.triu_indices(len(z), 1)
    keep = labels[first] != labels[second]
    first, second = first[keep], second[keep]
    return first, second, (unit[first] * unit[second]).sum(1)


def ridge_r2(
    z_train: np.ndarray,
    y_train: np.ndarray,
    groups: np.ndarray,
    z_test: np.ndarray,
    y_test: np.ndarray,
) -> float:
    """Variance of `y_test` explained by ridge regression, all columns weighted by their variance.

    Args:
        z_train: (N, d).
        y_train: (N, q).
        groups: (N,) subjects: the penalty is chosen so that it serves people held out.
        z_test: (M, d).
        y_test: (M, q).

    Returns:
        1 - squared error / squared distance from the training mean: 1 perfect, 0 nothing known,
        negative if the probe does harm.
    """
    errors = np.zeros(len(_RIDGES))
    for rest, held in _group_folds(groups, 5):
        predicted = _ridge_path(z_train[rest], y_train[rest], z_train[held])
        errors += ((predicted - y_train[held]) ** 2).sum((1, 2))
    best = _ridge_path(z_train, y_train, z_test)[int(errors.argmin())]
    return _r2(y_train, best, y_test)


def _ridge_path(x: np.ndarray, y: np.ndarray, x_new: np.ndarray) -> np.ndarray:
    """(ridges, M, q) predictions from one singular value decomposition."""
    x_mean, y_mean = x.mean(0), y.mean(0)
    left, singular, rows = np.linalg.svd(x - x_mean, full_matrices=False)
    target, new = left.T @ (y - y_mean), (x_new - x_mean) @ rows.T
    shrunk = singular / (singular**2 + _RIDGES[:, None])
    predicted: np.ndarray = np.einsum("md,rd,dq->rmq", new, shrunk, target) + y_mean
    return predicted


def _mlp_r2(
    z_train: np.ndarray, y_train: np.ndarray, z_test: np.ndarray, y_test: np.ndarray, seed: int
) -> float:
    centre, scale = y_train.mean(0), np.maximum(y_train.std(0), 1e-9)
    target = torch.from_numpy((y_train - centre) / scale).float()
    answer = _network(z_train, target, y_train.shape[1], F.mse_loss, z_test, seed=seed)
    return _r2(y_train, answer.numpy() * scale + centre, y_test)


def _network(
    x: np.ndarray,
    target: Tensor,
    outputs: int,
    loss: Callable[[Tensor, Tensor], Tensor],
    x_new: np.ndarray,
    *,
    seed: int,
) -> Tensor:
    """Outputs (M, outputs) for `x_new` of a fresh network with one hidden layer, fitted to x."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        probe = nn.Sequential(
            nn.Dropout(0.3), nn.Linear(x.shape[1], 64), nn.ReLU(), nn.Linear(64, outputs)
        )
        optimizer = torch.optim.AdamW(probe.parameters(), lr=5e-3, weight_decay=0.3)
        inputs = torch.from_numpy(x).float()
        for _ in range(150):
            optimizer.zero_grad()
            loss(probe(inputs), target).backward()
            optimizer.step()
    probe.eval()
    with torch.no_grad():
        predicted: torch.Tensor = probe(torch.from_numpy(x_new).float())
    return predicted


def _r2(y_train: np.ndarray, predicted: np.ndarray, y_test: np.ndarray) -> float:
    error = ((predicted - y_test) ** 2).sum()
    return float(1 - error / ((y_test - y_train.mean(0)) ** 2).sum())


def discriminants(z: np.ndarray, subjects: np.ndarray, *, most: int = 32) -> np.ndarray | None:
    """The directions that best separate people: shrunk linear discriminant analysis.

    Args:
        z: (N, d) features without what the expression says.
        subjects: (N,); whoever has one clip is left out, who tells nothing of how clips differ.
        most: Directions, at most.

    Returns:
        (d, most or fewer), None where nothing can be learned: one person, or no spread.
    """
    from scipy.linalg import LinAlgError, eigh

    _, numbers, counts = np.unique(subjects, return_inverse=True, return_counts=True)
    repeated = counts[numbers] >= 2
    people = np.unique(numbers[repeated])
    if len(people) < 2:
        return None
    clips = z[repeated].astype(np.float64)
    # What separates people lies where clips differ. Of many more features than clips the rest is
    # left out, where an analysis of thousands would spend seconds and find nothing.
    inside = np.eye(clips.shape[1])
    if clips.shape[1] > max(_WIDE, len(clips)):
        inside = np.linalg.qr((clips - clips.mean(0))[:-1].T)[0]
    seen = clips @ inside

    def shrunk(x: np.ndarray) -> np.ndarray:
        """Halfway to the mean variance: more features than clips, three clips a person."""
        measured = np.cov(x, rowvar=False, bias=True).reshape(x.shape[1], x.shape[1])
        mean = np.trace(measured) / clips.shape[1]
        halfway: np.ndarray = 0.5 * (measured + mean * np.eye(x.shape[1]))
        return halfway

    groups = [seen[numbers[repeated] == person] for person in people]
    within = np.sum([shrunk(group) * (len(group) / len(seen)) for group in groups], axis=0)
    try:
        found = eigh(shrunk(seen) - within, within)[1][:, ::-1]
    except LinAlgError:  # features without any spread: nothing was learned
        return None
    directions: np.ndarray = inside @ found[:, :most]
    return directions


def _trained_auc(
    z_train: np.ndarray, subjects: np.ndarray, z_test: np.ndarray, test: Features
) -> float:
    directions = discriminants(z_train, subjects)
    if directions is None:
        return float("nan")
    return verification(z_test @ directions, test.subjects, test.labels)[0]


Probe = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def _linear_probe(x: np.ndarray, numbers: np.ndarray, x_new: np.ndarray) -> np.ndarray:
    from sklearn.linear_model import RidgeClassifier

    found: np.ndarray = RidgeClassifier(alpha=float(x.shape[1])).fit(x, numbers).predict(x_new)
    return found


def _network_probe(seed: int) -> Probe:
    def probe(x: np.ndarray, numbers: np.ndarray, x_new: np.ndarray) -> np.ndarray:
        target = torch.from_numpy(numbers)
        outputs = int(numbers.max()) + 1
        return _network(x, target, outputs, F.cross_entropy, x_new, seed=seed).argmax(1).numpy()

    return probe


def _identification(probe: Probe, z: np.ndarray, subjects: np.ndarray) -> float:
    """Share of clips whose subject is named by a probe fitted on the subjects' other clips.

    Args:
        probe: Maps (features, subject numbers, new features) to subject numbers.
        z: (N, d).
        subjects: (N,).
    """
    from sklearn.preprocessing import StandardScaler

    _, numbers, counts = np.unique(subjects, return_inverse=True, return_counts=True)
    keep = counts[numbers] >= 2
    z, numbers = z[keep], numbers[keep]
    if len(np.unique(numbers)) < 2:
        return float("nan")
    turn = _turns(numbers)
    right = []
    for held in range(min(_ROUNDS, int(turn.max()) + 1)):
        rest, out = turn != held, turn == held
        scale = StandardScaler().fit(z[rest])
        answer = probe(scale.transform(z[rest]), numbers[rest], scale.transform(z[out]))
        right.append(answer == numbers[out])
    return float(np.concatenate(right).mean())


def _turns(numbers: np.ndarray) -> np.ndarray:
    """Leave-one-clip-out rounds: round k holds out the k-th clip of everybody who has so many."""
    turn = np.zeros(len(numbers), int)
    for number in np.unique(numbers):
        turn[numbers == number] = np.arange((numbers == number).sum())
    return turn


def _chance(subjects: np.ndarray) -> float:
    """What the commonest name is right on, of the clips that `_identification` holds out."""
    counts = np.unique(subjects, return_counts=True)[1]
    held = np.minimum(counts[counts >= 2], _ROUNDS)
    return float(held.max() / held.sum()) if len(held) else float("nan")


def _group_folds(groups: np.ndarray, count: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    numbers = np.unique(groups, return_inverse=True)[1]
    for fold in range(count):
        held = numbers % count == fold
        if held.any() and not held.all():
            yield ~held, held


def _class_means(z: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    means = np.zeros((classes, z.shape[1]))
    for label in np.unique(labels):
        means[label] = z[labels == label].mean(0)
    return means
