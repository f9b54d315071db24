"""The paper's tables and what they leave open, as functions of stored predictions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mic.config import Profile
from mic.evaluation.metrics import drawn
from mic.lowrate import methods, training
from mic.lowrate.methods import Cell, predictions, recogniser_of
from mic.lowrate.networks import Architecture
from mic.lowrate.scores import difference, drawn_scores, hull, summary
from mic.lowrate.sequences import smoothed
from mic.lowrate.training import Recipe
from mic.lowrate.transmission import Channel
from mic.lowrate.views import Corpus

MIX = (3, 4, 6)  # the paper's choice of factors for max-mix training
ONE_FOR_ALL = "joint-OA"
METHODS = ("HR", "LR-S", "non-joint-S", "joint-S", ONE_FOR_ALL)
CONSTANT = "constant"


def recipe_for(config: Profile) -> Recipe:
    """How a profile trains.

    `paper` has the paper's networks and optimiser. The others have an eighth of its filters, so
    that all methods at all factors train within minutes on two cores, and what so few steps ask
    for: Adam at one rate for all layers, a restorer that starts from the face as it came, and
    mirrored and shifted faces.
    """
    if config.name == "paper":
        return Recipe(
            epochs=config.sr_epochs,
            sr_epochs=config.sr_epochs,
            batch=128,
            optimiser="sgd",
            learning_rate=0.01,
            patch=0,
            flip=False,
            shift=0,
            seed=config.seed,
        )
    return Recipe(
        architecture=Architecture(channels=(8, 16, 32), skip=True),
        epochs=config.sr_epochs,
        sr_epochs=max(1, config.sr_epochs // 2),
        learning_rate=2e-3,
        transferred=1.0,
        seed=config.seed,
    )


@dataclass(frozen=True)
class Study:
    """A comparison on one pair of training and test sequences.

    Attributes:
        train: Training sequences.
        test: Test sequences.
        factors: Down-sampling factors to test on; the largest is SR-FCN's for joint-OA.
        recipe: How everything is trained.
        smoothing: Seconds of the moving average over predictions, the same for all methods.
        resamples: Bootstrap samples of subjects.
        jobs: Processes.
    """

    train: Corpus
    test: Corpus
    factors: tuple[int, ...]
    recipe: Recipe
    smoothing: float = 1.0
    resamples: int = 2000
    jobs: int = 1

    @cached_property
    def draws(self) -> NDArray[np.int64]:
        """The samples of test subjects that all intervals share: how often each is drawn."""
        count = len(np.unique(self.test.subjects))
        return drawn(count, resamples=self.resamples, seed=self.recipe.seed)

    @property
    def mix(self) -> tuple[int, ...]:
        """Factors that joint-OA is tuned on: the paper's, as far as they are tested."""
        return tuple(factor for factor in MIX if factor in self.factors) or self.factors[:1]

    def methods(self, factor: int) -> dict[str, Cell]:
        """The paper's five methods for one factor."""
        channel, recipe = Channel(factor=factor), self.recipe
        mix = [Channel(factor=mixed) for mixed in self.mix]
        hardest = Channel(factor=max(self.factors))
        return {
            "HR": methods.high_resolution(recipe),
            "LR-S": methods.low_resolution(channel, recipe),
            "non-joint-S": methods.non_joint(channel, recipe),
            "joint-S": methods.joint(channel, recipe),
            ONE_FOR_ALL: methods.one_for_all(mix, hardest, recipe),
        }

    def prepare(self, work: Iterable[tuple[Cell, Iterable[Channel]]]) -> None:
        """Trains and predicts in parallel what the tables will ask for."""
        merged: dict[Cell, list[Channel]] = {}
        for cell, channels in work:
            merged.setdefault(cell, []).extend(channels)
        # Longest first, so that no process is left with one at the end.
        ordered = sorted(merged.items(), key=lambda item: (item[0].use == "none", -len(item[1])))
        methods.run(ordered, self.train, self.test, jobs=self.jobs)

    def drawn(self, cell: Cell, channel: Channel) -> NDArray[np.float64]:
        """Scores of every draw for one cell's smoothed predictions; see `drawn_scores`."""
        predicted = predictions(cell, self.train, self.test, channel)
        return self.drawn_of(predicted)

    def drawn_of(self, predicted: NDArray[np.float32]) -> NDArray[np.float64]:
        """The same for any predictions of the test frames."""
        parts = np.split(predicted, np.cumsum(self.test.lengths)[:-1])
        joined = np.concatenate(
            [smoothed(part, self.smoothing, self.test.frame_rate) for part in parts]
        )
        return drawn_scores(self.test.valence, joined, self.test.subjects, self.draws)

    def sizes(self) -> dict[str, int]:
        """`n` test frames and `subjects`, for tables."""
        return {"n": len(self.test.valence), "subjects": self.draws.shape[1]}


