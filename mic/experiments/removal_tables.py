"""What attackers found where identity was to be removed: tables and figures.

People are the units: intervals and tests draw the people of each test part anew, the same draws
for all rows, so that differences are paired. Holm's adjustment is over a whole table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.stats import norm

from mic.evaluation import metrics
from mic.evaluation.inference import compare, holm
from mic.evaluation.leakage import ridge_r2, without_expression
from mic.evaluation.metrics import drawn
from mic.experiments.cells import Outcome
from mic.experiments.privacy.attackers import ATTACKERS, OWN_PEOPLE, PairScores, attack
from mic.experiments.privacy.rates import rates
from mic.experiments.removal import NONE, Planting, Way, parts

Found = Sequence[tuple[Way, Mapping[str, np.ndarray]]]
# The aim: an AUC of at most so much, its upper bound at most so much, accuracy within a point.
AIM, BOUND, MARGIN = 0.52, 0.55, 0.01

ATTACKS: Mapping[str, str] = {
    "condition": "what the network is shown",
    "row": "how identity was to be removed; none: left alone",
    "placebo_of": "the row that this one is the placebo of",
    "attacker": "how pairs of clips are scored; but for similarity it is learned from people",
    "auc": "same person? 0.5: no idea; mean over folds, seeds and draws",
    "auc_low": "95 % interval over people",
    "auc_high": "95 % interval over people",
    "difference": "`auc` less that of the network left alone",
    "difference_low": "95 % interval over people, paired",
    "difference_high": "95 % interval over people, paired",
    "p_holm": "of no difference, by the bootstrap's standard error, Holm over the table",
    "beyond": "`auc` less the mean of the row's placebos",
    "beyond_low": "95 % interval over people, paired",
    "beyond_high": "95 % interval over people, paired",
    "beyond_p_holm": "of no difference, Holm over the table",
    "match_at_1": "same-person pairs accepted where 1 % of the others are",
    "match_at_10": "the same at 10 %",
    "naming": "clips whose best-scored other clip is of the same person",
    "people": "test people",
    "folds": "parts of the people",
    "repetitions": "seeds times draws of a part",
}
SUMMARY: Mapping[str, str] = {
    "condition": "what the network is shown",
    "row": "how identity was to be removed; none: left alone",
    "placebo_of": "the row that this one is the placebo of",
    "attacker": "the one that finds most",
    "auc": "its AUC",
    "auc_low": "95 % interval over people",
    "auc_high": "95 % interval over people",
    "accuracy": "of a logistic regression refitted to what was left of z_E",
    "accuracy_low": "95 % interval over people",
    "accuracy_high": "95 % interval over people",
    "accuracy_difference": "to the network left alone, mean over people",
    "accuracy_difference_low": "90 % interval over people",
    "accuracy_difference_high": "90 % interval over people",
    "p_equivalent": "two one-sided tests: small where the difference is within a point",
    "beyond": "attackers whose AUC is below that of the placebos after Holm's adjustment",
    "aim": "whether every attacker is at 0.52 or less, upper bound 0.55, accuracy within a point",
    "n": "predictions",
}
POWER: Mapping[str, str] = {
    "condition": "whose features the identity was planted in",
    "code": "trace: a displacement; sign: its axis only, each clip draws the direction",
    "share": "of the variance within an expression that the person accounts for",
    "attacker": "how pairs of clips are scored; but for similarity it is learned from people",
    "auc": "mean over draws, each on one part of the people",
    "auc_low": "95 % interval over the people of a part, mean over draws",
    "auc_high": "95 % interval over the people of a part, mean over draws",
    "seen": "share of draws whose 95 % interval over the people of a part lies above 0.5",
    "draws": "number of them",
}
REGRESSION: Mapping[str, str] = {
    "features": "what is asked",
    "auc": "linear attacker: same person?",
    "r2_shape": "variance of the coefficients of the face at rest told by ridge regression",
    "r2_gain": "the same of how strongly the person moves each unit of the face",
    "people": "test people",
}


def _draws(
    found: Found, name: str, splits: Sequence[str], *, resamples: int
) -> dict[str, np.ndarray]:
    """Rates of one attacker on one row: mean over folds of each draw of the people.

    Each of the table's `splits` draws people of its own, the same for all rows.
    """
    folds: dict[str, list[dict[str, np.ndarray]]] = {}
    for way, arrays in found:
        people = arrays["people"]
        scored = PairScores(
            first=arrays[f"{name}/first"],
            second=arrays[f"{name}/second"],
            scores=arrays[f"{name}/scores"],
            people=people,
        )
        seed = splits.index(way.cell.split)
        counts = drawn(int(people.max()) + 1, resamples=resamples, seed=seed)
        folds.setdefault(way.cell.split, []).append(vars(rates(scored, counts)))
    means = [
        {key: np.mean([one[key] for one in some], axis=0) for key in some[0]}
        for some in folds.values()
    ]
    return {key: np.mean([one[key] for one in means], axis=0) for key in means[0]}


def attacks_table(found: Found, *, resamples: int = 1000) -> pd.DataFrame:
    """Every row under every attacker; columns: `ATTACKS`.

    Args:
        found: Ways and what `mic.experiments.removal.attacked` made of them, any number of folds,
            seeds and draws a row; of each condition a row `none`.
        resamples: Draws of the people.
    """
    lines = []
    every = sorted({way.cell.split for way, _ in found})
    for condition, rows in _by_row(found).items():
        for attacker in ATTACKERS:
            values = {
                row: _draws(some, attacker, every, resamples=resamples)
                for row, some in rows.items()
            }
            for row, some in rows.items():
                one, auc = values[row], values[row]["auc"]
                placebos = [
                    values[other]["auc"]
                    for other, its in rows.items()
                    if its[0][0].placebo_of == row
                ]
                splits = {way.cell.split: len(arrays["people"]) for way, arrays in some}
                people = {way.cell.split: int(arrays["people"].max()) + 1 for way, arrays in some}
                naming = float("nan") if attacker == OWN_PEOPLE else one["naming"][0]
                lines.append(
                    {
                        "condition": condition,
                        "row": row,
                        "placebo_of": some[0][0].placebo_of,
                        "attacker": attacker,
                        **_interval("auc", auc),
                        **_test("difference", auc - values[NONE]["auc"], row != NONE),
                        **_test(
                            "beyond",
                            auc - (np.mean(placebos, axis=0) if placebos else auc),
                            bool(placebos),
                        ),
                        "match_at_1": one["match_at_1"][0],
                        "match_at_10": one["match_at_10"][0],
                        "naming": naming,
                        "people": sum(people.values()),
                        "folds": len(splits),
                        "repetitions": len(some) // len(splits),
                    }
                )
    table = pd.DataFrame(lines)
    table["p_holm"] = holm(table.pop("difference_p").to_numpy())
    table["beyond_p_holm"] = holm(table.pop("beyond_p").to_numpy())
    return table[list(ATTACKS)]


def summary_table(found: Found, attacks: pd.DataFrame) -> pd.DataFrame:
    """A line a row: who finds most, what it costs, whether the aim is reached; see `SUMMARY`.

    Args:
        found: As of `attacks_table`.
        attacks: That table.
    """
    lines = []
    for condition, rows in _by_row(found).items():
        alone = {(way.cell.split, way.cell.seed): arrays for way, arrays in rows[NONE]}
        for row, some in rows.items():
            mine = attacks[(attacks["condition"] == condition) & (attacks["row"] == row)]
            most = mine.loc[mine["auc"].idxmax()]
            right = np.concatenate([arrays["correct"] for _, arrays in some])
            before = np.concatenate(
                [alone[way.cell.split, way.cell.seed]["correct"] for way, _ in some]
            )
            people = np.concatenate(
                [[f"{way.cell.split}/{p}" for p in arrays["people"]] for way, arrays in some]
            )
            value = metrics.subject_bootstrap(right, people)
            line: dict[str, object] = {
                **{name: most[name] for name in list(SUMMARY)[:7]},
                "accuracy": value.value,
                "accuracy_low": value.low,
                "accuracy_high": value.high,
            }
            equal = compare(before, right, people, margin=MARGIN)
            known = row != NONE
            line |= {
                "accuracy_difference": equal.difference if known else np.nan,
                "accuracy_difference_low": equal.low if known else np.nan,
                "accuracy_difference_high": equal.high if known else np.nan,
                "p_equivalent": equal.p_equivalent if known else np.nan,
                "beyond": int(((mine["beyond"] < 0) & (mine["beyond_p_holm"] < 0.05)).sum()),
                "aim": bool(
                    (mine["auc"] <= AIM).all()
                    and (mine["auc_high"] <= BOUND).all()
                    and known
                    and equal.p_equivalent < 0.05
                ),
                "n": len(right),
            }
            lines.append(line)
    return pd.DataFrame(lines)[list(SUMMARY)]


def power_table(found: Sequence[tuple[Planting, Mapping[str, np.ndarray]]]) -> pd.DataFrame:
    """What each attacker sees of a known identity; columns: `POWER`.

    Args:
        found: Plantings and what `mic.experiments.removal.seen` made of them.
    """
    lines = []
    for one, arrays in found:
        for attacker in ATTACKERS:
            line = {"condition": one.alone.condition, "code": one.code, "share": one.share}
            ends = _interval("auc", arrays[attacker])
            seen = float(ends["auc_low"] > 0.5)
            lines.append(line | {"attacker": attacker, **ends, "seen": seen, "draws": 1})
    keys = ["condition", "code", "share", "attacker"]
    table = pd.DataFrame(lines).groupby(keys, sort=False, as_index=False)
    how = dict.fromkeys(("auc", "auc_low", "auc_high", "seen"), "mean") | {"draws": "sum"}
    return table.agg(how)[list(POWER)]


def regression_table(
    features: Mapping[str, Sequence[Outcome]],
    identity: np.ndarray,
    shape: np.ndarray,
    gain: np.ndarray,
) -> pd.DataFrame:
    """Why R2 of identity coefficients is no witness; columns: `REGRESSION`.

    Args:
        features: By condition, folds of the network left alone.
        identity: (clips of the manifest, q) z_I, which is asked as features, too.
        shape: (clips, k) coefficients of the face at rest.
        gain: (clips, units) how strongly each unit moves.
    """
    lines = []
    asked = {"z_I of the I-frame": next(iter(features.values()))} | {
        f"z_E, {name}": folds for name, folds in features.items()
    }
    for name, folds in asked.items():
        values = []
        people = 0
        for outcome in folds:
            train, test = parts(outcome, identity)
            if name.startswith("z_I"):
                train, test = (
                    type(one)(
                        z=one.identity,
                        labels=one.labels,
                        subjects=one.subjects,
                        identity=one.identity,
                    )
                    for one in (train, test)
                )
            scored = attack("linear", train, test)
            people += int(scored.people.max()) + 1
            counts = drawn(int(scored.people.max()) + 1, resamples=0, seed=0)
            z_train, z_test = without_expression(train, test)
            known = [
                ridge_r2(z_train, y[outcome.train], train.subjects, z_test, y[outcome.test])
                for y in (shape.astype(float), gain.astype(float))
            ]
            values.append([rates(scored, counts).auc[0], *known])
        auc, r2_shape, r2_gain = np.mean(values, axis=0)
        lines.append(
            {
                "features": name,
                "auc": auc,
                "r2_shape": r2_shape,
                "r2_gain": r2_gain,
                "people": people,
            }
        )
    return pd.DataFrame(lines)[list(REGRESSION)]


def figure(attacks: pd.DataFrame) -> Figure:
    """AUC of every row under every attacker with its interval; placebos are hollow."""
    conditions = list(dict.fromkeys(attacks["condition"]))
    tall = max(attacks[attacks["condition"] == name]["row"].nunique() for name in conditions)
    made = Figure(figsize=(6.2 * len(conditions), 0.42 * tall + 1.4), layout="constrained")
    panels = made.subplots(1, len(conditions), squeeze=False)[0]
    for axis, name in zip(panels, conditions, strict=True):
        part = attacks[attacks["condition"] == name]
        rows = list(dict.fromkeys(part["row"]))
        for turn, (attacker, mine) in enumerate(part.groupby("attacker", sort=False)):
            places = np.array([-rows.index(row) for row in mine["row"]], float)
            places -= (turn - (len(ATTACKERS) - 1) / 2) * 0.11
            for placebo in (False, True):
                some = (mine["placebo_of"].fillna("") != "").to_numpy() == placebo
                value = mine["auc"].to_numpy()[some]
                reach = [
                    value - mine["auc_low"].to_numpy()[some],
                    mine["auc_high"].to_numpy()[some] - value,
                ]
                axis.errorbar(
                    value,
                    places[some],
                    xerr=np.abs(reach),
                    fmt="o",
                    ms=3.5,
                    elinewidth=0.8,
                    color=f"C{turn}",
                    mfc="white" if placebo else f"C{turn}",
                    label=None if placebo else str(attacker),
                )
        axis.axvline(0.5, color="0.3", linestyle=":")
        axis.set_yticks([-k for k in range(len(rows))], rows, fontsize=8)
        axis.set(xlim=(0.35, 1), xlabel="AUC, 95 % interval over people", title=name)
    made.legend(
        *panels[0].get_legend_handles_labels(),
        fontsize=7,
        loc="outside lower center",
        ncols=3,
        title="attacker (hollow: placebo)",
        title_fontsize=8,
    )
    return made


def power_figure(table: pd.DataFrame) -> Figure:
    """AUC over the planted share, a panel a kind of code; bars are intervals over people."""
    codes = list(dict.fromkeys(table["code"]))
    made = Figure(figsize=(4.6 * len(codes), 3.4), layout="constrained")
    panels = made.subplots(1, len(codes), sharey=True, squeeze=False)[0]
    ticks = sorted(table["share"].unique())
    for axis, code in zip(panels, codes, strict=True):
        part = table[table["code"] == code]
        for turn, (attacker, line) in enumerate(part.groupby("attacker", sort=False)):
            places = np.array([ticks.index(share) for share in line["share"]], float)
            reach = [line["auc"] - line["auc_low"], line["auc_high"] - line["auc"]]
            axis.errorbar(
                places + (turn - 2.5) * 0.06,
                line["auc"],
                yerr=np.abs(reach),
                marker=".",
                label=str(attacker),
            )
        axis.axhline(0.5, color="0.3", linestyle=":")
        axis.set_xticks(range(len(ticks)), [f"{share:.0%}" for share in ticks])
        axis.set(xlabel="planted share of the variance within an expression", title=code)
        axis.set_ylim(0.35, 1)
    panels[0].set_ylabel("AUC, 95 % interval over people")
    panels[0].legend(fontsize=7)
    return made


def _by_row(found: Found) -> dict[str, dict[str, list[tuple[Way, Mapping[str, np.ndarray]]]]]:
    rows: dict[str, dict[str, list[tuple[Way, Mapping[str, np.ndarray]]]]] = {}
    for way, arrays in found:
        rows.setdefault(way.condition, {}).setdefault(way.row, []).append((way, arrays))
    return rows


def _interval(name: str, values: np.ndarray) -> dict[str, float]:
    """The value of everybody once, and the middle 95 % of the draws."""
    low, high = np.nanquantile(values[1:], [0.025, 0.975])
    return {name: float(values[0]), f"{name}_low": float(low), f"{name}_high": float(high)}


def _test(name: str, values: np.ndarray, asked: bool) -> dict[str, float]:
    """A difference with its interval and p; NaN where it is not asked for."""
    names = (name, f"{name}_low", f"{name}_high", f"{name}_p")
    spread = float(np.nanstd(values[1:]))
    if not asked or spread == 0:
        return dict.fromkeys(names, float("nan"))
    p = 2 * float(norm.sf(abs(values[0]) / spread))
    return _interval(name, values) | {f"{name}_p": p}
