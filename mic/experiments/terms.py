"""What the MI term and the apex term do to a training, and what the apex decoder draws.

The paper says that its apex term brings earlier convergence, and of MI that it trains more stably
than an adversary does. What the decoder draws is not shown in the documents at hand. Here
the four losses that the two terms make possible are trained on the same parts with the same seeds,
and the decoder's pictures of unseen people are compared with what costs nothing: the clip's own
first frame, and the mean apex of the training clips.

    found = runner.run(data, cells(data, config))
    convergence_table(found), curve_table(found)
    drawn = reconstruct(data, next(cell for cell in cells(data, config) if cell.row == BOTH))
    reconstruction_table(drawn)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch

from mic.config import Profile
from mic.errors import ConfigError
from mic.evaluation import metrics
from mic.evaluation.inference import MARGIN, RECORD, compare, with_holm
from mic.experiments import plan, tables
from mic.experiments.cells import HISTORY, Cell, Outcome, fit
from mic.experiments.data import Dataset
from mic.inputs import apex
from mic.models.mic import Mic
from mic.publishing import plots
from mic.training.train import predict

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NEITHER, BOTH = "MIC-MI-Î", "MIC"
# Dash of each row, so that curves on top of each other are seen.
_DASHES = ("-", "--", "-.", ":")
# Which terms each row has beside the cross-entropy; the first is what others are compared with.
ROWS: Mapping[str, Mapping[str, Any]] = {
    NEITHER: {"regulariser": "none", "beta": 0.0},
    "MIC-MI": plan.PAPER_ROWS["MIC-MI"],
    "MIC-Î": plan.PAPER_ROWS["MIC-Î"],
    BOTH: plan.PAPER_ROWS[BOTH],
}
_TESTED: Mapping[str, str] = {
    "difference_low": "90 % interval over the people, paired",
    "difference_high": "its upper end",
    "p": "two-sided, by sign flips of people",
    "p_holm": "p, adjusted by Holm over the table",
    "p_equivalent": "of two one-sided tests that the difference is within one point",
    "n": "test clips, of all seeds",
    "people": "people seen in them",
}
CONVERGENCE: Mapping[str, str] = {
    "row": "MIC-MI-Î: cross-entropy alone; MIC-MI: with the apex term; MIC-Î: with the MI term; "
    "MIC: with both",
    "early": "share of unseen people's clips named, mean over the epochs that were read, at even "
    "distances: the higher, the earlier",
    "early_low": "95 % interval over the people",
    "early_high": "its upper end",
    "difference": "early less that of MIC-MI-Î, mean over people",
    **_TESTED,
    "epochs_to_half": "epochs until the training cross-entropy was below half of that of a guess, "
    "mean over parts and seeds; empty, as epochs_most, where one never got there",
    "epochs_least": "in the fastest of them",
    "epochs_most": "in the slowest of them",
}
CURVES: Mapping[str, str] = {
    "row": "see terms_convergence",
    "split": "part of the people that was tested",
    "seed": "of weights and batches",
    "epoch": "from 1",
    "test_accuracy": "share of unseen people's clips that were named after this epoch",
    "train_accuracy": "share of the augmented training clips, while they were learned",
    "expression": "cross-entropy of the training clips, mean over the epoch",
    "dependence": "estimate of MI that the encoder is told to lower, nats, mean over the epoch",
    "apex": "mean squared error of the drawn apex, of a range of 1, mean over the epoch",
}
RECONSTRUCTION: Mapping[str, str] = {
    "picture": "what stands for the apex: Dec is the decoder of notebook 04's MIC",
    "error": "root of the mean squared difference from the apex frame, grey levels of 255, mean "
    "over the clips",
    "error_low": "95 % interval over the people",
    "error_high": "its upper end",
    "difference": "error less that of Dec(z_I, z_E), mean over people",
    **{name: text for name, text in _TESTED.items() if name != "p_equivalent"},
}


def cells(data: Dataset, config: Profile) -> list[Cell]:
    """A cell a row, part of the people and seed; all but those of `NEITHER` are notebook 05's."""
    methods = {row: plan.method(config, **changes) for row, changes in ROWS.items()}
    return plan.cells(data, config, methods)


def convergence_table(outcomes: Sequence[Outcome], *, resamples: int = 10_000) -> pd.DataFrame:
    """How early each row names unseen people's clips; columns of `CONVERGENCE`."""
    lines = []
    reference = _early([one for one in outcomes if one.cell.row == NEITHER])
    for row in ROWS:
        mine = [one for one in outcomes if one.cell.row == row]
        early = _early(mine)
        value = metrics.mean_over_subjects(
            early["early"].to_numpy(), early["subject"].to_numpy(), resamples=resamples
        )
        line: dict[str, object] = {
            "row": row,
            "early": value.value,
            "early_low": value.low,
            "early_high": value.high,
        }
        line |= _compared(reference, early, "early", row == NEITHER, resamples)
        epochs = np.array([epochs_to_half(one.history, classes=len(one.classes)) for one in mine])
        lines.append(
            line
            | {
                "epochs_to_half": epochs.mean(),
                "epochs_least": np.fmin.reduce(epochs),
                "epochs_most": epochs.max(),
            }
        )
    return with_holm(pd.DataFrame(lines))[list(CONVERGENCE)]