def factor_table(study: Study, *, without: Sequence[str] = ()) -> pd.DataFrame:
    """The paper's table: every method at every factor, uncoded.

    Args:
        study: The comparison.
        without: Methods that are left out.

    Returns:
        `method`, `factor`, `seen` (joint-OA was tuned on that factor), the metrics with their
        intervals, `n`, `subjects`, `parameters`. HR is tested on what each factor delivers, too: a
        model that was trained on sharp faces only. `constant` answers the training mean whatever
        it sees: what its RMSE is worth can be read off it.
    """
    pairs = [(factor, Channel(factor=factor)) for factor in study.factors]
    cells = [(n, cell, c) for f, c in pairs for n, cell in study.methods(f).items()]
    cells = [one for one in cells if one[0] not in without]
    wanted = [(cell, [channel]) for _, cell, channel in cells]
    study.prepare([*wanted, (methods.high_resolution(study.recipe), [Channel()])])
    mean = np.full(len(study.test.valence), study.train.valence.mean(), np.float32)
    head = {"method": CONSTANT, "factor": 1}
    rows = [head | summary(study.drawn_of(mean)) | study.sizes() | {"parameters": 1}]
    for name, cell, channel in [("HR", methods.high_resolution(study.recipe), Channel()), *cells]:
        count = {"parameters": methods.parameters(cell)}
        rows.append(_row(study, name, cell, channel) | count)
    table = pd.DataFrame(rows)
    table.insert(2, "seen", table["factor"].isin(study.mix))
    return table


def gain_table(study: Study) -> pd.DataFrame:
    """CCC that joint-OA gains over the dedicated models, factor by factor and pooled.

    Returns:
        `baseline`, `factors` (one, "seen" or "unseen"), `gain` with interval, `n`, `subjects`;
        pooled gains are means over factors on the same draws.
    """
    rows = []
    for baseline in ("LR-S", "joint-S"):
        pairs = {}
        for factor in study.factors:
            cells, channel = study.methods(factor), Channel(factor=factor)
            pairs[factor] = tuple(
                study.drawn(cells[name], channel) for name in (baseline, ONE_FOR_ALL)
            )
        groups = {str(factor): [factor] for factor in study.factors}
        groups["seen"] = [factor for factor in study.factors if factor in study.mix]
        groups["unseen"] = [factor for factor in study.factors if factor not in study.mix]
        for name, factors in groups.items():
            if factors:
                first, second = (np.mean([pairs[f][k] for f in factors], 0) for k in range(2))
                rows.append({"baseline": baseline, "factors": name} | difference(first, second))
    return pd.DataFrame(rows).assign(**study.sizes())


def mixing_table(study: Study, mixes: Sequence[Sequence[int]]) -> pd.DataFrame:
    """How the range of the mix and SR-FCN's part in it decide: the mixing-range ablation.

    Returns:
        `mix`, `initialised` (by SR-FCN), `factor`, the metrics with intervals, `n`, `subjects`.
    """
    hardest = Channel(factor=max(study.factors))
    cells = {}
    for mix in mixes:
        channels = [Channel(factor=factor) for factor in mix]
        name = ", ".join(map(str, mix))
        cells[name, True] = methods.one_for_all(channels, hardest, study.recipe)
        cells[name, False] = methods.mixed(channels, study.recipe)
    tested = [Channel(factor=factor) for factor in study.factors]
    study.prepare((cell, tested) for cell in cells.values())
    rows = [
        {"mix": mix, "initialised": initialised} | _row(study, "", cell, channel)
        for (mix, initialised), cell in cells.items()
        for channel in tested
    ]
    return pd.DataFrame(rows).drop(columns="method")


