"""What the tables' columns mean, and what the tables say about the papers' claims."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mic.lowrate.residuals import LONGER, MIXED

_COLUMNS = {
    "method": "as in the paper",
    "baseline": "dedicated model that joint-OA is compared with",
    "choice": "what is changed",
    "head": "what follows the features",
    "model": "dedicated to its rung, that of the finest rung, or one trained on all rungs",
    "mix": "factors of the frames it is tuned on",
    "initialised": "whether SR-FCN's convolutions are its first",
    "factor": "edge lengths are divided by it before coding",
    "factors": "one factor, or the mean over those in or not in joint-OA's mix",
    "seen": "whether joint-OA was tuned on this factor",
    "codec": "of the transmission",
    "frames": "I: every frame intra; P: the first only",
    "quantiser": "vop_quant of mpeg4, QP of h264 and hevc",
    "bits_per_pixel": "bits over samples before down-sampling",
    "bit_rate": "bits/s",
    "delay": "seconds",
    "correlation": "of predictions for unseen training subjects with the labels moved back so far",
    "frames_per_second": "of video, from received bytes to the answer, one thread",
    "parse_share": "of that time",
    "clips": "clips timed",
    "n": "test frames (clips, where answers are classes)",
    "subjects": "test subjects; intervals draw them",
    "change": "accuracy minus that of the dedicated model, same clips",
    "change_low": "95 % interval over subjects, lower end",
    "change_high": "upper end",
    "gain": "difference in CCC, same frames: joint-OA less the baseline, or as the claim says",
    "gain_low": "95 % interval over subjects, lower end",
    "gain_high": "upper end",
    "steps": "of the training, as a multiple of a dedicated model's",
    "parameters": "trained numbers that an answer needs",
    "sender": "method and size sent; decode, then HR is what it is compared with",
    "points": "all operating points, or those worth sending (more bits, higher score)",
    "difference": "BD-rate on CCC: relative bits for equal score; empty where not defined",
    "difference_low": "95 % interval over subjects, lower end",
    "difference_high": "upper end",
    "defined": "share of the samples of subjects in which it is defined",
    "reason": "why it is not defined for the sample as it is",
    "number": "claim of the paper; all its parts must hold",
    "claim": "what the paper says is positive: a difference in CCC, mean over factors or, on "
    "coded faces, over rates",
    "p": "two-sided, from the draws of subjects",
    "p_holm": "adjusted over the table",
    "verdict": "by p_holm below 0.05 and the sign",
    "rmse": "root mean square error",
    "cc": "Pearson correlation",
    "ccc": "concordance correlation",
    "accuracy": "share of clips",
    **{
        f"{metric}_{end}": f"95 % interval over subjects, {end} end"
        for metric in ("rmse", "cc", "ccc", "accuracy")
        for end in ("low", "high")
    },
}


def describe(table: pd.DataFrame) -> dict[str, str]:
    """What each column of this package's tables means, for `mic.publishing.results`."""
    return {column: _COLUMNS[column] for column in table.columns}


def verdicts(gains: pd.DataFrame, mixing: pd.DataFrame, residual: pd.DataFrame) -> pd.DataFrame:
    """What the tables say beyond the paper's own claims, which are `mic.lowrate.paper`'s.

    Args:
        gains: `gain_table`.
        mixing: `mixing_table`.
        residual: `mic.lowrate.residuals.accuracy_table`.

    Returns:
        `claim`, `value` with `low` and `high` where there is an interval, and `verdict`.
    """
    rows = []
    for line in gains[gains["factors"].isin(["seen", "unseen"])].itertuples():
        claim = f"joint-OA beats {line.baseline} at {line.factors} factors (CCC)"
        rows.append(_judged(claim, line.gain, line.gain_low, line.gain_high, 0.0))
    halves = mixing.groupby("initialised")["ccc"].mean()
    value = halves[True] - halves[False]
    claim = "SR-FCN helps a mix, mean over mixes and factors (CCC)"
    rows.append((claim, value, np.nan, np.nan, "point estimate only"))
    for line in residual[residual["model"].isin([MIXED, LONGER])].itertuples():
        claim = f"{line.model} loses at most 3 points at 1/{line.factor}, q {line.quantiser}"
        rows.append(_judged(claim, line.change, line.change_low, line.change_high, -0.03))
    return pd.DataFrame(rows, columns=["claim", "value", "low", "high", "verdict"])


def _judged(
    claim: str, value: float, low: float, high: float, bound: float
) -> tuple[str, float, float, float, str]:
    verdict = "supported" if low > bound else "contradicted" if high < bound else "undecided"
    return claim, value, low, high, verdict