def _early(outcomes: Sequence[Outcome]) -> pd.DataFrame:
    """Share of the read epochs at which each test clip was named."""
    keys = ["split", "seed", "clip"]
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "split": one.cell.split,
                    "seed": one.cell.seed,
                    "clip": one.names,
                    "subject": one.subjects[len(one.train) :],
                    "early": (one.curve == one.truth).mean(0),
                }
            )
            for one in outcomes
        ]
    ).set_index(keys)


def epochs_to_half(history: np.ndarray, *, classes: int) -> float:
    """Epochs until the training cross-entropy is below half of that of a guess, ln(classes).

    Args:
        history: (epochs, columns of `mic.experiments.cells.HISTORY`).
        classes: Classes to tell apart.

    Returns:
        NaN where it never falls so far.
    """
    entropy = history[:, HISTORY.index("expression")]
    below = np.flatnonzero(entropy < np.log(classes) / 2)
    return float(below[0] + 1) if len(below) else float("nan")


def _compared(
    first: pd.DataFrame, second: pd.DataFrame, column: str, alone: bool, resamples: int
) -> dict[str, object]:
    """The paired test of two tables with the same index, NaN where a row is the reference."""
    facts: dict[str, object] = {"n": len(second), "people": second["subject"].nunique()}
    if alone:
        return dict.fromkeys(RECORD, float("nan")) | facts
    both = first.join(second, how="inner", suffixes=("_first", ""))
    found = compare(
        both[f"{column}_first"].to_numpy(),
        both[column].to_numpy(),
        both["subject"].to_numpy(),
        resamples=resamples,
    )
    return found.record() | facts


def curve_table(outcomes: Sequence[Outcome]) -> pd.DataFrame:
    """The epochs that were read, of every training; columns of `CURVES`."""
    return tables.curves(outcomes)[list(CURVES)]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Reconstruction:
    """Pictures of unseen people's apexes, all (M, edge, edge) luma from 0 to 1.

    Attributes:
        names: Clips.
        subjects: Who is seen.
        labels: What is expressed.
        apex: The apex frame itself.
        pictures: By what they are, first what the decoder draws.
    """

    names: tuple[str, ...]
    subjects: tuple[str, ...]
    labels: tuple[str, ...]
    apex: np.ndarray
    pictures: Mapping[str, np.ndarray]


DRAWN = "Dec(z_I, z_E)"
OTHER_EXPRESSION, OTHER_PERSON = "Dec(z_I, another clip's z_E)", "Dec(another person's z_I, z_E)"
FIRST, MEAN = "the clip's first frame", "mean apex of the training clips"


def reconstruct(data: Dataset, cell: Cell) -> Reconstruction:
    """Trains a cell with an apex term and draws the apexes of its test clips.

    Args:
        data: Clips with an annotated apex.
        cell: Of MIC with beta above 0.

    Raises:
        ConfigError: The cell has no decoder.
    """
    done = fit(data, cell)
    model, clips, tested = done.training.model, done.clips, list(done.tested)
    if not isinstance(model, Mic) or model.decoder is None or clips.apex is None:
        raise ConfigError(
            f"the row {cell.row} draws no apex", remedy="choose one with beta above 0"
        )
    model.eval()
    subjects = np.array(clips.subjects)[tested]
    labels = clips.labels.numpy()[tested]
    z_e = torch.from_numpy(predict(model, clips, tested).z)
    with torch.no_grad():
        z_i = model.identity(clips.identity[tested])
        drawn = {
            DRAWN: (z_i, z_e),
            OTHER_EXPRESSION: (z_i, z_e[another(labels)]),
            OTHER_PERSON: (z_i[another(subjects)], z_e),
        }
        pictures = {
            name: model.decoder(*pair)[:, 0].clamp(0, 1).numpy() for name, pair in drawn.items()
        }
    manifest = data.manifest
    pictures[FIRST] = np.stack(
        [
            apex.target(manifest.path(manifest.clips[row]), 0, folder=data.folder)[0] / 255
            for row in tested
        ]
    )
    mean = clips.apex[list(done.fitted), 0].float().mean(0).numpy() / 255
    pictures[MEAN] = np.broadcast_to(mean, pictures[FIRST].shape)
    return Reconstruction(
        names=tuple(clips.names[row] for row in tested),
        subjects=tuple(subjects),
        labels=tuple(clips.classes[label] for label in labels),
        apex=clips.apex[tested, 0].numpy() / 255,
        pictures=pictures,
    )