def option_table(study: Study, factor: int) -> pd.DataFrame:
    """Where paper and released code differ, one choice changed at a time, at one factor.

    Returns:
        `choice`, `method`, `factor`, the metrics with intervals, `n`, `subjects`.
    """
    channel, base = Channel(factor=factor), study.recipe
    variants: dict[tuple[str, str], Cell] = {
        ("as chosen", "LR-S"): methods.low_resolution(channel, base),
        ("as chosen", "joint-S"): methods.joint(channel, base),
        ("as chosen", "non-joint-S"): methods.non_joint(channel, base),
        ("features of SR-FCN, frozen", "non-joint-S"): methods.non_joint(
            channel, base, frozen=True
        ),
        ("CCC loss", "LR-S"): methods.low_resolution(channel, replace(base, loss="ccc")),
        ("transferred layers at a tenth", "joint-S"): methods.joint(
            channel, replace(base, transferred=0.1)
        ),
    }
    changes: dict[str, dict[str, Any]] = {
        "stride-4 pooling": {"pooling": "stride4"},
        "samples over 255": {"normalisation": "unit"},
    }
    for name, change in changes.items():
        architecture = replace(base.architecture, **change)
        variants[name, "LR-S"] = methods.low_resolution(
            channel, replace(base, architecture=architecture)
        )
    redrawn = replace(base.architecture, skip=not base.architecture.skip)
    name = "SR-FCN adds to the face" if redrawn.skip else "SR-FCN draws the face anew"
    variants[name, "joint-S"] = methods.joint(channel, replace(base, architecture=redrawn))
    study.prepare((cell, [channel]) for cell in variants.values())
    rows = [
        {"choice": choice} | _row(study, method, cell, channel)
        for (choice, method), cell in variants.items()
    ]
    return pd.DataFrame(rows)


def temporal_table(study: Study, cell: Cell, factor: int) -> pd.DataFrame:
    """The paper's future work: an LSTM with the CCC loss over a cell's features.

    Returns:
        `head` (per frame, LSTM), `factor`, the metrics with intervals, `n`, `subjects`.
    """
    channel = Channel(factor=factor)
    study.prepare([(cell, [channel])])
    recogniser = recogniser_of(cell, study.train)
    parts = [
        np.split(recogniser.features(corpus.received(channel).frames), _ends(corpus))
        for corpus in (study.train, study.test)
    ]
    labels = np.split(study.train.valence, _ends(study.train))
    head = training.fit_temporal(parts[0], labels, study.recipe)
    predicted = np.concatenate([training.over_time(head, part) for part in parts[1]])
    rows = []
    for name, scored in (
        ("per frame", study.drawn(cell, channel)),
        ("LSTM, CCC loss", study.drawn_of(predicted)),
    ):
        rows.append({"head": name, "factor": factor} | summary(scored) | study.sizes())
    return pd.DataFrame(rows)


def rate_table(study: Study, channels: Sequence[Channel], names: Sequence[str]) -> pd.DataFrame:
    """Rate and score of methods over coded channels.

    Args:
        study: The comparison; models are those of the factor table, trained on uncoded faces.
        channels: Codec, quantiser and factor of each operating point.
        names: Methods to test; at full size all but HR and joint-OA are left out.

    Returns:
        `method`, `codec`, `frames` ("P" or "I"), `factor`, `quantiser`, `bits_per_pixel` (of the
        96 x 96 face), `bit_rate` (bits/s), the metrics with intervals, `n`, `subjects`.
    """
    work = []
    for channel in channels:
        cells = study.methods(channel.factor)
        for name in names:
            if channel.factor > 1 or name in ("HR", ONE_FOR_ALL):
                work.append((name, cells[name], channel))
    study.prepare((cell, [channel]) for _, cell, channel in work)
    rows = []
    for name, cell, channel in work:
        view = study.test.received(channel)
        sent: Mapping[str, object] = {
            "codec": channel.codec,
            "frames": "I" if channel.intra else "P",
            "quantiser": channel.quantiser,
            "bits_per_pixel": view.bits_per_pixel,
            "bit_rate": view.bit_rate,
        }
        rows.append({**sent, **_row(study, name, cell, channel)})
    return pd.DataFrame(rows)


def hull_table(rates: pd.DataFrame) -> pd.DataFrame:
    """For each method, what to send at each rate: its hull over factor and quantiser."""
    parts = [
        hull(part, rate="bits_per_pixel", score="ccc")
        for _, part in rates.groupby("method", sort=False)
    ]
    columns = ["method", "factor", "quantiser", "bits_per_pixel", "bit_rate"]
    return pd.concat(parts)[[*columns, "ccc", "ccc_low", "ccc_high", "n", "subjects"]]


def _row(study: Study, name: str, cell: Cell, channel: Channel) -> dict[str, object]:
    head: dict[str, object] = {"method": name, "factor": channel.factor}
    return head | summary(study.drawn(cell, channel)) | study.sizes()


def _ends(corpus: Corpus) -> NDArray[np.int64]:
    return np.cumsum(corpus.lengths)[:-1]
