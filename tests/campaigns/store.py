"""How the feature store takes a hundred thousand entries, and what a million hours would ask.

    python -m campaigns.store [--entries 100000] [--folder ../results]      # from tests/

Entries of a size and content that no other has go through `mic.storage.cache.fetch`, as a stage's
do. At each point of the growth curve the store is timed (writing, finding, missing, opening in a
fresh process, walking all of it) and its directories and blocks are counted; in the end every
entry is read back and compared. Written to results/store/ and results/reliability.csv.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from mic.publishing import plots, reliability
from mic.publishing.report import markdown
from mic.storage import atomic, cache, provenance

STAGE = cache.Stage(name="generated", version=1)
# A clip of the smoke profile in coarse steps: larger ones would measure the disk, not the store.
SHAPE = (4, 3, 16, 16)
LOOKS = 500
# What an hour of video asks, in the default profile: 16 pictures of 3 x 64 x 64 in 16 bits a clip.
SECONDS_A_CLIP = 4
DEFAULT_BYTES = 16 * 3 * 64 * 64 * 2
HOURS = 1_000_000
_OPENING = """
import sys, time
from mic.storage import cache
path = sys.argv[1]
start = time.perf_counter()
assert cache.read(path) is not None
print(1e3 * (time.perf_counter() - start))
"""


def arrays(number: int) -> cache.Arrays:
    """The content of one entry, the same at every call."""
    values = np.arange(np.prod(SHAPE), dtype=np.int64) * (2 * number + 1) % 65_521
    return {"residual": (values - 32_768).astype(np.int16).reshape(SHAPE)}


def entry(number: int, folder: Path) -> Path:
    """Where an entry lies."""
    return cache.entry_path(STAGE, inputs=[str(number)], folder=folder)


def write(number: int, folder: Path) -> None:
    """Puts an entry there, or finds it."""
    cache.fetch(STAGE, inputs=[str(number)], compute=lambda: arrays(number), folder=folder)


def grow(folder: Path, points: list[int]) -> pd.DataFrame:
    """One row a point of the growth curve; the store stays in `folder`."""
    rows, filled = [], 0
    draw = np.random.default_rng(0)
    for point in points:
        start = time.perf_counter()
        for number in range(filled, point):
            write(number, folder)
        spent = time.perf_counter() - start
        some = draw.integers(0, point, LOOKS)
        stored = measured(folder)
        rows.append(
            {
                "entries": point,
                "write_ms": 1e3 * spent / (point - filled),
                "find_ms": _median(lambda n: cache.read(entry(int(n), folder)), some),
                "miss_ms": _median(lambda n: cache.read(entry(int(n) + 10**9, folder)), some),
                "open_ms": _opened(entry(int(some[0]), folder)),
                **stored,
            }
        )
        filled = point
        print(f"{point} entries", file=sys.stderr, flush=True)
    return pd.DataFrame(rows)


def measured(folder: Path) -> dict[str, float]:
    """Directories, bytes, and the seconds that it takes to see every entry."""
    start = time.perf_counter()
    largest = size = blocks = directories = 0
    for where, _, names in os.walk(folder):
        directories += 1
        largest = max(largest, len(names))
        for name in names:
            status = Path(where, name).stat()
            size += status.st_size
            blocks += 512 * status.st_blocks
    return {
        "walk_s": time.perf_counter() - start,
        "directories": directories,
        "largest_directory": largest,
        "megabytes": size / 1e6,
        "disk_megabytes": blocks / 1e6,
    }


def wrong(folder: Path, entries: int) -> int:
    """How many entries are not read back as they were written."""
    count = 0
    for number in range(entries):
        found = cache.read(entry(number, folder))
        good = found is not None and np.array_equal(found["residual"], arrays(number)["residual"])
        count += not good
    return count


def estimate(growth: pd.DataFrame) -> pd.DataFrame:
    """The same for a million hours, on the assumption that times stay what they are."""
    last = growth.iloc[-1]
    clips = HOURS * 3600 / SECONDS_A_CLIP
    # What an entry takes beyond its arrays: header, checksum, and the rest of its last block.
    beyond = 1e6 * last["disk_megabytes"] / last["entries"] - 2 * np.prod(SHAPE)
    stored = clips * (DEFAULT_BYTES + beyond)
    lines = [
        ("clips", clips, ""),
        ("files", clips, "one an entry"),
        ("terabytes on disk", stored / 1e12, "arrays and what an entry takes beyond them"),
        ("share beyond the arrays, %", 100 * clips * beyond / stored, "header and block rounding"),
        ("files a directory", clips / 256, "256 directories a stage"),
        ("files a directory, two levels", clips / 256**2, "65,536 directories a stage"),
        ("days to write, one process", clips * last["write_ms"] / 86.4e6, "without the parsing"),
        ("days to see all files", clips / last["entries"] * last["walk_s"] / 86400, "one process"),
        ("days to read once, one process", clips * last["find_ms"] / 86.4e6, "warm, small"),
    ]
    return pd.DataFrame(lines, columns=["quantity", "estimate", "note"])


def drawn(growth: pd.DataFrame) -> plt.Figure:
    """Times and sizes over the number of entries."""
    figure, (times, sizes) = plt.subplots(1, 2, figsize=(9, 3.2))
    shown = {"write": "o", "find": "s", "miss": "^", "open": "D"}
    for name, mark in shown.items():
        times.plot(growth["entries"], growth[f"{name}_ms"], marker=mark, label=name)
    times.set(xscale="log", yscale="log", xlabel="entries", ylabel="ms an entry")
    times.legend()
    sizes.plot(growth["entries"], growth["largest_directory"], marker="o", label="files")
    sizes.plot(
        growth["entries"],
        1e3 * growth["disk_megabytes"] / growth["entries"],
        marker="s",
        label="kB on disk an entry",
    )
    sizes.set(xscale="log", yscale="log", xlabel="entries", title="largest directory, and size")
    sizes.legend()
    return figure


def campaign(folder: Path, entries: int) -> tuple[pd.DataFrame, int]:
    """The growth curve in `folder`, which is emptied afterwards, and the entries gone wrong."""
    shares = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1)
    points = sorted({max(1, round(share * entries)) for share in shares})
    try:
        growth = grow(folder, points)
        return growth, wrong(folder, entries)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def save(growth: pd.DataFrame, folder: Path) -> None:
    """Writes tables and figure into a results folder."""
    for name, frame in (("store_growth", growth), ("store_estimate", estimate(growth))):
        text = frame.to_csv(index=False, float_format="%.4g", lineterminator="\n")
        atomic.write_text(folder / "store" / f"{name}.csv", text)
        command = "python -m campaigns.store, from tests/"
        provenance.made_by(folder / "store", name, command=command)
    plots.use_style()
    with atomic.replacing(folder / "store" / "store_growth.png") as temporary:
        figure = drawn(growth)
        figure.savefig(temporary, metadata={"Software": None})
        plt.close(figure)


def _median(look, numbers) -> float:
    spent = []
    for number in numbers:
        start = time.perf_counter()
        look(number)
        spent.append(time.perf_counter() - start)
    return 1e3 * float(np.median(spent))


def _opened(path: Path) -> float:
    command = [sys.executable, "-c", _OPENING, str(path)]
    done = [subprocess.run(command, capture_output=True, check=True).stdout for _ in range(3)]
    return float(np.median([float(text) for text in done]))


def main(arguments: list[str] | None = None) -> int:
    """Measures, writes, prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--entries", type=int, default=100_000)
    parser.add_argument("--folder", type=Path, default=provenance.repository() / "results")
    parser.add_argument("--store", type=Path, default=None, help="where the store grows")
    options = parser.parse_args(arguments)
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mic-store-", dir=options.store) as place:
        growth, failures = campaign(Path(place, "store"), options.entries)
    save(growth, options.folder)
    print(markdown.to_markdown(growth), markdown.to_markdown(estimate(growth)), sep="\n\n")
    if options.folder.resolve() == reliability.path().parent:
        reliability.record(
            f"feature store of {options.entries} entries",
            unit="entries written, read back and compared",
            count=options.entries,
            failures=failures,
            seconds=time.monotonic() - start,
        )
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
