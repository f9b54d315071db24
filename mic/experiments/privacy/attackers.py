"""Attackers: how somebody who holds z_E would tell whether two clips show one person.

An attacker learns from people that it is given and is judged on others. All of them see z_E
without what the expression says (`mic.evaluation.leakage`), and compare clips of different
expressions only. Each answers with a score a pair, from which everything follows: verification at
any false-match rate, and naming, which is the best-scored of the other clips.

No attacker proves absence. How small an identity each would have seen is what
`mic.experiments.privacy.planted` measures, and a result without that is none.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from mic.errors import ConfigError
from mic.evaluation.leakage import Features, discriminants, pairs, without_expression
from mic.training.descent import Descent, descend, seeded

# scikit-learn is imported where it is needed, see `mic.evaluation.leakage`.

# Directions of what is compared by cosine, and inputs of the trees.
_DIRECTIONS = 32
_TREE_INPUTS = 24
# Pairs of two people for each pair of one that the trees are shown: all would hide the latter.
_OTHERS = 10
_GROUPS = 3  # of the unseen people, for the attacker who has collected some of them


@dataclasses.dataclass(frozen=True, kw_only=True)
class PairScores:
    """What an attacker says of pairs of test clips, the higher the more likely one person.

    Attributes:
        first: (P,) row of one clip.
        second: (P,) row of the other.
        scores: (P,).
        people: (N,) number of each clip's person, from 0.
    """

    first: np.ndarray
    second: np.ndarray
    scores: np.ndarray
    people: np.ndarray

    @property
    def same(self) -> np.ndarray:
        """(P,) whether a pair is of one person."""
        same: np.ndarray = self.people[self.first] == self.people[self.second]
        return same

    def named(self) -> np.ndarray:
        """(N,) whether the best-scored of the other clips is of the same person.

        NaN for clips whose person is in none of the pairs that were scored: nobody could.
        """
        scored = np.full((len(self.people), len(self.people)), -np.inf)
        scored[self.first, self.second] = scored[self.second, self.first] = self.scores
        same = self.people[:, None] == self.people
        own, other = (np.where(kept, scored, -np.inf).max(1) for kept in (same, ~same))
        return np.where(np.isinf(own), np.nan, own > other)


Embedding = Callable[[np.ndarray], np.ndarray]
# From features, people and a seed to what maps features to vectors whose cosine is the score.
Learner = Callable[[np.ndarray, np.ndarray, int], Embedding | None]


def attack(name: str, train: Features, test: Features, *, seed: int = 0) -> PairScores:
    """Scores of all pairs of test clips that differ in expression.

    Args:
        name: Of `ATTACKERS`.
        train: Clips of the people that the attacker learns from.
        test: Clips of others.
        seed: Of networks and draws.

    Raises:
        ConfigError: An unknown name, or somebody is in both sets.
    """
    shared = set(train.subjects.tolist()) & set(test.subjects.tolist())
    if shared:
        raise ConfigError(
            f"subject {min(map(str, shared))} is learned from and attacked",
            remedy="attack people that the attacker has not seen",
        )
    if name not in ATTACKERS:
        raise ConfigError(
            f"there is no attacker {name!r}", remedy=f"choose one of {', '.join(ATTACKERS)}"
        )
    z_train, z_test = without_expression(train, test)
    people = np.unique(test.subjects, return_inverse=True)[1]
    first, second, scores = ATTACKERS[name](z_train, train, z_test, test, seed)
    return PairScores(first=first, second=second, scores=scores, people=people)


# It scores pairs within groups only, so that its naming is among fewer and is not compared.
OWN_PEOPLE = "linear, own people"
Pairs = tuple[np.ndarray, np.ndarray, np.ndarray]
Attacker = Callable[[np.ndarray, Features, np.ndarray, Features, int], Pairs]


def _by_cosine(learn: Learner) -> Attacker:
    def scored(
        z_train: np.ndarray, train: Features, z_test: np.ndarray, test: Features, seed: int
    ) -> Pairs:
        embed = learn(z_train, train.subjects, seed)
        vectors = np.zeros_like(z_test) if embed is None else embed(z_test)
        return pairs(vectors, test.labels)

    return scored


def _as_they_are(z: np.ndarray, people: np.ndarray, seed: int) -> Embedding:
    del z, people, seed
    return lambda new: new


def _linear(z: np.ndarray, people: np.ndarray, seed: int) -> Embedding | None:
    del seed
    directions = discriminants(z, people, most=_DIRECTIONS)
    return None if directions is None else lambda new: new @ directions


def _kernel(z: np.ndarray, people: np.ndarray, seed: int) -> Embedding | None:
    """Linear discriminants of the components of a Gaussian kernel, as wide as clips are apart."""
    from sklearn.decomposition import KernelPCA
    from sklearn.metrics.pairwise import euclidean_distances

    distances = euclidean_distances(z, squared=True)
    apart = float(np.median(distances[np.triu_indices(len(z), 1)]))
    if apart <= 0:
        return None
    components = KernelPCA(
        min(len(z) - 1, 150), kernel="rbf", gamma=1 / apart, eigen_solver="dense"
    ).fit(z)
    inside = components.transform(z)
    directions = discriminants(inside, people, most=_DIRECTIONS)
    if directions is None:
        return None
    return lambda new: components.transform(new) @ directions


def _network(z: np.ndarray, people: np.ndarray, seed: int) -> Embedding | None:
    """The hidden layer of a network that has learned to name the people it was given."""
    names, numbers = np.unique(people, return_inverse=True)
    if len(names) < 2:
        return None
    hidden = 128
    with seeded(seed):
        first = nn.Sequential(nn.Dropout(0.3), nn.Linear(z.shape[1], hidden), nn.ReLU())
        last = nn.Sequential(nn.Dropout(0.3), nn.Linear(hidden, len(names)))
        whole = nn.Sequential(first, last)
        inputs, target = torch.from_numpy(z).float(), torch.from_numpy(numbers)
        descend(
            whole,
            range(200),
            lambda _: F.cross_entropy(whole(inputs), target, label_smoothing=0.1),
            Descent([whole.parameters()], weight_decay=0.1),
            rate=lambda _: 3e-3,
        )

    @torch.no_grad()
    def embed(new: np.ndarray) -> np.ndarray:
        centre = first(inputs).mean(0)
        found: np.ndarray = (first(torch.from_numpy(new).float()) - centre).double().numpy()
        return found

    return embed


def _boosted(
    z_train: np.ndarray, train: Features, z_test: np.ndarray, test: Features, seed: int
) -> Pairs:
    """Boosted trees on pairs: distance and product in each principal component, and the cosine."""
    from sklearn.decomposition import PCA
    from sklearn.ensemble import HistGradientBoostingClassifier

    ours, theirs, between = pairs(z_test, test.labels)
    nothing = ours, theirs, np.zeros(len(ours))
    if not z_train.any():  # features without any spread
        return nothing
    count = min(_TREE_INPUTS, len(z_train) - 1, z_train.shape[1])
    components = PCA(count, whiten=True, svd_solver="full").fit(z_train)

    def described(
        z: np.ndarray, first: np.ndarray, second: np.ndarray, cosine: np.ndarray
    ) -> np.ndarray:
        inside = components.transform(z)
        one, other = inside[first], inside[second]
        return np.column_stack([np.abs(one - other), one * other, cosine])

    first, second, cosine = pairs(z_train, train.labels)
    same = train.subjects[first] == train.subjects[second]
    draw = np.random.default_rng(seed)
    others = np.flatnonzero(~same)
    kept = draw.choice(others, min(len(others), _OTHERS * int(same.sum())), replace=False)
    shown = np.sort(np.concatenate([np.flatnonzero(same), kept]))
    if not same.any() or same.all():
        return nothing
    trees = HistGradientBoostingClassifier(
        max_iter=80, learning_rate=0.1, max_leaf_nodes=8, l2_regularization=1.0, random_state=seed
    )
    trees.fit(described(z_train, first[shown], second[shown], cosine[shown]), same[shown])
    inputs = described(z_test, ours, theirs, between)
    return ours, theirs, trees.decision_function(inputs)


def _collected(
    z_train: np.ndarray, train: Features, z_test: np.ndarray, test: Features, seed: int
) -> Pairs:
    """The linear attacker with people of its own, whom neither network nor eraser was fitted to.

    The unseen people are divided into groups; pairs within a group are scored by directions that
    were learned from the others. What an eraser does to the clips it was fitted on says little of
    what it does to new ones, and the other attackers learn from the former.
    """
    del z_train, train
    people = np.unique(test.subjects, return_inverse=True)[1]
    order = np.random.default_rng(seed).permutation(int(people.max()) + 1)
    group = (order % _GROUPS)[people]
    found = []
    for number in range(min(_GROUPS, len(order))):
        held = np.flatnonzero(group == number)
        others = group != number
        embed = _linear(z_test[others], people[others], seed)
        z = z_test[held]
        first, second, scores = pairs(z * 0 if embed is None else embed(z), test.labels[held])
        found.append((held[first], held[second], scores))
    first, second, scores = (np.concatenate(column) for column in zip(*found, strict=True))
    return first, second, scores


ATTACKERS: Mapping[str, Attacker] = {
    "similarity": _by_cosine(_as_they_are),
    "linear": _by_cosine(_linear),
    OWN_PEOPLE: _collected,
    "kernel": _by_cosine(_kernel),
    "network": _by_cosine(_network),
    "boosted trees": _boosted,
}