def another(kinds: np.ndarray) -> list[int]:
    """For each row the next one of another kind, in a circle; itself where there is none.

    Args:
        kinds: (N,) people, or expressions.
    """
    count = len(kinds)
    found = []
    for row in range(count):
        following = [(row + step) % count for step in range(1, count)]
        found.append(next((k for k in following if kinds[k] != kinds[row]), row))
    return found


def reconstruction_table(found: Reconstruction, *, resamples: int = 10_000) -> pd.DataFrame:
    """How far each picture is from the apex; columns of `RECONSTRUCTION`."""
    lines = []
    errors = {
        name: pd.DataFrame(
            {
                "clip": found.names,
                "subject": found.subjects,
                "error": 255 * np.sqrt(((drawn - found.apex) ** 2).mean((1, 2))),
            }
        ).set_index("clip")
        for name, drawn in found.pictures.items()
    }
    for name, error in errors.items():
        value = metrics.mean_over_subjects(
            error["error"].to_numpy(), error["subject"].to_numpy(), resamples=resamples
        )
        line: dict[str, object] = {
            "picture": name,
            "error": value.value,
            "error_low": value.low,
            "error_high": value.high,
        }
        lines.append(line | _compared(errors[DRAWN], error, "error", name == DRAWN, resamples))
    return with_holm(pd.DataFrame(lines))[list(RECONSTRUCTION)]


def curve_figure(curves: pd.DataFrame, convergence: pd.DataFrame) -> Figure:
    """Cross-entropy, accuracy on unseen people, and how much earlier than with neither, by row."""
    from matplotlib.figure import Figure

    made = Figure(figsize=(11, 3.4), layout="constrained")
    learned, tested, early = made.subplots(1, 3)
    for number, row in enumerate(ROWS):
        part = curves[curves["row"] == row]
        for axis, column in ((learned, "expression"), (tested, "test_accuracy")):
            by_epoch = part.groupby("epoch")[column]
            axis.plot(by_epoch.mean(), color=f"C{number}", label=row, lw=1.4, ls=_DASHES[number])
            axis.fill_between(
                by_epoch.min().index,
                by_epoch.min(),
                by_epoch.max(),
                color=f"C{number}",
                alpha=0.12,
            )
    learned.set(xlabel="epoch", ylabel="training cross-entropy, nats", ylim=(0, None))
    learned.set_title("what is learned")
    tested.set(xlabel="epoch", ylabel="accuracy", ylim=(0, 1), title="unseen people")
    learned.legend(fontsize=8, title="mean; band: all parts", title_fontsize=8)
    compared = convergence[convergence["row"] != NEITHER]
    places = np.arange(len(compared))
    early.axhspan(-MARGIN, MARGIN, color="0.85", label="within a point")
    early.axhline(0, color="0.4", lw=0.8)
    reach = plots.reach(compared, "difference")
    for place, row in enumerate(compared["row"]):
        value, hue = compared["difference"].iloc[place], f"C{list(ROWS).index(row)}"
        style = {"fmt": "o", "capsize": 3, "color": hue}
        early.errorbar([place], [value], reach[:, place : place + 1], **style)
    early.set_xticks(places, compared["row"], va="baseline")
    early.tick_params(axis="x", pad=12)
    early.set(ylim=(-0.05, 0.05), xlim=(-0.5, len(compared) - 0.5))
    early.set(title=f"less {NEITHER}, 90 %", ylabel="accuracy, mean over the epochs")
    early.legend(fontsize=8)
    return made


def reconstruction_figure(found: Reconstruction, table: pd.DataFrame, *, most: int = 7) -> Figure:
    """A column a clip, people and expressions differing; its apex, then the pictures for it."""
    from matplotlib.figure import Figure

    chosen: list[int] = []
    for number, label in enumerate(found.labels):
        seen = {found.subjects[row] for row in chosen}
        if (
            label not in {found.labels[row] for row in chosen}
            and found.subjects[number] not in seen
        ):
            chosen.append(number)
    chosen = chosen[:most]
    rows = {"apex frame": found.apex} | dict(found.pictures)
    made = Figure(figsize=(1.2 * len(chosen) + 3.2, 1.25 * len(rows) + 0.4), layout="constrained")
    axes = made.subplots(len(rows), len(chosen), squeeze=False)
    errors = table.set_index("picture")["error"]
    for line, (name, pictures) in zip(axes, rows.items(), strict=True):
        for axis, row in zip(line, chosen, strict=True):
            axis.imshow(pictures[row], cmap="gray", vmin=0, vmax=1, interpolation="nearest")
            axis.set(xticks=[], yticks=[])
        told = f"{name}\n{errors[name]:.1f}" if name in errors else name
        line[0].set_ylabel(told, rotation=0, ha="right", va="center", size=8)
    for axis, row in zip(axes[0], chosen, strict=True):
        axis.set_title(found.labels[row], fontsize=9)
    return made
