"""Windows of one or many videos as a table."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mic.codec import videos_in
from mic.errors import MicError
from mic.recognition.recogniser import Recogniser
from mic.recognition.windows import Method, Options, Progress, Window, windows

if TYPE_CHECKING:
    import pandas as pd

FACES = {0: "ok", 1: "no face", 2: "several", 3: "lost"}


def predict(
    video: str | Path | Sequence[str | Path],
    *,
    device: str = "auto",
    weights: str | Path | None = None,
    window: float = 2.0,
    hop: float | None = None,
    method: Method = "auto",
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Recognises the expressions in videos, window by window.

    Each window is compared with its own first picture, so an expression that is held from before
    a window until after it is not seen in it. The shipped network was trained on generated
    faces (`Recogniser.load().card.summary`): expect little of it on real people.

    Args:
        video: A file, a folder (all videos below it) or a sequence of files.
        device: "auto" (CUDA where there is one), "cpu" or "cuda".
        weights: A file that `mic train` wrote; None: the shipped network.
        window: Seconds a window. A video of at most one and a half windows is one window.
        hop: Seconds from window to window; None: half a window.
        method: "auto" parses MPEG-4 as it is where its groups of pictures are long enough, and
            codes everything else as MPEG-4 on the way; "bitstream" and "reencoded" force it.
        progress: Called with frames done and frames in all of the present video.

    Returns:
        One row a window: `video`; `window` (from 0); `start`, `end` (seconds); `first_frame`,
        `last_frame`; `face` ("ok", "several", "lost", "no face"); `label`, `confidence`, and
        `p_<class>` (missing where no face was seen long enough); `valence` (-1 to 1), if the
        network was trained with ratings, which the shipped one was not; `method`; `error`
        (empty, or why the video could not be read: then this is its only row).

    Raises:
        CodecError: A single video cannot be read. Of several, it becomes a row with `error`.
        WeightsError: The weights cannot be used.
        ConfigError: An option is out of its range, or a folder holds no video.
    """
    options = Options(window=window, hop=hop, method=method)
    recogniser = Recogniser.load(weights, device=device)
    paths = videos_in(video)
    rows: list[dict[str, object]] = []
    for path in paths:
        try:
            found = windows(path, recogniser, options=options, progress=progress)
            rows += [row(path, number, one, recogniser) for number, one in enumerate(found)]
        except MicError as error:
            if len(paths) == 1:
                raise
            rows.append({"video": str(path), "error": str(error)})
    return as_table(rows, recogniser)


def row(path: Path, number: int, window: Window, recogniser: Recogniser) -> dict[str, object]:
    """One row of the table; see `predict`."""
    facts: dict[str, object] = {
        "video": str(path),
        "window": number,
        "start": round(window.start, 3),
        "end": round(window.end, 3),
        "first_frame": window.first,
        "last_frame": window.last,
        "face": FACES[int(window.face)],
        "method": window.method,
        "error": "",
    }
    if window.probabilities is not None:
        classes = recogniser.card.classes
        best = int(window.probabilities.argmax())
        facts |= {"label": classes[best], "confidence": float(window.probabilities[best])}
        values = zip(classes, window.probabilities, strict=True)
        facts |= {f"p_{name}": float(value) for name, value in values}
    if window.valence is not None:
        facts["valence"] = window.valence
    return facts


def as_table(rows: Iterable[dict[str, object]], recogniser: Recogniser) -> pd.DataFrame:
    """Rows with all columns, in order and typed, even if no row has a value of some."""
    import pandas as pd  # here, because the first window must not wait for it

    kinds = _kinds(recogniser)
    table = pd.DataFrame(list(rows), columns=list(kinds)).astype(kinds)
    table.attrs["weights"] = recogniser.name
    return table


def csv_lines(row: dict[str, object], recogniser: Recogniser, *, head: bool) -> str:
    """One row as `to_csv(as_table(rows))` has it, for tables that are printed as they grow.

    Args:
        row: See `row`.
        recogniser: The network that gave it.
        head: Whether the line with the columns' names comes first.
    """
    names = list(_kinds(recogniser))
    values = [row.get(name) for name in names]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if head:
        writer.writerow(names)
    writer.writerow([f"{value:.6g}" if isinstance(value, float) else value for value in values])
    return text.getvalue()


def _kinds(recogniser: Recogniser) -> dict[str, str]:
    """The columns in order, and what each holds."""
    chances = [f"p_{name}" for name in recogniser.card.classes]
    kinds = {"video": "str", "window": "Int64", "start": "float64", "end": "float64"}
    kinds |= {"first_frame": "Int64", "last_frame": "Int64", "face": "str", "label": "str"}
    rated = ["valence"] if recogniser.card.valence else []
    kinds |= dict.fromkeys(["confidence", *chances, *rated], "float64")
    return kinds | {"method": "str", "error": "str"}
