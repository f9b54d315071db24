"""Recognition of one or many videos as a table: `mic.predict`."""

from __future__ import annotations

import csv
import dataclasses
import functools
import io
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from mic.codec import Video, videos_in
from mic.errors import ConfigError, MicError, printable
from mic.faces import SEEN
from mic.recognition import files, people, rows
from mic.recognition.moments import Work
from mic.recognition.recogniser import Recogniser
from mic.recognition.rows import BOX, KINDS, Kind, Row
from mic.recognition.sources import source_of
from mic.recognition.spans import plan_windows
from mic.recognition.windows import Method, Options, Progress, Window, windows
from mic_bitstream.arrays import check_choice

if TYPE_CHECKING:
    import pandas as pd

FACES = {0: "ok", 1: "no face", 2: "several", 3: "lost"}
Network = Literal["pictures", "residual"]
NETWORKS = ("pictures", "residual")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Task:
    """What is asked of each video; see `predict` for the arguments.

    Attributes:
        network: "pictures" or "residual"; None: "residual" where there are weights.
        rows: "window", "look" or "frame".
        window: Seconds a window.
        hop: Seconds from window to window; None: half a window.
        weights: Of the residual network.
        method: Of the residual network.
        device: Of the residual network.

    Raises:
        ConfigError: An option is unknown, out of its range, or does not fit another.
    """

    network: Network | None = None
    rows: Kind = "window"
    window: float = 2.0
    hop: float | None = None
    weights: str | Path | None = None
    method: Method = "auto"
    device: str = "auto"

    def __post_init__(self) -> None:
        """Refuses what cannot be done."""
        if self.network not in (None, *NETWORKS):
            raise ConfigError(f"network is {self.network!r}", remedy="choose pictures or residual")
        check_choice("rows", (self.rows,), KINDS)
        Options(window=self.window, hop=self.hop, method=self.method)
        if self.residual and self.rows != "window":
            raise ConfigError(
                f"the residual network knows no rows={self.rows!r}",
                remedy="leave out rows, or choose network='pictures'",
            )
        if not self.residual and self.weights is not None:
            raise ConfigError(
                "the pictures networks take no weights", remedy="choose network='residual'"
            )
        for name, value, known in (("method", self.method, ()), ("device", self.device, ("cpu",))):
            if not self.residual and value not in ("auto", *known):
                raise ConfigError(
                    f"{name} is for the residual network",
                    remedy="leave it out, or choose network='residual'",
                )
        if self.weights is not None and not isinstance(self.weights, str | os.PathLike):
            raise ConfigError(f"weights is {self.weights!r}", remedy="name a file")

    @property
    def residual(self) -> bool:
        """Whether the residual network is meant."""
        return self.network == "residual" or (self.network is None and self.weights is not None)

    @functools.cached_property
    def _residual(self) -> Recogniser:
        return Recogniser.load(self.weights, device=self.device)

    def load(self) -> None:
        """Loads the networks, so that what is wrong with them is said before any video's rows.

        Raises:
            WeightsError: The weights cannot be used.
            AssetError: A pinned network cannot be fetched.
        """
        _ = self._residual if self.residual else people.shared_recogniser()

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the expressions."""
        return self._residual.card.classes if self.residual else people.CLASSES

    @property
    def name(self) -> str:
        """Of the network and its weights."""
        return self._residual.name if self.residual else people.NAME

    @property
    def summary(self) -> str:
        """Trained on what, how right; one or two sentences."""
        return self._residual.card.summary if self.residual else people.SUMMARY

    def columns(self) -> dict[str, str]:
        """The columns in order, and what each holds, for pandas."""
        return _kinds(self._residual) if self.residual else rows.columns(self.rows)

    def rows_of(
        self, path: Path, *, progress: Progress | None = None, work: Work | None = None
    ) -> Iterator[Row]:
        """The rows of a video while it is read.

        Args:
            path: The video.
            progress: Called with frames done and frames in all.
            work: Filled with what it costs (network "pictures").

        Raises:
            CodecError: It cannot be read, or is damaged: the rows before have been yielded.
        """
        if self.residual:
            options = Options(window=self.window, hop=self.hop, method=self.method)
            for number, one in enumerate(
                windows(path, self._residual, options=options, progress=progress)
            ):
                yield row(path, number, one, self._residual)
            return
        source = source_of(Video(path, survey=True), work)
        video = source.video
        interval = people.INTERVAL
        if self.rows == "window":  # two looks in each at least
            interval = min(interval, self.window / 2)
        networks = people.shared_recogniser()  # of whoever reads, not of whoever asked
        passed = people.passes(source, networks, interval=interval, progress=progress)
        ends = plan_windows(video.times, video.duration, window=self.window, hop=self.hop)
        found = rows.rows(passed, self.rows, times=video.times, ends=ends, damage=video.damage)
        for cells in found:
            yield {"video": printable(path), "method": source.way, "error": "", **cells}


def predict(
    video: str | Path | Sequence[str | Path],
    *,
    network: Network | None = None,
    rows: Kind = "window",
    window: float = 2.0,
    hop: float | None = None,
    weights: str | Path | None = None,
    method: Method = "auto",
    device: str = "auto",
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Recognises the expressions of people in videos.

    Two networks can be asked, and they disagree. "pictures" is the one for real people: each face
    is followed as a person of its own and looked at one to three times a second by networks that
    learned from photographs (`mic.recognition.people`). "residual" is the paper's own: it sees
    what changes in the compressed stream, learned on generated faces, and is no better than
    chance on real people; use it with the weights of `mic train`.

    Args:
        video: A file, a folder (all videos below it) or a sequence of files.
        network: "pictures", or "residual"; None: "residual" where `weights` are given.
        rows: "window", "look" (a row a look and person) or "frame" (a row a picture and person);
            of the network "pictures".
        window: Seconds a window. A video of at most one and a half windows is one window.
        hop: Seconds from window to window; None: half a window.
        weights: A file that `mic train` wrote.
        method: Of "residual": "auto" parses MPEG-4 as it is where its groups of pictures are long
            enough, and codes everything else as MPEG-4 on the way; "bitstream" and "reencoded"
            force it.
        device: Of "residual": "auto" (CUDA where there is one), "cpu" or "cuda".
        progress: Called with frames done and frames in all of the present video.

    Returns:
        One row a window, look or picture, and person. `docs/columns.md` describes the columns. A
        window or picture without a face is a row of status "no face". `error` is empty, or says
        why a video could not be read to its end: then this is its last row. Of "residual":
        `face` ("ok", "several", "lost", "no face") in place of `person`; `status` says "unlike"
        where the window is unlike what the network learned, and `novelty` how much, if the
        weights know; `valence` (-1 to 1) if the network was trained with ratings.

    Raises:
        CodecError: A single video cannot be read at all. Of several, it becomes a row with
            `error`.
        WeightsError: The weights cannot be used.
        AssetError: A pinned network cannot be fetched.
        ConfigError: An option is out of its range, or a folder holds no video.
    """
    task = Task(
        network=network,
        rows=rows,
        window=window,
        hop=hop,
        weights=weights,
        method=method,
        device=device,
    )
    paths = videos_in(video)
    task.load()
    found: list[Row] = []
    for path in paths:
        before = len(found)
        try:
            found.extend(task.rows_of(path, progress=progress))
        except MicError as error:
            if len(paths) == 1 and len(found) == before:
                raise
            found.append({"video": printable(path), "error": str(error)})
    return as_table(found, task)


