"""The generated datasets: how many people and clips, which labels, which splits.

Sizes follow the datasets they stand in for: CK+ (327 labelled sequences of 118 subjects; Lucey et
al. 2010), MMI (213 sequences with a six-class label, 32 subjects; Valstar and Pantic 2010), AFEW
(773 training and 383 validation clips; Dhall et al., EmotiW 2016) and AVEC 2016 (RECOLA; 9
training and 9 development recordings; Valstar et al. 2016). AFEW's class counts are EmotiW's.
MMI's class counts are not published for that selection; ours sum to 213.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from mic.errors import ConfigError
from mic.manifest.protocols import assign_folds
from mic.synthface import dynamics
from mic.synthface.dynamics import Performance

SEVEN_WITH_CONTEMPT = (
    "anger",
    "contempt",
    "disgust",
    "fear",
    "happiness",
    "sadness",
    "surprise",
)
SIX = ("anger", "disgust", "fear", "happiness", "sadness", "surprise")
SEVEN_WITH_NEUTRAL = ("anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise")
CK_COUNTS = dict(zip(SEVEN_WITH_CONTEMPT, (45, 18, 59, 25, 69, 28, 83), strict=True))
MMI_COUNTS = dict(zip(SIX, (33, 32, 30, 44, 32, 42), strict=True))
AFEW_TRAIN_COUNTS = dict(zip(SEVEN_WITH_NEUTRAL, (133, 74, 81, 150, 144, 117, 74), strict=True))
AFEW_VAL_COUNTS = dict(zip(SEVEN_WITH_NEUTRAL, (64, 40, 46, 63, 63, 61, 46), strict=True))
FAMILIES = 7  # of the shifted protocol: as many as classes
LOYALTY = 0.85  # share of a family's training clips that show the family's own class


@dataclass(frozen=True, kw_only=True)
class ClipPlan:
    """One clip that is to be made.

    Attributes:
        clip_id: Unique name within the protocol.
        subject: Name of the person.
        person: Seed of the person.
        family: Seed of the person's family, or None.
        label: Class, empty for continuous protocols.
        frames: Length.
        seed: Seed of everything that happens in the clip.
        fold: Fold of the protocol, or None.
        split: "train", "val", "test" or empty.
    """

    clip_id: str
    subject: str
    person: int
    family: int | None
    label: str
    frames: int
    seed: int
    fold: int | None
    split: str


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """A generated dataset.

    Attributes:
        name: `synth-...`.
        classes: Labels, empty for a continuous protocol.
        frame_rate: Frames a second.
        wild: Found light, clutter, camera motion, occluders and compression history.
        plan: Makes the list of clips from a seed and a clip length in seconds (continuous only).
        perform: What the face does in a clip.
        about: One sentence.
    """

    name: str
    classes: tuple[str, ...]
    frame_rate: Fraction
    wild: bool
    plan: Callable[[int, float], list[ClipPlan]]
    perform: Callable[[np.random.Generator, str, int, float], Performance]
    about: str


def seed_of(*parts: object) -> int:
    """A seed that depends on all its parts and on nothing else."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:7], "big")


def _people(protocol: str, seed: int, count: int, *, first: int = 0) -> list[tuple[str, int]]:
    """(name, seed) of a protocol's subjects."""
    return [
        (f"S{k:03d}", seed_of(protocol, seed, "person", k)) for k in range(first, first + count)
    ]


def _cast(
    rng: np.random.Generator, counts: dict[str, int], subjects: int
) -> list[tuple[int, str]]:
    """Who shows what: (subject, label) pairs, as even as can be, seldom the same twice.

    Every subject appears; classes keep their counts.
    """
    labels = [label for label, count in counts.items() for _ in range(count)]
    labels = [labels[k] for k in rng.permutation(len(labels))]
    shown: list[list[str]] = [[] for _ in range(subjects)]
    for label in labels:
        tie = rng.permutation(subjects)
        # Fewest clips first, and nobody repeats a label while somebody else has not shown it.
        chosen = min(
            range(subjects),
            key=lambda k, tie=tie, label=label: (
                shown[k].count(label),
                len(shown[k]) if label not in shown[k] else 99,
                tie[k],
            ),
        )
        shown[chosen].append(label)
    return [(k, label) for k, own in enumerate(shown) for label in sorted(own)]


def _plans(
    protocol: str,
    seed: int,
    cast: list[tuple[int, str]],
    people: list[tuple[str, int]],
    lengths: tuple[int, int],
    split: str = "",
) -> list[ClipPlan]:
    plans, repeats = [], {}
    for k, label in cast:
        name, person = people[k]
        take = repeats[name, label] = repeats.get((name, label), 0) + 1
        clip_id = f"{name}-{label}-{take}"
        clip_seed = seed_of(protocol, seed, clip_id)
        frames = int(np.random.default_rng(clip_seed).integers(lengths[0], lengths[1] + 1))
        plans.append(
            ClipPlan(
                clip_id=clip_id,
                subject=name,
                person=person,
                family=None,
                label=label,
                frames=frames,
                seed=clip_seed,
                fold=None,
                split=split,
            )
        )
    return plans


def _folded(plans: list[ClipPlan]) -> list[ClipPlan]:
    folds = assign_folds([plan.subject for plan in plans], [plan.label for plan in plans])
    return [_with(plan, fold=fold) for plan, fold in zip(plans, folds, strict=True)]


def _with(plan: ClipPlan, **changes: object) -> ClipPlan:
    return ClipPlan(**(vars(plan) | changes))


def _plan_ck(seed: int, _: float) -> list[ClipPlan]:
    rng = np.random.default_rng((seed, 11))
    cast = _cast(rng, CK_COUNTS, 118)
    return _folded(_plans("synth-ck", seed, cast, _people("synth-ck", seed, 118), (12, 26)))


