"""How right a recogniser is on anybody's labelled videos: `mic evaluate`.

    videos = labelled_videos("clips", labels="labels.csv")
    answers = {"pictures": answered(videos, Task(network="pictures"))}
    evaluation = evaluate(videos, answers)
    print(evaluation.line("pictures"))
    evaluation.save("evaluation")

Labels are from a table, the names of class folders, or file names as CREMA-D's and RAVDESS's. A
window is right if its label is its video's. Intervals are over people where they are named and
over videos otherwise: windows of one video are no independent observations.
"""

from __future__ import annotations

import dataclasses
import io
import itertools
import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mic.errors import DatasetError, MicError, printable
from mic.evaluation import metrics
from mic.publishing.answers import completed, largest
from mic.publishing.labels import EXPRESSIONS, LabelledVideo
from mic.recognition.moments import Work
from mic.recognition.table import Task, as_table
from mic.storage import atomic

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_BINS = 10


def answered(
    videos: Sequence[LabelledVideo],
    task: Task,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> pd.DataFrame:
    """A network's answers: a row a window, of several people the one who is seen largest.

    Args:
        videos: Labelled ones.
        task: With rows="window".
        progress: Called with videos done and in all.

    Returns:
        Columns video, window, label, confidence, error; in `attrs` the processor's `seconds`,
        `pictures` and `decoded` (whole; network "pictures" only).
    """
    task.load()
    rows: list[dict[str, object]] = []
    pictures, decoded = 0, 0
    start = time.process_time()
    for number, video in enumerate(videos, 1):
        work = Work()
        try:
            rows.extend(task.rows_of(video.path, work=work))
        except MicError as error:
            rows.append({"video": printable(video.path), "error": str(error)})
        pictures, decoded = pictures + work.pictures, decoded + work.decoded
        if progress:
            progress(number, len(videos))
    table = as_table(rows, task)
    table.attrs |= {"seconds": time.process_time() - start}
    if not task.residual:
        table.attrs |= {"pictures": pictures, "decoded": decoded}
    return table


@dataclasses.dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What `evaluate` found.

    Attributes:
        windows: A row a network and window: network, video, person, window, start, true, label,
            confidence, right (missing where there is no answer). Of a table that names some of the
            windows that a network of ours was asked about, the others are there without answer.
        summary: A row a network; see `evaluate`.
        agreement: A row a pair of networks: windows that both answer, share with one label.
        classes: Of labels and answers.
        strange: Labels that are no expression and that no network answers: their windows count as
            wrong.
        unknown: Answers that are no expression and that no video is labelled, by network: they
            count as wrong.
        apart: How many windows a table has that ours have not, by network: its windows are
            others, and its coverage is of these.
        unread: What is wrong with videos that could not be read, or broke off, by name.
    """

    windows: pd.DataFrame
    summary: pd.DataFrame
    agreement: pd.DataFrame
    classes: tuple[str, ...]
    strange: tuple[str, ...] = ()
    unknown: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    apart: Mapping[str, int] = dataclasses.field(default_factory=dict)
    unread: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def confusion(self, network: str) -> np.ndarray:
        """(classes, classes) counts of windows; row: true, column: answered."""
        own = self._answered(network)
        true = [self.classes.index(name) for name in own["true"]]
        said = [self.classes.index(name) for name in own["label"]]
        return metrics.confusion(np.array(true, int), np.array(said, int), len(self.classes))

    def reliability(self, network: str) -> pd.DataFrame:
        """Columns low, high (of confidence), confidence, accuracy (means), n; empty bins too."""
        own = self._answered(network).dropna(subset=["confidence"])
        confidence = own["confidence"].to_numpy(float)
        place = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
        counts = np.bincount(place, minlength=_BINS)
        with np.errstate(invalid="ignore"):
            mean = np.bincount(place, weights=confidence, minlength=_BINS) / counts
            right = np.bincount(place, weights=own["right"].to_numpy(float), minlength=_BINS)
            accuracy = right / counts
        low = np.arange(_BINS) / _BINS
        facts = {"low": low, "high": low + 1 / _BINS, "confidence": mean, "accuracy": accuracy}
        return pd.DataFrame(facts | {"n": counts})

    def line(self, network: str) -> str:
        """The result in a sentence, for a paper."""
        row = self.summary.set_index("network").loc[network]
        people = int(row["people"])
        over = f"{people} people" if people > 1 else f"{int(row['videos'])} videos"
        text = (
            f"{network}: accuracy {100 * row['accuracy']:.1f} % "
            f"[{100 * row['accuracy_low']:.1f}, {100 * row['accuracy_high']:.1f}], macro recall "
            f"{100 * row['macro_recall']:.1f} %, n = {int(row['answered'])} windows of {over}, "
            f"coverage {100 * row['coverage']:.0f} %"
        )
        if np.isfinite(row["confidence"]):
            text += (
                f", mean confidence {100 * row['confidence']:.1f} %, calibration error "
                f"{100 * row['calibration_error']:.1f} points"
            )
        return f"{text} (95 % interval over {'people' if people > 1 else 'videos'})."

    def figure(self, network: str) -> Figure:
        """The confusion matrix."""
        from mic.publishing import plots

        return plots.confusion(self.confusion(network), self.classes, title=network)

    def diagram(self) -> Figure:
        """The reliability diagram of all networks: windows in a bin, Wilson intervals of 95 %."""
        import matplotlib.pyplot as plt

        from mic.publishing import plots

        plots.use_style()
        figure, axis = plt.subplots(figsize=(4.6, 4.2))
        axis.plot([0, 1], [0, 1], color="0.6", linestyle=":", marker="", label="as sure as right")
        for network, mark in zip(self.summary["network"], itertools.cycle("osD^v"), strict=False):
            bins = self.reliability(network)
            bins = bins[bins["n"] > 0]
            spans = [
                metrics.wilson(round(share * n), n)
                for share, n in zip(bins["accuracy"], bins["n"].tolist(), strict=True)
            ]
            off = [(one.value - one.low, one.high - one.value) for one in spans]
            axis.errorbar(bins["confidence"], bins["accuracy"], np.reshape(off, (-1, 2)).T,
                          marker=mark, linestyle="", capsize=2, label=network)  # fmt: skip
            for bin_ in bins.itertuples():
                axis.annotate(str(bin_.n), (bin_.confidence, bin_.accuracy), fontsize=7,
                              textcoords="offset points", xytext=(4, 4))  # fmt: skip
        axis.set(xlabel="confidence", ylabel="accuracy", xlim=(0, 1.02), ylim=(-0.02, 1.05))
        axis.legend(loc="best")
        return figure

    def save(self, folder: str | Path) -> list[Path]:
        """Writes tables (.csv), figures (.png) and `lines.txt` into a folder, each atomically.

        Raises:
            StorageError: A file cannot be written.
        """
        import matplotlib.pyplot as plt

        folder = Path(folder)
        tables = {"summary": self.summary, "windows": self.windows, "agreement": self.agreement}
        figures = {"reliability": self.diagram()} if self._confident else {}
        for network in self.summary["network"]:
            name = re.sub(r"[^\w.-]+", "_", network)
            while f"confusion_{name}" in tables:  # of two whose names differ in other signs
                name += "_"
            counts = pd.DataFrame(self.confusion(network), self.classes, self.classes)
            tables[f"confusion_{name}"] = counts.rename_axis("true").reset_index()
            tables[f"reliability_{name}"] = self.reliability(network)
            if len(self._answered(network)):
                figures[f"confusion_{name}"] = self.figure(network)
        written = []
        for name, table in tables.items():
            written.append(folder / f"{name}.csv")
            text = table.to_csv(index=False, float_format="%.6g", lineterminator="\n")
            atomic.write_text(written[-1], text)
        for name, figure in figures.items():
            written.append(folder / f"{name}.png")
            picture = io.BytesIO()
            figure.savefig(picture, format="png", dpi=150, bbox_inches="tight")
            plt.close(figure)
            atomic.write_bytes(written[-1], picture.getvalue())
        written.append(folder / "lines.txt")
        atomic.write_text(
            written[-1], "".join(f"{self.line(n)}\n" for n in self.summary["network"])
        )
        return written

    @property
    def _confident(self) -> bool:
        return bool(self.windows["confidence"].notna().any())

    def _answered(self, network: str) -> pd.DataFrame:
        own = self.windows[self.windows["network"] == network]
        return own[own["label"].notna()]


def evaluate(videos: Sequence[LabelledVideo], answers: Mapping[str, pd.DataFrame]) -> Evaluation:
    """Compares answers with labels.

    The summary's columns: network; accuracy of the windows that have an answer, with `_low` and
    `_high`; macro_recall (mean over the true classes); confidence (mean); calibration_error
    (expected, ten bins); coverage (windows with an answer, of all that were asked about);
    answered, windows, videos, people; seconds (processor time a window), decoded (share of
    pictures decoded whole).

    Args:
        videos: Labelled ones.
        answers: By network: of `answered` or `read_answers`.

    Raises:
        DatasetError: A network answers none of the videos.
    """
    truth = {printable(video.path): video for video in videos}
    tables, others = [], {}
    asked = {
        network: largest(table[table["video"].isin(list(truth))])
        for network, table in answers.items()
    }
    # Those that were asked here were timed.
    ours = next((own for name, own in asked.items() if "seconds" in answers[name].attrs), None)
    for network, own in asked.items():
        if "seconds" not in answers[network].attrs:
            own, others[network] = completed(own, ours)
        tables.append(
            pd.DataFrame(
                {
                    "network": network,
                    "video": own["video"].to_numpy(),
                    "person": [truth[path].person for path in own["video"]],
                    "window": own["window"].fillna(0).astype(int).to_numpy(),
                    "start": own["start"].to_numpy(float) if "start" in own else np.nan,
                    "true": [truth[path].label for path in own["video"]],
                    "label": own["label"].to_numpy(object),
                    "confidence": own["confidence"].to_numpy(float),
                }
            )
        )
    windows = pd.concat(tables, ignore_index=True)
    windows["label"] = windows["label"].where(windows["label"].notna(), None)
    known = windows["label"].notna()
    windows["right"] = (windows["label"] == windows["true"]).astype(object).where(known, None)
    names = sorted({*windows["true"], *windows.loc[known, "label"]})
    summary = [
        _summary(network, windows[windows["network"] == network], answers[network].attrs)
        for network in answers
    ]
    answered = {*windows.loc[known, "label"]}
    unknown = {
        network: {*own.loc[own["label"].notna(), "label"]} - EXPRESSIONS - {*windows["true"]}
        for network, own in windows.groupby("network")
    }
    broken: dict[str, str] = {}
    for table in answers.values():
        hurt = table[table["error"].fillna("").astype(str) != ""]
        broken |= dict(zip(hurt["video"], hurt["error"], strict=True))
    return Evaluation(
        strange=tuple(sorted({*windows["true"]} - EXPRESSIONS - answered)),
        unknown={str(name): tuple(sorted(said)) for name, said in unknown.items() if said},
        apart={name: count for name, count in others.items() if count},
        unread=broken,
        windows=windows,
        summary=pd.DataFrame(summary),
        agreement=_agreement(windows, list(answers)),
        classes=tuple(names),
    )


NETWORK_COLUMNS: Mapping[str, str] = {
    "network": "pictures: the default; residual: the paper's own, learned on generated faces",
    "accuracy": "share of windows with an answer that is the label",
    "accuracy_low": "95 % bootstrap interval over videos",
    "accuracy_high": "95 % bootstrap interval over videos",
    "macro_recall": "mean recall over the labels",
    "confidence": "mean probability of the answer",
    "calibration_error": "expected calibration error, ten bins",
    "coverage": "share of windows with an answer",
    "n": "windows with an answer",
    "ms": "processor time a window, networks loaded",
    "decoded": "share of the pictures decoded whole; empty where the network is given none",
}


def network_table(found: Evaluation) -> pd.DataFrame:
    """How right each network is: a row a network, columns of `NETWORK_COLUMNS`."""
    table = found.summary.rename(columns={"answered": "n"})
    return table.assign(ms=(1000 * table["seconds"]).round(1))[list(NETWORK_COLUMNS)]


CLIP_COLUMNS: Mapping[str, str] = {
    "clip": "file, without its suffix",
    "label": "what the actor was asked to show",
    "pictures": "answer of the default",
    "confidence": "its probability",
    "residual": "answer of the paper's network",
}


def clip_table(found: Evaluation) -> pd.DataFrame:
    """What the networks `pictures` and `residual` say of the first window of each clip.

    Returns:
        A row a video, columns of `CLIP_COLUMNS`.
    """
    rows = found.windows.pivot_table(
        index=["video", "true"], columns="network", values="label", aggfunc="first"
    ).reset_index()
    own = found.windows[found.windows["network"] == "pictures"]
    sure = own.drop_duplicates("video").set_index("video")["confidence"]
    return pd.DataFrame(
        {
            "clip": [Path(name).stem for name in rows["video"]],
            "label": rows["true"],
            "pictures": rows["pictures"],
            "confidence": sure[rows["video"]].round(2).to_numpy(),
            "residual": rows["residual"],
        }
    )[list(CLIP_COLUMNS)]


def _summary(network: str, own: pd.DataFrame, cost: Mapping[str, float]) -> dict[str, object]:
    said = own[own["label"].notna()]
    if said.empty:
        raise DatasetError(
            f"{network} answers none of the videos, so that nothing can be compared",
            remedy="`mic predict --rows look` on them says what it saw; compare a network that "
            "answers some",
        )
    right = said["right"].to_numpy(bool)
    named = (said["person"] != "").all()
    people = said["person"].nunique() if named else 0
    groups = said["person"] if people > 1 else said["video"]
    accuracy = metrics.subject_bootstrap(right, groups.tolist())
    # A class that is never answered is never found.
    recalls = said.assign(right=right).groupby("true")["right"].mean()
    recall = recalls.reindex(own["true"].unique(), fill_value=0.0).mean()
    sure = said["confidence"].to_numpy(float)
    known = np.isfinite(sure)
    place = np.minimum((sure[known] * _BINS).astype(int), _BINS - 1)
    gaps = np.bincount(place, weights=sure[known] - right[known], minlength=_BINS)
    return {
        "network": network,
        "accuracy": accuracy.value,
        "accuracy_low": accuracy.low,
        "accuracy_high": accuracy.high,
        "macro_recall": float(recall),
        "confidence": float(sure[known].mean()) if known.any() else np.nan,
        "calibration_error": float(np.abs(gaps).sum() / known.sum()) if known.any() else np.nan,
        "coverage": len(said) / len(own),
        "answered": len(said),
        "windows": len(own),
        "videos": own["video"].nunique(),
        "people": people,
        "seconds": float(cost["seconds"]) / len(own) if "seconds" in cost else np.nan,
        "decoded": cost["decoded"] / max(cost["pictures"], 1) if "decoded" in cost else np.nan,
    }


def _agreement(windows: pd.DataFrame, networks: list[str]) -> pd.DataFrame:
    """Of windows that begin together, where tables say when; else of those with one number."""
    said = windows[windows["label"].notna()].assign(start=windows["start"].round(3))
    rows = []
    for first, second in itertools.combinations(networks, 2):
        one, other = (said[said["network"] == name] for name in (first, second))
        timed = one["start"].notna().all() and other["start"].notna().all()
        keys = ["video", "start" if timed else "window"]
        both = one.merge(other, on=keys)[["label_x", "label_y"]].set_axis([first, second], axis=1)
        share = float((both[first] == both[second]).mean()) if len(both) else np.nan
        rows.append({"first": first, "second": second, "windows": len(both), "same": share})
    return pd.DataFrame(rows, columns=["first", "second", "windows", "same"])