def row(path: Path, number: int, window: Window, recogniser: Recogniser) -> Row:
    """One row of the residual network's table; see `predict`."""
    facts: Row = {
        "video": printable(path),
        "window": number,
        "start": round(window.start, 3),
        "end": round(window.end, 3),
        "first_frame": window.first,
        "last_frame": window.last,
        "face": FACES[int(window.face)],
        "method": window.method,
        "error": "",
    }
    answer = window.answer
    if answer is not None:
        classes = recogniser.card.classes
        best = int(answer.probabilities.argmax())
        facts |= {"label": classes[best], "confidence": float(answer.probabilities[best])}
        values = zip(classes, answer.probabilities, strict=True)
        facts |= {f"p_{name}": float(value) for name, value in values}
    if window.outline is not None:
        corners = (*window.outline.min(0), *window.outline.max(0))
        facts |= {k: round(float(v), 1) for k, v in zip(BOX, corners, strict=True)}
    if answer is not None and answer.valence is not None:
        facts["valence"] = answer.valence
    if answer is not None and answer.novelty is not None:
        facts |= {"status": "unlike" if answer.novelty > 1 else "ok", "novelty": answer.novelty}
    elif recogniser.card.novelty:
        facts["status"] = facts["face"] if window.face not in SEEN else "too short"
    return facts


def as_table(found: Iterable[Row], task: Task) -> pd.DataFrame:
    """Rows with all columns, in order and typed, even if no row has a value of some."""
    import pandas as pd  # here, because the first window must not wait for it

    lines = list(found)
    # Column by column: to convert a hundred columns of objects takes nine times as long.
    cells = {
        name: np.array([line.get(name) for line in lines], np.float64)
        if kind == "float64"
        else pd.array([line.get(name) for line in lines], dtype=kind)
        for name, kind in task.columns().items()
    }
    table = pd.DataFrame(cells)
    table.attrs["weights"] = task.name
    return table


def csv_lines(one: Row, task: Task, *, head: bool) -> str:
    """One row as `to_csv(as_table(rows))` has it, for tables that are printed as they grow.

    Args:
        one: Of `Task.rows_of`.
        task: The same.
        head: Whether the line with the columns' names comes first.
    """
    names = list(task.columns())
    values = [one.get(name) for name in names]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if head:
        writer.writerow(names)
    writer.writerow(map(_told, names, values))
    return text.getvalue()


def _told(name: str, value: object) -> object:
    if not isinstance(value, float):
        return value
    return files.second(value) if name in files.TIMES else f"{value:.6g}"


def _kinds(recogniser: Recogniser) -> dict[str, str]:
    """The residual network's columns in order, and what each holds."""
    chances = [f"p_{name}" for name in recogniser.card.classes]
    kinds = {"video": "str", "window": "Int64", "start": "float64", "end": "float64"}
    kinds |= {"first_frame": "Int64", "last_frame": "Int64", "face": "str"}
    kinds |= {"status": "str"} if recogniser.card.novelty else {}
    kinds |= {"label": "str"}
    rated = [name for name in ("valence", "novelty") if getattr(recogniser.card, name)]
    kinds |= dict.fromkeys(["confidence", *chances, *rated, *BOX], "float64")
    return kinds | {"method": "str", "error": "str"}