def _plan_mmi(seed: int, _: float) -> list[ClipPlan]:
    rng = np.random.default_rng((seed, 12))
    cast = _cast(rng, MMI_COUNTS, 32)
    return _folded(_plans("synth-mmi", seed, cast, _people("synth-mmi", seed, 32), (36, 64)))


def _plan_afew(seed: int, _: float) -> list[ClipPlan]:
    plans = []
    for split, counts, first, people in (
        ("train", AFEW_TRAIN_COUNTS, 0, 220),
        ("val", AFEW_VAL_COUNTS, 220, 110),
    ):
        rng = np.random.default_rng((seed, 13, first))
        cast = _cast(rng, counts, people)
        crowd = _people("synth-afew", seed, people, first=first)
        plans += _plans("synth-afew", seed, cast, crowd, (28, 56), split)
    return plans


def _plan_avec(seed: int, seconds: float) -> list[ClipPlan]:
    people = _people("synth-avec", seed, 18)
    cast = [(k, "") for k in range(18)]
    frames = max(2, round(25 * seconds))
    plans = _plans("synth-avec", seed, cast, people, (frames, frames))
    # Alternating, so that a part of the protocol has both splits.
    return [
        _with(plan, clip_id=plan.subject, split="val" if k % 2 else "train")
        for k, plan in enumerate(plans)
    ]


def _plan_shifted(seed: int, _: float) -> list[ClipPlan]:
    """Families of look-alikes; in training a family mostly shows one class, in test any."""
    rng = np.random.default_rng((seed, 14))
    plans = []
    for split, first, people, clips in (("train", 0, 84, 3), ("test", 84, 42, 2)):
        crowd = _people("synth-ck-shifted", seed, people, first=first)
        cast, families = [], []
        for k in range(people):
            family = k % FAMILIES
            for _ in range(clips):
                own = split == "train" and rng.random() < LOYALTY
                label = family if own else int(rng.integers(FAMILIES))
                cast.append((k, SEVEN_WITH_CONTEMPT[label]))
                families.append(seed_of("family", seed, family))
        made = _plans("synth-ck-shifted", seed, cast, crowd, (12, 26), split)
        plans += [_with(plan, family=kin) for plan, kin in zip(made, families, strict=True)]
    return plans


PROTOCOLS: dict[str, Protocol] = {
    protocol.name: protocol
    for protocol in (
        Protocol(
            name="synth-ck",
            classes=SEVEN_WITH_CONTEMPT,
            frame_rate=Fraction(30),
            wild=False,
            plan=_plan_ck,
            perform=dynamics.onset,
            about="Posed, neutral to apex; the last frame is the apex.",
        ),
        Protocol(
            name="synth-mmi",
            classes=SIX,
            frame_rate=Fraction(25),
            wild=False,
            plan=_plan_mmi,
            perform=dynamics.onset_offset,
            about="Posed, neutral to apex to neutral; the apex is somewhere in the middle.",
        ),
        Protocol(
            name="synth-afew",
            classes=SEVEN_WITH_NEUTRAL,
            frame_rate=Fraction(25),
            wild=True,
            plan=_plan_afew,
            perform=dynamics.scene,
            about="Film-like: clutter, motion, speech, occluders; split by identity.",
        ),
        Protocol(
            name="synth-avec",
            classes=(),
            frame_rate=Fraction(25),
            wild=False,
            plan=_plan_avec,
            perform=lambda rng, _, frames, rate: dynamics.conversation(rng, frames, rate),
            about="Continuous valence and arousal in a video call, with a panel's gold standard.",
        ),
        Protocol(
            name="synth-ck-shifted",
            classes=SEVEN_WITH_CONTEMPT,
            frame_rate=Fraction(30),
            wild=False,
            plan=_plan_shifted,
            perform=dynamics.onset,
            about="As synth-ck, but family likeness predicts the label in training, not in test.",
        ),
    )
}


def protocol(name: str) -> Protocol:
    """The protocol called `name`.

    Raises:
        ConfigError: There is none.
    """
    if name not in PROTOCOLS:
        raise ConfigError(
            f"there is no generated dataset {name!r}",
            remedy=f"choose one of {', '.join(PROTOCOLS)}",
        )
    return PROTOCOLS[name]


def take(plans: list[ClipPlan], subset: int | float | None) -> list[ClipPlan]:
    """Part of a protocol, spread evenly over classes, folds and splits.

    Args:
        plans: All clips.
        subset: How many clips (an int), which share of them (a float), or None for all.

    Returns:
        Clips in their original order. A smaller subset of the same plans lies in a larger one.

    Raises:
        ConfigError: No clip, or more than there are.
    """
    if subset is None:
        return plans
    count = round(subset * len(plans)) if isinstance(subset, float) else subset
    if not 1 <= count <= len(plans):
        raise ConfigError(
            f"a subset of {subset} of {len(plans)} clips",
            remedy=f"choose a share up to 1.0 or a number up to {len(plans)}",
        )
    groups: dict[tuple[str, str], list[ClipPlan]] = {}
    for plan in sorted(plans, key=lambda plan: seed_of("subset", plan.seed)):
        groups.setdefault((plan.split, plan.label), []).append(plan)
    # The k-th of n clips of a group stands at (k + 1/2) / n: proportional, and nested.
    ranked = [
        ((k + 0.5) / len(group), seed_of("subset", plan.seed), plan.clip_id)
        for group in groups.values()
        for k, plan in enumerate(group)
    ]
    chosen = {clip_id for _, _, clip_id in sorted(ranked)[:count]}
    return [plan for plan in plans if plan.clip_id in chosen]
