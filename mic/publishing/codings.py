"""One film coded in several ways: whether the answer follows the file, and what it costs.

Each table's columns are described beside the function that makes it, for
`mic.publishing.results.Run.table`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from mic import codec, recognition
from mic.codec.options import CodecName
from mic.evaluation.metrics import subject_bootstrap, wilson
from mic.recognition.moments import Work
from mic.recognition.table import Network

Ways = Mapping[str, tuple[CodecName, int]]

FILES_COLUMNS: Mapping[str, str] = {
    "file": "how the same film was coded",
    "method": "parsed: regions only; decoded: by libavcodec",
    "window": "of 0.8 s, from 0",
    "label": "answer",
    "p_happiness": "probability of happiness",
}
_WINDOW = 0.8
_LONG = 2.0  # windows of `mic predict`


def files_table(frames: Sequence[np.ndarray], ways: Ways, *, frame_rate: float) -> pd.DataFrame:
    """What `mic predict` says of a film, window by window, however it is coded.

    Args:
        frames: uint8 (H, W, 3) RGB.
        ways: Codec and constant quantiser by what that is called.
        frame_rate: Frames a second.

    Returns:
        One row a way and window, columns of `FILES_COLUMNS`; probabilities to two digits.
    """
    parts = []
    for way, path in _coded(frames, ways, frame_rate):
        windows = recognition.predict(path, window=_WINDOW, hop=_WINDOW)
        parts.append(windows.assign(file=way)[list(FILES_COLUMNS)])
    return pd.concat(parts, ignore_index=True).round(2)


COST_COLUMNS: Mapping[str, str] = {
    "file": "how the film was coded",
    "pictures": "in the film",
    "decoded": "whole pictures decoded",
    "regions": "regions reconstructed alone",
}


def cost_table(frames: Sequence[np.ndarray], ways: Ways, *, frame_rate: float) -> pd.DataFrame:
    """Which pictures `mic predict` touches for that.

    Args:
        frames: As for `files_table`.
        ways: As for `files_table`.
        frame_rate: Frames a second.

    Returns:
        One row a way, columns of `COST_COLUMNS`.
    """
    rows = []
    for way, path in _coded(frames, ways, frame_rate):
        work = Work()
        list(recognition.Task().rows_of(path, work=work))
        rows.append((way, work.pictures, work.decoded, work.regions))
    return pd.DataFrame(rows, columns=list(COST_COLUMNS))


AGREEMENT_COLUMNS: Mapping[str, str] = {
    "film": "a film; all: every window of all films",
    "windows": "of 2 s",
    "same": "share of windows with one label and status in all codings",
    "same_low": "95 % interval: of all over films (bootstrap), of one film over windows (Wilson)",
    "same_high": "as same_low",
    "pairs": "share of pairs of codings that say the same of a window",
    "networks": "share of windows in which the residual network names the same label",
}


def agreement_table(films: Mapping[str, Path], ways: Ways) -> pd.DataFrame:
    """Whether `mic predict` says the same of films however they are coded, and of networks.

    Args:
        films: Files by name.
        ways: As for `files_table`; in the first, MPEG-4, the residual network is asked, too.

    Returns:
        One row a film and one of all, columns of `AGREEMENT_COLUMNS`.
    """
    parts = {name: _compared(path, ways) for name, path in films.items()}
    films_of = np.repeat(list(parts), [len(part) for part in parts.values()])
    parts["all"] = pd.concat(list(parts.values()), ignore_index=True)
    rows = []
    for name, part in parts.items():
        if name == "all":  # windows of one film are no independent trials
            interval = subject_bootstrap(part["same"].to_numpy(bool), films_of)
        else:
            interval = wilson(int(part["same"].sum()), len(part))
        shares = (part["same"].mean(), interval.low, interval.high, part["pairs"].mean())
        rows.append((name, len(part), *shares, part["networks"].mean()))
    return pd.DataFrame(rows, columns=list(AGREEMENT_COLUMNS))


def _compared(film: Path, ways: Ways) -> pd.DataFrame:
    """One row a window of a film: same, pairs, networks (in the first way's coding)."""
    answers, named, other = [], [], pd.Series(dtype=object)
    with TemporaryDirectory() as folder:
        for number, (name, quantiser) in enumerate(ways.values()):
            path = Path(folder) / f"{number}.mp4"
            codec.reencode(film, path, codec=name, vop_quant=quantiser)
            said, labels = _said(path, "pictures")
            answers.append(said)
            named.append(labels)
            if number == 0:
                other = _said(path, "residual")[1]
    told = pd.concat(answers, axis=1, keys=range(len(answers)))
    pairs = [told[one] == told[two] for one, two in itertools.combinations(told, 2)]
    return pd.DataFrame(
        {
            "same": told.eq(told[0], axis=0).all(axis=1),
            "pairs": np.mean(pairs, axis=0),
            "networks": named[0].reindex(told.index) == other.reindex(told.index),
        }
    )


def _said(path: Path, network: Network) -> tuple[pd.Series, pd.Series]:
    """By window: statuses and labels of all people, and the label of the largest face."""
    table = recognition.predict(path, network=network, window=_LONG, hop=_LONG)
    area = (table["right"] - table["left"]) * (table["bottom"] - table["top"])
    table = table.assign(area=area.fillna(0)).sort_values("area", ascending=False, kind="stable")
    table["said"] = table["status"] + " " + table["label"].fillna("-")
    windows = table.sort_values("window", kind="stable").groupby("window")
    return windows["said"].agg("; ".join), windows["label"].first()


def _coded(
    frames: Sequence[np.ndarray], ways: Ways, frame_rate: float
) -> Iterator[tuple[str, Path]]:
    with TemporaryDirectory() as folder:
        for way, (name, quantiser) in ways.items():
            path = Path(folder) / f"{name}-{quantiser}.mp4"
            codec.encode_frames(
                frames, path, frame_rate=frame_rate, codec=name, vop_quant=quantiser
            )
            yield way, path
