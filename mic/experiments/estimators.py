"""What estimators of mutual information find where the truth is known: the tables of notebook 03.

Each table's columns are described beside the function that makes it, for
`mic.publishing.results.Run.table`. `tests/campaigns/estimators.py` asks about distributions that
are not Gaussian.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping

import pandas as pd
import torch

from mic.experiments.known_pairs import gaussian
from mic.mi import TRAINED, Name, measure

# Samples that are drawn of each distribution, each with critics of its own.
DRAWS = 3
_SPREAD: Mapping[str, str] = {
    "least": "the smallest of the draws, same unit",
    "largest": "the largest of the draws, same unit",
    "draws": "samples that were drawn, each with critics of its own",
}

CLOSED_FORM_COLUMNS: Mapping[str, str] = {
    "dimensions": "of each of the two variables",
    "rho": "correlation of paired coordinates",
    "n": "samples",
    "truth": "mutual information, nats",
    "estimate": "its estimate, nats, mean over draws",
    **_SPREAD,
    "relative_error": "estimate / truth - 1",
}


def _over_draws(rows: list[tuple[object, ...]], keys: Mapping[str, str]) -> pd.DataFrame:
    """Lines of (key, ..., truth, estimate) that differ in nothing but the draw, as one."""
    names = [name for name in keys if name not in {"estimate", *_SPREAD, "relative_error"}]
    table = pd.DataFrame(rows, columns=[*names, "estimate"])
    found = table.groupby(names, sort=False, as_index=False)["estimate"].agg(
        estimate="mean", least="min", largest="max", draws="size"
    )
    if "relative_error" in keys:
        found["relative_error"] = found["estimate"] / found["truth"] - 1
    return found[list(keys)]


# Steps that the critics of `copula` are trained; more gain nothing.
_COPULA_STEPS = 400


def closed_form_table(
    samples: int, *, steps: int, draw: torch.Generator, seed: int, draws: int = DRAWS
) -> pd.DataFrame:
    """`copula` against the closed form of Gaussian variables, over dimensions and correlations.

    The second variable is passed through an exponential, which changes no mutual information.

    Args:
        samples: Rows of each sample.
        steps: Training steps of the critics, 400 at most.
        draw: Of the samples.
        seed: Of the first draw's critics; the others' follow.
        draws: Samples of each distribution.

    Returns:
        One row a distribution, columns of `CLOSED_FORM_COLUMNS`.
    """
    rows: list[tuple[object, ...]] = []
    for size in (2, 5, 10, 20):
        for rho in (0.3, 0.6, 0.9):
            pair = gaussian(size, rho)
            for turn in range(draws):
                x, y = pair.draw(samples, draw)
                limit = min(_COPULA_STEPS, steps)
                found = measure(x, y.exp(), steps=limit, seed=seed + turn)
                rows.append((size, rho, samples, pair.truth, found))
    return _over_draws(rows, CLOSED_FORM_COLUMNS)


ESTIMATOR_COLUMNS: Mapping[str, str] = {
    "estimator": "its name in `mic.mi`",
    "rho": "correlation of paired coordinates",
    "truth": "mutual information, nats",
    "estimate": "nats, but for nhsic and dcor, which lie between 0 and 1; mean over draws",
    **_SPREAD,
}
_COMPARED: tuple[Name, ...] = (
    *("mine", "nwj", "smile", "infonce", "vclub"),
    *("copula", "nhsic", "dcor"),
)


def estimator_table(
    samples: int, *, steps: int, draw: torch.Generator, seed: int, draws: int = DRAWS
) -> pd.DataFrame:
    """All estimators on the same Gaussian samples of five dimensions.

    Args:
        samples: Rows of each sample; `nhsic` and `dcor`, whose cost is quadratic, see 1,000.
        steps: Training steps of each critic.
        draw: Of the samples.
        seed: Of the first draw's critics; the others' follow.
        draws: Samples of each distribution.

    Returns:
        One row a correlation and estimator, columns of `ESTIMATOR_COLUMNS`.
    """
    rows: list[tuple[object, ...]] = []
    for rho, turn in itertools.product((0.0, 0.5, 0.7, 0.9, 0.97), range(draws)):
        pair = gaussian(5, rho)
        x, y = pair.draw(samples, draw)
        for name in _COMPARED:
            options = {"batch": 64, "hidden": 64} if name in TRAINED else {}
            few = slice(0, 1000) if name in ("nhsic", "dcor") else slice(None)
            limit = steps if name in TRAINED else min(_COPULA_STEPS, steps)
            found = measure(
                x[few], y[few], estimator=name, steps=limit, seed=seed + turn, **options
            )
            rows.append((name, rho, pair.truth, found))
    return _over_draws(rows, ESTIMATOR_COLUMNS)


SAMPLE_SIZE_COLUMNS: Mapping[str, str] = {
    "estimator": "name",
    "n": "samples",
    "truth": "mutual information, nats",
    "estimate": "held-out estimate, nats, mean over draws",
    **_SPREAD,
}
_SIZED: tuple[Name, ...] = ("mine", "smile", "infonce", "copula")


def sample_size_table(
    most: int, *, steps: int, draw: torch.Generator, seed: int, draws: int = DRAWS
) -> pd.DataFrame:
    """Estimates over sample size: 32 against 16 dimensions, one shared coordinate or none.

    Args:
        most: The largest sample, of 100 to 10,000 rows.
        steps: Training steps of each critic.
        draw: Of the samples.
        seed: Of the first draw's critics; the others' follow.
        draws: Samples of each distribution.

    Returns:
        One row a size, truth and estimator, columns of `SAMPLE_SIZE_COLUMNS`.
    """
    rho = 0.9
    rows: list[tuple[object, ...]] = []
    for count in (size for size in (100, 300, 1000, 3000, 10_000) if size <= most):
        for linked, turn in itertools.product((False, True), range(draws)):
            x = torch.randn(count, 32, generator=draw)
            y = torch.randn(count, 16, generator=draw)
            truth = gaussian(1, rho).truth if linked else 0.0
            if linked:
                y[:, 0] = rho * x[:, 0] + math.sqrt(1 - rho**2) * y[:, 0]
            for name in _SIZED:
                options = {"batch": 48, "hidden": 64} if name in TRAINED else {}
                found = measure(x, y, estimator=name, steps=steps, seed=seed + turn, **options)
                rows.append((name, count, truth, found))
    return _over_draws(rows, SAMPLE_SIZE_COLUMNS)
